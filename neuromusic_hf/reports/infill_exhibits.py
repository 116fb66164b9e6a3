"""The best, the median and the worst infill, to look at and to listen to."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import pandas as pd
from symusic.core import ScoreTick

from ..metrics.judged_spans import JudgedSpan
from ..music import RefusedFile, replace_notes
from ..music.instruments import name_programs
from ..rendering import Windows, plot_infill, render_windows
from ..rendering.window_sound import CUT_WARNING
from ..rendering.windows import PAUSE_SECONDS
from .infill_scores import COPY, REAL, InfillScores
from .piece_table import mean_rank
from .showcase import choose_exhibits, write_wav
from .templates import png

SAMPLE_RATE = 16000
BARS_AROUND = 2
MOST_SECONDS = 60.0
"""Of one sound: nine of them take 17 MB at most, 23 as text in a page."""


@dataclass(frozen=True)
class View:
    """
    A span as one has filled it.

    Args:
        title (`str`): who.
        picture (`bytes`, *optional*): piano roll of the passage around it, PNG.
        sound (`bytes`, *optional*): of the passage, WAV of 16 bits, mono.
        silence (`str`, *optional*): why there is none, or no picture either.
        cut (`str`, *optional*): how much of the passage the sound has, if not all.
        incomplete (`str`, *optional*): what ended the infill before its span was full.
    """

    title: str
    picture: bytes | None = None
    sound: bytes | None = None
    silence: str | None = None
    cut: str | None = None
    incomplete: str | None = None


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
    views = [
        replace(
            _view(span, kind, scores.infills[kind][number], scores.record["kinds"][kind]),
            incomplete=scores.incomplete[kind][number] if kind in scores.incomplete else None,
        )
        for kind in kinds
    ]
    first = len(span.before(len(span.bars) + 10**6)) - 1
    return InfillExhibit(place, span.name, (first, first + span.num_bars), name_programs(span.programs), views)


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
        total, cut = windows.total_seconds + PAUSE_SECONDS, None
        with warnings.catch_warnings():
            if total > MOST_SECONDS:
                cut = f"the first {MOST_SECONDS:.0f} s of {total:.0f} s"
                warnings.filterwarnings("ignore", message=CUT_WARNING)  # the page says it
            audio = render_windows(filled, windows, sample_rate=SAMPLE_RATE, max_seconds=MOST_SECONDS)
        return View(title, picture, write_wav(audio.mean(axis=0), SAMPLE_RATE), cut=cut)
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        return View(title, picture, silence=str(error))
