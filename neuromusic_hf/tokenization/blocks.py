"""Whole pieces as blocks of the context length, and their collation into batches."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from datasets import Dataset, Features, List, NamedSplit, Value
from datasets.fingerprint import Hasher
from datasets.packaged_modules.generator.generator import Generator

from ..borders.datasets import fingerprint_of
from ..corpora.cache import CachedBuilder

IGNORED_LABEL = -100


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
    if not len(tokens) or not max(tokens.data.column("num_notes").to_numpy()):
        raise ValueError("No piece of this split has a note the tokenizer keeps: there is nothing to train on.")
    fingerprint = Hasher.hash(["blocks", fingerprint_of(tokens), block_size, seed])
    builder = BlockBuilder(
        generator=_generate_blocks,
        features=Features({"input_ids": List(Value("int32"))}),
        gen_kwargs={"tokens": tokens, "block_size": block_size, "seed": seed},
        split=NamedSplit("blocks"),
        config_id=f"default-fingerprint={fingerprint}",
    )
    builder.download_and_prepare()
    return builder.as_dataset(split="blocks").with_format("numpy")


class BlockBuilder(CachedBuilder, Generator):
    """The builder of `Dataset.from_generator`, with our care of its cache."""


def _generate_blocks(tokens: Dataset, block_size: int, seed: int) -> Iterator[dict]:
    order = np.random.default_rng(seed).permutation(len(tokens))
    rows = tokens.with_format("numpy")
    rest = np.empty(0, dtype=np.int32)
    for index in order:
        row = rows[int(index)]
        if row["num_notes"] == 0:
            continue
        joined = np.concatenate([rest, row["input_ids"]])
        end = len(joined) // block_size * block_size
        for start in range(0, end, block_size):
            yield {"input_ids": joined[start : start + block_size]}
        rest = joined[end:]
    if len(rest):
        yield {"input_ids": rest}


@dataclass
class BlockCollator:
    """
    Batches blocks for a causal language model, which shifts the labels itself.

    Args:
        pad_token_id (`int`): fills short blocks; padding is masked and never counts in the loss.
        block_size (`int`): length of every row of a batch, in tokens, so that shapes never change.

    Returns (on call):
        `dict` of tensors of shape `(batch, block_size)`: `input_ids`, `labels` (int64), and `attention_mask` where a
        row is padded.
    """

    pad_token_id: int
    block_size: int

    def __call__(self, rows: list[dict]) -> dict[str, torch.Tensor]:
        """The batch of rows with the column `input_ids`."""
        input_ids = torch.full((len(rows), self.block_size), self.pad_token_id, dtype=torch.long)
        labels = torch.full_like(input_ids, IGNORED_LABEL)
        attention_mask = torch.zeros_like(input_ids)
        for index, row in enumerate(rows):
            ids = torch.as_tensor(np.asarray(row["input_ids"]), dtype=torch.long)
            input_ids[index, : len(ids)] = ids
            labels[index, : len(ids)] = ids
            attention_mask[index, : len(ids)] = 1
        batch = {"input_ids": input_ids, "labels": labels}
        if attention_mask.all():
            return batch
        return {**batch, "attention_mask": attention_mask}
