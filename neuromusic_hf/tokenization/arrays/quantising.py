"""What of a score a tokenizer writes, in its own ticks, on arrays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from miditok import MusicTokenizer, Structured
from miditok.constants import TIME_SIGNATURE
from miditok.utils.utils import np_get_closest

from ...borders.miditok import time_shifts
from ...music import resampled
from ...music.bars import meters_that_count
from ...music.score_arrays import DRUMS, ScoreArrays
from ..reachable_onsets import reachable_onsets
from ..written_meters import written_meters
from .known import BeyondArrays
from .places import first_of_each, in_order_of_merging, place_of
from .stretches import Stretches
from .tempos import TempoRounder
from .vocabulary import Vocabulary

LAST_TICK = 2**31 - 1
"""That symusic can hold."""
NO_METERS = np.array([[0], *([number] for number in TIME_SIGNATURE)])
NO_PITCH = (128, -1)
VELOCITIES = np.arange(-128, 128)


class Quantiser:
    """
    Does what miditok's preprocessing does of what [`prepare`] has made of a score.

    Args:
        tokenizer ([`miditok.MusicTokenizer`]): one that is known ([`unknown_setting`]).
        vocabulary ([`Vocabulary`]): its own.
    """

    def __init__(self, tokenizer: MusicTokenizer, vocabulary: Vocabulary):
        self.tokenizer, self.config, self.vocabulary = tokenizer, tokenizer.config, vocabulary
        self._positions = self.config.max_num_pos_per_beat
        self._tempos = TempoRounder(tokenizer) if tokenizer.config.use_tempos else None
        self._velocities = VELOCITIES
        if self.config.use_velocities:
            self._velocities = np_get_closest(tokenizer.velocities, VELOCITIES).astype(np.int64)

    def __call__(self, score: ScoreArrays) -> ScoreArrays:
        """
        Returns the quantised score.

        Raises:
            [`BeyondArrays`]: only miditok can tell what becomes of this one.
        """
        if not score.is_in_order:
            raise BeyondArrays("notes or tempos are out of order, or begin before 0")
        ticks_per_quarter, meters = self._meters(score)
        stretches = Stretches.of(meters, ticks_per_quarter, self._positions)
        notes, is_merged = self._of_voices(score)
        notes = self._in_ticks(notes, ticks_per_quarter)
        notes, keeps_all = self._in_vocabulary(notes), not self.config.remove_duplicated_notes
        if keeps_all:
            notes = notes.taken(in_order_of_merging(notes, is_merged))
        notes = replace(notes, onset=stretches.to_steps(notes.onset))
        if not keeps_all:
            notes = notes.taken(first_of_each(place_of(notes), notes.velocity, -notes.duration))
        notes = self._rounded(notes, stretches)
        tempos = score.tempos_in(ticks_per_quarter)
        tempos = tempos if self._tempos is None else self._tempos(tempos, stretches)
        return replace(notes.without_silent_tracks(), meters=meters, tempos=tempos)

    def _meters(self, score: ScoreArrays) -> tuple[int, np.ndarray]:
        """Ticks of a quarter note, and the meters in them; all begin at bar lines, where miditok leaves them."""
        if not self.config.use_time_signatures:
            return self._positions, NO_METERS
        written = written_meters(self.tokenizer, meters_that_count(score.meters), score.ticks_per_quarter)
        ticks_per_quarter = self._positions * max(meter.denominator for _, meter in written) // 4
        rows = [(round(onset * ticks_per_quarter), meter.numerator, meter.denominator) for onset, meter in written]
        return ticks_per_quarter, np.array(rows, np.int64).T

    def _of_voices(self, score: ScoreArrays) -> tuple[ScoreArrays, np.ndarray]:
        """Tracks of one program as one, and which are of several; of a tokenizer of solo pieces all but drums."""
        if not self.config.use_programs:
            solo = score.taken(np.flatnonzero(score.programs[score.track] != DRUMS))
            if len(score.programs) > 1 or not self.config.remove_duplicated_notes:
                solo = solo.taken(np.lexsort((solo.velocity, solo.pitch, solo.duration, solo.onset)))
            piano = np.zeros(1, np.int64)
            return replace(solo, programs=piano, track=np.zeros(len(solo), np.int64)), np.array([False])
        programs = list(dict.fromkeys(score.programs.tolist()))
        if len(programs) == len(score.programs):
            return score, np.zeros(len(programs), bool)
        voice = np.array([programs.index(program) for program in score.programs.tolist()])
        voices = replace(score, programs=np.array(programs), track=voice[score.track])
        return voices, np.bincount(voice) > 1

    def _in_ticks(self, notes: ScoreArrays, ticks_per_quarter: int) -> ScoreArrays:
        """Times in ticks of the tokenizer."""
        old, onset, duration = notes.ticks_per_quarter, notes.onset, notes.duration
        if old != ticks_per_quarter:
            onset = resampled(onset, old, ticks_per_quarter)
            duration = np.maximum(resampled(duration, old, ticks_per_quarter), 1)
        if (onset + np.abs(duration)).max(initial=0) > LAST_TICK:
            raise BeyondArrays("it lasts longer than symusic can count in ticks of the tokenizer")
        if isinstance(self.tokenizer, Structured):
            shifts = time_shifts(self.tokenizer, ticks_per_quarter)
            onset = reachable_onsets(onset, notes.onset * (ticks_per_quarter / old), shifts)
        return replace(notes, ticks_per_quarter=ticks_per_quarter, onset=onset, duration=duration)

    def _in_vocabulary(self, notes: ScoreArrays) -> ScoreArrays:
        """Without notes of other pitches and programs."""
        ranges = np.array([self._pitches(program) for program in notes.programs.tolist()], np.int64).reshape(-1, 2)
        lowest, highest = ranges[notes.track].T
        keep = (notes.pitch >= lowest) & (notes.pitch <= highest)
        return notes if keep.all() else notes.taken(np.flatnonzero(keep))

    def _pitches(self, program: int) -> tuple[int, int]:
        """The lowest and the highest pitch of a program that it writes."""
        if self.config.use_programs and program not in self.config.programs:
            return NO_PITCH
        is_drum_token = program == DRUMS and self.config.use_pitchdrum_tokens
        return self.config.drums_pitch_range if is_drum_token else self.config.pitch_range

    def _rounded(self, notes: ScoreArrays, stretches: Stretches) -> ScoreArrays:
        """Durations and velocities as there are tokens for."""
        duration = notes.duration.copy()
        for beat, here in stretches.by_beat(notes.onset):
            lengths = self.vocabulary.lengths(beat)
            duration[here] = lengths.closest[duration[here].clip(0, lengths.longest)]
        untold = ~np.isin(notes.programs, list(self.config.use_note_duration_programs))
        if untold.any():
            duration = np.where(untold[notes.track], notes.duration, duration)
        if duration.min(initial=1) < 1:
            raise BeyondArrays("a note does not last a tick")
        velocity = self._velocities[notes.velocity - VELOCITIES[0]]
        return replace(notes, duration=duration, velocity=velocity)
