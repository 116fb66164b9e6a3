"""What a leak report says, as it stands in its file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

from ..corpora import Provenance
from ..disk import to_json


@dataclass(frozen=True)
class ComparedCorpus:
    """
    A corpus that is looked at.

    Args:
        name (`str`): such as `"bach+folk"`; holds no path.
        corpora (`list[Provenance]`): what it is joined of, and how each is split.
        pieces (`dict[str, int]`): by split.
    """

    name: str
    corpora: list[Provenance]
    pieces: dict[str, int]


@dataclass(frozen=True)
class SplitLeak:
    """
    How many pieces of a split have a twin elsewhere.

    Args:
        split (`str`): whose pieces are counted.
        against (`str`): split in which their twins are, of the same corpus or of the other one; or `"any"` of its.
        pieces (`int`): of the split.
        twins (`int`): so many of them have a twin there.
        copies (`int`): so many of these have one of the same notes, all of them, maybe in another key.
        related (`int`): so many are of a family that has a piece there: those with a twin, and twins of twins.
    """

    split: str
    against: str
    pieces: int
    twins: int
    copies: int
    related: int

    @property
    def share(self) -> float | None:
        """Of the pieces with a twin; `None` where there is no piece."""
        return self.twins / self.pieces if self.pieces else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Of the share: 95%, after Wilson."""
        if not self.pieces:
            return None
        found = binomtest(self.twins, self.pieces).proportion_ci(method="wilson")
        return float(found.low), float(found.high)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, share and interval too."""
        return {**vars(self), "share": self.share, "interval": self.interval}


@dataclass(frozen=True)
class LeakedPiece:
    """
    A piece of a pair, and where in it is what the other one has too.

    Args:
        corpus (`str`): its name.
        split (`str`): in which it is.
        row (`int`): of the split.
        name (`str`): its title, or the name of its file.
        composer (`str`, *optional*): where the corpus says.
        file (`str`, *optional*): its path within the corpus.
        bars (`tuple[int, int]`, *optional*):
            The first and the last in which a shared note begins, counted from 1; `None`, as the next two, where no
            passage is shared.
        ticks (`tuple[int, int]`, *optional*): onsets of the first and of the last shared note.
        seconds (`tuple[float, float]`, *optional*): these in seconds.
    """

    corpus: str
    split: str
    row: int
    name: str
    composer: str | None = None
    file: str | None = None
    bars: tuple[int, int] | None = None
    ticks: tuple[int, int] | None = None
    seconds: tuple[float, float] | None = None

    @property
    def work(self) -> str:
        """Its name and composer."""
        return self.name if self.composer is None else f"{self.name} ({self.composer})"

    @property
    def label(self) -> str:
        """Its name and composer, and what tells it from others of that name: its file."""
        if self.file is None:
            return self.work
        return self.file if self.name == Path(self.file).stem else f"{self.work}, {self.file}"


@dataclass(frozen=True)
class LeakedPair:
    """
    Twins on two sides.

    Args:
        first ([`LeakedPiece`]): that of train where one is, else of validation; of two corpora, that of the first.
        second ([`LeakedPiece`]): the other.
        notes (`int`): so many are shared.
        share (`float`): of the shorter one's line.
        transposition (`int`): semitones from first to second.
        is_copy (`bool`): they have the same notes, all of them, up to that transposition.
        family (`int`): number of their family, the same in all pairs of it.
    """

    first: LeakedPiece
    second: LeakedPiece
    notes: int
    share: float
    transposition: int
    is_copy: bool
    family: int


@dataclass(frozen=True)
class Family:
    """
    Pieces that are joined by twins.

    Args:
        size (`int`): how many they are.
        groups (`dict[str, int]`): how many are in which split; of two corpora, in `corpus` and in `against`.
        works (`dict[str, int]`): names with composers of 12 at most, and how many are called so.
    """

    size: int
    groups: dict[str, int]
    works: dict[str, int]


@dataclass(frozen=True)
class Families:
    """
    The families of more than one piece.

    Args:
        count (`int`): how many there are.
        pieces (`int`): how many are in one.
        across (`int`): how many families lie on more than one side: in several splits, or in both corpora.
        sizes (`dict[str, int]`): how many there are of each size.
        largest (`list[Family]`): five at most.
    """

    count: int
    pieces: int
    across: int
    sizes: dict[str, int]
    largest: list[Family]


@dataclass(frozen=True)
class LeakReport:
    """
    What leaks.

    Args:
        corpus ([`ComparedCorpus`]): whose splits are looked at.
        against ([`ComparedCorpus`], *optional*): the other one, in which its twins are looked for.
        leaks (`list[SplitLeak]`): in numbers.
        families ([`Families`]): of all pieces; of two corpora, joined by twins of one and the other alone.
        pairs (`list[LeakedPair]`): twins on two sides, those that share most notes first.
        versions (`dict[str, str]`): of the packages.
    """

    corpus: ComparedCorpus
    against: ComparedCorpus | None
    leaks: list[SplitLeak]
    families: Families
    pairs: list[LeakedPair]
    versions: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {name: to_json(value) for name, value in vars(self).items()}
