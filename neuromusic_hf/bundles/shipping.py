"""A bundle made small, to travel with the package or elsewhere: the weights of a trained one, as float16."""

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers.utils import ADAPTER_CONFIG_NAME, CONFIG_NAME, SAFE_WEIGHTS_NAME

from ..disk import user_path, write_json
from ..hub import CARD_NAME, files_in
from .bundle import find_bundle
from .files import EXAMPLES_NAME, INDEX_OF_WEIGHTS, SCORES_NAME, WEIGHTS, bundle_files
from .pipeline_file import add_pipeline_files

REPORTED = (SCORES_NAME, f"{EXAMPLES_NAME}/*")
"""What a report adds: it tells of the weights as they were."""


def save_for_shipping(source: str | Path, folder: str | Path):
    """
    Writes a bundle whose weights take half the bytes, and that computes as before.

    Weights lie in the file as float16, and `config.json` says `float32`: that is what `from_pretrained` makes of them,
    so that a model plays as fast and as exactly on a processor, where half precision is slow, as one saved as float32.
    What rounding changes is a relative 0.0005 of each weight at most, or 3e-8 of the smallest. A model that is trained
    on from it is trained in float32.

    Args:
        source (`str` or `Path`): folder of a bundle, or of a training run that made one.
        folder (`str` or `Path`): where to; made if missing, and else empty.

    Raises:
        `ValueError`: it is an adapter, holds no bundle, or a weight is too large for float16; `folder` is not empty.
        `OSError`: it cannot be read, or the folder cannot be written to.
    """
    source, folder = Path(find_bundle(source)), user_path(folder)
    if folder.is_dir() and any(folder.iterdir()):
        raise ValueError(f"{folder} holds files already: give a folder that is not there yet.")
    names = {*bundle_files(source)}
    if ADAPTER_CONFIG_NAME in names:
        raise ValueError(f"{source} is an adapter: load it with build_model, which merges it, and save that.")
    weights = {}
    for name in files_in(source, WEIGHTS):
        weights |= load_file(source / name)
    if not weights:
        raise ValueError(f"{source} holds no weights (model*.safetensors).")
    halves = {name: _half(name, weight) for name, weight in weights.items()}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(halves, folder / SAFE_WEIGHTS_NAME, {"format": "pt"})
    for name in names.difference([CARD_NAME], files_in(source, (*WEIGHTS, INDEX_OF_WEIGHTS, *REPORTED))):
        shutil.copyfile(source / name, folder / name)
    config = json.loads((folder / CONFIG_NAME).read_text(encoding="utf-8"))
    write_json(folder / CONFIG_NAME, config | {"dtype": "float32"})
    add_pipeline_files(folder)


def _half(name: str, weight: torch.Tensor) -> torch.Tensor:
    if not weight.is_floating_point():
        return weight
    half = weight.to(torch.float16).contiguous()
    if not torch.isfinite(half).all():
        most = torch.finfo(torch.float16).max
        raise ValueError(f"{name} holds weights that float16 cannot hold (at most {most:g}): ship it as it is.")
    return half
