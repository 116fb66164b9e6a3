"""Which numbers an option takes, said once where the option is declared, and checked where it enters."""

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

LARGEST_INTEGER = 2**31 - 1
SEED_BITS = 64


@dataclass(frozen=True)
class Range:
    """
    The numbers that an option takes. NaN and infinity are in no range.

    Args:
        least (`float`, *optional*, defaults to 0): the smallest of them.
        unit (`str`, *optional*): what the number counts or measures.
        most (`float`, *optional*): the largest of them.
        open (`bool`, *optional*, defaults to `False`): `least` itself is not one of them.
        below (`bool`, *optional*, defaults to `False`): `most` itself is not one of them.
        share_of (`str`, *optional*): of what a number between 0 and 1 is a share; such numbers are taken too, and
            other ones must be whole.
        besides (`float`, *optional*): one more value, which has a meaning of its own.
    """

    least: float = 0
    unit: str = ""
    most: float = LARGEST_INTEGER
    open: bool = False
    below: bool = False
    share_of: str = ""
    besides: float | None = None

    def __contains__(self, value: Any) -> bool:
        if value == self.besides or (self.share_of and 0 < value < 1):
            return True
        above = value > self.least if self.open else value >= self.least
        return above and (value < self.most if self.below else value <= self.most) and not self._is_broken(value)

    def _is_broken(self, value: float) -> bool:
        return bool(self.share_of) and value != int(value)

    def __str__(self) -> str:
        return self._text(self.most != LARGEST_INTEGER)

    def told_of(self, value: Any) -> str:
        """In words, for a value that is none of them: the largest number too where it is above that."""
        return self._text(self.most != LARGEST_INTEGER or (isinstance(value, (int, float)) and value > self.most))

    def _text(self, with_most: bool) -> str:
        text = f"{'above' if self.open else 'at least'} {self.least}"
        if with_most:
            text += f" and {'below' if self.below else 'at most'} {self.most}"
        text += f" ({self.unit})" if self.unit else ""
        text += f", or a share of {self.share_of}, between 0 and 1" if self.share_of else ""
        return text if self.besides is None else f"{text}, or {self.besides}"


SEEDS = Range(most=2**32 - 1)
"""What NumPy takes, the narrowest of those that are seeded."""

PROCESSES = Range(1, "processes")


def check_ranges(values: Mapping[str, Any] | object, ranges: Mapping[str, Range]):
    """
    Refuses values out of their range.

    Args:
        values (mapping, or an object with attributes): by name; `None` is in every range, as are names without one.
        ranges (mapping of `str` to [`Range`]): by name.

    Raises:
        `ValueError`: naming the first such value and its range.
    """
    values = values if isinstance(values, Mapping) else vars(values)
    for name, numbers in ranges.items():
        value = values.get(name)
        if value is not None and not (isinstance(value, Real) and value in numbers):
            said = f"{value:g}" if isinstance(value, float) else value
            raise ValueError(f"{name}={said} must be {numbers.told_of(value)}.")


def check_seed(seed: int):
    """Raises `ValueError` where the seed of random numbers is no whole number from 0 to 2 ** 64 - 1."""
    whole = isinstance(seed, Integral) and not isinstance(seed, bool)
    if not whole or not 0 <= seed < 2**SEED_BITS:
        raise ValueError(f"seed={seed!r} must be a whole number from 0 to 2 ** {SEED_BITS} - 1.")
