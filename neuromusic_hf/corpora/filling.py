"""A split that would be empty gets a family of another one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from .splits import SPLIT_NAMES, Member, assign_split


def fill_empty_splits(
    members: Sequence[Member], families: Sequence[int], shares: Sequence[float], decided: Mapping[str, str]
) -> dict[str, str]:
    """
    Finds the families that move, so that no split is empty where there are families enough.

    From the split of the most families the one of the fewest pieces goes; of several such, that of the smallest hash.
    Pieces that stay where their corpus has them, and their families, do not move. Where no split is empty, nothing
    does: few pieces are not refused, and the splits of many are what they are without this.

    Args:
        members (sequence of [`Member`]): all pieces, those of all corpora that are loaded together.
        families (sequence of `int`): the family of each.
        shares (sequence of `float`): shares of train, validation and test.
        decided (mapping of `str` to `str`): splits by content hash, from [`splits_of_families`].

    Returns:
        `dict[str, str]`: the splits of the pieces that move, by content hash.
    """
    gathered: dict[int, list[Member]] = {}
    for number, member in zip(families, members, strict=True):
        gathered.setdefault(number, []).append(member)
    sides = {
        number: {assign_split(member, shares, decided) for member in family} for number, family in gathered.items()
    }
    moved: dict[str, str] = {}
    for empty in SPLIT_NAMES:
        sizes = Counter(side for found in sides.values() for side in found)
        able = [
            (-sizes[side], len(gathered[number]), min(member.content_hash for member in gathered[number]), number)
            for number, (side, *others) in sides.items()
            if not others and sizes[side] > 1 and all(_may_go(member, empty) for member in gathered[number])
        ]
        if not sizes[empty] and able:
            number = min(able)[-1]
            sides[number] = {empty}
            moved |= {member.content_hash: empty for member in gathered[number]}
    return moved


def _may_go(member: Member, split: str) -> bool:
    """Whether the corpus of a piece leaves it open that it is there."""
    return member.official is None or (not member.stays and split in member.carved)
