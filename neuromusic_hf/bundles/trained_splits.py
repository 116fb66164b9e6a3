"""How the corpora were split that a model was trained on: what it is tested on is split in the same way."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..corpora.names import CorpusNames
from ..corpora.provenance import Provenance, provenance_of
from ..corpora.splits import FAMILIES, NOTES_HASH, OFFICIAL, SPLIT_VERSION, SPLIT_VERSIONS, CorpusSplits, check_shares
from ..default_bundle import place_of
from ..disk import last_part
from ..hub import find_file, is_hub_id
from ..hub.bounds import read_object, shown
from .facts import told
from .files import RECIPE_NAME, RUN_NAME

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainedSplits(CorpusSplits):
    """
    How the corpora were split that a model was trained on.

    Args:
        corpora (`tuple[str, ...]`): their names; none where nothing tells them.
        before (`tuple[TrainedSplits, ...]`): those of the models that it went on from, the latest first.
    """

    corpora: tuple[str, ...] = ()
    before: tuple[TrainedSplits, ...] = ()

    def of(self, found: Iterable[Provenance]) -> list[TrainedSplits]:
        """Those, the latest first, in which one of these corpora was that is left to us to split."""
        names = {each.name for each in found if each.splits != OFFICIAL}
        return [each for each in (self, *self.before) if names.intersection(each.corpora)]

    def are_other_than(self, found: Iterable[Provenance]) -> bool:
        """Whether corpora that were learned from are cut otherwise now."""
        ours = [each for each in found if each.splits != OFFICIAL]
        shares = {tuple(each.split_shares) for each in ours if each.split_shares and self.shares}
        return bool({each.splits for each in ours} - {self.version} or shares - {self.shares})


def splits_of_model(
    model: str | Path,
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    **where: Any,
) -> TrainedSplits | None:
    """
    Tells how the corpora were split that a model was trained on, and those that it went on from.

    Its run.json says it, or the recipe.yaml of a checkpoint. Those of earlier versions say nothing of families, which
    there were not, and of shares only what was asked.

    Args:
        model (`str` or `Path`): folder of a bundle or of a checkpoint, Hub id, or `"default"`.
        revision (`str`, *optional*): branch, tag or commit on the Hub; main if not given.
        token (`str` or `bool`, *optional*): for the Hub.
        where: further arguments of [`find_file`].

    Returns:
        [`TrainedSplits`], or `None` where nothing tells of its training, or all its corpora had official splits.

    Raises:
        [`PullError`]: it is not there.
        `ValueError`: a file is damaged.
    """
    place = place_of(model)
    run, recipe = (_read(place, name, revision=revision, token=token, **where) for name in (RUN_NAME, RECIPE_NAME))
    if run is None and recipe is None:
        return None
    before = splits_before(told(run, dict, "base_model"))
    corpora = _corpora(run)
    if corpora and not _has_ours(corpora):
        if before:
            return replace(before[0], before=before[1:])
        return None if "split_shares" in corpora[0] else TrainedSplits(NOTES_HASH)
    return replace(_learned(corpora, recipe), before=before)


def splits_before(base: dict[str, Any] | None) -> tuple[TrainedSplits, ...]:
    """
    How the corpora were split that the models were trained on that a model went on from, the latest first.

    Args:
        base (`dict`, *optional*): of [`base_record`].
    """
    return tuple(_learned(corpora) for corpora in map(_corpora, _trained(base)) if _has_ours(corpora))


def split_otherwise(found: Sequence[Provenance], base: dict[str, Any] | None) -> list[str]:
    """
    Names corpora of a run that a model that it goes on from was trained on in other splits, or with others.

    Args:
        found (sequence of [`Provenance`]): the corpora of the run, as they are split.
        base (`dict`, *optional*): of [`base_record`].
    """
    names = {each.name: None for each in found if each.splits != OFFICIAL}
    others = [each for each in TrainedSplits(before=splits_before(base)).of(found) if _may_leak(found, each)]
    return [name for name in names if any(name in each.corpora for each in others)]


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
    training, if it had one of them; else as of today.

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
    splits = asked | (said or CorpusSplits()) | CorpusSplits(SPLIT_VERSION)
    why = "as of the checkpoint" if checkpoint else "as the base model was trained with" if said else "the newest"
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


def _may_leak(found: Sequence[Provenance], learned: TrainedSplits) -> bool:
    return learned.are_other_than(found) or (
        learned.version == FAMILIES and {each.name for each in found} != set(learned.corpora)
    )


def _warn(found: Sequence[Provenance], learned: Iterable[TrainedSplits]):
    for each in filter(lambda each: _may_leak(found, each), learned):
        names = shown("+".join(each.corpora))
        if each.are_other_than(found):
            logger.warning(
                "The model was trained on %s by splits %s, and these are others: pieces that it was trained on are in "
                "validation and test, and flatter it. Leave split_version and split_shares out, or take other music.",
                names,
                each,
            )
        else:
            logger.warning(
                "The model was trained on %s%s: name just that. Families reach from corpus to corpus, so that with "
                "fewer or more of them pieces that it was trained on may be in other splits.",
                names,
                ", whose families were found together" if len(each.corpora) > 1 else "",
            )


def _corpora(said: dict[str, Any] | None) -> list[dict[str, Any]]:
    return [each for each in told(said, list, "corpora") or [] if isinstance(each, dict)]


def _has_ours(corpora: Iterable[dict[str, Any]]) -> bool:
    return any(told(each, str, "splits") != OFFICIAL for each in corpora)


def _trained(base: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    """How models were trained that were gone on from, one after the other."""
    while (trained := told(base, dict, "trained")) is not None:
        yield trained
        base = told(trained, dict, "base_model")


def _learned(corpora: Sequence[dict[str, Any]], recipe: dict[str, Any] | None = None) -> TrainedSplits:
    ours = next((each for each in corpora if told(each, str, "splits") != OFFICIAL), None)
    version = told(ours, str, "splits") or told(recipe, str, "split_version") or NOTES_HASH
    shares = _shares(told(ours, list, "split_shares") or told(recipe, list, "split_shares"))
    names = [told(each, str, "name") or "?" for each in corpora] or _names(
        (told(recipe, str, "corpus") or "").split("+")
    )
    return TrainedSplits(version, shares, tuple(names))


def _names(places: Iterable[str]) -> list[str]:
    """What corpora of a recipe are called where others read it."""
    return [
        name if is_hub_id(name) and not os.path.exists(name) else last_part(name)
        for name in map(str.strip, places)
        if name
    ]


def _read(model: str | Path, name: str, **where: Any) -> dict[str, Any] | None:
    path = find_file(model, name, **where)
    return None if path is None else read_object(path)


def _shares(said: list | None) -> tuple[float, float, float] | None:
    try:
        return None if said is None else check_shares(said)
    except (ValueError, TypeError, OverflowError):  # a stranger's
        return None
