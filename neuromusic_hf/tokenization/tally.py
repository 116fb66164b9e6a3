"""What a tokenizer changed in the music: a tally that adds up, and says itself in one line."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from ..music.score_arrays import ScoreArrays
from .changed_notes import PlacedNotes, changed_notes
from .changed_time import changed_time
from .token_limits import TokenLimits


def _change(*words: str):
    """A field that counts changes, and what the line calls one and several of them."""
    return dataclasses.field(default=0, metadata={"words": words})


@dataclass(frozen=True)
class Tally:
    """
    What a tokenizer changed in music.

    Nothing but `notes`, `notes_kept` and `sounding_time` differs from 0 where it changed nothing. Rounding to its
    steps of time, length, velocity and tempo is no change. Tallies add up.

    Sounding time is the time that keys sound, in quarter notes, summed over the keys of each instrument the tokenizer
    tells apart: two notes on one key at once sound once. Lost is what no note that is kept covers: all of a dropped
    note, the end of a cut one, of a duplicate what outlasts the note kept in its place.

    Args:
        notes (`int`): of the music given.
        notes_kept (`int`): of which there are tokens.
        sounding_time (`float`): of the music given, in quarter notes.
        sounding_time_lost (`float`): of it, in quarter notes.
        dropped_pitches (`int`): notes dropped as the vocabulary has no such pitch.
        dropped_drum_keys (`int`): drum hits dropped as it has no such key.
        dropped_duplicates (`int`): notes that fell, rounded, on the onset of another on the same key.
        dropped_programs (`int`): notes of instruments it has no token for; drums, where it tells no instruments apart.
        lengths_cut (`int`): notes longer than its longest.
        length_cut (`float`): by how much in all, in quarter notes.
        meters_replaced (`int`): changes of meter in whose stretch another meter is written throughout.
        meters_moved (`int`): changes of meter that are written elsewhere.
        meters_unwritten (`int`): changes of meter, a first one other than 4/4 included, where it writes none.
        tempos_clamped (`int`): changes to a tempo further from its range than half a step.
        tempos_unwritten (`int`): changes of tempo, a first one other than 120 included, where it writes none.
        silences_changed (`int`): gaps between onsets that one token has to hold and cannot (Structured): those too
            long, and those after which an onset is over a step of the grid from where it was.
        silence_changed (`float`): by how much in all, in quarter notes.
        programs_merged (`int`): instruments that a piano plays, where it tells none apart.
    """

    notes: int = 0
    notes_kept: int = 0
    sounding_time: float = 0.0
    sounding_time_lost: float = 0.0
    dropped_pitches: int = _change("pitch dropped", "pitches dropped")
    dropped_drum_keys: int = _change("drum key dropped", "drum keys dropped")
    dropped_duplicates: int = _change("duplicate dropped", "duplicates dropped")
    dropped_programs: int = _change("note without a program dropped", "notes without a program dropped")
    lengths_cut: int = _change("length cut", "lengths cut")
    length_cut: float = 0.0
    meters_replaced: int = _change("meter replaced", "meters replaced")
    meters_moved: int = _change("meter moved", "meters moved")
    meters_unwritten: int = _change("meter not written", "meters not written")
    tempos_clamped: int = _change("tempo clamped", "tempos clamped")
    tempos_unwritten: int = _change("tempo not written", "tempos not written")
    silences_changed: int = _change("silence changed", "silences changed")
    silence_changed: float = 0.0
    programs_merged: int = _change("program merged", "programs merged")

    def __add__(self, other: Tally) -> Tally:
        return Tally(**{field.name: getattr(self, field.name) + getattr(other, field.name) for field in FIELDS})

    def __bool__(self) -> bool:
        """Whether anything was changed."""
        return bool(self.changes)

    def __str__(self) -> str:
        return "; ".join(filter(None, (f"lost {self.lost_share:.2%} of sounding time", say_changes(self.changes))))

    @property
    def changes(self) -> dict[str, float]:
        """The fields that say what was changed, without those that are 0."""
        found = {name: getattr(self, name) for name in CHANGES}
        return {name: value for name, value in found.items() if value}

    @property
    def lost_share(self) -> float:
        """Share of sounding time that is lost."""
        return self.sounding_time_lost / self.sounding_time if self.sounding_time else 0.0

    def to_dict(self) -> dict:
        """As JSON: what was given and kept, and the changes."""
        return {name: getattr(self, name) for name in GIVEN} | self.changes

    @classmethod
    def from_dict(cls, saved: dict) -> Tally:
        """Inverse of [`to_dict`]."""
        return cls(**saved)


FIELDS = dataclasses.fields(Tally)
GIVEN = ("notes", "notes_kept", "sounding_time")
CHANGES = tuple(field.name for field in FIELDS if field.name not in GIVEN)
WORDS = {field.name: field.metadata["words"] for field in FIELDS if field.metadata}


def say_changes(changes: dict[str, float]) -> str:
    """The counts among `changes` in words: `3 drum keys dropped, 14 lengths cut`."""
    found = ((changes[name], words) for name, words in WORDS.items() if name in changes)
    return ", ".join(f"{count:,} {words[count > 1]}" for count, words in found)


def take_tally(limits: TokenLimits, score: ScoreArrays, quantised: ScoreArrays) -> Tally:
    """
    Compares a score with what a tokenizer writes of it.

    Args:
        limits ([`TokenLimits`]): of the tokenizer.
        score ([`ScoreArrays`]): the music.
        quantised ([`ScoreArrays`]): what is written of it.
    """
    unit = score.ticks_per_quarter * quantised.ticks_per_quarter
    given = PlacedNotes.of(score, quantised.ticks_per_quarter, limits)
    kept = PlacedNotes.of(quantised, score.ticks_per_quarter, limits)
    notes = changed_notes(given, kept, score, quantised, unit, limits)
    return Tally(**notes, **changed_time(given, kept, score, quantised, unit, limits))
