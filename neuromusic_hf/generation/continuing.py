"""What a call of the midi-continuation pipeline asks for, and its results."""

from dataclasses import dataclass

from transformers import GenerationConfig

from ..music import RefusedFile
from ..music.excerpts import excerpt, new_music
from ..tokenization import MidiProcessor
from .copy_guard import GuardSettings
from .guarded_row import GuardedPrompt
from .limits import MusicFollower, MusicLimit
from .prompts import Prompt, PromptSettings
from .request import DEFAULT_NEW_TOKENS, Generated, Job, Request, Row, round_room


@dataclass(frozen=True, kw_only=True)
class ContinuationRequest(Request):
    """
    What one call of the pipeline asks for.

    Args:
        prompt ([`PromptSettings`]): how much of each piece is the prompt.
        limit ([`MusicLimit`]): how much music to add.
        guard ([`GuardSettings`]): how much of it may be copied.
        control, seed, generation: as of [`Request`].

    Raises:
        `ValueError`: a value is out of range.
    """

    prompt: PromptSettings
    limit: MusicLimit
    guard: GuardSettings

    def longest_prompt(self, settings: GenerationConfig, context: int | None) -> int | None:
        """
        How many tokens a prompt may have of which no length is asked for.

        Room is left for as many new ones as are asked for, else for the default, half of the context at most.

        Args:
            settings ([`~transformers.GenerationConfig`]): in force for the request.
            context (`int`, *optional*): tokens the model reads; `None` for any number.

        Returns:
            `int`; `None` for any number, or where the new ones leave no room for a prompt.
        """
        if context is None:
            return None
        wanted = settings.max_new_tokens
        if wanted is None:
            context = min(context, settings.max_length or context)
            wanted = min(DEFAULT_NEW_TOKENS, max(1, context // 2))
        return context - wanted if context > wanted else None

    def room(self, length: int, settings: GenerationConfig, context: int | None) -> int:
        """
        How many tokens may follow a prompt.

        Args:
            length (`int`): tokens of the prompt.
            settings ([`~transformers.GenerationConfig`]): in force for the request.
            context (`int`, *optional*): tokens the model reads; `None` for any number.

        Raises:
            [`RefusedFile`]: so many as are asked for do not fit in the context (`prompt_too_long`).
        """
        wanted = settings.max_new_tokens
        if wanted is None and settings.max_length is not None:
            wanted = max(1, settings.max_length - length)
        if wanted is None:
            rest = DEFAULT_NEW_TOKENS if context is None else max(1, context - length)
            # Music decides where it ends, or so many tokens do.
            wanted = round_room(rest) if self.limit else min(DEFAULT_NEW_TOKENS, rest)
        if context is not None and length + wanted > context:
            raise RefusedFile(
                "prompt_too_long",
                f"{length} tokens of prompt and {wanted} new ones are {length + wanted}; the model reads {context}: "
                f"set prompt_length={max(1, context - wanted)} or less (prompt_from='end' takes the last ones), or a "
                "smaller max_new_tokens",
            )
        return wanted


@dataclass(frozen=True)
class ContinuationJob(Job):
    """
    A prompt to continue.

    Args:
        music ([`MusicFollower`], *optional*): follows the rows, if the music is to end somewhere.
        guard ([`GuardedPrompt`], *optional*): keeps the rows from copying, if that is asked for.
    """

    prompt: Prompt
    music: MusicFollower | None = None
    guard: GuardedPrompt | None = None


@dataclass(frozen=True)
class Continuation:
    """
    How a piece goes on, once or several times.

    Args:
        generated ([`Generated`]): for its prompt.
    """

    generated: Generated

    def results(self, processor: MidiProcessor) -> list[dict]:
        """The result of each row, decoded by `processor`."""
        tokenizer = processor.tokenizer
        rows = self.generated.rows({tokenizer.eos_token_id}, tokenizer.pad_token_id)
        return [self._result(row, processor) for row in rows]

    def _result(self, row: Row, processor: MidiProcessor) -> dict:
        job: ContinuationJob = self.generated.job
        prompt, ended_with_eos = job.prompt, row.ended_by is not None
        full = prompt.tempo.decode(prompt.ids + row.ids, processor)
        if job.music is not None and (tick := job.music.end.tick(full)) is not None:
            full = excerpt(full, 0, tick)
        further: dict = {} if job.guard is None else {"copy_guard": job.guard.told(row.ids)}
        if prompt.unread is not None:
            further["unread"] = prompt.unread.counts()
        return {
            "name": prompt.name,
            "midi": full if prompt.unread is None else prompt.unread.followed_by(full),
            "continuation": new_music(full, prompt.score),
            "prompt": prompt.score,
            "original": prompt.original,
            "token_ids": row.ids,
            "prompt_token_ids": prompt.ids,
            "original_token_ids": prompt.original_ids,
            "ended_with_eos": ended_with_eos,
            "stopped_by": "eos" if ended_with_eos else _stopped_by(row.ids, job),
            "entropy": row.entropy,
            "changed": prompt.changed,
            "seed": job.seed,
            "seconds": self.generated.seconds,
            **further,
        }


def _stopped_by(ids: list[int], job: ContinuationJob) -> str:
    if job.music is not None and (argument := job.music.stopped_by(ids)) is not None:
        return argument
    return "max_new_tokens" if len(ids) == job.max_new_tokens else "stopping_criteria"
