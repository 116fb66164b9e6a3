"""Where a row ends: how much music to add, or a text, and the criteria that stop it there."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from symusic.core import ScoreTick
from transformers import PreTrainedTokenizerBase, StoppingCriteria

from ..music import bar_starts, onsets, seconds_at
from .clock import MusicClock


@dataclass(frozen=True)
class MusicLimit:
    """
    How much music to add.

    Args:
        max_new_bars (`int`, *optional*): bars after the one that holds the prompt's last onset.
        max_new_seconds (`float`, *optional*): seconds after that onset.

    Where the prompt has no note, both count from the beginning.

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


@dataclass(frozen=True)
class _Row:
    """Where a row stands, and the argument that stopped it there."""

    clock: MusicClock
    stopped_by: str | None = None


class MusicFollower:
    """
    Follows the rows that go on from one prompt, each id once, and knows what stopped them.

    Args:
        end ([`MusicEnd`]): where their music ends.
        clock ([`MusicClock`]): has read the prompt.
    """

    def __init__(self, end: MusicEnd, clock: MusicClock):
        self.end = end
        self.prompt = {(): _Row(clock)}
        self.rows: dict[tuple[int, ...], _Row] = {}
        self.stopped: dict[tuple[int, ...], _Row] = {}

    def follow(self, rows: list[tuple[int, ...]]) -> list[bool]:
        """Reads on in rows, of which all ids behind the prompt are given, and tells which of them are done."""
        self.rows = {ids: self._read(ids) for ids in rows}
        self.stopped |= {ids: row for ids, row in self.rows.items() if row.stopped_by is not None}
        return [self.rows[ids].stopped_by is not None for ids in rows]

    def stopped_by(self, ids: list[int]) -> str | None:
        """The argument that the music of a row has reached, or `None`."""
        return self._read(tuple(ids)).stopped_by

    def _read(self, ids: tuple[int, ...]) -> _Row:
        """A row, read from where it is known: beams branch off, and rows grow by several ids at once."""
        length = len(ids)
        while (row := self._known(ids[:length])) is None:
            length -= 1
        if row.stopped_by is not None or length == len(ids):
            return row
        clock = row.clock.copy()
        for index in ids[length:]:
            clock.advance(index)
        return _Row(clock, self.end.reached(clock))

    def _known(self, ids: tuple[int, ...]) -> _Row | None:
        found = (known[ids] for known in (self.rows, self.stopped, self.prompt) if ids in known)
        return next(found, None)


class MusicEndCriteria(StoppingCriteria):
    """
    Stops each row where its music ends.

    Args:
        followers (list of [`MusicFollower`]): one a prompt.
        prompt_width (`int`): tokens of the padded prompts.
        pad_token_id (`int`): fills up rows that are done.
    """

    def __init__(self, followers: list[MusicFollower], prompt_width: int, pad_token_id: int):
        self.followers = followers
        self.prompt_width = prompt_width
        self.pad_token_id = pad_token_id

    def __call__(self, input_ids: torch.LongTensor, scores, **kwargs) -> torch.BoolTensor:
        """
        Tells which rows are done.

        Args:
            input_ids (`torch.LongTensor` of shape `(rows, tokens)`): prompts and what was generated, as many rows for
                each prompt.
            scores: not looked at.
            kwargs: not looked at.

        Returns:
            `torch.BoolTensor` of shape `(rows,)`.
        """
        rows = [before_padding(ids, self.pad_token_id) for ids in input_ids[:, self.prompt_width :].tolist()]
        share = len(rows) // len(self.followers)
        done = []
        for number, follower in enumerate(self.followers):
            done += follower.follow([tuple(ids) for ids in rows[number * share : (number + 1) * share]])
        return torch.tensor(done, device=input_ids.device)


def before_padding(ids: list[int], pad_token_id: int) -> list[int]:
    """The ids of a row before the PAD that fills it up."""
    length = len(ids)
    while length and ids[length - 1] == pad_token_id:
        length -= 1
    return ids[:length]


class StopTextCriteria(StoppingCriteria):
    """
    Stops a row with the token that completes one of some texts; `stop_strings` of `generate()`.

    transformers' own criterion takes tokens apart into letters, which token text of music is not made of.

    Args:
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]): decodes rows.
        texts (`str` or sequence of `str`): such as `"TimeSig_3/4"`.

    Raises:
        `ValueError`: a text is none, or empty.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, texts: str | Sequence[str]):
        self.tokenizer = tokenizer
        self.texts = [texts] if isinstance(texts, str) else list(texts)
        if not all(isinstance(text, str) and text for text in self.texts):
            raise ValueError(f"stop_strings={texts!r} must be a text, or a list of texts, none of them empty.")
        self.most_tokens = max(map(len, self.texts), default=0) + 1

    def __call__(self, input_ids: torch.LongTensor, scores, **kwargs) -> torch.BoolTensor:
        """
        Tells which rows are done.

        Args:
            input_ids (`torch.LongTensor` of shape `(rows, tokens)`): prompts and what was generated.
            scores: not looked at.
            kwargs: not looked at.

        Returns:
            `torch.BoolTensor` of shape `(rows,)`.
        """
        done = [self._is_completed(row) for row in input_ids[:, -self.most_tokens :].tolist()]
        return torch.tensor(done, device=input_ids.device)

    def _is_completed(self, ids: list[int]) -> bool:
        text, before = self.tokenizer.decode(ids), self.tokenizer.decode(ids[:-1])
        return any(text.count(each) > before.count(each) for each in self.texts)
