"""Several scored runs side by side: a table, a picture, and a page with the pieces that all of them continued."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..disk import check_output_folder, to_json, user_path, write_file, write_whole
from ..hub.markdown import escape
from ..metrics import COMPARISONS
from .pictures import plot_scores
from .scored_runs import ScoredRun, ScoreRecord, read_scores
from .sentences import below_floor
from .shared_runs import PICTURE_NAME as SHARED_RUNS_NAME
from .shared_runs import guarded_length, plot_shared_runs
from .side_by_side_pieces import course_of, pieces_side_by_side
from .templates import png, render_page

TABLE_NAME = "comparison.md"
PICTURE_NAME = "comparison.png"
PAGE_NAME = "comparison.html"
TEMPLATE_NAME = "side_by_side.html"

MUST_AGREE = {
    "pieces": ("run", "pieces", "sha256"),
    "prompt length": ("run", "continuation", "prompt_length"),
    "length of continuation": ("run", "continuation", "continue_length"),
    "score settings": ("scores",),
    "harmony embedding": ("harmony_embedding",),
    "training corpus": ("train_corpus",),
    "notes of the training corpus": ("train_notes_sha256",),
    "version of the splits": ("split_version",),
    "shares of the splits": ("split_shares",),
    "whether pieces with a twin in train count": ("clean_test",),
}
"""Settings without which scores cannot be compared, by what they are."""


def compare_runs(runs: Sequence[str | Path], folder: str | Path) -> Path:
    """
    Writes `comparison.md` and `comparison.png`: the scores of several runs with their intervals and noise floors.

    And `comparison.html`: the same on one page that needs no other file, with pieces as each run continued them.

    A score that not all of them have is a dash for the others. Pieces are shown where the test runs that were scored
    are still where they were, and all continued the same. Where a model's folder tells how its evaluations went while
    it was trained, so do table and page. Where novelty was measured, `shared_runs.png` and the page show how
    long the runs are that pieces share with training pieces, guarded and not.

    Args:
        runs (sequence of `str` or `Path`): each `scores.json`, or the folder that holds it; rows keep their order.
        folder (`str` or `Path`): where to write; made if missing.

    Returns:
        `Path`: of the table.

    Raises:
        `FileNotFoundError`: a run has no scores yet.
        `ValueError`: a file does not hold the scores of a run.
    """
    scored = [read_scores(user_path(run)) for run in runs]
    folder = user_path(folder)
    check_output_folder(folder)
    table = folder / TABLE_NAME
    titles = _titles(scored)
    courses = [(run.label, sentence) for run in scored for sentence in course_of(run.identity)]
    write_whole(table, "\n".join(_markdown(scored, titles, courses)) + "\n")
    # The row number keeps runs apart that have one label.
    labels = [f"{number}. {run.label}" for number, run in enumerate(scored, 1)]
    rows = {label: to_json(run.scores) for label, run in zip(labels, scored, strict=True)}
    picture = png(plot_scores(rows, titles))
    write_file(folder / PICTURE_NAME, picture)
    shared = {label: run.shared_runs for label, run in zip(labels, scored, strict=True) if run.shared_runs.generated}
    (folder / SHARED_RUNS_NAME).unlink(missing_ok=True)
    if shared_picture := png(plot_shared_runs(shared)) if shared else None:
        write_file(folder / SHARED_RUNS_NAME, shared_picture)
    limit = guarded_length(run.shared_runs for run in scored)
    page = render_page(
        TEMPLATE_NAME,
        courses=courses,
        heads=_heads(titles, limit),
        rows=[_cells(number, run, titles, limit) for number, run in enumerate(scored, 1)],
        notes=_notes(limit),
        different=_differences(scored),
        picture=picture,
        shared_picture=shared_picture,
        pieces=pieces_side_by_side([(run.record.run, run.identity) for run in scored], labels),
    )
    write_whole(folder / PAGE_NAME, page)
    return table


def _titles(runs: list[ScoredRun]) -> dict[str, str]:
    """Of all scores that any of the runs has, by their names; those of this package come first."""
    scored = dict.fromkeys(name for run in runs for name in run.scores)
    ours = [comparison.score_name for comparison in COMPARISONS]
    titles = {}
    for name in [*(name for name in ours if name in scored), *(name for name in scored if name not in ours)]:
        described = (run.comparison(name) for run in runs if name in run.scores)
        titles[name] = next((each.title for each in described if each is not None), name)
    return titles


def _markdown(runs: list[ScoredRun], titles: dict[str, str], courses: list[tuple[str, str]]) -> list[str]:
    limit = guarded_length(run.shared_runs for run in runs)
    heads = list(map(escape, _heads(titles, limit)))
    lines = [_row(heads), _row(["---"] * len(heads))]
    for number, run in enumerate(runs, 1):
        place, label, *cells = _cells(number, run, titles, limit)
        lines.append(_row([place, escape(label), *cells]))
    told = [line for label, sentence in courses for line in ("", f"{escape(label)}: {sentence}")]
    return [*lines, "", *_notes(limit), *_disagreements(runs), *told]


def _heads(titles: dict[str, str], limit: int | None) -> list[str]:
    guarded = [] if limit is None else [f"over {limit} notes"]
    return ["", "run", *titles.values(), "pieces", "token errors", "beyond originals", *guarded]


def _cells(number: int, run: ScoredRun, titles: dict[str, str], limit: int | None) -> list[str]:
    pieces = sorted({score.num_pieces for score in run.scores.values()})
    token_errors, novelty = run.record.token_errors, run.record.novelty
    return [
        f"{number}",
        run.label,
        *(_cell(run.scores.get(name)) for name in titles),
        "/".join(map(str, pieces)),
        _rate(token_errors and token_errors.token_error_rate),
        _rate(novelty and novelty.share_beyond_originals),
        *([] if limit is None else [_rate(run.shared_runs.share_beyond(limit))]),
    ]


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(score: ScoreRecord | None) -> str:
    if score is None or score.score is None:
        return "–"
    if score.interval is None:
        return f"{score.score:.3f}"
    low, high = score.interval
    mark = " ≈" if below_floor(to_json(score)) else ""
    return f"{score.score:.3f}{mark} [{low:.3f}, {high:.3f}], floor {score.noise_floor_95:.3f}"


def _rate(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _notes(limit: int | None) -> list[str]:
    guarded = [f"Over {limit} notes is the share that copies longer runs than a copy guard of these runs lets be."]
    return [
        "Scores are KL(original || generated) in nats, lower is better, with 95% intervals. ≈ marks a score that is",
        "not above its noise floor (95%): no difference from the originals can be told from chance. Token errors are",
        "a share of tokens; beyond originals is the share of continuations that copy longer runs from the training",
        "pieces than 95% of the originals do.",
        *([] if limit is None else guarded),
    ]


def _disagreements(runs: list[ScoredRun]) -> list[str]:
    """A warning where the runs differ in what makes scores comparable."""
    if not (different := list(map(escape, _differences(runs)))):
        return []
    return ["", f"**These runs differ in {', '.join(different)}: their scores cannot be compared as they stand.**"]


def _differences(runs: list[ScoredRun]) -> list[str]:
    """In what they differ that makes scores comparable."""
    different = [
        name
        for name, keys in MUST_AGREE.items()
        if len({json.dumps(_at(to_json(run.record.settings), keys), sort_keys=True) for run in runs}) > 1
    ]
    return [*different, *(f"what {name} compares" for name in _unlike(runs))]


def _unlike(runs: list[ScoredRun]) -> Iterator[str]:
    """Names of scores that the runs compute with other functions."""
    for name in _titles(runs):
        described = [run.comparison(name) for run in runs if name in run.scores]
        if len({each and each.identity for each in described}) > 1:
            yield name


def _at(settings: dict, keys: tuple[str, ...]):
    for key in keys:
        settings = (settings or {}).get(key)
    return settings
