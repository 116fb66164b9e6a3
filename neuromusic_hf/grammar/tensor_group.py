"""Tensors that belong together."""

from dataclasses import dataclass, fields
from typing import TypeVar

import torch

Group = TypeVar("Group", bound="TensorGroup")


@dataclass(frozen=True, eq=False, repr=False)
class TensorGroup:
    """A dataclass whose fields are tensors, or groups of them."""

    def to(self: Group, device: torch.device | str) -> Group:
        """The same on another device."""
        return type(self)(*(getattr(self, field.name).to(device) for field in fields(self)))
