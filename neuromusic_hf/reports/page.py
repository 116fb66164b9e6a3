"""The report of a run as one HTML page that needs no other file."""

from pathlib import Path

import pandas as pd

from ..disk import user_path, write_file, write_whole
from ..runs import FinishedRun, piece_label
from .pictures import plot_distances, plot_scores
from .run_scores import SCORES_NAME, RunScores
from .sentences import (
    MANY_PIECES,
    clearly_above,
    describe_distances,
    describe_guard,
    describe_novelty,
    describe_score,
    describe_token_errors,
)
from .showcase import choose_exhibits, make_exhibit
from .templates import png, render_page

PAGE_NAME = "report.html"
DISTANCES_NAME = "distances.png"
TEMPLATE_NAME = "page.html"
NAMES_SHOWN = 12


def write_report(run: FinishedRun, scores: RunScores, folder: str | Path) -> Path:
    """
    Writes everything about a run: `scores.json`, `pieces.parquet`, `pieces.csv`, `distances.png` and `report.html`.

    The page holds its pictures and sounds, runs no script, and forbids the browser to fetch anything. It stays under
    15 MB. Names of pieces are shown as text, whatever they hold.

    Args:
        run ([`FinishedRun`]): from [`read_run`].
        scores ([`RunScores`]): from [`score_run`].
        folder (`str` or `Path`): where to write; made if missing.

    Returns:
        `Path`: of the page.
    """
    folder = user_path(folder)
    scores.save(folder)
    distances = png(plot_distances(scores.table, scores.comparisons))
    write_file(folder / DISTANCES_NAME, distances)
    page = folder / PAGE_NAME
    write_whole(page, _render(run, scores, distances))
    return page


def _render(run: FinishedRun, scores: RunScores, distances: bytes) -> str:
    record, comparisons = scores.record, scores.comparisons
    exhibits = [make_exhibit(run, scores.table, *chosen) for chosen in choose_exhibits(scores.table)]
    return render_page(
        TEMPLATE_NAME,
        record=record,
        comparisons=comparisons,
        sentences={each.name: describe_score(record["scores"][each.score_name], each) for each in comparisons},
        described_distances=describe_distances(comparisons),
        clearly_above=clearly_above,
        token_errors=record["token_errors"] and describe_token_errors(record["token_errors"]),
        novelty=record["novelty"] and describe_novelty(record["novelty"]),
        copy_guard=record["copy_guard"] and describe_guard(record["copy_guard"]),
        most_copied=_most_copied(scores.table),
        score_picture=png(plot_scores({"": record["scores"]}, {each.score_name: each.title for each in comparisons})),
        distance_picture=distances,
        exhibits=exhibits,
        ranked=int(scores.table["mean_rank"].notna().sum()),
        names_shown=NAMES_SHOWN,
        many_pieces=MANY_PIECES,
        scores_name=SCORES_NAME,
    )


def _most_copied(table: pd.DataFrame) -> str | None:
    """Label of the piece whose continuation shares the longest run with the training pieces."""
    runs = table["novelty_generated"].dropna()
    return None if runs.empty else piece_label(*table.loc[runs.idxmax(), ["index", "name"]])
