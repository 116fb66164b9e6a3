"""What comes out of a continuation: scores, ids and facts, and their MIDI files."""

import math
import re
from dataclasses import dataclass
from pathlib import Path

import torch

from ..disk import user_path, write_file
from ..music import midi_bytes
from ..music.excerpts import excerpt, new_music
from ..tokenization import MidiProcessor
from .clock import MusicClock
from .limits import MusicEnd
from .prompts import Prompt


@dataclass(frozen=True)
class Refusal:
    """An input that is not continued, and why: reasons are those of [`RefusedFile`]."""

    name: str
    reason: str
    detail: str

    def as_result(self) -> dict:
        """What stands for it in the results of a list."""
        return {"name": self.name, "skipped": {"reason": self.reason, "detail": self.detail}, "midi": None}


@dataclass(frozen=True)
class Generated:
    """
    What was generated for one prompt.

    Args:
        prompt ([`Prompt`]): what was continued.
        rows (`torch.LongTensor` of shape `(num_return_sequences, new tokens)`): ids, with PAD after their end.
        entropies (`torch.FloatTensor` of shape `(num_return_sequences, new tokens)`): in nats; `nan` if not measured.
        end ([`MusicEnd`], *optional*): where the music was to end.
        max_new_tokens (`int`): most tokens.
        seed (`int`): of the prompt.
        seconds (`float`): the batch took, divided by its prompts.
    """

    prompt: Prompt
    rows: torch.LongTensor
    entropies: torch.FloatTensor
    end: MusicEnd | None
    max_new_tokens: int
    seed: int
    seconds: float

    def results(self, processor: MidiProcessor, clock: MusicClock | None) -> list[dict]:
        """
        The result of each row.

        Args:
            processor ([`MidiProcessor`]): decodes it.
            clock ([`MusicClock`], *optional*): has read the prompt; needed where there is an `end`.
        """
        pairs = zip(self.rows.tolist(), self.entropies, strict=True)
        return [self._result(row, entropies, processor, clock) for row, entropies in pairs]

    def _result(self, row: list[int], entropies: torch.Tensor, processor: MidiProcessor, clock) -> dict:
        ids, ended_with_eos = _until_end(row, processor)
        full = self.prompt.tempo.decode(self.prompt.ids + ids, processor)
        if self.end is not None and (tick := self.end.tick(full)) is not None:
            full = excerpt(full, 0, tick)
        return {
            "name": self.prompt.name,
            "midi": full,
            "continuation": new_music(full, self.prompt.score),
            "prompt": self.prompt.score,
            "original": self.prompt.original,
            "token_ids": ids,
            "prompt_token_ids": self.prompt.ids,
            "original_token_ids": self.prompt.original_ids,
            "ended_with_eos": ended_with_eos,
            "stopped_by": "eos" if ended_with_eos else self._stopped_by(ids, clock),
            "entropy": _mean(entropies[: len(ids) + ended_with_eos]),
            "changed": self.prompt.changed,
            "seed": self.seed,
            "seconds": self.seconds,
        }

    def _stopped_by(self, ids: list[int], clock: MusicClock | None) -> str:
        if self.end is not None:
            clock = clock.copy()
            for index in ids:
                clock.advance(index)
            if (argument := self.end.reached(clock)) is not None:
                return argument
        return "max_new_tokens" if len(ids) == self.max_new_tokens else "stopping_criteria"


def _until_end(row: list[int], processor: MidiProcessor) -> tuple[list[int], bool]:
    """The ids before EOS, or before the PAD that fills up a row, and whether there was EOS."""
    eos, pad = processor.tokenizer.eos_token_id, processor.tokenizer.pad_token_id
    if eos in row:
        return row[: row.index(eos)], True
    length = len(row)
    while length and row[length - 1] == pad:
        length -= 1
    return row[:length], False


def _mean(entropies: torch.Tensor) -> float:
    return entropies.mean().item() if len(entropies) else math.nan


def save_continuation(result: dict | list[dict], folder: str | Path, stem: str | None = None) -> list[Path]:
    """
    Writes a result of the midi-continuation pipeline: `stem.full.mid` (prompt and continuation),
    `stem.continuation.mid` and `stem.prompt.mid`. Files of the same names are overwritten.

    Args:
        result (`dict` or `list[dict]`): one result, or the several of one prompt, which are numbered.
        folder (`str` or `Path`): where to write; made if missing.
        stem (`str`, *optional*): how the names begin; the name of the piece if not given.

    Returns:
        `list[Path]`: the files.

    Raises:
        `ValueError`: the input was skipped, so that there is nothing to save.
        [`UnwritableScore`]: no MIDI file can hold one of the scores.
    """
    if isinstance(result, list):
        stems = [f"{stem or file_stem(each['name'])}.{number}" for number, each in enumerate(result)]
        return [path for each, own in zip(result, stems, strict=True) for path in save_continuation(each, folder, own)]
    if result["midi"] is None:
        raise ValueError(f"{result['name']!r} was skipped, there is nothing to save: {result['skipped']}.")
    folder = user_path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    scores = {"full": result["midi"], "continuation": result["continuation"], "prompt": result["prompt"]}
    contents = {
        folder / f"{stem or file_stem(result['name'])}.{part}.mid": midi_bytes(score) for part, score in scores.items()
    }
    for path, content in contents.items():
        write_file(path, content)
    return list(contents)


def file_stem(name: str) -> str:
    """What of a name every file system takes."""
    return re.sub(r"[^\w\-]+", "_", name).strip("_")[:50] or "piece"
