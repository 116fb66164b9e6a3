"""The batches of a stream, and where a process is in it: what a checkpoint keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader
from transformers import TrainingArguments

from ..checkpoints.folders import STREAM_NAME
from ..disk import read_json
from .blocks import POSITION, Position, ReadUpTo, StreamedBlocks
from .counts import StreamCounts


@dataclass
class StreamState:
    """
    How far a process has read a stream.

    Args:
        workers (`int`): of its loader.
        batches (`int`): that it has read.
        positions (`dict[str, Position]`): by the numbers of its shares.
        counts (`dict[str, StreamCounts]`): likewise.
    """

    workers: int = 0
    batches: int = 0
    positions: dict[str, Position] = field(default_factory=dict)
    counts: dict[str, StreamCounts] = field(default_factory=dict)

    def copy(self) -> StreamState:
        """One that is kept up by itself."""
        return StreamState(self.workers, self.batches, dict(self.positions), dict(self.counts))

    def note(self, read: ReadUpTo):
        """One more batch is read, whose last block this goes with."""
        self.batches += 1
        self.positions[str(read.share)], self.counts[str(read.share)] = read.position, read.counts


def read_state(checkpoint: str | Path, process: int) -> StreamState:
    """
    What a process kept in a checkpoint.

    Raises:
        `ValueError`: it cannot be read.
        `OSError`: it is not there.
    """
    path = Path(checkpoint, STREAM_NAME.format(process=process))
    return read_json(path, StreamState, "is no state of a stream", "Go on from another checkpoint.")


@dataclass(frozen=True)
class CollatorWithPosition:
    """
    Batches blocks, and keeps where their stream is behind the last of them.

    Args:
        collate (`Callable`): from rows to a batch.
    """

    collate: Callable[[list[dict]], dict]

    def __call__(self, rows: list[dict]) -> dict[str, Any]:
        """The batch of rows, and what goes with the last of them."""
        return {**self.collate(rows), POSITION: rows[-1][POSITION]}


class StreamLoader:
    """
    Batches of streamed blocks, without an end. Where they are is known of those alone that somebody took.

    What workers have read ahead is read again by who goes on. No random numbers but its own are drawn.

    Args:
        blocks ([`StreamedBlocks`]): of this process.
        collate (`Callable`): from rows to a batch.
        batch_size (`int`): blocks of a batch.
        args ([`~transformers.TrainingArguments`]): say how many workers there are, and how they work.
        state ([`StreamState`]): where to begin; it is kept up.
    """

    def __init__(
        self,
        blocks: StreamedBlocks,
        collate: Callable[[list[dict]], dict],
        batch_size: int,
        args: TrainingArguments,
        state: StreamState,
    ):
        self.dataset, self.collate, self.batch_size, self.args, self.state = blocks, collate, batch_size, args, state

    def __iter__(self) -> Iterator[dict[str, Any]]:
        self.state.workers = self.args.dataloader_num_workers
        self.dataset.begin_at = {int(share): position for share, position in self.state.positions.items()}
        self.dataset.first_worker = self.state.batches % max(1, self.state.workers)
        loader = DataLoader(
            self.dataset,
            batch_size=self.batch_size,
            collate_fn=CollatorWithPosition(self.collate),
            num_workers=self.args.dataloader_num_workers,
            pin_memory=self.args.dataloader_pin_memory,
            prefetch_factor=self.args.dataloader_prefetch_factor,
            multiprocessing_context=self.args.dataloader_multiprocessing_context,
            generator=torch.Generator(),
        )
        for batch in loader:
            self.state.note(batch.pop(POSITION))
            yield batch
