"""How much music to add: where a row ends, and the criteria that stop it there."""

from dataclasses import dataclass

import numpy as np
import torch
from symusic.core import ScoreTick
from transformers import StoppingCriteria

from ..music import bar_starts, onsets, seconds_at
from .clock import MusicClock


@dataclass(frozen=True)
class MusicLimit:
    """
    How much music to add, measured from the end of the bar that holds the prompt's last onset (bars) or from that
    onset (seconds); from the beginning where the prompt has no note.

    Args:
        max_new_bars (`int`, *optional*): bars.
        max_new_seconds (`float`, *optional*): seconds.

    Raises:
        `ValueError`: one is not positive.
    """

    max_new_bars: int | None = None
    max_new_seconds: float | None = None

    def __post_init__(self):
        if self.max_new_bars is not None and (self.max_new_bars < 1 or self.max_new_bars != int(self.max_new_bars)):
            raise ValueError(f"max_new_bars={self.max_new_bars} must be 1 or more.")
        if self.max_new_seconds is not None and not self.max_new_seconds > 0:
            raise ValueError(f"max_new_seconds={self.max_new_seconds} must be above 0.")

    def __bool__(self) -> bool:
        return self.max_new_bars is not None or self.max_new_seconds is not None

    def after(self, clock: MusicClock) -> "MusicEnd":
        """The end of the music of a row, of which `clock` has read the prompt."""
        return MusicEnd(
            bars=None if self.max_new_bars is None else clock.bars_to_last_onset + self.max_new_bars,
            seconds=None if self.max_new_seconds is None else clock.last_onset_seconds + self.max_new_seconds,
        )


@dataclass(frozen=True)
class MusicEnd:
    """Where the music of a row ends: a bar, a second, or whichever comes first, counted from its beginning."""

    bars: int | None
    seconds: float | None

    def tick(self, score: ScoreTick) -> int | None:
        """The first tick of `score` that lies beyond; `None` where no note does."""
        bars, ticks = bar_starts(score), onsets(score)
        found = bars[self.bars : self.bars + 1] if self.bars is not None else bars[:0]
        if self.seconds is not None:
            found = np.concatenate([found, ticks[seconds_at(score, ticks) >= self.seconds]])
        return int(found.min()) if len(found) else None

    def reached(self, clock: MusicClock) -> str | None:
        """Whether it is reached: the argument that said so, or `None`."""
        if self.bars is not None and clock.bars >= self.bars:
            return "max_new_bars"
        if self.seconds is not None and clock.seconds >= self.seconds:
            return "max_new_seconds"
        return None


class MusicEndCriteria(StoppingCriteria):
    """
    Stops each row where its music ends.

    Args:
        clocks (list of [`MusicClock`]): one a row of the batch, which have read the prompts.
        ends (list of [`MusicEnd`]): one a row of the batch.
        prompt_width (`int`): tokens of the padded prompts.
    """

    def __init__(self, clocks: list[MusicClock], ends: list[MusicEnd], prompt_width: int):
        self.after_prompt = clocks
        self.ends = ends
        self.prompt_width = prompt_width
        self.clocks = [clock.copy() for clock in clocks]
        self.seen = [[] for _ in clocks]

    def __call__(self, input_ids: torch.LongTensor, scores, **kwargs) -> torch.BoolTensor:
        """
        Args:
            input_ids (`torch.LongTensor` of shape `(rows, tokens)`): prompts and what was generated; rows are those of
                the batch, or as many for each as there are beams.

        Returns:
            `torch.BoolTensor` of shape `(rows,)`: which rows are done.
        """
        rows = input_ids[:, self.prompt_width :].tolist()
        if len(rows) != len(self.clocks):
            self.clocks, self.seen = [None] * len(rows), [None] * len(rows)
        done = [self._follow(index, ids) for index, ids in enumerate(rows)]
        return torch.tensor(done, device=input_ids.device)

    def _follow(self, index: int, ids: list[int]) -> bool:
        number = index * len(self.ends) // len(self.clocks)
        if self.seen[index] != ids[:-1]:  # beams change places
            self.clocks[index] = self.after_prompt[number].copy()
            self.seen[index] = []
        for token in ids[len(self.seen[index]) :]:
            self.clocks[index].advance(token)
        self.seen[index] = ids
        return self.ends[number].reached(self.clocks[index]) is not None
