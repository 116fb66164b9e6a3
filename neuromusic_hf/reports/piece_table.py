"""One row for each piece of a test run: what it is, its distances, and how near it comes to its original."""

from collections.abc import Mapping, Sequence

import pandas as pd

from ..metrics import Comparison, NoveltyScore, PieceDistances
from ..runs import FinishedRun, LeftOutRecord, PieceRecord

PARTS_WITH_NOTES = ("prompt", "generated", "original")
NOVELTY = ("novelty_original", "novelty_generated")
FILES = ("prompt", "generated", "original", "full")
FACTS = (
    "prompt_tokens",
    "generated_tokens",
    "original_tokens",
    "ended_with_eos",
    "entropy_nats",
    "seed",
)


def make_piece_table(
    run: FinishedRun,
    found: list[Mapping[str, PieceDistances]],
    comparisons: Sequence[Comparison],
    novelty: NoveltyScore | None = None,
    order: Sequence[int] | None = None,
) -> pd.DataFrame:
    """
    The pieces of a run, in order; those that are left out come last, with the reason in `left_out`.

    For each comparison there are `<name>_original` and `<name>_generated` (distances from the prompt) and
    `<name>_dropped` (why there are none). `novelty_original` and `novelty_generated` are the notes of the longest
    run that is shared with a training piece, missing where novelty is not available or drops the piece. `mean_rank` is
    low where the generated distance is near the original one: the mean over the comparisons of the rank of
    their difference, from 1; only pieces that have all distances have it.

    Args:
        run ([`FinishedRun`]): a test run.
        found (`list[dict[str, PieceDistances]]`): of the continued pieces, by name of the comparison.
        comparisons (sequence of [`Comparison`]): whose distances these are.
        novelty ([`NoveltyScore`], *optional*): with a pair of runs for each continued piece.
        order (sequence of `int`, *optional*): indices of the pieces, in another order.
    """
    shared = [None] * len(run.records) if novelty is None else novelty.runs
    rows = [
        _facts(record) | _distances(each) | dict(zip(NOVELTY, runs or (None, None), strict=True))
        for record, each, runs in zip(run.records, found, shared, strict=True)
    ]
    rows += [{"index": record.index, "name": record.name, "left_out": _reason(record)} for record in run.left_out]
    if order is not None:
        place = {index: number for number, index in enumerate(order)}
        rows.sort(key=lambda row: place[row["index"]])
    names = [comparison.name for comparison in comparisons]
    # As objects first: pandas would make floats, which do not hold every seed, where a piece has none.
    table = pd.DataFrame(rows, columns=_columns(names), dtype=object).astype(_types(names))
    return table.assign(mean_rank=mean_rank(table, names))


def mean_rank(table: pd.DataFrame, names: list[str]) -> pd.Series:
    """Mean over the comparisons of the rank of |generated - original|, from 1; missing where a distance is."""
    columns = {name: (table[f"{name}_generated"] - table[f"{name}_original"]).abs() for name in names}
    differences = pd.DataFrame(columns, index=table.index, dtype="float64").dropna()
    return differences.rank().mean(axis=1).reindex(table.index)


def _facts(record: PieceRecord) -> dict:
    facts = {"index": record.index, "name": record.name} | {fact: getattr(record, fact) for fact in FACTS}
    facts |= {f"{part}_notes": getattr(record.notes, part) for part in PARTS_WITH_NOTES}
    return facts | {f"{part}_file": getattr(record.files, part) for part in FILES}


def _distances(found: Mapping[str, PieceDistances]) -> dict:
    row = {}
    for name, distances in found.items():
        row[f"{name}_original"] = distances.original
        row[f"{name}_generated"] = distances.generated
        row[f"{name}_dropped"] = distances.reason
    return row


def _reason(record: LeftOutRecord) -> str:
    return f"{record.reason}: {record.detail}"


def _columns(names: list[str]) -> list[str]:
    distances = [f"{name}_{part}" for name in names for part in ("original", "generated", "dropped")]
    notes = [f"{part}_notes" for part in PARTS_WITH_NOTES]
    files = [f"{part}_file" for part in FILES]
    return ["index", "name", "left_out", *distances, *NOVELTY, *FACTS, *notes, *files]


def _types(names: list[str]) -> dict[str, str]:
    """Whole numbers stay whole where a piece has none, and a column has its type however few pieces there are."""
    whole = ["index", *NOVELTY, *(fact for fact in FACTS if fact.endswith("_tokens"))]
    types = dict.fromkeys([*whole, *(f"{part}_notes" for part in PARTS_WITH_NOTES)], "Int64")
    types |= {"seed": "UInt64", "ended_with_eos": "boolean"}
    types |= {"entropy_nats": "float64", "name": "string", "left_out": "string"}
    types |= {f"{part}_file": "string" for part in FILES}
    for name in names:
        types |= {f"{name}_original": "float64", f"{name}_generated": "float64", f"{name}_dropped": "string"}
    return types
