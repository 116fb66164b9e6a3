"""Pieces that do not fit into what a model reads: they go on from their end, and stay whole in the result."""

from threading import Thread

import pytest
from miditok.utils import get_bars_ticks
from music import make_score
from symusic import Score
from tokenization.sample_scores import SCORES, build_score, note_list

from neuromusic_hf import MidiContinuationPipeline, NoteStreamer, save_continuation
from neuromusic_hf.music import bar_starts, excerpt, new_music, onsets, seconds_at

CONTEXT = 256
NEW = {"max_new_tokens": 40, "min_new_tokens": 30, "seed": 3}


@pytest.fixture(scope="module")
def song():
    return make_score(1, num_notes=200)


def later_bars(whole):
    """The bars in which something may be left out before them, but not all notes."""
    ticks = onsets(whole)
    return [bar for bar in get_bars_ticks(whole) if ticks[0] < bar <= ticks[-1]]


def longest_end(whole, most, processor):
    """The tick of the first bar from which on `most` tokens hold the piece."""
    fitting = (bar for bar in later_bars(whole) if len(processor.encode(excerpt(whole, bar), add_bos=False)) <= most)
    return next(fitting)


def new_part(result, song, processor):
    """The notes that the song does not have, where they are."""
    return new_music(result["midi"], processor.decode(processor.encode(song)), from_zero=False)


def times(score, notes=None):
    """When its first notes begin in seconds, and in which bar."""
    ticks = onsets(score)[:notes]
    return seconds_at(score, ticks).tolist(), [int((bar_starts(score) <= tick).sum()) for tick in ticks]


@pytest.mark.parametrize("make", [lambda: make_score(1, num_notes=200), SCORES["band"]], ids=["duo", "band"])
def test_as_many_last_bars_as_fit_are_the_prompt_and_the_whole_song_goes_on(pipe, make):
    song = make()
    whole = pipe.processor.quantise(song)
    start = longest_end(whole, CONTEXT - 40, pipe.processor)
    result = pipe(song, **NEW)
    assert result["prompt_token_ids"] == pipe.processor.encode(excerpt(whole, start), add_bos=False)
    assert len(result["prompt_token_ids"]) + 40 <= CONTEXT
    unread = [note for note in note_list(whole) if note[0] * whole.tpq < start]
    bars = sum(bar < start for bar in get_bars_ticks(whole))
    assert result["unread"] == {"bars": bars, "notes": len(unread)} and unread
    new = new_part(result, song, pipe.processor)
    assert sorted(note_list(whole) + note_list(new)) == note_list(result["midi"])
    assert new.note_num() == result["continuation"].note_num() > 0
    assert result["original"].note_num() == 0 == len(result["original_token_ids"])


def test_it_goes_on_as_from_a_prompt_that_is_asked_for(pipe, song):
    asked = pipe(song, prompt_length=CONTEXT - 40, prompt_from="end", **NEW)
    assert "unread" not in asked
    for begin in ("start", "end"):
        result = pipe(song, prompt_from=begin, **NEW)
        assert result["token_ids"] == asked["token_ids"]
        assert note_list(result["continuation"]) == note_list(asked["continuation"])
        tail = note_list(result["midi"])[result["unread"]["notes"] :]
        assert [note[1:] for note in tail] == [note[1:] for note in note_list(asked["midi"])]


@pytest.mark.parametrize("piece", ["many_meters", "rubato"])
def test_times_and_bars_of_the_song_stay(pipeline_of, piece):
    pipe = pipeline_of("REMI")
    whole = pipe.processor.quantise(SCORES[piece]())
    result = pipe(SCORES[piece](), max_new_tokens=60, seed=0)
    assert result["unread"]["notes"]
    for found, expected in zip(times(result["midi"], len(onsets(whole)) - 1), times(whole), strict=True):
        assert found == pytest.approx(expected[:-1], rel=1e-4)


def test_one_tempo_holds_for_the_whole_song(pipe, song):
    result = pipe(song, tempo=77, **NEW)
    assert result["unread"] and [(tempo.time, round(tempo.qpm, 3)) for tempo in result["midi"].tempos] == [(0, 77)]


@pytest.mark.parametrize(
    "asked, most",
    [
        ({}, CONTEXT // 2),
        ({"max_new_bars": 1}, CONTEXT // 2),
        ({"max_new_seconds": 1.0}, CONTEXT // 2),
        ({"max_new_tokens": 8}, CONTEXT - 8),
        ({"max_new_tokens": 8, "max_new_bars": 1}, CONTEXT - 8),
        ({"max_new_tokens": 200}, CONTEXT - 200),
        ({"max_length": 100}, 50),
        ({"max_length": CONTEXT}, CONTEXT // 2),
    ],
)
def test_room_is_left_for_the_new_tokens(remi_pipe, song, asked, most):
    whole = remi_pipe.processor.quantise(song)
    expected = excerpt(whole, longest_end(whole, most, remi_pipe.processor))
    result = remi_pipe(song, seed=1, **asked)
    assert note_list(result["prompt"]) == note_list(expected)
    assert len(result["prompt_token_ids"] + result["token_ids"]) <= asked.get("max_length", CONTEXT)
    if "max_new_bars" in asked:
        assert len(bar_starts(result["midi"])) <= len(bar_starts(whole)) + 1


def test_what_the_generation_config_says_is_asked_for(tiny_model, processor_of, song):
    pipe = MidiContinuationPipeline(tiny_model("REMI"), processor_of("REMI"), device="cpu")
    expected = pipe(song, **NEW)
    pipe.model.generation_config.max_new_tokens = NEW["max_new_tokens"]
    wishes = {name: value for name, value in NEW.items() if name != "max_new_tokens"}
    assert pipe(song, **wishes)["prompt_token_ids"] == expected["prompt_token_ids"]


def test_a_piece_that_fits_is_read_whole(pipe):
    piece = make_score(1, num_notes=10)
    result = pipe(piece, **NEW)
    assert result["prompt_token_ids"] == pipe.processor.encode(piece) and "unread" not in result
    exact = CONTEXT - len(result["prompt_token_ids"])
    assert "unread" not in pipe(piece, max_new_tokens=exact, seed=0)
    assert "unread" in pipe(piece, max_new_tokens=exact + 1, seed=0)


@pytest.mark.parametrize(
    "asked",
    [
        {"prompt_length": 200, "max_new_tokens": 100},
        {"prompt_length": 200, "prompt_from": "end", "max_new_tokens": 250},
        {"prompt_bars": 1000},
        {"prompt_bars": 1000, "prompt_from": "end"},
        {"prompt_seconds": 1e6},
        {"max_new_tokens": CONTEXT},
    ],
)
def test_what_is_asked_for_and_does_not_fit_is_refused(remi_pipe, song, asked):
    with pytest.raises(ValueError, match="prompt_too_long"):
        remi_pipe(song, **asked)


def test_where_no_bar_fits_the_last_onsets_are_the_prompt(remi_pipe):
    run = build_score(480, [(0, [(step / 8, 1 / 8, 40 + step, 80) for step in range(32)])])
    result = remi_pipe(run, max_new_tokens=200, seed=0)
    whole = remi_pipe.processor.quantise(run)
    kept = 32 - result["unread"]["notes"]
    assert result["unread"]["bars"] == 1 and 0 < kept < 32
    assert set(note_list(whole)) <= set(note_list(result["midi"]))
    assert [note[2] for note in note_list(result["prompt"])] == list(range(72 - kept, 72))
    chord = build_score(480, [(0, [(0, 1, 50, 80), *((4, 1, pitch, 80) for pitch in range(40, 70))])])
    with pytest.raises(ValueError, match="prompt_too_long.*max_new_tokens"):
        remi_pipe(chord, max_new_tokens=250)


def test_each_of_a_list_and_each_row_of_one_has_its_song(remi_pipe, song, tmp_path):
    short = make_score(2, num_notes=10)
    results = remi_pipe([song, short, song], batch_size=3, num_return_sequences=2, **NEW)
    whole = remi_pipe.processor.quantise(song)
    assert ["unread" in rows[0] for rows in results] == [True, False, True]
    for rows in (results[0], results[2]):
        for row in rows:
            new = new_part(row, song, remi_pipe.processor)
            assert sorted(note_list(whole) + note_list(new)) == note_list(row["midi"]) and new.note_num()
    assert results[0][0]["token_ids"] == remi_pipe(song, **NEW)["token_ids"] != results[0][1]["token_ids"]
    saved = save_continuation(results[0], tmp_path)[0]
    assert note_list(Score(saved)) == note_list(results[0][0]["midi"])


def test_it_is_said_once_a_piece(remi_pipe, song, caplog):
    result = remi_pipe({"bytes": song.dumps_midi(), "name": "Longplay"}, **NEW)
    (said,) = [record.getMessage() for record in caplog.records if "Longplay" in record.getMessage()]
    assert "256 tokens" in said and f"first {result['unread']['bars']}." in said
    caplog.clear()
    remi_pipe(make_score(1, num_notes=10), **NEW)
    assert not caplog.records


@pytest.mark.parametrize("name", ["REMI", "TSD", "Structured", "REMI BPE"])
def test_streamed_notes_are_where_they_are_in_the_whole_song(pipeline_of, name, song):
    pipe, results = pipeline_of(name), []
    streamer = NoteStreamer(pipe.processor, timeout=60)
    thread = Thread(target=lambda: results.append(pipe(song, streamer=streamer, **NEW)))
    thread.start()
    notes = list(streamer)
    thread.join()
    new = new_part(results[0], song, pipe.processor)
    placed = [(note, track.program) for track in new.tracks for note in track.notes]
    expected = sorted((float(seconds_at(new, note.time)), note.time, note.pitch, program) for note, program in placed)
    found = sorted((note.start, note.tick, note.pitch, note.program) for note in notes)
    assert len(found) == len(expected) > 3
    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other, rel=1e-4)
