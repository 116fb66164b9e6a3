"""Samples of infilling, packed whole into blocks of the context length."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from datasets import ArrowBasedBuilder, BuilderConfig, Dataset, DatasetInfo, SplitGenerator
from datasets.builder import Key
from datasets.fingerprint import Hasher

from ..borders.datasets import fingerprint_of
from ..corpora.cache import CachedBuilder
from ..corpora.code_identity import code_of_rooms
from ..tokenization.blocks import BLOCK_FEATURES
from .sample_dataset import lengths_of

SAMPLES_AT_ONCE = 4096
"""Samples that are packed together, and in memory."""


def pack_samples(samples: Dataset, chosen: np.ndarray, block_size: int, *, seed: int = 0) -> Dataset:
    """
    Packs samples into blocks, each sample whole.

    Args:
        samples ([`~datasets.Dataset`]):
            From [`draw_samples`].
        chosen (`np.ndarray` of shape `(samples,)`):
            Rows to pack, none of them empty, in a random order: those that stand near each other may share a block.
        block_size (`int`):
            Length of a block, in tokens; no sample is longer. A block may be shorter, and is padded in a batch.
        seed (`int`, *optional*, defaults to 0):
            Of the order of samples within a block, and of blocks.

    Returns:
        [`~datasets.Dataset`], cached, with the column `input_ids` (int32).
    """
    depends_on = [fingerprint_of(samples), chosen.astype(np.int64).tobytes(), block_size, seed]
    fingerprint = Hasher.hash(["packed samples", *depends_on, code_of_rooms("infilling")])
    builder = PackBuilder(
        samples=samples,
        chosen=chosen,
        block_size=block_size,
        seed=seed,
        config_id=f"default-fingerprint={fingerprint}",
    )
    builder.download_and_prepare()
    return builder.as_dataset(split="blocks").with_format("numpy")


@dataclass
class PackConfig(BuilderConfig):
    """What blocks are made of: the arguments of [`pack_samples`]."""

    samples: Dataset | None = None
    chosen: np.ndarray | None = None
    block_size: int = 0
    seed: int = 0


class PackBuilder(CachedBuilder, ArrowBasedBuilder):
    """Writes blocks as Arrow arrays, those of so many samples at a time."""

    BUILDER_CONFIG_CLASS = PackConfig

    def _info(self) -> DatasetInfo:
        return DatasetInfo(features=BLOCK_FEATURES)

    def _split_generators(self, dl_manager) -> list[SplitGenerator]:
        return [SplitGenerator("blocks")]

    def _generate_tables(self) -> Iterator[tuple[Key, pa.Table]]:
        config, random = self.config, np.random.default_rng(self.config.seed)
        lengths = lengths_of(config.samples)
        columns = config.samples.with_format("arrow", columns=["input_ids"])
        for index, start in enumerate(range(0, len(config.chosen), SAMPLES_AT_ONCE)):
            rows = config.chosen[start : start + SAMPLES_AT_ONCE]
            fitted = best_fit(lengths[rows], config.block_size)
            blocks = [random.permutation(fitted[number]) for number in random.permutation(len(fitted))]
            ids = columns[rows[np.concatenate(blocks)]].column("input_ids").combine_chunks().flatten()
            starts = np.cumsum([0, *(lengths[rows[block]].sum() for block in blocks)], dtype=np.int32)
            yield Key(0, index), pa.table({"input_ids": pa.ListArray.from_arrays(starts, ids)})


def best_fit(lengths: np.ndarray, block_size: int) -> list[list[int]]:
    """
    Which samples share a block: the longest first, each where the least room is left after it.

    Args:
        lengths (`np.ndarray` of shape `(samples,)`): none above `block_size`.
        block_size (`int`): of a block.

    Returns:
        `list[list[int]]`: indices of the samples of each block.
    """
    blocks: list[list[int]] = []
    rooms: list[tuple[int, int]] = []  # what is left in a block, and its number, ascending
    for index in np.argsort(-lengths, kind="stable").tolist():
        length = int(lengths[index])
        place = bisect.bisect_left(rooms, (length, 0))
        if place < len(rooms):
            room, number = rooms.pop(place)
        else:
            room, number = block_size, len(blocks)
            blocks.append([])
        blocks[number].append(index)
        if room > length:
            bisect.insort(rooms, (room - length, number))
    return blocks
