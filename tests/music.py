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
