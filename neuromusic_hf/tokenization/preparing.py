"""What is done to a score before miditok quantises it, so that what the vocabulary can say is not lost on the way."""

import miditok
import numpy as np
from miditok import MusicTokenizer
from symusic import Note, TimeSignature
from symusic.core import NoteTickList, ScoreTick

from ..borders.miditok import merges_tracks_of_a_program, resample, round_to_beats, time_shifts
from ..music import meters_of
from .reachable_onsets import reachable_onsets
from .token_limits import DRUMS
from .written_meters import written_meters


def prepare(tokenizer: MusicTokenizer, score: ScoreTick) -> ScoreTick:
    """
    Puts a score into the ticks that miditok would choose for it, and mends what its rounding would lose.

    - Meters are those that are written, and begin at bar lines ([`written_meters`]).
    - Onsets are where Structured can write them, no error carried on.
    - Of the notes that fall on one onset of a key, the longest is left, where miditok would keep the shortest.
    """
    if tokenizer.config.use_control_changes:  # which miditok tells apart by their ticks in the file
        return score
    prepared = _in_ticks_of_tokenizer(tokenizer, score)
    if isinstance(tokenizer, miditok.Structured):
        _move_onsets(tokenizer, score, prepared)
    if tokenizer.config.remove_duplicated_notes:
        _keep_longest(tokenizer, prepared)
    return prepared


def _in_ticks_of_tokenizer(tokenizer: MusicTokenizer, score: ScoreTick) -> ScoreTick:
    positions = tokenizer.config.max_num_pos_per_beat
    if not tokenizer.config.use_time_signatures:
        return resample(tokenizer, score, positions)
    meters = written_meters(tokenizer, meters_of(score), score.ticks_per_quarter)
    ticks_per_quarter = positions * max(meter.denominator for _, meter in meters) // 4
    prepared = resample(tokenizer, score, ticks_per_quarter)
    prepared.time_signatures = [
        TimeSignature(round(onset * prepared.ticks_per_quarter), meter.numerator, meter.denominator)
        for onset, meter in meters
    ]
    return prepared


def _keep_longest(tokenizer: MusicTokenizer, score: ScoreTick):
    tracks, notes = _notes(score)
    if not tracks:
        return
    voices = np.repeat(_voices(tokenizer, tracks), [len(track.notes) for track in tracks])
    onsets = notes["time"].copy()
    if len({meter.denominator for meter in score.time_signatures}) > 1:
        round_to_beats(tokenizer, onsets, score)
    order = np.lexsort((notes["velocity"], -notes["duration"], notes["pitch"], onsets, voices))
    keys = np.stack([voices, onsets, notes["pitch"]])[:, order]
    keep = np.ones(len(order), dtype=bool)
    keep[order[1:]] = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
    if not keep.all():
        _replace_notes(tracks, notes, keep)


def _move_onsets(tokenizer: MusicTokenizer, score: ScoreTick, prepared: ScoreTick):
    """Moves onsets to where Structured's shifts lead."""
    tracks, notes = _notes(prepared)
    if not tracks:
        return
    exact = _notes(score)[1]["time"] * (prepared.ticks_per_quarter / score.ticks_per_quarter)
    moved = reachable_onsets(notes["time"], exact, time_shifts(tokenizer, prepared.ticks_per_quarter))
    if moved is not notes["time"]:
        notes["time"] = moved
        _replace_notes(tracks, notes, np.ones(len(moved), dtype=bool))


def _notes(score: ScoreTick) -> tuple[list, dict[str, np.ndarray]]:
    """Tracks that have notes, and the notes of all, one track after the other."""
    tracks = [track for track in score.tracks if len(track.notes)]
    arrays = [track.notes.numpy() for track in tracks]
    names = arrays[0] if arrays else ()
    return tracks, {name: np.concatenate([array[name] for array in arrays]) for name in names}


def _voices(tokenizer: MusicTokenizer, tracks: list) -> list[int]:
    """A number for each track, the same for those that miditok makes one."""
    config = tokenizer.config
    if not (config.use_programs and config.one_token_stream_for_programs and merges_tracks_of_a_program(tokenizer)):
        return list(range(len(tracks)))
    return [DRUMS if track.is_drum else track.program for track in tracks]


def _replace_notes(tracks: list, notes: dict[str, np.ndarray], keep: np.ndarray):
    ends = np.cumsum([len(track.notes) for track in tracks])
    for track, first, end in zip(tracks, [0, *ends], ends, strict=False):
        here = slice(first, end)
        kept = {name: values[here][keep[here]] for name, values in notes.items()}
        track.notes = Note.from_numpy(**kept) if len(kept["time"]) else NoteTickList()
