"""The beginning of a preparation: what is asked for is found, and its folder taken."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import miditok

from ..corpora.folder import FolderCorpus
from ..corpora.names import CorpusName, FoundCorpus, find_corpora
from ..corpora.provenance import check_takes_splits, provenance_of_found
from ..corpora.splits import CorpusSplits
from ..disk import check_output_folder, user_path
from ..hub import is_hub_id
from ..music import SanityLimits
from ..ranges import Range, check_ranges
from .configuration import MOST_SHARD_BYTES, Preparation
from .identity import claim
from .workplace import Workplace

RANGES = {"tasks": Range(1, "tasks", 100_000), "max_shard_bytes": Range(1, "bytes")}


def begin_preparation(
    name_or_path: CorpusName,
    output: str | Path,
    data_dir: str | Path | None = None,
    *,
    tasks: int = 16,
    split_shares: Sequence[float] | None = None,
    split_version: str | None = None,
    limits: SanityLimits | None = None,
    max_pieces: int | None = None,
    tokenization: str | None = None,
    tokenization_revision: str | None = None,
    max_shard_bytes: int = MOST_SHARD_BYTES,
    cache_dir: str | Path | None = None,
) -> Preparation:
    """
    Begins to prepare a corpus in a folder, or goes on with it.

    Args:
        name_or_path (`str`, `Path` or [`MidiCorpusBuilder`] class):
            One corpus that a builder reads, as of [`load_corpus`].
        output (`str` or `Path`):
            Folder that all machines see under this path.
        data_dir (`str` or `Path`, *optional*):
            As of [`load_corpus`].
        tasks (`int`, *optional*, defaults to 16):
            Parts of the work, of each of which a stage that was stopped begins anew. The rows do not depend on it.
        split_shares (sequence of `float`, *optional*):
            As of [`load_corpus`].
        split_version (`str`, *optional*):
            As of [`load_corpus`].
        limits ([`SanityLimits`], *optional*):
            What a file may be.
        max_pieces (`int`, *optional*):
            Pieces to read, the first of the corpus, for trials.
        tokenization (`str`, *optional*):
            Tokenizer (`"REMI"`, an import path) or folder or Hub id of a saved processor: its tokens are written, too.
            A folder of the name of a class of miditok is meant by a path (`"./REMI"`).
        tokenization_revision (`str`, *optional*):
            Branch, tag or commit of a processor on the Hub.
        max_shard_bytes (`int`, *optional*, defaults to 256 MiB):
            Of MIDI in one file of the corpus.
        cache_dir (`str` or `Path`, *optional*):
            Where downloads of named corpora are. Defaults to the cache of `datasets`.

    Returns:
        [`Preparation`]: for [`executors`].

    Raises:
        `ValueError`: there is no such corpus, it is several or a dataset already; or the folder lies in it, or holds
            something else, or the preparation of another corpus, or of this one in another way or by other code; or
            a revision is asked for of a tokenization that is not on the Hub.
    """
    check_ranges({"tasks": tasks, "max_shard_bytes": max_shard_bytes}, RANGES)
    asked = CorpusSplits.asked(split_version, split_shares)
    corpus = _one_corpus(name_or_path, data_dir)
    check_takes_splits(asked, name_or_path, data_dir)
    builder, folder = corpus.builder, folder_here(output)
    assert builder is not None
    _check_outside(folder, corpus)
    preparation = Preparation(
        corpus,
        provenance_of_found(corpus, splits=asked),
        Workplace(folder, tasks),
        limits or builder.DEFAULT_LIMITS,
        asked.shares or corpus.split_shares,
        builder.source_fingerprint(corpus.place),
        max_pieces,
        None if tokenization is None else _meant(tokenization, tokenization_revision),
        tokenization_revision,
        max_shard_bytes,
        None if cache_dir is None else str(user_path(cache_dir).absolute()),
    )
    check_output_folder(folder)
    claim(preparation)
    return preparation


def folder_here(output: str | Path) -> Path:
    """
    The path of the folder to prepare.

    Raises:
        `ValueError`: it is an address.
    """
    if "://" in str(output):
        raise ValueError(
            f"'{output}' is an address: prepare the corpus in a folder that all machines see, and push that to the "
            "Hub with push_prepared, or --push_to of scripts/prepare_corpus.py."
        )
    return user_path(output).absolute()


def _one_corpus(name: CorpusName, data_dir: str | Path | None) -> FoundCorpus:
    found = find_corpora(name, data_dir)
    if len(found) > 1:
        raise ValueError(f"'{name}' is {len(found)} corpora: prepare each in a folder, and name both to load_corpus.")
    if found[0].builder is None:
        raise ValueError(
            f"'{name}' is a dataset already, which load_corpus reads as it is. What is prepared is a folder or "
            "archive of MIDI files, a named corpus, or a builder's."
        )
    return found[0]


def _check_outside(folder: Path, corpus: FoundCorpus) -> None:
    """What is written to a folder of MIDI files would change the corpus that is read from there."""
    inside = corpus.place is not None and Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(corpus.place))
    if inside and corpus.builder is not None and issubclass(corpus.builder, FolderCorpus):
        raise ValueError(f"'{folder}' lies in the corpus that is read, '{corpus.place}': take a folder outside of it.")


def _meant(tokenization: str, revision: str | None) -> str:
    """A tokenizer by its name, or a saved processor, which tasks find wherever they run."""
    is_class = "." not in tokenization and isinstance(getattr(miditok, tokenization, None), type)
    path = user_path(tokenization)
    meant = str(path.absolute()) if not is_class and path.exists() else tokenization
    if revision is not None and not is_hub_id(meant):
        raise ValueError(
            f"Revision {revision!r} of '{tokenization}': only what is on the Hub has revisions. Leave it out."
        )
    return meant
