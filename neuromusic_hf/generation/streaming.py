"""Notes as they are decided, while the model is still writing."""

import contextlib
import queue
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from transformers.generation.streamers import BaseStreamer

from ..music import TempoMap, nearest_steps
from ..tokenization import MidiProcessor
from .clock import DecidedNote, MusicClock
from .prompts import PieceTempo
from .unread import Unread


class Place(Protocol):
    """Where notes are that follow a prompt."""

    @property
    def prefix(self) -> list[int]:
        """The ids that they go on from."""

    def of(self, note: DecidedNote, ticks_per_quarter: int) -> DecidedNote:
        """A note of a clock that has read these, where it is; the clock's ticks are so many a quarter."""


@dataclass(frozen=True, eq=False)
class FilePlace:
    """
    Where in a file the notes are that follow a prompt.

    Args:
        prefix (`list[int]`): the ids of the prompt that they go on from.
        clock_tick (`int`): the tick to which these lead, by a clock that has read them.
        file_tick (`int`): the same moment in ticks of the file.
        tempos ([`TempoMap`]): of the file.
    """

    prefix: list[int]
    clock_tick: int
    file_tick: int
    tempos: TempoMap

    def of(self, note: DecidedNote, ticks_per_quarter: int) -> DecidedNote:
        """A note of that clock in ticks and seconds of the file; the clock's are so many a quarter."""
        times = np.array([note.tick, note.tick + note.duration]) - self.clock_tick
        ticks = self.file_tick + nearest_steps(times, ticks_per_quarter, self.tempos.ticks_per_quarter)
        (tick, end), (start, stop) = ticks.tolist(), self.tempos.to_seconds(ticks).tolist()
        return replace(note, start=start, end=stop, tick=tick, duration=end - tick)


@dataclass(frozen=True, eq=False)
class WholePiecePlace:
    """
    Where in a whole piece the notes are that follow a prompt from its end.

    Args:
        prefix (`list[int]`): the ids of the prompt.
        unread ([`Unread`]): what precedes it.
    """

    prefix: list[int]
    unread: Unread

    def of(self, note: DecidedNote, ticks_per_quarter: int) -> DecidedNote:
        """A note that counts from the beginning of the prompt, counted from that of the piece."""
        seconds = self.unread.seconds
        return replace(note, start=note.start + seconds, end=note.end + seconds, tick=note.tick + self.unread.end)


class NoteStreamer(BaseStreamer):
    """
    Hands out each new note once its tokens are complete, in the order in which they are decided.

    Notes count from the beginning of the prompt, and where only the end of a piece could be read, from that of the
    piece. Those of spans that are filled in have the seconds and ticks of the file. They come as the model writes
    them: what the result leaves out or shortens where they meet notes that stay, it does later.

    Generate in one thread and iterate in another. The prompt's notes are not among those that come. Whatever breaks
    generation off, Ctrl-C too, ends the stream, and `error` tells it. Once a continuation has ended, the streamer can
    follow another one. A token of a learned vocabulary can hold notes on both sides of `max_new_bars` or
    `max_new_seconds`: all of them come, and the pipeline's result leaves out those beyond.

    Args:
        processor ([`MidiProcessor`]): of the model.
        timeout (`float`, *optional*): seconds to wait for a note until `queue.Empty` is raised; for ever if not given.

    Attributes:
        seconds_to_first_note (`float`, *optional*): from the moment generation began.
        real_time_factor (`float`, *optional*): seconds of music decided in a second, once generation has ended.
        error (`BaseException`, *optional*): what broke generation off.

    Raises:
        `ValueError`: the tokenizer's time cannot be followed; on call, there is more than one row.

    Example:
    ```py
    >>> from threading import Thread
    >>> streamer = NoteStreamer(continue_midi.processor)
    >>> Thread(target=continue_midi, args=("song.mid",), kwargs={"streamer": streamer}).start()
    >>> for note in streamer:
    ...     print(f"{note.start:.2f} s: {note.pitch}")
    ```
    """

    def __init__(self, processor: MidiProcessor, timeout: float | None = None):
        self.clock_at_beginning = MusicClock(processor)
        self.timeout = timeout
        self.notes = queue.Queue()
        self.begin(PieceTempo())

    def begin(self, tempo: PieceTempo, place: Place | None = None, goes_on: bool = False):
        """
        Makes ready for the ids of a piece, from its first one on.

        Args:
            tempo ([`PieceTempo`]): of the piece.
            place ([`Place`], *optional*): of the notes that follow; they count from the prompt's if not given.
            goes_on (`bool`, *optional*, defaults to `False`): this is another span of the piece before.
        """
        self.clock = self.clock_at_beginning.copy()
        self.clock.set_tempo(tempo)
        self.place, self.has_prompt = place, False
        if not goes_on:
            self.seconds_to_first_note = self.real_time_factor = self.error = self.began = None
            self.music_seconds = 0.0

    def put(self, value: torch.Tensor):
        """Takes the prompt, and then each new id."""
        if value.dim() > 1 and value.shape[0] > 1:
            raise ValueError(f"A NoteStreamer follows one row, and {value.shape[0]} are generated.")
        ids = value.flatten().tolist()
        if not self.has_prompt:
            self.has_prompt = True
            for index in ids if self.place is None else self.place.prefix:
                self.clock.advance(index)
            self.began = self.began or time.perf_counter()
            return
        before = self.clock.seconds
        notes = [note for index in ids for note in self.clock.advance(index)]
        self.music_seconds += self.clock.seconds - before
        if notes and self.seconds_to_first_note is None:
            self.seconds_to_first_note = time.perf_counter() - self.began
        for note in notes:
            self.notes.put(note if self.place is None else self.place.of(note, self.clock.tokenizer.time_division))

    def end(self):
        """Ends the stream."""
        if self.began is not None:
            self.real_time_factor = self.music_seconds / (time.perf_counter() - self.began)
        self.notes.put(None)

    def __iter__(self) -> Iterator[DecidedNote]:
        return self

    def __next__(self) -> DecidedNote:
        note = self.notes.get(timeout=self.timeout)
        if note is None:
            raise StopIteration
        return note


class FollowedStreamer(BaseStreamer):
    """
    Any streamer, which is ended once.

    Args:
        streamer ([`~transformers.generation.streamers.BaseStreamer`]): gets what this gets.
    """

    def __init__(self, streamer: BaseStreamer):
        self.streamer = streamer
        self.ended = self.is_amid = False

    def begin(self, tempo: PieceTempo, place: Place | None = None, goes_on: bool = False):
        """
        Tells a streamer of notes what follows.

        Args:
            tempo ([`PieceTempo`]): as of [`NoteStreamer.begin`].
            place ([`Place`], *optional*): as of that.
            goes_on (`bool`, *optional*, defaults to `False`): another span of the same piece comes after this one.

        Raises:
            `ValueError`: it does, and the streamer is another one.
        """
        if isinstance(self.streamer, NoteStreamer):
            self.streamer.begin(tempo, place, goes_on=self.is_amid)
        elif goes_on:
            raise ValueError(f"A {type(self.streamer).__name__} follows one span: give one, or a NoteStreamer.")
        self.is_amid = goes_on

    def put(self, value: torch.Tensor):
        """Takes the prompt, and then each new id."""
        self.streamer.put(value)

    def end(self):
        """Ends the streamer, if nothing else comes."""
        if not self.is_amid:
            self.close()

    def close(self):
        """Ends the streamer, if it is not ended yet."""
        if not self.ended:
            self.ended = True
            self.streamer.end()


@contextlib.contextmanager
def followed(streamer: BaseStreamer | None) -> Iterator[FollowedStreamer | None]:
    """Ends a streamer whatever happens: whoever waits for it waits in another thread."""
    if streamer is None:
        yield None
        return
    follower = FollowedStreamer(streamer)
    try:
        yield follower
    except BaseException as error:
        if isinstance(streamer, NoteStreamer):
            streamer.error = error
        raise
    finally:
        follower.close()
