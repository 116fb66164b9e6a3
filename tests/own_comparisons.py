"""Comparisons as a user may write them, which tests name by their import paths."""

from neuromusic_hf.metrics import Comparison
from neuromusic_hf.music import RefusedFile


def mean_velocity(score):
    velocities = [note.velocity for track in score.tracks for note in track.notes]
    if len(velocities) < 3:
        raise RefusedFile("few_notes", f"{len(velocities)} notes")
    return sum(velocities) / len(velocities)


def apart(one, other):
    return abs(one - other)


def endless(one, other):
    return float("inf")


LOUDNESS = Comparison("loudness", "Loudness", "steps of velocity", mean_velocity, apart, decimals=1)
OTHER = Comparison("loudness", "Loudness", "steps of velocity", mean_velocity, max, decimals=1)
ENDLESS = Comparison("endless", "Endless", "none", mean_velocity, endless)
PITCH_TOO = Comparison("pitch", "Pitch", "none", mean_velocity, apart)
NUMBER = 3
