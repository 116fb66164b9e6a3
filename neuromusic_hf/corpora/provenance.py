"""Where the music of a corpus comes from: what is told with all that is made of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..disk import last_part
from .names import CorpusNames, FoundCorpus, find_corpora
from .repository import Repository, open_hub
from .saved import has_splits
from .splits import SPLIT_VERSION

OFFICIAL = "official"


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
        splits (`str`): `"official"` where the corpus itself says what is in which split, or [`SPLIT_VERSION`].
        revision (`str`, *optional*): commit of a dataset on the Hub.
    """

    name: str
    licence: str | None = None
    dataset: str | None = None
    source: str | None = None
    citation: str | None = None
    splits: str = SPLIT_VERSION
    revision: str | None = None


def provenance_of(
    names: CorpusNames,
    data_dir: str | Path | None = None,
    revision: str | None = None,
    *,
    name: str | None = None,
    token: str | bool | None = None,
) -> list[Provenance]:
    """
    Tells where corpora come from, without reading them.

    Args:
        names (`str`, `Path`, builder class, or a list of these): as of [`load_corpus`].
        data_dir (`str` or `Path`, *optional*): as of [`load_corpus`].
        revision (`str`, *optional*): branch, tag or commit of those on the Hub.
        name (`str`, *optional*): configuration of those on the Hub.
        token (`str` or `bool`, *optional*): for the Hub.

    Raises:
        `ValueError`: there is no such corpus.
    """
    found = find_corpora(names, data_dir)
    return [
        provenance_of_found(each, open_hub(each.name, revision, token) if each.is_on_hub else None, name)
        for each in found
    ]


def provenance_of_found(
    corpus: FoundCorpus, repository: Repository | None = None, config: str | None = None
) -> Provenance:
    """
    That of one corpus.

    Args:
        corpus ([`FoundCorpus`]): which.
        repository ([`Repository`], *optional*): that of a dataset on the Hub.
        config (`str`, *optional*): its configuration.
    """
    name = last_part(corpus.name)
    if (builder := corpus.builder) is not None:
        splits = OFFICIAL if builder.OFFICIAL_SPLITS else SPLIT_VERSION
        return Provenance(name, builder.LICENCE, builder.DATASET, builder.SOURCE, builder.CITATION, splits)
    splits = OFFICIAL if has_splits(corpus.place or corpus.name, repository, config) else SPLIT_VERSION
    if repository is None:
        return Provenance(name, splits=splits)
    return Provenance(
        corpus.name,
        licence=_binding(repository.metadata.get("license")),
        dataset=corpus.name,
        source=f"https://huggingface.co/datasets/{corpus.name}",
        splits=splits,
        revision=repository.commit,
    )


def _binding(said: Any) -> str | None:
    """The licence that a card names; of several, one that allows no use for money. What is no identifier is none."""
    licences = [licence for licence in (said if isinstance(said, list) else [said]) if isinstance(licence, str)]
    binding = next((licence for licence in licences if len(licences) == 1 or "-nc" in licence), "")
    return binding if re.fullmatch(r"[\w.-]+", binding) else None
