"""The folder of a test run: what was asked, a record of each finished piece, and in the end the manifest."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..disk import check_output_folder, read_json, to_json, user_path, write_json
from .kinds import CONTINUATIONS, RunKind
from .records import LeftOutRecord

SETTINGS_NAME = "settings.json"
MANIFEST_NAME = "manifest.json"
RECORD_NAME = re.compile(r"(\d{3,})_[\w\-]+\.json")
MIDI_PARTS = "prompt|generated|original|full|infilled|new|removed"
PIECE_FILE_NAME = re.compile(
    rf"\d{{3,}}_[\w\-]+(\.\d+)?\.(({MIDI_PARTS})\.mid|tokens\.txt|png|wav|original\.wav|json)"
)
"""Of a run of any kind."""

ANOTHER_OUTPUT = "Take another --output, or begin anew with --overwrite."


class RunFolder:
    """
    What a test run leaves on disk.

    A piece is finished once its record is there, which is written after its other files and in one step, so that a run
    stopped at any moment can go on.

    Args:
        folder (`str` or `Path`): where to write.
        kind ([`RunKind`], *optional*): of the run; one of continuations if not given.
    """

    def __init__(self, folder: str | Path, kind: RunKind = CONTINUATIONS):
        self.path = user_path(folder)
        self.kind = kind

    def open(self, settings: Any, *, overwrite: bool = False) -> list[Any]:
        """
        Begins a run here, or goes on with one of the same settings.

        Args:
            settings ([`RunSettings`], or as the kind says): of the run.
            overwrite (`bool`, *optional*, defaults to `False`): remove what an earlier run left, and begin anew.

        Returns:
            The records of the pieces that are finished already, in order: [`LeftOutRecord`], or as the kind says.

        Raises:
            `ValueError`: the folder cannot be written to, or holds a run with other settings or a damaged file of one.
        """
        check_output_folder(self.path)
        for partial in self.path.glob("_*.json.*.partial"):
            partial.unlink(missing_ok=True)
        if overwrite:
            self._remove_run()
        if self._holds_settings():
            # All that stands there, and not only what this version knows: it may decide about the results.
            recorded, wanted = self._read_settings(dict[str, Any]), json.loads(json.dumps(to_json(settings)))
            if changes := list(_differences(recorded, wanted)):
                told = "\n".join(changes)
                raise ValueError(f"{self.path} holds a run with other settings:\n{told}\n{ANOTHER_OUTPUT}")
        else:
            write_json(self.path / SETTINGS_NAME, settings)
        return self._records()

    def finished(self) -> set[int]:
        """Indices of the pieces that have a record."""
        return set(self._record_paths())

    def write_record(self, record: Any) -> None:
        """Marks a piece as finished."""
        write_json(self.path / f"{record.stem}.json", record)

    def write_manifest(self) -> Any:
        """Writes the settings and all records, in order, as `manifest.json`, and returns them, as the kind says."""
        records = self._records()
        done = [record for record in records if not isinstance(record, LeftOutRecord)]
        left_out = [record for record in records if isinstance(record, LeftOutRecord)]
        # Its fields are those of every kind, of the types that the kind says.
        manifest = self.kind.manifest(self._read_settings(self.kind.settings), done, left_out)  # type: ignore[call-arg]
        write_json(self.path / MANIFEST_NAME, manifest)
        return manifest

    def _holds_settings(self) -> bool:
        if (self.path / SETTINGS_NAME).exists():
            return True
        if any(self._run_files()):
            raise ValueError(
                f"{self.path} holds results without {SETTINGS_NAME}, so that nobody knows whose they are. Take "
                "another --output, or remove them with --overwrite."
            )
        return False

    def _read_settings(self, shape: Any) -> Any:
        what = f"does not hold the settings {self.kind.of_run}"
        return read_json(self.path / SETTINGS_NAME, shape, what, ANOTHER_OUTPUT)

    def _records(self) -> list[Any]:
        """
        Of the finished pieces, in order.

        Raises:
            `ValueError`: one is damaged.
        """
        return [self._read_record(path, index) for index, path in sorted(self._record_paths().items())]

    def _read_record(self, path: Path, index: int) -> Any:
        what = f"is not the record of piece {index} {self.kind.of_run}"
        remedy = "Delete it and run again, and its piece is done anew."
        record = read_json(path, LeftOutRecord | self.kind.piece, what, remedy)
        if record.index != index:
            raise ValueError(f"{path} {what}: its index is {record.index}. {remedy}")
        return record

    def _record_paths(self) -> dict[int, Path]:
        matches = ((RECORD_NAME.fullmatch(path.name), path) for path in self.path.iterdir())
        return {int(match[1]): path for match, path in matches if match}

    def _run_files(self) -> Iterator[Path]:
        return (path for path in self.path.iterdir() if PIECE_FILE_NAME.fullmatch(path.name))

    def _remove_run(self) -> None:
        for path in [self.path / SETTINGS_NAME, self.path / MANIFEST_NAME, *self._run_files()]:
            path.unlink(missing_ok=True)


def _differences(recorded: dict[str, Any], wanted: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """What is not the same, in words. What is missing is `None`: older versions did not write it."""
    for name in sorted(recorded.keys() | wanted.keys()):
        old, new = recorded.get(name), wanted.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _differences(old, new, f"{prefix}{name}.")
        elif old != new:
            yield f"  {prefix}{name}: {old!r} there, {new!r} now"
