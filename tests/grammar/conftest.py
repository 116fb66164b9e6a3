"""Processors and corpora as those of the tokenizers' tests."""

from tokenization.conftest import corpus, processors, trained_processors  # noqa: F401
