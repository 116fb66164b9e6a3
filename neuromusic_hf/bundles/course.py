"""What the record of a run tells of its evaluations, in sentences."""

from collections.abc import Mapping
from typing import Any

from .facts import told


def course_sentences(course: Mapping[str, Any]) -> list[str]:
    """
    What a bundle's card and the log of a run say of how its evaluations went.

    Args:
        course (mapping): `course` of `run.json`. What is of another kind than it should be is not told.
    """
    kept_step, last_step = told(course, int, "kept_step"), told(course, int, "last_step")
    start, kept = value_after(course, 0), value_after(course, kept_step)
    turned = told(course, dict, "turned_up")
    sentences = []
    if kept is not None and last_step is not None:
        before = "" if start is None else f"{start:.3f} before training, "
        place = f"step {kept_step:,} of {last_step:,}"
        sentences.append(f"Nats per note on validation: {before}{kept:.3f} after {place}, which this bundle holds.")
    if is_worse_than_start(course):
        sentences.append("No training improved on validation: the model it began with predicts these pieces better.")
    if (patience := told(course, int, "stopped_early_after")) is not None and last_step is not None:
        evaluations = "one evaluation was" if patience == 1 else f"{patience} evaluations in a row were"
        threshold = told(course, float, "early_stopping_threshold")
        how = f"not better than the best before by more than {threshold:g}" if threshold else "no better than the best"
        sentences.append(f"Training stopped early, after step {last_step:,}: {evaluations} {how}.")
    after, best, risen = told(turned, int, "after_step"), told(turned, float, "best"), told(turned, float, "risen_to")
    if after is not None and best is not None and risen is not None:
        sentences.append(
            f"Validation turned up after step {after:,}, from {best:.3f} to {risen:.3f} nats per note: what training "
            "taught then did not help with pieces it had not seen."
        )
    return sentences


def is_worse_than_start(course: Mapping[str, Any]) -> bool:
    """Whether the model before the first step was as good on validation as the one that was kept, or better."""
    start, kept = value_after(course, 0), value_after(course, told(course, int, "kept_step"))
    return start is not None and kept is not None and kept >= start


def value_after(course: Mapping[str, Any], step: int | None) -> float | None:
    """Nats per note after a step."""
    for each in told(course, list, "nats_per_note") or []:
        if told(each, int, "step") == step and step is not None:
            return told(each, float, "value")
    return None
