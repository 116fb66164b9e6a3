"""The new notes of a row as novelty measures them, followed id by id, and what may come without a copied run."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field

import torch

from ..copying import CopyIndex, GuardCounts
from ..copying.intervals import PITCHES, STEPS_PER_QUARTER, interval_between, pitch_intervals
from ..tokenization import MidiProcessor
from .clock import MusicClock

DRUMS = -1
PITCH_KINDS = ("Pitch", "PitchDrum")


@dataclass(frozen=True)
class GuardedRow:
    """
    Where a row stands.

    Args:
        clock ([`MusicClock`]): has read the prompt and the row.
        keys (`tuple[int, ...]`):
            The last new notes, drums apart, in order: step of the onset times 128, plus pitch; each once. There are as
            many as a run needs, and all those that new ones may come before.
    """

    clock: MusicClock
    keys: tuple[int, ...] = ()

    @property
    def opened(self) -> int | None:
        """The key of a note whose tokens are not complete, if it is none of drums."""
        clock = self.clock
        return _key(clock, clock.tick, clock.note[0]) if clock.note and clock.program != DRUMS else None


def _key(clock: MusicClock, tick: int, pitch: int) -> int:
    ticks = clock.tokenizer.time_division
    return (2 * STEPS_PER_QUARTER * tick + ticks) // (2 * ticks) * PITCHES + pitch


def _with(keys: Sequence[int], more: Sequence[int]) -> tuple[int, ...]:
    return tuple(sorted({*keys, *more}))


class NoteIds:
    """
    The ids that sound notes, by how many.

    Args:
        processor ([`MidiProcessor`]): of the model.

    Attributes:
        ids (`torch.LongTensor`): all of them, ascending.
        counts (`list[int]`): how many notes an id sounds, ascending, each number once.
        go_back (`bool`): whether an id may go to an earlier position of its bar and sound a note there.
    """

    def __init__(self, processor: MidiProcessor):
        self._all: dict[int, list[int]] = {}
        self._with_pitch: dict[tuple[int, int], list[int]] = {}
        self.go_back = False
        for index, words in enumerate(processor.base_words):
            pitches = [int(value) for kind, value in words if kind in PITCH_KINDS]
            if pitches:
                self.go_back |= any(kind == "Position" for kind, _ in words)
                self._all.setdefault(len(pitches), []).append(index)
                for pitch in set(pitches):
                    self._with_pitch.setdefault((len(pitches), pitch), []).append(index)
        self.counts = sorted(self._all)
        self.ids = torch.tensor(sorted(index for ids in self._all.values() for index in ids))

    def of(self, count: int, pitch: int | None = None) -> list[int]:
        """Those of so many notes, with a pitch among them if that is given."""
        return self._all[count] if pitch is None else self._with_pitch.get((count, pitch), [])


@dataclass(frozen=True, eq=False)
class CopyGuard:
    """
    Tells which ids would end a run of notes that training pieces hold, too.

    The new notes of a row are a sequence of intervals, as of [`note_intervals`]; what is ruled out is what makes any
    `max_run` intervals of them, which are `max_run + 1` notes, stand in the index. Notes of one onset come in the
    order of the tokenizer: one that comes between others changes the intervals on both sides.

    Args:
        index ([`CopyIndex`]): of the training pieces.
        max_run (`int`): notes that may be shared.
        note_ids ([`NoteIds`]): of the model.
        time_rises (`bool`): whether a grammar holds rows to a time that never goes back.

    Raises:
        `ValueError`: without a grammar, an id could go back in time and sound a note there.
    """

    index: CopyIndex
    max_run: int
    note_ids: NoteIds
    time_rises: bool

    def __post_init__(self):
        if self.note_ids.go_back and not self.time_rises:
            raise ValueError(
                "copy_guard cannot follow this learned vocabulary of bars and positions without its grammar, which "
                "keeps positions in order: leave out constrained=False, or copy_guard."
            )

    def advance(self, row: GuardedRow, index: int) -> GuardedRow:
        """The row after one more id."""
        clock = row.clock.copy()
        keys = row.keys
        if new := [_key(clock, note.tick, note.pitch) for note in clock.advance(index) if not note.is_drum]:
            keys = _with(keys, new)
        goes_back = not self.time_rises and clock.bar_tick is not None  # to where the bar begins
        settled = bisect_left(keys, _key(clock, clock.bar_tick if goes_back else clock.tick, 0))
        return GuardedRow(clock, keys[max(0, settled - self.max_run) :])

    def suspects(self, row: GuardedRow) -> set[int]:
        """Ids, legal or not, among which all are that would make a run of more than `max_run` notes after a row."""
        beginnings = [row.keys] if row.opened is None else [row.keys, _with(row.keys, [row.opened])]
        return {index for keys in beginnings for index in self._suspects(keys, row.clock)}

    def _suspects(self, keys: tuple[int, ...], clock: MusicClock) -> Iterator[int]:
        """
        The suspects where a row has these notes.

        The first of the new notes in a run follows an old one, and does so in a training piece too: before it stands
        what the run has left, after its new notes and the old ones that come behind these.
        """
        after = len(keys) - bisect_left(keys, _key(clock, clock.tick, 0))
        for behind in range(after + 1):
            before = keys[: len(keys) - behind]
            for count in reversed(self.note_ids.counts):
                length = self.max_run - count - behind
                if length < 1:
                    yield from self.note_ids.of(count)
                    continue
                if length >= len(before):
                    break
                found = self.index.followers(_intervals(before[-length - 1 :]))
                if not len(found):
                    break
                last_pitch = before[-1] % PITCHES
                for pitch in set((last_pitch + pitch_intervals(found)).tolist()):
                    yield from self.note_ids.of(count, pitch)

    def copies(self, row: GuardedRow, index: int) -> bool:
        """
        Whether an id would make a run of more than `max_run` notes after a row.

        A note that it leaves incomplete counts as one.
        """
        after = GuardedRow(row.clock.copy())
        new = [_key(after.clock, note.tick, note.pitch) for note in after.clock.advance(index) if not note.is_drum]
        new += [] if after.opened is None else [after.opened]
        if not (new := sorted(set(new) - set(row.keys))):
            return False
        keys = _with(row.keys, new)
        first, last = keys.index(new[0]), keys.index(new[-1])
        starts = range(max(0, first - self.max_run), min(last, len(keys) - 1 - self.max_run) + 1)
        runs = (keys[start : start + self.max_run + 1] for start in starts)
        return any(self.index.holds(_intervals(run)) for run in runs if not set(new).isdisjoint(run))


def _intervals(keys: Sequence[int]) -> list[int]:
    return [interval_between(*pair) for pair in zip(keys[:-1], keys[1:], strict=True)]


@dataclass(frozen=True, eq=False)
class GuardedPrompt:
    """
    A prompt whose rows are guarded.

    Args:
        guard ([`CopyGuard`]): that holds them.
        begin ([`GuardedRow`]): after the prompt, without a note of it: what is new is compared alone.
        events (`dict`): what the guard did after some ids, by these: a [`GuardCounts`] of one step.
    """

    guard: CopyGuard
    begin: GuardedRow
    events: dict[tuple[int, ...], GuardCounts] = field(default_factory=dict)

    def told(self, ids: Sequence[int]) -> dict[str, int]:
        """What the guard did to the row of these new ids: `max_run`, and the sums of [`GuardCounts`]."""
        row = tuple(ids)
        steps = (count for before, count in self.events.items() if row[: len(before)] == before)
        return {"max_run": self.guard.max_run} | asdict(GuardCounts.sum(steps))
