"""Whether the states in a checkpoint that an engine divided are whole, and what they seem to be."""

import io
import os
import pickle
from pathlib import Path

import torch

from ..borders.torch_checkpoint import Stored, read_shard_index

SHARD_INDEX_NAME = ".metadata"

OF_DEEPSPEED = {
    "deepspeed.runtime.fp16.loss_scaler.DynamicLossScaler",
    "deepspeed.runtime.fp16.loss_scaler.LossScaler",
    "deepspeed.runtime.zero.config.ZeroStageEnum",
    "deepspeed.utils.tensor_fragment.fragment_address",
}
"""What the pickles of DeepSpeed name that PyTorch does not know as harmless: plain values, of which nothing runs."""


DAMAGE = (pickle.UnpicklingError, AttributeError, EOFError, KeyError, IndexError, RuntimeError)
"""Errors of readers of what is no pickle, or another one."""


def check_shards(index: Path):
    """
    Finds out, running nothing, whether a checkpoint in shards is whole and holds states alone.

    PyTorch reads its index, and what in it is no tensor, as pickles that may run code. They are read here first, by
    what makes nothing but what belongs there.

    Args:
        index (`Path`): the `.metadata` in its folder.

    Raises:
        `ValueError`: saying what is wrong.
    """
    try:
        for stored in read_shard_index(index):
            if os.path.basename(stored.file) != stored.file:
                raise ValueError(f"{stored.file!r} is no file beside it")
            _check_stored(index.with_name(stored.file), stored)
    except DAMAGE as error:
        raise ValueError(str(error).split("\n")[0] or type(error).__name__) from error


def _check_stored(path: Path, stored: Stored):
    size = path.stat().st_size if path.is_file() else 0
    if size < stored.start + stored.length:
        raise ValueError(f"{path.name} beside it is missing or cut short")
    if stored.is_tensor:
        return
    with path.open("rb") as file:
        file.seek(stored.start)
        torch.load(io.BytesIO(file.read(stored.length)), weights_only=True)


def check_deepspeed(path: Path):
    """
    Finds out, running nothing, whether a file of DeepSpeed, a pickle that may run code, names nothing but its own.

    Raises:
        `ValueError`: it does.
    """
    try:
        foreign = set(torch.serialization.get_unsafe_globals_in_checkpoint(path)) - OF_DEEPSPEED
    except DAMAGE as error:
        raise ValueError(str(error).split("\n")[0] or type(error).__name__) from error
    if foreign:
        raise ValueError(f"it names {sorted(foreign)[0]}, which no state of DeepSpeed does")
