"""What was mended in a file: counted, or refused where nothing may be mended."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from .refusals import RefusedFile


@dataclass(frozen=True)
class Mend:
    """
    One kind of oddity that was mended in one file.

    Args:
        kind (`str`): short stable snake_case name.
        count (`int`): how often; of what, the detail says.
        detail (`str`): what was found, with numbers, and what became of it.
    """

    kind: str
    count: int
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}"


class Mends:
    """
    Collects what is mended in one file.

    Args:
        allowed (`bool`, *optional*, defaults to `True`): whether damage may be mended; if not, it is refused.
    """

    def __init__(self, allowed: bool = True):
        self.allowed = allowed
        self._counts: Counter[str] = Counter()
        self._details: dict[str, tuple[str, int]] = {}

    def __bool__(self) -> bool:
        return bool(self._counts)

    def count(self, kind: str) -> int:
        """How often a kind was met so far."""
        return self._counts[kind]

    def damage(self, kind: str, refusal: str, detail: str, count: int = 1) -> None:
        """
        Counts damage.

        Raises:
            [`RefusedFile`]: with the reason `refusal`, if nothing may be mended.
        """
        if not self.allowed:
            raise RefusedFile(refusal, detail)
        self.oddity(kind, detail, count)

    def oddity(self, kind: str, detail: str, count: int = 1) -> None:
        """Counts what does no harm, and is written anew so that every reader understands it alike."""
        self._counts[kind] += count
        first, times = self._details.get(kind, (detail, 0))
        self._details[kind] = first, times + 1

    def found(self) -> list[Mend]:
        """What was mended, in the order in which it was met."""
        counted = ((kind, self._counts[kind], *detail) for kind, detail in self._details.items())
        return [Mend(kind, count, _described(detail, times, count)) for kind, count, detail, times in counted]


def _described(first: str, times: int, count: int) -> str:
    return first if times == 1 else f"{first}; {count} in all"
