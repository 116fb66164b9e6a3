"""What of infills is counted: repeats, silence, and spans that are not full."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pandas as pd


def count_repeats(table: pd.DataFrame, kind: str) -> dict[str, Any]:
    """How many infills are the bars before, note for note; how many have no note; how many there are at all."""
    own = table[table["kind"] == kind]
    known = own["repeats"].dropna().astype(bool)
    return {
        "spans": len(known),
        "repeats": int(known.sum()),
        "share": float(known.mean()) if len(known) else None,
        "silent": int((own["notes"] == 0).sum()),
        "without": int(own["notes"].isna().sum()),
    }


def count_incomplete(stops: Sequence[str | None] | None) -> dict[str, Any]:
    """How many infills end before their span is full, by what ended them; `None` where that is not known."""
    return {"incomplete": None if stops is None else dict(Counter(stop for stop in stops if stop is not None))}
