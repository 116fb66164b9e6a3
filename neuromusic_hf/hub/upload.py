"""Pushing a folder: the files that are asked for, in one commit, and never a pickle."""

from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import CommitInfo, HfApi
from huggingface_hub.utils import filter_repo_objects

PICKLES = ("*.pkl", "*.pickle", "*.joblib", "*.pt", "*.pth", "*.ckpt", "*.bin")
"""Names of files that run code when they are read."""


def push_folder(
    folder: str | Path,
    repo_id: str,
    files: Sequence[str],
    *,
    commit_message: str,
    replaces: Sequence[str] = (),
    repo_type: str = "model",
    private: bool | None = None,
    revision: str | None = None,
    token: str | bool | None = None,
    create_pr: bool = False,
) -> CommitInfo:
    """
    Pushes files of a folder to a repository of the Hub, in one commit.

    A push that broke off is gone on with by the same call: large files that are there already are not sent again.

    Args:
        folder (`str` or `Path`): holds the files.
        repo_id (`str`): repository; made if missing.
        files (sequence of `str`): patterns of the files to push, relative to `folder`; others stay here.
        commit_message (`str`): of the commit.
        replaces (sequence of `str`): patterns of files that are deleted there if they are not in `folder`.
        repo_type (`str`, *optional*, defaults to `"model"`): or `"dataset"`.
        private (`bool`, *optional*): whether a new repository is; one that exists stays as it is.
        revision (`str`, *optional*): branch to push to; made from main if missing.
        token (`str` or `bool`, *optional*): that of `hf auth login` or `HF_TOKEN` if not given.
        create_pr (`bool`, *optional*, defaults to `False`): open a pull request in place of committing.

    Returns:
        [`~huggingface_hub.CommitInfo`]: with the commit and its address.

    Raises:
        `ValueError`: a file to push is a pickle, or there is none to push.
        [`~huggingface_hub.errors.HfHubHTTPError`]: the Hub refuses, or cannot be reached.
    """
    folder = Path(folder)
    paths = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]
    chosen = list(filter_repo_objects(paths, allow_patterns=list(files)))
    if pickles := list(filter_repo_objects(chosen, allow_patterns=list(PICKLES))):
        raise ValueError(f"{folder / pickles[0]} is a pickle, which runs code where it is read: it is not pushed.")
    if not chosen:
        raise ValueError(f"{folder} holds nothing to push: no {', '.join(files)}.")
    api = HfApi(token=token)
    repo_id = api.create_repo(repo_id, repo_type=repo_type, private=private, exist_ok=True).repo_id
    if revision is not None and not create_pr:
        api.create_branch(repo_id, branch=revision, repo_type=repo_type, exist_ok=True)
    return api.upload_folder(
        repo_id=repo_id,
        folder_path=folder,
        allow_patterns=chosen,
        delete_patterns=list(replaces) or None,
        repo_type=repo_type,
        revision=revision,
        commit_message=commit_message,
        create_pr=create_pr,
    )
