"""The quarantine report that lies beside the rows of a prepared corpus: of files that are no rows any more."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace
from pathlib import Path

from ..hub import without_secrets
from ..hub.bounds import check_inside
from ..music.midi_feature import own_name
from .quarantine import QuarantineReport
from .repository import Repository

logger = logging.getLogger(__name__)

QUARANTINE = "quarantine.json"
"""Its name in a prepared folder, and in the repository that this was pushed to."""


def earlier_report(name: str, place: Repository | None = None) -> QuarantineReport | None:
    """
    What became of files when a corpus was prepared; `None` where nothing tells it, or what does cannot be read.

    Args:
        name (`str`): path of its folder, or id on the Hub.
        place ([`Repository`], *optional*): the dataset on the Hub.
    """
    if place is None:
        path = Path(name) / QUARANTINE
    elif QUARANTINE in place.files:
        path = Path(*place.fetch([QUARANTINE]))
    else:
        return None
    if not path.is_file():
        return None
    try:
        check_inside(path, path.parent)
        return QuarantineReport.load(path)
    except (OSError, ValueError) as error:
        logger.warning("'%s': what became of files when it was prepared is not told: %s", name, error)
        return None


def both_reports(name: str, earlier: QuarantineReport, now: QuarantineReport) -> QuarantineReport:
    """What became of files when a corpus was prepared, and of its rows now; that alone where they do not agree."""
    if earlier.accepted != now.num_files:
        logger.warning(
            "'%s': its %s tells of %d rows, and it has %d: what became of other files is not told.",
            name,
            QUARANTINE,
            earlier.accepted,
            now.num_files,
        )
        return now
    gone = {file["path"] for file in now.files}
    mended_files = [file for file in earlier.mended_files if file["path"] not in gone] + now.mended_files
    return QuarantineReport(
        earlier.corpus,
        now.accepted,
        refused=dict((Counter(earlier.refused) + Counter(now.refused)).most_common()),
        ignored=dict((Counter(earlier.ignored) + Counter(now.ignored)).most_common()),
        files=earlier.files + now.files,
        unread=earlier.unread + now.unread,
        ignored_files=earlier.ignored_files + now.ignored_files,
        mended=dict(Counter(str(file["kind"]) for file in mended_files).most_common()),
        mended_files=mended_files,
    )


def shared_report(report: QuarantineReport, name: str) -> QuarantineReport:
    """The report, of a corpus of that name, with the names that files have there and no path of this machine."""
    return replace(
        report,
        corpus=name,
        files=[_shared(file) for file in report.files],
        ignored_files=[without_secrets(own_name(path)) for path in report.ignored_files],
        mended_files=[_shared(file) for file in report.mended_files],
    )


def _shared(file: dict) -> dict:
    told = {key: without_secrets(value) if isinstance(value, str) else value for key, value in file.items()}
    return {**told, "path": without_secrets(own_name(file["path"]))}
