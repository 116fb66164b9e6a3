"""Notes as they are decided, while the model is still writing."""

import contextlib
import queue
import time
from collections.abc import Iterator

import torch
from transformers.generation.streamers import BaseStreamer

from ..tokenization import MidiProcessor
from .clock import DecidedNote, MusicClock
from .prompts import PieceTempo


class NoteStreamer(BaseStreamer):
    """
    Hands out each new note once its tokens are complete, in the order in which they are decided.

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

    def begin(self, tempo: PieceTempo):
        """Makes ready for the ids of a piece, from its first one on."""
        self.clock = self.clock_at_beginning.copy()
        self.clock.set_tempo(tempo)
        self.seconds_to_first_note = self.real_time_factor = self.error = None
        self.began = None

    def put(self, value: torch.Tensor):
        """Takes the prompt, and then each new id."""
        if value.dim() > 1 and value.shape[0] > 1:
            raise ValueError(f"A NoteStreamer follows one row, and {value.shape[0]} are generated.")
        notes = [note for index in value.flatten().tolist() for note in self.clock.advance(index)]
        if self.began is None:
            self.began, self.prompt_seconds = time.perf_counter(), self.clock.seconds
            return
        if notes and self.seconds_to_first_note is None:
            self.seconds_to_first_note = time.perf_counter() - self.began
        for note in notes:
            self.notes.put(note)

    def end(self):
        """Ends the stream."""
        if self.began is not None:
            taken = time.perf_counter() - self.began
            self.real_time_factor = (self.clock.seconds - self.prompt_seconds) / taken
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
        self.ended = False

    def begin(self, tempo: PieceTempo):
        """Tells the streamer the tempo of the piece, if it is for notes."""
        if isinstance(self.streamer, NoteStreamer):
            self.streamer.begin(tempo)

    def put(self, value: torch.Tensor):
        """Takes the prompt, and then each new id."""
        self.streamer.put(value)

    def end(self):
        """Ends the stream."""
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
        follower.end()
