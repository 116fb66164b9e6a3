"""Splits by content: the same music always falls on the same side, under whatever name."""

from __future__ import annotations

from collections.abc import Sequence

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

SPLIT_VERSION = "notes-hash-1"
"""How pieces without official splits are split; another version puts pieces elsewhere."""


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


def assign_split(content_hash: str, official: str | None, shares: Sequence[float], carved: Sequence[str] = ()) -> str:
    """
    Names the split of a piece that may have an official one.

    Args:
        content_hash (`str`): as in [`split_of`].
        official (`str`, *optional*): the split the corpus itself gives.
        shares (sequence of `float`): shares of train, validation and test.
        carved (sequence of `str`, *optional*): splits the corpus lacks, which are carved out of its train split.
    """
    if official is None:
        return split_of(content_hash, shares)
    if official == "train" and carved:
        # Other digits than the ones that may have put the piece into train.
        return split_of(content_hash[15:], shares, among=("train", *carved))
    return official


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
            f"There are {sum(counts.values())} accepted pieces ({counts}). Add pieces, give that split a larger share "
            "with split_shares=(train, validation, test), or look in the quarantine report for refused pieces."
        )
