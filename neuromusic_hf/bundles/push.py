"""Pushing bundles: whole, with their card, and nothing else."""

import contextlib
import glob
import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import CommitInfo, HfApi, snapshot_download
from transformers import PreTrainedModel
from transformers.utils import ADAPTER_CONFIG_NAME, CONFIG_NAME

from ..disk import hash_files, write_json
from ..hub import CARD_NAME, is_hub_id, make_repository, push_folder
from ..models.adapters import find_processor, load_processor
from ..tokenization import MidiProcessor
from .bundle import find_bundle, save_bundle
from .card import bundle_card
from .facts import PROCESSOR_NAME, BundleFacts
from .files import CONFIGS, OF_EARLIER_PUSHES, RECORDS, WEIGHTS, bundle_files, choose, code_files
from .pipeline_file import PIPELINE_FILE, add_pipeline_file

LARGEST_SHARD = "50GB"
"""As transformers has it."""


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
        `ValueError`: the processor is not known, an adapter's base is a folder, or something in the bundle is of this
            machine alone.
        [`~huggingface_hub.errors.HfHubHTTPError`]: the Hub refuses, or cannot be reached.

    Example:
    ```py
    >>> from neuromusic_hf.bundles import push_bundle
    >>> push_bundle("runs/quickstart", "user/quickstart", tag="v1")
    ```
    """
    with tempfile.TemporaryDirectory() as staging:
        staged = Path(staging)
        if isinstance(model, str | Path):
            _link_bundle(Path(find_bundle(model)), staged, processor)
        else:
            save_bundle(model, processor or find_processor(model), staged, max_shard_size=max_shard_size)
            _lift_adapter(staged)
            _keep_records(staged, repo_id, **pushing)
        if (staged / ADAPTER_CONFIG_NAME).exists():
            _name_base(staged, base_model, pushing.get("token"))
        return _push(staged, repo_id, tags, **{"commit_message": "Upload bundle"} | _given(pushing))


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
    with tempfile.TemporaryDirectory() as staging:
        staged = Path(staging)
        processor.save_pretrained(staged)
        with _Place.of(repo_id, **pushing).files() as there:
            if not {CONFIG_NAME, ADAPTER_CONFIG_NAME} & {path.name for path in there.iterdir()}:
                return _push(staged, repo_id, tags, **pushing)
            found = BundleFacts.read(there).vocabulary_hash
        if found is None or found != processor.vocabulary_hash:
            raise ValueError(
                f"{repo_id} holds a model with {'another vocabulary' if found else 'no processor'}, which this "
                "processor would break: push the two together (push_bundle), or take another repository."
            )
        return push_folder(staged, repo_id, [glob.escape(name) for name in bundle_files(staged)], **pushing)


def _push(staged: Path, repo_id: str, tags: Iterable[str], **pushing: Any) -> CommitInfo:
    code: list[str] = []
    with _Place.of(repo_id, **pushing).files() as there, contextlib.suppress(ValueError):  # its configs are damaged
        code = code_files(there)
    return push_folder(
        staged,
        repo_id,
        [glob.escape(name) for name in bundle_files(staged)],
        replaces=[*OF_EARLIER_PUSHES, *map(glob.escape, code)],
        card=lambda whole_id: bundle_card(staged, whole_id, tags),
        **pushing,
    )


def _given(pushing: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in pushing.items() if value is not None}


def _link_bundle(folder: Path, staged: Path, processor: MidiProcessor | None):
    """Puts a folder's bundle into another one, without copying its weights; with a processor, if it has none."""
    names = {*bundle_files(folder)}
    if PROCESSOR_NAME not in names or processor is not None:
        processor = processor or load_processor(str(folder))
        processor.save_pretrained(staged)
        names -= {path.name for path in staged.iterdir()}
    for name in sorted(names):
        (staged / name).parent.mkdir(exist_ok=True)
        (staged / name).symlink_to((folder / name).resolve())
    if PIPELINE_FILE not in names:
        add_pipeline_file(staged)


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
    said = json.loads(path.read_text(encoding="utf-8"))
    base = base_model or said.get("base_model_name_or_path")
    if not base or not is_hub_id(base) or not HfApi(token=token).repo_exists(base):
        raise ValueError(
            f"This is an adapter of {base!r}, which is no model on the Hub, so that nobody could load it: push that "
            'model first (push_bundle), and name it here, as base_model="user/name".'
        )
    if base != said["base_model_name_or_path"]:
        said["base_model_name_or_path"] = base
        path.unlink()
        write_json(path, said)


def _keep_records(staged: Path, repo_id: str, **pushing: Any):
    """Takes over what the repository tells of the model, if it has the very weights already."""
    place = _Place.of(repo_id, **pushing)
    weights = choose(bundle_files(staged), WEIGHTS)
    if place.hashes(WEIGHTS) != {name: hash_files([staged / name]) for name in weights}:
        return
    with place.files(RECORDS) as there:
        for path in (path for path in there.rglob("*") if path.is_file()):
            name = path.relative_to(there)
            if choose([name.as_posix()], RECORDS):
                (staged / name).parent.mkdir(exist_ok=True)
                shutil.move(path, staged / name)


@dataclass(frozen=True)
class _Place:
    """A repository and the revision of it on which a push would come to lie."""

    repo_id: str
    revision: str | None
    token: str | bool | None

    @classmethod
    def of(
        cls,
        repo_id: str,
        *,
        private: bool | None = None,
        revision: str | None = None,
        token: str | bool | None = None,
        **_: Any,
    ) -> "_Place":
        """The repository is made if missing; a branch that is missing will begin at main."""
        repo_id = make_repository(repo_id, private=private, token=token)
        refs = HfApi(token=token).list_repo_refs(repo_id, include_pull_requests=True)
        names = {name for ref in [*refs.branches, *(refs.pull_requests or [])] for name in (ref.name, ref.ref)}
        return cls(repo_id, revision if revision in names else None, token)

    @contextlib.contextmanager
    def files(self, patterns: Iterable[str] = (*CONFIGS, ADAPTER_CONFIG_NAME, "*.py")) -> Iterator[Path]:
        """A folder of the files there that fit."""
        with tempfile.TemporaryDirectory() as folder:
            where = {"revision": self.revision, "token": self.token, "local_dir": folder}
            snapshot_download(self.repo_id, allow_patterns=[*patterns], **where)
            yield Path(folder)

    def hashes(self, patterns: Iterable[str]) -> dict[str, str]:
        """SHA-256 of large files there, by name."""
        files = HfApi(token=self.token).list_repo_tree(self.repo_id, revision=self.revision)
        found = {file.path: file.lfs.sha256 for file in files if getattr(file, "lfs", None)}
        return {name: found[name] for name in choose(found, patterns)}
