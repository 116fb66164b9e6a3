"""Names of corpora as people write them, and what they mean."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..disk import last_part
from ..hub import is_hub_id
from ..imports import import_class, is_import_path
from .builder import MidiCorpusBuilder
from .embedded import BachCorpus, FolkCorpus, MonteverdiCorpus
from .folder import FolderCorpus
from .lamd import LamdCorpus
from .maestro import MaestroCorpus
from .saved import is_saved
from .sources import is_archive, is_midi_name
from .splits import DEFAULT_SPLIT_SHARES, check_shares
from .walking import walk

CorpusName = str | Path | type[MidiCorpusBuilder]
CorpusNames = CorpusName | list[CorpusName] | tuple[CorpusName, ...]

CORPORA: dict[str, type[MidiCorpusBuilder]] = {
    "bach": BachCorpus,
    "folk": FolkCorpus,
    "monteverdi": MonteverdiCorpus,
    "maestro": MaestroCorpus,
    "lamd": LamdCorpus,
}


@dataclass(frozen=True)
class FoundCorpus:
    """
    What a name means.

    Args:
        name (`str`): names the corpus in reports; the id of one on the Hub.
        place (`str`, *optional*): path it is read from; `None` where its builder or the Hub knows.
        builder ([`MidiCorpusBuilder`] class, *optional*): reads it; `None` of one that is a dataset already.
    """

    name: str
    place: str | None
    builder: type[MidiCorpusBuilder] | None = None

    @property
    def public_name(self) -> str:
        """What it is called where others read it: no path of this machine."""
        return self.name if self.is_on_hub else last_part(self.name)

    @property
    def split_shares(self) -> tuple[float, float, float]:
        """Its shares of train, validation and test, if nobody says others."""
        return DEFAULT_SPLIT_SHARES if self.builder is None else check_shares(self.builder.SPLIT_SHARES)

    @property
    def is_on_hub(self) -> bool:
        """Whether it is a dataset on the Hub."""
        return self.builder is None and self.place is None

    @property
    def is_from_hub(self) -> bool:
        """Whether it comes from there, be it by a builder."""
        return self.is_on_hub or (self.builder is not None and self.builder.DATASET is not None and self.place is None)


def find_corpora(names: CorpusNames, data_dir: str | Path | None = None) -> list[FoundCorpus]:
    """
    Finds what each name means, and reads none.

    Args:
        names (`str`, `Path`, builder class, or a list of these): as of [`load_corpus`].
        data_dir (`str` or `Path`, *optional*): where the data of named corpora and builder classes lie.

    Raises:
        `ValueError`: there is no name, one is given twice, or is no corpus; or `data_dir` goes with none of them.
    """
    if isinstance(names, str):
        each = list[CorpusName](split_names(names))
    else:
        each = list(names) if isinstance(names, list | tuple) else [names]
    if not each or any(name in ("", None) for name in each):
        raise ValueError(f"Name at least one corpus, got {names!r}. {_choices()}")
    if len(set(map(str, each))) < len(each):
        raise ValueError(f"A corpus is named twice in {names!r}.")
    return [_find(name, None if data_dir is None else _absolute(data_dir)) for name in each]


def split_names(text: str) -> list[str]:
    """
    Splits corpora that are joined with `+` (`"bach+folk"`).

    A path that exists is one corpus, whatever is in its name, and the longest one wins: with a folder `my+midi` there,
    `"bach+my+midi"` is `bach` and that folder.

    Args:
        text (`str`): one name, or several joined.
    """
    parts, names = text.split("+"), []
    while parts:
        lengths = range(len(parts), 1, -1)
        taken = next((count for count in lengths if _exists("+".join(parts[:count]).strip())), 1)
        names.append("+".join(parts[:taken]).strip())
        del parts[:taken]
    return names


def _exists(path: str) -> bool:
    return os.path.exists(os.path.expanduser(path))


def _absolute(path: str | Path) -> str:
    return os.path.abspath(os.path.expanduser(path))


def _find(name: CorpusName, data_dir: str | None) -> FoundCorpus:
    if isinstance(name, type) and issubclass(name, MidiCorpusBuilder):
        return FoundCorpus(name.__name__, data_dir, name)
    if isinstance(name, str) and name in CORPORA:
        return FoundCorpus(name, data_dir, CORPORA[name])
    if not isinstance(name, str | Path):
        raise ValueError(f"{name!r} is no corpus. {_choices()}")
    if isinstance(name, str) and is_import_path(name):
        return FoundCorpus(name, data_dir, _imported(name))
    if data_dir is not None:
        raise ValueError(f"data_dir goes with a named corpus or a builder class; '{name}' is read from its own path.")
    return _find_place(str(name), _absolute(name))


def _find_place(name: str, path: str) -> FoundCorpus:
    if (is_archive(path) and not is_saved(path)) or (os.path.isdir(path) and (_has_midi(path) or not is_saved(path))):
        return FoundCorpus(name, path, FolderCorpus)
    if is_saved(path):
        return FoundCorpus(name, path)
    if not os.path.exists(path) and is_hub_id(name):
        return FoundCorpus(name, None)
    problem = "is neither a zip, a tar nor a Parquet file" if os.path.exists(path) else "is no corpus"
    raise ValueError(f"'{name}' {problem}. {_choices()}")


def _imported(path: str) -> type[MidiCorpusBuilder]:
    try:
        return import_class(path, MidiCorpusBuilder, "corpus")
    except ValueError as error:
        raise ValueError(f"{error} There is no file or folder '{path}' either. {_choices()}") from error


def _choices() -> str:
    return (
        f"Choose one of {', '.join(CORPORA)}, the path of a folder, zip, tar or Parquet file, a Hub dataset id "
        "(owner/name), or a subclass of MidiCorpusBuilder or its import path (my_package.my_module.MyCorpus)."
    )


def _has_midi(folder: str) -> bool:
    return any(is_midi_name(file) for file, _ in walk(folder))
