"""Music made in process."""

import numpy as np
from symusic import Note, Score, Tempo, TimeSignature, Track


def make_score(seed: int, num_notes: int = 120) -> Score:
    """A random piece for piano and bass, a few notes a beat, on a grid of eighths."""
    random = np.random.default_rng(seed)
    score = Score(480)
    score.tempos.append(Tempo(0, int(random.integers(16, 36)) * 5))
    score.time_signatures.append(TimeSignature(0, int(random.choice([3, 4])), 4))
    for program, low in ((0, 55), (32, 30)):
        track = Track(program=program)
        times = np.sort(random.integers(0, num_notes, num_notes // 2)) * 240
        for time, pitch in zip(times.tolist(), random.integers(low, low + 25, num_notes // 2).tolist(), strict=True):
            track.notes.append(Note(time, 240 * int(random.integers(1, 5)), pitch, int(random.integers(30, 120))))
        score.tracks.append(track)
    return score


MAJOR = np.array([0, 2, 4, 5, 7, 9, 11])


def make_song(seed: int, bars: int = 16, tune: int | None = None, harmony: int | None = None) -> Score:
    """A tune of quarters and eighths that wanders through a scale, and chords and a bass: four tracks, in 4/4."""
    random = np.random.default_rng([seed if tune is None else tune, 0])
    score = Score(480)
    score.tempos.append(Tempo(0, 112))
    score.time_signatures.append(TimeSignature(0, 4, 4))
    melody, time, step = Track(program=73), 0, int(random.integers(28, 36))
    while time < bars * 1920:
        length = int(random.choice([240, 240, 480, 480, 720]))
        melody.notes.append(Note(time, length, in_scale(step), 90))
        time += length
        step = int(np.clip(step + random.choice([-3, -2, -1, -1, 1, 1, 2, 3, 4]), 24, 44))
    score.tracks.append(melody)
    random = np.random.default_rng([seed if harmony is None else harmony, 1])
    roots = random.integers(0, 7, 2 * bars).tolist()
    for program, third in ((40, 4), (41, 2), (42, -7)):
        track = Track(program=program)
        for half, root in enumerate(roots):
            for eighth, step in enumerate(random.integers(-1, 2, 4).tolist()):
                track.notes.append(Note(half * 960 + eighth * 240, 240, in_scale(14 + root + third + step), 60))
        score.tracks.append(track)
    return score


def in_scale(step: int) -> int:
    """The pitch of a step of C major, where 35 is the C in the middle."""
    return int(12 * (step // 7) + MAJOR[step % 7])
