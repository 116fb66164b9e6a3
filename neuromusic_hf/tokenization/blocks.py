"""Whole pieces as blocks of the context length, and their collation into batches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch
from datasets import ArrowBasedBuilder, BuilderConfig, Dataset, DatasetInfo, Features, List, SplitGenerator, Value
from datasets.builder import Key
from datasets.fingerprint import Hasher

from ..borders.datasets import fingerprint_of
from ..corpora.cache import CachedBuilder
from .documents import Documents

IGNORED_LABEL = -100

BLOCK_FEATURES = Features({"input_ids": List(Value("int32"))})
PIECES_AT_ONCE = 64
"""How many pieces are in memory while blocks are written."""


def make_blocks(tokens: Dataset, block_size: int, *, seed: int = 0) -> Dataset:
    """
    Joins the pieces of a split, in a random order, and cuts them into blocks.

    No token is lost: the last block holds what is left and may be shorter. The order is shuffled so that variants of
    one piece, or neighbours in a collection, do not meet in a block.

    Args:
        tokens ([`~datasets.Dataset`]):
            A split of [`tokenize_corpus`]. Pieces without notes are left out.
        block_size (`int`):
            Length of a block, in tokens.
        seed (`int`, *optional*, defaults to 0):
            Of the order.

    Returns:
        [`~datasets.Dataset`], cached, with the column `input_ids` (int32).

    Raises:
        `ValueError`: the split holds no note.
    """
    if not _num_notes(tokens).any():
        raise ValueError("No piece of this split has a note the tokenizer keeps: there is nothing to train on.")
    fingerprint = Hasher.hash(["blocks", fingerprint_of(tokens), block_size, seed])
    builder = BlockBuilder(
        tokens=tokens, block_size=block_size, seed=seed, config_id=f"default-fingerprint={fingerprint}"
    )
    builder.download_and_prepare()
    return builder.as_dataset(split="blocks").with_format("numpy")


@dataclass
class BlockConfig(BuilderConfig):
    """What blocks are made of: the arguments of [`make_blocks`]."""

    tokens: Dataset | None = None
    block_size: int = 0
    seed: int = 0


class BlockBuilder(CachedBuilder, ArrowBasedBuilder):
    """Writes blocks as Arrow arrays, a few pieces at a time."""

    BUILDER_CONFIG_CLASS = BlockConfig

    def _info(self) -> DatasetInfo:
        return DatasetInfo(features=BLOCK_FEATURES)

    def _split_generators(self, dl_manager) -> list[SplitGenerator]:
        return [SplitGenerator("blocks")]

    def _generate_tables(self) -> Iterator[tuple[Key, pa.Table]]:
        config = self.config
        blocks = _joined_and_cut(config.tokens, config.block_size, config.seed)
        for index, (ids, length) in enumerate(blocks):
            starts = np.arange(0, len(ids) + 1, length, dtype=np.int32)
            yield Key(0, index), pa.table({"input_ids": pa.ListArray.from_arrays(starts, ids)})


def _joined_and_cut(tokens: Dataset, block_size: int, seed: int) -> Iterator[tuple[np.ndarray, int]]:
    """Ids of blocks, one after the other, and the length of each; until the pieces are used up."""
    order = np.random.default_rng(seed).permutation(len(tokens))
    order = order[_num_notes(tokens)[order] > 0]
    pieces, rest = tokens.with_format("arrow", columns=["input_ids"]), np.empty(0, np.int32)
    for start in range(0, len(order), PIECES_AT_ONCE):
        chunks = pieces[order[start : start + PIECES_AT_ONCE]].column("input_ids").chunks
        ids = np.concatenate([rest, *(chunk.flatten().to_numpy() for chunk in chunks)]).astype(np.int32)
        end = len(ids) // block_size * block_size
        if end:
            yield ids[:end], block_size
        rest = ids[end:]
    if len(rest):
        yield rest, len(rest)


def _num_notes(tokens: Dataset) -> np.ndarray:
    return np.asarray(tokens.with_format("numpy")["num_notes"][:])


@dataclass
class BlockCollator:
    """
    Batches blocks for a causal language model, which shifts the labels itself.

    Args:
        pad_token_id (`int`): fills short blocks; padding is masked and never counts in the loss.
        block_size (`int`): length of every row of a batch, in tokens, so that shapes never change.
        documents ([`Documents`], *optional*): keeps each document of a block to itself, by its positions; without it,
            a token attends to all before it in the block.

    Returns (on call):
        `dict` of tensors of shape `(batch, block_size)`: `input_ids`, `labels` (int64), and `attention_mask` where a
        row is padded; with documents, `position_ids` in place of the latter.
    """

    pad_token_id: int
    block_size: int
    documents: Documents | None = None

    def __call__(self, rows: list[dict]) -> dict[str, torch.Tensor]:
        """The batch of rows with the column `input_ids`, and `labels` where those are others."""
        input_ids = torch.full((len(rows), self.block_size), self.pad_token_id, dtype=torch.long)
        labels = torch.full_like(input_ids, IGNORED_LABEL)
        lengths = torch.tensor([len(row["input_ids"]) for row in rows])
        for index, row in enumerate(rows):
            ids, counted = (_as_tensor(row.get(name, row["input_ids"])) for name in ("input_ids", "labels"))
            input_ids[index, : len(ids)] = ids
            labels[index, : len(ids)] = counted
        batch = {"input_ids": input_ids, "labels": labels}
        if self.documents is not None:
            # transformers looks for documents in positions only where there is no mask: padding is one of them.
            return {**batch, "position_ids": self.documents.position_ids(input_ids, lengths)}
        if (lengths == self.block_size).all():
            return batch
        return {**batch, "attention_mask": (torch.arange(self.block_size) < lengths[:, None]).long()}


def _as_tensor(ids: Sequence[int] | np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.array(ids, np.int64))  # a copy: those of datasets may not be written to
