"""Whether a model has begun to copy: do its continuations share longer runs with the train split than originals do?"""

import math

import numpy as np
import pandas as pd

CHANCE = 0.05
"""That so many continuations stand out by chance, below which they are said to copy."""


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
