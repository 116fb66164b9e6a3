"""The stage that writes the tokens of a corpus."""

from __future__ import annotations

import pyarrow.parquet as pq

from ..tokenization import TOKEN_FEATURES, Augmentation
from ..tokenization.token_dataset import TokenizePieces
from .block import Block
from .identity import checked_processor
from .workplace import DATA, TOKENS
from .writing import row_groups, shards_of, write_shard

TOKENIZED_ROWS = 16


class TokenizeCorpus(Block):
    """
    Writes the tokens of each file of the corpus, in a file of the same name. No piece is varied.

    Args:
        preparation ([`Preparation`]): which.
    """

    name = "tokenize corpus"

    def run(self, data: None = None, rank: int = 0, world_size: int = 1) -> None:
        """
        Writes them, but for those that are there.

        Raises:
            `RuntimeError`: the tokenizer has changed since the preparation began.
        """
        processor = checked_processor(self.preparation)
        assert processor is not None
        work, tokenize = self.preparation.work, TokenizePieces(processor, Augmentation())
        schema = TOKEN_FEATURES.arrow_schema
        for shard in shards_of(work)[rank::world_size]:
            path = work.made / TOKENS / shard.file
            if not path.exists():
                with pq.ParquetFile(work.made / DATA / shard.file) as file:
                    rows = file.iter_batches(TOKENIZED_ROWS, columns=["midi", "content_hash"])
                    write_shard(path, schema, row_groups(tokenize(batch.to_pydict()) for batch in rows))
            self.stat_update(shard.split)
