"""Pushing bundles: whole, with their card, and nothing else."""

import contextlib
import glob
import logging
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import CommitInfo, HfApi, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError
from transformers import PreTrainedModel
from transformers.utils import ADAPTER_CONFIG_NAME, CONFIG_NAME, PROCESSOR_NAME

from ..disk import hash_files, write_json, write_whole
from ..hub import CARD_NAME, choose, files_in, is_hub_id, push_folder
from ..hub.bounds import check_inside, read_object
from ..models.adapters import find_processor, load_processor
from ..models.fit import check_vocabulary
from ..models.origin import pulled_with
from ..tokenization import MidiProcessor
from .bundle import find_bundle, save_bundle
from .card import bundle_card
from .facts import BundleFacts
from .files import CONFIGS, OF_EARLIER_PUSHES, RECIPE_NAME, RECORDS, WEIGHTS, bundle_files, code_files
from .pipeline_file import add_pipeline_files, pipeline_files
from .shared_recipe import OF_THIS_MACHINE, shareable_recipe

logger = logging.getLogger(__name__)

LARGEST_SHARD = "50GB"
"""As transformers has it."""

PUSHING = ("commit_message", "commit_description", "private", "token", "revision", "create_pr", "tag")
"""Arguments of [`push_folder`] that are the user's."""


CODE_AND_CONFIGS = (*CONFIGS, ADAPTER_CONFIG_NAME, "*.py")


def push_bundle(
    model: PreTrainedModel | str | Path,
    repo_id: str,
    processor: MidiProcessor | None = None,
    *,
    tags: Iterable[str] = (),
    base_model: str | None = None,
    max_shard_size: int | str = LARGEST_SHARD,
    **pushing: Any,
) -> CommitInfo:
    """
    Pushes a bundle to the Hub, in one commit: a model or an adapter, and all that belongs to it, with a card.

    What an earlier push left there of another model goes; files that are no bundle's stay, as do the words that you
    wrote into the card there. A push that broke off is gone on with by the same call.

    Args:
        model ([`~transformers.PreTrainedModel`], [`~peft.PeftModel`], `str` or `Path`):
            What to push, or the folder of a bundle, of an adapter, or of a training run that made one.
        repo_id (`str`): repository; made if missing.
        processor ([`MidiProcessor`], *optional*): of the model; found as pipelines find it if not given.
        tags (iterable of `str`, *optional*): for the card, beside its own.
        base_model (`str`, *optional*): Hub id of the model that an adapter changes, if it was loaded from a folder.
        max_shard_size (`int` or `str`, *optional*, defaults to `"50GB"`): of a file of weights.
        pushing:
            Of [`push_folder`]: `private`, `revision` (a branch, made if missing), `token`, `create_pr`, `tag`,
            `commit_message` and `commit_description`.

    Returns:
        [`~huggingface_hub.CommitInfo`]: with the commit and its address.

    Raises:
        `ValueError`: the processor is not known or not the model's, an adapter's base is a folder, or something in the
            bundle is of this machine alone.
        [`~huggingface_hub.errors.HfHubHTTPError`]: the Hub refuses, or cannot be reached.

    Example:
    ```py
    >>> from neuromusic_hf.bundles import push_bundle
    >>> push_bundle("runs/quickstart", "user/quickstart", tag="v1")
    ```
    """
    pushing = {"commit_message": "Upload bundle"} | _given(pushing)
    place = _Repository.of(repo_id, pushing)
    with tempfile.TemporaryDirectory() as staging:
        staged, source = Path(staging), None
        if isinstance(model, str | Path):
            source = Path(find_bundle(model))
            _link_bundle(source, staged, processor)
        else:
            processor = processor or find_processor(model)
            check_vocabulary(model, processor)
            save_bundle(model, processor, staged, max_shard_size=max_shard_size)
            _lift_adapter(staged)
            _keep_records(model, staged, place)
        _share_recipe(staged)
        if (staged / ADAPTER_CONFIG_NAME).exists():
            _name_base(staged, base_model, place.token)
        return _push(staged, place, tags, **{"links_into": source} | pushing)


def push_processor(processor: MidiProcessor, repo_id: str, *, tags: Iterable[str] = (), **pushing: Any) -> CommitInfo:
    """
    Pushes a processor to a repository of its own, with a card, or beside the model of a bundle that has its ids.

    Args:
        processor ([`MidiProcessor`]): what to push.
        repo_id (`str`): repository; made if missing.
        tags (iterable of `str`, *optional*): for the card, beside its own.
        pushing: of [`push_folder`], as of [`push_bundle`].

    Raises:
        `ValueError`: the repository holds a model, and another processor or none.
        [`~huggingface_hub.errors.HfHubHTTPError`]: the Hub refuses, or cannot be reached.
    """
    pushing = {"commit_message": "Upload processor"} | _given(pushing)
    place = _Repository.of(repo_id, pushing)
    with tempfile.TemporaryDirectory() as staging:
        staged = Path(staging)
        processor.save_pretrained(staged)
        with place.files(CODE_AND_CONFIGS) as there:
            if not {CONFIG_NAME, ADAPTER_CONFIG_NAME} & {path.name for path in there.iterdir()}:
                return _push(staged, place, tags, **pushing)
            found = BundleFacts.read(there).vocabulary_hash
        if found is None or found != processor.vocabulary_hash:
            raise ValueError(
                f"{place.name} holds a model with {'another vocabulary' if found else 'no processor'}, which this "
                "processor would break: push the two together (push_bundle), or take another repository."
            )
        return push_folder(staged, place.name, [glob.escape(name) for name in bundle_files(staged)], **pushing)


def _push(staged: Path, place: "_Repository", tags: Iterable[str], **pushing: Any) -> CommitInfo:
    code: list[str] = []
    with place.files(CODE_AND_CONFIGS) as there, contextlib.suppress(ValueError):  # its configs are damaged
        code = code_files(there)
    return push_folder(
        staged,
        place.name,
        [glob.escape(name) for name in bundle_files(staged)],
        replaces=[*OF_EARLIER_PUSHES, *map(glob.escape, code)],
        card=lambda whole_id: bundle_card(staged, whole_id, tags),
        **pushing,
    )


def _given(pushing: dict[str, Any]) -> dict[str, Any]:
    if unknown := sorted(pushing.keys() - {*PUSHING}):
        raise TypeError(f"A push takes no {', '.join(unknown)}: it takes {', '.join(PUSHING)}.")
    return {name: value for name, value in pushing.items() if value is not None}


def _link_bundle(folder: Path, staged: Path, processor: MidiProcessor | None):
    """Puts a folder's bundle into another one, without copying its weights; with a processor, if it has none."""
    names = {*bundle_files(folder)}
    if PROCESSOR_NAME not in names or processor is not None:
        processor = processor or load_processor(str(folder))
        processor.save_pretrained(staged)
        names -= {path.name for path in staged.iterdir()}
    for name in sorted(names):
        check_inside(folder / name, folder)
        (staged / name).parent.mkdir(exist_ok=True)
        (staged / name).symlink_to((folder / name).resolve())
    if not names.issuperset(pipeline_files(staged)):
        add_pipeline_files(staged)


def _lift_adapter(staged: Path):
    """Puts an adapter where it is looked for: peft saves one that is not named `default` in a folder of its own."""
    (staged / CARD_NAME).unlink(missing_ok=True)  # peft's
    folders = [path.parent for path in staged.glob(f"*/{ADAPTER_CONFIG_NAME}")]
    if len(folders) + (staged / ADAPTER_CONFIG_NAME).exists() > 1:
        raise ValueError("The model has several adapters: keep one of them (delete_adapter), and push that.")
    for path in (path for folder in folders for path in folder.iterdir()):
        path.rename(staged / path.name)


def _name_base(staged: Path, base_model: str | None, token: str | bool | None):
    """Has an adapter name its base by the id of a repository that is there."""
    path = staged / ADAPTER_CONFIG_NAME
    said = read_object(path)
    base = base_model or said.get("base_model_name_or_path")
    if not base or not is_hub_id(base) or not HfApi(token=token).repo_exists(base):
        raise ValueError(
            f"This is an adapter of {base!r}, which is no model on the Hub, so that nobody could load it: push that "
            'model first (push_bundle), and name it here, as base_model="user/name".'
        )
    if base != said.get("base_model_name_or_path"):
        said |= {"base_model_name_or_path": base, "revision": None}  # which was of what it was called before
        path.unlink()
        write_json(path, said)


def _share_recipe(staged: Path):
    """Has the recipe of a checkpoint, which holds all of it, tell what others may see."""
    path = staged / RECIPE_NAME
    if path.exists() and {*OF_THIS_MACHINE} & (recipe := read_object(path)).keys():
        path.unlink()
        write_whole(path, yaml.safe_dump(shareable_recipe(recipe), sort_keys=False))


def _keep_records(model: PreTrainedModel, staged: Path, target: "_Repository"):
    """Takes over what is told of the very weights where the model came from, or in the repository it goes to."""
    weights = {name: hash_files([staged / name]) for name in files_in(staged, WEIGHTS)}
    source = _source(model)
    places = [target, source] if source and source.name == target.name else [source, target]
    for place in filter(None, places):
        try:
            if place.hashes(WEIGHTS) != weights:
                continue
            with place.files(RECORDS) as there:
                names = files_in(there, RECORDS)
                for name in names:
                    check_inside(there / name, there)
                    (staged / name).parent.mkdir(exist_ok=True)
                    shutil.copyfile(there / name, staged / name)
        except HfHubHTTPError as error:
            logger.warning("What %s tells of the model is not pushed with it: %s", place.name, error)
            continue
        if names:
            return


@dataclass(frozen=True)
class _Folder:
    """The folder that a model was loaded from."""

    name: str

    @contextlib.contextmanager
    def files(self, patterns: Iterable[str]) -> Iterator[Path]:
        yield Path(self.name)

    def hashes(self, patterns: Iterable[str]) -> dict[str, str]:
        """SHA-256 of files there, by name."""
        return {name: hash_files([Path(self.name, name)]) for name in files_in(self.name, patterns)}


@dataclass(frozen=True)
class _Repository:
    """A revision of a repository on the Hub, or of a folder in it."""

    name: str
    revision: str | None
    token: str | bool | None = field(repr=False)
    subfolder: str = ""
    exists: bool = True

    @classmethod
    def of(cls, repo_id: str, pushing: dict[str, Any]) -> "_Repository":
        """That on which a push would come to lie: a branch that is missing will begin at main."""
        revision, token = pushing.get("revision"), pushing.get("token")
        api = HfApi(token=token)
        name = repo_id if "/" in repo_id else f"{api.whoami()['name']}/{repo_id}"
        try:
            refs = api.list_repo_refs(name, include_pull_requests=True)
        except RepositoryNotFoundError:
            return cls(name, None, token, exists=False)
        names = {name for ref in [*refs.branches, *(refs.pull_requests or [])] for name in (ref.name, ref.ref)}
        return cls(name, revision if revision in names else None, token)

    @contextlib.contextmanager
    def files(self, patterns: Iterable[str]) -> Iterator[Path]:
        """A folder of the files there that fit, and others of their names that lie deeper."""
        with tempfile.TemporaryDirectory() as folder:
            if self.exists:
                wanted = [f"{self.subfolder}/{pattern}".lstrip("/") for pattern in patterns]
                where = {"revision": self.revision, "token": self.token, "local_dir": folder}
                snapshot_download(self.name, allow_patterns=wanted, **where)
            yield Path(folder, self.subfolder)

    def hashes(self, patterns: Iterable[str]) -> dict[str, str]:
        """SHA-256 of large files there, by name."""
        if not self.exists:
            return {}
        files = HfApi(token=self.token).list_repo_tree(self.name, self.subfolder or None, revision=self.revision)
        found = {Path(file.path).name: file.lfs.sha256 for file in files if getattr(file, "lfs", None)}
        return {name: found[name] for name in choose(found, patterns)}


def _source(model: PreTrainedModel) -> _Folder | _Repository | None:
    """Where a model was loaded from."""
    where, name = pulled_with(model), model.name_or_path
    subfolder = where.get("subfolder") or ""
    if "revision" in where:
        return _Repository(name, where["revision"], where.get("token"), subfolder)
    folder = Path(name, subfolder)
    return _Folder(str(folder)) if name and folder.is_dir() else None
