"""Pulling from the Hub: of which commit, which files, and what is wrong where nothing comes."""

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, ResolvedRevision, constants, hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    RevisionResolutionError,
)
from huggingface_hub.file_download import repo_folder_name

from .bounds import check_inside

OF_REPOSITORY = ("token", "cache_dir", "local_files_only")
"""Arguments of `from_pretrained` that decide about a repository, beside its revision."""

OF_FILES = (*OF_REPOSITORY, "revision", "subfolder")
"""Those that decide which file of it is meant."""

KINDS = {"model": "model", "dataset": "data set", "space": "space"}
"""Of repositories, and how errors call them."""

INVALID_TOKEN, FORBIDDEN, SERVER_ERRORS = 401, 403, 500
"""Answers of the Hub."""

FAULTS = (OSError, ValueError, HTTPError, RevisionResolutionError)
"""What may come of asking it."""


class PullError(OSError):
    """Something could not be pulled from the Hub; the message says what, why, and what to do."""


class NotOnHubError(PullError):
    """There is no such repository, as far as is known, or a name that is none."""


def given(arguments: Mapping[str, Any], names: Iterable[str] | None = None) -> dict[str, Any]:
    """Those arguments, or those of some names, that say something."""
    return {name: arguments[name] for name in names or arguments if arguments.get(name) is not None}


def resolve_commit(name: str | Path, revision: str | None = None, **where: Any) -> ResolvedRevision | None:
    """
    The commit that a revision of a repository is at this moment, or was when the Hub was last reached.

    Args:
        name (`str` or `Path`): Hub id of a model.
        revision (`str`, *optional*): branch, tag or commit; main if not given.
        where: `token`, `cache_dir` and `local_files_only`.

    Returns:
        [`~huggingface_hub.ResolvedRevision`]: reads as `revision`; its attribute `resolved` is the commit. `None` of
            a folder, and where the Hub does not tell: what is pulled next raises the error.
    """
    if os.path.exists(name):
        return None
    where["local_files_only"] = where.get("local_files_only") or constants.is_offline_mode()
    try:
        return HfApi().resolve_revision(str(name), revision=revision, **where)
    except FAULTS:  # whatever keeps it from being resolved keeps the files from being pulled, which says it
        return None


def check_revision(name: str | Path, revision: str | None):
    """Raises `ValueError` where a revision is asked for of what is on this machine."""
    if revision is not None and os.path.exists(name):
        raise ValueError(
            f"Revision {revision!r} of '{name}': that is on this machine, and only what is on the Hub has revisions. "
            "Leave it out."
        )


def find_file(
    source: str | Path,
    name: str,
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | Path | None = None,
    local_files_only: bool = False,
    subfolder: str | None = None,
    force_download: bool = False,
) -> Path | None:
    """
    A file of a folder or of a model's repository on the Hub, which is downloaded where it is not here yet.

    Args:
        source (`str` or `Path`): the folder, or the Hub id.
        name (`str`): of the file.
        revision (`str`, *optional*): branch, tag or commit; main if not given.
        token (`str` or `bool`, *optional*): that of `HF_TOKEN` or `hf auth login` if not given.
        cache_dir (`str` or `Path`, *optional*): the cache of `huggingface_hub`.
        local_files_only (`bool`, *optional*, defaults to `False`): what was pulled before alone.
        subfolder (`str`, *optional*): where in `source`.
        force_download (`bool`, *optional*, defaults to `False`): whatever was pulled before.

    Returns:
        `Path`, or `None` where there is no file of that name; offline, none in what was pulled before.

    Raises:
        [`PullError`]: there is no such folder or repository, it may not be read, or the Hub cannot be reached.
        `ValueError`: it is a link that leads out of the folder.
    """
    if os.path.isdir(source):
        path = Path(source, subfolder or "", name)
        if not path.is_file():
            return None
        check_inside(path, source)
        return path
    where = {"token": token, "cache_dir": cache_dir, "local_files_only": local_files_only}
    with telling_faults(source, revision=revision, token=token):
        commit = resolve_commit(source, revision, **where)
        path_in_repo = f"{subfolder}/{name}" if subfolder else name
        if commit and not force_download:
            known = try_to_load_from_cache(str(source), path_in_repo, cache_dir=cache_dir, revision=commit.resolved)
            if known is not None:
                return Path(known) if isinstance(known, str) else None
        try:
            return Path(
                hf_hub_download(
                    str(source), path_in_repo, revision=commit or revision, force_download=force_download, **where
                )
            )
        except RemoteEntryNotFoundError:
            return None
        except LocalEntryNotFoundError:
            offline = local_files_only or constants.is_offline_mode()
            if offline and commit and _snapshot(str(source), commit.resolved, cache_dir).is_dir():
                return None
            raise


def _snapshot(name: str, commit: str, cache_dir: str | Path | None) -> Path:
    """Where the files of a commit lie, once one of them was pulled."""
    folder = repo_folder_name(repo_id=name, repo_type="model")
    return Path(cache_dir or constants.HF_HUB_CACHE, folder, "snapshots", commit)


@contextlib.contextmanager
def telling_faults(name: str | Path, *, repo_type: str = "model", **hub_arguments: Any) -> Iterator[None]:
    """
    Tells apart what goes wrong while something is pulled, whatever library pulls it.

    Args:
        name (`str` or `Path`): folder or Hub id.
        repo_type (`str`, *optional*, defaults to `"model"`): or `"dataset"`.
        hub_arguments: `revision` and `token` that it is pulled with; others are not looked at.

    Raises:
        [`PullError`]: in place of an error that comes from the Hub. Others are let through.
    """
    try:
        yield
    except PullError:
        raise
    except FAULTS as error:
        told = _told(error, str(name), repo_type, hub_arguments.get("revision"), hub_arguments.get("token"))
        if told is None:
            raise
        raise told from error


def _told(
    error: Exception, name: str, repo_type: str, revision: str | None, token: str | bool | None
) -> PullError | None:
    """What is wrong, and what to do; `None` of an error that is not the Hub's."""
    causes, kind = list(_causes(error)), KINDS[repo_type]
    status = getattr(getattr(_first(causes, HfHubHTTPError), "response", None), "status_code", None)
    at = f"{name!r} at revision {str(revision)!r}" if revision else repr(name)
    if _first(causes, GatedRepoError):
        return PullError(
            f"{name!r} is gated: ask for access on its page on the Hub, then `hf auth login`, or give token=."
        )
    if _first(causes, RepositoryNotFoundError):
        if other := _other_kind(name, repo_type, token):
            return NotOnHubError(f"{name!r} is a {other} of the Hub, and no {kind}: give the id of a {kind}.")
        return NotOnHubError(
            f"There is no {kind} {name!r}: it is no folder here, and the Hub has none of that name that you may "
            "read. Check the spelling. If it is private, `hf auth login` as one who may read it, set "
            "HF_TOKEN, or give token=."
        )
    if _first(causes, RevisionNotFoundError):
        refs = _revisions(name, repo_type, token)
        return PullError(f"{name!r} has no revision {str(revision)!r}{refs}: give a branch, a tag or a commit of it.")
    if status == INVALID_TOKEN:
        return PullError(
            f"The Hub refuses the token with which {name!r} was asked for: it is wrong, or has expired. "
            "`hf auth login` anew, set HF_TOKEN, or give token=."
        )
    if status == FORBIDDEN:
        return PullError(
            f"The token may not read {name!r}: its permissions on the Hub do not cover it. Give another token."
        )
    if _first(causes, HFValidationError):
        return NotOnHubError(
            f"There is no {kind} {name!r}: it is no folder here, and no Hub id, which reads owner/name."
        )
    unreached = _first(causes, (LocalEntryNotFoundError, RevisionResolutionError))
    if constants.is_offline_mode() and (unreached or _first(causes, OfflineModeIsEnabled)):
        return NotOnHubError(
            f"{at} was not pulled before, as far as it is needed here, and the Hub is switched off "
            "(HF_HUB_OFFLINE=1): pull it once without that."
        )
    if status is not None and status >= SERVER_ERRORS:
        return PullError(f"The Hub answers {status} when asked for {at}: it is out of order. Try again later.")
    if unreached:
        return PullError(
            f"The Hub ({constants.ENDPOINT}) cannot be reached, or gives no answer, and {at} was not pulled before, "
            "as far as it is needed here: look at the network, and try again."
        )
    if _is_broken(causes):
        return PullError(f"{at} did not come whole from the Hub: {str(error).splitlines()[0]} Try again.")
    return None


def _is_broken(causes: list[BaseException]) -> bool:
    """Whether the Hub gave something else than was asked for, or the connection broke."""
    if _first(causes, RemoteEntryNotFoundError):  # it answered, that there is no such file
        return False
    return _first(causes, HTTPError) is not None or any("Consistency check failed" in str(cause) for cause in causes)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _first(causes: list[BaseException], kind: type | tuple[type, ...]) -> Any:
    return next((cause for cause in causes if isinstance(cause, kind)), None)


def _other_kind(name: str, repo_type: str, token: str | bool | None) -> str | None:
    """What else of that name the Hub has."""
    for other, kind in KINDS.items():
        with contextlib.suppress(Exception):  # it is asked for a better message alone
            if other != repo_type and HfApi(token=token).repo_exists(name, repo_type=other):
                return kind
    return None


def _revisions(name: str, repo_type: str, token: str | bool | None) -> str:
    with contextlib.suppress(Exception):
        refs = HfApi(token=token).list_repo_refs(name, repo_type=repo_type)
        return f" (it has {', '.join(ref.name for ref in [*refs.branches, *refs.tags])})"
    return ""
