"""Which column of a saved dataset holds MIDI files, and what its values hold."""

from __future__ import annotations

import itertools
from typing import Any

from datasets import Dataset, IterableDataset, LargeList, List, Value

from ..music.midi_feature import Midi

BYTES_DTYPES = ("binary", "large_binary", "binary_view")
STORED_DTYPES = {"bytes": (*BYTES_DTYPES, "null"), "path": ("string", "large_string", "string_view", "null")}
"""Of a struct; a field that is null in all rows has the type null."""
STARTS = (b"MThd", b"RIFF")
LOOKED_AT = 100
"""First rows, where more than one column may hold MIDI."""


def find_midi_column(rows: Dataset | IterableDataset, name: str, wanted: str | None = None) -> str:
    """
    Finds the column of MIDI files.

    It is the one asked for, else `midi`, else the only one that holds bytes or structs of bytes, else the only one of
    these that begins as MIDI files do.

    Args:
        rows (`Dataset` or `IterableDataset`): not decoded.
        name (`str`): of the dataset, for the error.
        wanted (`str`, *optional*): the column asked for.

    Raises:
        `ValueError`: there is none, or more than one.
    """
    features = rows.features or {}  # a stream may not know them
    found = [column for column, feature in features.items() if holds_bytes(feature)]
    if wanted is not None and wanted not in found:
        raise ValueError(f"midi_column={wanted!r} is none of those that may hold MIDI files: {found or 'none'}.")
    if wanted is not None or "midi" in found:
        return wanted or "midi"
    if len(found) > 1:
        found = [column for column in found if _begins_as_midi(rows, column)] or found
    if len(found) != 1:
        raise ValueError(
            f"The dataset '{name}' needs one column of MIDI files (bytes, or a struct of bytes and path, best named "
            f"'midi'; or name it: midi_column=...), found {found or 'none'} among its columns {list(features)}."
        )
    return found[0]


def holds_bytes(feature: Any) -> bool:
    """Whether the values of a feature may be MIDI files."""
    if isinstance(feature, dict):
        fields = {name: feature[name] for name in STORED_DTYPES if name in feature}
        return "bytes" in fields and all(_is_stored(name, field) for name, field in fields.items())
    return isinstance(feature, Midi) or _is_bytes(feature)


def fields_beside_midi(feature: Any) -> list[str]:
    """Fields of a struct that are neither the file nor its path."""
    return sorted(set(feature) - set(STORED_DTYPES)) if isinstance(feature, dict) else []


def stored_midi(value: Any) -> dict[str, Any]:
    """The `{"bytes", "path"}` of a value of such a column; null bytes where there are none."""
    if not isinstance(value, dict):
        value = {"bytes": value}
    data = value.get("bytes")
    return {"bytes": None if data is None else bytes(data), "path": value.get("path")}


def _is_stored(name: str, feature: Any) -> bool:
    return getattr(feature, "dtype", None) in STORED_DTYPES[name] or (name == "bytes" and _is_bytes(feature))


def _is_bytes(feature: Any) -> bool:
    if isinstance(feature, (List, LargeList)):
        return feature.feature == Value("uint8")
    dtype = feature.dtype if isinstance(feature, Value) else ""
    return dtype in BYTES_DTYPES or dtype.startswith("fixed_size_binary")


def _begins_as_midi(rows: Dataset | IterableDataset, column: str) -> bool:
    first = itertools.islice(rows.select_columns([column]), LOOKED_AT)
    data = (stored_midi(row[column])["bytes"] for row in first)
    return next((each[:4] in STARTS for each in data if each), False)
