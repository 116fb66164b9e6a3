"""Whether a model has begun to copy: do its continuations share longer runs with the train split than originals do?"""

import math

import numpy as np
import pandas as pd

from ..generation.copy_guard import MAX_RUN

CHANCE = 0.05
"""That so many continuations stand out by chance, below which they are said to copy."""

FEWEST_PIECES = 4
"""With fewer chance makes even all of them stand out more often than that."""

TIMES_LONGER = 2
"""A run that is so many times the longest of any original is no chance, however few pieces there are."""


def copying_p_value(table: pd.DataFrame) -> float | None:
    """
    How likely chance puts so many continuations beyond the runs that are usual among originals (Fisher's exact test).

    Usual are the runs of 95% of the originals, as in [`NoveltyScore`]. If continuations shared no longer runs than
    originals, those beyond would be of either kind alike.

    Args:
        table ([`pandas.DataFrame`]): of a scored run, with the columns `novelty_original` and `novelty_generated`.

    Returns:
        `float`: between 0 and 1; `None` where no piece has both.
    """
    runs = table[["novelty_original", "novelty_generated"]].dropna().to_numpy(dtype=np.int64)
    if not len(runs):
        return None
    usual = np.quantile(runs[:, 0], 0.95, method="higher")
    originals, generated = (runs > usual).sum(axis=0).tolist()
    size, beyond = len(runs), originals + generated
    ways = [math.comb(size, count) * math.comb(size, beyond - count) for count in range(generated, beyond + 1)]
    return sum(ways) / math.comb(2 * size, beyond)


def is_copying(p_value: float | None, longest_original: int | None, longest_generated: int | None) -> bool:
    """
    Whether a model is said to copy: chance hardly puts so many runs beyond the usual, or one is far too long.

    Far too long is one that the copy guard would break off by default, and [`TIMES_LONGER`] times the longest of any
    original.

    Args:
        p_value (`float`, *optional*): from [`copying_p_value`].
        longest_original (`int`, *optional*): notes of the longest run that an original shares with the train split.
        longest_generated (`int`, *optional*): likewise of a continuation. `None` where no piece has both.
    """
    if p_value is None or longest_original is None or longest_generated is None:
        return False
    return p_value < CHANCE or longest_generated > max(MAX_RUN, TIMES_LONGER * longest_original)
