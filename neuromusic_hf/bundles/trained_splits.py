"""How the corpora were split that a model was trained on: what it is tested on is split in the same way."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..corpora.names import CorpusNames, find_corpora
from ..corpora.provenance import takes_splits
from ..corpora.splits import FAMILIES, NOTES_HASH, OFFICIAL, SPLIT_VERSION, SPLIT_VERSIONS, CorpusSplits, check_shares
from ..default_bundle import place_of
from ..hub import find_file
from ..hub.bounds import read_object, shown
from .facts import told
from .files import RECIPE_NAME, RUN_NAME

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainedSplits(CorpusSplits):
    """
    How the corpora were split that a model was trained on.

    Args:
        corpora (`tuple[str, ...]`): their names.
    """

    corpora: tuple[str, ...] = ()


def splits_of_model(
    model: str | Path, *, revision: str | None = None, token: str | bool | None = None
) -> TrainedSplits | None:
    """
    Tells how the corpora were split that a model was trained on.

    Its run.json says it, or the recipe.yaml of a checkpoint. Those of earlier versions say nothing of families, which
    there were not, and of shares only what was asked.

    Args:
        model (`str` or `Path`): folder of a bundle or of a checkpoint, Hub id, or `"default"`.
        revision (`str`, *optional*): branch, tag or commit on the Hub; main if not given.
        token (`str` or `bool`, *optional*): for the Hub.

    Returns:
        [`TrainedSplits`], or `None` where nothing tells of its training, or all its corpora had official splits.

    Raises:
        [`PullError`]: it is not there.
        `ValueError`: a file is damaged.
    """
    place = place_of(model)
    run, recipe = (_read(place, name, revision, token) for name in (RUN_NAME, RECIPE_NAME))
    if run is None and recipe is None:
        return None
    corpora = [each for each in told(run, list, "corpora") or [] if isinstance(each, dict)]
    ours = next((each for each in corpora if told(each, str, "splits") != OFFICIAL), None)
    if corpora and ours is None:
        return None if "split_shares" in corpora[0] else TrainedSplits(NOTES_HASH)
    version = told(ours, str, "splits") or told(recipe, str, "split_version") or NOTES_HASH
    shares = _shares(told(ours, list, "split_shares") or told(recipe, list, "split_shares"))
    return TrainedSplits(version, shares, tuple(told(each, str, "name") or "?" for each in corpora))


def settle_splits(
    corpora: CorpusNames,
    asked: CorpusSplits,
    trained: TrainedSplits | None,
    data_dir: str | Path | None = None,
    *,
    revision: str | None = None,
    token: str | bool | None = None,
) -> CorpusSplits:
    """
    Decides how corpora are split for a model: as asked, else as it was trained with, else as of today. Logs it.

    Args:
        corpora (`str`, `Path`, builder class, or a list of these): as of [`load_corpus`].
        asked ([`CorpusSplits`]): by the user.
        trained ([`TrainedSplits`], *optional*): from [`splits_of_model`].
        data_dir (`str` or `Path`, *optional*): as of [`load_corpus`].
        revision (`str`, *optional*): branch, tag or commit of those on the Hub.
        token (`str` or `bool`, *optional*): for the Hub.

    Returns:
        [`CorpusSplits`]: arguments of [`load_corpus`]; nothing but what was asked where all splits are official.

    Raises:
        `ValueError`: there is no such corpus, or the model was trained with splits that this version does not know.
    """
    if not takes_splits(corpora, data_dir, revision, token=token):
        return asked
    splits = asked | (trained or CorpusSplits())
    if (version := splits.version or SPLIT_VERSION) not in SPLIT_VERSIONS:
        raise ValueError(
            f"The model was trained with splits {shown(version)}, which are none of {', '.join(SPLIT_VERSIONS)}: "
            "update neuromusic_hf, or choose others with split_version."
        )
    why = "as the model was trained with" if trained else "the newest, as nothing tells how the model was trained"
    logger.info("Corpus '%s': splits %s, %s.", corpora, splits, "as asked" if asked.version else why)
    if trained and version == FAMILIES:
        names = {corpus.public_name for corpus in find_corpora(corpora, data_dir)}
        if names != (known := set(trained.corpora)) and names & known:
            logger.warning(
                "The model was trained on %s%s: name just that. Families reach from corpus to corpus, so that with "
                "fewer or more of them pieces that it was trained on may be in other splits.",
                shown("+".join(trained.corpora)),
                ", whose families were found together" if len(known) > 1 else "",
            )
    return splits


def _read(model: str | Path, name: str, revision: str | None, token: str | bool | None) -> dict[str, Any] | None:
    path = find_file(model, name, revision=revision, token=token)
    return None if path is None else read_object(path)


def _shares(said: list | None) -> tuple[float, float, float] | None:
    try:
        return None if said is None else check_shares(said)
    except (ValueError, TypeError, OverflowError):  # a stranger's
        return None
