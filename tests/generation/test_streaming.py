"""Notes while they are written: all of the new ones, once each, in the order of decision."""

import asyncio
import signal
import threading
import time
from threading import Thread

import pytest
import torch
from music import make_score
from transformers import AsyncTextIteratorStreamer, StoppingCriteria, TextIteratorStreamer, TextStreamer

from neuromusic_hf.generation import NoteStreamer
from neuromusic_hf.music import new_music, seconds_at


def stream(pipe, *args, **kwargs):
    """The notes streamed, the streamer, and the pipeline's result."""
    streamer = NoteStreamer(pipe.processor, timeout=60)
    results = []
    thread = Thread(target=lambda: results.append(pipe(*args, streamer=streamer, **kwargs)))
    thread.start()
    notes = list(streamer)
    thread.join()
    return notes, streamer, results[0]


@pytest.mark.parametrize("name", ["REMI", "TSD", "Structured", "REMI BPE"])
@pytest.mark.parametrize("length", [40, 43, None])
def test_the_notes_are_the_new_ones_of_the_result(pipeline_of, name, length):
    pipe = pipeline_of(name)
    piece = None if length is None else make_score(1)
    notes, streamer, result = stream(pipe, piece, prompt_length=length, max_new_tokens=80, min_new_tokens=70, seed=0)
    new = new_music(result["midi"], result["prompt"], from_zero=False)
    expected = sorted(
        (float(seconds_at(new, note.time)), note.pitch, note.velocity, track.program, track.is_drum)
        for track in new.tracks
        for note in track.notes
    )
    found = [(note.start, note.pitch, note.velocity, note.program, note.is_drum) for note in notes]
    assert found == sorted(found, key=lambda note: note[0])
    assert len(found) == len(expected) > 3
    for one, other in zip(sorted(found), expected, strict=True):
        assert one == pytest.approx(other, rel=1e-4)
    assert all(note.end > note.start for note in notes)
    assert 0 < streamer.seconds_to_first_note and streamer.real_time_factor > 0


def test_the_same_notes_come_without_a_streamer(remi_pipe):
    settings = {"prompt_length": 50, "max_new_tokens": 60, "seed": 4}
    _, _, result = stream(remi_pipe, make_score(2), **settings)
    assert result["token_ids"] == remi_pipe(make_score(2), **settings)["token_ids"]


def test_a_fixed_tempo_is_the_streamers_too(pipe):
    notes, _, result = stream(pipe, make_score(2), prompt_length=50, max_new_tokens=60, seed=4, tempo=77)
    new = new_music(result["midi"], result["prompt"], from_zero=False)
    starts = sorted(float(seconds_at(new, note.time)) for track in new.tracks for note in track.notes)
    assert [note.start for note in notes] == pytest.approx(starts, rel=1e-4)


def test_without_a_new_note_the_stream_is_empty(remi_pipe):
    notes, streamer, _ = stream(remi_pipe, make_score(2), prompt_length=50, max_new_tokens=1, seed=0)
    assert notes == [] and streamer.seconds_to_first_note is None


def test_several_rows_are_refused(remi_pipe):
    with pytest.raises(ValueError, match="2 are generated"):
        NoteStreamer(remi_pipe.processor).put(torch.ones(2, 3, dtype=torch.long))


class Breaks:
    """Raises an error when it is called for the third time."""

    def __init__(self, error):
        self.error, self.calls = error, 0

    def __call__(self, *args, **kwargs):
        self.calls += 1
        if self.calls == 3:
            raise self.error
        return args[1]


class BreakingStreamer(NoteStreamer):
    """Cannot take the third id."""

    def put(self, value):
        self.taken = getattr(self, "taken", 0) + 1
        if self.taken == 3:
            raise KeyboardInterrupt
        super().put(value)


ERRORS = [ValueError("no"), KeyboardInterrupt(), SystemExit(1), GeneratorExit()]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("where", ["preprocess", "generate", "postprocess"])
def test_whatever_breaks_generation_off_ends_the_stream(remi_pipe, monkeypatch, error, where):
    def fail(*args, **kwargs):
        raise error

    arguments = {"logits_processor": [Breaks(error)]} if where == "generate" else {}
    if where != "generate":
        monkeypatch.setattr(remi_pipe, where, fail)
    streamer = NoteStreamer(remi_pipe.processor, timeout=10)
    with pytest.raises(type(error)):
        remi_pipe(
            make_score(1), prompt_length=50, max_new_tokens=10, min_new_tokens=10, streamer=streamer, **arguments
        )
    assert all(note.end > note.start for note in streamer)
    assert streamer.error is error
    assert streamer.notes.empty()


def test_ctrl_c_reaches_whoever_waits_in_another_thread(remi_pipe):
    """A real signal to the main thread, which generates."""
    streamer = NoteStreamer(remi_pipe.processor, timeout=30)
    heard = []
    consumer = Thread(target=lambda: heard.extend(streamer))
    consumer.start()
    threading.Timer(0.3, signal.raise_signal, [signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        while True:
            remi_pipe(None, max_new_tokens=200, min_new_tokens=200, streamer=streamer, stopping_criteria=[Endless()])
    consumer.join(30)
    assert not consumer.is_alive() and isinstance(streamer.error, KeyboardInterrupt)


class Endless(StoppingCriteria):
    """Never stops, and takes its time."""

    def __call__(self, input_ids, scores, **kwargs):
        time.sleep(0.02)
        return torch.zeros(len(input_ids), dtype=torch.bool)


def test_a_streamer_that_breaks_is_ended_too(remi_pipe):
    streamer = BreakingStreamer(remi_pipe.processor, timeout=10)
    with pytest.raises(KeyboardInterrupt):
        remi_pipe(make_score(1), prompt_length=50, max_new_tokens=10, min_new_tokens=10, streamer=streamer)
    list(streamer)


@pytest.mark.parametrize("wrong", [{"max_new_tokens": 0}, {"midi": 3}, {"midi": [None]}, {"seed": -1}, {"beams": 1}])
def test_whatever_is_refused_ends_the_stream(remi_pipe, wrong):
    streamer = NoteStreamer(remi_pipe.processor, timeout=10)
    with pytest.raises((ValueError, TypeError)) as refused:
        remi_pipe(**wrong, streamer=streamer)
    assert list(streamer) == [] and streamer.error is refused.value


def test_one_streamer_follows_one_continuation_after_another(remi_pipe):
    streamer = NoteStreamer(remi_pipe.processor, timeout=10)
    settings = {"prompt_length": 50, "max_new_tokens": 60, "seed": 4}
    heard = []
    for tempo in (None, 77, None):
        remi_pipe(make_score(2), **settings, tempo=tempo, streamer=streamer)
        heard.append(list(streamer))
    assert heard[0] == heard[2] != heard[1] and len(heard[0]) > 3
    assert streamer.error is None and streamer.real_time_factor > 0
    with pytest.raises(ValueError):
        remi_pipe(make_score(1, num_notes=0), streamer=streamer)
    assert list(streamer) == []
    remi_pipe(make_score(2), **settings, streamer=streamer)
    assert list(streamer) == heard[0] and streamer.error is None


def test_whoever_stops_listening_does_not_stop_the_music(remi_pipe):
    streamer = NoteStreamer(remi_pipe.processor, timeout=10)
    results = []
    thread = Thread(
        target=lambda: results.append(
            remi_pipe(make_score(2), max_new_tokens=60, prompt_length=50, seed=4, streamer=streamer)
        )
    )
    thread.start()
    next(streamer)
    thread.join(60)
    assert results[0]["token_ids"]


def test_text_streamers_end_too(remi_pipe):
    streamer = TextIteratorStreamer(remi_pipe.tokenizer, timeout=10)
    with pytest.raises(KeyboardInterrupt):
        remi_pipe(None, max_new_tokens=9, streamer=streamer, logits_processor=[Breaks(KeyboardInterrupt())])
    assert isinstance("".join(streamer), str)
    remi_pipe(None, max_new_tokens=9, streamer=TextStreamer(remi_pipe.tokenizer))


async def texts(streamer):
    return [text async for text in streamer]


def test_so_do_those_of_asyncio(remi_pipe):
    async def main():
        streamer = AsyncTextIteratorStreamer(remi_pipe.tokenizer, skip_prompt=True)
        settings = {"max_new_tokens": 9, "seed": 0, "streamer": streamer}
        music = asyncio.get_running_loop().run_in_executor(None, lambda: remi_pipe(None, **settings))
        return "".join(await texts(streamer)), await music

    text, result = asyncio.run(main())
    assert text.split() == remi_pipe.tokenizer.decode(result["token_ids"]).split()


def test_a_stream_ends_where_generation_fails(remi_pipe):
    streamer = NoteStreamer(remi_pipe.processor, timeout=10)
    with pytest.raises(ValueError, match="no_notes"):
        remi_pipe(make_score(1, num_notes=0), streamer=streamer)
    assert list(streamer) == []
