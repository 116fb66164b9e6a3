"""The base that an adapter names, where that is the bundle that comes with this package."""

import json
from pathlib import Path

from transformers.utils import ADAPTER_CONFIG_NAME

from .. import default_bundle
from ..default_bundle import DEFAULT, is_default, place_of
from ..disk import hash_files, write_whole


def base_of(config: dict, path: Path) -> tuple[str, str | None]:
    """
    Where the base of an adapter lies, and its revision on the Hub.

    The bundle that comes with this package is recorded with the SHA-256 over its weights as its revision, so that an
    adapter is put on no other version of it.

    Args:
        config (`dict`): of `adapter_config.json`, checked.
        path (`Path`): of that file, for errors.

    Raises:
        `ValueError`: another version of that bundle comes with this package.
        `FileNotFoundError`: that bundle is meant, and is missing.
    """
    base, revision = config["base_model_name_or_path"], config.get("revision")
    recorded = base == DEFAULT and revision is not None
    place = str(default_bundle.DEFAULT_BUNDLE if recorded else place_of(base))
    if not is_default(place):
        return place, revision
    if revision not in (None, found := weights_hash(place)):
        raise ValueError(
            f"{path} is of an adapter of the bundle {DEFAULT!r} with the weights {revision}, and the one that comes "
            f"with this neuromusic_hf has {found or 'none'}: install the version that the adapter was made with ("
            "run.json tells it), or write the folder of that bundle as base_model_name_or_path, and no revision."
        )
    return place, None


def name_default_base(folder: Path):
    """Has the adapter in a folder name the bundle that comes with this package, if it is its base, by no path."""
    path = folder / ADAPTER_CONFIG_NAME
    said = json.loads(path.read_text(encoding="utf-8"))
    base = said.get("base_model_name_or_path")
    if base and is_default(base):
        said |= {"base_model_name_or_path": DEFAULT, "revision": weights_hash(base)}
        write_whole(path, json.dumps(said, indent=2, sort_keys=True) + "\n")


def weights_hash(folder: str | Path) -> str | None:
    """SHA-256 over the weights in a folder; `None` where there are none."""
    files = sorted(Path(folder).glob("*.safetensors"))
    return hash_files(files) if files else None
