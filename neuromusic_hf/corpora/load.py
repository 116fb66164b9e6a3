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
from datasets import Dataset, DatasetDict, IterableDataset, concatenate_datasets
from datasets.fingerprint import Hasher

from ..borders.datasets import fingerprint_of
from ..music import SanityLimits
from ..music.midi_feature import Midi
from ..ranges import PROCESSES, check_ranges
from .builder import HELPER_FEATURES, ROWS_SPLIT
from .corpus import Corpus
from .earlier_report import both_reports, earlier_report
from .family_splits import family_splits, spooled
from .names import CorpusNames, FoundCorpus, find_corpora
from .provenance import Provenance, check_takes_splits, of_joined, provenance_of_found
from .quarantine import QuarantineReport, merge_reports, report_of
from .repository import open_hub
from .saved import SavedRows, saved_rows
from .splits import (
    FAMILIES,
    OFFICIAL,
    SPLIT_NAMES,
    SPLIT_VERSION,
    CorpusSplits,
    Member,
    assign_split,
    check_not_empty,
)
from .streamed import StreamedCorpus, StreamedPart
from .stretches import FEWEST_ROWS, MOST_OPENINGS

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Opening:
    """How corpora are opened: arguments of [`load_corpus`] that hold for all of them."""

    limits: SanityLimits | None
    cache_dir: str | None
    num_proc: int | None
    streaming: bool
    builder_kwargs: dict[str, Any]
    config: str | None
    revision: str | None
    token: str | bool | None
    splits: CorpusSplits


@dataclass(frozen=True)
class _Stream:
    """What [`StreamedCorpus`] knows of a corpus beside its rows: these by official split, and by what to know them."""

    parts: list[tuple[str | None, IterableDataset, int]]
    identity: str
    content: str


@dataclass(frozen=True)
class _OpenedCorpus:
    """All rows of a corpus, accepted and refused, where they come from, and how to split them."""

    provenance: Provenance
    name: str
    rows: Dataset | IterableDataset
    shares: tuple[float, float, float]
    carved: tuple[str, ...] = ()
    unread: int = 0
    earlier: QuarantineReport | None = None
    stream: _Stream | None = None

    def report(self, doubles: Sequence[int]) -> QuarantineReport:
        """What became of its files, the rows at `doubles` being left out."""
        columns = ["midi", "refused_reason", "refused_detail", "mended"]
        now = report_of(self.name, self.rows.data.table.select(columns), doubles)
        now = dataclasses.replace(now, unread=self.unread)
        return now if self.earlier is None else both_reports(self.name, self.earlier, now)


def load_corpus(
    name_or_path: CorpusNames,
    data_dir: str | Path | None = None,
    *,
    split_shares: Sequence[float] | None = None,
    split_version: str | None = None,
    limits: SanityLimits | None = None,
    cache_dir: str | Path | None = None,
    num_proc: int | None = None,
    streaming: bool = False,
    quarantine_path: str | Path | None = None,
    name: str | None = None,
    revision: str | None = None,
    token: str | bool | None = None,
    **builder_kwargs: Any,
) -> Corpus | StreamedCorpus:
    """
    Loads a corpus of MIDI files as train, validation and test.

    A row has `midi` (a [`Midi`]: decodes to a `symusic.Score`), `duration` (seconds), `num_notes`, `instruments`
    (General MIDI names, `"Drums"`), `content_hash`, and the columns of the corpus (MAESTRO: `composer`, `title`,
    `year`). Files are read and parsed once; later calls answer from the cache of `datasets`, until the source, the
    limits or the builder's code change. What was refused or mended is counted in the log, and named in the quarantine
    report, which is also the attribute `quarantine` of the [`Corpus`] that is returned. Of a corpus that was prepared
    ([`prepare_corpus`]) it tells what became of files then, too.

    Args:
        name_or_path (`str`, `Path`, [`MidiCorpusBuilder`] class, or a list of these):
            `"bach"`, `"folk"`, `"monteverdi"`, `"maestro"`, `"lamd"`; a folder, zip or tar of MIDI files; a Parquet
            file, folder of Parquet files, `save_to_disk` folder or Hub dataset id with a MIDI column; a subclass of
            [`MidiCorpusBuilder`] or its import path (`"my_package.my_module.MyCorpus"`); or several of them, as a list
            or joined with `+` (`"bach+folk"`). A path that exists is read whatever its name looks like, be it an
            import path or several names, see [`split_names`].
        data_dir (`str` or `Path`, *optional*):
            Local copy of the data, for `"maestro"`, `"lamd"`, builder classes and import paths.
        split_shares (sequence of `float`, *optional*):
            Shares of train, validation and test where the corpus has no official splits. Defaults to 0.8 / 0.1 / 0.1
            (`"lamd"`: 0.6 / 0.2 / 0.2).
        split_version (`str`, *optional*):
            How pieces without official splits are split. `"families-2"`, the newest and the default, has all pieces
            that share their melody, in whatever key and tempo, on one side; families are found over all corpora that
            are loaded together. `"families-1"` finds fewer of them, as earlier versions did; `"notes-hash-1"` has
            those of the same notes on one side, as the first ones did.
        limits ([`SanityLimits`], *optional*):
            What a file may be; `SanityLimits(mend=False)` refuses what is mended otherwise.
        cache_dir (`str` or `Path`, *optional*):
            Defaults to the cache of `datasets`.
        num_proc (`int`, *optional*):
            Processes that read and parse.
        streaming (`bool`, *optional*, defaults to `False`):
            Read the files anew in each pass and cache nothing. Of a saved corpus that has splits, each reads its own
            files; of others each reads the whole source. Where there are families to be found, a first pass does that
            before this returns, and lays the pieces in the temporary folder for it. Refused files are logged one by
            one in passes over the split that they belong to, which is train where nothing says it; there is no report
            but that of a prepared corpus, whose summary is logged, no check for empty splits, and of joined corpora
            no piece is left out.
        quarantine_path (`str` or `Path`, *optional*):
            Where the report (JSON) goes. Defaults to `<cache>/quarantine/<name>-<fingerprint>.json`.
        name (`str`, *optional*):
            Configuration of a Hub dataset, where it has several.
        revision (`str`, *optional*):
            Branch, tag or commit of a Hub dataset; main if not given.
        token (`str` or `bool`, *optional*):
            For the Hub, that of `hf auth login` or `HF_TOKEN` if not given.
        builder_kwargs:
            More fields of the builder's configuration (`max_pieces=100` for a trial); for saved corpora `midi_column`,
            the name of the column of MIDI files where it is not plain which it is.

    Returns:
        [`Corpus`], a `DatasetDict` with `train`, `validation` and `test`; [`StreamedCorpus`], an `IterableDatasetDict`
        with these, when streaming.

    Raises:
        `ValueError`: there is no such corpus, no MIDI file in it, no such split version, shares that do not add up to
            1, version or shares for a corpus with official splits, `num_proc` below 1, or an empty split.
        [`PullError`]: a dataset cannot be pulled from the Hub.

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
    asked = CorpusSplits.asked(split_version, split_shares)
    cache_dir = None if cache_dir is None else os.path.expanduser(cache_dir)
    found = find_corpora(name_or_path, data_dir)
    _check_hub_options(found, name_or_path, name, revision, token)
    check_takes_splits(asked, name_or_path, data_dir, revision, name=name, token=token)
    splits = asked | of_joined(found)
    opening = _Opening(limits, cache_dir, num_proc, streaming, builder_kwargs, name, revision, token, splits)
    opened = [_open(corpus, opening) for corpus in found]
    decided = _decided(opened, opening)
    if streaming:
        return _streamed(opened, decided)
    parts, doubles = _split(opened, decided)
    # Joining forgets the feature types, so the cast comes last.
    joined = {split: concatenate_datasets([part[split] for part in parts]) for split in SPLIT_NAMES}
    report = _report(opened, doubles, quarantine_path, cache_dir)
    check_not_empty({split: len(rows) for split, rows in joined.items()}, report.corpus)
    return Corpus(DatasetDict(joined).cast_column("midi", Midi()), report, [part.provenance for part in opened])


def _check_hub_options(
    found: list[FoundCorpus],
    names: CorpusNames,
    config: str | None,
    revision: str | None,
    token: str | bool | None,
) -> None:
    """
    Refuses options for datasets of the Hub where there is none.

    Raises:
        `ValueError`: naming the option.
    """
    hub = any(corpus.is_on_hub for corpus in found)
    for option, given, goes in (
        ("name", config, any(corpus.builder is None for corpus in found)),
        ("revision", revision, hub),
        ("token", token, any(corpus.is_from_hub for corpus in found)),
    ):
        if given is not None and not goes:
            raise ValueError(f"{option} goes with a dataset on the Hub, and '{names}' names none: leave it out.")


def _open(corpus: FoundCorpus, opening: _Opening) -> _OpenedCorpus:
    limits, cache_dir, num_proc = opening.limits, opening.cache_dir, opening.num_proc
    shares = opening.splits.shares or corpus.split_shares
    if corpus.builder is None:
        if "max_pieces" in opening.builder_kwargs:
            raise ValueError(
                f"max_pieces={opening.builder_kwargs['max_pieces']} goes with MIDI files, and '{corpus.name}' is a "
                "saved corpus, of which all pieces are read: leave it out."
            )
        place = open_hub(corpus.name, opening.revision, opening.token) if corpus.is_on_hub else None
        saved = saved_rows(
            corpus.place or corpus.name,
            limits,
            cache_dir,
            num_proc,
            opening.streaming,
            place=place,
            config=opening.config,
            **opening.builder_kwargs,
        )
        provenance = provenance_of_found(corpus, place, opening.config, opening.splits)
        earlier = earlier_report(corpus.place or corpus.name, place) if opening.config is None else None
        stream = _stream_of_saved(saved, limits) if opening.streaming else None
        return _OpenedCorpus(provenance, corpus.name, saved.rows, shares, saved.carved, earlier=earlier, stream=stream)
    builder = corpus.builder(
        cache_dir, data_dir=corpus.place, limits=limits, token=opening.token, **opening.builder_kwargs
    )
    provenance = provenance_of_found(corpus, splits=opening.splits)
    if opening.streaming:
        rows = builder.as_streaming_dataset(split=ROWS_SPLIT)
        stretches = max(1, min(rows.num_shards // FEWEST_ROWS, MOST_OPENINGS))
        identity = Path(builder.cache_dir).parts[-3:]  # configuration, version and code
        content = Hasher.hash([type(builder).__name__, builder.wanted_pieces()])
        stream = _Stream([(None, rows, stretches)], Hasher.hash(identity), content)
        return _OpenedCorpus(provenance, corpus.name, rows, shares, stream=stream)
    builder.download_and_prepare(num_proc=num_proc)
    rows = builder.as_dataset(split=ROWS_SPLIT)
    return _OpenedCorpus(provenance, corpus.name, rows, shares, unread=builder.count_unread())


def _stream_of_saved(saved: SavedRows, limits: SanityLimits | None) -> _Stream:
    parts = [(official, rows, rows.num_shards) for official, rows in saved.parts if isinstance(rows, IterableDataset)]
    return _Stream(parts, Hasher.hash([saved.identity, limits]), saved.content)


def _decided(opened: list[_OpenedCorpus], opening: _Opening) -> dict[str, str]:
    """Splits by content hash of the pieces that their family sends elsewhere than their own hash does."""
    detector = FAMILIES.get(opening.splits.version or SPLIT_VERSION)
    if detector is None or all(part.provenance.splits == OFFICIAL for part in opened):
        return {}
    carved, shares = [part.carved for part in opened], opened[0].shares
    if not opening.streaming:
        rows = [part.rows for part in opened]
        return family_splits(rows, carved, shares, opening.cache_dir, opening.num_proc, detector)
    with spooled([part.rows for part in opened], detector) as (rows, folder):
        return family_splits(rows, carved, shares, folder, detector=detector)


def _split(opened: list[_OpenedCorpus], decided: dict[str, str]) -> tuple[list[dict[str, Dataset]], list[list[int]]]:
    """
    Selects the accepted rows of each split. Only the small columns are read for it.

    Returns:
        Of each corpus its splits, and the rows that are left out because an earlier corpus has their notes.
    """
    parts, doubles, earlier = [], [], set[str]()
    for part in opened:
        columns = part.rows.select_columns(["content_hash", "official_split", "refused_reason"]).with_format("arrow")[
            :
        ]
        hashes = columns["content_hash"].to_pylist()
        indices: dict[str, list[int]] = {name: [] for name in SPLIT_NAMES}
        left_out = []
        rows = zip(hashes, columns["official_split"].to_pylist(), columns["refused_reason"].to_pylist(), strict=True)
        for index, (content_hash, official, reason) in enumerate(rows):
            if reason is None and content_hash in earlier:
                left_out.append(index)
            elif reason is None:
                indices[assign_split(Member(content_hash, official, part.carved), part.shares, decided)].append(index)
        earlier.update(filter(None, hashes))
        pieces = part.rows.remove_columns(list(HELPER_FEATURES))
        parts.append({name: pieces.select(found) for name, found in indices.items()})
        doubles.append(left_out)
    return parts, doubles


def _report(
    opened: list[_OpenedCorpus], doubles: list[list[int]], path: str | Path | None, cache_dir: str | None
) -> QuarantineReport:
    """The report of corpora together, which is logged and saved."""
    report = merge_reports([part.report(left_out) for part, left_out in zip(opened, doubles, strict=True)])
    fingerprint = Hasher.hash([fingerprint_of(part.rows) for part in opened])
    saved = _save_report(
        report, path or _default_report_path(report.corpus, fingerprint, cache_dir), asked_for=path is not None
    )
    level = logging.WARNING if report.refused or report.mended else logging.INFO
    logger.log(level, "%s. Report: %s", report.summary, saved)
    return report


def _default_report_path(corpus: str, fingerprint: str, cache_dir: str | None) -> Path:
    slug = "".join(letter if letter.isalnum() else "-" for letter in corpus)[-60:].strip("-")
    return Path(cache_dir or datasets.config.HF_DATASETS_CACHE) / "quarantine" / f"{slug}-{fingerprint}.json"


def _save_report(report: QuarantineReport, path: str | Path, asked_for: bool) -> str | Path:
    """Says where the report is. A place nobody asked for may be read-only: the corpus holds its report."""
    try:
        return report.save(path)
    except OSError as error:
        if asked_for:
            raise OSError(f"quarantine_path: the report cannot be written to '{path}': {error}") from error
        return f"not written ({error}); it is the attribute `quarantine` of the corpus"


def _streamed(opened: list[_OpenedCorpus], decided: dict[str, str]) -> StreamedCorpus:
    if len(opened) > 1:
        names = ", ".join(part.name for part in opened)
        logger.warning("Streamed together, pieces that are in more than one of %s come more than once.", names)
    parts, identity, content = [], [], []
    for corpus in opened:
        assert corpus.stream is not None
        if corpus.earlier is not None:
            logger.info("When it was prepared: %s.", corpus.earlier.summary)
        how = corpus.shares, corpus.carved, decided
        parts += [StreamedPart(corpus.name, *part, *how) for part in corpus.stream.parts]
        identity.append([corpus.stream.identity, corpus.shares])
        content.append(corpus.stream.content)
    reports = [corpus.earlier for corpus in opened if corpus.earlier is not None]
    return StreamedCorpus(
        parts,
        [corpus.provenance for corpus in opened],
        Hasher.hash([identity, sorted(decided.items())]),
        Hasher.hash([content, sorted(decided.items())]),
        merge_reports(reports) if len(reports) == len(opened) else None,
    )
