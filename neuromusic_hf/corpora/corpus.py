"""`Corpus`: what `load_corpus` gives, and what is pushed."""

from __future__ import annotations

from collections.abc import Mapping

from datasets import Dataset, DatasetDict

from .provenance import Provenance
from .quarantine import QuarantineReport


class Corpus(DatasetDict):
    """
    Train, validation and test of a corpus.

    A `DatasetDict` that knows what became of its files and where its music comes from. What `datasets` makes of it
    (`map`, `filter`, `cast_column`) is a `DatasetDict` again.

    Args:
        splits (mapping of `str` to [`~datasets.Dataset`]): the rows, by split.
        quarantine ([`QuarantineReport`]): what became of the files.
        provenance (list of [`Provenance`]): where they come from, in the order in which corpora were joined.
    """

    def __init__(self, splits: Mapping[str, Dataset], quarantine: QuarantineReport, provenance: list[Provenance]):
        super().__init__(splits)
        self.quarantine = quarantine
        self.provenance = provenance
