"""Families: pieces that are joined by twins."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .finding import Twin


def families(count: int, twins: Iterable[Twin]) -> np.ndarray:
    """
    Joins twins, and twins of twins.

    Args:
        count (`int`): pieces.
        twins (iterable of [`Twin`]): pairs of them.

    Returns:
        `np.ndarray` of shape `(count,)`, `int64`: of each piece the first one of its family, itself where it has none.
    """
    from scipy.sparse import coo_array  # slow to import
    from scipy.sparse.csgraph import connected_components

    pairs = np.array([(twin.first, twin.second) for twin in twins], np.int64).reshape(-1, 2)
    links = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    label = connected_components(links, directed=False)[1]
    return np.unique(label, return_index=True)[1][label].astype(np.int64)
