"""Ids of REMI, TSD and Structured to a score, as miditok decodes them: whatever the ids, and in arrays."""

from __future__ import annotations

from dataclasses import dataclass

import miditok
import numpy as np
from miditok import MusicTokenizer
from miditok.constants import DEFAULT_VELOCITY, MIDI_INSTRUMENTS
from miditok.utils import compute_ticks_per_beat
from symusic.core import NoteTickList, ScoreTick, TempoTick, TempoTickList, TimeSignatureTickList, TrackTick

from ...borders.miditok import ticks_per_beat
from ..token_limits import DRUMS, NUM_VOICES
from .known import BeyondArrays
from .token_table import Kind, TokenTable

MOST_TICKS = 2**30
"""What may last longer is left to miditok: its ticks may be no numbers of 32 bits."""

NO_PROGRAM = -2


@dataclass(frozen=True)
class Reading:
    """
    The base tokens of a piece.

    Args:
        kind (`np.ndarray` of shape `(length + 2,)`): a [`Kind`]; two of `OTHER` stand behind the last token, so that
            what follows a token can be asked for.
        value (`np.ndarray` of shape `(length,)`): as in [`TokenTable`].
        steps_per_beat (`np.ndarray` of shape `(length,)`): likewise.
        meters (`np.ndarray` of shape `(1 + meters,)`): the meter at the beginning, and those that tokens give.
        meter (`np.ndarray` of shape `(length,)`): the one in force at each token.
    """

    kind: np.ndarray
    value: np.ndarray
    steps_per_beat: np.ndarray
    meters: np.ndarray
    meter: np.ndarray


class ArrayDecoder:
    """
    Decodes ids into the score that miditok makes of them.

    miditok goes from token to token and changes its state. Here a state is an array over tokens: what was set by the
    last one that sets it.

    Args:
        tokenizer ([`miditok.MusicTokenizer`]): one of which arrays know every setting ([`unknown_setting`]).
    """

    def __init__(self, tokenizer: MusicTokenizer):
        config = tokenizer.config
        self.table = TokenTable.of(tokenizer)
        self.counts_bars = isinstance(tokenizer, miditok.REMI)
        self.writes_velocity = config.use_velocities
        self.writes_length = np.isin(np.arange(NUM_VOICES) + DRUMS, [*config.use_note_duration_programs])
        self.default_length = config.default_note_duration
        self.default_tempo = tokenizer.default_tempo
        self.ticks_per_quarter = tokenizer.time_division
        numerators, denominators = self.table.meters.T
        beats = [compute_ticks_per_beat(each, self.ticks_per_quarter) for each in denominators.tolist()]
        self.ticks_per_bar = numerators * np.array(beats)
        self.ticks_per_beat = np.array([ticks_per_beat(tokenizer, each) for each in denominators.tolist()])
        self.ticks_per_position = self.ticks_per_beat // config.max_num_pos_per_beat

    def decode(self, ids: np.ndarray) -> ScoreTick:
        """
        Decodes ids.

        Args:
            ids (`np.ndarray` of shape `(length,)`): of miditok's vocabulary.

        Raises:
            [`BeyondArrays`]: the score may last longer than `MOST_TICKS`.
        """
        tokens = self._read(ids)
        now = self._ticks_by_bars(tokens) if self.counts_bars else self._ticks_by_shifts(tokens)
        if now.max(initial=0) > MOST_TICKS:
            raise BeyondArrays(f"it may last longer than {MOST_TICKS} ticks")
        now = now.astype(np.int32)
        score = ScoreTick(self.ticks_per_quarter)
        score.tracks = self._tracks(tokens, now)
        score.tempos = self._tempos(tokens, now)
        score.time_signatures = self._time_signatures(tokens, now)
        return score

    def _read(self, ids: np.ndarray) -> Reading:
        table, places = self.table, self.table.places(ids)
        kind, value = table.kind[places], table.value[places]
        is_meter = kind == Kind.METER
        meters = np.append(self._first_meter(kind, value), value[is_meter])
        behind = np.full(2, Kind.OTHER, kind.dtype)
        return Reading(
            np.append(kind, behind), value, table.steps_per_beat[places], meters, meters[np.cumsum(is_meter)]
        )

    def _first_meter(self, kind: np.ndarray, value: np.ndarray) -> int:
        """4/4, or of REMI the first that is given, if nothing of a note stands before it."""
        if not (self.counts_bars and len(kind)):
            return 0
        first = ((kind == Kind.METER) | (kind <= Kind.DURATION)).argmax()
        return value[first] if kind[first] == Kind.METER else 0

    def _ticks_by_bars(self, tokens: Reading) -> np.ndarray:
        """
        The time at each token, by the bars and positions before it.

        The first bar begins at 0, unless a position stands before it, which is one of a bar then.
        """
        kind = tokens.kind[:-2]
        moves = (kind == Kind.BAR) | (kind == Kind.POSITION)
        is_bar, meter = kind[moves] == Kind.BAR, tokens.meter[moves]
        lengths = np.where(is_bar, self.ticks_per_bar[meter], 0)
        lengths[:1][is_bar[:1]] = 0
        positions = np.where(is_bar, 0, tokens.value[moves] * self.ticks_per_position[meter])
        return np.append(0, lengths.cumsum() + positions)[moves.cumsum()]

    def _ticks_by_shifts(self, tokens: Reading) -> np.ndarray:
        """The time at each token, by the shifts before it."""
        shifts = np.flatnonzero(tokens.kind == Kind.TIME_SHIFT)
        now = np.zeros(len(tokens.value), int)
        now[shifts] = self._lengths(tokens, shifts)
        return now.cumsum()

    def _lengths(self, tokens: Reading, at: np.ndarray) -> np.ndarray:
        """Of the tokens there that give one, in ticks."""
        return tokens.value[at] * self.ticks_per_beat[tokens.meter[at]] // tokens.steps_per_beat[at]

    def _tracks(self, tokens: Reading, now: np.ndarray) -> list[TrackTick]:
        """Those of each program, drums included, in the order of their first notes."""
        notes, programs = self._notes(tokens, now)
        by_program = programs.argsort(kind="stable")
        bounds = [*np.flatnonzero(np.diff(programs[by_program], prepend=NO_PROGRAM)), len(programs)]
        groups = [by_program[first:end] for first, end in zip(bounds, bounds[1:], strict=False)]
        groups.sort(key=lambda group: group[0])
        return [_track(programs[group[0]].item(), [values[group] for values in notes]) for group in groups]

    def _notes(self, tokens: Reading, now: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
        """
        Times, durations, pitches and velocities of all notes; and their programs.

        A note is a pitch at once followed by what else its program writes of a note.
        """
        kind, value = tokens.kind, tokens.value
        at = np.flatnonzero(kind == Kind.PITCH)
        if self.writes_velocity:
            at = at[kind[at + 1] == Kind.VELOCITY]
        length_at = at + 1 + self.writes_velocity
        is_program = kind == Kind.PROGRAM
        programs = np.append(0, value[is_program[:-2]])[is_program.cumsum()[at]]
        writes_length = self.writes_length[programs - DRUMS]
        whole = ~writes_length | (kind[length_at] == Kind.DURATION)
        at, length_at, programs, writes_length = (each[whole] for each in (at, length_at, programs, writes_length))
        durations = (self.default_length * self.ticks_per_beat[tokens.meter[at]]).astype(np.int32)
        durations[writes_length] = self._lengths(tokens, length_at[writes_length])
        velocities = value[at + 1] if self.writes_velocity else np.full(len(at), DEFAULT_VELOCITY)
        notes = [now[at], durations, value[at].astype(np.int8), velocities.astype(np.int8)]
        return notes, programs.astype(np.int16)

    def _tempos(self, tokens: Reading, now: np.ndarray) -> TempoTickList:
        at = np.flatnonzero(tokens.kind == Kind.TEMPO)
        tempos = TempoTickList.from_numpy(now[at], tokens.value[at])
        if not len(at) or now[at[0]] != 0:
            tempos.insert(0, TempoTick(0, self.default_tempo))
        return tempos

    def _time_signatures(self, tokens: Reading, now: np.ndarray) -> TimeSignatureTickList:
        """Of REMI those that are new; all of TSD, which begins in 4/4."""
        times, meters = now[tokens.kind[:-2] == Kind.METER], tokens.meters
        if self.counts_bars:
            is_new = np.append(True, meters[1:] != meters[:-1])
            times, meters = np.append(0, times)[is_new], meters[is_new]
        elif len(times) and times[0] == 0:
            meters = meters[1:]
        else:
            times = np.append(0, times)
        numerators, denominators = self.table.meters[meters].T.astype(np.uint8)
        return TimeSignatureTickList.from_numpy(times.astype(np.int32), numerators, denominators)


def _track(program: int, notes: list[np.ndarray]) -> TrackTick:
    is_drum = program == DRUMS
    track = TrackTick("Drums" if is_drum else MIDI_INSTRUMENTS[program]["name"], 0 if is_drum else program, is_drum)
    track.notes = NoteTickList.from_numpy(*notes)
    return track
