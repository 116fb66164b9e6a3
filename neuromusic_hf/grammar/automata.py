"""
Which rules a tokenizer has, as automata: miditok's graph of token types, and what it cannot say.

A sequence is legal where every automaton allows every token, and the notes of each onset keep the rules of their own,
in [`NoteRules`]. A tokenizer gets its rules here.
"""

import miditok
from miditok import MusicTokenizer

from . import order_rules, time_rules
from .automaton import Automaton
from .base_tokens import BaseTokens

NEVER_WRITTEN: dict[type, set[tuple[str, str]]] = {
    miditok.REMI: {("TimeSig", "Program"), ("TimeSig", "Pitch"), ("TimeSig", "Chord"), ("Tempo", "TimeSig")},
    miditok.TSD: set(),
    miditok.Structured: set(),
}
"""The tokenizers with rules, and the successions that miditok's graph allows and its encoding never writes."""

SETTINGS = {
    "remove_duplicated_notes": True,  # which sorts the notes of an onset, too
    "use_rests": False,
    "use_key_signatures": False,
    "use_sustain_pedals": False,
    "use_pitch_bends": False,
    "use_control_changes": False,
    "use_pitch_intervals": False,
    "program_changes": False,
}
"""Settings of `miditok.TokenizerConfig` that the rules rely on."""


def check_supported(tokenizer: MusicTokenizer):
    """
    Refuses a tokenizer of which the rules do not describe what it writes.

    Raises:
        `ValueError`: there are no rules for its class, or for a setting of its config.
    """
    name, config = type(tokenizer).__name__, tokenizer.config
    if type(tokenizer) not in NEVER_WRITTEN:
        raise ValueError(
            f"There are no grammar rules for {name}, only for {', '.join(cls.__name__ for cls in NEVER_WRITTEN)}: "
            "generate without a grammar, or write its rules in neuromusic_hf/grammar/automata.py."
        )
    wrong = [f"{key}={getattr(config, key)}" for key, value in SETTINGS.items() if getattr(config, key) != value]
    wrong += [f"{key}={value}" for key, value in config.additional_params.items() if value]
    programs = set(config.programs) if config.use_programs else {0}
    if not programs <= set(config.use_note_duration_programs):
        wrong.append("programs that are not in use_note_duration_programs")
    if any(config.max_num_pos_per_beat % resolution for resolution in config.beat_res.values()):
        wrong.append(f"beat_res={config.beat_res} (the largest resolution must be a multiple of the others)")
    if wrong:
        raise ValueError(f"The grammar of {name} has no rules for {', '.join(wrong)}: generate without a grammar.")


def write_automata(tokenizer: MusicTokenizer, tokens: BaseTokens) -> list[Automaton]:
    """The automata of a tokenizer that [`check_supported`] lets pass, over its base tokens."""
    config = tokenizer.config
    graph, never = tokenizer.tokens_types_graph, NEVER_WRITTEN[type(tokenizer)]
    rules = [order_rules.successions(graph, never, tokens), order_rules.ending(tokens)]
    if isinstance(tokenizer, miditok.REMI):
        rules += _of_remi(tokenizer, tokens)
    elif isinstance(tokenizer, miditok.TSD):
        rules += _of_tsd(tokenizer, tokens)
    else:
        rules += [order_rules.opening([("TimeShift",)], tokens)]
    if config.delete_equal_successive_tempo_changes:
        rules += [order_rules.changes("Tempo", tokens)]
    if config.use_chords:
        rules += [order_rules.chord_programs(tokens)]
    return rules


def _of_remi(tokenizer: MusicTokenizer, tokens: BaseTokens) -> list[Automaton]:
    config, meters = tokenizer.config, tokenizer.time_signatures
    meter = [("TimeSig",)] if config.use_time_signatures else []
    tempo = [("Position_0",), ("Tempo",)] if config.use_tempos else []
    return [
        order_rules.opening([("Bar",), *meter, *tempo], tokens),
        time_rules.bars(meters, tokens),
        time_rules.rising_positions(tokens),
        time_rules.positions_inside(meters, config.max_num_pos_per_beat, tokens),
    ]


def _of_tsd(tokenizer: MusicTokenizer, tokens: BaseTokens) -> list[Automaton]:
    config, steps = tokenizer.config, tokenizer.config.max_num_pos_per_beat
    opening = [("TimeSig",)] if config.use_time_signatures else []
    opening += [("Tempo",)] if config.use_tempos else []
    note = ("Program",) if config.use_programs else ("Chord", "Pitch")
    return [
        order_rules.opening(opening or [("TimeShift", *note)], tokens),
        time_rules.meters_at_bars(tokenizer.time_signatures, steps, tokens),
        order_rules.changes("TimeSig", tokens),
        time_rules.greedy_shifts(steps, tokens),
    ]
