"""Many MIDI files of few: seeded transpositions, with more or less noise, and some that are damaged."""

import zipfile
from concurrent.futures import ProcessPoolExecutor
from functools import cached_property
from pathlib import Path

import numpy as np
from symusic import Note
from symusic.core import ScoreTick
from tqdm import tqdm

from neuromusic_hf.music import RefusedFile, read_midi

KINDS = {"twin": 0.1, "copy": 0.01, "damaged": 0.01, "other": 0.88}
"""What becomes of a piece, and how often: it is in another key and a tenth of its notes is changed; it stays as it is;
it is cut off; it is in another key and of its notes so many are changed that it is nobody's twin."""

CHANGED = {"twin": 0.1, "other": 0.9}
WIDEST_CHANGE = 5
"""Semitones, of a note and of the key."""

FOLDER_FILES = 1000
FIELDS = ("time", "duration", "pitch", "velocity")


class Sample:
    """
    The files of an archive, of which others are made.

    Args:
        archive (`Path`): a zip.
    """

    def __init__(self, archive: Path):
        self.archive = archive

    @cached_property
    def files(self) -> list[bytes]:
        with zipfile.ZipFile(self.archive) as archive:
            names = [name for name in archive.namelist() if name.lower().endswith(".mid")]
            return [archive.read(name) for name in names]

    @cached_property
    def scores(self) -> list[ScoreTick | None]:
        return [_score(data) for data in self.files]

    def vary(self, number: int) -> bytes:
        """File `number`: the first ones are those of the sample."""
        variant, index = divmod(number, len(self.files))
        data, score = self.files[index], self.scores[index]
        if not variant or score is None:
            return data
        random = np.random.default_rng(number)
        kind = random.choice(list(KINDS), p=list(KINDS.values()))
        if kind == "damaged":
            return data[: random.integers(len(data))]
        return data if kind == "copy" else varied(score, CHANGED[kind], random).dumps_midi()


def varied(score: ScoreTick, share: float, random: np.random.Generator) -> ScoreTick:
    """In another key, with a share of its notes at another pitch; drums stay."""
    copy = score.copy()
    key = random.integers(-WIDEST_CHANGE, WIDEST_CHANGE + 1)
    for track in copy.tracks:
        if len(track.notes) and not track.is_drum:
            notes = track.notes.numpy()
            count = len(notes["pitch"])
            by = random.integers(-WIDEST_CHANGE, WIDEST_CHANGE + 1, count) * (random.random(count) < share)
            pitch = np.clip(notes["pitch"].astype(np.int64) + by + key, 0, 127).astype(np.int8)
            track.notes = Note.from_numpy(*({**notes, "pitch": pitch}[name] for name in FIELDS), "tick")
    return copy


def make_files(archive: Path, folder: Path, count: int, workers: int) -> dict:
    """Writes so many files to a folder, but for those of folders in it that are there, and says how many bytes."""
    starts = range(0, count, FOLDER_FILES)
    with ProcessPoolExecutor(workers, initializer=_open, initargs=(archive,)) as pool:
        tasks = [pool.submit(_make_folder, folder, start, min(count, start + FOLDER_FILES)) for start in starts]
        sizes = [task.result() for task in tqdm(tasks, desc="Making files", unit="folder")]
    return {"files": count, "mib": sum(sizes) / 2**20}


def _open(archive: Path):
    global sample
    sample = Sample(archive)


def _make_folder(folder: Path, start: int, end: int) -> int:
    target = folder / f"{start // FOLDER_FILES:04d}"
    if not target.is_dir():
        partial = target.with_name(f"_{target.name}")
        partial.mkdir(parents=True, exist_ok=True)
        for number in range(start, end):
            (partial / f"{number:07d}.mid").write_bytes(sample.vary(number))
        partial.rename(target)
    return sum(path.stat().st_size for path in target.iterdir())


def _score(data: bytes) -> ScoreTick | None:
    try:
        return read_midi(data).score
    except RefusedFile:
        return None
