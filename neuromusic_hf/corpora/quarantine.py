"""The quarantine report: every file that did not become a row, or not as it was, with the reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..disk import read_json, user_path, write_json
from .builder import IGNORED

DOUBLE = "in_earlier_corpus"
"""Why a piece is left out that is in a corpus named before its own."""

DOUBLE_DETAIL = "a corpus that is named earlier has a piece of the same notes"


@dataclass(frozen=True)
class QuarantineReport:
    """
    What became of the files of a corpus.

    Args:
        corpus (`str`): name or path of the corpus.
        accepted (`int`): files that became rows.
        refused (`dict[str, int]`): refused files by reason.
        ignored (`dict[str, int]`): files that do not belong to the corpus by their name, by extension.
        files (`list[dict[str, str]]`): the refused files, each with `path`, `reason` and `detail`.
        unread (`int`): pieces that were left unread because of `max_pieces`.
        ignored_files (`list[str]`): the ignored files.
        mended (`dict[str, int]`): accepted files in which something was mended, by its kind.
        mended_files (`list[dict[str, str | int]]`): these files, each with `path`, `kind`, `count` and `detail`.
    """

    corpus: str
    accepted: int
    refused: dict[str, int] = field(default_factory=dict)
    ignored: dict[str, int] = field(default_factory=dict)
    files: list[dict[str, str]] = field(default_factory=list)
    unread: int = 0
    ignored_files: list[str] = field(default_factory=list)
    mended: dict[str, int] = field(default_factory=dict)
    mended_files: list[dict[str, str | int]] = field(default_factory=list)

    @property
    def num_files(self) -> int:
        """Accepted and refused files together (ignored ones are not MIDI files)."""
        return self.accepted + sum(self.refused.values())

    @property
    def summary(self) -> str:
        """One line for the log."""
        line = f"Corpus '{self.corpus}': {self.accepted} of {self.num_files} MIDI files accepted"
        line += f"; refused: {_listed(self.refused) or 'none'}"
        line += f"; mended: {_listed(self.mended)}" if self.mended else ""
        line += f"; other files ignored: {_listed(self.ignored)}" if self.ignored else ""
        return f"{line}; not read because of max_pieces: {self.unread}" if self.unread else line

    def save(self, path: str | Path) -> Path:
        """Writes the report as JSON, whole or not at all."""
        path = user_path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, self, ascii_only=False)
        return path

    @classmethod
    def load(cls, path: str | Path) -> QuarantineReport:
        """
        Reads a report that [`save`] wrote.

        Raises:
            `ValueError`: it is none.
        """
        path, remedy = user_path(path), "Load the corpus again, and it is written anew."
        return read_json(path, cls, "is no quarantine report", remedy)


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def report_of(corpus: str, table: pa.Table, doubles: Sequence[int] = ()) -> QuarantineReport:
    """
    Makes the report from the rows of a corpus.

    Args:
        corpus (`str`): name or path, for the report.
        table (`pa.Table`): accepted and refused rows, with the columns `midi` (struct with `path`), `refused_reason`,
            `refused_detail` and `mended`.
        doubles (sequence of `int`, *optional*): accepted rows that are left out for their notes, see [`DOUBLE`].
    """
    refused_rows = table.filter(table["refused_reason"].is_valid())
    paths = _paths(refused_rows)
    reasons, details = refused_rows["refused_reason"].to_pylist(), refused_rows["refused_detail"].to_pylist()
    kept = np.ones(len(table), bool)
    kept[list(doubles)] = False
    doubled = [(path, DOUBLE, DOUBLE_DETAIL) for path in _paths(table.select(["midi"]).filter(~kept))]
    rows = sorted([*zip(paths, reasons, details, strict=True), *doubled], key=lambda row: row[:2])
    ignored = Counter(detail for _, reason, detail in rows if reason == IGNORED)
    files = [dict(zip(("path", "reason", "detail"), row, strict=True)) for row in rows if row[1] != IGNORED]
    refused = Counter(file["reason"] for file in files)
    mended_files = _mended_files(table, kept)
    mended = Counter(str(file["kind"]) for file in mended_files)
    return QuarantineReport(
        corpus,
        accepted=len(table) - len(rows),
        refused=dict(refused.most_common()),
        ignored=dict(ignored.most_common()),
        files=files,
        ignored_files=[path for path, reason, _ in rows if reason == IGNORED],
        mended=dict(mended.most_common()),
        mended_files=mended_files,
    )


def _mended_files(table: pa.Table, kept: np.ndarray) -> list[dict[str, str | int]]:
    rows = table.filter(pc.and_(pc.greater(pc.list_value_length(table["mended"]), 0), pa.chunked_array([kept])))
    pairs = sorted(zip(map(str, _paths(rows)), rows["mended"].to_pylist(), strict=True), key=lambda pair: pair[0])
    return [{"path": path, **mend} for path, mends in pairs for mend in mends]


def _paths(rows: pa.Table) -> list[str]:
    return [path for chunk in rows["midi"].chunks for path in chunk.field("path").to_pylist()]


def merge_reports(reports: list[QuarantineReport]) -> QuarantineReport:
    """Adds up the reports of corpora that were joined; paths get the name of their corpus in front."""
    if len(reports) == 1:
        return reports[0]
    refused, ignored, mended = (
        sum((Counter(getattr(report, name)) for report in reports), Counter())
        for name in ("refused", "ignored", "mended")
    )
    return QuarantineReport(
        corpus="+".join(report.corpus for report in reports),
        accepted=sum(report.accepted for report in reports),
        refused=dict(refused.most_common()),
        ignored=dict(ignored.most_common()),
        files=_joined(reports, "files"),
        unread=sum(report.unread for report in reports),
        ignored_files=[f"{report.corpus}/{path}" for report in reports for path in report.ignored_files],
        mended=dict(mended.most_common()),
        mended_files=_joined(reports, "mended_files"),
    )


def _joined(reports: list[QuarantineReport], name: str) -> list[dict]:
    return [
        {**file, "path": f"{report.corpus}/{file['path']}"} for report in reports for file in getattr(report, name)
    ]
