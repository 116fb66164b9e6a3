"""How corpora are split for a model: what it is tested on, or trained on further, as what it was trained on."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from ..corpora.names import CorpusNames
from ..corpora.provenance import Provenance, provenance_of
from ..corpora.splits import OFFICIAL, SPLIT_VERSION, SPLIT_VERSIONS, CorpusSplits
from ..hub.bounds import shown
from .trained_splits import TrainedSplits

logger = logging.getLogger(__name__)


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

    Warns where pieces may be tested on that the model, or one that it went on from, was trained on.

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
    found = provenance_of(corpora, data_dir, revision, token=token)
    if all(each.splits == OFFICIAL for each in found):
        return asked
    learned = trained.of(found) if trained else []
    splits = asked | (learned[0] if learned else trained or CorpusSplits())
    if learned or (trained and not trained.corpora):
        why = "as the model was trained with"
    else:
        why = (
            "as those that the model was trained on"
            if trained
            else "the newest, as nothing tells how the model was trained"
        )
    _settled(corpora, splits, "as asked" if asked else why)
    _warn(_cut(found, splits), learned)
    return splits


def settle_training_splits(
    corpora: CorpusNames,
    asked: CorpusSplits,
    base: TrainedSplits | None,
    checkpoint: TrainedSplits | None = None,
    data_dir: str | Path | None = None,
    *,
    revision: str | None = None,
) -> CorpusSplits:
    """
    Decides how corpora are split to train on them. Logs it, and warns as [`settle_splits`].

    They are split as asked, else as of the checkpoint that is gone on from, else as the base model had them in its own
    training, if it had one of them. Else it is by the version of those that the base model was trained on, so that it
    is tested, before and after, on what it was not trained on; without one, as of today.

    Args:
        corpora (`str`, `Path`, builder class, or a list of these): as of [`load_corpus`].
        asked ([`CorpusSplits`]): by the user.
        base ([`TrainedSplits`], *optional*): of the model that is trained on.
        checkpoint ([`TrainedSplits`], *optional*): of the checkpoint.
        data_dir (`str` or `Path`, *optional*): as of [`load_corpus`].
        revision (`str`, *optional*): branch, tag or commit of those on the Hub.

    Returns:
        [`CorpusSplits`]: with a version; nothing but what was asked where all splits are official.

    Raises:
        `ValueError`: as [`settle_splits`].
    """
    found = provenance_of(corpora, data_dir, revision)
    if all(each.splits == OFFICIAL for each in found):
        return asked
    learned = base.of(found) if base else []
    said = checkpoint or (learned[0] if learned else None)
    of_base = CorpusSplits(base.version if base else None)
    splits = asked | (said or of_base) | CorpusSplits(SPLIT_VERSION)
    of_model = "as the base model was trained with" if base else "the newest"
    why = "as of the checkpoint" if checkpoint else of_model
    _settled(corpora, splits, "as asked" if asked else why)
    _warn(_cut(found, splits), learned)
    return splits


def _settled(corpora: CorpusNames, splits: CorpusSplits, why: str):
    if (version := splits.version or SPLIT_VERSION) not in SPLIT_VERSIONS:
        raise ValueError(
            f"The model was trained with splits {shown(version)}, which are none of {', '.join(SPLIT_VERSIONS)}: "
            "update neuromusic_hf, or choose others with split_version."
        )
    logger.info("Corpus '%s': splits %s, %s.", corpora, splits, why)


def _cut(found: Iterable[Provenance], splits: CorpusSplits) -> list[Provenance]:
    """Corpora, as they are split by us."""
    version = splits.version or SPLIT_VERSION
    return [
        each
        if each.splits == OFFICIAL
        else replace(each, splits=version, split_shares=splits.shares or each.split_shares)
        for each in found
    ]


def _warn(found: Sequence[Provenance], learned: Iterable[TrainedSplits]):
    for each in (each for each in learned if each.may_leak_into(found)):
        names = shown("+".join(each.corpora))
        if each.are_other_than(found):
            logger.warning(
                "The model was trained on %s by splits %s, and these are others: pieces that it was trained on are in "
                "validation and test, and flatter it. Leave split_version and split_shares out, or take other music.",
                names,
                shown(str(each)),
            )
        else:
            logger.warning(
                "The model was trained on %s%s: name just that. Families reach from corpus to corpus, so that with "
                "fewer or more of them pieces that it was trained on may be in other splits.",
                names,
                ", whose families were found together" if len(each.corpora) > 1 else "",
            )
