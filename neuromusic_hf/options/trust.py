"""What a recipe may not say: it may be a stranger's, and only whoever types a command line runs code and publishes."""

from collections.abc import Iterable, Mapping
from typing import Any

from ..imports import is_import_path

PUBLISHED = "what leaves this machine is said by whoever runs a recipe"

ONLY_TYPED = {
    "trust_remote_code": "whether code is trusted is said by whoever runs a recipe",
    "push_to_hub": PUBLISHED,
    "hub_model_id": PUBLISHED,
    "hub_revision": PUBLISHED,
    "trackio_space_id": PUBLISHED,
    "trackio_bucket_id": PUBLISHED,
    "trackio_static_space_id": PUBLISHED,
}
"""Options that count on the command line alone, and why. A recipe may switch them off."""

TRACKERS_HERE = ("none", "tensorboard", "trackio")
"""Trackers that write to this machine alone."""

FILES = ("accelerator_config", "deepspeed", "fsdp_config")
"""Options that may be paths of files to read; a recipe may say what they hold."""

IMPORTED = ("model", "tokenization", "corpus", "eval_comparisons")
"""Options that may hold import paths."""


def refuse_secrets(recipe: Mapping[str, Any]):
    """
    Refuses a recipe that holds a token, before anything of it is shown.

    Raises:
        `ValueError`: saying where a token belongs.
    """
    if recipe.get("hub_token") is not None:
        raise ValueError(
            "hub_token is a secret, and belongs into no file: set the variable HF_TOKEN, or hf auth login."
        )


def refuse_acts(recipe: Mapping[str, Any]):
    """
    Refuses what a recipe cannot decide for whoever runs it.

    Args:
        recipe (mapping): options by name.

    Raises:
        `ValueError`: naming the option, and how it can be said.
    """
    for name, reason in ONLY_TYPED.items():
        if recipe.get(name):
            raise ValueError(
                f"{name}: {recipe[name]} counts on the command line alone, as {reason}: add --{name} there."
            )
    for name in FILES:
        if isinstance(recipe.get(name), str) and not recipe[name].lstrip().startswith("{"):
            raise ValueError(
                f"{name}: {recipe[name]} counts on the command line alone, as it opens a file here: write what it "
                "holds, or use an accelerate config."
            )
    checkpoint = recipe.get("resume_from_checkpoint")
    if checkpoint not in (None, "last"):
        raise ValueError(
            f"resume_from_checkpoint: {checkpoint} counts on the command line alone: a recipe may say last, which is "
            "a checkpoint of the run itself."
        )
    if checkpoint and recipe.get("output_dir"):
        raise ValueError(
            "resume_from_checkpoint: last counts on the command line alone, as the recipe chooses output_dir, "
            "and what lies there may not be yours."
        )


def refuse_pulled(recipe: Mapping[str, Any]):
    """
    Refuses what a recipe that came from the Hub cannot decide, and one of the user's own can.

    Args:
        recipe (mapping): options by name.

    Raises:
        `ValueError`: naming the option, and how it can be said.
    """
    if (folder := recipe.get("output_dir")) is not None:
        raise ValueError(
            f"output_dir: {folder} counts on the command line alone, as this recipe was pulled, and a run replaces "
            "the model that lies there: add --output_dir there."
        )
    trackers = recipe.get("report_to") or []
    for tracker in [trackers] if isinstance(trackers, str) else trackers:
        if tracker not in TRACKERS_HERE:
            raise ValueError(
                f"report_to: {tracker} counts on the command line alone, as this recipe was pulled, and a tracker "
                "sends what a run does to your account: add --report_to there."
            )


def refuse_code(recipe: Mapping[str, Any]):
    """
    Refuses import paths in a recipe that was not trusted. Nothing is imported.

    Args:
        recipe (mapping): of its options, those that hold.

    Raises:
        `ValueError`: naming the import path, and how it can be given.
    """
    for option in IMPORTED:
        for path in import_paths(option, recipe.get(option)):
            raise ValueError(
                f"{option}: {path} is an import path, and what a recipe names is not imported unless you trust it: "
                f"give --{option} {path} on the command line, or --trust_remote_code true."
            )


def import_paths(option: str, value: Any) -> Iterable[str]:
    """The import paths in the value of an option of [`IMPORTED`]; names of files, folders and model types are none."""
    names = value if isinstance(value, list) else [value or ""]
    if option == "corpus":
        from ..corpora.names import split_names  # with datasets, which is slow to import

        names = split_names(value or "")
    return [name for name in names if is_import_path(name) and not (option == "model" and _is_model_type(name))]


def _is_model_type(name: str) -> bool:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING  # slow to import

    return name in CONFIG_MAPPING
