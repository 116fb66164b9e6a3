"""A passage that two pieces share, as text to be read: side by side, in one key, with all that sounds beside it."""

from collections.abc import Iterator

import numpy as np
from symusic.core import ScoreTick

from neuromusic_hf.music import bar_starts, gather_notes
from neuromusic_hf.twins import Melody, SharedMelody, melody_of, shared_melody

NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")
MOST_ROWS = 30
MOST_STEPS = 120
MOST_BESIDE = 9
"""Other notes of each piece that begin between two notes of the passage."""

LINE_OF_PASSAGE = 0.8
"""Of the notes of the passage, that a line has which is taken out with it: one that doubles it, say."""


def shown_pair(first: ScoreTick, second: ScoreTick, shared: SharedMelody) -> str:
    """
    What two pieces share, without their names.

    Args:
        first ([`symusic.Score`]): in ticks.
        second ([`symusic.Score`]): whose notes are shown in the key of the first.
        shared ([`SharedMelody`]): of the two.
    """
    sides = _Side(first, shared.first, 0), _Side(second, shared.second, -shared.transposition)
    return "\n".join(
        [
            f"telling {shared.telling:.1f} leaping {shared.leaping:.1f} tuneful {shared.tuneful:.2f} "
            f"share {shared.share:.2f} of piece {shared.share_of_piece:.2f} density {shared.density:.2f} "
            f"likeness {shared.likeness:.2f} notes {shared.notes} transposed {shared.transposition:+d}",
            *(f"{name}: {side.facts}" for name, side in zip("AB", sides, strict=True)),
            "without this line: " + _rest(first, second, shared),
            "steps: " + " ".join(_steps(*sides)),
            *_rows(*sides),
        ]
    )


class _Side:
    """One piece, and where in it the passage is."""

    def __init__(self, score: ScoreTick, passage: np.ndarray, by: int):
        self.notes, self.passage, self.by = gather_notes(score, drums=False), passage, by
        self.quarter = score.ticks_per_quarter
        self.bars = bar_starts(score)
        self.order = np.argsort(self.notes.onset, kind="stable")
        self.onset = self.notes.onset[self.order]

    @property
    def facts(self) -> str:
        first, last = (self.place(tick) for tick in self.passage[[0, -1], 0])
        tracks = len(np.unique(self.notes.track))
        return f"bars {first} to {last} of {len(self.bars)}, {tracks} tracks, {len(self.notes)} notes"

    def place(self, tick: int) -> str:
        bar = int(np.searchsorted(self.bars, tick, side="right"))
        return f"{bar}:{(tick - self.bars[bar - 1]) / self.quarter + 1:.4g}"

    def beside(self, number: int, pitch: int) -> str:
        """The notes that begin with a note of the passage, or before the next one, but those of its own pitch."""
        ticks = self.passage[:, 0]
        end = ticks[number + 1] if number + 1 < len(ticks) else ticks[number] + self.quarter
        begin, stop = np.searchsorted(self.onset, (ticks[number], max(end, ticks[number] + 1)))
        chosen = self.order[begin:stop]
        others = chosen[self.notes.pitch[chosen] != pitch]
        shown = [_name(each + self.by) for each in self.notes.pitch[others[:MOST_BESIDE]].tolist()]
        return " ".join(shown) + (" .." if len(others) > MOST_BESIDE else "")

    def length(self, tick: int, pitch: int) -> str:
        """Of a note, in quarters."""
        [*found] = np.flatnonzero((self.notes.onset == tick) & (self.notes.pitch == pitch))
        return f"{self.notes.duration[found].max() / self.quarter:.3g}" if found else "?"

    def gaps(self) -> np.ndarray:
        return np.diff(self.passage[:, 0]) / self.quarter


def _name(pitch: int) -> str:
    return f"{NAMES[pitch % 12]}{pitch // 12 - 1}"


def _steps(first: _Side, second: _Side) -> Iterator[str]:
    """Intervals of the passage, and after how many quarters each comes, in the one and in the other."""
    steps = np.diff(first.passage[:, 1])[:MOST_STEPS].tolist()
    others = np.diff(second.passage[:, 1]).tolist()
    for step, other, gap, other_gap in zip(steps, others, first.gaps(), second.gaps(), strict=False):
        interval = f"{step:+d}" if step == other else f"{step:+d}!{other:+d}"
        yield f"{interval}({gap:.3g}/{other_gap:.3g})"


def _rows(first: _Side, second: _Side) -> Iterator[str]:
    """Note by note, where it stands in each piece, how long it is, and what begins beside it."""
    count = len(first.passage)
    halves = (range(count),) if count <= MOST_ROWS else (range(MOST_ROWS // 2), range(count - MOST_ROWS // 2, count))
    for half in halves:
        for number in half:
            shown = [_name(int(first.passage[number, 1]))]
            for side in (first, second):
                tick, pitch = side.passage[number].tolist()
                shown.append(f"{side.place(tick)} {side.length(tick, pitch)} [{side.beside(number, pitch)}]")
            yield " | ".join(shown)
        yield "..."


def _rest(first: ScoreTick, second: ScoreTick, shared: SharedMelody) -> str:
    """What they share but for the lines that hold the passage: of a bass alone, say, nothing."""
    sides = (first, shared.first), (second, shared.second)
    rest = shared_melody(*(_without(melody_of(score), passage) for score, passage in sides))
    if rest is None:
        return "nothing"
    steps = " ".join(f"{step:+d}" for step in np.diff(rest.first[:, 1])[:40].tolist())
    moved = {int(each) for each in np.unique((rest.second[:, 1] - rest.first[:, 1]) % 12)}
    twins = "twins still" if rest.makes_twins else "no twins"
    facts = f"telling {rest.telling:.1f} notes {rest.notes} transposed {moved} tuneful {rest.tuneful:.2f}"
    return f"{twins}, {facts}: {steps}"


def _without(melody: Melody, passage: np.ndarray) -> Melody:
    """A melody but for the lines that have the notes of a passage, in whatever octave."""
    heard = set(zip(passage[:, 0].tolist(), (passage[:, 1] % 12).tolist(), strict=True))
    ends = np.cumsum(melody.size)
    kept = []
    for begin, end in zip(ends - melody.size, ends, strict=True):
        line = zip(melody.onset[begin:end].tolist(), (melody.pitch[begin:end] % 12).tolist(), strict=True)
        kept.append(len(heard & set(line)) < LINE_OF_PASSAGE * len(heard))
    lines = np.array(kept, bool)
    notes = np.repeat(lines, melody.size)
    return Melody(melody.pitch[notes], melody.onset[notes], melody.size[lines])
