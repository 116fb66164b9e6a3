"""A finished test run on disk, as scripts/continue_midi.py leaves it."""

from dataclasses import dataclass
from pathlib import Path

from ..disk import read_json, user_path
from .run_folder import MANIFEST_NAME, RUN_OF, Manifest, piece_label

COMPARED_PARTS = ("prompt", "original", "generated")


@dataclass(frozen=True)
class FinishedRun:
    """
    A test run: its folder, and what its manifest says.

    Args:
        folder (`Path`): where the files are.
        settings (`dict`): model, pieces, continuation and output.
        records (`list[dict]`): of the pieces that were continued.
        left_out (`list[dict]`): of those that were not, each with its `reason`.
    """

    folder: Path
    settings: dict
    records: list[dict]
    left_out: list[dict]

    @property
    def model(self) -> dict:
        """Name and revision of the model that continued."""
        return self.settings["model"]

    @property
    def labels(self) -> list[str]:
        """How the pieces are reported: names may repeat, their index does not."""
        return [piece_label(record) for record in self.records]

    def path(self, record: dict, part: str) -> Path | None:
        """Where a file of a piece is, `None` where the run wrote no such part."""
        name = record["files"].get(part)
        return None if name is None else self.folder / name


def _is_complete(record: dict) -> bool:
    return record["files"].keys() >= {*COMPARED_PARTS} and record["notes"].keys() >= {*COMPARED_PARTS}


def read_run(manifest: str | Path) -> FinishedRun:
    """
    Reads the manifest of a test run.

    Args:
        manifest (`str` or `Path`): `manifest.json`, or the folder that holds it.

    Raises:
        `FileNotFoundError`: there is none, or a file that it names is missing.
        `ValueError`: it is not the manifest of a test run.
    """
    path = user_path(manifest)
    path = path / MANIFEST_NAME if path.is_dir() else path
    if not path.is_file():
        raise FileNotFoundError(f"There is no {path}: give the folder of a finished run of scripts/continue_midi.py.")
    content = read_json(path, Manifest, f"is not the manifest {RUN_OF}", "Copy it again, or run that script again.")
    run = FinishedRun(path.parent, content["settings"], content["pieces"], content["pieces_left_out"])
    names = [name for record in run.records for name in record["files"].values()]
    complete = run.model["name"] and all(_is_complete(record) for record in run.records)
    if not complete or any(Path(name).name != name for name in names):
        raise ValueError(f"{path} must name a model, and the files and notes of each piece in its own folder.")
    indices = [record["index"] for record in run.records + run.left_out]
    if len(set(indices)) < len(indices) or any(index < 0 for index in indices):
        raise ValueError(f"{path} must number each piece, from 0, and no two alike: {sorted(indices)[:12]}.")
    if missing := [name for name in names if not (path.parent / name).is_file()]:
        raise FileNotFoundError(
            f"{path.parent} lacks {len(missing)} files of its manifest, such as {missing[0]}: copy the whole folder, "
            "or continue again with --overwrite."
        )
    return run
