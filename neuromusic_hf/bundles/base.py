"""What a model was trained from that already was one: its name, its weights, and how it had been trained."""

import contextlib
import logging
import os
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from ..hub import PullError, find_file
from ..hub.bounds import read_object
from ..models.origin import found_with
from .bundle import public_name
from .files import RUN_NAME
from .identity import weights_hash

logger = logging.getLogger(__name__)

OF_TRAINING = ("optimizer_steps", "hardware", "corpora", "lora", "narrowed", "base_model")
"""What of the record of a run its successor keeps."""


def base_record(model: PreTrainedModel) -> dict[str, Any] | None:
    """
    What `run.json` says of the model that a run goes on from.

    Args:
        model ([`~transformers.PreTrainedModel`]): as it was loaded, or made.

    Returns:
        `dict`: `name`, without a path of this machine; `revision`, its commit on the Hub, or the SHA-256 over its
            weights; `trained`, what its own `run.json` says of its training, on the Hub if it has one. `None` of a new
            model.
    """
    name, commit = model.name_or_path, getattr(model, "hub_commit", None)
    if commit:
        return {"name": name, "revision": commit} | _trained_on_hub(model)
    if not name or not os.path.isdir(name):
        return None
    found: dict[str, Any] = {"name": public_name(name), "revision": None}
    with contextlib.suppress(FileNotFoundError):  # whoever cleared it away meanwhile
        found["revision"] = weights_hash(name)
    path = Path(name, RUN_NAME)
    return found | {"trained": _training(read_object(path) if path.is_file() else {})}


def _trained_on_hub(model: PreTrainedModel) -> dict[str, Any]:
    try:
        path = find_file(model.name_or_path, RUN_NAME, **found_with(model))
        return {} if path is None else {"trained": _training(read_object(path))}
    except (PullError, ValueError) as error:  # no reason to lose a run that has ended
        logger.warning("What %s was trained on is not recorded: %s", model.name_or_path, error)
        return {}


def _training(said: dict[str, Any]) -> dict[str, Any]:
    return {key: said[key] for key in OF_TRAINING if said.get(key)}
