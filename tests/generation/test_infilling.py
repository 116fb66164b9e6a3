"""The midi-infilling pipeline: what goes in, what comes out, and what is refused."""

import re

import miditok
import numpy as np
import pytest
import torch
from datasets import Dataset, Features
from music import make_song
from symusic import Note, Score, TextMeta, Track
from tiny import ONE_LAYER
from tokenization.sample_scores import DRUMS, build_score, random_score
from transformers import LogitsProcessor, TextStreamer, pipeline

from neuromusic_hf import MidiInfillingPipeline, MidiProcessor, build_model, write_midi
from neuromusic_hf.generation import infill_control
from neuromusic_hf.generation.clock import MusicClock
from neuromusic_hf.music import Midi, bar_starts, gather_notes, load_score

NAMES = ("REMI", "TSD", "Structured", "REMI BPE")
BASS = {"bars": (2, 4), "instruments": ["Acoustic Bass"], "seed": 1}
KEYS = {"name", "midi", "infilled", "removed", "spans", "changed", "seed", "seconds"}
SPAN_KEYS = {
    "bars", "ticks", "seconds", "programs", "kept", "new_notes", "removed_notes", "shortened", "moved", "left_out",
    "token_ids", "prompt_token_ids", "stopped_by", "entropy",
}  # fmt: skip


def short_song(seed, bars):
    """A tune and a bass."""
    song = make_song(seed, bars)
    song.tracks = [song.tracks[0], song.tracks[3]]
    return song


class OwnTokenizer(miditok.REMI):
    """One that there are no rules for."""


@pytest.fixture(scope="module")
def make_pipe(processor_of):
    """A pipeline of a tiny random model that says it was trained to fill in bars."""

    def make(name, context_length=512, share=0.5, **settings):
        if " " in name:
            processor = MidiProcessor.from_music_tokenizer(processor_of(name).music_tokenizer)
        else:
            processor = MidiProcessor.from_tokenization(name, **settings)
        processor.add_infill_tokens()
        torch.manual_seed(0)
        model = build_model("gpt2", processor, context_length=context_length, **ONE_LAYER).eval()
        model.config.infill_share = share
        return MidiInfillingPipeline(model, processor, device="cpu")

    return make


@pytest.fixture(scope="module")
def infill_of(make_pipe):
    made = {}

    def get(name):
        if name not in made:
            made[name] = make_pipe(name)
        return made[name]

    return get


@pytest.fixture
def remi(infill_of):
    return infill_of("REMI")


def notes_by_track(score, kept=lambda program, note: True):
    """Of each track its name, program and the notes that are kept, as tuples."""
    found = []
    for track in score.tracks:
        program = DRUMS if track.is_drum else track.program
        notes = [(note.time, note.duration, note.pitch, note.velocity) for note in track.notes]
        found.append((track.name, program, [note for note in notes if kept(program, note)]))
    return found


def check_rest(before, after, spans):
    """All but the notes of the spans is as it was, in the same order; new tracks are last."""

    def stays(program, note):
        return not any(
            start <= note[0] < end and (programs is None or program in programs)
            for (start, end), programs in ((span["ticks"], span["programs"]) for span in spans)
        )

    given, found = notes_by_track(before, stays), notes_by_track(after, stays)
    assert found[: len(given)] == given
    assert all(notes == [] for _, _, notes in found[len(given) :])
    assert after.ticks_per_quarter == before.ticks_per_quarter
    for events in ("tempos", "time_signatures", "key_signatures", "markers"):
        assert getattr(after, events) == getattr(before, events)
    for one, other in zip(before.tracks, after.tracks, strict=False):
        for events in ("controls", "pitch_bends", "pedals", "lyrics"):
            assert getattr(one, events) == getattr(other, events)


@pytest.mark.parametrize("name", NAMES)
def test_new_notes_come_in_place_of_those_of_the_span_and_all_else_stays(infill_of, name):
    infill, song = infill_of(name), short_song(1, bars=8)
    song.tracks[1].program = 32
    before = song.copy()
    for wishes in (
        {},
        {"bars": [(0, 1)]},
        {"bars": (7, 8)},
        {"instruments": [73, "Drums"]},
        {"instruments": "prompt"},
    ):
        result = infill(song, **BASS | wishes)
        assert set(result) == KEYS and song == before
        (span,) = result["spans"]
        assert set(span) == SPAN_KEYS
        check_rest(song, result["midi"], [span])
        (start, end), programs = span["ticks"], span["programs"]
        assert (start, end) == tuple(1920 * bar for bar in span["bars"])
        assert span["seconds"] == pytest.approx([tick / 480 * 60 / 112 for tick in (start, end)], rel=1e-6)
        new = notes_by_track(result["infilled"])
        assert sum(len(notes) for _, _, notes in new) == span["new_notes"] == result["infilled"].note_num() > 0
        assert all(start <= note[0] < end for _, _, notes in new for note in notes)
        assert programs is None or {program for _, program, _ in new} <= set(programs)
        assert result["midi"].note_num() == song.note_num() - result["removed"].note_num() + span["new_notes"]
        there = {(program, note) for _, program, notes in notes_by_track(result["midi"]) for note in notes}
        assert {(program, note) for _, program, notes in new for note in notes} <= there
        removed = gather_notes(result["removed"])
        assert len(removed) == span["removed_notes"] and (removed.onset >= start).all() and (removed.onset < end).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_span_has_exactly_its_bars(infill_of, name):
    infill, song = infill_of(name), short_song(2, bars=8)
    ids, words = infill.processor.infill_ids, infill.processor.base_words
    for first, end in ((0, 2), (3, 4), (5, 8)):
        (span,) = infill(song, bars=(first, end), instruments=["Flute"], seed=3, context_bars=1)["spans"]
        assert span["stopped_by"] == "eom"
        prompt = span["prompt_token_ids"]
        prefix = prompt[prompt.index(ids.prefix) + 1 : -1]
        assert prompt[0] == ids.suffix and prompt[-1] == ids.middle and prompt.count(ids.middle) == 2
        if name.startswith("REMI"):
            kinds = [kind for index in span["token_ids"] for kind, _ in words[index]]
            assert kinds.count("Bar") == end - first
        else:
            clock = MusicClock(infill.processor)
            for index in prefix + span["token_ids"]:
                clock.advance(index)
            assert clock.tick == 4 * infill.processor.music_tokenizer.time_division * (end - max(first - 1, 0))


def test_whole_bars_are_of_any_instrument_and_those_named_of_no_other(remi):
    song = short_song(1, bars=4)
    whole = remi(song, bars=(1, 2), seed=0)
    assert whole["spans"][0]["programs"] is None and whole["removed"].note_num() == sum(
        1920 <= onset < 3840 for onset in gather_notes(song).onset
    )
    assert len({track.program for track in whole["infilled"].tracks}) > 4
    for named in ([40, "viola"], ["Drums"], [100]):
        result = remi(song, bars=(1, 3), seed=0, instruments=named)
        programs = {DRUMS if track.is_drum else track.program for track in result["infilled"].tracks}
        assert programs <= set(result["spans"][0]["programs"]) and programs
        assert len(result["midi"].tracks) == 2 + len(programs - {73, 42})
    drums = remi(song, bars=(1, 3), seed=0, instruments=["Drums"])["midi"].tracks[-1]
    assert drums.is_drum and drums.name == "Drums"


def test_drums_are_left_out_or_taken_in(remi):
    song = random_score(1)
    without = remi(song, bars=(1, 2), seed=0, drums=False)["spans"][0]
    assert without["programs"] == [0, 33]
    only = remi(song, bars=(1, 2), seed=0, drums=True, instruments=[])["spans"][0]
    assert only["programs"] == [DRUMS]
    both = remi(song, bars=(1, 2), seed=0, drums=True, instruments=[33])["spans"][0]
    assert both["programs"] == [DRUMS, 33]
    prompt = remi(song, bars=(1, 2), seed=0, drums=False, instruments="prompt")["spans"][0]
    assert prompt["programs"] == [0, 33]
    all_named = remi(song, bars=(1, 2), seed=0, instruments=[33, 0, "Drums"])["spans"][0]
    all_tracks = remi(song, bars=(1, 2), seed=0)["spans"][0]
    assert all_named["programs"] == [DRUMS, 0, 33] and all_tracks["programs"] is None
    assert all_named["prompt_token_ids"] == all_tracks["prompt_token_ids"]
    everything = remi(song, bars=(1, 2), seed=0, drums=True)["spans"][0]
    assert everything["programs"] == [DRUMS, 0, 33]
    no_drums = random_score(1, drums=False)
    added = remi(no_drums, bars=(1, 2), seed=0, drums=True)
    told = added["spans"][0]["prompt_token_ids"]
    assert added["spans"][0]["programs"] == [DRUMS, 0, 33] and {
        remi.processor.music_tokenizer.vocab[f"Program_{program}"] for program in (DRUMS, 0, 33)
    } <= set(told)
    assert any(track.is_drum for track in added["infilled"].tracks)
    result = remi(no_drums, bars=(1, 2), seed=0, drums=False)
    assert result["spans"][0]["programs"] is None
    assert not any(track.is_drum for track in result["infilled"].tracks)


def test_pitches_are_those_wished_for(remi):
    result = remi(short_song(1, bars=4), **BASS | {"bars": (1, 3)}, pitch_range=(40, 44))
    assert {note.pitch for track in result["infilled"].tracks for note in track.notes} <= set(range(40, 45))


def played(result):
    return [span["token_ids"] for span in result["spans"]]


def test_the_seed_decides_whatever_else_is_in_the_batch(remi):
    songs = [short_song(seed, bars=bars) for seed, bars in enumerate((8, 4, 6))]
    together = remi(songs, **BASS, batch_size=3)
    for song, result in zip(songs, together, strict=True):
        alone = remi(song, **BASS)
        assert played(alone) == played(result)
        assert notes_by_track(alone["midi"]) == notes_by_track(result["midi"])
    assert len({len(result["spans"][0]["prompt_token_ids"]) for result in together}) == 3
    assert played(remi(songs[0], **BASS | {"seed": 2})) != played(together[0])
    drawn = remi(songs[0], **BASS | {"seed": None})
    assert played(remi(songs[0], **BASS | {"seed": drawn["seed"]})) == played(drawn)


def test_several_versions_of_each_piece(remi):
    songs = [short_song(seed, bars=6) for seed in range(2)]
    wishes = BASS | {"bars": [(1, 2), (3, 4)]}
    several = remi(songs, **wishes, num_return_sequences=3, batch_size=2)
    assert [len(results) for results in several] == [3, 3]
    for song, results in zip(songs, several, strict=True):
        for place in range(2):
            assert len({tuple(played(result)[place]) for result in results}) == 3
        assert played(remi(song, **wishes)) == played(results[0])


def test_what_comes_of_a_span_is_the_context_of_the_next(remi):
    song = short_song(4, bars=6)
    wishes = BASS | {"instruments": ["Flute"], "context_bars": 1}
    for spans in ([(1, 2), (2, 4)], [(4, 5), (3, 4)]):
        together = remi(song, **wishes | {"bars": spans})
        first = remi(song, **wishes | {"bars": spans[0]})
        second = remi(first["midi"], **wishes | {"bars": spans[1]})
        assert played(together)[0] == played(first)[0]
        alone = remi(song, **wishes | {"bars": spans[1]})
        told = [result["spans"][-1]["prompt_token_ids"] for result in (together, second, alone)]
        assert told[0] == told[1] != told[2]
        check_rest(song, together["midi"], together["spans"])
        assert together["infilled"].note_num() == sum(span["new_notes"] for span in together["spans"])
        assert together["removed"].note_num() == sum(span["removed_notes"] for span in together["spans"])


def test_spans_of_which_the_model_is_told_the_same_get_other_notes(remi):
    """Their bars are alike, and so is all that is around them."""
    song = build_score(480, [(0, [(beat, 1, 60 + beat % 4, 80) for beat in range(48)])])
    wishes = {"bars": [(2, 3), (6, 7), (9, 10)], "context_bars": 1, "seed": 3}
    result = remi(song, **wishes)
    assert len({tuple(span["prompt_token_ids"]) for span in result["spans"]}) == 1
    assert len(set(map(tuple, played(result)))) == 3
    assert played(remi(song, **wishes)) == played(result)
    assert played(remi(song, **wishes | {"bars": (2, 3)}))[0] == played(result)[0]


@pytest.mark.parametrize(
    "bars, spans",
    [
        (range(2, 4), [(2, 4)]),
        ([range(0, 1), (2, 4)], [(0, 1), (2, 4)]),
        ((range(4, 5), range(0, 2)), [(4, 5), (0, 2)]),
        (np.array([2, 4]), [(2, 4)]),
        (np.array([[0, 1], [2, 4]]), [(0, 1), (2, 4)]),
        ([np.array([0, 1]), tuple(np.array([2, 4]))], [(0, 1), (2, 4)]),
    ],
)  # fmt: skip
def test_ranges_and_arrays_are_the_bars_they_look_like(remi, bars, spans):
    data = short_song(1, bars=6).dumps_midi()
    wishes = BASS | {"context_bars": 0, "max_new_tokens": 24}
    expected = remi(data, **wishes | {"bars": spans})
    for result in (remi(data, **wishes | {"bars": bars}), remi({"bytes": data, "bars": bars}, **wishes)):
        assert [span["bars"] for span in result["spans"]] == spans
        assert all(type(bar) is int for span in result["spans"] for bar in span["bars"])
        assert played(result) == played(expected)


def test_pieces_may_have_bars_and_instruments_of_their_own(remi):
    song = short_song(1, bars=6)
    data = song.dumps_midi()
    own = [
        {"bytes": data, "name": "first", "bars": (0, 1)},
        {"bytes": data, "name": "second", "bars": [(1, 2), (4, 5)], "instruments": [41]},
        {"bytes": data, "name": "third"},
    ]
    results = remi(own, **BASS, batch_size=3)
    assert [[span["bars"] for span in result["spans"]] for result in results] == [[(0, 1)], [(1, 2), (4, 5)], [(2, 4)]]
    assert [result["spans"][0]["programs"] for result in results] == [[32], [41], [32]]
    assert played(results[0]) == played(remi(song, **BASS | {"bars": (0, 1)}))


@pytest.mark.parametrize(
    "own, reason, message",
    [
        ({"bars": (3, 3)}, "wrong_bars", r"\(3, 3\) is no span"),
        ({"bars": [(0, 2), (1, 3)]}, "wrong_bars", "overlap"),
        ({"bars": "8-12"}, "wrong_bars", "8-12"),
        ({"bars": ()}, "wrong_bars", "say what to fill in"),
        ({"instruments": ["Flut"]}, "wrong_instruments", "Flut"),
        ({"instruments": []}, "wrong_instruments", "leaves no instrument"),
        ({"instruments": 5}, "wrong_instruments", "must be a list"),
        ({"instruments": ["Flute", 33]}, "wrong_instruments", r"never heard the programs \[33\]"),
    ],
)  # fmt: skip
def test_a_piece_that_asks_for_what_cannot_be_is_left_out_alone(remi, monkeypatch, own, reason, message):
    monkeypatch.setattr(remi.model.config, "trained_programs", [0, 32, 73], raising=False)
    data = short_song(1, bars=6).dumps_midi()
    wrong = {"bytes": data, "name": "x"} | own
    before, refused, after = remi([data, wrong, data], **BASS, batch_size=3)
    assert (refused["name"], refused["skipped"]["reason"], refused["midi"]) == ("x", reason, None)
    assert re.search(message, refused["skipped"]["detail"])
    assert played(before) == played(after) == played(remi(data, **BASS))
    with pytest.raises(ValueError, match=f"Cannot fill in x: {reason}: .*{message}"):
        remi(wrong, **BASS)


def test_a_piece_for_which_nobody_says_bars_is_left_out_alone(remi):
    data = short_song(1, bars=6).dumps_midi()
    wishes = BASS | {"bars": ()}
    own, refused = remi([{"bytes": data, "bars": (2, 4)}, {"bytes": data}], **wishes)
    assert own["midi"] and refused["skipped"]["reason"] == "wrong_bars"


def test_each_instrument_asked_for_must_have_been_heard(remi, monkeypatch):
    monkeypatch.setattr(remi.model.config, "trained_programs", [0, 73], raising=False)
    song = short_song(1, bars=4)
    wishes = {"bars": (1, 2), "seed": 0}
    for instruments, unheard in ((["Flute", "Acoustic Bass"], r"\[32\]"), ([73, 5, "Drums"], r"\[-1, 5\]")):
        with pytest.raises(ValueError, match=rf"never heard the programs {unheard}: .*\[0, 73\]"):
            remi(song, **wishes, instruments=instruments)
    with pytest.raises(ValueError, match=r"never heard the programs \[-1\]"):
        remi(song, **wishes, drums=True)
    assert remi(song, **wishes, instruments=[0, 73])["spans"][0]["programs"] == [0, 73]


def band():
    """A piano, a bass and drums."""
    beats = range(16)
    piano, bass = ([(time, 1, low + time % 5, 80) for time in beats] for low in (72, 40))
    return build_score(480, [(0, piano), (33, bass), (DRUMS, [(time, 1, 36, 80) for time in beats])])


def check_kept(infill, song, wishes, filled, kept):
    """Parts that the model cannot write stay, and are told to it as where the others are asked for by name."""
    result = infill(song, seed=0, bars=(1, 3), **wishes)
    named = infill(song, seed=0, bars=(1, 3), instruments=filled)
    (span,) = result["spans"]
    assert (span["programs"], span["kept"], named["spans"][0]["kept"]) == (filled, kept, [])
    assert span["prompt_token_ids"] == named["spans"][0]["prompt_token_ids"] and played(result) == played(named)
    check_rest(song, result["midi"], [span])
    assert span["removed_notes"] == 8 * len(filled)


def test_parts_that_the_model_never_heard_stay_and_are_named(remi, monkeypatch, caplog):
    infill_control._tell_of_kept.cache_clear()
    monkeypatch.setattr(remi.model.config, "trained_programs", [0, 33, 73], raising=False)
    for wishes in ({}, {"instruments": "prompt"}):
        check_kept(remi, band(), wishes, filled=[0, 33], kept=[DRUMS])
    check_kept(remi, band(), {"drums": False}, filled=[0, 33], kept=[])
    monkeypatch.setattr(remi.model.config, "trained_programs", [0, DRUMS], raising=False)
    check_kept(remi, band(), {}, filled=[DRUMS, 0], kept=[33])
    check_kept(remi, band(), {"drums": False}, filled=[0], kept=[33])
    monkeypatch.setattr(remi.model.config, "trained_programs", [0, 73], raising=False)
    check_kept(remi, band(), {}, filled=[0], kept=[DRUMS, 33])
    told = [record.message for record in caplog.records if "never heard" in record.message]
    assert len(told) == 3 and "Drums, Electric Bass (finger) (programs [-1, 33])" in told[-1]


def test_parts_that_the_tokenizer_cannot_write_stay_too(make_pipe):
    check_kept(make_pipe("REMI", programs=[DRUMS, 0, 73]), band(), {}, filled=[DRUMS, 0], kept=[33])


def test_where_only_parts_are_asked_for_that_the_model_never_heard_the_piece_is_refused(remi, monkeypatch):
    monkeypatch.setattr(remi.model.config, "trained_programs", [DRUMS, 73], raising=False)
    with pytest.raises(ValueError, match=r"unknown_instruments: of its programs \[0, 33\] are asked for, none of"):
        remi(band(), bars=(1, 3), drums=False, seed=0)
    monkeypatch.setattr(remi.model.config, "trained_programs", [73], raising=False)
    with pytest.raises(ValueError, match="unknown_instruments.*none of those the model was trained on"):
        remi(band(), bars=(1, 3), seed=0)


def test_spans_longer_than_those_of_training_are_filled_in_with_a_warning(remi, caplog):
    data = short_song(1, bars=10).dumps_midi()
    wishes = {"seed": 0, "context_bars": 0, "max_new_tokens": 24}

    def warned(piece, **bars):
        caplog.clear()
        remi(piece, **wishes, **bars)
        return [record.message for record in caplog.records if "8 bars at most" in record.message]

    assert warned(data, bars=(0, 8)) == []
    (message,) = warned([data, data], bars=[(0, 1), (1, 10)])
    assert "(1, 10) (counted from 0)" in message
    (message,) = warned([data, {"bytes": data, "bars": (0, 9)}], bars=(0, 1))
    assert "(0, 9)" in message


def test_every_kind_of_input_gives_the_same(remi, tmp_path):
    song, path = short_song(1, bars=4), tmp_path / "a song.mid"
    write_midi(song, path)
    column = Dataset.from_dict({"midi": [path.read_bytes()]}, features=Features({"midi": Midi()}))
    wishes = BASS | {"bars": (1, 2)}
    one = remi(str(path), **wishes)
    assert one["name"] == "a song" and notes_by_track(one["midi"]) != notes_by_track(load_score(path))
    for piece in (path, path.read_bytes(), Score(path), {"bytes": path.read_bytes(), "path": "x.mid"}):
        assert played(remi(piece, **wishes)) == played(one)
    for pieces in ([path], column["midi"], iter([path]), column.to_iterable_dataset()["midi"]):
        assert [played(result) for result in remi(pieces, **wishes)] == [played(one)]
    (stored,) = remi(Dataset.from_dict({"midi": [str(path)]})["midi"], **wishes)
    assert stored["skipped"]["reason"] == "missing"


def test_notes_that_sound_over_the_borders_are_neither_cut_nor_doubled(make_pipe):
    infill = make_pipe("TSD", pitch_range=(60, 62), use_programs=True)
    long_note, after = (2, 6, 60, 80), (12, 4, 61, 80)
    song = build_score(480, [(0, [long_note, (4, 1, 61, 80), after])])
    result = infill(song, bars=(1, 3), instruments=[0], seed=5)
    notes = [(note.time, note.end, note.pitch) for track in result["midi"].tracks for note in track.notes]
    kept = [(960, 3840, 60), (5760, 7680, 61)]
    assert set(kept) <= set(notes) and result["removed"].note_num() == 1
    for start, end, pitch in notes:
        others = [(one, other) for one, other, key in notes if key == pitch and (one, other) != (start, end)]
        assert all(one >= end or other <= start for one, other in others)
    assert result["spans"][0]["new_notes"] > 0


METERS = ((0, 1, 4), (1, 4, 4), (9, 9, 16), (13.5, 3, 4), (19.5, 6, 8))
"""A pickup of a beat, and bars that begin at quarters 0, 1, 5, 9, 11.25, 13.5, 16.5, 19.5 and 22.5."""
TEMPOS = ((0, 100), (6, 60), (12, 200), (15, 90))


@pytest.fixture
def changing():
    notes = [(time / 2, 0.5, 60 + time % 12, 80) for time in range(48)]
    bass = [(time, 1, 40, 90) for time in range(24)]
    return build_score(384, [(0, notes), (32, bass)], TEMPOS, METERS)


@pytest.mark.parametrize("name", NAMES)
def test_bars_are_those_of_the_file_whatever_its_meters(infill_of, changing, name):
    infill = infill_of(name)
    lines = [round(384 * quarter) for quarter in (0, 1, 5, 9, 11.25, 13.5, 16.5, 19.5, 22.5)]
    assert bar_starts(changing).tolist() == lines
    for bars in ((0, 1), (0, 3), (2, 4), (3, 5), (4, 7), (5, 8)):
        result = infill(changing, bars=bars, instruments=[32], seed=2)
        (span,) = result["spans"]
        assert span["ticks"] == (lines[bars[0]], lines[bars[1]])
        assert span["removed_notes"] == sum(lines[bars[0]] <= 384 * time < lines[bars[1]] for time in range(24))
        check_rest(changing, result["midi"], [span])
        assert span["stopped_by"] == "eom"
        onsets = gather_notes(result["infilled"]).onset
        assert (onsets >= span["ticks"][0]).all() and (onsets < span["ticks"][1]).all()


def test_a_meter_that_the_tokenizer_lacks_is_told(infill_of):
    notes = [(time / 4, 0.25, 60 + time % 12, 80) for time in range(160)]
    song = build_score(480, [(0, notes)], meters=((0, 4, 4), (8, 17, 16), (33.5, 4, 4)))
    remi, structured = infill_of("REMI"), infill_of("Structured")
    with pytest.raises(ValueError, match=r"meter_not_kept.*17/16 of bar 2.*where bar 3 begins \(counted from 0\)"):
        remi(song, bars=(3, 4), seed=0)
    with pytest.raises(ValueError, match=r"meter_not_kept.*17/16"):
        remi(song, bars=(1, 4), seed=0)
    assert remi(song, bars=(0, 2), instruments=[5], seed=0)["spans"][0]["stopped_by"] == "eom"
    result = structured(song, bars=(3, 4), instruments=[0], seed=0)
    assert result["spans"][0]["ticks"] == (480 * 8 + 2040, 480 * 8 + 4080)
    check_rest(song, result["midi"], result["spans"])
    after = remi(song, bars=(9, 10), instruments=[5], seed=0)["spans"][0]
    assert after["stopped_by"] == "eom"


@pytest.mark.parametrize("name", ["REMI", "TSD", "Structured"])
def test_a_piece_of_one_bar_and_a_piece_of_which_nothing_stays(infill_of, name):
    song = build_score(480, [(0, [(0, 1, 60, 80), (3, 2, 64, 80)])])
    result = infill_of(name)(song, bars=(0, 1), seed=0)
    assert result["spans"][0]["removed_notes"] == 2 and result["removed"].note_num() == 2
    added = infill_of(name)(song, bars=(0, 1), instruments=["Flute"], seed=0)
    check_rest(song, added["midi"], added["spans"])
    assert added["spans"][0]["removed_notes"] == 0


def test_so_many_bars_of_context_are_told(remi):
    processor = remi.processor
    ids, bar = processor.infill_ids, processor.music_tokenizer.vocab["Bar_None"]
    bos, eos = processor.tokenizer.bos_token_id, processor.tokenizer.eos_token_id
    wishes = {"instruments": [32], "seed": 0, "max_new_tokens": 64}
    for context_bars, bars_of_piece, bars in ((0, 10, (4, 6)), (1, 10, (4, 6)), (1, 4, (1, 3)), (5, 4, (1, 3))):
        song = short_song(1, bars_of_piece)
        (span,) = remi(song, **wishes, context_bars=context_bars, bars=bars)["spans"]
        prompt = span["prompt_token_ids"]
        given, prefix = prompt.index(ids.middle), prompt.index(ids.prefix)
        parts = prompt[:given], prompt[given:prefix], prompt[prefix:]
        known = bars_of_piece == 4
        assert [part.count(bar) for part in parts] == [min(context_bars, 1), 2, min(context_bars, 1)]
        assert (bos in parts[2]) is (eos in parts[0]) is known
    (span,) = remi(short_song(1, 10), bars=(4, 6), **wishes)["spans"]
    assert 512 - 64 - 60 < len(span["prompt_token_ids"]) <= 512 - 64


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("meters", [((0, 4, 4),), ((0, 4, 4), (16, 6, 8), (22, 5, 4))], ids=["4/4", "several"])
def test_an_ending_and_an_accompaniment_are_written_over_a_silent_tail(infill_of, name, meters):
    song = build_score(480, [(0, [(beat, 1, 60 + beat, 80) for beat in range(16)])], meters=meters)
    song.markers.append(TextMeta(480 * 44, "end"))
    lines = bar_starts(song, 480 * 60)
    for bars, instruments in (((4, 7), None), ((3, 5), None), ((5, 8), [40])):
        result = infill_of(name)(song, bars=bars, instruments=instruments, seed=0, context_bars=3)
        (span,) = result["spans"]
        assert span["ticks"] == tuple(lines[list(bars)].tolist()) and span["stopped_by"] == "eom"
        assert span["removed_notes"] == (4 if bars == (3, 5) else 0) and span["new_notes"] > 0
        assert span["left_out"] == {"outside": 0, "other_program": 0, "sounding": 0, "doubled": 0}
        check_rest(song, result["midi"], [span])


def near_the_lines(meters, lines, ticks=480):
    """Notes of two programs a little before and behind bar lines, no pitch twice: none is where steps are."""
    pairs = [(line + away / ticks, pitch) for line in lines for away, pitch in ((-9, 0), (9, 1), (-190, 2), (170, 3))]
    notes = [(time, 0.25, 21 + 4 * lines.index(round(time)) + pitch, 80) for time, pitch in pairs if time > 0]
    return build_score(ticks, [(0, notes), (40, [(time + 5 / ticks, *rest) for time, *rest in notes])], meters=meters)


@pytest.mark.parametrize("name", ["REMI", "TSD", "Structured"])
@pytest.mark.parametrize("meters", [((0, 4, 4),), ((0, 4, 4), (8, 2, 8), (12, 4, 4))], ids=["4/4", "several"])
@pytest.mark.parametrize("instruments", [None, [40]])
def test_each_note_that_stays_is_told_once_on_its_side_of_the_borders(infill_of, name, meters, instruments):
    infill = infill_of(name)
    song = near_the_lines(meters, [4 * line for line in range(8)])
    starts, ids = bar_starts(song), infill.processor.infill_ids
    for first, end in ((1, 2), (2, 5), (0, 1)):
        wishes = {"bars": (first, end), "instruments": instruments, "seed": 0, "max_new_tokens": 8, "context_bars": 20}
        prompt = infill(song, **wishes)["spans"][0]["prompt_token_ids"]
        borders = [prompt.index(index) for index in (ids.middle, ids.prefix)]
        suffix, given, prefix = (
            prompt[1 : borders[0]],
            prompt[borders[0] + 1 : borders[1]],
            prompt[borders[1] + 1 : -1],
        )

        def told(part):
            notes = gather_notes(infill.processor.decode(part)) if len(part) > 1 else gather_notes(Score(480))
            return sorted(notes.pitch.tolist())

        def there(begin, finish, programs):
            tracks = [track for track in song.tracks if track.program in programs]
            return sorted(note.pitch for track in tracks for note in track.notes if begin <= note.time < finish)

        start, stop = starts[first], starts[end]
        assert told(prefix) == there(0, start, [0, 40])
        assert told(given[len(instruments or ()) :]) == (there(start, stop, [0]) if instruments else [])
        assert told(suffix) == there(stop, 10**6, [0, 40])


def test_what_does_not_fit_is_refused_with_what_would(remi):
    song = short_song(1, bars=12)
    with pytest.raises(
        ValueError,
        match=r"prompt_too_long: bars \(5, 6\) \(counted from 0\).*the model reads 512: context_bars=(\d) fits",
    ) as error:
        remi(song, bars=(5, 6), context_bars=6, seed=0)
    most = int(str(error.value).split("context_bars=")[1][0])
    assert remi(song, bars=(5, 6), context_bars=most, seed=0)["spans"]
    with pytest.raises(ValueError, match="prompt_too_long"):
        remi(song, bars=(5, 6), context_bars=most + 1, seed=0)
    for too_much in ({"bars": (0, 12), "instruments": [5]}, {"max_new_tokens": 512}):
        with pytest.raises(ValueError, match="prompt_too_long.*choose fewer bars"):
            remi(song, **{"bars": (5, 6), "seed": 0} | too_much)


@pytest.mark.parametrize("name", NAMES)
def test_a_span_is_complete_where_tokens_run_out(infill_of, name):
    song = short_song(1, bars=8)
    wishes = {"bars": (2, 6), "instruments": [32], "seed": 0, "pitch_range": (60, 127), "num_return_sequences": 3}
    for settings, most in (({"max_new_tokens": 40}, 40), ({"context_bars": 0, "max_length": 400}, 400)):
        for result in infill_of(name)(song, **wishes, **settings):
            (span,) = result["spans"]
            prompt = len(span["prompt_token_ids"]) if "max_length" in settings else 0
            assert span["stopped_by"] == "eom" and prompt + len(span["token_ids"]) < most


def test_a_span_that_is_not_complete_says_so(remi):
    song = short_song(1, bars=8)
    for settings in ({"max_new_tokens": 3}, {"max_new_tokens": 12, "constrained": False}):
        (span,) = remi(song, **BASS, **settings)["spans"]
        assert len(span["token_ids"]) == settings["max_new_tokens"] and span["stopped_by"] == "max_new_tokens"
    (span,) = remi(song, **BASS, max_new_tokens=5)["spans"]
    assert (len(span["token_ids"]), span["new_notes"], span["stopped_by"]) == (4, 0, "eom")


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"bars": None}, "must be"),
        ({"bars": ()}, "wrong_bars: say what to fill in"),
        ({"bars": (3, 3)}, r"\(3, 3\) is no span"),
        ({"bars": (-1, 3)}, r"\(-1, 3\) is no span"),
        ({"bars": "8-12"}, "8-12"),
        ({"bars": 4}, "bars=4"),
        ({"bars": (1.0, 2)}, r"\(1.0, 2\)"),
        ({"bars": [(0, 2), (1, 3)]}, "overlap"),
        ({"bars": [(0, 2), 5]}, "5 is none"),
        ({"bars": (2, 9)}, r"no_such_bars.*it has 6 bars, so that bars \(2, 9\) \(counted from 0\)"),
        ({"bars": [(0, 1), (6, 7)]}, "no_such_bars.*it has 6 bars"),
        ({"context_bars": -1}, "context_bars=-1"),
        ({"context_bars": 1.5}, "context_bars=1.5"),
        ({"tempo": 120}, "tempo=120 cannot be had"),
        ({"min_new_tokens": 5}, "min_new_tokens=5 cannot be had"),
        ({"bars": range(2, 2)}, r"\(2, 2\) is no span"),
        ({"bars": range(0, 4, 2)}, r"range\(0, 4, 2\) leaves bars out"),
        ({"bars": [range(0, 2), (1, 3)]}, "overlap"),
        ({"bars": np.array([1.0, 2.0])}, "is none"),
        ({"bars": np.array([True, False])}, "is none"),
        ({"bars": {2, 4}}, "must be"),
        ({"max_new_bars": 5}, r"max_new_bars cannot be had: a span ends with its last bar.*bars=\(8, 12\)"),
        ({"max_new_seconds": 5}, "max_new_seconds cannot be had: a span ends with its last bar"),
        ({"prompt_bars": 5, "prompt_from": "end"}, "prompt_bars and prompt_from cannot be had: .*context_bars=4"),
        ({"copy_guard": "bach"}, "copy_guard cannot be had: filling in has no copy guard"),
        ({"max_run": 5}, "max_run cannot be had: filling in has no copy guard"),
        ({"prompt_length": 5}, "prompt_length cannot be had: the model reads what is around a span"),
        ({"instruments": ["Kazoo"]}, "Kazoo"),
        ({"instruments": "Piano"}, "must be a list"),
        ({"seed": -1}, "seed"),
        ({"do_sample": False, "num_return_sequences": 2}, "would be equal"),
        ({"midi": None}, "missing: there is no piece"),
        ({"midi": b""}, "empty_file"),
        ({"midi": Score(480)}, "no_notes"),
        ({"instruments": "prompt", "drums": False, "midi": build_score(480, [(DRUMS, [(0, 9, 36, 80)])])}, "no_instr"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(remi, wrong, message):
    arguments = BASS | {"midi": short_song(1, bars=6)} | wrong
    with pytest.raises(ValueError, match=message):
        remi(arguments.pop("midi"), **arguments)


def test_what_cannot_be_filled_in_is_told_in_its_place(remi, tmp_path):
    sound = short_song(1, bars=6)
    pieces = [sound, short_song(2, bars=2), b"not music", tmp_path / "gone.mid", sound]
    results = remi(pieces, **BASS, batch_size=5)
    reasons = [result["skipped"]["reason"] if "skipped" in result else None for result in results]
    assert reasons == [None, "no_such_bars", "not_midi", "unreadable", None]
    assert played(results[0]) == played(results[-1]) == played(remi(sound, **BASS))
    remi.model.config.trained_programs = [5]
    try:
        (refused,) = remi([sound], **BASS | {"instruments": [5]})
        assert refused["skipped"]["reason"] == "unknown_instruments"
        with pytest.raises(ValueError, match="never heard"):
            remi(sound, **BASS)
    finally:
        del remi.model.config.trained_programs


def test_defaults_are_given_once(make_pipe, remi):
    made = MidiInfillingPipeline(remi.model, remi.processor, device="cpu", bars=(1, 2), instruments=[32], seed=1)
    song = short_song(1, bars=4)
    assert played(made(song)) == played(remi(song, **BASS | {"bars": (1, 2)}))
    assert made(song, bars=(2, 3))["spans"][0]["bars"] == (2, 3)
    with pytest.raises(ValueError, match="no span"):
        MidiInfillingPipeline(remi.model, remi.processor, device="cpu", bars=(2, 1))


@pytest.mark.parametrize("share", [None, 0, 0.0, "0.5", True])
def test_a_model_that_was_never_trained_for_it_is_refused(make_pipe, share):
    with pytest.raises(ValueError, match="never trained to fill in bars.*--infill_share 0.25 "):
        make_pipe("REMI", share=share)


def test_so_is_one_whose_vocabulary_lacks_the_tokens(processor_of):
    processor = MidiProcessor.from_music_tokenizer(processor_of("REMI").music_tokenizer)
    model = build_model("gpt2", processor, context_length=64, **ONE_LAYER)
    model.config.infill_share = 0.5
    with pytest.raises(ValueError, match="never trained"):
        MidiInfillingPipeline(model, processor, device="cpu")


def test_a_tokenizer_without_rules_fills_in_and_says_what_it_leaves_out(make_pipe, caplog):
    infill = make_pipe(f"{__name__}.OwnTokenizer")
    song = short_song(1, bars=4)
    wishes = BASS | {"bars": (1, 2), "max_new_tokens": 100}
    results = infill([song, song], **wishes)
    assert [record.levelname for record in caplog.records if "grammar" in record.message] == ["WARNING"]
    for result in results:
        check_rest(song, result["midi"], result["spans"])
        assert {track.program for track in result["infilled"].tracks} <= {32}
    free = infill(song, **wishes | {"constrained": False, "seed": 3, "max_new_tokens": 300})
    check_rest(song, free["midi"], free["spans"])


class Dictates(LogitsProcessor):
    """Has a model write these ids."""

    def __init__(self, ids):
        self.ids = iter(ids)

    def __call__(self, input_ids, scores):
        return torch.full_like(scores, -torch.inf).index_fill(1, torch.tensor([next(self.ids)]), 0.0)


def test_what_does_not_belong_is_left_out_and_counted(remi):
    song = build_score(480, [(32, [(0, 6, 40, 80), (4, 1, 50, 80), (8, 1, 45, 80)]), (5, [(0, 1, 60, 80)])])

    def note(position, pitch, duration="1.0.16", program=32):
        place = [] if position is None else [f"Position_{position}"]
        return [*place, f"Program_{program}", f"Pitch_{pitch}", "Velocity_79", f"Duration_{duration}"]

    words = [
        "Bar_None", "TimeSig_4/4",
        *note(0, 40), *note(16, 45, "8.0.4"), *note(32, 41, program=5), *note(48, 46),
        "Bar_None", "TimeSig_4/4", *note(0, 47), *note(None, 48),
    ]  # fmt: skip
    vocabulary, end = remi.processor.music_tokenizer.vocab, remi.processor.infill_ids.end
    dictates = Dictates([*(vocabulary[word] for word in words), end])
    result = remi(song, bars=(1, 2), instruments=[32], seed=0, constrained=False, logits_processor=[dictates])
    (span,) = result["spans"]
    assert span["left_out"] == {"outside": 2, "other_program": 1, "sounding": 1, "doubled": 0}
    assert (span["new_notes"], span["shortened"], span["removed_notes"], span["stopped_by"]) == (2, 1, 1, "eom")
    new = [(note.time, note.end, note.pitch) for note in result["infilled"].tracks[0].notes]
    assert new == [(2400, 3840, 45), (3360, 3840, 46)]
    check_rest(song, result["midi"], [span])


def test_a_tokenizer_without_programs_keeps_the_instrument_of_the_piece(make_pipe):
    infill = make_pipe("REMI", use_programs=False)
    song = build_score(480, [(40, [(time, 1, 60 + time, 80) for time in range(12)]), (DRUMS, [(5, 1, 36, 80)])])
    result = infill(song, bars=(1, 2), seed=0)
    check_rest(song, result["midi"], result["spans"])
    assert result["spans"][0]["programs"] == [40] and result["spans"][0]["new_notes"] > 0
    assert [track.program for track in result["infilled"].tracks] == [40]
    song.tracks.append(Track(program=5))
    song.tracks[-1].notes.append(Note(0, 480, 60, 80))
    with pytest.raises(ValueError, match="several_instruments"):
        infill(song, bars=(1, 2), seed=0)


def test_a_bundle_is_saved_and_found_by_its_task(remi, tmp_path):
    song = short_song(1, bars=4)
    remi.save_pretrained(tmp_path)
    wishes = BASS | {"bars": (1, 2)}
    for made in (
        pipeline("midi-infilling", model=str(tmp_path), device="cpu"),
        MidiInfillingPipeline.from_pretrained(tmp_path, device="cpu"),
    ):
        assert type(made) is MidiInfillingPipeline and made.task == "midi-infilling"
        assert played(made(song, **wishes)) == played(remi(song, **wishes))
    assert pipeline("midi-continuation", model=str(tmp_path))(song, prompt_bars=1, max_new_tokens=8)["midi"]


def test_other_streamers_follow_a_single_span(remi):
    song, streamer = short_song(1, bars=6), TextStreamer(remi.tokenizer)
    with pytest.raises(ValueError, match="TextStreamer follows one span"):
        remi(song, **BASS | {"bars": [(0, 1), (2, 3)]}, streamer=streamer)
    assert remi(song, **BASS, streamer=TextStreamer(remi.tokenizer))["spans"]
