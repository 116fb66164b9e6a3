"""Corpora that are datasets already: Parquet files, `save_to_disk` folders, datasets on the Hub."""

from __future__ import annotations

import json
import logging
import os
import re
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset, DatasetDict, Features, IterableDataset, concatenate_datasets
from datasets.exceptions import DatasetGenerationError
from datasets.features.features import generate_from_arrow_type, require_decoding
from datasets.fingerprint import Hasher

from ..borders.datasets import fingerprint_of, set_fingerprint
from ..hub.bounds import check_inside, read_object
from ..music import RefusedFile, SanityLimits
from ..music.midi_feature import NO_BYTES, PLAIN_MIDI
from .builder import FACT_FEATURES, HELPER_FEATURES, MidiCorpusBuilder, inspect_row
from .cache import WRONG_CONTENT, cached_map, damage_in
from .midi_column import fields_beside_midi, find_midi_column, stored_midi
from .parquet import ParquetFiles
from .repository import PREPARING, Repository, open_folder, shown
from .sources import source_fingerprint
from .splits import SPLIT_ALIASES, SPLIT_NAMES
from .stretches import FEWEST_ROWS, MOST_STRETCHES, stretches_of

logger = logging.getLogger(__name__)

SAVED_FILES = ("dataset_dict.json", "dataset_info.json", "state.json", "data*.arrow")
"""What save_to_disk writes; caches may lie beside it."""
MOST_FILE_BYTES = SanityLimits().max_file_bytes
PARQUET = "neuromusic_saved"
"""What `datasets` calls Parquet files in its cache."""
OUR_FEATURES = {"midi": PLAIN_MIDI, **FACT_FEATURES}


@dataclass(frozen=True)
class SavedRows:
    """
    The rows of a saved corpus, in the form the builders make: one per file, with facts, split and refusal.

    Args:
        parts (`list[tuple]`): official split (`None` where the corpus is one whole) and rows of it.
        carved (`tuple[str, ...]`): the splits that it lacks although it has others, to be carved out of train.
        identity (`str`): changes when the content of its files may have changed.
        content (`str`): known by what the files say of themselves, wherever they lie; of a stream alone.
    """

    parts: list[tuple[str | None, Dataset | IterableDataset]]
    carved: tuple[str, ...]
    identity: str
    content: str = ""

    @property
    def rows(self) -> Dataset | IterableDataset:
        """All of them."""
        return concatenate_datasets([rows for _, rows in self.parts])


@dataclass(frozen=True)
class _Native:
    """The splits of a saved corpus as they are stored, by the names they have there."""

    splits: dict[str, Dataset | IterableDataset]
    identity: str
    content: str = ""


def is_saved(path: str | Path) -> bool:
    """
    Whether a local path is a Parquet file, a folder of Parquet files or a `save_to_disk` folder.

    So is one that is being prepared, which is refused when it is read.
    """
    path = Path(path)
    if path.is_file():
        return path.suffix.lower() == ".parquet"
    is_dataset = _is_save_to_disk(path) or (path / PREPARING).is_dir()
    return path.is_dir() and (is_dataset or next(path.rglob("*.parquet"), None) is not None)


def official_splits(name: str, place: Repository | None = None, config: str | None = None) -> set[str]:
    """
    The splits that a saved corpus says itself, none if it is one whole; arguments as of [`saved_rows`].

    Raises:
        `ValueError`: it cannot be read.
    """
    if place is None and _is_save_to_disk(Path(name)):
        path = Path(name) / "dataset_dict.json"
        native = read_object(path).get("splits") if path.is_file() else None
        native = native if isinstance(native, list) else []
    else:
        native = list((place or open_folder(name)).choose(config))
    return {SPLIT_ALIASES.get(str(split), str(split)) for split in native} if len(native) > 1 else set()


def card_metadata(path: str) -> dict[str, Any]:
    """
    What stands at the head of the card of Parquet files here.

    Raises:
        `ValueError`: it cannot be read.
    """
    return {} if _is_save_to_disk(Path(path)) else open_folder(path).metadata


def saved_rows(
    name: str,
    limits: SanityLimits | None,
    cache_dir: str | None,
    num_proc: int | None,
    streaming: bool,
    *,
    place: Repository | None = None,
    config: str | None = None,
    midi_column: str | None = None,
) -> SavedRows:
    """
    Opens a saved corpus.

    Rows come from anyone: nothing is opened but the bytes in them. Those that lack our columns, or in which one is not
    as we write it, are inspected; the others are inspected only if `limits` are given. Audio, images and the like come
    as they are stored, and not decoded.

    Args:
        name (`str`): local path or Hub dataset id.
        limits ([`SanityLimits`], *optional*): what a file may be.
        cache_dir (`str`, *optional*): cache of `datasets`.
        num_proc (`int`, *optional*): processes for the inspection.
        streaming (`bool`): whether rows come as an `IterableDataset`.
        place ([`Repository`], *optional*): the dataset on the Hub; `None` where `name` is a path.
        config (`str`, *optional*): its configuration.
        midi_column (`str`, *optional*): the column of MIDI files, see [`find_midi_column`].

    Raises:
        `ValueError`: there is no such dataset, no MIDI column or more than one, or a split of another name.
    """
    native = _open(name, place, config, cache_dir, streaming)
    is_parted = len(native.splits) > 1
    parts = []
    for split, rows in native.splits.items():
        official = _official_name(split, name) if is_parted else None
        rows = _rename_midi(rows, name, midi_column)
        complete = _with_helpers if limits is None and _is_inspected(rows) else _with_facts
        parts.append((official, complete(rows, official, limits or SanityLimits(), num_proc)))
    there = [official for official, _ in parts]
    missing = tuple(split for split in SPLIT_NAMES if split not in there) if is_parted else ()
    return SavedRows(parts, missing, native.identity, native.content)


def _is_save_to_disk(path: Path) -> bool:
    return (path / "dataset_dict.json").is_file() or (path / "state.json").is_file()


def _open(name: str, place: Repository | None, config: str | None, cache_dir: str | None, streaming: bool) -> _Native:
    """Files of this machine are known as those of MIDI are: `datasets` looks at their dates alone."""
    if place is not None:
        return _from_parquet(name, place, config, place.commit or "", cache_dir, streaming)
    if not _is_save_to_disk(Path(name)):
        return _from_parquet(name, open_folder(name), config, source_fingerprint(name), cache_dir, streaming)
    if config is not None:
        raise ValueError(f"'{name}' comes from save_to_disk and has no configurations: leave out name='{config}'.")
    return _from_disk(name, streaming)


def _is_written_by_save_to_disk(file: str) -> bool:
    return any(fnmatch(os.path.basename(file), pattern) for pattern in SAVED_FILES)


def _from_disk(name: str, streaming: bool) -> _Native:
    identity = source_fingerprint(name, _is_written_by_save_to_disk)
    for file in Path(name).rglob("*"):
        if _is_written_by_save_to_disk(file.name):
            check_inside(file, name)
    loaded = _load_from_disk(Path(name))
    splits = dict(loaded) if isinstance(loaded, DatasetDict) else {"train": loaded}
    content = Hasher.hash([[split, fingerprint_of(rows), len(rows)] for split, rows in splits.items()])
    if streaming:
        counts = {split: max(1, min(len(rows) // FEWEST_ROWS, MOST_STRETCHES)) for split, rows in splits.items()}
        streams = {split: rows.to_iterable_dataset(counts[split]) for split, rows in splits.items()}
        return _Native(streams, identity, content)
    for rows in splits.values():
        set_fingerprint(rows, Hasher.hash([fingerprint_of(rows), identity]))
    return _Native(splits, identity, content)


def _from_parquet(
    name: str, place: Repository, config: str | None, identity: str, cache_dir: str | None, streaming: bool
) -> _Native:
    paths = place.places if streaming else place.fetch
    files = {split: paths(found) for split, found in place.choose(config).items()}
    try:
        if streaming:
            return _streamed_parquet(files, identity, cache_dir, place.token)
        builder = ParquetFiles(cache_dir, files=files, identity=identity, dataset_name=PARQUET, token=place.token)
        builder.download_and_prepare()
        return _Native(dict(builder.as_dataset()), identity)
    except DatasetGenerationError as error:
        raise ValueError(f"The dataset '{name}' cannot be read: {error.__cause__ or error}") from error
    except (ValueError, pa.ArrowException) as error:
        raise ValueError(f"The dataset '{name}' cannot be read: {error}") from error


def _streamed_parquet(
    files: dict[str, list[str]], identity: str, cache_dir: str | None, token: str | bool | None
) -> _Native:
    """Nothing is downloaded but what is read, a stretch of a file at a time."""
    stretches = {split: stretches_of(found, token) for split, found in files.items()}
    builder = ParquetFiles(
        cache_dir,
        files={split: [each.file for each in found.items] for split, found in stretches.items()},
        groups={split: [each.groups for each in found.items] for split, found in stretches.items()},
        identity=identity,
        dataset_name=PARQUET,
        token=token,
    )
    content = Hasher.hash([[split, found.content] for split, found in stretches.items()])
    return _Native(dict(builder.as_streaming_dataset()), identity, content)


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
        _check_own_files(folder)
        loaded = datasets.load_from_disk(str(folder))
        for rows in loaded.values() if isinstance(loaded, DatasetDict) else [loaded]:
            rows.data.validate(full=True)  # Arrow files are used as they lie in memory
        return loaded
    except WRONG_CONTENT as error:
        problem = error or type(error).__name__
        raise ValueError(f"'{folder}' is not whole, copy or save_to_disk it again: {problem}") from error


def _check_own_files(folder: Path) -> None:
    """
    Refuses what `save_to_disk` does not write: names of files and of splits that lead out of the folder.

    Raises:
        `ValueError`: with the file that names one.
    """
    states = list(folder.rglob("state.json"))
    named = {path: [file["filename"] for file in json.loads(path.read_text())["_data_files"]] for path in states}
    if (splits := folder / "dataset_dict.json").is_file():
        named[splits] = json.loads(splits.read_text())["splits"]
    for path, names in named.items():
        for name in names:
            if not re.fullmatch(r"[\w.-]+", name) or name in (".", ".."):
                raise ValueError(f"'{path}' names {shown(name)}, which is no name of a file or folder of its own")


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
    """Whether all rows hold files that may be MIDI, and facts that may be so."""
    data = pc.struct_field(rows["midi"], "bytes")
    if any(column.null_count for column in (data, *(rows[name] for name in FACT_FEATURES))):
        return False
    possible = [
        pc.match_substring_regex(rows["content_hash"], "^[0-9a-f]{32}$"),
        pc.greater(rows["num_notes"], 0),
        pc.and_(pc.is_finite(rows["duration"]), pc.greater_equal(rows["duration"], 0)),
        pc.less_equal(pc.binary_length(data), MOST_FILE_BYTES),
    ]
    return all(pc.all(each).as_py() is not False for each in possible)


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
