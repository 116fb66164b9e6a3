"""The csv of MAESTRO: which piece is in which split. A row that cannot be used is told, and the others are read."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field
from typing import Any

from .sources import SourceError
from .splits import SPLIT_NAMES

CSV_NAME = "maestro-v2.0.0.csv"
CSV_COLUMNS = ("canonical_composer", "canonical_title", "split", "year", "midi_filename")


@dataclass(frozen=True)
class CsvRow:
    """
    What a line of the csv says about a piece.

    Args:
        file (`str`): of the piece, from the folder of the csv; the csv and the line where the line names none.
        split (`str`, *optional*): the official split.
        metadata (`dict`): composer, title and year.
        problem (`str`, *optional*): why the line cannot be used; it holds the line number and the value.
    """

    file: str
    split: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    problem: str | None = None


def read_csv_rows(data: bytes, where: str) -> list[CsvRow]:
    """
    Reads the csv. A row is one line, so that a quote that is never closed spoils its own row alone.

    Args:
        data (`bytes`): the file.
        where (`str`): names it in the error.

    Raises:
        [`SourceError`]: the first line does not name the columns of MAESTRO.
    """
    lines = data.removeprefix(b"\xef\xbb\xbf").splitlines() or [b""]
    try:
        header = _fields(lines[0])
    except ValueError as error:
        raise SourceError(f"The first line of {where} names no columns: {error}. {_remedy()}") from error
    absent = [column for column in CSV_COLUMNS if column not in header]
    if absent:
        raise SourceError(f"{where} lacks the columns {absent}; its first line has {header}. {_remedy()}")
    rows, first_lines = list[CsvRow](), dict[str, int]()
    for number, line in enumerate(lines[1:], start=2):
        if line.strip():
            row = _read_row(line, number, header)
            if row.problem is None and (first := first_lines.setdefault(row.file, number)) != number:
                row = _spoilt(number, f"line {first} names '{row.file}' already")
            rows.append(row)
    return rows


def _remedy() -> str:
    return "Take the csv out of the official archive, or pass no data_dir to download it."


def _fields(line: bytes) -> list[str]:
    """
    The values of a line.

    Raises:
        `ValueError`: the line is not UTF-8, or no csv.
    """
    if b"\0" in line:
        raise ValueError(f"a null byte in {line[:80]!r}")
    try:
        return next(csv.reader([line.decode("utf-8")], strict=True), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{error} in {line[:80]!r}") from error


def _read_row(line: bytes, number: int, header: list[str]) -> CsvRow:
    try:
        values = _fields(line)
    except ValueError as error:
        return _spoilt(number, str(error))
    if len(values) != len(header):
        return _spoilt(number, f"{len(values)} values for {len(header)} columns in {line[:80]!r}")
    row = dict(zip(header, values, strict=True))
    if not row["midi_filename"]:
        return _spoilt(number, f"midi_filename is empty in {line[:80]!r}")
    if row["split"] not in SPLIT_NAMES:
        return _spoilt(number, f"split is {row['split']!r}, none of {', '.join(SPLIT_NAMES)}", row["midi_filename"])
    if not re.fullmatch("[0-9]{4}", row["year"]):
        return _spoilt(number, f"year is {row['year']!r}, no year of four digits", row["midi_filename"])
    metadata = {"composer": row["canonical_composer"], "title": row["canonical_title"], "year": int(row["year"])}
    return CsvRow(row["midi_filename"], row["split"], metadata)


def _spoilt(number: int, problem: str, file: str | None = None) -> CsvRow:
    line = f"{CSV_NAME} line {number}"
    return CsvRow(file or line, problem=f"{line}: {problem}")
