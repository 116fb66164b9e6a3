"""Rules of time, as automata: REMI's bars and positions, TSD's shifts and meters."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from miditok.constants import TIME_SIGNATURE

from .automaton import Automaton
from .base_tokens import BaseTokens

Meter = tuple[int, int]
"""Numerator and denominator."""


def bars(meters: Sequence[Meter], tokens: BaseTokens) -> Automaton:
    """
    REMI: a bar has its meter; a piece does not end with an empty bar, unless its meter is another one.

    A state is a meter, and whether a bar of it wants its meter, has begun, or has begun with another meter than the
    bar before; or holds something.
    """
    wants_meter, begun, changed, filled = 0, 1, 2, 3
    states = GroupedStates.of([4] * len(meters), _default(meters))
    states.place[0] = changed
    rule = Automaton.idle(len(states.group), tokens)
    first = states.first[states.group]
    new_bar = wants_meter if "TimeSig" in tokens.types else begun
    rule.next[:, tokens.of("Bar")] = (first + new_bar)[:, None]
    for column, meter in tokens.meters().items():
        group = meters.index(meter)
        rule.next[:, column] = states.first[group] + np.where(states.group == group, begun, changed)
        rule.next[0, column] = states.first[group] + changed
    rule.next[:, tokens.of("Position")] = (first + filled)[:, None]
    rule.legal[np.ix_(states.place < changed, tokens.of("EOS"))] = False
    return rule


def rising_positions(tokens: BaseTokens) -> Automaton:
    """REMI: positions go up in a bar. A state is the position before: none, then 0 and up."""
    columns = tokens.columns("Position")
    positions = tokens.values[columns].astype(int)
    rule = Automaton.idle(2 + positions.max(), tokens)
    rule.next[:, tokens.of("Bar", "TimeSig")] = 0
    rule.next[:, columns] = 1 + positions
    rule.legal[:, columns] = positions >= np.arange(len(rule.next))[:, None]
    return rule


def positions_inside(meters: Sequence[Meter], steps_per_beat: int, tokens: BaseTokens) -> Automaton:
    """
    REMI: positions stay inside the bar.

    A state is a number of beats, as meters of so many have bars alike; the first is the beginning of a piece.
    """
    beats = np.unique([numerator for numerator, _ in meters])
    default = meters[_default(meters)][0]
    state_of = {count: state for state, count in enumerate(beats.tolist(), 1)}
    rule = Automaton.idle(1 + len(beats), tokens)
    for column, (numerator, _) in tokens.meters().items():
        rule.next[:, column] = state_of[numerator]
    lengths = np.array([default, *beats]) * steps_per_beat
    columns = tokens.columns("Position")
    rule.legal[:, columns] = tokens.values[columns].astype(int) < lengths[:, None]
    return rule


def meters_at_bars(meters: Sequence[Meter], steps_per_beat: int, tokens: BaseTokens) -> Automaton:
    """
    TSD: the meter changes where a bar begins.

    A state is a number of beats and a place in a bar of so many; the first is the beginning of a piece, and as it is
    while no meter is said.
    """
    beats = np.unique([numerator for numerator, _ in meters])
    lengths = beats * steps_per_beat
    states = GroupedStates.of(lengths.tolist(), int(np.searchsorted(beats, meters[_default(meters)][0])))
    rule = Automaton.idle(len(states.group), tokens)
    for column, (numerator, _) in tokens.meters().items():
        rule.next[:, column] = states.first[np.searchsorted(beats, numerator)]
        rule.legal[:, column] = states.place == 0
    first, length = states.first[states.group], lengths[states.group]
    for column, steps in tokens.shifts(steps_per_beat).items():
        rule.next[:, column] = first + (states.place + steps) % length
    return rule


def greedy_shifts(steps_per_beat: int, tokens: BaseTokens) -> Automaton:
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


@dataclass
class GroupedStates:
    """
    States in groups, such as the places in the bars of each meter, after one for the beginning of a piece.

    Args:
        group (`np.ndarray` of shape `(states,)`): of each state.
        place (`np.ndarray` of shape `(states,)`): of each state in its group, 0 for the first.
        first (`np.ndarray` of shape `(groups,)`): the first state of each group.
    """

    group: np.ndarray
    place: np.ndarray
    first: np.ndarray

    @classmethod
    def of(cls, sizes: Sequence[int], default: int) -> "GroupedStates":
        """Groups of these sizes; the beginning of a piece is as place 0 of the group `default`."""
        group = np.concatenate([[default], np.repeat(np.arange(len(sizes)), sizes)])
        place = np.concatenate([[0], *(np.arange(size) for size in sizes)])
        return cls(group, place, 1 + np.cumsum(sizes) - sizes)


def _default(meters: Sequence[Meter]) -> int:
    """The meter of a piece that says none, by its index."""
    return meters.index(TIME_SIGNATURE) if TIME_SIGNATURE in meters else 0
