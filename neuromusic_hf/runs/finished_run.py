"""A finished test run on disk, as scripts/continue_midi.py leaves it."""

from dataclasses import dataclass
from pathlib import Path

from ..bundles import ModelIdentity
from ..disk import read_json, to_json, user_path
from ..hub.bounds import check_inside
from .records import LeftOutRecord, Manifest, PieceRecord, RunSettings
from .run_folder import MANIFEST_NAME, RUN_OF

LARGEST = {"audio": 2**28}
LARGEST_OTHER = 2**24
"""Bytes of a file of a piece: sound of 25 minutes, MIDI, ids as text, or a picture."""


@dataclass(frozen=True)
class FinishedRun:
    """
    A test run: its folder, and what its manifest says.

    Args:
        folder (`Path`): where the files are.
        settings ([`RunSettings`]): what it was asked to do.
        records (list of [`PieceRecord`]): the pieces that were continued.
        left_out (list of [`LeftOutRecord`]): those that were not.
    """

    folder: Path
    settings: RunSettings
    records: list[PieceRecord]
    left_out: list[LeftOutRecord]

    @property
    def model(self) -> ModelIdentity:
        """The model that continued."""
        return self.settings.model

    @property
    def labels(self) -> list[str]:
        """How the pieces are reported: names may repeat, their index does not."""
        return [record.label for record in self.records]

    def path(self, name: str | None) -> Path | None:
        """Where a file of a piece is, `None` where the run wrote none: `run.path(record.files.picture)`."""
        return None if name is None else self.folder / name


def _check_file(path: Path, part: str) -> None:
    check_inside(path, path.parent)
    if (size := path.stat().st_size) > (most := LARGEST.get(part, LARGEST_OTHER)):
        raise ValueError(f"{path} has {size:,} bytes, and may have {most:,} at most: it is not read.")


def read_run(manifest: str | Path) -> FinishedRun:
    """
    Reads the manifest of a test run.

    Args:
        manifest (`str` or `Path`): `manifest.json`, or the folder that holds it.

    Raises:
        `FileNotFoundError`: there is none, or a file that it names is missing.
        `ValueError`: it is not the manifest of a test run, or names a file too large, or a link out of it.
    """
    path = user_path(manifest)
    path = path / MANIFEST_NAME if path.is_dir() else path
    if not path.is_file():
        raise FileNotFoundError(f"There is no {path}: give the folder of a finished run of scripts/continue_midi.py.")
    content = read_json(path, Manifest, f"is not the manifest {RUN_OF}", "Copy it again, or run that script again.")
    names = [name for record in content.pieces for name in to_json(record.files).values()]
    if not content.settings.model.name or any(Path(name).name != name for name in names):
        raise ValueError(f"{path} must name a model, and files of each piece in its own folder.")
    indices = [record.index for record in [*content.pieces, *content.pieces_left_out]]
    if len(set(indices)) < len(indices) or any(index < 0 for index in indices):
        raise ValueError(f"{path} must number each piece, from 0, and no two alike: {sorted(indices)[:12]}.")
    if missing := [name for name in names if not (path.parent / name).is_file()]:
        raise FileNotFoundError(
            f"{path.parent} lacks {len(missing)} files of its manifest, such as {missing[0]}: copy the whole folder, "
            "or continue again with --overwrite."
        )
    for record in content.pieces:
        for part, name in to_json(record.files).items():
            _check_file(path.parent / name, part)
    return FinishedRun(path.parent, content.settings, content.pieces, content.pieces_left_out)
