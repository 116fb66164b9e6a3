"""Splits by content: the same music always falls on the same side, under whatever name and in whatever key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from ..twins.detectors import FIRST, NEWEST, Detector

SPLIT_NAMES = ("train", "validation", "test")
SPLIT_ALIASES = {
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "dev": "validation",
    "eval": "validation",
    "testing": "test",
}
DEFAULT_SPLIT_SHARES = (0.8, 0.1, 0.1)

OFFICIAL = "official"
FAMILIES: Mapping[str, Detector] = MappingProxyType({"families-2": NEWEST, "families-1": FIRST})
"""Versions that split by families, the newest first: how each finds them."""

NOTES_HASH = "notes-hash-1"
SPLIT_VERSIONS = (*FAMILIES, NOTES_HASH)
"""How pieces without official splits are split, the newest first: by families of twins, or each by the hash of its
notes. Each puts pieces elsewhere, and none ever changes; but where a split would be empty, a family fills it, and
which one hangs on all pieces."""

SPLIT_VERSION = SPLIT_VERSIONS[0]
"""How they are split if nobody says otherwise."""

UNDECIDED: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class CorpusSplits:
    """
    How corpora are split as far as they do not say it themselves.

    Args:
        version (`str`, *optional*): one of [`SPLIT_VERSIONS`]; the newest if not given.
        shares (`tuple[float, float, float]`, *optional*):
            Of train, validation and test; each corpus's own if not given.
    """

    version: str | None = None
    shares: tuple[float, float, float] | None = None

    @classmethod
    def asked(cls, version: str | None = None, shares: Sequence[float] | None = None) -> CorpusSplits:
        """
        What a user asks for.

        Raises:
            `ValueError`: there is no such version, or the shares do not add up to 1.
        """
        version = None if version is None else check_version(version)
        return cls(version, None if shares is None else check_shares(shares))

    def __bool__(self) -> bool:
        return self != CorpusSplits()

    def __or__(self, other: CorpusSplits) -> CorpusSplits:
        """These, and where they say nothing the others."""
        return CorpusSplits(self.version or other.version, self.shares or other.shares)

    def __str__(self) -> str:
        shares = "" if self.shares is None else f" in shares of {' / '.join(f'{share:g}' for share in self.shares)}"
        return f"{self.version or SPLIT_VERSION}{shares}"


class Member(NamedTuple):
    """
    A piece of a family, as far as its split goes.

    Args:
        content_hash (`str`): of its notes.
        official (`str`, *optional*): the split that its corpus gives it.
        carved (`tuple[str, ...]`): splits that its corpus lacks, which are carved out of its train split.
    """

    content_hash: str
    official: str | None = None
    carved: tuple[str, ...] = ()

    @property
    def stays(self) -> bool:
        """Whether it stays where its corpus has it."""
        return self.official is not None and not (self.official == "train" and self.carved)


def check_version(version: str) -> str:
    """
    Gives a split version back.

    Raises:
        `ValueError`: there is no such one; those that there are are listed.
    """
    if version not in SPLIT_VERSIONS:
        raise ValueError(f"split_version must be one of {', '.join(SPLIT_VERSIONS)}, got {version!r}.")
    return version


def check_shares(shares: Sequence[float]) -> tuple[float, float, float]:
    """
    Gives the shares of train, validation and test as a tuple.

    Raises:
        `ValueError`: there are not three shares, one is not above 0, or they do not add up to 1.
    """
    given = tuple(float(share) for share in shares)
    if len(given) != len(SPLIT_NAMES) or not (min(given) > 0 and abs(sum(given) - 1) <= 1e-6):
        raise ValueError(
            f"split_shares must be three numbers above 0 that add up to 1 (train, validation, test), got {given}."
        )
    train, validation, test = given
    return train, validation, test


def split_of(
    content_hash: str,
    shares: Sequence[float] = DEFAULT_SPLIT_SHARES,
    among: Sequence[str] = SPLIT_NAMES,
) -> str:
    """
    Names the split of a piece from its content hash alone.

    Args:
        content_hash (`str`):
            At least 15 hexadecimal digits, of which the first 15 are read as a uniform number between 0 and 1.
        shares (sequence of `float`, *optional*, defaults to `(0.8, 0.1, 0.1)`):
            Shares of train, validation and test.
        among (sequence of `str`, *optional*, defaults to all three):
            The splits to choose from, in proportion to their shares.

    Returns:
        `str`: `"train"`, `"validation"` or `"test"`.
    """
    weights = {name: share for name, share in zip(SPLIT_NAMES, shares, strict=True) if name in among}
    left = int(content_hash[:15], 16) / 16**15 * sum(weights.values())
    for name, weight in weights.items():
        if left < weight:
            return name
        left -= weight
    return name


def assign_split(piece: Member, shares: Sequence[float], decided: Mapping[str, str] = UNDECIDED) -> str:
    """
    Names the split of a piece that may have an official one.

    Args:
        piece ([`Member`]): which.
        shares (sequence of `float`): shares of train, validation and test.
        decided (mapping of `str` to `str`, *optional*): splits by content hash, from [`splits_of_families`].
    """
    content_hash, official, carved = piece
    if piece.stays:
        return str(official)
    if content_hash in decided:
        return decided[content_hash]
    if official is None:
        return split_of(content_hash, shares)
    # Other digits than the ones that may have put the piece into train.
    return split_of(content_hash[15:], shares, among=("train", *carved))


def splits_of_families(members: Sequence[Member], families: Sequence[int], shares: Sequence[float]) -> dict[str, str]:
    """
    Finds the pieces that their family sends elsewhere than their own hash does.

    A family is on one side, but for pieces that stay where their corpus has them; the others join those, train before
    validation before test. A family of one piece, or of copies of one, goes by its hash as any piece does.

    Args:
        members (sequence of [`Member`]): pieces, those of all corpora that are loaded together.
        families (sequence of `int`): the family of each.
        shares (sequence of `float`): shares of train, validation and test.

    Returns:
        `dict[str, str]`: their splits by content hash.
    """
    gathered: dict[int, list[Member]] = {}
    for number, member in zip(families, members, strict=True):
        gathered.setdefault(number, []).append(member)
    decided: dict[str, str] = {}
    for family in gathered.values():
        movable = [member for member in family if not member.stays]
        if len(family) > 1 and movable:
            side = _side(family, movable, shares)
            decided |= {piece.content_hash: side for piece in movable if assign_split(piece, shares) != side}
    return decided


def _side(family: list[Member], movable: list[Member], shares: Sequence[float]) -> str:
    """Where those of a family go that do not stay."""
    stay = {member.official for member in family if member.stays}
    of_train = [member for member in movable if member.official is not None]
    if "train" in stay:
        return "train"
    if stay and not of_train:
        return next(name for name in SPLIT_NAMES if name in stay)
    smallest = min(member.content_hash for member in of_train or movable)
    are_several = len({member.content_hash for member in family}) > 1
    if not of_train:
        # The smallest of several begins with small digits, which would put most families into train.
        return split_of(smallest[15:] if are_several else smallest, shares)
    lacking = [name for name in SPLIT_NAMES if all(name in member.carved for member in of_train)]
    # The digits in front made it the smallest, and those after them may have put it into train.
    return split_of(smallest[::-1] if are_several else smallest[15:], shares, among=("train", *lacking))


def check_not_empty(counts: dict[str, int], corpus: str) -> None:
    """
    Refuses splits of which one has no piece.

    Args:
        counts (`dict[str, int]`): pieces by split.
        corpus (`str`): name or path, for the message.

    Raises:
        `ValueError`: naming the empty splits, the number of pieces, and what to do.
    """
    empty = [name for name in SPLIT_NAMES if counts.get(name, 0) == 0]
    if empty:
        raise ValueError(
            f"Corpus '{corpus}': the split{'s' if len(empty) > 1 else ''} {' and '.join(empty)} would be empty. "
            f"There are {sum(counts.values())} accepted pieces ({counts}). Those that share their melody are a "
            f"family, and on one side. '{SPLIT_VERSION}' fills every split as soon as there are three families that "
            "no official split holds: add pieces of other melodies, or look for refused ones in the quarantine "
            "report. "
            f"'{NOTES_HASH}' keeps copies alone together: give that split a larger share with "
            "split_shares=(train, validation, test)."
        )
