"""
What may follow what among base tokens: miditok's graph of token types, and rules it cannot express, as automata.

A sequence is legal where every automaton allows every token. A token also leads somewhere where it is not allowed, as
a decoder would go on, so that any prompt can be followed.
"""

from dataclasses import dataclass

import miditok
import numpy as np
from miditok import MusicTokenizer
from miditok.constants import TIME_SIGNATURE

from .base_tokens import NOTHING, BaseTokens

NEVER_WRITTEN = {
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


@dataclass
class Automaton:
    """
    A finite automaton. State 0 is the beginning of a piece.

    Args:
        next (`np.ndarray` of shape `(states, columns)`): the state a token leads to, allowed or not.
        legal (`np.ndarray` of shape `(states, columns)`): whether it is allowed.
    """

    next: np.ndarray
    legal: np.ndarray

    @classmethod
    def idle(cls, states: int, tokens: BaseTokens) -> "Automaton":
        """Everything is allowed and leads nowhere, save that BOS begins anew."""
        following = np.repeat(np.arange(states)[:, None], len(tokens.words), axis=1)
        following[:, tokens.of("BOS")] = 0
        return cls(following, np.ones(following.shape, dtype=bool))

    def over_vocabulary(self, tokens: BaseTokens) -> "Automaton":
        """The same automaton over ids: it allows those whose whole expansion it allows, and goes where that leads."""
        following = np.repeat(np.arange(len(self.next))[:, None], len(tokens.expansions), axis=1)
        legal = np.ones(following.shape, dtype=bool)
        matters = ~(self.legal.all(axis=0) & (self.next == np.arange(len(self.next))[:, None]).all(axis=0))
        matters &= tokens.words != ""
        for columns in tokens.expansions.T:
            used = np.flatnonzero(matters[columns])
            states, columns = following[:, used], columns[used]
            legal[:, used] &= self.legal[states, columns]
            following[:, used] = self.next[states, columns]
        return Automaton(following, legal)


def write_rules(tokenizer: MusicTokenizer, tokens: BaseTokens) -> list[Automaton]:
    """
    The automata of a tokenizer. The notes of one onset have their own rules, in [`NoteRules`].

    Raises:
        `ValueError`: there are no rules for its class, or for a setting of its config.
    """
    check_supported(tokenizer)
    config, meters = tokenizer.config, tokenizer.time_signatures
    steps = config.max_num_pos_per_beat
    meter = ["TimeSig"] if config.use_time_signatures else []
    rules = [_successions(tokenizer, tokens), _ending(tokens)]
    if isinstance(tokenizer, miditok.REMI):
        tempo = ["Position_0", "Tempo"] if config.use_tempos else []
        rules += [_opening(["Bar", *meter, *tempo], tokens), _bars(meters, tokens)]
        rules += [_rising_positions(tokens), _positions_inside(meters, steps, tokens)]
    elif isinstance(tokenizer, miditok.TSD):
        tempo = ["Tempo"] if config.use_tempos else []
        note = ["Program"] if config.use_programs else ["Chord", "Pitch"]
        rules += [_opening(meter + tempo or [("TimeShift", *note)], tokens)]
        rules += [_meters_at_bars(meters, steps, tokens), _changes("TimeSig", tokens), _greedy_shifts(steps, tokens)]
    else:
        rules += [_opening(["TimeShift"], tokens)]
    if config.delete_equal_successive_tempo_changes:
        rules += [_changes("Tempo", tokens)]
    if config.use_chords:
        rules += [_chord_programs(tokens)]
    return rules


def check_supported(tokenizer: MusicTokenizer):
    """Raises `ValueError` where the rules of this module do not describe what `tokenizer` writes."""
    name, config = type(tokenizer).__name__, tokenizer.config
    if type(tokenizer) not in NEVER_WRITTEN:
        raise ValueError(
            f"There are no grammar rules for {name}, only for {', '.join(cls.__name__ for cls in NEVER_WRITTEN)}: "
            "generate without a grammar, or write its rules in neuromusic_hf/tokenization/grammar_rules.py."
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


def _successions(tokenizer: MusicTokenizer, tokens: BaseTokens) -> Automaton:
    """
    Miditok's graph. Beyond it, a chord follows a program where there are any, and drum pitches follow the drum program
    alone.
    """
    graph, never = tokenizer.tokens_types_graph, NEVER_WRITTEN[type(tokenizer)]
    kinds = tokens.types.astype(object)
    if "PitchDrum" in kinds:
        kinds[tokens.of("Program_-1")] = "ProgramDrum"
    music = sorted(set(kinds[tokens.music]))

    def follows(kind: str, then: str) -> bool:
        if kind == "ProgramDrum":
            return then == "PitchDrum"
        if then == "PitchDrum" or (then == "Chord" and kind != "Program" and "Program" in kinds):
            return False
        then = then.removesuffix("Drum")
        return then in graph[kind] and (kind, then) not in never

    rule = Automaton.idle(1 + len(music), tokens)
    for then_state, then in enumerate(music, 1):
        rule.next[:, kinds == then] = then_state
        for state, kind in enumerate(music, 1):
            rule.legal[state, kinds == then] = follows(kind, then)
    return rule


def _opening(words: list[str | tuple[str, ...]], tokens: BaseTokens) -> Automaton:
    """A piece begins with these words, or words of these types; of a tuple, with one of them."""
    rule = Automaton.idle(1 + len(words), tokens)
    for state, word in enumerate(words):
        wanted = tokens.of(*([word] if isinstance(word, str) else word))
        rule.next[state, tokens.music] = len(words)
        rule.next[state, wanted] = state + 1
        rule.legal[state, tokens.music & ~wanted] = False
    return rule


def _ending(tokens: BaseTokens) -> Automaton:
    """
    A piece that has a note may end after a complete note, or after a change of tempo or meter (files have them after
    the last note). After EOS comes PAD.
    """
    empty, unfinished, complete, ended = range(4)
    eos, pad = tokens.of("EOS"), tokens.of("PAD")
    rule = Automaton.idle(4, tokens)
    rule.next[ended, tokens.music] = empty
    rule.next[unfinished : complete + 1, tokens.music] = unfinished
    rule.next[unfinished : complete + 1, tokens.of("Tempo", "TimeSig")] = complete
    rule.next[:, tokens.of("Duration")] = complete
    rule.next[:, eos] = ended
    rule.legal[:, ~(tokens.music | tokens.of(NOTHING))] = False
    rule.legal[complete, eos] = True
    rule.legal[ended] = pad
    return rule


def _bars(meters: list[tuple[int, int]], tokens: BaseTokens) -> Automaton:
    """
    REMI: a bar has its meter; a piece does not end with an empty bar, unless its meter is another one.

    A state is a meter, and whether a bar of it wants its meter, has begun, or has begun with another meter than the
    bar before; or holds something.
    """
    wants_meter, begun, changed, filled = 0, 1, 2, 3
    meter, place, first = _states(np.full(len(meters), 4), _default(meters))
    place[0] = changed
    rule = Automaton.idle(len(meter), tokens)
    new_bar = wants_meter if "TimeSig" in tokens.types else begun
    rule.next[:, tokens.of("Bar")] = (first[meter] + new_bar)[:, None]
    for column, signature in tokens.meters().items():
        new = meters.index(signature)
        rule.next[:, column] = first[new] + np.where(meter == new, begun, changed)
        rule.next[0, column] = first[new] + changed
    rule.next[:, tokens.of("Position")] = (first[meter] + filled)[:, None]
    rule.legal[np.ix_(place < changed, tokens.of("EOS"))] = False
    return rule


def _rising_positions(tokens: BaseTokens) -> Automaton:
    """REMI: positions go up in a bar. A state is the position before: none, then 0 and up."""
    columns = np.flatnonzero(tokens.of("Position"))
    positions = tokens.values[columns].astype(int)
    rule = Automaton.idle(2 + positions.max(), tokens)
    rule.next[:, tokens.of("Bar", "TimeSig")] = 0
    rule.next[:, columns] = 1 + positions
    rule.legal[:, columns] = positions >= np.arange(len(rule.next))[:, None]
    return rule


def _positions_inside(meters: list[tuple[int, int]], steps_per_beat: int, tokens: BaseTokens) -> Automaton:
    """REMI: positions stay inside the bar. A state is a number of beats, as meters of so many have bars alike."""
    beats = np.unique([numerator for numerator, _ in meters])
    default = meters[_default(meters)][0]
    state_of = {count: state for state, count in enumerate(beats.tolist(), 1)}
    rule = Automaton.idle(1 + len(beats), tokens)
    for column, (numerator, _) in tokens.meters().items():
        rule.next[:, column] = state_of[numerator]
    lengths = np.array([default, *beats]) * steps_per_beat
    columns = np.flatnonzero(tokens.of("Position"))
    rule.legal[:, columns] = tokens.values[columns].astype(int) < lengths[:, None]
    return rule


def _meters_at_bars(meters: list[tuple[int, int]], steps_per_beat: int, tokens: BaseTokens) -> Automaton:
    """
    TSD: the meter changes where a bar begins. A state is a number of beats and a place in a bar of so many; the first
    is the beginning of a piece, and as it is while no meter is said.
    """
    beats = np.unique([numerator for numerator, _ in meters])
    lengths = beats * steps_per_beat
    count, place, first = _states(lengths, int(np.searchsorted(beats, meters[_default(meters)][0])))
    rule = Automaton.idle(len(count), tokens)
    for column, (numerator, _) in tokens.meters().items():
        rule.next[:, column] = first[np.searchsorted(beats, numerator)]
        rule.legal[:, column] = place == 0
    for column, steps in tokens.shifts(steps_per_beat).items():
        rule.next[:, column] = first[count] + (place + steps) % lengths[count]
    return rule


def _changes(kind: str, tokens: BaseTokens) -> Automaton:
    """A tempo, or a meter of TSD, differs from the one before."""
    columns = np.flatnonzero(tokens.of(kind))
    rule = Automaton.idle(1 + len(columns), tokens)
    for state, column in enumerate(columns, 1):
        rule.next[:, column] = state
        rule.legal[state, column] = False
    return rule


def _default(meters: list[tuple[int, int]]) -> int:
    return meters.index(TIME_SIGNATURE) if TIME_SIGNATURE in meters else 0


def _states(places: np.ndarray, default: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Group and place of every state, the first being the beginning of a piece, and the first state of every group."""
    group = np.concatenate([[default], np.repeat(np.arange(len(places)), places)])
    place = np.concatenate([[0], *(np.arange(count) for count in places)])
    return group, place, 1 + np.cumsum(places) - places


def _greedy_shifts(steps_per_beat: int, tokens: BaseTokens) -> Automaton:
    """
    TSD: a gap is written with the longest shift that fits, again and again.

    State 0 allows any shift; state n, after a shift that could not be longer, n - 1 more steps.
    """
    shifts = tokens.shifts(steps_per_beat)
    lengths = np.array(sorted(shifts.values()))
    room_after = dict(zip(lengths[:-1].tolist(), (np.diff(lengths) - 1).tolist(), strict=True))
    unlimited = int(lengths.sum())
    rooms = np.array([unlimited, *range(max(room_after.values(), default=0) + 1)])
    rule = Automaton.idle(len(rooms), tokens)
    rule.next[:, tokens.music] = 0
    for column, steps in shifts.items():
        rule.legal[:, column] = steps <= rooms
        rest = np.where(rooms == unlimited, unlimited, rooms - steps)
        room = np.minimum(rest, room_after.get(steps, unlimited))
        rule.next[:, column] = np.where((room == unlimited) | (room < 0), 0, 1 + room)
    return rule


def _chord_programs(tokens: BaseTokens) -> Automaton:
    """After a chord comes its program again. States: none, a program each, the chord of a program each."""
    programs = np.flatnonzero(tokens.of("Program"))
    count = len(programs)
    rule = Automaton.idle(1 + 2 * count, tokens)
    rule.next[:, tokens.music] = 0
    rule.next[1 : 1 + count, tokens.of("Chord")] = np.arange(1 + count, 1 + 2 * count)[:, None]
    rule.legal[np.ix_(np.arange(1 + count, 1 + 2 * count), programs)] = np.eye(count, dtype=bool)
    for state, column in enumerate(programs, 1):
        rule.next[:, column] = state
    return rule
