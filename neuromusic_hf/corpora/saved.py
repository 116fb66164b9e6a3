"""Corpora that are datasets already: Parquet files, `save_to_disk` folders, datasets on the Hub."""

from __future__ import annotations

import glob
import logging
import os
from fnmatch import fnmatch
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

from ..borders.datasets import fingerprint_of, set_fingerprint
from ..music import RefusedFile, SanityLimits
from ..music.midi_feature import NO_BYTES, PLAIN_MIDI
from .builder import FACT_FEATURES, HELPER_FEATURES, MidiCorpusBuilder, inspect_row
from .cache import INFO_NAME, WRONG_CONTENT, cached_map, damage_in, damage_of_build, writing_cache
from .midi_column import fields_beside_midi, find_midi_column, stored_midi
from .sources import source_fingerprint
from .splits import SPLIT_NAMES

logger = logging.getLogger(__name__)

SAVED_FILES = ("dataset_dict.json", "dataset_info.json", "state.json", "data*.arrow")
"""What save_to_disk writes; caches may lie beside it."""
OUR_FEATURES = {"midi": PLAIN_MIDI, **FACT_FEATURES}
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
    midi_column: str | None = None,
    **load_kwargs: Any,
) -> tuple[Dataset | IterableDataset, list[str]]:
    """
    Opens a saved corpus in the form the builders make: one row per file, with facts, split and refusal.

    Rows come from anyone: nothing is opened but the bytes in them. Those that lack our columns, or in which one is not
    as we write it, are inspected; the others are inspected only if `limits` are given. Audio, images and the like come
    as they are stored, and not decoded.

    Args:
        name (`str`): local path or Hub dataset id.
        limits ([`SanityLimits`], *optional*): what a file may be.
        cache_dir (`str`, *optional*): cache of `datasets`.
        num_proc (`int`, *optional*): processes for the inspection.
        streaming (`bool`): whether rows come as an `IterableDataset`.
        midi_column (`str`, *optional*): the column of MIDI files, see [`find_midi_column`].
        load_kwargs: passed to `datasets.load_dataset`, such as `revision`.

    Returns:
        The rows, and the splits that the corpus lacks although it has others (to be carved out of train).

    Raises:
        `ValueError`: there is no such dataset, no MIDI column or more than one, or a split of another name.
    """
    native = _open(name, cache_dir, streaming, load_kwargs)
    official = {split: _official_name(split, name) if len(native) > 1 else None for split in native}
    parts = []
    for split, rows in native.items():
        rows = _rename_midi(rows, name, midi_column)
        complete = _with_helpers if limits is None and _is_inspected(rows) else _with_facts
        parts.append(complete(rows, official[split], limits or SanityLimits(), num_proc))
    missing = [split for split in SPLIT_NAMES if split not in official.values()] if len(native) > 1 else []
    return concatenate_datasets(parts), missing


def _is_save_to_disk(path: Path) -> bool:
    return (path / "dataset_dict.json").is_file() or (path / "state.json").is_file()


def _open(
    name: str, cache_dir: str | None, streaming: bool, load_kwargs: dict
) -> dict[str, Dataset | IterableDataset]:
    """Files of this machine are known as those of MIDI are: `datasets` looks at their dates alone."""
    if not os.path.exists(name):
        return _from_hub(name, cache_dir, streaming, load_kwargs)
    on_disk = _is_save_to_disk(Path(name))
    identity = source_fingerprint(name, _is_written_by_save_to_disk if on_disk else lambda file: True)
    if on_disk:
        splits = _from_disk(name, streaming, load_kwargs)
    else:
        cache = Path(cache_dir or datasets.config.HF_DATASETS_CACHE, "neuromusic_saved", identity)
        splits = _from_parquet(name, str(cache), streaming, load_kwargs)
    for rows in splits.values():
        if isinstance(rows, Dataset):
            set_fingerprint(rows, Hasher.hash([fingerprint_of(rows), identity]))
    return splits


def _is_written_by_save_to_disk(file: str) -> bool:
    return any(fnmatch(os.path.basename(file), pattern) for pattern in SAVED_FILES)


def _from_disk(name: str, streaming: bool, load_kwargs: dict) -> dict[str, Dataset | IterableDataset]:
    if load_kwargs:
        raise ValueError(f"'{name}' comes from save_to_disk and is read whole: leave out {', '.join(load_kwargs)}.")
    loaded = _load_from_disk(Path(name))
    loaded = loaded if isinstance(loaded, DatasetDict) else DatasetDict(train=loaded)
    return {split: rows.to_iterable_dataset() for split, rows in loaded.items()} if streaming else dict(loaded)


def _from_parquet(name: str, cache: str, streaming: bool, load_kwargs: dict) -> dict[str, Dataset | IterableDataset]:
    for path in [Path(name)] if os.path.isfile(name) else Path(name).rglob("*.parquet"):
        _check_parquet(path)
    plain = glob.escape(name)  # datasets takes paths for patterns
    if os.path.isdir(name) and plain != name:
        raise ValueError(f"'{name}': datasets reads [, ], * and ? in the path of a folder as a pattern: rename it.")
    where = {"path": "parquet", "data_files": plain} if os.path.isfile(name) else {"path": name}
    return _load_dataset(name, cache, streaming=streaming, **where, **load_kwargs)


def _from_hub(
    name: str, cache_dir: str | None, streaming: bool, load_kwargs: dict
) -> dict[str, Dataset | IterableDataset]:
    try:
        return _load_dataset(name, cache_dir, streaming=streaming, path=name, **load_kwargs)
    except (DatasetNotFoundError, ConnectionError) as error:
        raise ValueError(
            f"'{name}' is no local path and cannot be loaded from the Hub: {error} Check the spelling; a private "
            "dataset needs `hf auth login`."
        ) from error


def _load_dataset(name: str, cache_dir: str | None, **load_kwargs: Any) -> dict[str, Dataset | IterableDataset]:
    """
    Loads a dataset as `datasets` does, and tells what is wrong where it cannot.

    Raises:
        [`CacheError`]: the cache cannot be written.
        `ValueError`: the dataset cannot be read, or what is there already is damaged.
    """
    cache, damage = Path(cache_dir or datasets.config.HF_DATASETS_CACHE), None
    try:
        with writing_cache(cache):
            loaded = dict(datasets.load_dataset(cache_dir=cache_dir, **load_kwargs))
        folders = {Path(file["filename"]).parent for rows in loaded.values() for file in _cache_files(rows)}
        damage = next(filter(None, map(damage_of_build, folders)), None)
    except DatasetGenerationError as error:
        raise ValueError(f"The dataset '{name}' cannot be read: {error.__cause__ or error}") from error
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
    Loads what `save_to_disk` wrote, after a look at its files.

    Raises:
        `ValueError`: a file of the folder is damaged or missing.
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
    Refuses a file that is cut off.

    Raises:
        `ValueError`: the file does not end as Parquet does.
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


def _rename_midi(rows: Dataset | IterableDataset, name: str, wanted: str | None) -> Dataset | IterableDataset:
    """Calls the MIDI column `midi`, and has it and all others undecoded, as they are stored."""
    rows = _undecoded(rows) if rows.features else rows
    column = find_midi_column(rows, name, wanted)
    if more := fields_beside_midi(rows.features[column]):
        logger.warning("'%s': of column '%s', bytes and path are kept, and not %s.", name, column, ", ".join(more))
    if column != "midi" and "midi" in rows.features:
        rows = rows.rename_column("midi", "midi_of_source")
    return rows if column == "midi" else rows.rename_column(column, "midi")


def _undecoded(rows: Dataset | IterableDataset) -> Dataset | IterableDataset:
    """To decode an image or a sound may open the path in its row."""
    for column, feature in rows.features.items():
        if require_decoding(feature):
            stored = rows.features.arrow_schema.field(column).type
            rows = rows.cast_column(column, generate_from_arrow_type(stored))
    return rows


def _is_inspected(rows: Dataset | IterableDataset) -> bool:
    """Whether our columns are there; of a stream, each row is looked at in its turn."""
    typed = all(rows.features.get(name) == feature for name, feature in OUR_FEATURES.items())
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
    fingerprint = Hasher.hash([fingerprint_of(rows), MidiCorpusBuilder._code_hash(), official, limits])
    options = _map_options(rows, official, limits)
    return cached_map(rows, _inspect, fingerprint, num_proc=num_proc, desc="Inspecting MIDI", **options)


def _map_options(rows: Dataset | IterableDataset, official: str | None, limits: SanityLimits) -> dict[str, Any]:
    return {
        "fn_kwargs": {"official": official, "limits": limits},
        "features": Features({**rows.features, **OUR_FEATURES, **HELPER_FEATURES}),
        "with_indices": True,
    }


def _inspect(row: dict, index: int, official: str | None, limits: SanityLimits) -> dict[str, Any]:
    midi = stored_midi(row["midi"])
    data = RefusedFile("missing", NO_BYTES) if midi["bytes"] is None else midi["bytes"]
    return {**inspect_row(midi["path"] or f"row {index}", data, limits), "official_split": official}


def _inspect_unless_done(row: dict, index: int, official: str | None, limits: SanityLimits) -> dict[str, Any]:
    known = {name: row[name] for name in OUR_FEATURES}
    if _as_we_write(pa.Table.from_pylist([known], Features(OUR_FEATURES).arrow_schema)):
        return {**dict.fromkeys(HELPER_FEATURES), "official_split": official}
    return _inspect(row, index, official, limits)
