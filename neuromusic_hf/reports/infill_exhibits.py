"""The best, the median and the worst infill, to look at and to listen to."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from symusic.core import ScoreTick

from ..metrics.judged_spans import JudgedSpan
from ..music import RefusedFile, replace_notes
from ..music.instruments import PROGRAM_NAMES
from ..rendering import Windows, plot_infill, render_windows
from .infill_scores import COPY, REAL, InfillScores
from .piece_table import mean_rank
from .showcase import choose_exhibits, write_wav
from .templates import png

SAMPLE_RATE = 16000
BARS_AROUND = 2
MOST_SECONDS = 25.0
"""Of one sound: nine of them take 7 MB, 10 as text in a page."""


@dataclass(frozen=True)
class View:
    """
    A span as one has filled it.

    Args:
        title (`str`): who.
        picture (`bytes`, *optional*): piano roll of the passage around it, PNG.
        sound (`bytes`, *optional*): of the passage, WAV of 16 bits, mono.
        silence (`str`, *optional*): why there is none, or no picture either.
    """

    title: str
    picture: bytes | None = None
    sound: bytes | None = None
    silence: str | None = None


@dataclass(frozen=True)
class InfillExhibit:
    """
    A span to show.

    Args:
        place (`str`): such as `"best"`.
        name (`str`): of the piece.
        bars (`tuple[int, int]`): of the span, from 0, the end exclusive.
        instruments (`str`): that were cut out.
        views (list of [`View`]): as it really is, by the model and as a copy.
    """

    place: str
    name: str
    bars: tuple[int, int]
    instruments: str
    views: list[View]


def choose_spans(scores: InfillScores) -> list[tuple[str, int]]:
    """Place and number of the spans whose infill by the first model differs least, middling and most from the real."""
    names = [each.name for each in scores.measures]
    by_kind = {
        part: scores.table[scores.table["kind"] == kind].set_index("span")[names].astype("float64")
        for part, kind in (("original", REAL), ("generated", scores.models[0]))
    }
    wide = pd.concat([each.add_suffix(f"_{part}") for part, each in by_kind.items()], axis=1)
    return choose_exhibits(wide.assign(mean_rank=mean_rank(wide, names)))


def make_infill_exhibit(scores: InfillScores, place: str, number: int) -> InfillExhibit:
    """
    Draws and renders a span as it really is, as the first model filled it, and as a copy of the bars before.

    Args:
        scores ([`InfillScores`]): of all spans.
        place (`str`): what it is shown for.
        number (`int`): of the span.
    """
    span = scores.spans[number]
    kinds = (REAL, scores.models[0], COPY)
    views = [_view(span, kind, scores.infills[kind][number], scores.record["kinds"][kind]) for kind in kinds]
    first = len(span.before(len(span.bars) + 10**6)) - 1
    return InfillExhibit(place, span.name, (first, first + span.num_bars), _instruments(span), views)


def _view(span: JudgedSpan, kind: str, infill: ScoreTick | RefusedFile, title: str) -> View:
    if isinstance(infill, RefusedFile):
        return View(title, silence=str(infill))
    picture, filled, place = None, span.piece, [(span.start, span.end)]
    try:
        if kind != REAL:  # whose notes stand in the pictures of the others, as those that were removed
            replaced = replace_notes(span.piece, span.start, span.end, infill, span.programs)
            picture = png(plot_infill(span.piece, replaced.added, replaced.removed, place, bars=BARS_AROUND))
            filled = replaced.score
        windows = Windows.around(span.piece, place, BARS_AROUND)
        audio = render_windows(filled, windows, sample_rate=SAMPLE_RATE, max_seconds=MOST_SECONDS)
        return View(title, picture, write_wav(audio.mean(axis=0), SAMPLE_RATE))
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        return View(title, picture, silence=str(error))


def _instruments(span: JudgedSpan) -> str:
    if span.programs is None:
        return "all tracks"
    return ", ".join("drums" if each < 0 else PROGRAM_NAMES[each] for each in sorted(span.programs))
