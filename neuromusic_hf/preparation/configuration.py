"""What is prepared, and how: one folder holds one answer."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..corpora import MidiCorpusBuilder, Provenance
from ..corpora.names import FoundCorpus
from ..corpora.splits import FAMILIES
from ..music import SanityLimits
from ..twins.detectors import NEWEST, Detector
from .workplace import Workplace

if TYPE_CHECKING:
    from ..tokenization import MidiProcessor

MOST_SHARD_BYTES = 256 << 20


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
        tokenization (`str`, *optional*): tokenizer, or saved processor: its id on the Hub, or absolute path.
        tokenization_revision (`str`, *optional*): branch, tag or commit of a processor on the Hub.
        max_shard_bytes (`int`): of MIDI in a file of the corpus.
        cache_dir (`str`, *optional*): the cache of `datasets`, an absolute path.
    """

    corpus: FoundCorpus
    provenance: Provenance
    work: Workplace
    limits: SanityLimits
    shares: tuple[float, float, float]
    fingerprint: str
    max_pieces: int | None = None
    tokenization: str | None = None
    tokenization_revision: str | None = None
    max_shard_bytes: int = MOST_SHARD_BYTES
    cache_dir: str | None = None

    @property
    def has_families(self) -> bool:
        """Whether twins are looked for."""
        return self.provenance.splits in FAMILIES

    @property
    def detector(self) -> Detector:
        """What finds them; the newest where they are not looked for."""
        return FAMILIES.get(self.provenance.splits, NEWEST)

    def builder(self) -> MidiCorpusBuilder:
        """What reads the corpus, made anew in each task."""
        return self.builder_class(
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

        is_saved = os.path.isabs(self.tokenization) or "/" in self.tokenization
        if is_saved:
            return MidiProcessor.from_pretrained(self.tokenization, revision=self.tokenization_revision)
        return MidiProcessor.from_tokenization(self.tokenization)

    @property
    def builder_class(self) -> type[MidiCorpusBuilder]:
        """Of what reads it."""
        assert self.corpus.builder is not None
        return self.corpus.builder
