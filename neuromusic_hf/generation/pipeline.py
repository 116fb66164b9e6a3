"""`pipeline("midi-continuation")`: MIDI in, MIDI that goes on out."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..copying import CopyIndex
from ..models.fit import longest_context
from ..models.origin import PIPELINE_TASK
from .clock import MusicClock, check_time
from .continuing import Continuation, ContinuationJob, ContinuationRequest
from .copy_guard import GuardSettings, guard_index
from .guard_logits import CopyGuardLogitsProcessor
from .guarded_row import CopyGuard, GuardedPrompt, GuardedRow
from .limits import MusicEndCriteria, MusicFollower
from .midi_pipeline import MidiPipeline
from .pieces import PieceInput
from .prompts import Prompt, PromptMaker, empty_prompt
from .streaming import FollowedStreamer, WholePiecePlace

logger = logging.getLogger(__name__)


class MidiContinuationPipeline(MidiPipeline):
    """
    Continues music with a causal language model and its [`MidiProcessor`].

    Arguments may be given when the pipeline is made, or with a call, as of [`MidiPipeline`]. A piece ends with the
    tokenizer's EOS, and with what else the model's generation config names.

    Args:
        model, processor, kwargs: as of [`MidiPipeline`].

    Raises:
        `ValueError`: there is no processor, or it has another vocabulary than the model.

    Example:
    ```py
    >>> import neuromusic_hf
    >>> from transformers import pipeline
    >>> continue_midi = pipeline("midi-continuation", model="runs/quickstart/bundle")
    >>> result = continue_midi("song.mid", prompt_bars=4, max_new_bars=8, seed=1)
    >>> neuromusic_hf.write_midi(result["midi"], "longer.mid")
    ```
    """

    TASK = PIPELINE_TASK
    VERB = "continue"

    _indexed: tuple[Any, tuple[str, str | None], CopyIndex] | None = None
    """The training pieces that were indexed last: as given, name and commit of the model, the index."""

    def __call__(self, midi=None, **kwargs) -> dict | list | Iterator:
        """
        Continues one piece or many.

        Args:
            midi (path, `bytes`, [`symusic.Score`], `dict`, or a list, data set or iterable of them, *optional*):
                What to continue; a `dict` holds `bytes` or `path`, and a `name` if it has one. Of a data set, a column
                or a generator, also a streamed one, pieces are read when it is their turn. Without it, music begins
                from nothing.
            prompt_length, prompt_seconds, prompt_bars, prompt_from, original_length:
                How much of a piece is the prompt, as of [`PromptSettings`]. By default the whole piece, and of one
                that does not fit into the context with the new tokens as many of its last bars as do; room is left
                for the `max_new_tokens` that are asked for, else for 512, half of the context at most.
            max_new_tokens (`int`, *optional*):
                Most tokens to add; by default what the model's generation config says, else what its context leaves,
                512 at most. The model may end the piece before.
            max_new_bars, max_new_seconds (*optional*): most music to add, as of [`MusicLimit`].
            instruments, drums, pitch_range, tempo, constrained (*optional*): as of [`Control`].
            copy_guard, max_run (*optional*):
                Of what the new notes may share no run of more than so many notes, as of [`GuardSettings`]. The
                training pieces are read and indexed once, as long as calls give the same object or name.
                `copy_guard=None` is a call without the guard that the pipeline was made with.
            seed (`int`, *optional*):
                The same seed and prompt give the same notes, whatever else is in the batch. Drawn for each prompt if
                not given; the result tells it.
            batch_size (`int`, *optional*, defaults to 1): prompts continued together; their lengths may differ.
            num_return_sequences (`int`, *optional*): continuations of each prompt, which give a list for each.
            streamer ([`NoteStreamer`], *optional*): gets the notes as they are decided; one piece at a time.
            kwargs: further arguments of `model.generate()`.

        Returns:
            `dict`, or for a list a `list`, or for other iterables an iterator of:

            - **name** (`str`) -- of the file or row.
            - **midi** ([`symusic.Score`]) -- prompt and continuation; before them what was `unread`.
            - **continuation** ([`symusic.Score`]) -- the new notes, from the bar in which they begin.
            - **prompt**, **original** ([`symusic.Score`]) -- the prompt, and how the piece itself goes on.
            - **token_ids**, **prompt_token_ids**, **original_token_ids** (`list[int]`) -- new ones without EOS.
            - **ended_with_eos** (`bool`), **stopped_by** (`str`) -- `"eos"`, or the argument that was reached.
            - **entropy** (`float`) -- of the model's own distribution over the next token, mean in nats.
            - **changed** ([`Tally`]) -- what the tokenizer changed in the piece given, the whole of it: what was not
              kept of its notes, lengths, meters and tempos. False where nothing was; `str()` says it in one line.
            - **seed** (`int`), **seconds** (`float`) -- the batch took, divided by its prompts.
            - **copy_guard** (`dict`) -- with `copy_guard` alone: `max_run`, and what the guard did, as of
              [`GuardCounts`].
            - **unread** (`dict`) -- only where no length of the prompt was asked for and a piece did not fit: how many
              `bars` and `notes` precede the prompt.

            An input of a list or stream that cannot be continued gives `{"name", "skipped": {"reason", "detail"},
            "midi": None}` in its place.

        Raises:
            `ValueError`: an argument asks for what cannot be (before anything is computed), or a single piece cannot
                be continued.
            `OSError`: a single piece cannot be read.
        """
        if "copy_guard" in kwargs and kwargs["copy_guard"] is None:
            kwargs.setdefault("max_run", None)  # of the guard that the pipeline was made with
        return super().__call__(midi, **kwargs)

    def _request(self, parameters: dict) -> ContinuationRequest:
        request = ContinuationRequest.from_parameters(parameters)
        self._check(request)
        if request.limit or request.guard:
            check_time(self.processor)
        if request.guard:
            self._guard(request)
        return request

    def guard_in_force(self) -> dict | None:
        """
        The guard against copies that the pipeline was made with, in plain JSON values.

        Returns:
            `dict` of `corpus` (its name, if it has one), `max_run`, `pieces`, `notes` and `sha256` of the training
            pieces; `None` where there is no guard.
        """
        guard = self._request(self._preprocess_params).guard
        if not guard:
            return None
        index = self._index(guard)
        sizes = {"pieces": index.num_pieces, "notes": index.num_notes, "sha256": index.sha256}
        return {"corpus": index.name, "max_run": guard.longest_run} | sizes

    def _index(self, guard: GuardSettings) -> CopyIndex:
        """The training pieces of a guard. They are kept, for a call that gives them again."""
        given, model = guard.copy_guard, (self.model.name_or_path, getattr(self.model, "hub_commit", None))
        if self._indexed is not None:
            known, known_model, index = self._indexed
            if known_model == model and (known is given or (isinstance(given, str | Path) and known == given)):
                return index
        index = guard_index(given, self.model)
        self._indexed = given, model, index
        return index

    def _job(self, piece: PieceInput, request: ContinuationRequest) -> ContinuationJob:
        settings, context = self._settings(request), longest_context(self.model.config)
        prompt = self._prompt(piece, request, request.longest_prompt(settings, context))
        if prompt.unread is not None:
            logger.warning(
                "%s does not fit into the %s tokens that the model reads, those it adds included: it goes on from the "
                "last bars, and does not read the first %d. The whole piece is in the result",
                piece.path or piece.name,
                f"{context:,}",
                prompt.unread.counts()["bars"],
            )
        programs = self.controller.allowed_programs(request.control, prompt)
        room = request.room(len(prompt.ids), settings, context)
        rows = settings.num_return_sequences or 1
        return ContinuationJob(prompt, programs, room, request.piece_seed(), rows)

    def _prompt(self, piece: PieceInput, request: ContinuationRequest, most: int | None) -> Prompt:
        control = request.control
        if piece.midi is None:
            return empty_prompt(piece.name, self.processor, control.tempo)
        score = piece.load()
        self.controller.check_instruments(score)
        complete = self.controller.complete_notes if control.restricts else None
        maker = PromptMaker(self.processor, request.prompt, tempo=control.tempo, trim=complete, most=most)
        return maker.make(piece.name, score)

    def _work(self, jobs: list[ContinuationJob], request: ContinuationRequest) -> list[Continuation]:
        if request.limit:
            jobs = [replace(job, music=self._follower(job.prompt, request)) for job in jobs]
        if request.guard:
            guard = self._guard(request)
            guarded = (GuardedPrompt(guard, GuardedRow(self._clock_after(job.prompt))) for job in jobs)
            jobs = [replace(job, guard=each) for job, each in zip(jobs, guarded, strict=True)]
        return [Continuation(generated) for generated in self._generate(jobs, request)]

    def _follower(self, prompt: Prompt, request: ContinuationRequest) -> MusicFollower:
        clock = self._clock_after(prompt)
        return MusicFollower(request.limit.after(clock), clock)

    def _guard(self, request: ContinuationRequest) -> CopyGuard:
        time_rises = request.control.constrained and self.controller.grammar is not None
        index = self._index(request.guard)
        return CopyGuard(index, request.guard.longest_run, self.controller.note_ids, time_rises)

    def _clock_after(self, prompt: Prompt) -> MusicClock:
        """A clock that has read a prompt."""
        clock = self.controller.clock.copy()
        clock.set_tempo(prompt.tempo)
        for index in prompt.ids:
            clock.advance(index)
        return clock

    def _arguments(self, jobs: Sequence[ContinuationJob], request: ContinuationRequest, width: int) -> dict:
        arguments = super()._arguments(jobs, request, width)
        if request.limit:
            music = [job.music for job in jobs]
            criteria = MusicEndCriteria(music, width, self.processor.tokenizer.pad_token_id)
            given = arguments.get("stopping_criteria") or []
            arguments["stopping_criteria"] = [*given, criteria]
        if request.guard:
            guard = CopyGuardLogitsProcessor([job.guard for job in jobs], width)
            arguments["logits_processor"] = [*arguments["logits_processor"], guard]
        return arguments

    def _begin_stream(self, streamer: FollowedStreamer, job: ContinuationJob):
        prompt = job.prompt
        place = None if prompt.unread is None else WholePiecePlace(prompt.ids, prompt.unread)
        streamer.begin(prompt.tempo, place)
