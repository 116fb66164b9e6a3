"""What the figures of infills say, in plain words."""

from __future__ import annotations

from typing import Any

from .infill_scores import COPY, REAL, TITLES

MANY_PIECES = 100


def verdict(measure: dict[str, Any], kind: str) -> str | None:
    """
    Whether an infill or a copy of the bars before is nearer to the real bars: `"nearer"`, `"further"`, or `"same"`.

    `None` where that cannot be told of a piece, or of one alone.
    """
    found = measure["kinds"][kind]["to_copy"]
    if kind in (REAL, COPY) or found["interval"] is None:
        return None
    low, high = found["interval"]
    return "nearer" if high < 0 else "further" if low > 0 else "same"


def describe_measure(measure: dict[str, Any], models: list[str]) -> str:
    """
    What a measure of `infill_scores.json` says of models beside a copy of the bars before.

    Args:
        measure (`dict`): under its name in `measures`.
        models (list of `str`): whose infills are judged.
    """
    return " ".join(filter(None, (_describe(measure, model) for model in models)))


def _describe(measure: dict[str, Any], model: str) -> str | None:
    found = verdict(measure, model)
    if found is None:
        return None
    to_copy = measure["kinds"][model]["to_copy"]
    low, high = sorted(abs(bound) for bound in to_copy["interval"])
    by = f"by {abs(to_copy['mean']):.3f} ({low:.3f} to {high:.3f}) in the mean over {to_copy['num_pieces']} pieces"
    if found == "nearer":
        return f"{model} comes nearer to the real bars than a copy of the bars before, {by}."
    if found == "further":
        return f"Copying wins: a copy of the bars before comes nearer to the real bars than {model}, {by}."
    few = "" if to_copy["num_pieces"] >= MANY_PIECES else f": take {MANY_PIECES} pieces or more"
    return f"Between {model} and a copy of the bars before no difference can be told from chance{few}."


def summarise(record: dict[str, Any], models: list[str]) -> list[str]:
    """
    By what each model is nearer to the real bars than copies of the bars before, by what these are, what they lack.

    A model whose spans are not all complete has one more sentence.

    Args:
        record (`dict`): of `infill_scores.json`.
        models (list of `str`): whose infills are judged.
    """
    said = [_summary(record, model) for model in models]
    shares = {kind: record["repeats"][kind]["share"] for kind in (REAL, *models)}
    told = [f"{TITLES.get(kind, kind)}: {share:.1%}" for kind, share in shares.items() if share is not None]
    if told and record["repeats"][COPY]["repeats"]:
        said.append(
            "What copies lack is anything new: they repeat the bars before note for note wherever there are any. Of "
            f"the spans that have some, so do: {'; '.join(told)}."
        )
    return said + [_unfinished(record, model) for model in models if record["repeats"][model]["incomplete"]]


def _unfinished(record: dict[str, Any], model: str) -> str:
    incomplete = record["repeats"][model]["incomplete"]
    reached = ", ".join(f"{reason}: {count}" for reason, count in incomplete.items())
    return (
        f"{model}: {sum(incomplete.values())} of {record['spans']} spans are incomplete ({reached}). They hold what "
        "was written by then, and are judged by that."
    )


def _summary(record: dict[str, Any], model: str) -> str:
    by_verdict: dict[str | None, list[str]] = {}
    for measure in record["measures"].values():
        by_verdict.setdefault(verdict(measure, model), []).append(measure["title"])
    parts = [
        f"{model} comes nearer to the real bars than a copy of the bars before by {_listed(by_verdict.get('nearer'))}",
        f"copying wins by {_listed(by_verdict.get('further'))}",
        f"by {_listed(by_verdict.get('same'))} no difference can be told from chance",
    ]
    return "; ".join(parts[:2] + parts[2:] * ("same" in by_verdict)) + "."


def _listed(titles: list[str] | None) -> str:
    if not titles:
        return "no measure"
    return titles[0] if len(titles) == 1 else f"{', '.join(titles[:-1])} and {titles[-1]}"
