"""Corpora that are datasets already: Parquet files, `save_to_disk` folders, datasets on the Hub."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from datasets import Dataset, DatasetDict, Features, IterableDataset, concatenate_datasets
from datasets.exceptions import DatasetGenerationError, DatasetNotFoundError
from datasets.features.features import generate_from_arrow_type, require_decoding
from datasets.fingerprint import Hasher

from .builder import FACT_FEATURES, HELPER_FEATURES, MidiCorpusBuilder, inspect_row
from .cache import INFO_NAME, WRONG_CONTENT, cached_map, damage_in, damage_of_build, writing_cache
from .midi_feature import NO_BYTES, PLAIN_MIDI, Midi
from .sanity import RefusedFile, SanityLimits
from .splits import SPLIT_NAMES

SAVED_FILES = ("dataset_dict.json", "dataset_info.json", "state.json", "data*.arrow")
"""What save_to_disk writes; caches may lie beside it."""
STORED_DTYPES = {
    "bytes": ("binary", "large_binary", "binary_view", "null"),
    "path": ("string", "large_string", "string_view", "null"),
}
"""Of a MIDI column; a field that is null in all rows has the type null."""
SPLIT_ALIASES = {"val": "validation", "valid": "validation", "dev": "validation", "eval": "validation"}


def is_saved(path: str | Path) -> bool:
    """Whether a local path is a Parquet file, a folder of Parquet files or a `save_to_disk` folder."""
    path = Path(path)
    if path.is_file():
        return path.suffix.lower() == ".parquet"
    return path.is_dir() and (_is_save_to_disk(path) or next(path.rglob("*.parquet"), None) is not None)


def saved_rows(
    name: str,
    limits: SanityLimits | None,
    cache_dir: str | None,
    num_proc: int | None,
    streaming: bool,
    **load_kwargs: Any,
) -> tuple[Dataset | IterableDataset, list[str]]:
    """Open a saved corpus in the form the builders make: one row per file, with facts, split and refusal.

    Rows come from anyone: nothing is opened but the bytes in them. Those that lack our columns, or in which one is not
    as we write it, are inspected; the others are inspected only if `limits` are given. Audio, images and the like come
    as they are stored, and not decoded.

    Args:
        name (`str`): local path or Hub dataset id.
        limits ([`SanityLimits`], *optional*): what a file may be.
        cache_dir (`str`, *optional*): cache of `datasets`.
        num_proc (`int`, *optional*): processes for the inspection.
        streaming (`bool`): whether rows come as an `IterableDataset`.
        **load_kwargs: passed to `datasets.load_dataset`, such as `revision`.

    Returns:
        The rows, and the splits that the corpus lacks although it has others (to be carved out of train).

    Raises:
        ValueError: if there is no such dataset, no MIDI column or more than one, or a split of another name.
    """
    native = _open(name, cache_dir, streaming, load_kwargs)
    official = {split: _official_name(split, name) if len(native) > 1 else None for split in native}
    parts = []
    for split, rows in native.items():
        rows = _rename_midi(rows, name)
        complete = _with_helpers if limits is None and _is_inspected(rows) else _with_facts
        parts.append(complete(rows, official[split], limits or SanityLimits(), num_proc))
    missing = [split for split in SPLIT_NAMES if split not in official.values()] if len(native) > 1 else []
    return concatenate_datasets(parts), missing


def _is_save_to_disk(path: Path) -> bool:
    return (path / "dataset_dict.json").is_file() or (path / "state.json").is_file()


def _open(
    name: str, cache_dir: str | None, streaming: bool, load_kwargs: dict
) -> dict[str, Dataset | IterableDataset]:
    if os.path.isdir(name) and _is_save_to_disk(Path(name)):
        loaded = _load_from_disk(Path(name))
        loaded = loaded if isinstance(loaded, DatasetDict) else DatasetDict(train=loaded)
        return {split: rows.to_iterable_dataset() for split, rows in loaded.items()} if streaming else dict(loaded)
    for path in [Path(name)] if os.path.isfile(name) else Path(name).rglob("*.parquet"):
        _check_parquet(path)
    where = {"path": "parquet", "data_files": name} if os.path.isfile(name) else {"path": name}
    try:
        return _load_dataset(cache_dir, streaming=streaming, **where, **load_kwargs)
    except (DatasetNotFoundError, ConnectionError) as error:
        raise ValueError(
            f"'{name}' is no local path and cannot be loaded from the Hub: {error} Check the spelling; a private "
            "dataset needs `hf auth login`."
        ) from error
    except DatasetGenerationError as error:
        raise ValueError(f"The dataset '{name}' cannot be read: {error.__cause__ or error}") from error


def _load_dataset(cache_dir: str | None, **load_kwargs: Any) -> dict[str, Dataset | IterableDataset]:
    """
    Raises:
        CacheError: if the cache cannot be written.
        ValueError: if what is there already is damaged.
    """
    cache, damage = Path(cache_dir or datasets.config.HF_DATASETS_CACHE), None
    try:
        with writing_cache(cache):
            loaded = dict(datasets.load_dataset(cache_dir=cache_dir, **load_kwargs))
        folders = {Path(file["filename"]).parent for rows in loaded.values() for file in _cache_files(rows)}
        damage = next(filter(None, map(damage_of_build, folders)), None)
    except WRONG_CONTENT:
        damage = next(filter(None, (damage_of_build(path.parent) for path in cache.rglob(INFO_NAME))), None)
        if damage is None:
            raise
    if damage is not None:
        raise ValueError(f"The cache of datasets is damaged: {damage}. Delete its folder; it is made anew.")
    return loaded


def _cache_files(rows: Dataset | IterableDataset) -> list[dict]:
    return rows.cache_files if isinstance(rows, Dataset) else []


def _load_from_disk(folder: Path) -> Dataset | DatasetDict:
    """
    Raises:
        ValueError: if a file of the folder is damaged or missing.
    """
    try:
        files = [path for name in SAVED_FILES for path in folder.rglob(name)]
        if (damage := damage_in(files)) is not None:
            raise ValueError(damage)
        return datasets.load_from_disk(str(folder))
    except WRONG_CONTENT as error:
        problem = error or type(error).__name__
        raise ValueError(f"'{folder}' is not whole, copy or save_to_disk it again: {problem}") from error


def _check_parquet(path: Path) -> None:
    """
    Raises:
        ValueError: if the file does not end as Parquet does.
    """
    try:
        pq.read_metadata(path)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"'{path}' is not whole Parquet, copy or save it again: {error}") from error


def _official_name(split: str, name: str) -> str:
    split = SPLIT_ALIASES.get(split, split)
    if split not in SPLIT_NAMES:
        raise ValueError(
            f"The dataset '{name}' has a split '{split}'; only {', '.join(SPLIT_NAMES)} are understood. Save those "
            "splits under these names, or all rows as one split."
        )
    return split


def _rename_midi(rows: Dataset | IterableDataset, name: str) -> Dataset | IterableDataset:
    """Call the MIDI column `midi`, and have it and all others undecoded, as they are stored."""
    features = rows.features or {}  # a stream may not know them
    found = [column for column, feature in features.items() if _is_midi(feature)]
    if "midi" in found:
        found = ["midi"]
    if len(found) != 1:
        raise ValueError(
            f"The dataset '{name}' needs one column of MIDI files (a struct of bytes and path, best named 'midi'), "
            f"found {found or 'none'} among its columns {list(features)}."
        )
    rows = _undecoded(rows)
    rows = rows if found == ["midi"] else rows.rename_column(found[0], "midi")
    return rows if rows.features["midi"] == PLAIN_MIDI else rows.cast_column("midi", PLAIN_MIDI)


def _undecoded(rows: Dataset | IterableDataset) -> Dataset | IterableDataset:
    """To decode an image or a sound may open the path in its row."""
    for column, feature in rows.features.items():
        if require_decoding(feature):
            stored = rows.features.arrow_schema.field(column).type
            rows = rows.cast_column(column, generate_from_arrow_type(stored))
    return rows


def _is_midi(feature: Any) -> bool:
    if not isinstance(feature, dict) or set(feature) != set(PLAIN_MIDI):
        return isinstance(feature, Midi)
    return all(getattr(feature[name], "dtype", None) in dtypes for name, dtypes in STORED_DTYPES.items())


def _is_inspected(rows: Dataset | IterableDataset) -> bool:
    """Whether our columns are there; of a stream, each row is looked at in its turn."""
    typed = all(rows.features.get(name) == feature for name, feature in FACT_FEATURES.items())
    return typed and (isinstance(rows, IterableDataset) or _as_we_write(rows.data.table))


def _as_we_write(rows: pa.Table) -> bool:
    """Whether all rows hold MIDI, and facts about it."""
    held = [pc.struct_field(rows["midi"], "bytes"), *(rows[name] for name in FACT_FEATURES)]
    hashed = pc.match_substring_regex(rows["content_hash"], "^[0-9a-f]{32}$")
    return not any(column.null_count for column in held) and pc.all(hashed).as_py() is not False


def _with_helpers(
    rows: Dataset | IterableDataset, official: str | None, limits: SanityLimits, num_proc: int | None
) -> Dataset | IterableDataset:
    if isinstance(rows, IterableDataset):
        return rows.map(_inspect_unless_done, **_map_options(rows, official, limits))
    helpers = {**dict.fromkeys(HELPER_FEATURES), "official_split": official}
    rows = rows.remove_columns([column for column in helpers if column in rows.column_names])
    for column, value in helpers.items():
        rows = rows.add_column(column, [value] * len(rows), feature=HELPER_FEATURES[column])
    return rows


def _with_facts(
    rows: Dataset | IterableDataset, official: str | None, limits: SanityLimits, num_proc: int | None
) -> Dataset | IterableDataset:
    if isinstance(rows, IterableDataset):
        return rows.map(_inspect, **_map_options(rows, official, limits))
    fingerprint = Hasher.hash([rows._fingerprint, MidiCorpusBuilder._code_hash(), official, limits])
    options = _map_options(rows, official, limits)
    return cached_map(rows, _inspect, fingerprint, num_proc=num_proc, desc="Inspecting MIDI", **options)


def _map_options(rows: Dataset | IterableDataset, official: str | None, limits: SanityLimits) -> dict[str, Any]:
    return {
        "fn_kwargs": {"official": official, "limits": limits},
        "features": Features({**rows.features, **FACT_FEATURES, **HELPER_FEATURES}),
        "with_indices": True,
    }


def _inspect(row: dict, index: int, official: str | None, limits: SanityLimits) -> dict[str, Any]:
    midi = row["midi"] or {"bytes": None, "path": None}
    data = RefusedFile("missing", NO_BYTES) if midi["bytes"] is None else midi["bytes"]
    return {**inspect_row(midi["path"] or f"row {index}", data, limits), "official_split": official}


def _inspect_unless_done(row: dict, index: int, official: str | None, limits: SanityLimits) -> dict[str, Any]:
    known = {name: row[name] for name in ("midi", *FACT_FEATURES)}
    if _as_we_write(pa.Table.from_pylist([known], Features({"midi": PLAIN_MIDI, **FACT_FEATURES}).arrow_schema)):
        return {**dict.fromkeys(HELPER_FEATURES), "official_split": official}
    return _inspect(row, index, official, limits)
