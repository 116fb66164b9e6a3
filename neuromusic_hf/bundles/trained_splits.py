"""How the corpora were split that a model was trained on."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..corpora.provenance import Provenance
from ..corpora.splits import FAMILIES, NOTES_HASH, OFFICIAL, CorpusSplits, check_shares
from ..default_bundle import place_of
from ..disk import last_part
from ..hub import find_file, is_hub_id
from ..hub.bounds import read_object
from .facts import told
from .files import RECIPE_NAME, RUN_NAME


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

    def may_leak_into(self, found: Sequence[Provenance]) -> bool:
        """Whether pieces that were learned from may be in other splits of these corpora, one of which was."""
        others = self.version in FAMILIES and {each.name for each in found} != set(self.corpora)
        return others or self.are_other_than(found)


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
    others = [each for each in TrainedSplits(before=splits_before(base)).of(found) if each.may_leak_into(found)]
    return [name for name in names if any(name in each.corpora for each in others)]


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
