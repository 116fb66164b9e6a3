"""What was read of a stream: counts that add up, over processes and over runs that go on."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..tokenization import Tally

NAMES_KEPT = 20
"""Of files that are refused, and of pieces without a note in the vocabulary."""


@dataclass(frozen=True)
class FirstPass:
    """
    What the first pass over a stream found, as far as it came. All later ones read the same pieces.

    Args:
        pieces (`int`): with a note in the vocabulary.
        notes (`int`): that stand in their tokens.
        tokens (`int`): of them.
        without_notes (`int`): pieces of which the tokenizer keeps no note, which are left out.
        names_without_notes (`list[str]`): of the first of these.
        refused (`dict[str, int]`): files by reason.
        names_refused (`list[str]`): of the first of these.
        mended (`dict[str, int]`): pieces by what was mended in them.
        changed_pieces (`int`): those in which the tokenizer changed something.
        changed (`dict[str, float]`): what, in sum, as of [`Tally`].
    """

    pieces: int = 0
    notes: int = 0
    tokens: int = 0
    without_notes: int = 0
    names_without_notes: list[str] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)
    names_refused: list[str] = field(default_factory=list)
    mended: dict[str, int] = field(default_factory=dict)
    changed_pieces: int = 0
    changed: dict[str, float] = field(default_factory=dict)

    def __add__(self, other: FirstPass) -> FirstPass:
        return FirstPass(**_sums(self, other))

    @property
    def tally(self) -> Tally:
        """What the tokenizer changed."""
        return Tally.from_dict(self.changed)


@dataclass(frozen=True)
class StreamCounts:
    """
    What became blocks.

    Args:
        passes (`int`): over all pieces, that are finished.
        pieces (`int`): read in all passes, variants in later ones.
        tokens (`int`): of them.
        blocks (`int`): made of these, and of samples of infilling.
        infill_samples (`int`): of infilling.
        infill_tokens (`int`): of these.
        infill_left_out (`dict[str, int]`): samples that could not be made, by reason.
        programs (`list[int]`): that the tokens name, ascending, -1 for drums.
        first (`FirstPass`): of the first pass.
    """

    passes: int = 0
    pieces: int = 0
    tokens: int = 0
    blocks: int = 0
    infill_samples: int = 0
    infill_tokens: int = 0
    infill_left_out: dict[str, int] = field(default_factory=dict)
    programs: list[int] = field(default_factory=list)
    first: FirstPass = field(default_factory=FirstPass)

    def __add__(self, other: StreamCounts) -> StreamCounts:
        return StreamCounts(**_sums(self, other) | {"programs": sorted({*self.programs, *other.programs})})


def _sums(one: StreamCounts | FirstPass, other: StreamCounts | FirstPass) -> dict:
    pairs = {each.name: (getattr(one, each.name), getattr(other, each.name)) for each in dataclasses.fields(one)}
    return {name: _sum(*pair) for name, pair in pairs.items()}


def _sum(one, other):
    if isinstance(one, dict):
        return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}
    return [*one, *other][:NAMES_KEPT] if isinstance(one, list) else one + other


def facts_of_stream(shares: Sequence[StreamCounts], content: str, vocabulary: str, num_shares: int) -> dict:
    """
    What a streamed train split holds, as JSON values for the record of a run, as far as it was read.

    Args:
        shares (sequence of [`StreamCounts`]): of those shares of the stream that have been read.
        content (`str`): what the corpus is known by.
        vocabulary (`str`): what the vocabulary is known by.
        num_shares (`int`): shares that there are.
    """
    whole = sum(shares, StreamCounts())
    first, finished = whole.first, [counts.passes for counts in shares] + [0] * (num_shares - len(shares))
    tokens = whole.tokens + whole.infill_tokens
    facts = {
        "streamed": True,
        "content": content,
        "ids": vocabulary,
        "first_pass_is_finished": min(finished) > 0,
        **{name: getattr(first, name) for name in ("pieces", "notes", "tokens")},
        "left_out": {
            "no_notes_in_vocabulary": {"pieces": first.without_notes, "first": first.names_without_notes},
            "refused": {"by_reason": first.refused, "first": first.names_refused},
        },
        "mended": first.mended,
        "changed_by_tokenizer": {
            "pieces": first.pieces + first.without_notes,
            "changed": first.changed_pieces,
            "total": first.tally.to_dict(),
            "lost_share": first.tally.lost_share,
            "summary": str(first.tally),
        },
        "read": {
            "passes_finished": min(finished),
            "pieces": whole.pieces,
            "tokens": whole.tokens,
            "blocks": whole.blocks,
        },
    }
    if whole.infill_samples or whole.infill_left_out:
        facts["infill"] = {
            "share": whole.infill_tokens / tokens if tokens else 0.0,
            "samples": whole.infill_samples,
            "tokens": whole.infill_tokens,
            "left_out": whole.infill_left_out,
        }
    return facts


def counted(values: Sequence[str]) -> dict[str, int]:
    """How often each stands there, the most frequent first."""
    return dict(Counter(values).most_common())
