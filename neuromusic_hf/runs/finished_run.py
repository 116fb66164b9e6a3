"""A finished test run on disk, as the scripts leave it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from ..bundles import ModelIdentity
from ..disk import read_json, to_json, user_path
from ..hub.bounds import check_inside
from .infill_records import InfillRecord, InfillRunSettings
from .kinds import CONTINUATIONS, RunKind
from .records import LeftOutRecord, PieceRecord, RunSettings
from .run_folder import MANIFEST_NAME

LARGEST = {"audio": 2**28}
LARGEST_OTHER = 2**24
"""Bytes of a file of a piece: sound of 25 minutes, MIDI, ids as text, or a picture."""

SettingsT = TypeVar("SettingsT", RunSettings, InfillRunSettings)
RecordT = TypeVar("RecordT", PieceRecord, InfillRecord)


@dataclass(frozen=True)
class RunOnDisk(Generic[SettingsT, RecordT]):
    """
    A test run: its folder, and what its manifest says.

    Args:
        folder (`Path`): where the files are.
        settings ([`RunSettings`] or [`InfillRunSettings`]): what it was asked to do.
        records (list of [`PieceRecord`] or [`InfillRecord`]): the pieces that were not left out.
        left_out (list of [`LeftOutRecord`]): those that were.
    """

    folder: Path
    settings: SettingsT
    records: list[RecordT]
    left_out: list[LeftOutRecord]

    @property
    def model(self) -> ModelIdentity:
        """The model that wrote the music."""
        return self.settings.model

    @property
    def labels(self) -> list[str]:
        """How the pieces are reported: names may repeat, their index does not."""
        return [record.label for record in self.records]

    def path(self, name: str | None) -> Path | None:
        """Where a file of a piece is, `None` where the run wrote none: `run.path(record.files.picture)`."""
        return None if name is None else self.folder / name


class FinishedRun(RunOnDisk[RunSettings, PieceRecord]):
    """A run of continuations."""


def read_run(manifest: str | Path) -> FinishedRun:
    """
    Reads the manifest of a run of continuations.

    Args:
        manifest (`str` or `Path`): `manifest.json`, or the folder that holds it.

    Raises:
        `FileNotFoundError`: there is none, or a file that it names is missing.
        `ValueError`: it is not the manifest of such a run, or names a file too large, or a link out of it.
    """
    return FinishedRun(*read_manifest(manifest, CONTINUATIONS))


def read_manifest(manifest: str | Path, kind: RunKind) -> tuple[Path, Any, list[Any], list[LeftOutRecord]]:
    """The folder of a run of some kind, its settings, records and pieces left out; as [`read_run`]."""
    path = user_path(manifest)
    path = path / MANIFEST_NAME if path.is_dir() else path
    if not path.is_file():
        raise FileNotFoundError(f"There is no {path}: give the folder of a finished run of {kind.script}.")
    content = read_json(
        path, kind.manifest, f"is not the manifest {kind.of_run}", "Copy it again, or run that script again."
    )
    files = [to_json(group).items() for record in content.pieces for group in record.groups_of_files()]
    named = [(part, name) for group in files for part, name in group]
    if not content.settings.model.name or any(Path(name).name != name for _, name in named):
        raise ValueError(f"{path} must name a model, and files of each piece in its own folder.")
    indices = [record.index for record in [*content.pieces, *content.pieces_left_out]]
    if len(set(indices)) < len(indices) or any(index < 0 for index in indices):
        raise ValueError(f"{path} must number each piece, from 0, and no two alike: {sorted(indices)[:12]}.")
    if missing := [name for _, name in named if not (path.parent / name).is_file()]:
        raise FileNotFoundError(
            f"{path.parent} lacks {len(missing)} files of its manifest, such as {missing[0]}: copy the whole folder, "
            "or run the script again with --overwrite."
        )
    for part, name in named:
        _check_file(path.parent / name, part)
    return path.parent, content.settings, list(content.pieces), content.pieces_left_out


def _check_file(path: Path, part: str) -> None:
    check_inside(path, path.parent)
    if (size := path.stat().st_size) > (most := LARGEST.get(part, LARGEST_OTHER)):
        raise ValueError(f"{path} has {size:,} bytes, and may have {most:,} at most: it is not read.")
