"""The folder of a test run: what was asked, a record of each finished piece, and in the end the manifest."""

import json
import os
import re
from collections import Counter
from pathlib import Path

from ..output_folder import check_output_folder

SETTINGS_NAME = "settings.json"
MANIFEST_NAME = "manifest.json"
RECORD_NAME = re.compile(r"(\d{3,})_[\w\-]+\.json")
PIECE_FILE_NAME = re.compile(r"\d{3,}_[\w\-]+\.((prompt|generated|original|full)\.mid|tokens\.txt|png|wav|json)")


class RunFolder:
    """
    What a test run leaves on disk. A piece is finished once its record is there, which is written after its other
    files and in one step, so that a run stopped at any moment can go on.

    Args:
        folder (`str` or `Path`): where to write.
    """

    def __init__(self, folder: str | Path):
        self.path = Path(folder)

    def open(self, settings: dict, *, overwrite: bool = False):
        """
        Begins a run here, or goes on with one of the same settings.

        Args:
            settings (`dict`): all that decides about the results; plain JSON values.
            overwrite (`bool`, *optional*, defaults to `False`): remove what an earlier run left, and begin anew.

        Raises:
            `ValueError`: the folder cannot be written to, or holds a run with other settings.
        """
        check_output_folder(self.path)
        for partial in self.path.glob("*.json.*.tmp"):
            partial.unlink(missing_ok=True)
        if overwrite:
            self._remove_run()
        recorded = self._recorded_settings()
        if recorded is None:
            _write_json(self.path / SETTINGS_NAME, settings)
        elif recorded != json.loads(json.dumps(settings)):
            changes = "\n".join(_differences(recorded, settings))
            raise ValueError(
                f"{self.path} holds a run with other settings:\n{changes}\n"
                "Take another --output, or begin anew with --overwrite."
            )

    def finished(self) -> set[int]:
        """Indices of the pieces that have a record."""
        return set(self._record_paths())

    def write_record(self, index: int, stem: str, record: dict):
        """Marks a piece as finished: continued, or left out where the record has a `reason`."""
        _write_json(self.path / f"{stem}.json", {"index": index, **record})

    def write_manifest(self) -> dict:
        """Writes the settings and all records, in order, as `manifest.json`, and returns them."""
        records = [_read_json(path) for _, path in sorted(self._record_paths().items())]
        left_out = [record for record in records if "reason" in record]
        continued = [record for record in records if "reason" not in record]
        manifest = {
            "settings": self._recorded_settings(),
            "continued": len(continued),
            "left_out": dict(Counter(record["reason"] for record in left_out)),
            "pieces": continued,
            "pieces_left_out": left_out,
        }
        _write_json(self.path / MANIFEST_NAME, manifest)
        return manifest

    def _recorded_settings(self) -> dict | None:
        path = self.path / SETTINGS_NAME
        if path.exists():
            return _read_json(path)
        if any(self._run_files()):
            raise ValueError(
                f"{self.path} holds results without {SETTINGS_NAME}, so that nobody knows whose they are. Take "
                "another --output, or remove them with --overwrite."
            )
        return None

    def _record_paths(self) -> dict[int, Path]:
        matches = ((RECORD_NAME.fullmatch(path.name), path) for path in self.path.iterdir())
        return {int(match[1]): path for match, path in matches if match}

    def _run_files(self):
        return (path for path in self.path.iterdir() if PIECE_FILE_NAME.fullmatch(path.name))

    def _remove_run(self):
        for path in [self.path / SETTINGS_NAME, self.path / MANIFEST_NAME, *self._run_files()]:
            path.unlink(missing_ok=True)


def _differences(recorded: dict, wanted: dict, prefix: str = ""):
    for name in sorted(recorded.keys() | wanted.keys()):
        old, new = recorded.get(name), wanted.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _differences(old, new, f"{prefix}{name}.")
        elif old != new:
            yield f"  {prefix}{name}: {old!r} there, {new!r} now"


def _read_json(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def _write_json(path: Path, content: dict):
    """Writes the file in one step: whoever looks finds nothing, the old content, or all of the new."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    partial.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    os.replace(partial, path)
