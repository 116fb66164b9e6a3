"""Pushing what a training run made, with what its report says of it."""

import json
import logging
from pathlib import Path
from typing import Any

from huggingface_hub import CommitInfo

from ..bundles import BUNDLE_NAME, find_bundle, push_bundle, write_card
from ..default_bundle import is_default
from ..disk import user_path
from .publishing import add_report
from .run_scores import SCORES_NAME

logger = logging.getLogger(__name__)

REPORT_NAME = "report"


def push_run(place: str | Path, repo_id: str, report: str | Path | None = None, **pushing: Any) -> CommitInfo:
    """
    Pushes the bundle of a training run to the Hub, with the scores and the examples of a report on it.

    The bundle on disk gets them too, and its card the name of the repository; but for the one that comes with this
    package, which stays as it is.

    Args:
        place (`str` or `Path`): folder of the run, of a bundle or of an adapter.
        repo_id (`str`): repository; made if missing.
        report (`str` or `Path`, *optional*):
            Folder that `scripts/score_continuations.py` wrote. Where it is not given, the run's own `report`, if that
            is one on this model.
        pushing: of [`push_bundle`] (`private`, `revision`, `tag`, `base_model`, ...).

    Returns:
        [`~huggingface_hub.CommitInfo`]: with the commit and its address.

    Raises:
        `ValueError`: the report is one on another model, or on the bundle that comes with this package, which has its
            own; or as of [`push_bundle`].
        `FileNotFoundError`: there is no report in that folder, or the run that it is on is gone.
        [`~huggingface_hub.errors.HfHubHTTPError`]: the Hub refuses, or cannot be reached.
    """
    bundle = Path(find_bundle(place))
    if is_default(bundle):
        if report is not None:
            raise ValueError(f"The bundle that comes with neuromusic_hf has its scores: push it without {report}.")
        return push_bundle(bundle, repo_id, **pushing)
    if report is not None:
        add_run_report(bundle, user_path(report))
    else:
        _add_own_report(bundle)
    commit = push_bundle(bundle, repo_id, **pushing)
    write_card(bundle, commit.repo_url.repo_id)
    return commit


def _add_own_report(bundle: Path):
    report = (bundle.parent if bundle.name == BUNDLE_NAME else bundle) / REPORT_NAME
    if not (report / SCORES_NAME).is_file():
        return
    try:
        add_run_report(bundle, report)
    except (ValueError, FileNotFoundError) as error:
        logger.warning("The report in %s is left out: %s", report, error)


def add_run_report(bundle: Path, report: Path):
    """
    Writes into a bundle what a report says of it, as [`add_report`], which also takes the run that is reported.

    Raises:
        `ValueError`: the report is one on another model, or damaged.
        `FileNotFoundError`: there is no report in that folder, or the run that it is on is gone.
    """
    path = report / SCORES_NAME
    if not path.is_file():
        raise FileNotFoundError(f"There is no {path}: give the folder that scripts/score_continuations.py wrote.")
    try:
        continuations = json.loads(path.read_text(encoding="utf-8"))["run"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} does not hold the scores of a run ({error!r}): score it again.") from error
    add_report(bundle, report, continuations)
