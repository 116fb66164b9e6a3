"""What becomes of meters, tempos and silences between a score and its quantised form."""

from __future__ import annotations

from dataclasses import dataclass

import miditok
import numpy as np
from miditok import MusicTokenizer
from miditok.utils.utils import np_get_closest
from symusic.core import ScoreTick

from .changed_notes import lengths_in_beats

DEFAULT_METER = (4, 4)
DEFAULT_QPM = 120.0


@dataclass(frozen=True)
class Meters:
    """
    The meters of a score, each another than the one before; 4/4 until the first.

    Args:
        times (`np.ndarray` of shape `(meters,)`): where each begins, in units, the first at 0.
        meters (`np.ndarray` of shape `(meters, 2)`): numerators and denominators.
    """

    times: np.ndarray
    meters: np.ndarray

    @classmethod
    def of(cls, score: ScoreTick, units_per_tick: int) -> Meters:
        """Those of a score. Of several at one time the last counts; one of no beats is none."""
        if only := _only_one(score.time_signatures):
            return cls(np.zeros(1, np.int64), np.array([[only.numerator, only.denominator]]))
        soa = score.time_signatures.numpy()
        meters = np.stack([soa["numerator"], soa["denominator"]], axis=1).astype(np.int64)
        sound = (meters > 0).all(axis=1)
        times, meters = _changes(soa["time"][sound].astype(np.int64) * units_per_tick, meters[sound], DEFAULT_METER)
        return cls(times, meters)

    def at(self, time: int) -> int:
        """Index of the meter in force."""
        return int(np.searchsorted(self.times, time, side="right")) - 1

    def begins_near(self, time: int, step: int) -> bool:
        """Whether one begins within a step of a time."""
        return bool(self.times[self.at(time + step)] >= time - step)


def changed_time(tokenizer: MusicTokenizer, score: ScoreTick, quantised: ScoreTick) -> dict:
    """The fields of [`Tally`] that are about time; arguments as of [`take_tally`]."""
    changed = _changed_meters(tokenizer, score, quantised) | _changed_tempos(tokenizer, score)
    # Structured writes one token of time before each note; others as many as it takes.
    return changed | (_changed_silences(tokenizer, quantised) if isinstance(tokenizer, miditok.Structured) else {})


def _changed_meters(tokenizer: MusicTokenizer, score: ScoreTick, quantised: ScoreTick) -> dict:
    given = Meters.of(score, quantised.ticks_per_quarter)
    if not tokenizer.config.use_time_signatures:
        return {"meters_unwritten": _num_changed(given.meters, DEFAULT_METER)}
    written = Meters.of(quantised, score.ticks_per_quarter)
    if len(given.times) == len(written.times) == 1 and (given.meters == written.meters).all():
        return {}
    quarter = score.ticks_per_quarter * quantised.ticks_per_quarter
    step = quarter // tokenizer.config.max_num_pos_per_beat
    counts = {"meters_replaced": 0, "meters_moved": 0}
    for index in range(len(given.times)):
        if fate := _fate_of_meter(given, written, index, step, quarter):
            counts[fate] += 1
    return counts


def _fate_of_meter(given: Meters, written: Meters, index: int, step: int, quarter: int) -> str | None:
    """The field that counts what became of a meter, if anything. A last bar that is cut short may be of any meter."""
    start, meter = given.times[index], given.meters[index]
    end = given.times[index + 1] if index + 1 < len(given.times) else np.iinfo(np.int64).max
    if end - start <= step:
        return None
    first, last = written.at(start + step), written.at(end - 1)
    same = (written.meters[first : last + 1] == meter).all(axis=1)
    if same[0]:
        return None if given.begins_near(written.times[first], step) else "meters_moved"
    if same.any():
        return "meters_moved"
    is_cut_short = end - start < 4 * quarter * meter[0] // meter[1]
    in_place = is_cut_short and written.begins_near(start, step) and written.begins_near(end, step)
    return None if in_place else "meters_replaced"


def _changed_tempos(tokenizer: MusicTokenizer, score: ScoreTick) -> dict:
    qpm = _tempos(score)
    if not tokenizer.config.use_tempos:
        return {"tempos_unwritten": _num_changed(qpm, (DEFAULT_QPM,))}
    known = np.sort(tokenizer.tempos)
    half_steps = np.diff(known)[[0, -1]] / 2 if len(known) > 1 else (0, 0)
    return {"tempos_clamped": int(((qpm < known[0] - half_steps[0]) | (qpm > known[-1] + half_steps[1])).sum())}


def _tempos(score: ScoreTick) -> np.ndarray:
    """Quarter notes a minute, to a hundredth, of each change; of shape `(changes, 1)`."""
    if only := _only_one(score.tempos):
        return np.array([[round(only.qpm, 2)]])
    soa = score.tempos.numpy()
    with np.errstate(divide="ignore"):
        qpm = np.round(6e7 / soa["mspq"], 2)
    return _changes(soa["time"], qpm[:, None], (DEFAULT_QPM,))[1]


def _changed_silences(tokenizer: MusicTokenizer, quantised: ScoreTick) -> dict:
    onsets = [track.notes.numpy()["time"] for track in quantised.tracks]
    gaps = np.diff(np.sort(np.concatenate([np.zeros(1, np.int32), *onsets])))
    gaps = gaps[gaps > 0]
    known = np.round(lengths_in_beats(tuple(tokenizer.durations)) * quantised.ticks_per_quarter).astype(np.intc)
    gaps = gaps[known[np.searchsorted(known, gaps).clip(0, len(known) - 1)] != gaps]
    if not len(gaps):
        return {}
    difference = np.abs(np_get_closest(known, gaps) - gaps)
    return {
        "silences_changed": len(gaps),
        "silence_changed": float(difference.sum() / quantised.ticks_per_quarter),
    }


def _only_one(events):
    """The one event of a list, where it is there from the start: so it is in most pieces."""
    return events[0] if len(events) == 1 and events[0].time == 0 else None


def _changes(times: np.ndarray, values: np.ndarray, default: tuple) -> tuple[np.ndarray, np.ndarray]:
    """
    What is in force when, each another than the one before; the default until the first.

    Args:
        times (`np.ndarray` of shape `(events,)`): in order; of several at one time the last counts.
        values (`np.ndarray` of shape `(events, fields)`).
        default (`tuple` of `fields` values).
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
