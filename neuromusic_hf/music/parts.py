"""The tracks of a score as parts: their notes as arrays, and what else they send on a channel."""

from collections.abc import Iterable

import numpy as np
from symusic.core import TrackTick

from .channel_state import BEND, CONTROL, PEDAL_CONTROL, PEDAL_DOWN
from .channels import Part


def separate_parts(tracks: Iterable[TrackTick]) -> list[Part]:
    """Each track as a part, but for those without a note."""
    return [_part(track) for track in tracks if len(track.notes)]


def silent_parts(tracks: Iterable[TrackTick]) -> list[Part]:
    """Each track without a note as a part, if it sends anything else."""
    parts = [_part(track) for track in tracks if not len(track.notes)]
    return [part for part in parts if part.changes]


def pooled_parts(tracks: Iterable[TrackTick]) -> list[Part]:
    """Tracks of one program and the same controllers and bends as one part."""
    alike: dict[tuple, list[Part]] = {}
    for part in separate_parts(tracks):
        alike.setdefault((part.program, *part.changes), []).append(part)
    return [
        Part(
            ", ".join(dict.fromkeys(part.name for part in parts if part.name)),
            parts[0].program,
            np.concatenate([part.notes for part in parts]),
            parts[0].changes,
        )
        for parts in alike.values()
    ]


def lacks_pedal_controls(track: TrackTick) -> bool:
    """Whether its pedals are no controllers: a score that was read has both, one that was made may not."""
    return len(track.pedals) > 0 and not (track.controls.numpy()["number"] == PEDAL_CONTROL).any()


def notes_overlap(track: TrackTick) -> bool:
    """
    Whether a pitch begins while it sounds, so that on one channel the end of one note ends the other.

    Of drums, whose ends are not heard: whether readers, for whom the note ends first that began first, would find
    other lengths.
    """
    if len(track.notes) < 2:
        return False
    notes = _columns(track.notes, "pitch", "time", "duration")
    pitch, onset, duration = notes[:, np.lexsort((notes[2], notes[1], notes[0]))]
    same = pitch[1:] == pitch[:-1]
    end = onset + duration
    # In order of time, some note of a pitch overlaps another where one overlaps the next.
    return bool((same & ((end if track.is_drum else onset)[1:] < end[:-1])).any())


def _part(track: TrackTick) -> Part:
    changes = _changes(track)
    return Part(track.name, track.program, _notes(track, changes), list(map(tuple, changes.tolist())))


def _columns(events, *names: str) -> np.ndarray:
    """`int64` of shape `(fields, events)`."""
    arrays = events.numpy()
    return np.stack([arrays[name].astype(np.int64) for name in names])


def _changes(track: TrackTick) -> np.ndarray:
    """`int64` of shape `(changes, 4)`: tick, status and two data bytes, in order of time."""
    tick, number, value = _columns(track.controls, "time", "number", "value")
    bend_tick, bend = _columns(track.pitch_bends, "time", "value")
    pairs = [(tick, CONTROL, number, value), (bend_tick, BEND, (bend + 8192) & 0x7F, (bend + 8192) >> 7)]
    if lacks_pedal_controls(track):
        down, length = _columns(track.pedals, "time", "duration")
        pairs += [(down + length, CONTROL, PEDAL_CONTROL, 0), (down, CONTROL, PEDAL_CONTROL, 127)]
    changes = np.concatenate([np.stack(np.broadcast_arrays(*columns), axis=1) for columns in pairs])
    return changes[np.argsort(changes[:, 0], kind="stable")]


def _notes(track: TrackTick, changes: np.ndarray) -> np.ndarray:
    onset, duration, pitch, velocity = _columns(track.notes, "time", "duration", "pitch", "velocity")
    end = onset + duration
    return np.stack([onset, end, _quiet(end, changes), pitch, velocity], axis=1)


def _quiet(ends: np.ndarray, changes: np.ndarray) -> np.ndarray:
    """The ticks from which notes are not heard that end at `ends`: where the pedal is down, those of its release."""
    pedal = changes[(changes[:, 1] == CONTROL) & (changes[:, 2] == PEDAL_CONTROL)]
    down = np.append(False, pedal[:, 3] >= PEDAL_DOWN)
    releases = pedal[~down[1:], 0]
    before = np.searchsorted(pedal[:, 0], ends, side="left")
    next_release = np.append(releases, -1)[np.searchsorted(releases, ends, side="left")]
    return np.where(down[before], np.maximum(next_release, ends), ends)
