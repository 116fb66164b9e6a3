"""Which licence binds what is made of several corpora."""

from collections.abc import Iterable

FROM_FREE_TO_STRICT = (
    ("cc0-1.0", "unlicense", "pddl", "wtfpl"),
    ("mit", "bsd", "bsd-2-clause", "bsd-3-clause", "isc", "zlib", "apache-2.0"),
    ("cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cdla-permissive-1.0", "cdla-permissive-2.0", "odc-by"),
    ("cc-by-sa-3.0", "cc-by-sa-4.0", "odbl"),
    ("cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0"),
    ("cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0"),
)
"""Identifiers of the Hub, in groups."""


def strictest(licences: Iterable[str | None]) -> str | None:
    """
    The licence that binds what is made under all of these.

    Args:
        licences (iterable of `str`): identifiers of the Hub; `None` where one is not known.

    Returns:
        `str`: the strictest; `None` where that cannot be told, as one is not known and the others are freer than any.
    """
    known = {licence: rank for rank, group in enumerate(FROM_FREE_TO_STRICT) for licence in group}
    licences = list(licences)
    ranks = {licence: known[licence] for licence in licences if licence in known}
    binding = max(ranks, key=ranks.__getitem__, default=None)
    if binding is None or (None in licences or len(ranks) < len(set(licences))) and not is_non_commercial(binding):
        return None
    return binding


def is_non_commercial(licence: str | None) -> bool:
    """Whether a licence allows no use for money."""
    return licence is not None and "-nc" in licence
