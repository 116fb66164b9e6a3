"""The quarantine report: every file that did not become a row, with its reason."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import pyarrow as pa

from ..disk import read_json, user_path, write_whole
from .builder import IGNORED


@dataclass(frozen=True)
class QuarantineReport:
    """What became of the files of a corpus.

    Args:
        corpus (`str`): name or path of the corpus.
        accepted (`int`): files that became rows.
        refused (`dict[str, int]`): refused files by reason.
        ignored (`dict[str, int]`): files that do not belong to the corpus by their name, by extension.
        files (`list[dict[str, str]]`): the refused files, each with `path`, `reason` and `detail`.
    """

    corpus: str
    accepted: int
    refused: dict[str, int] = field(default_factory=dict)
    ignored: dict[str, int] = field(default_factory=dict)
    files: list[dict[str, str]] = field(default_factory=list)

    @property
    def num_files(self) -> int:
        """Accepted and refused files together (ignored ones are not MIDI files)."""
        return self.accepted + sum(self.refused.values())

    @property
    def summary(self) -> str:
        """One line for the log."""
        refused = ", ".join(f"{reason} {count}" for reason, count in self.refused.items()) or "none"
        ignored = ", ".join(f"{extension} {count}" for extension, count in self.ignored.items())
        line = f"Corpus '{self.corpus}': {self.accepted} of {self.num_files} MIDI files accepted; refused: {refused}"
        return f"{line}; other files ignored: {ignored}" if ignored else line

    def save(self, path: str | Path) -> Path:
        """Write the report as JSON, whole or not at all."""
        path = user_path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n")
        return path

    @classmethod
    def load(cls, path: str | Path) -> QuarantineReport:
        """Read a report that [`save`] wrote.

        Raises:
            ValueError: if it is none.
        """
        path, remedy = user_path(path), "Load the corpus again, and it is written anew."
        content = read_json(path, cls, "is no quarantine report", remedy)
        return cls(**{field.name: content[field.name] for field in fields(cls) if field.name in content})


def report_of(corpus: str, table: pa.Table) -> QuarantineReport:
    """Make the report from the rows of a corpus.

    Args:
        corpus (`str`): name or path, for the report.
        table (`pa.Table`): accepted and refused rows, with the columns `midi` (struct with `path`), `refused_reason`
            and `refused_detail`.
    """
    refused_rows = table.filter(table["refused_reason"].is_valid())
    paths = [path for chunk in refused_rows["midi"].chunks for path in chunk.field("path").to_pylist()]
    reasons, details = refused_rows["refused_reason"].to_pylist(), refused_rows["refused_detail"].to_pylist()
    rows = sorted(zip(paths, reasons, details, strict=True), key=lambda row: (str(row[0]), row[1]))
    ignored = Counter(detail for _, reason, detail in rows if reason == IGNORED)
    files = [dict(zip(("path", "reason", "detail"), row, strict=True)) for row in rows if row[1] != IGNORED]
    refused = Counter(file["reason"] for file in files)
    return QuarantineReport(
        corpus, len(table) - len(rows), dict(refused.most_common()), dict(ignored.most_common()), files
    )


def merge_reports(reports: list[QuarantineReport]) -> QuarantineReport:
    """Add up the reports of corpora that were joined; paths get the name of their corpus in front."""
    if len(reports) == 1:
        return reports[0]
    refused, ignored = Counter(), Counter()
    for report in reports:
        refused.update(report.refused)
        ignored.update(report.ignored)
    return QuarantineReport(
        corpus="+".join(report.corpus for report in reports),
        accepted=sum(report.accepted for report in reports),
        refused=dict(refused.most_common()),
        ignored=dict(ignored.most_common()),
        files=[{**file, "path": f"{report.corpus}/{file['path']}"} for report in reports for file in report.files],
    )
