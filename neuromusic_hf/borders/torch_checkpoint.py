"""PyTorch checkpoints in shards: their index is a pickle, of which only what belongs there is made."""

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

OF_AN_INDEX = {
    "torch.distributed.checkpoint.metadata": {
        *("BytesStorageMetadata", "ChunkStorageMetadata", "Metadata", "MetadataIndex", "StorageMeta"),
        *("TensorProperties", "TensorStorageMetadata", "_MEM_FORMAT_ENCODING"),
    },
    "torch.distributed.checkpoint.filesystem": {"_StorageInfo"},
    "torch.serialization": {"_get_layout"},
    "torch": {"Size", *(name for name, value in vars(torch).items() if isinstance(value, torch.dtype))},
    "pathlib": {"PosixPath", "WindowsPath"},
    "pathlib._local": {"PosixPath", "WindowsPath"},  # where Python 3.13 has them
}
"""Names in the index of a checkpoint, by module."""


@dataclass(frozen=True)
class Stored:
    """
    Something that a checkpoint in shards holds.

    Args:
        file (`str`): of the shard, in the folder of the index.
        start, length (`int`): in bytes.
        is_tensor (`bool`): whether it is one, which PyTorch reads as nothing else; or an object, in a pickle.
    """

    file: str
    start: int
    length: int
    is_tensor: bool


class _Index(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """As [`pickle.Unpickler.find_class`], of what belongs in an index alone."""
        if name not in OF_AN_INDEX.get(module, ()):
            raise pickle.UnpicklingError(f"it names {module}.{name}, which no index of shards does")
        return super().find_class(module, name)


def read_shard_index(path: Path) -> list[Stored]:
    """
    What the `.metadata` of `torch.distributed.checkpoint` says where to find. Nothing else is imported or called.

    Raises:
        `pickle.UnpicklingError`: it names what does not belong there.
        `EOFError`, `AttributeError` or `TypeError`: it is damaged.
    """
    with path.open("rb") as file:
        index = _Index(file).load()
    found = []
    for place, where in index.storage_data.items():
        is_tensor = type(index.state_dict_metadata[place.fqn]).__name__ == "TensorStorageMetadata"
        found.append(Stored(where.relative_path, where.offset, where.length, is_tensor))
    return found
