"""Pushing a folder: the files that are asked for, in one commit, and never a pickle."""

import logging
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from huggingface_hub import CommitInfo, CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import EntryNotFoundError, HFValidationError
from huggingface_hub.utils import validate_repo_id

from .bounds import check_inside
from .card import CARD_NAME, Card, own_lines
from .patterns import choose, files_in
from .places import COMMIT
from .shareable import check_shareable, check_text

logger = logging.getLogger(__name__)

PICKLES = ("*.pkl", "*.pickle", "*.joblib", "*.pt", "*.pth", "*.ckpt", "*.bin")
"""Names of files that run code when they are read."""


def push_folder(
    folder: str | Path,
    repo_id: str,
    files: Sequence[str],
    *,
    commit_message: str,
    commit_description: str | None = None,
    links_into: str | Path | None = None,
    replaces: Sequence[str] = (),
    made: Mapping[str, str] | None = None,
    card: Callable[[str], Card] | None = None,
    repo_type: str = "model",
    private: bool | None = None,
    revision: str | None = None,
    token: str | bool | None = None,
    create_pr: bool = False,
    tag: str | None = None,
) -> CommitInfo:
    """
    Pushes files of a folder to a repository of the Hub, in one commit.

    A push that broke off is gone on with by the same call: large files that are there already are not sent again.

    Args:
        folder (`str` or `Path`): holds the files.
        repo_id (`str`): repository; made if missing.
        files (sequence of `str`):
            Patterns of the files to push, relative to `folder`, in which `*` stands for part of one name; others stay
            here.
        commit_message (`str`): of the commit.
        commit_description (`str`, *optional*): what the commit says beside that.
        links_into (`str` or `Path`, *optional*): another folder, files of which those of `folder` may be links to.
        replaces (sequence of `str`): patterns, as of `files`, of files that are deleted there if they are not pushed.
        made (mapping of `str` to `str`, *optional*): texts to push as files beside these, by their paths there.
        card (`Callable[[str], Card]`, *optional*):
            Makes the card of a repository of that id. What its owner wrote into README.md stays, there or, of a new
            repository, in `folder`; words in `folder` that are not there are told.
        repo_type (`str`, *optional*, defaults to `"model"`): or `"dataset"`.
        private (`bool`, *optional*): whether a new repository is; one that exists stays as it is.
        revision (`str`, *optional*): branch to push to; made from main if missing.
        token (`str` or `bool`, *optional*): that of `hf auth login` or `HF_TOKEN` if not given.
        create_pr (`bool`, *optional*, defaults to `False`): open a pull request in place of committing.
        tag (`str`, *optional*): a new one, for the commit.

    Returns:
        [`~huggingface_hub.CommitInfo`]: with the commit and its address.

    Raises:
        `ValueError`: a file to push is a pickle, a link to one elsewhere, or holds a token or a path of this machine,
            or there is none to push; or the tag exists, or the revision is a tag or a commit.
        [`~huggingface_hub.errors.HfHubHTTPError`]: the Hub refuses, or cannot be reached.
    """
    folder = Path(folder)
    chosen = chosen_files(folder, files, links_into)
    if not chosen:
        raise ValueError(f"{folder} holds nothing to push: no {', '.join(files)}.")
    for path in chosen:
        check_shareable((folder / path).resolve(), token)
    repo_id = make_repository(repo_id, repo_type, private, None if create_pr else revision, token, tag)
    api = HfApi(token=token)
    adding: dict[str, Path | bytes] = {path: folder / path for path in chosen}
    adding |= {path: text.encode() for path, text in (made or {}).items()}
    if card is not None:
        here, there = _card_here(folder), _card_there(api, repo_id, repo_type, revision)
        if here and there:
            _tell_lost_words(here, there)
        written = card(repo_id)
        check_text("\n\n".join(section.text for section in written.sections), CARD_NAME, token)
        adding[CARD_NAME] = written.render(there or here).encode()
    stale: list[str] = []
    if replaces:
        existing = api.list_repo_files(repo_id, revision=revision, repo_type=repo_type)
        stale = [path for path in choose(existing, replaces) if path not in adding]
    commit = api.create_commit(
        repo_id,
        [
            *(CommitOperationAdd(path, content) for path, content in adding.items()),
            *(CommitOperationDelete(path) for path in stale),
        ],
        commit_message=commit_message,
        commit_description=commit_description,
        repo_type=repo_type,
        revision=revision,
        create_pr=create_pr,
    )
    if tag is not None:
        api.create_tag(repo_id, tag=tag, revision=commit.oid, repo_type=repo_type)
    return commit


def push_card(
    repo_id: str,
    card: Callable[[str], Card],
    *,
    repo_type: str = "model",
    revision: str | None = None,
    token: str | bool | None = None,
    tag: str | None = None,
) -> CommitInfo:
    """
    Pushes the card of a repository alone, in a commit of its own.

    Args:
        repo_id (`str`): the repository.
        card (`Callable[[str], Card]`): makes it of the one that is there; what its owner wrote into that stays.
        repo_type (`str`, *optional*, defaults to `"model"`): or `"dataset"`.
        revision (`str`, *optional*): branch to push to.
        token (`str` or `bool`, *optional*): that of `hf auth login` or `HF_TOKEN` if not given.
        tag (`str`, *optional*): a new one, for the commit.

    Raises:
        `ValueError`: the card that is there is damaged.
        [`~huggingface_hub.errors.HfHubHTTPError`]: the Hub refuses, or cannot be reached.
    """
    api = HfApi(token=token)
    existing = _card_there(api, repo_id, repo_type, revision) or ""
    commit = api.upload_file(
        path_or_fileobj=card(existing).render(existing).encode(),
        path_in_repo=CARD_NAME,
        repo_id=repo_id,
        repo_type=repo_type,
        revision=revision,
        commit_message="Write the card",
    )
    if tag is not None:
        api.create_tag(repo_id, tag=tag, revision=commit.oid, repo_type=repo_type)
    return commit


def chosen_files(folder: str | Path, patterns: Sequence[str], links_into: str | Path | None = None) -> list[str]:
    """
    The files of a folder that patterns choose, relative to it, as they would be pushed.

    Raises:
        `ValueError`: one of them is a pickle, or a link to a file outside of the folder, and of `links_into`.
    """
    folder = Path(folder)
    chosen = files_in(folder, patterns)
    for path in chosen:
        if choose([PurePosixPath(path).name.lower()], PICKLES):
            raise ValueError(f"{folder / path} is a pickle, which runs code where it is read: it is not pushed.")
        check_inside(folder / path, links_into if links_into and (folder / path).is_symlink() else folder)
    return chosen


def make_repository(
    repo_id: str,
    repo_type: str = "model",
    private: bool | None = None,
    revision: str | None = None,
    token: str | bool | None = None,
    tag: str | None = None,
) -> str:
    """
    Makes a repository, and a branch of it from main, where they are missing.

    Args:
        repo_id (`str`): its name, with or without that of its owner.
        repo_type (`str`, *optional*, defaults to `"model"`): or `"dataset"`.
        private (`bool`, *optional*): whether a new repository is; one that exists stays as it is.
        revision (`str`, *optional*): a branch.
        token (`str` or `bool`, *optional*): that of `hf auth login` or `HF_TOKEN` if not given.
        tag (`str`, *optional*): one that it must not have.

    Returns:
        `str`: its whole id.

    Raises:
        `ValueError`: the branch is a tag or a commit, or the tag exists.
        [`~huggingface_hub.errors.HfHubHTTPError`]: the Hub refuses, or cannot be reached.
    """
    if revision is not None and COMMIT.fullmatch(revision):
        raise ValueError(f"{revision} is a commit, which nothing is pushed to: give the name of a branch.")
    api = HfApi(token=token)
    repo_id = api.create_repo(repo_id, repo_type=repo_type, private=private, exist_ok=True).repo_id
    branch = None if revision is None or revision.startswith("refs/pr/") else revision
    if branch is None and tag is None:
        return repo_id
    refs = api.list_repo_refs(repo_id, repo_type=repo_type)
    tags = {ref.name for ref in refs.tags}
    if branch in tags:
        raise ValueError(f"{branch!r} is a tag of {repo_id}, which nothing is pushed to: give the name of a branch.")
    if tag in tags:
        raise ValueError(f"{repo_id} has a tag {tag!r} already: take another, or delete that one.")
    if branch is not None and branch not in {ref.name for ref in refs.branches}:
        api.create_branch(repo_id, branch=branch, repo_type=repo_type, exist_ok=True)
    return repo_id


def _tell_lost_words(here: str, there: str):
    known = {*own_lines(there)}
    if lost := [line for line in own_lines(here) if line not in known]:
        logger.warning(
            "%s on the Hub stays as its owner left it. This of yours here is not in it; write it there: %s",
            CARD_NAME,
            " / ".join(lost),
        )


def _card_there(api: HfApi, repo_id: str, repo_type: str, revision: str | None) -> str | None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = api.hf_hub_download(repo_id, CARD_NAME, repo_type=repo_type, revision=revision, local_dir=folder)
        except EntryNotFoundError:
            return None
        return Path(path).read_text(encoding="utf-8")


def _card_here(folder: Path) -> str | None:
    path = folder / CARD_NAME
    return path.read_text(encoding="utf-8") if path.is_file() else None


def is_hub_id(name: str) -> bool:
    """Whether a name can be that of a repository with its owner, and is no folder or file here."""
    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return name.count("/") == 1 and not Path(name).exists()
