"""What a MIDI file can hold: values beyond it are refused by name and number, never wrapped."""

import numpy as np
from symusic.core import ScoreTick

LAST_TICK = 2**28 - 1
"""The longest time that a file can tell between two events."""

LONGEST_QUARTER = 2**24 - 1
SLOWEST_TEMPO, FASTEST_TEMPO = 60e6 / LONGEST_QUARTER, 60e6
"""In quarter notes a minute: a file tells the length of a quarter, in whole microseconds."""

TIMES = (0, LAST_TICK, "move the music with score.shift_time(), or take fewer ticks with score.resample()")
LENGTHS = (0, LAST_TICK, "give the note a length of 0 or more ticks")
DATA = (0, 127, "leave it out, or clip it")

TRACK_LIMITS = {
    "notes": {
        "time": TIMES,
        "duration": LENGTHS,
        "pitch": (0, 127, "transpose the note, or leave it out"),
        "velocity": (1, 127, "0 ends a note in MIDI: give it 1 or more, or leave it out"),
    },
    "controls": {"time": TIMES, "number": DATA, "value": DATA},
    "pitch_bends": {"time": TIMES, "value": (-8192, 8191, "clip it")},
    "pedals": {"time": TIMES, "duration": LENGTHS},
    "lyrics": {"time": TIMES},
}
SCORE_LIMITS = {
    "tempos": {
        "time": TIMES,
        "mspq": (
            1,
            LONGEST_QUARTER,
            "these are microseconds a quarter: take a tempo of 3.6 to 60,000,000 quarters a minute",
        ),
    },
    "time_signatures": {
        "time": TIMES,
        "numerator": (1, 255, "take shorter bars"),
        "denominator": (1, 128, "take a power of 2"),
    },
    "key_signatures": {
        "time": TIMES,
        "key": (-7, 7, "a key has up to 7 sharps, or flats, which count negative"),
        "tonality": (0, 1, "0 is major, 1 minor"),
    },
    "markers": {"time": TIMES},
}
"""Lowest and highest value of each field of each kind of event, and what to do about others."""


class UnwritableScore(ValueError):
    """A score that no MIDI file can hold as it is."""


def check_writable(score: ScoreTick):
    """
    Checks every value of a score against what a MIDI file can hold.

    Raises:
        [`UnwritableScore`]: one is out of range; the message names it, its place, and what to do.
    """
    _check("ticks per quarter", [score.ticks_per_quarter], (1, 2**15 - 1, "take others with score.resample()"))
    for kind, limits in SCORE_LIMITS.items():
        _check_events(getattr(score, kind), limits, kind)
    meters = score.time_signatures.numpy()
    denominators = meters["denominator"].astype(np.int64)
    for index in np.flatnonzero(denominators & (denominators - 1)):
        value, time = denominators[index], meters["time"][index]
        raise UnwritableScore(f"A denominator of {value} at tick {time} fits no MIDI file: take a power of 2.")
    for number, track in enumerate(score.tracks):
        _check("program", [track.program], (0, 127, "programs count from 0"), f" of track {number}")
        for kind, limits in TRACK_LIMITS.items():
            _check_events(getattr(track, kind), limits, f"{kind} of track {number}")


def _check_events(events, limits: dict, where: str):
    if not len(events):
        return
    if "time" in limits and len(limits) == 1:  # texts have no arrays
        arrays = {"time": np.array([event.time for event in events])}
    else:
        arrays = events.numpy()
    for field, limit in limits.items():
        _check(field, arrays[field], limit, f" in the {where}", arrays["time"])
    if "duration" in arrays:
        ends = arrays["time"].astype(np.int64) + arrays["duration"]
        _check("end", ends, TIMES, f" in the {where}", arrays["time"])


def _check(field: str, values, limit: tuple, where: str = "", times=None):
    lowest, highest, remedy = limit
    values = np.asarray(values, dtype=np.int64)
    beyond = np.flatnonzero((values < lowest) | (values > highest))
    if len(beyond):
        when = "" if times is None else f" at tick {times[beyond[0]]}"
        found = f"A {field} of {values[beyond[0]]}{when}{where}"
        raise UnwritableScore(f"{found} fits no MIDI file, which holds {lowest} to {highest}: {remedy}.")
