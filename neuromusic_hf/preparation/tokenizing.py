"""The stage that writes the tokens of a corpus."""

from __future__ import annotations

import pyarrow.parquet as pq

from ..tokenization import TOKEN_FEATURES, Augmentation
from ..tokenization.token_dataset import TokenizePieces
from .configuration import Preparation
from .engine import PipelineStep
from .writing import DATA, TOKENS, row_groups, shards_of, write_shard

TOKENIZED_ROWS = 16


class TokenizeCorpus(PipelineStep):
    """
    Writes the tokens of each file of the corpus, in a file of the same name. No piece is varied.

    Args:
        preparation ([`Preparation`]): which.
    """

    name, type = "tokenize corpus", "neuromusic"

    def __init__(self, preparation: Preparation):
        super().__init__()
        self.preparation = preparation

    def run(self, data: None = None, rank: int = 0, world_size: int = 1) -> None:
        """Writes them, but for those that are there."""
        work, tokenize = self.preparation.work, TokenizePieces(self.preparation.processor(), Augmentation())
        schema = TOKEN_FEATURES.arrow_schema
        for shard in shards_of(work)[rank::world_size]:
            path = work.made / TOKENS / shard.file
            if not path.exists():
                with pq.ParquetFile(work.made / DATA / shard.file) as file:
                    rows = file.iter_batches(TOKENIZED_ROWS, columns=["midi", "content_hash"])
                    write_shard(path, schema, row_groups(tokenize(batch.to_pydict()) for batch in rows))
            self.stat_update(shard.split)
