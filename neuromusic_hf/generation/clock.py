"""Where in the music a sequence of ids stands: its tick, bar and second, and the notes it has finished."""

import copy
from dataclasses import dataclass

from miditok.constants import DEFAULT_VELOCITY, TIME_SIGNATURE
from miditok.utils import compute_ticks_per_bar
from symusic import TimeSignature

from ..borders.miditok import read_meter, ticks_of_lengths, ticks_per_beat
from ..tokenization import MidiProcessor
from .prompts import PieceTempo

NOT_FOLLOWED = {"Rest", "MicroTiming", "NoteOn", "PitchIntervalTime", "PitchIntervalChord", "Track"}
"""Types of tokens that say times or notes in a way the clock does not read."""


def check_time(processor: MidiProcessor):
    """Raises `ValueError` where a tokenizer writes time, or notes, in a way that the clock does not read."""
    kinds = {word.partition("_")[0] for word in processor.music_tokenizer.vocab}
    if not ({"Bar", "Position"} <= kinds or "TimeShift" in kinds) or kinds & NOT_FOLLOWED:
        what = ", ".join(sorted(kinds & NOT_FOLLOWED)) or "neither Bar and Position nor TimeShift"
        raise ValueError(
            f"Cannot tell bars and seconds of {processor.tokenization}, whose tokens have {what}: give "
            "max_new_tokens in place of max_new_bars and max_new_seconds, and no NoteStreamer."
        )


@dataclass(frozen=True)
class DecidedNote:
    """
    A note as soon as its tokens are complete.

    Args:
        start (`float`): seconds from the beginning of the prompt, or of the piece that it is the end of.
        end (`float`): seconds, at the tempo in force when the note was decided.
        pitch (`int`): MIDI pitch.
        velocity (`int`): MIDI velocity.
        program (`int`): MIDI program, 0 for drums.
        is_drum (`bool`): whether it is one.
        tick (`int`): of its onset, in the ticks of the tokenizer.
        duration (`int`): in ticks.
    """

    start: float
    end: float
    pitch: int
    velocity: int
    program: int
    is_drum: bool
    tick: int
    duration: int


class MusicClock:
    """
    Follows the ids of one row as miditok decodes them, one id at a time, learned groups of tokens expanded.

    Args:
        processor ([`MidiProcessor`]): of a tokenizer that writes time as Bar and Position, or as TimeShift.
        tempo ([`PieceTempo`], *optional*): of the piece; 120 quarter notes a minute until a Tempo token if not given.

    Attributes:
        tick (`int`): now.
        last_onset (`int`, *optional*): tick of the last note that was finished.
        last_onset_seconds (`float`): its seconds from the beginning; 0 before the first.
        bars_to_last_onset (`int`): bars up to the end of the one it lies in; 0 before the first.

    Raises:
        `ValueError`: the tokenizer writes time in another way.
    """

    def __init__(self, processor: MidiProcessor, tempo: PieceTempo | None = None):
        check_time(processor)
        self.tokenizer = processor.music_tokenizer
        self.words = processor.base_words
        self.set_tempo(tempo or PieceTempo())
        self.last_onset, self.last_onset_seconds, self.bars_to_last_onset = None, 0.0, 0
        self.program, self.note = 0, []
        self.tick, self.tempo_tick, self.seconds_to_tempo = 0, 0, 0.0
        self.bar_tick, self.meter_tick, self.bars_to_meter = None, 0, 0
        self._set_meter(*TIME_SIGNATURE)

    def set_tempo(self, tempo: PieceTempo):
        """Sets the tempo of the piece, before its first id."""
        self.tempo, self.fixed_tempo = tempo.qpm, tempo.fixed

    def copy(self) -> "MusicClock":
        """A clock that stands where this one does and goes on alone."""
        twin = copy.copy(self)
        twin.note = list(self.note)
        return twin

    @property
    def seconds(self) -> float:
        """From the beginning until now."""
        return self._seconds_at(self.tick)

    @property
    def bars(self) -> int:
        """Whole bars from the beginning until now, by the meters; 4/4 where there is none."""
        return self.bars_to_meter + (self.tick - self.meter_tick) // self.ticks_per_bar

    def advance(self, index: int) -> list[DecidedNote]:
        """Reads one id and returns the notes it finishes."""
        found = (self._read(kind, value) for kind, value in self.words[index])
        return [note for note in found if note is not None]

    def _read(self, kind: str, value: str) -> DecidedNote | None:
        if kind in ("Pitch", "PitchDrum"):
            self.note = [int(value)] if self.tokenizer.config.use_velocities else [int(value), DEFAULT_VELOCITY]
        elif kind == "Velocity" and len(self.note) == 1:
            self.note.append(int(value))
        elif kind == "Duration" and len(self.note) == 2:
            return self._finish(self.lengths[value])
        else:
            self.note = []
            self._read_time(kind, value)
        if len(self.note) == 2 and self.program not in self.tokenizer.config.use_note_duration_programs:
            return self._finish(int(self.tokenizer.config.default_note_duration * self.ticks_per_beat))
        return None

    def _read_time(self, kind: str, value: str):
        if kind == "Bar":
            self.bar_tick = self.tick = 0 if self.bar_tick is None else self.bar_tick + self.ticks_per_bar
        elif kind == "Position":
            self.bar_tick = self.bar_tick or 0
            self.tick = self.bar_tick + int(value) * self.ticks_per_position
        elif kind == "TimeShift" and value != "0.0.1":
            self.tick += self.lengths[value]
        elif kind == "Program":
            self.program = int(value)
        elif kind == "TimeSig":
            self._set_meter(*read_meter(self.tokenizer, value))
        elif kind == "Tempo" and not self.fixed_tempo:
            self.seconds_to_tempo, self.tempo_tick = self.seconds, self.tick
            self.tempo = float(value)

    def _set_meter(self, numerator: int, denominator: int):
        if self.tick > self.meter_tick:
            self.bars_to_meter -= (self.meter_tick - self.tick) // self.ticks_per_bar
        self.meter_tick = self.tick
        meter = TimeSignature(0, numerator, denominator)
        self.ticks_per_bar = compute_ticks_per_bar(meter, self.tokenizer.time_division)
        self.ticks_per_beat = ticks_per_beat(self.tokenizer, denominator)
        self.lengths = ticks_of_lengths(self.tokenizer, self.ticks_per_beat)
        self.ticks_per_position = self.ticks_per_beat // self.tokenizer.config.max_num_pos_per_beat

    def _seconds_at(self, tick: int) -> float:
        return self.seconds_to_tempo + (tick - self.tempo_tick) * 60 / (self.tempo * self.tokenizer.time_division)

    def _finish(self, duration: int) -> DecidedNote:
        pitch, velocity = self.note
        self.note = []
        self.last_onset, self.last_onset_seconds, self.bars_to_last_onset = self.tick, self.seconds, self.bars + 1
        return DecidedNote(
            start=self.seconds,
            end=self._seconds_at(self.tick + duration),
            pitch=pitch,
            velocity=velocity,
            program=max(self.program, 0),
            is_drum=self.program == -1,
            tick=self.tick,
            duration=duration,
        )
