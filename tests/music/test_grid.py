"""Ticks on a grid, against a search; ticks in other ticks, against symusic."""

import math

import numpy as np
from symusic import Note, Score, Tempo, Track

from neuromusic_hf.music import nearest_steps, resampled


def test_steps_are_the_nearest_and_half_goes_up():
    ticks = np.arange(200)
    steps = nearest_steps(ticks, 10, 4)  # 2.5 ticks a step
    distance = np.abs(ticks[:, None] - np.arange(100) * 2.5)
    assert steps.tolist() == (99 - distance[:, ::-1].argmin(axis=1)).tolist()


def by_symusic(ticks, old, new):
    """Onsets, lengths and tempos of symusic, which all are the same."""
    score = Score(old)
    columns = [np.full(len(ticks), value, np.int8) for value in (60, 64)]
    score.tracks.append(Track(notes=Note.from_numpy(ticks.astype(np.int32), ticks.astype(np.int32), *columns)))
    score.tempos = Tempo.from_numpy(ticks.astype(np.int32), np.full(len(ticks), 500000, np.int32))
    there = score.resample(new, min_dur=0)
    notes = there.tracks[0].notes.numpy()
    np.testing.assert_array_equal(notes["time"], notes["duration"])
    np.testing.assert_array_equal(notes["time"], there.tempos.numpy()["time"])
    return notes["time"].astype(np.int64)


def test_other_ticks_are_those_of_symusic_also_halfway_and_far_away():
    random, unlike = np.random.default_rng(0), set()
    for new in (*range(1, 26), 42, 48, 64, 96, 128, 480):
        for old in (1568, 352, 88, *random.integers(1, 2000, 20).tolist(), *random.integers(2000, 32768, 3).tolist()):
            half = old // math.gcd(2 * new, old)
            last = (2**31 - 2) // max(old, new) * min(old, old * old // new)
            far = random.integers(0, max(1, last // half), 30) * half
            ticks = np.unique(np.concatenate([np.arange(60) * half, far, random.integers(0, last, 10)]))
            ticks = ticks[ticks * new // old < 2**31 - 2]
            np.testing.assert_array_equal(resampled(ticks, old, new), by_symusic(ticks, old, new), str((old, new)))
            if (resampled(ticks, old, new) != nearest_steps(ticks, old, new)).any():
                unlike.add((old, new))
    assert {(1568, 8), (352, 12)} <= unlike, "what lies halfway goes down there"


def test_halfway_before_the_start_goes_away_from_it():
    assert resampled(np.array([-3, -1, 1, 3]), 2, 1).tolist() == [-2, -1, 1, 2]
