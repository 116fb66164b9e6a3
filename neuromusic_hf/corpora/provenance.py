"""Where the music of a corpus comes from: what is told with all that is made of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .names import CorpusNames, FoundCorpus, find_corpora
from .repository import Repository, open_hub
from .saved import card_metadata, official_splits
from .splits import DEFAULT_SPLIT_SHARES, OFFICIAL, SPLIT_NAMES, SPLIT_VERSION, CorpusSplits


@dataclass(frozen=True)
class Provenance:
    """
    Where the music of a corpus comes from. Holds no local path.

    Attributes:
        name (`str`): of the corpus; of a folder or file, the last part of its path.
        licence (`str`, *optional*): as the Hub names it; `None` where nobody has said.
        dataset (`str`, *optional*): id on the Hub.
        source (`str`, *optional*): address.
        citation (`str`, *optional*): BibTeX.
        splits (`str`):
            `"official"` where the corpus itself says what is in which split; else by which of [`SPLIT_VERSIONS`] those
            pieces were split of which it does not say it.
        revision (`str`, *optional*): commit of a dataset on the Hub.
        split_shares (`tuple[float, float, float]`, *optional*):
            Of train, validation and test, where the corpus does not say all of that.
    """

    name: str
    licence: str | None = None
    dataset: str | None = None
    source: str | None = None
    citation: str | None = None
    splits: str = SPLIT_VERSION
    revision: str | None = None
    split_shares: tuple[float, float, float] | None = None


def provenance_of(
    names: CorpusNames,
    data_dir: str | Path | None = None,
    revision: str | None = None,
    *,
    split_version: str | None = None,
    split_shares: Sequence[float] | None = None,
    name: str | None = None,
    token: str | bool | None = None,
) -> list[Provenance]:
    """
    Tells where corpora come from, without reading them.

    Args:
        names (`str`, `Path`, builder class, or a list of these): as of [`load_corpus`].
        data_dir (`str` or `Path`, *optional*): as of [`load_corpus`].
        revision (`str`, *optional*): branch, tag or commit of those on the Hub.
        split_version (`str`, *optional*): as of [`load_corpus`].
        split_shares (sequence of `float`, *optional*): as of [`load_corpus`].
        name (`str`, *optional*): configuration of those on the Hub.
        token (`str` or `bool`, *optional*): for the Hub.

    Raises:
        `ValueError`: there is no such corpus or split version, or the shares do not add up to 1.
    """
    found = find_corpora(names, data_dir)
    splits = CorpusSplits.asked(split_version, split_shares) | of_joined(found)
    return [
        provenance_of_found(each, open_hub(each.name, revision, token) if each.is_on_hub else None, name, splits)
        for each in found
    ]


def takes_splits(
    names: CorpusNames,
    data_dir: str | Path | None = None,
    revision: str | None = None,
    *,
    name: str | None = None,
    token: str | bool | None = None,
) -> bool:
    """Whether any of these corpora leaves pieces for us to split; arguments and errors as of [`provenance_of`]."""
    return any(each.splits != OFFICIAL for each in provenance_of(names, data_dir, revision, name=name, token=token))


def check_takes_splits(
    asked: CorpusSplits,
    names: CorpusNames,
    data_dir: str | Path | None = None,
    revision: str | None = None,
    *,
    name: str | None = None,
    token: str | bool | None = None,
) -> None:
    """
    Refuses to be asked how corpora are split that say it themselves.

    Args:
        asked ([`CorpusSplits`]): nothing, or how they are to be split.
        names (`str`, `Path`, builder class, or a list of these): as of [`load_corpus`].
        data_dir (`str` or `Path`, *optional*): as of [`load_corpus`].
        revision (`str`, *optional*): branch, tag or commit of those on the Hub.
        name (`str`, *optional*): configuration of those on the Hub.
        token (`str` or `bool`, *optional*): for the Hub.

    Raises:
        `ValueError`: they do not leave it to us.
    """
    if asked and not takes_splits(names, data_dir, revision, name=name, token=token):
        change = "split_version does" if asked.shares is None else "split_shares do"
        raise ValueError(f"'{names}' has official splits, which {change} not change: leave it out.")


def splits_used(provenance: Iterable[Provenance]) -> CorpusSplits | None:
    """How corpora that are loaded together were split; `None` where all of them said it themselves."""
    ours = next((each for each in provenance if each.splits != OFFICIAL), None)
    return None if ours is None else CorpusSplits(ours.splits, ours.split_shares)


def of_joined(found: Sequence[FoundCorpus]) -> CorpusSplits:
    """Corpora that are joined have one cut, or the same music could fall on two sides."""
    return CorpusSplits(shares=DEFAULT_SPLIT_SHARES if len(found) > 1 else None)


def provenance_of_found(
    corpus: FoundCorpus,
    repository: Repository | None = None,
    config: str | None = None,
    splits: CorpusSplits | None = None,
) -> Provenance:
    """
    That of one corpus.

    Args:
        corpus ([`FoundCorpus`]): which.
        repository ([`Repository`], *optional*): that of a dataset on the Hub.
        config (`str`, *optional*): its configuration.
        splits ([`CorpusSplits`], *optional*): how it is split as far as it does not say it itself.
    """
    name, builder = corpus.public_name, corpus.builder
    if builder is not None:
        how = _splits(corpus, builder.OFFICIAL_SPLITS, splits)
        return Provenance(name, builder.LICENCE, builder.DATASET, builder.SOURCE, builder.CITATION, **how)
    said = official_splits(corpus.place or corpus.name, repository, config)
    how = _splits(corpus, said.issuperset(SPLIT_NAMES), splits)
    if repository is None:
        return Provenance(name, licence=_binding(card_metadata(str(corpus.place)).get("license")), **how)
    return Provenance(
        name,
        licence=_binding(repository.metadata.get("license")),
        dataset=corpus.name,
        source=f"https://huggingface.co/datasets/{corpus.name}",
        revision=repository.commit,
        **how,
    )


def _splits(corpus: FoundCorpus, says_all: bool, splits: CorpusSplits | None) -> dict[str, Any]:
    if says_all:
        return {"splits": OFFICIAL}
    splits = splits or CorpusSplits()
    return {"splits": splits.version or SPLIT_VERSION, "split_shares": splits.shares or corpus.split_shares}


def _binding(said: Any) -> str | None:
    """The licence that a card names; of several, one that allows no use for money. What is no identifier is none."""
    licences = [licence for licence in (said if isinstance(said, list) else [said]) if isinstance(licence, str)]
    binding = next((licence for licence in licences if len(licences) == 1 or "-nc" in licence), "")
    return binding if re.fullmatch(r"[\w.-]+", binding) else None
