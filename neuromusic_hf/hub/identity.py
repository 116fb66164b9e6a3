"""Which model a bundle holds: its commit, or hashes over the files that decide about the notes."""

from collections.abc import Iterable
from pathlib import Path

from transformers import PreTrainedModel

from ..disk import hash_files
from ..models.adapters import Adapter
from .bundle import BESIDE_WEIGHTS


def model_identity(model: PreTrainedModel) -> dict[str, str]:
    """Where a model was loaded from, and its commit on the Hub or the SHA-256 over its safetensors files."""
    commit = getattr(model, "hub_commit", None)
    return {"name": model.name_or_path, "revision": commit or weights_hash(model.name_or_path)}


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
