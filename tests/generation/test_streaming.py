"""Notes while they are written: all of the new ones, once each, in the order of decision."""

from threading import Thread

import pytest
import torch
from music import make_score

from neuromusic_hf.generation import NoteStreamer, new_music
from neuromusic_hf.generation.music import seconds_at


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


def test_a_stream_ends_where_generation_fails(remi_pipe):
    streamer = NoteStreamer(remi_pipe.processor, timeout=10)
    with pytest.raises(ValueError, match="no_notes"):
        remi_pipe(make_score(1, num_notes=0), streamer=streamer)
    assert list(streamer) == []
