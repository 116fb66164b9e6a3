"""The folder of a test run: what was asked, a record of each finished piece, and in the end the manifest."""

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..disk import check_output_folder, finite_json, read_json, user_path, write_whole
from ..tokenization import PiecesTally, Tally

SETTINGS_NAME = "settings.json"
MANIFEST_NAME = "manifest.json"
RECORD_NAME = re.compile(r"(\d{3,})_[\w\-]+\.json")
PIECE_FILE_NAME = re.compile(r"\d{3,}_[\w\-]+\.((prompt|generated|original|full)\.mid|tokens\.txt|png|wav|json)")


RUN_OF = "of a run of scripts/continue_midi.py"


@dataclass(frozen=True)
class ModelRecord:
    """Which model continued: its folder or repository, its weights there, and the files beside them that decide."""

    name: str
    revision: str
    files: str | None = None


@dataclass(frozen=True)
class OriginRecord:
    """Which pieces were continued."""

    sources: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class LengthsRecord:
    """How long, in tokens."""

    prompt_length: int
    continue_length: int


@dataclass(frozen=True)
class OutputRecord:
    """What sound was made with."""

    soundfont: str | None = None


@dataclass(frozen=True)
class SettingsRecord:
    """What of `settings.json` is read again; it holds more."""

    model: ModelRecord
    pieces: OriginRecord = field(default_factory=OriginRecord)
    continuation: LengthsRecord | None = None
    output: OutputRecord = field(default_factory=OutputRecord)


@dataclass(frozen=True)
class PieceRecord:
    """What of the record of a continued piece is read again."""

    index: int
    name: str
    files: dict[str, str]
    notes: dict[str, int]
    prompt_tokens: int | None = None
    generated_tokens: int | None = None
    original_tokens: int | None = None
    ended_with_eos: bool | None = None
    entropy_nats: float | None = None
    changed: Tally | None = None
    seed: int | None = None


@dataclass(frozen=True)
class LeftOutRecord:
    """The record of a piece that was not continued."""

    index: int
    name: str
    reason: str
    detail: str


@dataclass(frozen=True)
class Manifest:
    """What of `manifest.json` is read again."""

    settings: SettingsRecord
    pieces: list[PieceRecord]
    pieces_left_out: list[LeftOutRecord]


class RunFolder:
    """
    What a test run leaves on disk. A piece is finished once its record is there, which is written after its other
    files and in one step, so that a run stopped at any moment can go on.

    Args:
        folder (`str` or `Path`): where to write.
    """

    def __init__(self, folder: str | Path):
        self.path = user_path(folder)

    def open(self, settings: dict, *, overwrite: bool = False):
        """
        Begins a run here, or goes on with one of the same settings.

        Args:
            settings (`dict`): all that decides about the results; plain JSON values.
            overwrite (`bool`, *optional*, defaults to `False`): remove what an earlier run left, and begin anew.

        Raises:
            `ValueError`: the folder cannot be written to, or holds a run with other settings or a damaged file of one.
        """
        check_output_folder(self.path)
        for partial in self.path.glob("_*.json.*.partial"):
            partial.unlink(missing_ok=True)
        if overwrite:
            self._remove_run()
        recorded = self._recorded_settings()
        if recorded is None:
            write_whole(self.path / SETTINGS_NAME, finite_json(settings))
        elif recorded != json.loads(json.dumps(settings)):
            changes = "\n".join(_differences(recorded, settings))
            raise ValueError(
                f"{self.path} holds a run with other settings:\n{changes}\n"
                "Take another --output, or begin anew with --overwrite."
            )
        self._records()

    def finished(self) -> set[int]:
        """Indices of the pieces that have a record."""
        return set(self._record_paths())

    def write_record(self, index: int, stem: str, record: dict):
        """Marks a piece as finished: continued, or left out where the record has a `reason`."""
        write_whole(self.path / f"{stem}.json", finite_json({"index": index, **record}))

    def write_manifest(self) -> dict:
        """Writes the settings and all records, in order, as `manifest.json`, and returns them."""
        records = self._records()
        left_out = [record for record in records if "reason" in record]
        continued = [record for record in records if "reason" not in record]
        manifest = {
            "settings": self._recorded_settings(),
            "continued": len(continued),
            "left_out": dict(Counter(record["reason"] for record in left_out)),
            "changed_by_tokenizer": tally_of(continued).to_dict(),
            "pieces": continued,
            "pieces_left_out": left_out,
        }
        write_whole(self.path / MANIFEST_NAME, finite_json(manifest))
        return manifest

    def _recorded_settings(self) -> dict | None:
        path = self.path / SETTINGS_NAME
        if path.exists():
            remedy = "Take another --output, or begin anew with --overwrite."
            return read_json(path, dict[str, Any], f"does not hold the settings {RUN_OF}", remedy)
        if any(self._run_files()):
            raise ValueError(
                f"{self.path} holds results without {SETTINGS_NAME}, so that nobody knows whose they are. Take "
                "another --output, or remove them with --overwrite."
            )
        return None

    def _records(self) -> list[dict]:
        """
        Of the finished pieces, in order.

        Raises:
            `ValueError`: one is damaged.
        """
        return [_read_record(path, index) for index, path in sorted(self._record_paths().items())]

    def _record_paths(self) -> dict[int, Path]:
        matches = ((RECORD_NAME.fullmatch(path.name), path) for path in self.path.iterdir())
        return {int(match[1]): path for match, path in matches if match}

    def _run_files(self):
        return (path for path in self.path.iterdir() if PIECE_FILE_NAME.fullmatch(path.name))

    def _remove_run(self):
        for path in [self.path / SETTINGS_NAME, self.path / MANIFEST_NAME, *self._run_files()]:
            path.unlink(missing_ok=True)


def piece_label(record: dict) -> str:
    """Index and name of a piece: `003 Love For Love`."""
    return f"{record['index']:03d} {record['name']}"


def tally_of(records: list[dict]) -> PiecesTally:
    """What the tokenizer changed in the pieces of a run; those whose record does not say it are left out."""
    changed = {piece_label(record): record["changed"] for record in records if record.get("changed") is not None}
    return PiecesTally.of({label: Tally.from_dict(tally) for label, tally in changed.items()})


def _differences(recorded: dict, wanted: dict, prefix: str = ""):
    for name in sorted(recorded.keys() | wanted.keys()):
        old, new = recorded.get(name), wanted.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _differences(old, new, f"{prefix}{name}.")
        elif old != new:
            yield f"  {prefix}{name}: {old!r} there, {new!r} now"


def _read_record(path: Path, index: int) -> dict:
    what = f"is not the record of piece {index} {RUN_OF}"
    remedy = "Delete it and run again, and its piece is continued anew."
    record = read_json(path, LeftOutRecord | PieceRecord, what, remedy)
    if record["index"] != index:
        raise ValueError(f"{path} {what}: its index is {record['index']}. {remedy}")
    return record
