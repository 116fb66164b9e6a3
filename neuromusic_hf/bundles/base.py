"""What a model was trained from that already was one: its name, its weights, and how it had been trained."""

import contextlib
import os
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from ..hub.bounds import read_object
from .bundle import public_name
from .files import RUN_NAME
from .identity import weights_hash

OF_TRAINING = ("optimizer_steps", "hardware", "corpora", "lora", "narrowed", "base_model")
"""What of the record of a run its successor keeps."""


def base_record(model: PreTrainedModel) -> dict[str, Any] | None:
    """
    What `run.json` says of the model that a run goes on from.

    Args:
        model ([`~transformers.PreTrainedModel`]): as it was loaded, or made.

    Returns:
        `dict`: `name`, without a path of this machine; `revision`, its commit on the Hub, or the SHA-256 over its
            weights; of a folder also `trained`, what its own `run.json` says of its training. `None` of a new model.
    """
    name, commit = model.name_or_path, getattr(model, "hub_commit", None)
    if commit:
        return {"name": name, "revision": commit}
    if not name or not os.path.isdir(name):
        return None
    found: dict[str, Any] = {"name": public_name(name), "revision": None}
    with contextlib.suppress(FileNotFoundError):  # whoever cleared it away meanwhile
        found["revision"] = weights_hash(name)
    path = Path(name, RUN_NAME)
    said = read_object(path) if path.is_file() else {}
    return found | {"trained": {key: said[key] for key in OF_TRAINING if said.get(key)}}
