"""What training notes of a model in its config, for others to go by."""

from pathlib import Path
from typing import Any

from ..hub.bounds import shown
from ..ranges import Range

TAUGHT = ("trained_programs", "infill_share")
PROGRAMS = Range(-1, "MIDI program, or -1 for drums", most=127)
SHARES = Range(0, "share of the training tokens", most=1)


def check_taught(said: dict[str, Any], path: Path):
    """
    Checks what a model is said to have been taught.

    Args:
        said (`dict`): a config, or what lies beside an adapter.
        path (`Path`): of that file.

    Raises:
        `ValueError`: a value of it cannot be.
    """
    programs, share = said.get("trained_programs") or [], said.get("infill_share") or 0
    if type(programs) is not list or not all(type(each) is int and each in PROGRAMS for each in programs):
        raise ValueError(f"{path}: trained_programs={shown(programs)} must be a list of numbers {PROGRAMS}.")
    if type(share) not in (int, float) or share not in SHARES:
        raise ValueError(f"{path}: infill_share={shown(share)} must be {SHARES}.")
