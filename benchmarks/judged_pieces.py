"""Corpora that a bundle was trained on together: their texts, their clean test pieces, and which corpus each is of."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from datasets import DatasetDict
from leaky_splits import Texts

from neuromusic_hf import MidiProcessor, load_corpus
from neuromusic_hf.corpora import Corpus
from neuromusic_hf.corpora.clean import twins_in_train
from neuromusic_hf.corpora.splits import CorpusSplits
from neuromusic_hf.runs import RowPiece
from neuromusic_hf.tokenization import Augmentation, tokenize_corpus

SPLITS = ("validation", "test")


@dataclass(frozen=True)
class JudgedPieces:
    """
    Corpora as a model was trained on them: together, so that no family reaches from one's train to another's test.

    Args:
        names (`tuple[str, ...]`): of the corpora, as of [`load_corpus`].
        splits ([`CorpusSplits`]): how they were split then.
        num_proc (`int`): processes that read them.
    """

    names: tuple[str, ...]
    splits: CorpusSplits
    num_proc: int

    @property
    def joined(self) -> str:
        """Their name together."""
        return "+".join(self.names)

    @property
    def shown(self) -> list[str]:
        """What they are called in results."""
        return [Path(name).stem for name in self.names]

    @cached_property
    def corpus(self) -> Corpus:
        """All of them, as train, validation and test."""
        how = {"split_version": self.splits.version, "split_shares": self.splits.shares}
        return load_corpus(self.joined, num_proc=self.num_proc, **how)

    @cached_property
    def corpus_of(self) -> dict[str, str]:
        """What the corpus of a piece is called, by the hash of its content: the first of those that have it."""
        named = list(zip(self.names, self.shown, strict=True))
        return {
            content: shown
            for name, shown in reversed(named)
            for rows in load_corpus(name, num_proc=self.num_proc).values()
            for content in rows["content_hash"]
        }

    def corpus_of_piece(self, piece: RowPiece) -> str:
        """What the corpus of a piece of a run is called."""
        return self.corpus_of[piece.rows[piece.index]["content_hash"]]

    def held_out(self, processor: MidiProcessor, most: int | None = None) -> dict[str, dict[str, Texts]]:
        """By corpus and split, the texts of its pieces, at most so many; those of test have no twin in train."""
        corpus = self.corpus
        twins = twins_in_train(corpus["test"], corpus["train"], num_proc=self.num_proc)
        clean = corpus["test"].select([row for row in range(len(corpus["test"])) if row not in twins])
        splits = DatasetDict(dict(zip(SPLITS, (corpus["validation"], clean), strict=True)))
        texts = {split: Texts.of(rows) for split, rows in tokenize_corpus(splits, processor).items()}
        return {name: {split: self._part(texts[split], name, most) for split in SPLITS} for name in self.shown}

    def train(self, processor: MidiProcessor, variants: int) -> list[np.ndarray]:
        """Ids of each training piece, and of so many variants of it in other keys."""
        augmentation = Augmentation(variants=variants, max_pitch_shift=6, max_velocity_shift=0, max_tempo_change=0)
        train = DatasetDict({"train": self.corpus["train"]})
        tokens = tokenize_corpus(train, processor, augmentation=augmentation, num_proc=self.num_proc)
        return Texts.of(tokens["train"]).ids

    def _part(self, texts: Texts, name: str, most: int | None) -> Texts:
        kept = [place for place, content in enumerate(texts.hashes) if self.corpus_of[content] == name][:most]
        return Texts([texts.ids[place] for place in kept], texts.notes[kept], [texts.hashes[place] for place in kept])
