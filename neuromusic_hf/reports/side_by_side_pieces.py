"""The pieces that several test runs continued, each as all of them did."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from symusic.core import ScoreTick

from ..bundles import ModelIdentity
from ..bundles.course import course_sentences, value_after
from ..bundles.facts import told
from ..bundles.files import RUN_NAME
from ..hub.bounds import read_object
from ..music import load_score, new_music
from ..rendering import plot_piano_roll
from ..runs import FinishedRun, PieceRecord, read_run
from .showcase import MOST_SECONDS, ShownPiece, show_piece
from .templates import png

logger = logging.getLogger(__name__)

PIECES_SHOWN = 3
SECONDS_OF_SOUND = 210
"""On one page, which have 9 MB, or 12 as text."""


@dataclass(frozen=True)
class PieceSideBySide:
    """
    A piece, as it goes on and as several runs continued it.

    Args:
        name (`str`): of the piece.
        original (`bytes`, *optional*): piano roll of prompt and original, PNG; `None` where it cannot be drawn.
        versions (`list[tuple[str, ShownPiece]]`): what each run made of it, by the label of the run.
    """

    name: str
    original: bytes | None
    versions: list[tuple[str, ShownPiece]]


def pieces_side_by_side(
    scored: Sequence[tuple[str | None, ModelIdentity]], labels: Sequence[str]
) -> list[PieceSideBySide]:
    """
    Shows the first pieces that several test runs continued.

    Args:
        scored (sequence of `tuple`): of each run that was scored, its folder and its model.
        labels (sequence of `str`): of the runs.

    Returns:
        `list`: none where a run is no longer there, or another than was scored, or not all continued the same pieces.
    """
    runs = [_run_of(folder, model) for folder, model in scored]
    found = [run for run in runs if run is not None]
    pieces = {run.settings.pieces.sha256 for run in found}
    if len(found) < len(runs) or len(pieces) > 1 or None in pieces:
        return []
    by_index = [{record.index: record for record in run.records} for run in found]
    common = sorted(set.intersection(*(set(records) for records in by_index)))[:PIECES_SHOWN]
    most_seconds = min(MOST_SECONDS, SECONDS_OF_SOUND / max(1, len(common) * len(found)))
    shown = []
    for index in common:
        records = [records[index] for records in by_index]
        versions = [show_piece(run, record, most_seconds) for run, record in zip(found, records, strict=True)]
        original = _draw_original(found[0], records[0])
        shown.append(PieceSideBySide(records[0].name, original, list(zip(labels, versions, strict=True))))
    return shown


def _run_of(folder: str | None, model: ModelIdentity) -> FinishedRun | None:
    """The run in a folder, if its model is this one."""
    try:
        run = read_run(folder or "")
    except (OSError, ValueError) as error:
        logger.info("No pieces are shown: %s", error)
        return None
    return run if replace(run.model, base=None) == model else None


def _draw_original(run: FinishedRun, record: PieceRecord) -> bytes | None:
    """The original is kept from the bar on in which it begins, as the continuation is."""
    files = record.files
    try:
        prompt, generated, original = (
            load_score(run.path(name)) for name in (files.prompt, files.generated, files.original)
        )
        full = load_score(run.path(files.full))
        shift = _first_onset(new_music(full, prompt, from_zero=False)) - _first_onset(generated)
        return png(plot_piano_roll(prompt, original.shift_time(shift), title=record.name))
    except (OSError, RuntimeError, ValueError) as error:
        logger.info("The original of %s is not shown: %s", record.label, error)
        return None


def _first_onset(score: ScoreTick) -> int:
    return min(note.time for track in score.tracks for note in track.notes)


def course_of(model: ModelIdentity) -> list[str]:
    """
    How the evaluations of a fine-tuned model went, in sentences.

    None of one whose folder holds no record of that, or another model by now, and of one that was not evaluated before
    its first step: it has no before and after.
    """
    path = Path(model.place) / RUN_NAME
    if not model.is_of_folder or not path.is_file() or model.is_changed():
        return []
    course = told(read_object(path), dict, "course") or {}
    return course_sentences(course) if value_after(course, 0) is not None else []
