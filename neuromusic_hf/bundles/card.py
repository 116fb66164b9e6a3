"""The card of a bundle: written from its files and the id of its repository, and from nothing else."""

import logging
from collections.abc import Iterable
from pathlib import Path

from ..disk import write_whole
from ..hub import CARD_NAME, Card, Section, escape
from . import card_records, card_use
from .card_metadata import card_metadata
from .facts import BundleFacts

logger = logging.getLogger(__name__)

PLACEHOLDER = "user/model"
"""The id in the card of a bundle that has no repository yet."""


def bundle_card(folder: str | Path, repo_id: str, tags: Iterable[str] = ()) -> Card:
    """
    Makes the card of a bundle, of an adapter, or of a processor alone.

    Args:
        folder (`str` or `Path`): holds it.
        repo_id (`str`): the repository that it is for.
        tags (iterable of `str`, *optional*): beside its own.

    Raises:
        `ValueError`: a file of the bundle is damaged.
    """
    facts = BundleFacts.read(folder)
    name = repo_id.rpartition("/")[2]
    texts = {
        "about": card_use.about(facts),
        "use": card_use.use(facts, repo_id),
        "data": card_records.data(facts),
        "training": card_records.training(facts),
        "scores": card_records.scores(facts),
        "examples": card_records.examples(facts),
        "limits": card_records.limits(facts),
        "versions": card_records.versions(facts),
        "citation": card_records.citation(facts),
    }
    sections = [Section(key, text) for key, text in texts.items() if text]
    return Card(escape(name), card_metadata(facts, name, tags), sections)


def write_card(folder: str | Path, repo_id: str | None = None):
    """
    Writes the card of a bundle beside it, or anew; what its owner wrote into it stays.

    Args:
        folder (`str` or `Path`): of the bundle.
        repo_id (`str`, *optional*):
            The repository that it is for. Without it the card names another, which the log tells; a push mends that.

    Raises:
        `ValueError`: a file of the bundle is damaged.
        `OSError`: it cannot be written.
    """
    path = Path(folder, CARD_NAME)
    existing = path.read_text(encoding="utf-8") if path.is_file() else None
    write_whole(path, bundle_card(folder, repo_id or PLACEHOLDER).render(existing))
    if repo_id is None:
        logger.info("%s is the card of a repository %s: scripts/push_bundle.py writes its name.", path, PLACEHOLDER)
