"""The base tokens of a quantised piece, on arrays."""

from __future__ import annotations

import numpy as np
from miditok import REMI, MusicTokenizer, Structured

from ...borders.miditok import chord_resolution
from ...music.score_arrays import DRUMS, ScoreArrays
from .chords import ChordBook, Voicing
from .known import BeyondArrays
from .quantising import NO_METERS
from .rows import Rows, joined
from .stretches import Stretches
from .time_tokens import with_bars, with_one_shift, with_shifts
from .vocabulary import NOTHING, Vocabulary

_, FIRST, SECOND, THIRD, FOURTH = range(5)
"""Columns of the ids of a note, a chord, a meter or a tempo. The one before is free for a token of time."""


class Encoder:
    """
    Writes base tokens, as miditok does.

    Args:
        tokenizer ([`miditok.MusicTokenizer`]): one that is known ([`unknown_setting`]).
        vocabulary ([`Vocabulary`]): its own.
    """

    def __init__(self, tokenizer: MusicTokenizer, vocabulary: Vocabulary):
        self.kind, self.config, self.vocabulary = type(tokenizer), tokenizer.config, vocabulary
        self._positions, self._chords = self.config.max_num_pos_per_beat, None
        if self.config.use_chords:
            self._chords = ChordBook(self.config, vocabulary.ids, chord_resolution(tokenizer))

    def __call__(self, piece: ScoreArrays) -> Rows:
        """
        Returns the tokens of a quantised piece.

        Raises:
            [`BeyondArrays`]: only miditok can tell what it makes of this one.
        """
        if not (len(piece) and self._is_quantised(piece)):
            raise BeyondArrays("what is to be encoded has no note, or is not as the tokenizer quantises")
        meters = piece.meters if self.config.use_time_signatures else NO_METERS
        stretches = Stretches.of(meters, piece.ticks_per_quarter, self._positions)
        if not stretches.step.all():
            raise BeyondArrays("a meter has fewer ticks a beat than there are positions")
        rows, is_meter = self._in_order(piece, stretches, self._notes(piece, stretches))
        if self.kind is REMI:
            rows = with_bars(rows, is_meter, stretches, self._meter_ids(piece), self.vocabulary)
        else:
            add_shifts = with_one_shift if self.kind is Structured else with_shifts
            rows = add_shifts(rows, is_meter, stretches, self.vocabulary)
        if rows.has_missing:
            raise BeyondArrays("the vocabulary lacks a token")
        return rows

    def _is_quantised(self, piece: ScoreArrays) -> bool:
        """Whether times and values are such as they are in what was quantised, or in a part of it."""
        least = min(piece.duration.min() - 1, piece.pitch.min(), piece.velocity.min())
        if not piece.is_in_order or least < 0:
            return False
        start = piece.meters[0]
        if self.config.use_time_signatures:
            return bool(len(start) and start[0] == 0 and (np.diff(start) >= 0).all())
        return piece.ticks_per_quarter == self._positions

    def _notes(self, piece: ScoreArrays, stretches: Stretches) -> Rows:
        rows = Rows.empty(piece.onset)
        if self.config.use_programs:
            rows.ids[:, FIRST] = self.vocabulary.program[piece.programs - DRUMS][piece.track]
        rows.ids[:, SECOND] = self.vocabulary.pitch[(piece.programs == DRUMS).astype(int)[piece.track], piece.pitch]
        if self.config.use_velocities:
            rows.ids[:, THIRD] = self.vocabulary.velocity[piece.velocity]
        for beat, here in stretches.by_beat(piece.onset):
            lengths = self.vocabulary.lengths(beat)
            rows.ids[here, FOURTH] = lengths.duration.take(piece.duration[here], mode="clip")
        untold = ~np.isin(piece.programs, list(self.config.use_note_duration_programs))
        if untold.any():
            rows.ids[untold[piece.track], FOURTH] = NOTHING
        return rows

    def _in_order(self, piece: ScoreArrays, stretches: Stretches, notes: Rows) -> tuple[Rows, np.ndarray]:
        """All that is written, in order of time, and which of it are meters."""
        groups = []
        if self.config.use_time_signatures:
            groups.append((Rows.of(piece.meters[0], self._meter_ids(piece)), 0))
        if self.config.use_tempos:
            groups.append((Rows.of(piece.tempos[0], self.vocabulary.tempos(piece.tempos)), 0))
        if self._chords is not None:
            first, ids = self._find_chords(piece, stretches)
            chords = Rows.of(piece.onset[first], notes.ids[first, FIRST], ids)
            groups.append((chords, 2 * piece.track[first] + 1))
        groups.append((notes, 2 * piece.track + 2))
        rows = joined([rows for rows, _ in groups])
        rank = np.concatenate([np.broadcast_to(rank, len(rows.time)) for rows, rank in groups])
        order = np.argsort(rows.time * (2 * len(piece.programs) + 2) + rank, kind="stable")
        num_meters = piece.meters.shape[1] if self.config.use_time_signatures else 0
        return rows.take(order), order < num_meters

    def _meter_ids(self, piece: ScoreArrays) -> np.ndarray:
        if self.config.use_time_signatures:
            return self.vocabulary.meters(piece.meters)
        return np.full(1, NOTHING, np.int32)

    def _find_chords(self, piece: ScoreArrays, stretches: Stretches) -> tuple[np.ndarray, np.ndarray]:
        """The index of the first note of each chord, and the ids."""
        pitched = np.flatnonzero(piece.programs[piece.track] != DRUMS)
        onset = piece.onset[pitched]
        beat = stretches.beat[stretches.at(onset)]
        far = int(piece.onset.max()) + int(stretches.beat.max()) + 1
        onset = onset + piece.track[pitched] * far
        first, ids = self._chords.find(Voicing(onset, onset + piece.duration[pitched], piece.pitch[pitched], beat))
        return pitched[first], ids
