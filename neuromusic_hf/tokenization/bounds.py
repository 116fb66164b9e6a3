"""How large a saved miditok tokenizer may be, so that one of a stranger is measured before it is built."""

import json
from collections.abc import Iterator
from typing import Any

from miditok import MusicTokenizer

from ..borders.miditok import BASE_TOKENS, CHARACTERS, LEARNED_MODEL
from ..hub.bounds import is_flat, shown
from ..ranges import Range
from .text_steps import LEARNED_STEPS, check_text_steps

MOST_BASE_TOKENS = 65_534
"""As many as the plain tokenizer has characters for."""

MOST_LEARNED_TOKENS = 2**20
MOST_ITEMS = 4096
"""Of a list or an object in a config."""

LONGEST_TEXT = 1024

_PITCHES = Range(most=127)
_PROGRAMS = Range(-1, most=127)
_SMALL = Range(most=1024)
RANGES = {
    "pitch_range": _PITCHES,
    "drums_pitch_range": _PITCHES,
    "beat_res": Range(most=4096),
    "beat_res_rest": Range(most=4096),
    "num_velocities": Range(1, most=127),
    "nb_velocities": Range(1, most=127),
    "num_tempos": Range(1, most=4096),
    "nb_tempos": Range(1, most=4096),
    "tempo_range": Range(0, most=10_000, open=True),
    "time_signature_range": Range(1, most=256),
    "programs": _PROGRAMS,
    "use_note_duration_programs": _PROGRAMS,
    "control_change_numbers": _PITCHES,
    "control_change_n_bins": Range(2, most=128),
    "max_pitch_interval": _PITCHES,
    "pitch_bend_range": Range(-8192, most=16_384),
    "chord_maps": _PITCHES,
    "chord_unknown": Range(most=128),
    "default_note_duration": _SMALL,
    "pitch_intervals_max_time_dist": _SMALL,
    "max_bar_embedding": Range(most=16_384),
    "ticks_per_quarter": Range(1, most=4096),
    "num_microtiming_bins": Range(1, most=4096),
    "max_microtiming_shift": Range(most=64),
    "rest_range": _SMALL,
}
"""Of all numbers in a setting of miditok's config, and of `additional_params` of its tokenizers."""

OTHER = Range(-16_384, most=16_384)
"""Of numbers in settings that are not named above."""

MOST_OF_TIME = Range(most=32_768)
"""Lengths of notes or rests, and positions in a bar."""


def check_bounds(saved: dict, tokenizer_class: type[MusicTokenizer], source: str):
    """
    Checks what a tokenizer is to be rebuilt from, before it is.

    Args:
        saved (`dict`): as of `MusicTokenizer.to_dict`.
        tokenizer_class (`type`): that it is to be.
        source (`str`): what errors call it, such as its file.

    Raises:
        `ValueError`: a setting is out of its range, there are too many or of an odd kind, or it would replace a
            method of its class.
    """
    config = saved.get("config", {})
    if not isinstance(config, dict):
        raise ValueError(f"{source}: its config is {shown(config)}, and no object.")
    for name in saved:
        if hasattr(tokenizer_class, name):
            raise ValueError(f"{source}: {shown(name)} is no setting; {tokenizer_class.__name__} has it of its own.")
    more = config.get("additional_params") or {}
    if not isinstance(more, dict):
        raise ValueError(f"{source}: additional_params is {shown(more)}, and no object.")
    learned = {name: value for name, value in saved.items() if name.startswith("_")}
    settings = {name: value for name, value in saved.items() if name != "config" and name not in learned}
    for name, value in [*settings.items(), *config.items(), *more.items()]:
        if name != "additional_params":
            _check_setting(name, value, source)
    for name in ("beat_res", "beat_res_rest"):
        _check_time(name, config.get(name), config.get("time_signature_range"), source)
    _check_learned(learned, source)


def _check_setting(name: str, value: Any, source: str):
    numbers = RANGES.get(name, OTHER)
    for item in _walk(name, value, source):
        if isinstance(item, (int, float)) and not isinstance(item, bool) and item not in numbers:
            raise ValueError(f"{source}: {name}={shown(item)} must be {numbers}.")
        if isinstance(item, str) and len(item) > LONGEST_TEXT:
            raise ValueError(f"{source}: a text of {name} has {len(item)} characters; {LONGEST_TEXT} at most.")


def _walk(name: str, value: Any, source: str) -> Iterator[Any]:
    """All that a setting holds, names of objects included where they are numbers."""
    if isinstance(value, (list, dict)):
        if len(value) > MOST_ITEMS:
            raise ValueError(f"{source}: {name} has {len(value):,} items; {MOST_ITEMS:,} at most.")
        for key in value if isinstance(value, dict) else ():
            yield from (key, *_numbers_of(key))
        for item in value.values() if isinstance(value, dict) else value:
            yield from _walk(name, item, source)
    else:
        yield value


def _numbers_of(key: str) -> list[int]:
    """Those in the name of an item: a meter's denominator, or the first and last beat of a range."""
    return [int(part) for part in key.split("_") if len(part) <= LONGEST_TEXT and part.lstrip("-").isdecimal()]


def _check_time(name: str, resolutions: Any, meters: Any, source: str):
    if not (isinstance(resolutions, dict) and all(type(each) is int for each in resolutions.values())):
        return
    lengths = 0
    for beats, resolution in resolutions.items():
        numbers = _numbers_of(beats)
        lengths += max(0, numbers[-1] - numbers[0]) * resolution if numbers else 0
    longest = 4
    if isinstance(meters, dict):
        numerators = [each for value in meters.values() if isinstance(value, list) for each in value]
        longest = max((each for each in numerators if isinstance(each, int)), default=longest)
    for number, what in ((lengths, "lengths"), (longest * max(resolutions.values(), default=0), "positions in a bar")):
        if number not in MOST_OF_TIME:
            raise ValueError(f"{source}: {name} makes {number:,} {what}; {MOST_OF_TIME.most:,} at most.")


def _check_learned(learned: dict, source: str):
    for name in (BASE_TOKENS, CHARACTERS):
        found = learned.get(name, {})
        if not isinstance(found, dict):
            raise ValueError(f"{source}: {name} is {shown(found)}, and no object.")
        if len(found) > MOST_BASE_TOKENS:
            raise ValueError(f"{source}: {name} has {len(found):,} tokens; {MOST_BASE_TOKENS:,} at most.")
    ids = learned.get(BASE_TOKENS, {}).values()
    if not all(type(index) is int and index in Range(most=MOST_LEARNED_TOKENS) for index in ids):
        raise ValueError(f"{source}: {BASE_TOKENS} must give each token a number.")
    if LEARNED_MODEL not in learned:
        return
    try:
        model = json.loads(learned[LEARNED_MODEL])
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{source}: its learned model is no JSON ({error}).") from error
    trained = model.get("model") if isinstance(model, dict) else None
    if not (isinstance(trained, dict) and is_flat(model)):
        raise ValueError(f"{source}: its learned model is {shown(model)}, and none of the tokenizers library.")
    sizes = [len(part) for part in trained.values() if isinstance(part, (dict, list))]
    if max(sizes, default=0) > MOST_LEARNED_TOKENS:
        raise ValueError(f"{source}: its learned model has {max(sizes):,} tokens; {MOST_LEARNED_TOKENS:,} at most.")
    check_text_steps(model, LEARNED_STEPS, f"{source}, in its learned model")
