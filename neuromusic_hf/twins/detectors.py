"""How twins are found: settings that each version of splits keeps, as its splits never change."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Detector:
    """
    What differs between the ways in which twins are and were found.

    Args:
        few (`int`): of so many pieces with the same run each pair counts; of more, each piece with the next ones, in
            an order that puts pieces with the same runs side by side, and with the next one on either side that is of
            another group.
        surprise (`float`): of the runs that candidates share: one has it that is in one piece alone, and the more
            common it is the less.
        share_of_sketch (`float`): of the smaller of two sketches, that candidates share.
        stepwise (`float`): share of steps from which on, in a passage, runs that go by step alone tell nothing,
            unless they are close together: there are few kinds of them, and any two lines of steps share many.
        finds_pace (`bool`): how near notes of a chord begin is bounded by the pace of the piece, whose note values
            may be those of another one divided or multiplied.
        by_onset (`bool`): where notes are held under others, the notes that are struck highest are a line, too.
    """

    few: int = 32
    surprise: float = 0.0
    share_of_sketch: float = 1 / 60
    stepwise: float = 0.85
    finds_pace: bool = True
    by_onset: bool = True


NEWEST = Detector()
FIRST = Detector(few=8, surprise=3.5, share_of_sketch=0.0, stepwise=2.0, finds_pace=False, by_onset=False)
"""Of `families-1`. With it, pairs were missed that share what more than eight pieces have."""
