"""Tokens as rows: one row a note, a chord, a meter, a tempo, or a step of time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .vocabulary import MISSING, NOTHING

MOST_IDS = 5
"""Of a row: a token of time, and the program, pitch, velocity and duration of a note."""


@dataclass(frozen=True, eq=False)
class Rows:
    """
    Ids in rows.

    Args:
        time (`np.ndarray` of shape `(rows,)`): tick at which the tokens of each row are.
        ids (`np.ndarray` of `int32` and shape `(rows, 5)`): `NOTHING` where a row has fewer.
    """

    time: np.ndarray
    ids: np.ndarray

    @classmethod
    def of(cls, time: np.ndarray, *columns: np.ndarray) -> Rows:
        """Rows of these ids, the first column left free."""
        rows = cls.empty(time)
        for index, ids in enumerate(columns):
            rows.ids[:, index + 1] = ids
        return rows

    @classmethod
    def empty(cls, time: np.ndarray) -> Rows:
        """Rows without ids."""
        return cls(time, np.full((len(time), MOST_IDS), NOTHING, np.int32))

    def take(self, order: np.ndarray) -> Rows:
        """In another order."""
        return Rows(self.time[order], self.ids[order])

    def with_first(self, ids: np.ndarray) -> Rows:
        """With other ids in the first column."""
        self.ids[:, 0] = ids
        return self

    def with_rows_before(self, places: np.ndarray, time: np.ndarray, *columns: np.ndarray | int) -> Rows:
        """
        With new rows.

        Args:
            places (`np.ndarray` of shape `(new,)`): the rows before which they come; of several for one, in order.
            time (`np.ndarray` of shape `(new,)`): ticks of the new rows.
            columns: their ids.
        """
        if not len(places):
            return self
        new = Rows.empty(time)
        for index, ids in enumerate(columns):
            new.ids[:, index] = ids
        at = places + np.arange(len(places))
        old = np.ones(len(self.time) + len(places), bool)
        old[at] = False
        joined = Rows(np.empty(len(old), np.int64), np.empty((len(old), MOST_IDS), np.int32))
        joined.time[at], joined.ids[at] = time, new.ids
        joined.time[old], joined.ids[old] = self.time, self.ids
        return joined

    @property
    def has_missing(self) -> bool:
        """Whether the vocabulary does not have one of the tokens."""
        return bool((self.ids == MISSING).any())

    def flat(self) -> np.ndarray:
        """All ids in a row."""
        return self.ids[self.ids != NOTHING]

    def flat_times(self) -> np.ndarray:
        """The tick of each of all ids."""
        return self.time.repeat((self.ids != NOTHING).sum(axis=1))


def joined(rows: list[Rows]) -> Rows:
    """Several as one."""
    return Rows(np.concatenate([each.time for each in rows]), np.concatenate([each.ids for each in rows]))
