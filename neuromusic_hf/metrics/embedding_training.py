"""Learns word vectors of harmony with gensim."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from importlib.metadata import version

import numpy as np
from datasets import Dataset, Features, List, Value
from datasets.fingerprint import Hasher
from gensim.models import Word2Vec

from ..borders.datasets import fingerprint_of
from ..corpora.cache import cached_map
from ..music import RefusedFile
from ..ranges import PROCESSES, check_ranges
from .embedding import UNKNOWN_WORD, HarmonyEmbedding
from .embedding_settings import EmbeddingSettings
from .harmony import harmonic_reduction

REDUCTION_FEATURES = Features({"words": List(Value("string")), "reason": Value("string")})


def reduce_corpus(pieces: Dataset, num_proc: int | None = None) -> tuple[list[list[str]], dict[str, int]]:
    """
    The harmonic reduction of every piece of a corpus split, in parallel, with a progress bar.

    Args:
        pieces ([`~datasets.Dataset`]): with the column `midi`, as from [`load_corpus`].
        num_proc (`int`, *optional*): processes.

    Returns:
        `tuple[list[list[str]], dict[str, int]]`: the words of each piece that has harmony, and how many pieces have
        none, by reason.
    """
    check_ranges({"num_proc": num_proc}, {"num_proc": PROCESSES})
    found = cached_map(
        pieces.select_columns(["midi"]),
        _reduce,
        Hasher.hash(["reductions", fingerprint_of(pieces)]),
        remove_columns=["midi"],
        features=REDUCTION_FEATURES,
        num_proc=num_proc if num_proc and 1 < num_proc <= len(pieces) else None,
        load_from_cache_file=False,
        desc="Harmonic reductions",
    )
    reductions = [row["words"] for row in found if row["reason"] is None]
    return reductions, dict(Counter(reason for reason in found["reason"] if reason is not None))


def _reduce(row: dict) -> dict:
    score = row["midi"]
    try:
        return {"words": harmonic_reduction(score), "reason": None}
    except RefusedFile as refused:
        return {"words": [], "reason": refused.reason}


def train_harmony_embedding(
    reductions: Iterable[list[str]], settings: EmbeddingSettings | None = None, source: dict | None = None
) -> HarmonyEmbedding:
    """
    Learns a vector for each word, and one for all rare words together.

    Args:
        reductions (`Iterable[list[str]]`): [`harmonic_reduction`] of each piece.
        settings ([`EmbeddingSettings`], *optional*): `EmbeddingSettings()` if not given.
        source (`dict`, *optional*): where the pieces come from, as plain JSON values, to be saved with the vectors.

    Raises:
        `ValueError`: no word is as frequent as `min_count` asks.
    """
    settings, reductions = settings or EmbeddingSettings(), list(reductions)
    counts = Counter(word for words in reductions for word in words)
    known = {word for word, count in counts.items() if count >= settings.min_count}
    if not known:
        raise ValueError(
            f"No word of {len(reductions)} pieces comes {settings.min_count} times (min_count): train on more pieces."
        )
    sentences = [[word if word in known else UNKNOWN_WORD for word in words] for words in reductions]
    # One thread: with more, their order decides the result.
    model = Word2Vec(sentences, workers=1, **(asdict(settings) | {"min_count": 1})).wv
    words = [word for word in model.index_to_key if word != UNKNOWN_WORD]
    vectors = np.stack([model[word] for word in words])
    unknown = model[UNKNOWN_WORD] if UNKNOWN_WORD in model else vectors.mean(axis=0)
    training = {
        "source": source or {},
        "pieces": len(reductions),
        "bars": sum(counts.values()),
        "rare_words": len(counts) - len(known),
        "settings": asdict(settings),
        "versions": {name: version(name) for name in ("gensim", "music21", "numpy")},
    }
    return HarmonyEmbedding((UNKNOWN_WORD, *words), np.concatenate([unknown[None], vectors]), training)
