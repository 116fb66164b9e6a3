"""How good what was put into a span of a piece is, beside the notes that were cut out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from symusic.core import ScoreTick

from ..music import RefusedFile
from .comparison import Comparison
from .infill_baselines import copy_before
from .judged_spans import JudgedSpan
from .note_matching import note_f1
from .similarities import INFILL_COMPARISONS


@dataclass(frozen=True)
class Measure:
    """
    A number of each infill. The nearer it is to that of the real bars, the better.

    Args:
        name (`str`): in snake_case.
        title (`str`): for headings.
        unit (`str`): of the number.
        says (`str`): what it is, as a sentence goes on after its title and a colon.
        decimals (`int`, *optional*, defaults to 3): that it is shown with.
        real (`float`, *optional*): what the real bars have by definition, if anything.
    """

    name: str
    title: str
    unit: str
    says: str
    decimals: int = 3
    real: float | None = None


NOTE_F1 = Measure(
    "note_f1",
    "Note F1",
    "F1",
    "notes of the right program and pitch that begin within an eighth of a quarter note of one that was cut out",
    real=1.0,
)

NOTE_F1_OFFSETS = Measure(
    "note_f1_offsets",
    "Note F1 with ends",
    "F1",
    "the same, of notes that end together, too: within a fifth of their length",
    real=1.0,
)

REPETITION = Measure(
    "repetition",
    "Repetition",
    "F1",
    "note F1 against as many bars before the span, which is 1 where these are repeated note for note",
)


def measures(comparisons: Sequence[Comparison] = INFILL_COMPARISONS) -> tuple[Measure, ...]:
    """All of them: those of notes, and of each comparison how near the infill comes to its surroundings."""
    of_comparisons = (Measure(each.name, each.title, each.unit, _says(each), each.decimals) for each in comparisons)
    return (NOTE_F1, NOTE_F1_OFFSETS, REPETITION, *of_comparisons)


def _says(comparison: Comparison) -> str:
    return f"{'similarity to' if comparison.higher_is_nearer else 'distance from'} the bars around the span"


@dataclass(frozen=True)
class Judgement:
    """
    Of one infill.

    Args:
        notes (`int`, *optional*): that it has; `None` where there is no infill.
        values (`dict[str, float]`): by the names of measures.
        undefined (`dict[str, str]`): why it has no value, by the names of the other measures.
        repeats (`bool`, *optional*): whether it is the bars before note for note; `None` where none are before.
    """

    notes: int | None = None
    values: dict[str, float] = field(default_factory=dict)
    undefined: dict[str, str] = field(default_factory=dict)
    repeats: bool | None = None


def judge_span(
    span: JudgedSpan,
    infills: Mapping[str, ScoreTick | RefusedFile],
    comparisons: Sequence[Comparison] = INFILL_COMPARISONS,
) -> dict[str, Judgement]:
    """
    Judges what was put into a span.

    Args:
        span ([`JudgedSpan`]): of a piece.
        infills (`dict[str, symusic.Score]`):
            By who put them there: notes in ticks, the span's start at tick 0; [`RefusedFile`] where there are none.
        comparisons (sequence of [`Comparison`], *optional*, defaults to [`INFILL_COMPARISONS`]):
            Of an infill with what surrounds it.

    Returns:
        `dict[str, Judgement]`: by who put them there.
    """
    ready = [comparison.bind() for comparison in comparisons]
    around = span.surroundings()
    known = {each.name: _feature(each, around, "surroundings") for each in ready}
    try:
        before: ScoreTick | RefusedFile = copy_before(span)
    except RefusedFile as refused:
        before = refused
    judged = {}
    for kind, infill in infills.items():
        if isinstance(infill, RefusedFile):
            judged[kind] = Judgement(undefined={each.name: infill.reason for each in measures(ready)})
            continue
        values = {
            NOTE_F1.name: note_f1(span.removed, infill),
            NOTE_F1_OFFSETS.name: note_f1(span.removed, infill, offsets=True),
        }
        undefined, repeats = {}, None
        if isinstance(before, RefusedFile):
            undefined[REPETITION.name] = before.reason
        else:
            values[REPETITION.name] = note_f1(before, infill)
            repeats = bool(infill.note_num()) and values[REPETITION.name] == 1
        for each in ready:
            features = known[each.name], _feature(each, infill, "infill")
            reason = next((feature.reason for feature in features if isinstance(feature, RefusedFile)), None)
            if reason is None:
                values[each.name] = float(each.distance(*features))
            else:
                undefined[each.name] = reason
        judged[kind] = Judgement(infill.note_num(), values, undefined, repeats)
    return judged


def _feature(comparison: Comparison, score: ScoreTick, part: str) -> Any:
    """What is compared, or [`RefusedFile`] with the part in its reason."""
    try:
        return comparison.feature(score)
    except RefusedFile as refused:
        return RefusedFile(f"{part}: {refused.reason}", refused.detail)
