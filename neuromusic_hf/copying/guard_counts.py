"""What a guard against copies did."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class GuardCounts:
    """
    What a guard did to a row, or to several.

    Args:
        masked (`int`): times that notes were ruled out which would have gone on with a copy.
        likeliest (`int`): those of them where the likeliest of all ids was ruled out.
        let_through (`int`): times that nothing else could follow, so that a longer run was let be.
    """

    masked: int = 0
    likeliest: int = 0
    let_through: int = 0

    @classmethod
    def sum(cls, counts: Iterable[GuardCounts]) -> GuardCounts:
        """All of them together."""
        every = list(counts)
        return cls(
            sum(each.masked for each in every),
            sum(each.likeliest for each in every),
            sum(each.let_through for each in every),
        )
