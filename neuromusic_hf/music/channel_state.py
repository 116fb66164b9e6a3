"""What controllers and pitch bends leave behind on a channel, and how the next part that gets it starts afresh."""

from collections.abc import Iterable

CONTROL, BEND = 0xB0, 0xE0
PARAMETER_CONTROLS = (6, 38, 96, 97, 98, 99, 100, 101)
"""Data entry and the numbers of the parameter it sets: they mean something in their order alone."""

BANK_CONTROLS = (0, 32)
PEDAL_CONTROL, PEDAL_DOWN = 64, 64
"""The sustain pedal, and the lowest value at which it is down."""

CONTROL_DEFAULTS = {7: 100, 8: 64, 10: 64, 11: 127, 91: 40} | dict.fromkeys(range(70, 80), 64)
"""Of General MIDI; of all others, 0."""

CENTRE = (BEND, 0, 64)
PARAMETER_DEFAULTS = [
    *((CONTROL, 101, 0), (CONTROL, 100, 0), (CONTROL, 6, 2), (CONTROL, 38, 0)),  # bends reach 2 semitones
    *((CONTROL, 101, 0), (CONTROL, 100, 1), (CONTROL, 6, 64), (CONTROL, 38, 0)),  # fine tuning
    *((CONTROL, 101, 0), (CONTROL, 100, 2), (CONTROL, 6, 64)),  # coarse tuning
    *((CONTROL, 101, 127), (CONTROL, 100, 127)),
]

Change = tuple[int, int, int]
"""Status without its channel, and two data bytes."""


def hand_over(before: Iterable[Change], after: Iterable[Change]) -> list[Change]:
    """
    What to send so that a channel is as the part that gets it expects.

    Args:
        before (iterable of [`Change`]): all that was sent on the channel, or what of it counts.
        after (iterable of [`Change`]): what that part has sent by itself until now, in order.

    Returns:
        `list` of [`Change`]: the default of each value that `after` does not set, and each that differs.
    """
    old, old_parameters = _last(before)
    new, new_parameters = _last(after)
    resets = [_default(key) for key in old if key not in new]
    sets = [change for key, change in new.items() if old.get(key) != change]
    return [*resets, *sets, *(PARAMETER_DEFAULTS if old_parameters else []), *new_parameters]


def what_counts(changes: Iterable[Change]) -> list[Change]:
    """The last change of each value, and one of those of parameters, if there are any."""
    last, parameters = _last(changes)
    return [*last.values(), *parameters[:1]]


def _last(changes: Iterable[Change]) -> tuple[dict, list[Change]]:
    """The last change of each controller and of the bend, and all that set parameters."""
    last, parameters = {}, []
    for status, first, second in changes:
        if status == CONTROL and first in PARAMETER_CONTROLS:
            parameters.append((status, first, second))
        else:
            last[(status, first) if status == CONTROL else (BEND, 0)] = (status, first, second)
    return last, parameters


def _default(key: tuple[int, int]) -> Change:
    return CENTRE if key[0] == BEND else (*key, CONTROL_DEFAULTS.get(key[1], 0))
