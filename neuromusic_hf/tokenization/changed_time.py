"""What becomes of meters, tempos and silences between a score and its quantised form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..music import DEFAULT_TEMPO
from ..music.bars import meters_that_count
from ..music.score_arrays import ScoreArrays
from .changed_notes import PlacedNotes
from .token_limits import TokenLimits

DEFAULT_METER = (4, 4)


@dataclass(frozen=True)
class MeterChanges:
    """
    The meters of a score, each another than the one before; 4/4 until the first.

    Args:
        times (`np.ndarray` of shape `(meters,)`): where each begins, in units, the first at 0.
        meters (`np.ndarray` of shape `(meters, 2)`): numerators and denominators.
    """

    times: np.ndarray
    meters: np.ndarray

    @classmethod
    def of(cls, score: ScoreArrays, units_per_tick: int) -> MeterChanges:
        """Those of a score."""
        ticks, *meters = meters_that_count(score.meters)
        times, meters = _changes(ticks * units_per_tick, np.stack(meters, axis=1), DEFAULT_METER)
        return cls(times, meters)

    def at(self, time: int) -> int:
        """Index of the meter in force."""
        return int(np.searchsorted(self.times, time, side="right")) - 1

    def has_bar_line_near(self, time: int, step: int, unit: int) -> bool:
        """Whether a bar begins within a step of a time; a quarter note is so many units."""
        index = self.at(time + step)
        numerator, denominator = self.meters[index]
        return bool((time + step - self.times[index]) % (4 * unit * numerator // denominator) <= 2 * step)


def changed_time(
    given: PlacedNotes, kept: PlacedNotes, score: ScoreArrays, quantised: ScoreArrays, unit: int, limits: TokenLimits
) -> dict:
    """The fields of [`Tally`] that are about time; arguments as of [`changed_notes`]."""
    changed = _changed_meters(score, quantised, unit, limits) | _changed_tempos(score, limits)
    return changed | (_changed_silences(given, kept, unit, limits) if limits.one_silence else {})


def _changed_meters(score: ScoreArrays, quantised: ScoreArrays, unit: int, limits: TokenLimits) -> dict:
    only, written = _only_one(score.meters), _only_one(quantised.meters)
    if limits.writes_meters and only and only == written:
        return {}
    if not limits.writes_meters and only:
        return {"meters_unwritten": int(only != DEFAULT_METER)}
    given = MeterChanges.of(score, unit // score.ticks_per_quarter)
    if not limits.writes_meters:
        return {"meters_unwritten": _num_changed(given.meters, DEFAULT_METER)}
    written = MeterChanges.of(quantised, unit // quantised.ticks_per_quarter)
    step = unit // limits.onsets_per_beat
    counts = {"meters_replaced": 0, "meters_moved": 0}
    for index in range(len(given.times)):
        if fate := _fate_of_meter(given, written, index, step, unit):
            counts[fate] += 1
    return counts


def _fate_of_meter(given: MeterChanges, written: MeterChanges, index: int, step: int, unit: int) -> str | None:
    """The field that counts what became of a meter, if anything. A last bar that is cut short may be of any meter."""
    start, meter = given.times[index], given.meters[index]
    end = given.times[index + 1] if index + 1 < len(given.times) else np.iinfo(np.int64).max
    if end - start <= step:
        return None
    first, last = written.at(start + step), written.at(end - 1)
    in_place = written.has_bar_line_near(start, step, unit)
    same = (written.meters[first : last + 1] == meter).all(axis=1)
    if same.any():
        return None if same[0] and in_place else "meters_moved"
    is_cut_short = end - start < 4 * unit * meter[0] // meter[1]
    return None if is_cut_short and in_place and written.has_bar_line_near(end, step, unit) else "meters_replaced"


def _changed_tempos(score: ScoreArrays, limits: TokenLimits) -> dict:
    qpm = _tempos(score)
    if limits.tempo_range is None:
        return {"tempos_unwritten": _num_changed(qpm, (DEFAULT_TEMPO,))}
    lowest, highest = limits.tempo_range
    return {"tempos_clamped": int(((qpm < lowest) | (qpm > highest)).sum())}


def _tempos(score: ScoreArrays) -> np.ndarray:
    """Quarter notes a minute, to a hundredth, of each change; of shape `(changes, 1)`."""
    time, microseconds = score.tempos
    with np.errstate(divide="ignore"):
        qpm = np.round(6e7 / microseconds, 2)[:, None]
    return qpm if _only_one(score.tempos) else _changes(time, qpm, (DEFAULT_TEMPO,))[1]


def _changed_silences(given: PlacedNotes, kept: PlacedNotes, unit: int, limits: TokenLimits) -> dict:
    """Gaps that are longer than the longest token, and onsets that tokens cannot reach and that moved over a step."""
    if not len(kept):
        return {}
    onsets, wanted = np.sort(kept.onset), np.sort(given.onset)
    gaps = onsets - np.concatenate([[0], onsets[:-1]])
    cut = gaps[gaps > round(limits.lengths[-1] * unit)] - round(limits.lengths[-1] * unit)
    after = np.minimum(wanted.searchsorted(onsets), len(wanted) - 1)
    moved = np.minimum(np.abs(wanted[after] - onsets), np.abs(wanted[np.maximum(after - 1, 0)] - onsets))
    moved = moved[(gaps > 0) & (moved * limits.onsets_per_beat > unit)]
    return {
        "silences_changed": len(cut) + len(moved),
        "silence_changed": int(cut.sum() + moved.sum()) / unit,
    }


def _only_one(events: np.ndarray) -> tuple[int, ...] | None:
    """What the one event says, if it is there from the start and no other one: so it is in most pieces."""
    return tuple(events[1:, 0].tolist()) if events.shape[1] == 1 and events[0, 0] == 0 else None


def _changes(times: np.ndarray, values: np.ndarray, default: tuple) -> tuple[np.ndarray, np.ndarray]:
    """
    What is in force when, each another than the one before; the default until the first.

    Args:
        times (`np.ndarray` of shape `(events,)`): in order; of several at one time the last counts.
        values (`np.ndarray` of shape `(events, fields)`): what each event says.
        default (`tuple`): of as many fields.
    """
    times = np.concatenate([[0], times])
    values = np.concatenate([[default], values])
    last = np.append(times[1:] != times[:-1], True)
    times, values = times[last], values[last]
    new = np.append(True, (values[1:] != values[:-1]).any(axis=1))
    return times[new], values[new]


def _num_changed(values: np.ndarray, default: tuple) -> int:
    """Number of changes, the first value counted where it is not the default."""
    return len(values) - bool((values[0] == default).all())
