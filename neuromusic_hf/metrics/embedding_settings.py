"""How word vectors of harmony are learned."""

from dataclasses import dataclass

from ..ranges import SEEDS, Range, check_ranges

EMBEDDING_RANGES = {
    "vector_size": Range(1, "numbers in a vector"),
    "window": Range(1, "bars"),
    "min_count": Range(1, "times"),
    "sample": Range(0, "share of the words", most=1),
    "epochs": Range(1, "passes over the pieces"),
    "seed": SEEDS,
}


@dataclass(frozen=True)
class EmbeddingSettings:
    """
    Arguments of `gensim.models.Word2Vec`. The rest is gensim's default.

    Args:
        vector_size (`int`, *optional*, defaults to 100): numbers in a vector.
        window (`int`, *optional*, defaults to 4): bars before and after a bar that are its context.
        min_count (`int`, *optional*, defaults to 2): words that come less often become the unknown word.
        sample (`float`, *optional*, defaults to 1e-3): share above which a word is left out at random.
        epochs (`int`, *optional*, defaults to 5): passes over the pieces.
        seed (`int`, *optional*, defaults to 0): the same pieces and seed give the same vectors.

    Raises:
        `ValueError`: a value is out of range.
    """

    vector_size: int = 100
    window: int = 4
    min_count: int = 2
    sample: float = 1e-3
    epochs: int = 5
    seed: int = 0

    def __post_init__(self):
        check_ranges(self, EMBEDDING_RANGES)
