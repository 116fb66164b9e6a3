"""What is prepared, and how: one folder holds one answer."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datasets.fingerprint import Hasher

from ..corpora import MidiCorpusBuilder, Provenance
from ..corpora.code_identity import code_of_rooms
from ..corpora.names import CorpusName, FoundCorpus, find_corpora
from ..corpora.provenance import check_takes_splits, provenance_of_found
from ..corpora.splits import NOTES_HASH, OFFICIAL, CorpusSplits
from ..disk import check_output_folder, user_path
from ..hub import CARD_NAME
from ..music import SanityLimits
from ..ranges import Range, check_ranges
from .workplace import Workplace, write_json_whole

if TYPE_CHECKING:
    from ..tokenization import MidiProcessor

MOST_SHARD_BYTES = 256 << 20
ROOMS = ("borders", "preparation", "tokenization", "twins")
"""Whose code the result depends on, beside that of the builder."""

RANGES = {"tasks": Range(1, "tasks", 100_000), "max_shard_bytes": Range(1, "bytes")}


@dataclass(frozen=True)
class Preparation:
    """
    What all tasks know, made by [`begin_preparation`]. It is plain data, and goes to other machines.

    Args:
        corpus ([`FoundCorpus`]): what is read.
        provenance ([`Provenance`]): where it comes from, and how it is split.
        work ([`Workplace`]): where the folder is.
        limits ([`SanityLimits`]): what a file may be.
        shares (`tuple[float, float, float]`): of train, validation and test.
        fingerprint (`str`): of the source, when it began.
        max_pieces (`int`, *optional*): pieces to read.
        tokenization (`str`, *optional*): tokenizer, or saved processor.
        max_shard_bytes (`int`): of MIDI in a file of the corpus.
        cache_dir (`str`, *optional*): the cache of `datasets`.
    """

    corpus: FoundCorpus
    provenance: Provenance
    work: Workplace
    limits: SanityLimits
    shares: tuple[float, float, float]
    fingerprint: str
    max_pieces: int | None = None
    tokenization: str | None = None
    max_shard_bytes: int = MOST_SHARD_BYTES
    cache_dir: str | None = None

    @property
    def has_families(self) -> bool:
        """Whether twins are looked for."""
        return self.provenance.splits not in (OFFICIAL, NOTES_HASH)

    def builder(self) -> MidiCorpusBuilder:
        """What reads the corpus, made anew in each task."""
        return self._builder_class(
            self.cache_dir,
            data_dir=self.corpus.place,
            limits=self.limits,
            fingerprint=self.fingerprint,
            max_pieces=self.max_pieces,
        )

    def processor(self) -> MidiProcessor | None:
        """What tokenises it, made anew in each task."""
        if self.tokenization is None:
            return None
        from ..tokenization import MidiProcessor  # slow to import

        is_saved = os.path.exists(self.tokenization) or "/" in self.tokenization
        make = MidiProcessor.from_pretrained if is_saved else MidiProcessor.from_tokenization
        return make(self.tokenization)

    @property
    def _builder_class(self) -> type[MidiCorpusBuilder]:
        assert self.corpus.builder is not None
        return self.corpus.builder

    def identity(self) -> dict[str, Any]:
        """All that the result depends on, and the number of tasks, by which the work is cut."""
        processor = self.processor()
        return {
            "corpus": self.corpus.public_name,
            "source": self.fingerprint,
            "limits": asdict(self.limits),
            "max_pieces": self.max_pieces,
            "splits": self.provenance.splits,
            "split_shares": None if self.provenance.splits == OFFICIAL else list(self.shares),
            "tasks": self.work.tasks,
            "max_shard_bytes": self.max_shard_bytes,
            "tokenization": self.tokenization,
            "vocabulary": None if processor is None else Hasher.hash(json.dumps(processor.miditok)),
            "code": Hasher.hash([self._builder_class._code_hash(), code_of_rooms(*ROOMS)]),
        }


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
        max_shard_bytes (`int`, *optional*, defaults to 256 MiB):
            Of MIDI in one file of the corpus.
        cache_dir (`str` or `Path`, *optional*):
            Where downloads of named corpora are. Defaults to the cache of `datasets`.

    Returns:
        [`Preparation`]: for [`executors`].

    Raises:
        `ValueError`: there is no such corpus, it is several or a dataset already; or the folder holds something else,
            or the preparation of another corpus, or of this one in another way.
    """
    check_ranges({"tasks": tasks, "max_shard_bytes": max_shard_bytes}, RANGES)
    asked = CorpusSplits.asked(split_version, split_shares)
    corpus = _one_corpus(name_or_path, data_dir)
    check_takes_splits(asked, name_or_path, data_dir)
    assert corpus.builder is not None
    preparation = Preparation(
        corpus,
        provenance_of_found(corpus, splits=asked),
        Workplace(folder_here(output), tasks),
        limits or corpus.builder.DEFAULT_LIMITS,
        asked.shares or corpus.split_shares,
        corpus.builder.source_fingerprint(corpus.place),
        max_pieces,
        tokenization,
        max_shard_bytes,
        None if cache_dir is None else str(user_path(cache_dir)),
    )
    _claim(preparation)
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


def _claim(preparation: Preparation) -> None:
    """
    Writes down what the folder is for, or compares it with what stands there.

    Raises:
        `ValueError`: that is something else.
    """
    work, wanted = preparation.work, preparation.identity()
    check_output_folder(work.folder)
    if work.configuration.is_file():
        there = json.loads(work.configuration.read_bytes())
        if other := [name for name in wanted if there.get(name) != wanted[name]]:
            told = "; ".join(f"{name} was {there.get(name)!r} and is {wanted[name]!r}" for name in other)
            raise ValueError(
                f"'{work.folder}' is being prepared, or was, from something else: {told}. Ask for the same to go on, "
                "or take another folder."
            )
        return
    if (work.folder / CARD_NAME).exists() or next(work.folder.rglob("*.parquet"), None) is not None:
        raise ValueError(f"'{work.folder}' holds a dataset that was not prepared here: take another folder.")
    write_json_whole(work.configuration, wanted)
