"""A score as a MIDI file in which every note sounds with its own program, in any player."""

import os
from dataclasses import replace

import numpy as np
from symusic.core import ScoreTick, TrackTick

from ..disk import user_path, write_file
from .channel_state import BANK_CONTROLS
from .channels import MELODIC_CHANNELS, MOST_PORTS, Channel, drum_channels, share_channels
from .parts import lacks_pedal_controls, notes_overlap, pooled_parts, separate_parts, silent_parts
from .scores import AnyScore, in_ticks
from .track_chunks import channel_chunks, file_header, head_chunk, text_chunk
from .writable import UnwritableScore, check_writable


def write_midi(score: AnyScore, path: str | os.PathLike[str]):
    """
    Writes a score as a MIDI file, whole or with an error.

    Args:
        score ([`symusic.Score`]): in ticks, quarters or seconds.
        path (`str` or `os.PathLike`): of the file; its folder must exist.

    Raises:
        [`UnwritableScore`]: as of [`midi_bytes`]; nothing is written.
        `OSError`: the file cannot be written.

    Example:
    ```py
    >>> from neuromusic_hf.music import write_midi
    >>> write_midi(score, "song.mid")
    ```
    """
    write_file(user_path(path), midi_bytes(score))


def midi_bytes(score: AnyScore) -> bytes:
    """
    Gives a score as the bytes of a MIDI file (type 1), from which players and readers take the very notes it has.

    What symusic writes rightly is written by it. It gives channels to tracks in turn, so that beyond 15 tracks, or
    with two drum kits, notes sound with the program of another track; where a pitch begins while it sounds, the end of
    one note ends the other; it leaves out pedals that are no controllers, puts banks behind programs, and spoils the
    times of a score without tracks. In these cases channels are given to notes:

    - A part, which is a track, keeps a channel of its own as long as no other needs it. If channels do not suffice,
      tracks of one program and the same controllers are one part.
    - A channel goes over to another part once nothing of the earlier is heard, pedals included; program, controllers
      and pitch bend are then set anew.
    - A pitch that begins while it sounds goes to a second channel of the same program, if one is left.
    - What a track without notes sends goes to a channel that no other needs, if one is left.
    - If more than 15 parts sound at once, and none has controllers, more ports are used. Each note has its program
      before it, so that a player that knows no ports plays the same notes.

    Args:
        score ([`symusic.Score`]): in ticks, quarters or seconds.

    Raises:
        [`UnwritableScore`]: a value does not fit a MIDI file, or more parts sound at once than it has channels for;
            the message has the numbers.
    """
    score = in_ticks(score)
    check_writable(score)
    if _is_plain(score):
        return score.dumps_midi()
    drums = drum_channels(pooled_parts(track for track in score.tracks if track.is_drum))
    melodic = [track for track in score.tracks if not track.is_drum]
    channels = _melodic_channels(melodic)
    channels += _silent_channels(melodic, {channel.number for channel in channels})
    texts = [
        text_chunk(track.name, track.lyrics) for track in score.tracks if len(track.lyrics) or not len(track.notes)
    ]
    chunks = [head_chunk(score), *channel_chunks(channels), *channel_chunks(drums), *texts]
    return file_header(len(chunks), score.ticks_per_quarter) + b"".join(chunks)


def _is_plain(score: ScoreTick) -> bool:
    """Whether symusic gives each track a channel of its own, and writes all of it."""
    melodic = [index for index, track in enumerate(score.tracks) if not track.is_drum]
    kits = {track.program for track in score.tracks if track.is_drum}
    if not score.tracks or len(kits) > 1 or max(melodic, default=0) >= len(MELODIC_CHANNELS):
        return False
    return not any(map(_is_special, score.tracks))


def _is_special(track: TrackTick) -> bool:
    has_banks = bool(np.isin(track.controls.numpy()["number"], BANK_CONTROLS).any())
    return has_banks or lacks_pedal_controls(track) or notes_overlap(track)


def _silent_channels(tracks: list[TrackTick], taken: set[int]) -> list[Channel]:
    """Channels that are left, for tracks without notes, whose names stand elsewhere."""
    free = [number for number in MELODIC_CHANNELS if number not in taken]
    parts = [replace(part, name="") for part in silent_parts(tracks)]
    return [Channel(0, number, tenants=[(0, part)]) for number, part in zip(free, parts, strict=False)]


def _melodic_channels(tracks: list[TrackTick]) -> list[Channel]:
    """Channels for the notes of tracks, by the first way that succeeds; the last of them serves 15 parts always."""
    separate, pooled = separate_parts(tracks), pooled_parts(tracks)
    if not separate:
        return []
    ports = 1 if any(part.changes for part in pooled) else MOST_PORTS
    ways = [(pooled, most_ports, unisons) for unisons in (False, True) for most_ports in (1, ports)]
    if len(separate) <= len(MELODIC_CHANNELS):
        ways.insert(0, (separate, 1, False))
    for parts, most_ports, unisons in ways:
        try:
            return share_channels(parts, most_ports=most_ports, unisons=unisons)
        except UnwritableScore as error:
            refused = error
    raise refused
