"""
What a folder or a repository of the Hub holds of a dataset: its own Parquet files, by split, and nothing else.

Anyone may have written it. Its card is read for the names of configurations and splits, and can name no file that lies
elsewhere; Parquet is the one form that is read, as others run code (scripts, pickles), open paths that stand in them
(folders of images), or are not checked when they are read (Arrow).
"""

from __future__ import annotations

import glob
import itertools
import logging
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import huggingface_hub
from huggingface_hub import HfApi, RepoFile, ResolvedRevision, get_cached_repo_tree, snapshot_download
from huggingface_hub.errors import CachedRepoTreeNotFoundError

from ..hub import CARD_NAME, split_card, telling_faults
from ..hub.bounds import check_inside
from .cache import writing_cache
from .splits import SPLIT_ALIASES, SPLIT_NAMES

logger = logging.getLogger(__name__)

DEFAULT_CONFIG = "default"
PREPARING = ".preparation"
"""Folder of what a corpus is being prepared from; Parquet in a folder of such a name is no part of a dataset."""

MAX_CARD_BYTES = 4 << 20
MAX_FILES = 200_000
SHOWN_LETTERS = 200

ONLY_PARQUET = (
    "of a dataset only Parquet files are read. The Hub has a Parquet copy of many: revision='refs/convert/parquet'."
)

SPLIT = re.compile(r"\w+(\.\w+)*")
SHARD = re.compile(r"(?P<stem>.*)-\d{5}-of-(?P<count>\d{5})")
SPLIT_OF_SHARD = re.compile(r"(?:.*/)?(?P<split>\w+(?:\.\w+)*)-\d{5}-of-\d{5}.*")
SPLIT_WORD = re.compile(
    rf"(?:^|[-._ 0-9/])({'|'.join((*SPLIT_NAMES, *SPLIT_ALIASES))})(?=[-._ 0-9/]|$)", re.IGNORECASE
)


@dataclass(frozen=True)
class Repository:
    """
    Files of a dataset, in a folder here or on the Hub.

    Args:
        name (`str`): its path or id.
        files (`tuple[str, ...]`): paths of its files from there.
        metadata (`dict`): what stands at the head of its card.
        commit (`str`, *optional*): of a repository of the Hub.
        token (`str` or `bool`, *optional*): for the Hub.
    """

    name: str
    files: tuple[str, ...]
    metadata: dict[str, Any] = field(default_factory=dict)
    commit: str | None = None
    token: str | bool | None = None

    def choose(self, config: str | None = None) -> dict[str, list[str]]:
        """
        The Parquet files of a configuration by split, in order.

        Args:
            config (`str`, *optional*): its name; the default one, or the only one.

        Raises:
            `ValueError`: there is no such configuration, or it names files that are missing, not Parquet, or not the
                repository's own.
        """
        configs = self._configs()
        wanted = self._find_config(configs, config)
        chosen = self._named(configs[wanted]) if wanted in configs else self._by_names("")
        if not chosen and any(file.startswith(f"{PREPARING}/") for file in self.files):
            raise self._refusal("is not prepared to its end: start scripts/prepare_corpus.py again, and it goes on.")
        if not chosen:
            kinds = sorted({os.path.splitext(file)[1] or file for file in self.files})
            raise self._refusal(f"holds no Parquet file, only {', '.join(kinds[:9]) or 'nothing'}: {ONLY_PARQUET}")
        self._check_shards(itertools.chain.from_iterable(chosen.values()))
        return chosen

    def places(self, files: Iterable[str]) -> list[str]:
        """Where to open these files without downloading them; where the Hub is switched off, those in its cache."""
        if self.commit is None:
            return [os.path.join(self.name, file) for file in files]
        if huggingface_hub.constants.is_offline_mode():
            return self.fetch(files)
        return [f"hf://datasets/{self.name}@{self.commit}/{file}" for file in files]

    def fetch(self, files: Iterable[str]) -> list[str]:
        """
        Paths of these files on this machine; those of the Hub are downloaded, unless they are in its cache.

        Raises:
            [`CacheError`]: they cannot be written.
            [`PullError`]: the Hub cannot be reached, or does not give them.
        """
        files = list(files)
        if self.commit is None:
            return self.places(files)
        asked: dict[str, Any] = {"repo_type": "dataset", "revision": self.commit, "token": self.token}
        with telling_faults(self.name, **asked), writing_cache(huggingface_hub.constants.HF_HUB_CACHE):
            folder = snapshot_download(self.name, allow_patterns=[glob.escape(file) for file in files], **asked)
        return [os.path.join(folder, file) for file in files]

    def _refusal(self, problem: str) -> ValueError:
        return ValueError(f"The dataset '{self.name}' {problem}")

    def _configs(self) -> dict[str, dict[str, Any]]:
        """What the card says of each configuration."""
        said = self.metadata.get("configs") or []
        if not isinstance(said, list) or not all(isinstance(each, dict) for each in said):
            raise self._refusal(f"has a {CARD_NAME} whose configs are no list of configurations.")
        return {str(each.get("config_name", DEFAULT_CONFIG)): each for each in said}

    def _find_config(self, configs: dict[str, dict[str, Any]], wanted: str | None) -> str:
        names = list(configs) or [DEFAULT_CONFIG]
        marked = [name for name, said in configs.items() if said.get("default") is True]
        default = next(iter(marked), names[0] if len(names) == 1 else DEFAULT_CONFIG)
        found = default if wanted is None else wanted
        if found not in names:
            asked = "has several configurations" if wanted is None else f"has no configuration '{wanted}'"
            raise self._refusal(f"{asked}: choose one with name=, of {', '.join(names)}.")
        return found

    def _named(self, said: dict[str, Any]) -> dict[str, list[str]]:
        """The files that a configuration of the card names."""
        folder = said.get("data_dir")
        if folder is not None:
            self._check_own(folder, "data_dir")
        prefix = f"{folder.strip('/')}/" if folder and folder.strip("./") else ""
        if said.get("data_files") is None:
            return self._by_names(prefix)
        chosen: dict[str, list[str]] = {}
        for split, pattern in self._patterns(said["data_files"]):
            self._check_own(pattern, "data_files")
            pattern = prefix + pattern.removeprefix("./")
            found = [file for file in self.files if _matches(file, pattern)]
            parquet = [file for file in found if _is_parquet(file)]
            if not parquet:
                holds = f"holds only as {found[0]}" if found else "does not hold"
                raise self._refusal(f"names {shown(pattern)} in its {CARD_NAME}, which it {holds}: {ONLY_PARQUET}")
            chosen[split] = sorted({*chosen.get(split, []), *parquet})
        return chosen

    def _patterns(self, data_files: Any) -> Iterator[tuple[str, Any]]:
        """Split and pattern of all that `data_files` name, in all the ways there are to say it."""
        train = SPLIT_NAMES[0]
        if isinstance(data_files, dict):
            data_files = [{"split": split, "path": path} for split, path in data_files.items()]
        for each in data_files if isinstance(data_files, list) else [data_files]:
            split, paths = (each.get("split", train), each.get("path")) if isinstance(each, dict) else (train, each)
            if not isinstance(split, str) or not SPLIT.fullmatch(split):
                raise self._refusal(f"has a {CARD_NAME} with a split {shown(split)}, which is no name of a split.")
            for path in paths if isinstance(paths, list) else [paths]:
                yield split, path

    def _check_own(self, path: Any, field: str) -> None:
        """
        Refuses names that lead out of the repository.

        Raises:
            `ValueError`: it does, or is no name.
        """
        if not isinstance(path, str) or _leads_out(path):
            raise self._refusal(
                f"names {shown(path)} as {field} in its {CARD_NAME}: only files of its own are read, by their paths."
            )

    def _by_names(self, prefix: str) -> dict[str, list[str]]:
        """The files in a folder, whose names tell the split, as those that `datasets` writes; train if none does."""
        files = [file for file in self.files if file.startswith(prefix) and _is_parquet(file) and not _is_hidden(file)]
        chosen: dict[str, list[str]] = {}
        for file in files:
            if (split := _split_in(file[len(prefix) :])) is not None:
                chosen.setdefault(split, []).append(file)
        if not chosen and files:
            return {SPLIT_NAMES[0]: files}
        if left_out := sorted({*files}.difference(*chosen.values())):
            logger.warning("'%s': no split's name is in the names of %s: not read.", self.name, ", ".join(left_out))
        return chosen

    def _check_shards(self, files: Iterable[str]) -> None:
        """
        Refuses a part of files that say how many they are.

        Raises:
            `ValueError`: some are missing.
        """
        shards = Counter((shard["stem"], shard["count"]) for shard in map(SHARD.match, files) if shard)
        for (stem, count), number in shards.items():
            if number != int(count):
                raise self._refusal(f"is not whole: it holds {number} of the files {stem}-*-of-{count}*.")


def open_folder(path: str | Path) -> Repository:
    """
    The files of a folder, or the one file of a path.

    Raises:
        `ValueError`: its card cannot be read, or a file is a link that leads out of the folder.
    """
    path = Path(path)
    if path.is_file():
        return Repository(str(path.parent), (path.name,))
    files = tuple(sorted(found.relative_to(path).as_posix() for found in path.rglob("*") if found.is_file()))
    card = path / CARD_NAME
    for file in files:
        if _is_parquet(file) or file == CARD_NAME:
            check_inside(path / file, path)
    return Repository(str(path), files, _read_metadata(card, str(path)) if card.is_file() else {})


def open_hub(repo_id: str, revision: str | None = None, token: str | bool | None = None) -> Repository:
    """
    The files of a dataset on the Hub; from its cache where there is no Hub.

    Args:
        repo_id (`str`): `owner/name`.
        revision (`str`, *optional*): branch, tag or commit; main if not given.
        token (`str` or `bool`, *optional*): that of `hf auth login` or `HF_TOKEN` if not given.

    Raises:
        [`PullError`]: there is no such dataset for the owner of the token, or the Hub cannot be reached.
        `ValueError`: the card is damaged.
        [`CacheError`]: the cache of the Hub cannot be written.
    """
    asked: dict[str, Any] = {"repo_type": "dataset", "revision": revision, "token": token}
    with telling_faults(repo_id, **asked), writing_cache(huggingface_hub.constants.HF_HUB_CACHE):
        commit = HfApi().resolve_revision(repo_id, **asked)
        sizes = _list_files(repo_id, commit, token)
    repository = Repository(repo_id, tuple(sorted(sizes)), {}, commit.resolved, token)
    if CARD_NAME not in sizes:
        return repository
    _check_card_size(sizes[CARD_NAME], repo_id)
    (card,) = repository.fetch([CARD_NAME])
    return Repository(repo_id, repository.files, _read_metadata(Path(card), repo_id), commit.resolved, token)


def _list_files(repo_id: str, commit: ResolvedRevision, token: str | bool | None) -> dict[str, int]:
    """Sizes of all files of a commit by their paths."""
    try:
        tree: Iterable = get_cached_repo_tree(repo_id, repo_type="dataset", revision=commit)
    except CachedRepoTreeNotFoundError:
        tree = HfApi(token=token).list_repo_tree(
            repo_id, recursive=True, repo_type="dataset", revision=commit.resolved
        )
    entries = list(itertools.islice(tree, MAX_FILES + 1))
    if len(entries) > MAX_FILES:
        raise ValueError(f"The dataset '{repo_id}' has more than {MAX_FILES} files and folders.")
    files = {entry.path: entry.size for entry in entries if isinstance(entry, RepoFile)}
    if outside := [file for file in files if _leads_out(file)]:
        raise ValueError(f"The dataset '{repo_id}' has a file {shown(outside[0])}, which is no path in a repository.")
    return files


def _check_card_size(size: int, name: str) -> None:
    if size > MAX_CARD_BYTES:
        raise ValueError(f"The {CARD_NAME} of '{name}' has {size} bytes, limit {MAX_CARD_BYTES}.")


def _read_metadata(card: Path, name: str) -> dict[str, Any]:
    """
    What stands at the head of a card, as YAML of a bounded size.

    Raises:
        `ValueError`: it is none.
    """
    _check_card_size(card.stat().st_size, name)
    text = card.read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n")
    try:
        return split_card(text)[0]
    except ValueError as error:
        raise ValueError(f"The {CARD_NAME} of '{name}' cannot be read, its head {error}.") from error


def _leads_out(path: str) -> bool:
    """Whether a path is none within a folder."""
    return path.startswith(("/", "~")) or any(sign in path for sign in ":\\\0") or ".." in path.split("/")


def shown(said: Any) -> str:
    """What a stranger's file says, as a message can hold it."""
    text = repr(said)
    return text if len(text) <= SHOWN_LETTERS else f"{text[:SHOWN_LETTERS]}..."


def _matches(file: str, pattern: str) -> bool:
    """As paths are matched: `*` stays within a folder, and `**` does not."""
    crossing = "**" in pattern
    return fnmatchcase(file, pattern.replace("**/", "*")) and (crossing or file.count("/") == pattern.count("/"))


def _is_parquet(file: str) -> bool:
    return file.lower().endswith(".parquet")


def _is_hidden(file: str) -> bool:
    return any(part.startswith((".", "__")) for part in file.split("/"))


def _split_in(file: str) -> str | None:
    """The split that the name of a file tells; what stands last in its path counts."""
    if shard := SPLIT_OF_SHARD.fullmatch(file):
        return shard["split"]
    words = SPLIT_WORD.findall(file.removesuffix(".parquet"))
    return words[-1].lower() if words else None
