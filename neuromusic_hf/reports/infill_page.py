"""The report of infills as one HTML page that needs no other file."""

from __future__ import annotations

from pathlib import Path

from ..disk import user_path, write_file, write_whole
from .infill_exhibits import choose_spans, make_infill_exhibit
from .infill_pictures import plot_means, plot_values
from .infill_scores import INFILL_SCORES_NAME, InfillScores
from .infill_sentences import describe_measure, summarise, verdict
from .page import NAMES_SHOWN, PAGE_NAME
from .pictures import plot_scores
from .templates import png, render_page

MEANS_NAME = "means.png"
TEMPLATE_NAME = "infills.html"


def write_infill_report(scores: InfillScores, folder: str | Path) -> Path:
    """
    Writes all about judged infills: `infill_scores.json`, `infill_spans` as tables, `means.png` and `report.html`.

    The page holds its pictures and sounds, runs no script, and forbids the browser to fetch anything. Names of pieces
    are shown as text, whatever they hold.

    Args:
        scores ([`InfillScores`]): from [`score_infills`].
        folder (`str` or `Path`): where to write; made if missing.

    Returns:
        `Path`: of the page.
    """
    folder = user_path(folder)
    scores.save(folder)
    means = png(plot_means(scores.record))
    write_file(folder / MEANS_NAME, means)
    page = folder / PAGE_NAME
    write_whole(page, _render(scores, means))
    return page


def _render(scores: InfillScores, means: bytes) -> str:
    record, models = scores.record, scores.models
    titles = {each.score_name: each.title for each in scores.comparisons}
    rows = {record["kinds"][kind]: found for kind, found in record["scores"].items()}
    bars = {span.num_bars for span in scores.spans}
    return render_page(
        TEMPLATE_NAME,
        record={"runs": [], **record},
        models=models,
        bars=bars.pop() if len(bars) == 1 else None,
        all_tracks=sum(span.programs is None for span in scores.spans),
        summary=summarise(record, models),
        sentences={name: describe_measure(each, models) for name, each in record["measures"].items()},
        verdict=verdict,
        means_picture=means,
        score_picture=png(plot_scores(rows, titles)),
        value_pictures={model: png(plot_values(scores.table, scores.measures, model)) for model in models},
        exhibits=[make_infill_exhibit(scores, *chosen) for chosen in choose_spans(scores)],
        names_shown=NAMES_SHOWN,
        scores_name=INFILL_SCORES_NAME,
    )
