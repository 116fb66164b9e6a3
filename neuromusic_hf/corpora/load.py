"""`load_corpus`: any corpus as train, validation and test."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
from datasets import Dataset, DatasetDict, IterableDataset, IterableDatasetDict, concatenate_datasets
from datasets.fingerprint import Hasher

from ..borders.datasets import fingerprint_of
from ..music import SanityLimits
from ..music.midi_feature import Midi
from ..ranges import PROCESSES, check_ranges
from .builder import HELPER_FEATURES, IGNORED, ROWS_SPLIT, MidiCorpusBuilder
from .embedded import BachCorpus, FolkCorpus
from .folder import FolderCorpus
from .lamd import LamdCorpus
from .maestro import MaestroCorpus
from .names import split_names
from .quarantine import QuarantineReport, merge_reports, report_of
from .saved import is_saved, saved_rows
from .sources import is_archive, is_midi_name
from .splits import DEFAULT_SPLIT_SHARES, SPLIT_NAMES, assign_split, check_not_empty, check_shares
from .walking import walk

logger = logging.getLogger(__name__)

CORPORA: dict[str, type[MidiCorpusBuilder]] = {
    "bach": BachCorpus,
    "folk": FolkCorpus,
    "maestro": MaestroCorpus,
    "lamd": LamdCorpus,
}


@dataclass(frozen=True)
class _How:
    """How corpora are opened: arguments of [`load_corpus`] that hold for all of them."""

    data_dir: str | Path | None
    limits: SanityLimits | None
    cache_dir: str | None
    num_proc: int | None
    streaming: bool
    builder_kwargs: dict[str, Any]


@dataclass(frozen=True)
class _Rows:
    """All rows of a corpus, accepted and refused, and how to split them."""

    name: str
    rows: Dataset | IterableDataset
    shares: tuple[float, float, float]
    carved: tuple[str, ...] = ()
    unread: int = 0


def load_corpus(
    name_or_path: str | Path | type[MidiCorpusBuilder] | Sequence[str | Path | type[MidiCorpusBuilder]],
    data_dir: str | Path | None = None,
    *,
    split_shares: Sequence[float] | None = None,
    limits: SanityLimits | None = None,
    cache_dir: str | Path | None = None,
    num_proc: int | None = None,
    streaming: bool = False,
    quarantine_path: str | Path | None = None,
    **builder_kwargs: Any,
) -> DatasetDict | IterableDatasetDict:
    """
    Load a corpus of MIDI files as train, validation and test.

    A row has `midi` (a [`Midi`]: decodes to a `symusic.Score`), `duration` (seconds), `num_notes`, `instruments`
    (General MIDI names, `"Drums"`), `content_hash`, and the columns of the corpus (MAESTRO: `composer`, `title`,
    `year`). Files are read and parsed once; later calls answer from the cache of `datasets`, until the source, the
    limits or the builder's code change. Files that were refused, and those in which something was mended, are
    counted in the log and named in the quarantine report, which is also the attribute `quarantine` (a
    [`QuarantineReport`]) of what is returned.

    Args:
        name_or_path (`str`, `Path`, builder class, or a list of these):
            `"bach"`, `"folk"`, `"maestro"`, `"lamd"`; a folder, zip or tar of MIDI files; a Parquet file, folder of
            Parquet files, `save_to_disk` folder or Hub dataset id with a MIDI column; a subclass of
            [`MidiCorpusBuilder`]; or several of them, as a list or joined with `+` (`"bach+folk"`). A path that exists
            may have a `+` in its name, see [`split_names`].
        data_dir (`str` or `Path`, *optional*):
            Local copy of the data, for `"maestro"`, `"lamd"` and builder classes.
        split_shares (`Sequence[float]`, *optional*):
            Shares of train, validation and test where the corpus has no official splits. Defaults to 0.8 / 0.1 / 0.1
            (`"lamd"`: 0.6 / 0.2 / 0.2).
        limits ([`SanityLimits`], *optional*):
            What a file may be; `SanityLimits(mend=False)` refuses what is mended otherwise.
        cache_dir (`str` or `Path`, *optional*):
            Defaults to the cache of `datasets`.
        num_proc (`int`, *optional*):
            Processes that read and parse.
        streaming (`bool`, *optional*, defaults to `False`):
            Read the files anew in each pass and cache nothing. Each split reads the whole source. Refused files are
            logged one by one in passes over train; there is no report, and no check for empty splits.
        quarantine_path (`str` or `Path`, *optional*):
            Where the report (JSON) goes. Defaults to `<cache>/quarantine/<name>-<fingerprint>.json`.
        **builder_kwargs:
            More fields of the builder's configuration (`max_pieces=100` for a trial); for saved corpora `midi_column`,
            the name of the column of MIDI files where it is not plain which it is, or arguments of
            `datasets.load_dataset`.

    Returns:
        `DatasetDict` (`IterableDatasetDict` when streaming) with `train`, `validation` and `test`.

    Raises:
        ValueError: if there is no such corpus, no MIDI file in it, shares that do not add up to 1, shares for a corpus
            with official splits, `num_proc` below 1, or a split that would be empty.

    Example:
    ```py
    >>> from neuromusic_hf.corpora import load_corpus
    >>> corpus = load_corpus("my_midi_folder", split_shares=(0.9, 0.05, 0.05), num_proc=2)
    >>> corpus["train"][0]["midi"]
    Score(ttype=Tick, tpq=480, begin=0, end=23040, tracks=2, notes=218, ...)
    >>> corpus.quarantine.refused
    {'not_midi': 3, 'no_notes': 1}
    ```
    """
    check_ranges({"num_proc": num_proc}, {"num_proc": PROCESSES})
    names = _names(name_or_path)
    shares = None if split_shares is None else check_shares(split_shares)
    if len(names) > 1:  # one cut for all, or the same music could fall on two sides
        shares = shares or DEFAULT_SPLIT_SHARES
    cache_dir = None if cache_dir is None else os.path.expanduser(cache_dir)
    how = _How(data_dir, limits, cache_dir, num_proc, streaming, builder_kwargs)
    found = [_resolve(name, data_dir)[0] for name in names]
    if split_shares is not None and all(builder is not None and builder.OFFICIAL_SPLITS for builder in found):
        raise ValueError(f"'{name_or_path}' has official splits, which split_shares do not change: leave them out.")
    opened = [_open(name, how, shares) for name in names]
    if streaming:
        return _stream(opened)
    parts = [_split(part) for part in opened]
    # Joining forgets the feature types, so the cast comes last.
    joined = {name: concatenate_datasets([part[name] for part in parts]) for name in SPLIT_NAMES}
    corpus = DatasetDict(joined).cast_column("midi", Midi())
    report = merge_reports([_report(part) for part in opened])
    fingerprint = Hasher.hash([fingerprint_of(part.rows) for part in opened])
    path = quarantine_path and os.path.expanduser(quarantine_path)
    path = path or _default_report_path(report.corpus, fingerprint, cache_dir)
    saved = _save_report(report, path, asked_for=quarantine_path is not None)
    level = logging.WARNING if report.refused or report.mended else logging.INFO
    logger.log(level, "%s. Report: %s", report.summary, saved)
    check_not_empty({name: len(rows) for name, rows in corpus.items()}, report.corpus)
    corpus.quarantine = report
    return corpus


def _names(name_or_path: Any) -> list:
    if isinstance(name_or_path, list | tuple):
        names = list(name_or_path)
    elif isinstance(name_or_path, str):
        names = split_names(name_or_path)
    else:
        names = [name_or_path]
    if not names or any(name in ("", None) for name in names):
        raise ValueError(f"Name at least one corpus, got {name_or_path!r}. {_choices()}")
    if len(set(map(str, names))) < len(names):
        raise ValueError(f"A corpus is named twice in {name_or_path!r}.")
    return names


def _open(name: Any, how: _How, shares: tuple[float, float, float] | None) -> _Rows:
    builder_class, place = _resolve(name, how.data_dir)
    if builder_class is None:
        rows, carved = saved_rows(place, how.limits, how.cache_dir, how.num_proc, how.streaming, **how.builder_kwargs)
        return _Rows(str(name), rows, shares or DEFAULT_SPLIT_SHARES, tuple(carved))
    label = name.__name__ if isinstance(name, type) else str(name)
    builder = builder_class(how.cache_dir, data_dir=place, limits=how.limits, **how.builder_kwargs)
    if how.streaming:
        rows = builder.as_streaming_dataset(split=ROWS_SPLIT)
    else:
        builder.download_and_prepare(num_proc=how.num_proc)
        rows = builder.as_dataset(split=ROWS_SPLIT)
    shares = shares or check_shares(builder.SPLIT_SHARES)
    return _Rows(label, rows, shares, unread=0 if how.streaming else builder.count_unread())


def _resolve(name: Any, data_dir: str | Path | None) -> tuple[type[MidiCorpusBuilder] | None, str | None]:
    """Find the builder class and its `data_dir`; no class means a saved corpus, at that path or Hub id."""
    data_dir = None if data_dir is None else os.path.abspath(os.path.expanduser(data_dir))
    if isinstance(name, type) and issubclass(name, MidiCorpusBuilder):
        return name, data_dir
    if isinstance(name, str) and name in CORPORA:
        return CORPORA[name], data_dir
    if not isinstance(name, str | Path):
        raise ValueError(f"{name!r} is no corpus. {_choices()}")
    if data_dir is not None:
        raise ValueError(f"data_dir goes with a named corpus or a builder class; '{name}' is read from its own path.")
    path = os.path.abspath(os.path.expanduser(name))
    if (is_archive(path) and not is_saved(path)) or (os.path.isdir(path) and (_has_midi(path) or not is_saved(path))):
        return FolderCorpus, path
    if is_saved(path):
        return None, path
    if not os.path.exists(path) and _is_hub_id(str(name)):
        return None, str(name)
    problem = "is neither a zip, a tar nor a Parquet file" if os.path.exists(path) else "is no corpus"
    raise ValueError(f"'{name}' {problem}. {_choices()}")


def _choices() -> str:
    return (
        f"Choose one of {', '.join(CORPORA)}, the path of a folder, zip, tar or Parquet file, a Hub dataset id "
        "(owner/name), or a subclass of MidiCorpusBuilder."
    )


def _is_hub_id(name: str) -> bool:
    return name.count("/") == 1 and not name.startswith((".", "/", "~")) and not name.endswith("/")


def _has_midi(folder: str) -> bool:
    return any(is_midi_name(file) for file, _ in walk(folder))


def _split(part: _Rows) -> dict[str, Dataset]:
    """Select the accepted rows of each split. Only the small columns are read for it."""
    columns = part.rows.select_columns(["content_hash", *HELPER_FEATURES]).with_format("arrow")[:]
    indices: dict[str, list[int]] = {name: [] for name in SPLIT_NAMES}
    rows = zip(
        columns["content_hash"].to_pylist(),
        columns["official_split"].to_pylist(),
        columns["refused_reason"].to_pylist(),
        strict=True,
    )
    for index, (content_hash, official, reason) in enumerate(rows):
        if reason is None:
            indices[assign_split(content_hash, official, part.shares, part.carved)].append(index)
    pieces = part.rows.remove_columns(list(HELPER_FEATURES))
    return {name: pieces.select(found) for name, found in indices.items()}


def _report(part: _Rows) -> QuarantineReport:
    columns = ["midi", "refused_reason", "refused_detail", "mended"]
    rows = part.rows.data.table.select(columns)
    return dataclasses.replace(report_of(part.name, rows), unread=part.unread)


def _default_report_path(corpus: str, fingerprint: str, cache_dir: str | None) -> Path:
    slug = "".join(letter if letter.isalnum() else "-" for letter in corpus)[-60:].strip("-")
    return Path(cache_dir or datasets.config.HF_DATASETS_CACHE) / "quarantine" / f"{slug}-{fingerprint}.json"


def _save_report(report: QuarantineReport, path: str | Path, asked_for: bool) -> str | Path:
    """Say where the report is. A place nobody asked for may be read-only: the corpus holds its report."""
    try:
        return report.save(path)
    except OSError as error:
        if asked_for:
            raise OSError(f"quarantine_path: the report cannot be written to '{path}': {error}") from error
        return f"not written ({error}); it is the attribute `quarantine` of the corpus"


def _stream(opened: list[_Rows]) -> IterableDatasetDict:
    splits = {}
    for name in SPLIT_NAMES:
        parts = [
            part.rows.filter(
                _belongs, fn_kwargs={"split": name, "part": part.name, "shares": part.shares, "carved": part.carved}
            ).remove_columns(list(HELPER_FEATURES))
            for part in opened
        ]
        splits[name] = concatenate_datasets(parts).cast_column("midi", Midi())
    return IterableDatasetDict(splits)


def _belongs(row: dict, split: str, part: str, shares: tuple[float, float, float], carved: tuple[str, ...]) -> bool:
    if row["refused_reason"] is None:
        if row["mended"] and split == SPLIT_NAMES[0]:
            details = "; ".join(f"{mend['kind']}: {mend['detail']}" for mend in row["mended"])
            logger.warning("Corpus '%s': mended %s (%s)", part, row["midi"]["path"], details)
        return assign_split(row["content_hash"], row["official_split"], shares, carved) == split
    if split == SPLIT_NAMES[0] and row["refused_reason"] != IGNORED:
        logger.warning(
            "Corpus '%s': refused %s (%s: %s)", part, row["midi"]["path"], row["refused_reason"], row["refused_detail"]
        )
    return False
