"""The recipe that goes with a bundle, for others to read and run: it tells nothing of the machine it was made on."""

import os
from collections.abc import Collection
from typing import Any

from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from ..corpora.names import CORPORA, split_names
from ..default_bundle import DEFAULT, is_default
from ..hub import is_hub_id
from .bundle import public_name

OF_THIS_MACHINE = (
    *("output_dir", "data_dir", "report_to", "run_name", "run_group", "project"),
    *("trackio_space_id", "trackio_bucket_id", "trackio_static_space_id"),
    *("deepspeed", "fsdp", "fsdp_config", "accelerator_config", "parallelism_config", "local_rank"),
)
"""Options that say where a run was made, how it was called there, and among which processes it was divided."""

PLACES: dict[str, Collection[str]] = {
    "corpus": CORPORA,
    "model": CONFIG_MAPPING,
    "tokenization": (),
    "eval_harmony_embedding": (),
}
"""Options that may be paths, and the names that never are."""


def shareable_recipe(recipe: dict) -> dict:
    """
    What of a resolved recipe others may read and run.

    Folders and files are named by their last part alone, as `./my_midi`, and a bundle by the folder of its run.

    Args:
        recipe (`dict`): from [`resolved_recipe`], while what it names is there.
    """
    shared = {key: value for key, value in recipe.items() if key not in OF_THIS_MACHINE}
    for option in PLACES:
        if isinstance(said := shared.get(option), str):
            names = split_names(said) if option == "corpus" else [said]
            shared[option] = "+".join(name if name in PLACES[option] else _without_folders(name) for name in names)
    return _without_paths(shared)


def _without_folders(name: str) -> str:
    path = os.path.expanduser(name)
    is_path = os.path.isabs(path) or os.path.exists(path) or name.startswith(".")
    if is_default(path):
        return DEFAULT
    if not is_path and (os.sep not in name or is_hub_id(name)):
        return name
    return f"./{public_name(path)}"


def _without_paths(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_paths(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_paths(item) for item in value]
    return _without_folders(value) if isinstance(value, str) and os.path.isabs(value) else value
