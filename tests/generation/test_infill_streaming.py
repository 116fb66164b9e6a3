"""Notes of spans while they are written: those of the result, in seconds and ticks of the file."""

from threading import Thread

import pytest
import torch
from tiny import ONE_LAYER
from tokenization.sample_scores import build_score

from neuromusic_hf import MidiInfillingPipeline, NoteStreamer, build_model
from neuromusic_hf.music import seconds_at

NAMES = ("REMI", "TSD", "Structured", "REMI BPE")


@pytest.fixture(params=NAMES)
def infill(request, processor_of):
    processor = processor_of(request.param)
    processor.add_infill_tokens()
    torch.manual_seed(0)
    model = build_model("gpt2", processor, context_length=512, **ONE_LAYER).eval()
    model.config.infill_share = 0.5
    return MidiInfillingPipeline(model, processor, device="cpu")


def stream(pipe, *args, **kwargs):
    """The notes streamed, the streamer, and the pipeline's result."""
    streamer = NoteStreamer(pipe.processor, timeout=60)
    results = []
    thread = Thread(target=lambda: results.append(pipe(*args, streamer=streamer, **kwargs)))
    thread.start()
    notes = list(streamer)
    thread.join()
    return notes, streamer, results[0]


@pytest.mark.parametrize("bars", [(0, 1), (3, 5), [(4, 6), (1, 2)]])
def test_the_notes_are_those_of_the_result_at_the_tempos_of_the_file(infill, bars):
    notes = [(time / 2, 0.5, 60 + time % 12, 80) for time in range(56)]
    meters = ((0, 3, 4), (6, 4, 4), (18, 6, 8))
    piece = build_score(384, [(0, notes)], tempos=((0, 100), (7, 61), (13.5, 200)), meters=meters)
    wishes = {"bars": bars, "instruments": [5], "pitch_range": (60, 90), "seed": 1}
    heard, streamer, result = stream(infill, piece, **wishes)
    assert [span["stopped_by"] for span in result["spans"]] == ["eom"] * len(result["spans"])
    new = [
        (note.time, note.pitch, note.velocity, float(seconds_at(piece, note.time)))
        for track in result["infilled"].tracks
        for note in track.notes
    ]
    left_out = sum(sum(span["left_out"].values()) for span in result["spans"])
    found = {(note.tick, note.pitch, note.velocity, note.start) for note in heard}
    assert len(heard) == len(new) + left_out and len(new) > 1
    assert {each[:3] for each in new} <= {each[:3] for each in found}
    for tick, _, _, start in found:
        assert start == pytest.approx(float(seconds_at(piece, tick)))
    for note in heard:
        assert note.program == 5 and note.end == pytest.approx(float(seconds_at(piece, note.tick + note.duration)))
    assert streamer.seconds_to_first_note > 0 and streamer.real_time_factor > 0
    assert infill(piece, **wishes)["spans"][0]["token_ids"] == result["spans"][0]["token_ids"]


def test_the_stream_ends_where_a_piece_is_refused(infill):
    streamer = NoteStreamer(infill.processor, timeout=10)
    with pytest.raises(ValueError, match="no_such_bars") as refused:
        infill(build_score(480, [(0, [(0, 1, 60, 80)])]), bars=(1, 2), streamer=streamer)
    assert list(streamer) == [] and streamer.error is refused.value
