"""Samples of infilling of the pieces of a window, as many as the share of a run asks for."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np

from ..infilling.packing import best_fit
from ..infilling.sample_dataset import FEWEST, DrawSamples, part_for
from ..tokenization import MidiProcessor
from ..tokenization.augmentation import OneVariant
from .counts import counted

COVERS = 1000
"""Of a pass, at most: those of the next one have other numbers, and so other windows and middles."""


@dataclass(frozen=True, eq=False)
class DrawnBlocks:
    """
    Samples of infilling in blocks.

    Args:
        blocks (`list[np.ndarray]`): ids (int32) of each; they may be shorter than the context.
        samples (`int`): in them.
        tokens (`int`): in them.
        left_out (`dict[str, int]`): samples that could not be made, by reason.
    """

    blocks: list[np.ndarray] = field(default_factory=list)
    samples: int = 0
    tokens: int = 0
    left_out: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class InfillDrawer:
    """
    Draws samples of the pieces of windows.

    Args:
        processor ([`MidiProcessor`]): with the tokens of infilling.
        context_length (`int`): ids of a block.
        share (`float`): of all training tokens, that are samples.
        seed (`int`): of what is drawn.
    """

    processor: MidiProcessor
    context_length: int
    share: float
    seed: int

    def draw(
        self,
        batches: list[dict[str, list]],
        variant: OneVariant,
        ordinary: int,
        passes: int,
        random: np.random.Generator,
    ) -> Generator[float, None, DrawnBlocks]:
        """
        Draws samples, and packs them into blocks.

        Where pieces are covered again and again, and hardly a sample comes of it, there are fewer than asked for.

        Args:
            batches (`list[dict[str, list]]`): the pieces, a few at a time: the columns `midi` and `content_hash`.
            variant ([`OneVariant`]): of each piece, that is read.
            ordinary (`int`): tokens of the pieces.
            passes (`int`): that are finished.
            random (`np.random.Generator`): chooses among the samples, and orders them.

        Yields:
            `float`: how much is done, between 0 and 1.

        Returns:
            [`DrawnBlocks`]
        """
        wanted = self.share / (1 - self.share) * ordinary
        samples: list[np.ndarray] = []
        left_out: list[str] = []
        tokens = covered = 0.0
        for cover in range(passes * COVERS, (passes + 1) * COVERS):
            if tokens >= wanted or (covered and tokens < FEWEST * ordinary * covered):
                break
            part = part_for((wanted - tokens) / ordinary, sum(len(batch["midi"]) for batch in batches))
            draw = DrawSamples(self.processor, variant, self.context_length, cover, part, self.seed)
            for batch in batches:
                drawn = draw(batch)
                found = [np.asarray(ids, np.int32) for ids in drawn.column("input_ids").to_numpy()]
                samples += [ids for ids in found if len(ids)]
                tokens += sum(map(len, found))
                left_out += filter(None, drawn.column("left_out").to_pylist())
                yield min(1.0, tokens / wanted)
            covered += part
        return self._packed(samples, wanted, counted(left_out), random)

    def _packed(
        self, samples: list[np.ndarray], wanted: float, left_out: dict[str, int], random: np.random.Generator
    ) -> DrawnBlocks:
        order = random.permutation(len(samples))
        lengths = np.array([len(samples[number]) for number in order], np.int64)
        chosen = order[: int(np.searchsorted(lengths.cumsum(), wanted)) + 1]
        lengths = lengths[: len(chosen)]
        blocks = [
            np.concatenate([samples[chosen[number]] for number in random.permutation(fitted)])
            for fitted in best_fit(lengths, self.context_length)
        ]
        return DrawnBlocks(blocks, len(chosen), int(lengths.sum()), left_out)
