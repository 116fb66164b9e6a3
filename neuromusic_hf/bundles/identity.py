"""Which model a bundle holds: its commit, or hashes over the files that decide about the notes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from transformers import PreTrainedModel

from .. import default_bundle
from ..default_bundle import DEFAULT, place_of, recorded_name
from ..disk import hash_files, left_out_if_none
from ..hub import pulled_from
from ..models.adapters import Adapter
from .files import BESIDE_WEIGHTS

SHA256_DIGITS = 64
"""A commit has 40."""


@dataclass(frozen=True)
class ModelIdentity:
    """
    Which model it is, and as of when.

    Attributes:
        name (`str`):
            The folder it was loaded from, or its id on the Hub; `"default"` is the bundle of this package.
        revision (`str`): its commit on the Hub, or the SHA-256 over its weights in a folder.
        files (`str`, *optional*):
            SHA-256 over the files beside the weights that decide. `None` of a model from the Hub, whose commit tells
            them, and in records that were made before there was this.
        base (`str`, *optional*): of an adapter, where its base is on the Hub: id and commit of that, as `id@commit`.
    """

    name: str
    revision: str
    files: str | None = None
    base: str | None = left_out_if_none()

    @classmethod
    def of(cls, model: PreTrainedModel) -> ModelIdentity:
        """
        That of a model as it was loaded.

        Raises:
            `FileNotFoundError`: it came from a folder that holds no weights.
        """
        name, commit, base = model.name_or_path, getattr(model, "hub_commit", None), getattr(model, "hub_base", None)
        name, commit = pulled_from(name) or (name, commit)
        revision, files = commit or weights_hash(name), None if commit else files_hash(name)
        return cls(name if commit else recorded_name(name), revision, files, base)

    @property
    def is_of_folder(self) -> bool:
        """Whether it was loaded from a folder, and not from the Hub."""
        return len(self.revision) == SHA256_DIGITS

    @property
    def place(self) -> str:
        """Its folder here, or its id on the Hub."""
        if not self.is_of_folder:
            return self.name
        if self.name == DEFAULT and os.path.isdir(DEFAULT) and self._is_in(default_bundle.DEFAULT_BUNDLE):
            return str(default_bundle.DEFAULT_BUNDLE)  # a folder of that name here is another one
        return str(place_of(self.name))

    def is_changed(self) -> bool:
        """
        Whether its folder holds another model by now.

        Raises:
            `FileNotFoundError`: the folder holds no weights.
        """
        return not self._is_in(self.place)

    def _is_in(self, folder: str | Path) -> bool:
        return self.files in (None, files_hash(folder)) and weights_hash(folder) == self.revision


def weights_hash(folder: str | Path) -> str:
    """
    SHA-256 over the safetensors files of a folder, in order of their names; those of an adapter's base follow.

    Raises:
        `FileNotFoundError`: there is none.
    """
    files = sorted(Path(folder).glob("*.safetensors"))
    if not files:
        raise FileNotFoundError(f"{folder} holds no *.safetensors file: save the model with save_pretrained.")
    return hash_files([*files, *_of_base(folder, ("*.safetensors",))])


def files_hash(folder: str | Path) -> str | None:
    """SHA-256 over the files beside the weights that decide: configs, tokenizer, code. `None` of what is no folder."""
    if not Path(folder).is_dir():
        return None
    return hash_files([*_matching(folder, BESIDE_WEIGHTS), *_of_base(folder, BESIDE_WEIGHTS)])


def _of_base(folder: str | Path, patterns: Iterable[str]) -> list[Path]:
    adapter = Adapter.find(str(folder))
    return _matching(adapter.base, patterns) if adapter else []


def _matching(folder: str | Path, patterns: Iterable[str]) -> list[Path]:
    return sorted({path for pattern in patterns for path in Path(folder).glob(pattern)})
