"""Blocks of a streamed train split: made as they are read, shared among processes and workers, and gone on with."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass

from torch.utils.data import IterableDataset, get_worker_info

from .counts import StreamCounts
from .pieces import Place, Share
from .window import Window, WindowMaker, WindowStart

POSITION = "position"
"""Beside the ids of a block: the share it is of, and the [`Position`] behind it."""


OTHER_PIECES = (
    "The pieces that follow where the checkpoint was saved, or their tokens, are not those of then. Give the same "
    "corpus, unchanged, and the version of neuromusic_hf that made the checkpoint; or begin a new run from its "
    "weights with --model."
)
NO_PIECES = (
    "A pass over the train split has no piece with notes for each of {count} processes and workers that read it: take "
    "fewer processes or dataloader_num_workers, or leave streaming out."
)
NO_PIECE = (
    "No piece of the train split has a note that the tokenizer keeps: there is nothing to train on. Take another "
    "tokenization, or add pieces."
)


@dataclass(frozen=True)
class Position:
    """
    How far a share was read.

    Args:
        window (`WindowStart`): that was begun.
        taken (`int`): blocks of it, that were read.
        digest (`str`): by which the window is known.
    """

    window: WindowStart
    taken: int
    digest: str


@dataclass(frozen=True)
class ReadUpTo:
    """
    What goes with a block.

    Args:
        share (`int`): number of the share that it is of.
        position (`Position`): behind it.
        counts (`StreamCounts`): of what was read of the share, all of its window included.
    """

    share: int
    position: Position
    counts: StreamCounts


class StreamedBlocks(IterableDataset):
    """
    Blocks of a stream of pieces, without an end: passes follow each other.

    Each worker of a `DataLoader` of each process reads a share of its own. Of a window the pieces are mixed, and then
    the blocks; the next window is made while this one is read. With each block goes the position behind it, so that
    whoever has the last block that was trained on knows where to go on.

    Args:
        maker ([`WindowMaker`]): of windows.
        process (`int`): number of this process.
        processes (`int`): that read at once.

    Attributes:
        begin_at (mapping of `int` to [`Position`]): by share, where to begin; where nothing stands, at the beginning.
        first_worker (`int`): whose turn it is, as the loader asks them one after the other.
    """

    def __init__(self, maker: WindowMaker, process: int = 0, processes: int = 1):
        self.maker, self.process, self.processes = maker, process, processes
        self.begin_at: Mapping[int, Position] = {}
        self.first_worker = 0

    def __iter__(self) -> Iterator[dict]:
        worker = get_worker_info()
        number, workers = (0, 1) if worker is None else (worker.id, worker.num_workers)
        share = self.process * workers + (number + self.first_worker) % workers
        return self.blocks(Share(share, self.processes * workers))

    def blocks(self, share: Share) -> Iterator[dict]:
        """
        Yields the blocks of a share: `input_ids` (int32), and the [`ReadUpTo`] behind each.

        Raises:
            `ValueError`: a pass has no piece for the share; or where to begin, there is no such window any more.
        """
        position = self.begin_at.get(share.number)
        start, taken = (WindowStart(), 0) if position is None else (position.window, position.taken)
        making, before = _Making(self.maker.make(start, share)), None
        while True:
            window = making.finish()
            if position is not None and position.digest != window.digest:
                raise ValueError(OTHER_PIECES)
            before = start.counts.tokens if start.place == Place(start.place.passes) else before
            if window.following.place.passes > start.place.passes and window.following.counts.tokens == before:
                raise ValueError(NO_PIECE if share.count == 1 else NO_PIECES.format(count=share.count))
            making, position = _Making(self.maker.make(window.following, share)), None
            for number in range(taken, len(window.blocks)):
                behind = ReadUpTo(share.number, Position(start, number + 1, window.digest), window.following.counts)
                yield {"input_ids": window.blocks[number], POSITION: behind}
                making.advance((number + 1) / len(window.blocks))
            start, taken = window.following, 0


class _Making:
    """A window that is made bit by bit."""

    def __init__(self, work: Generator[float, None, Window]):
        self.work, self.done = work, 0.0
        self.window: Window | None = None

    def advance(self, share: float):
        """Works until a share of it is done."""
        while self.window is None and self.done < share:
            try:
                self.done = next(self.work)
            except StopIteration as end:
                self.window = end.value

    def finish(self) -> Window:
        """Does all that is left."""
        self.advance(float("inf"))
        assert self.window is not None
        return self.window
