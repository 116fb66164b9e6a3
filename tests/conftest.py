"""What all tests share: caches of their own, no network, and music made in process."""

import os
import tempfile
from pathlib import Path

# Before any Hugging Face library reads them.
_CACHE = tempfile.TemporaryDirectory(prefix="neuromusic_tests_")
os.environ.update(
    HF_HOME=_CACHE.name,
    HF_HUB_OFFLINE="1",
    HF_DATASETS_DISABLE_PROGRESS_BARS="1",
    TOKENIZERS_PARALLELISM="false",
    WANDB_MODE="offline",
)

import numpy as np  # noqa: E402
import pytest  # noqa: E402
from symusic import Note, Score, Tempo, TimeSignature, Track  # noqa: E402

REPOSITORY = Path(__file__).parents[1]


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


@pytest.fixture(scope="session")
def midi_folder(tmp_path_factory) -> Path:
    """40 different pieces of two tracks as MIDI files."""
    folder = tmp_path_factory.mktemp("midi")
    for seed in range(40):
        make_score(seed).dump_midi(folder / f"piece_{seed:02d}.mid")
    return folder
