"""Learning a vocabulary of token groups (BPE, Unigram, WordPiece) from a bounded sample of a corpus."""

import logging
from collections.abc import Iterator

import numpy as np
from datasets import Dataset
from miditok import MusicTokenizer

from ..music.loading import load_score
from .infill_tokens import lacking_infill_tokens
from .music_encoding import MusicEncoder
from .music_tokenizer import music_tokenizer_from_dict, music_tokenizer_to_dict

logger = logging.getLogger(__name__)

VOCABULARY_MODELS = ("BPE", "Unigram", "WordPiece")


class BarStrings:
    """
    Iterates over sampled pieces as lists of strings, one string a bar and one character a base token.

    Learning from bars keeps groups inside a bar and the learning fast; memory holds one piece at a time, and what the
    trainer keeps is bounded by `max_tokens`.
    """

    def __init__(self, music_tokenizer: MusicTokenizer, corpus: Dataset, max_tokens: int, seed: int):
        self.music_tokenizer = music_tokenizer
        self.corpus = corpus
        self.order = np.random.default_rng(seed).permutation(len(corpus))
        self.max_tokens = max_tokens

    def __len__(self) -> int:
        return len(self.order)

    def __iter__(self) -> Iterator[list[str]]:
        seen, encoder = 0, MusicEncoder(self.music_tokenizer)
        for index in self.order:
            bars = encoder.bars(load_score(self.corpus[int(index)]["midi"]))
            seen += sum(map(len, bars))
            yield bars
            if seen >= self.max_tokens:
                return


def check_vocabulary(music_tokenizer: MusicTokenizer, vocab_size: int, model: str):
    """
    Refuses a vocabulary that cannot be learned.

    Raises:
        `ValueError`: `vocab_size` leaves no room beside the base tokens and those of infilling, or `model` is unknown.
    """
    if model not in VOCABULARY_MODELS:
        raise ValueError(f"No vocabulary model {model!r}: choose one of {', '.join(VOCABULARY_MODELS)}.")
    base, infilling = len(music_tokenizer.vocab), len(lacking_infill_tokens(music_tokenizer.vocab))
    if vocab_size <= base + infilling:
        of_infilling = f", {infilling} of infilling included" if infilling else ""
        raise ValueError(
            f"vocab_size={vocab_size} leaves nothing to learn: {type(music_tokenizer).__name__} has "
            f"{base + infilling} tokens already{of_infilling}."
        )


def train_music_tokenizer(
    music_tokenizer: MusicTokenizer, corpus: Dataset, vocab_size: int, model: str, max_tokens: int, seed: int
) -> MusicTokenizer:
    """
    Returns a trained copy of `music_tokenizer`; arguments as in [`MidiProcessor.train_new_from_corpus`].

    It has fewer ids than `vocab_size`, which counts the tokens of infilling that are added to it.

    Raises:
        `ValueError`: as [`check_vocabulary`].
    """
    check_vocabulary(music_tokenizer, vocab_size, model)
    untrained = {key: value for key, value in music_tokenizer_to_dict(music_tokenizer).items() if key[0] != "_"}
    options = {}
    if model == "WordPiece":
        # WordPiece takes time quadratic in the length of a word, and gives up on words over a limit: one word a bar.
        untrained["config"]["encode_ids_split"] = "bar"
        options["max_input_chars_per_word"] = 100_000
    trained = music_tokenizer_from_dict(untrained)
    infilling = len(lacking_infill_tokens(trained.vocab))
    bars = BarStrings(trained, corpus, max_tokens, seed)
    trained.train(vocab_size - infilling, model=model, iterator=bars, **options)
    tell_size(type(trained).__name__, len(trained) + infilling, vocab_size)
    return trained


def tell_size(name: str, found: int, wanted: int):
    """Warns where a vocabulary has not as many ids as were asked for."""
    if found != wanted:
        logger.warning(
            "%s learned a vocabulary of %d ids, not the %d asked for: the pieces it learned from have no more groups "
            "of tokens that repeat. Give more music, or ask for fewer.",
            name,
            found,
            wanted,
        )
