"""Made pieces, as for corpora and tokenizers."""

from corpora.conftest import make_midi, make_score  # noqa: F401
from tokenization.conftest import processor, processors, score  # noqa: F401
