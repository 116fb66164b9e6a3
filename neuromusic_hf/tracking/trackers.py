"""The trackers of a run: whether they are there, and what they call it."""

import hashlib
import os
from collections.abc import Sequence

from transformers.integrations.integration_utils import (
    INTEGRATION_TO_CALLBACK,
    get_available_reporting_integrations,
)

from ..disk import user_path

NAME_VARIABLES = {"wandb": "WANDB_NAME", "swanlab": "SWANLAB_EXP_NAME"}
"""Of trackers that read one, and that a name of ours would override."""

UNCHECKED = ("azure_ml", "flyte")
"""Trackers of which transformers does not say whether they are installed."""

HASH_DIGITS = 6


def check_trackers(report_to: Sequence[str]):
    """
    Refuses trackers that do not exist or are not installed.

    Raises:
        `ValueError`: naming the tracker, and those there are.
    """
    if list(report_to) in ([], ["none"], ["all"]):
        return
    for tracker in report_to:
        if tracker not in INTEGRATION_TO_CALLBACK:
            names = ", ".join(INTEGRATION_TO_CALLBACK)
            raise ValueError(f"report_to={tracker} is unknown: choose {names}, all or none.")
        if tracker not in (*get_available_reporting_integrations(), *UNCHECKED):
            raise ValueError(f"report_to={tracker}: {tracker} is not installed or not set up (pip install {tracker}).")


def default_run_name(output_dir: str | None, report_to: Sequence[str]) -> str:
    """
    The name of a run that was given none: the one a tracker's variable says, else one of its folder.

    That is the same whenever the run goes on in its folder, as some trackers know runs by their names, and another one
    in any other folder.

    Args:
        output_dir (`str`, *optional*): The folder of the run.
        report_to (sequence of `str`): The names of its trackers.
    """
    for tracker, variable in NAME_VARIABLES.items():
        if os.environ.get(variable) and {tracker, "all"} & set(report_to):
            return os.environ[variable]
    folder = user_path(output_dir or ".").resolve()
    return f"{folder.name}-{hashlib.sha256(str(folder).encode()).hexdigest()[:HASH_DIGITS]}"


def default_project() -> str:
    """Trackio's project where none is given."""
    return os.environ.get("TRACKIO_PROJECT") or "huggingface"
