"""The order in which a stream of pieces is read: by passes, each process and worker its share."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..corpora import StreamedCorpus

logger = logging.getLogger(__name__)

FEWEST_STRETCHES = 8
"""Of a share: with fewer, shares would be too unlike, and each process reads all rows and takes some."""


@dataclass(frozen=True)
class Place:
    """
    How far a share is read.

    Args:
        passes (`int`): that are finished.
        stretches (`int`): of this pass, that are finished.
        rows (`int`): of the next one, that are read.
    """

    passes: int = 0
    stretches: int = 0
    rows: int = 0


@dataclass(frozen=True)
class Share:
    """
    One of the parts of a stream that are read at once, each by a worker of a process.

    Args:
        number (`int`): which, from 0.
        count (`int`): how many there are.
    """

    number: int = 0
    count: int = 1


class ReadRow(NamedTuple):
    """
    A row of a share: a piece of the split, or a file that was refused.

    Args:
        row (`dict`): with the columns of the builders.
        is_piece (`bool`): whether it is a piece.
        place (`Place`): where one goes on after it.
    """

    row: dict[str, Any]
    is_piece: bool
    place: Place


class PieceStream:
    """
    The pieces of a split of a streamed corpus, in passes.

    In each pass every piece is in one share, and comes once. Stretches of rows come in an order that the seed and the
    number of the pass decide. Where there are many of them, each share has its own; else each reads all rows, and
    takes one in so many.

    Args:
        corpus ([`StreamedCorpus`]): of which the pieces are.
        split (`str`): their split.
        seed (`int`): of the order.
    """

    def __init__(self, corpus: StreamedCorpus, split: str, seed: int):
        self.split, self.seed = split, seed
        parts = [part for part in corpus.parts if part.may_hold(split)]
        self.stretches = [(part, number) for part in parts for number in range(part.stretches)]

    def takes_rows(self, count: int) -> bool:
        """Whether so many shares part rows, as there are too few stretches for them."""
        return len(self.stretches) < FEWEST_STRETCHES * count

    def read(self, place: Place, share: Share) -> Iterator[ReadRow]:
        """Yields what is left of a pass, from a place in a share."""
        order = np.random.default_rng([self.seed, place.passes]).permutation(len(self.stretches))
        by_rows = share.count > 1 and self.takes_rows(share.count)
        own = order if by_rows else order[share.number :: share.count]
        for behind in range(place.stretches, len(own)):
            part, number = self.stretches[own[behind]]
            skipped = place.rows if behind == place.stretches else 0
            for index, row in enumerate(part.read(number)):
                is_own = not by_rows or (behind + index) % share.count == share.number
                if index < skipped or not is_own:
                    continue
                side = part.side(row)
                if self.split != (side or row["official_split"] or self.split):
                    continue
                if place.passes == 0:
                    part.tell(row)
                yield ReadRow(row, side is not None, Place(place.passes, behind, index + 1))
