"""Rules of what follows what, as automata: types of tokens, how a piece begins and ends, tempos, chords."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from .automaton import Automaton
from .base_tokens import NOTHING, BaseTokens


def successions(
    graph: Mapping[str, Collection[str]], never_written: Collection[tuple[str, str]], tokens: BaseTokens
) -> Automaton:
    """
    Miditok's graph of types. A state is the type before: none, then each.

    Beyond the graph, a chord follows a program where there are any, and drum pitches follow the drum program alone.

    Args:
        graph (mapping from `str` to collections of `str`): miditok's, the types that may follow a type.
        never_written (collection of `tuple[str, str]`): successions of it that are ruled out.
        tokens ([`BaseTokens`]): of the tokenizer.
    """
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
        return then in graph[kind] and (kind, then) not in never_written

    rule = Automaton.idle(1 + len(music), tokens)
    for then_state, then in enumerate(music, 1):
        rule.next[:, kinds == then] = then_state
        for state, kind in enumerate(music, 1):
            rule.legal[state, kinds == then] = follows(kind, then)
    return rule


def opening(steps: Sequence[tuple[str, ...]], tokens: BaseTokens) -> Automaton:
    """
    A piece begins with these steps. A state is the number of those taken.

    Args:
        steps (sequence of tuples of `str`): each of words or types, one of which comes.
        tokens ([`BaseTokens`]): of the tokenizer.
    """
    rule = Automaton.idle(1 + len(steps), tokens)
    for state, names in enumerate(steps):
        wanted = tokens.of(*names)
        rule.next[state, tokens.music] = len(steps)
        rule.next[state, wanted] = state + 1
        rule.legal[state, tokens.music & ~wanted] = False
    return rule


def ending(tokens: BaseTokens) -> Automaton:
    """
    A piece that has a note may end after a complete note, or after a change of tempo or meter. After EOS comes PAD.

    Files have such changes after the last note.
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


def changes(kind: str, tokens: BaseTokens) -> Automaton:
    """A token of this type differs from the one before. A state is that one: none, then each."""
    columns = tokens.columns(kind)
    rule = Automaton.idle(1 + len(columns), tokens)
    for state, column in enumerate(columns, 1):
        rule.next[:, column] = state
        rule.legal[state, column] = False
    return rule


def chord_programs(tokens: BaseTokens) -> Automaton:
    """After a chord comes its program again. States: none, a program each, the chord of a program each."""
    programs = np.array(tokens.columns("Program"), dtype=int)
    count = len(programs)
    named, chords = np.arange(1, 1 + count), np.arange(1 + count, 1 + 2 * count)
    rule = Automaton.idle(1 + 2 * count, tokens)
    rule.next[:, tokens.music] = 0
    rule.next[np.ix_(named, tokens.of("Chord"))] = chords[:, None]
    rule.next[:, programs] = named
    rule.legal[np.ix_(chords, programs)] = np.eye(count, dtype=bool)
    return rule
