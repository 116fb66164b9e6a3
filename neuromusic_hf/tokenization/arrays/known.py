"""What is left to miditok: tokenizers with a setting that is not known here, and proved, and pieces beyond arrays."""

from __future__ import annotations

import functools
import logging

import miditok
from miditok import MusicTokenizer

from .token_table import KIND_OF_NAME

logger = logging.getLogger(__name__)

TOKENIZERS = (miditok.REMI, miditok.TSD, miditok.Structured)

MUSIC = {*KIND_OF_NAME, "Chord"}
"""Names of tokens of music."""

OFF = (
    "use_rests",
    "use_key_signatures",
    "use_sustain_pedals",
    "use_pitch_bends",
    "use_control_changes",
    "use_pitch_intervals",
    "program_changes",
    "ac_polyphony_track",
    "ac_polyphony_bar",
    "ac_pitch_class_bar",
    "ac_note_density_track",
    "ac_note_density_bar",
    "ac_note_duration_bar",
    "ac_note_duration_track",
    "ac_repetition_track",
)
"""Settings that have to be off."""

FREE = (
    "pitch_range",
    "drums_pitch_range",
    "beat_res",
    "num_velocities",
    "special_tokens",
    "encode_ids_split",
    "use_velocities",
    "use_note_duration_programs",
    "use_chords",
    "use_tempos",
    "use_time_signatures",
    "use_programs",
    "use_pitchdrum_tokens",
    "chord_maps",
    "chord_tokens_with_root_note",
    "chord_unknown",
    "num_tempos",
    "tempo_range",
    "log_tempos",
    "remove_duplicated_notes",
    "delete_equal_successive_tempo_changes",
    "delete_equal_successive_time_sig_changes",
    "time_signature_range",
    "programs",
    "one_token_stream_for_programs",
    "default_note_duration",
)
"""Settings of any value."""

MOOT = (
    "control_change_numbers",
    "control_change_n_bins",
    "beat_res_rest",
    "sustain_pedal_duration",
    "pitch_bend_range",
    "max_pitch_interval",
    "pitch_intervals_max_time_dist",
    "ac_polyphony_min",
    "ac_polyphony_max",
    "ac_note_density_track_min",
    "ac_note_density_track_max",
    "ac_note_density_bar_max",
    "ac_repetition_track_num_bins",
    "ac_repetition_track_num_consec_bars",
)
"""Settings of what is off."""

ADDITIONAL = ("max_bar_embedding", "use_bar_end_tokens", "add_trailing_bars")
"""Additional parameters, which have to be off as well."""


class BeyondArrays(Exception):
    """Only miditok can tell what becomes of this piece; the message says why."""


@functools.cache
def tell_of_miditok(what: str, reason: str) -> None:
    """Says, once in a process for each reason, that miditok itself does what arrays do otherwise."""
    logger.warning("%s left to miditok, which takes tens of times as long as arrays: %s. (Said once.)", what, reason)


def unknown_setting(tokenizer: MusicTokenizer) -> str | None:
    """
    Why arrays cannot do the work of a tokenizer.

    Returns:
        `str`, such as `"use_rests=True"` or `"it is no REMI, TSD or Structured of miditok"`; `None` if they can.
    """
    if type(tokenizer) not in TOKENIZERS:
        *others, last = (each.__name__ for each in TOKENIZERS)
        return f"it is no {', '.join(others)} or {last} of miditok"
    if changed := changed_method(tokenizer):
        return f"its method {changed} is not miditok's"
    settings, additional = vars(tokenizer.config), tokenizer.config.additional_params
    strange = [name for name in settings if name not in (*OFF, *FREE, *MOOT, "additional_params")]
    on = [name for name in OFF if settings[name]] + [name for name in strange if settings[name]]
    found = [f"{name}={settings[name]}" for name in on]
    found += [f"{name}={value}" for name, value in additional.items() if value or name not in ADDITIONAL]
    if settings["use_programs"] and not settings["one_token_stream_for_programs"]:
        found.append("one_token_stream_for_programs=False")
    lengths = [beats + parts / resolution for beats, parts, resolution in tokenizer.durations]
    if lengths != sorted(lengths):
        found.append("beat_res out of order")
    if tokenizer.attribute_controls:
        found.append("attribute controls")
    found += [f"special token {token}" for token in tokenizer.special_tokens if token.partition("_")[0] in MUSIC]
    return ", ".join(found) or None


def changed_method(tokenizer: MusicTokenizer) -> str | None:
    """The name of a method that is not the one of miditok's code, if there is one."""
    for kind in (type(tokenizer), MusicTokenizer):
        for name, held in vars(kind).items():
            method = held.fget if isinstance(held, property) else getattr(held, "__func__", held)
            if not callable(method) or isinstance(method, type):
                continue
            own = name in vars(tokenizer)
            if own or not getattr(method, "__globals__", {}).get("__name__", "").startswith("miditok."):
                return name
    return None
