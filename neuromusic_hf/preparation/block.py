"""What all blocks of the stages share."""

from __future__ import annotations

from typing import Any

from .configuration import Preparation
from .engine import PipelineStep
from .identity import check_code


class Block(PipelineStep):
    """
    A block of a stage, which runs by the code that the preparation began with, or not at all.

    Args:
        preparation ([`Preparation`]): which.
    """

    type = "neuromusic"

    def __init__(self, preparation: Preparation):
        super().__init__()
        self.preparation = preparation

    def __call__(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Any:
        """
        Runs it, as datatrove does.

        Raises:
            `RuntimeError`: the code is another.
        """
        check_code(self.preparation)
        return self.run(data, rank, world_size)
