import gzip
import pickle
import struct

import pytest

from neuromusic_hf.corpora import inspect_midi
from neuromusic_hf.music import RefusedFile, SanityLimits, load_score, reading

NOTE_ON, NOTE_OFF = b"\x00\x90\x3c\x40", b"\x60\x80\x3c\x40"


def raw_midi(events, division=96):
    """A file of one track, with the given events and an end-of-track event."""
    track = events + b"\x00\xff\x2f\x00"
    header = b"MThd" + struct.pack(">IHHH", 6, 0, 1, division)
    return header + b"MTrk" + struct.pack(">I", len(track)) + track


def refusal(data, **limits):
    with pytest.raises(RefusedFile) as caught:
        inspect_midi(data, SanityLimits(**limits))
    assert caught.value.detail
    return caught.value.reason


FIVE_NOTES = (NOTE_ON + NOTE_OFF) * 5


def test_facts_of_a_known_file(make_midi):
    facts = inspect_midi(make_midi(1, notes=24, tempo=60.0, program=40, step=0.5, length=1.0))
    assert facts.num_notes == 24
    assert facts.duration == pytest.approx(12.5)
    assert facts.instruments == ["Violin"]


@pytest.fixture
def parses(monkeypatch):
    """Lengths of the files that were parsed, in order."""
    lengths, parse = [], reading._parse
    monkeypatch.setattr(reading, "_parse", lambda data: lengths.append(len(data)) or parse(data))
    return lengths


@pytest.mark.parametrize("wrap", [bytes, gzip.compress, lambda data: b"junk before the header" + data])
def test_the_music_comes_with_the_facts_of_one_parse(make_midi, parses, wrap):
    facts = inspect_midi(wrap(make_midi(1)))
    assert len(parses) == 1
    assert facts.score == load_score(facts.data) == load_score(make_midi(1))


def test_drums_are_named_drums(make_midi):
    assert inspect_midi(make_midi(1, drum=True)).instruments == ["Drums"]


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "empty_file"),
        (b"Dear all, here is my song\n", "not_midi"),
        (b"<!DOCTYPE html><html></html>", "not_midi"),
        (b"SMF2CLIP" + bytes(20), "not_midi"),
        (b"RIFF\x04\x00\x00\x00WAVE", "not_midi"),
        (b"RIFF\x04\x00\x00\x00RMID", "not_midi"),
        (b"MThd\x00\x00", "unreadable"),
        (raw_midi(FIVE_NOTES)[:-30], "unreadable"),
        (raw_midi(FIVE_NOTES, division=0), "bad_time_division"),
        (raw_midi(FIVE_NOTES, division=0xE728), "bad_time_division"),
        (raw_midi(b"\x00\xff\x58\x04\x00\x02\x18\x08" + FIVE_NOTES), "bad_time_signature"),
        (raw_midi(b""), "no_notes"),
        (raw_midi(NOTE_ON + NOTE_OFF), "too_few_notes"),
        (raw_midi(b"\x00\xff\x51\x03\x00\x00\x00" + FIVE_NOTES), "tempo_out_of_range"),
        (raw_midi(b"\x00\xff\x51\x03\x00\x00\x01" + FIVE_NOTES), "tempo_out_of_range"),
        (raw_midi(b"\x00\xff\x51\x03\xff\xff\xff" + FIVE_NOTES), "tempo_out_of_range"),
        (raw_midi((NOTE_ON + b"\x00\x80\x3c\x40") * 5 + FIVE_NOTES), "bad_durations"),
        (raw_midi(FIVE_NOTES, division=9600), "too_short"),
        (raw_midi(FIVE_NOTES + b"\xff\xff\x7f\x90\x3c\x40" + NOTE_OFF), "too_long"),
        (raw_midi(FIVE_NOTES + NOTE_ON + b"\x83\xff\x7f\x80\x3c\x40"), "note_too_long"),
    ],
)
def test_each_reason_has_a_file(data, reason):
    assert refusal(data, mend=False) == reason


def test_a_far_event_without_a_note_counts_as_length():
    tempo_far_away = b"\xff\xff\x7f\xff\x51\x03\x07\xa1\x20"
    assert refusal(raw_midi(FIVE_NOTES + tempo_far_away)) == "too_long"


@pytest.mark.parametrize(
    "limits, reason",
    [
        ({"max_file_bytes": 50}, "too_large"),
        ({"max_notes": 23}, "too_many_notes"),
        ({"min_notes": 25}, "too_few_notes"),
        ({"max_seconds": 5.0}, "too_long"),
        ({"min_seconds": 30.0}, "too_short"),
        ({"max_note_seconds": 0.1}, "note_too_long"),
        ({"max_note_quarters": 0.25}, "note_too_long"),
        ({"max_tempo": 100.0}, "tempo_out_of_range"),
        ({"min_tempo": 130.0}, "tempo_out_of_range"),
        ({"allow_drums_only": False}, "drums_only"),
    ],
)
def test_limits_are_configurable_and_can_be_switched_off(make_midi, limits, reason):
    data = make_midi(1, drum=True)
    inspect_midi(data)
    assert refusal(data, **limits, mend=False) == reason
    off = {name: True if name == "allow_drums_only" else None for name in limits}
    inspect_midi(data, SanityLimits(**off))


def test_contradicting_limits_are_refused():
    with pytest.raises(ValueError, match="min_notes=10"):
        SanityLimits(min_notes=10, max_notes=5)


def test_riff_is_unwrapped(make_midi):
    inner = make_midi(1)
    info = b"DISP" + struct.pack("<I", 3) + b"abc\x00"
    body = b"RMID" + info + b"data" + struct.pack("<I", len(inner)) + inner
    assert inspect_midi(b"RIFF" + struct.pack("<I", len(body)) + body).data == inner


@pytest.mark.parametrize(
    "same",
    [
        {"tpq": 960},
        {"tpq": 96},
        {"velocity": 100},
        {"tempo": 60.0},
        {"program": 40},
        {"length": 0.25},
    ],
)
def test_content_hash_is_of_the_music(make_midi, same):
    assert inspect_midi(make_midi(1, **same)).content_hash == inspect_midi(make_midi(1)).content_hash


def test_content_hash_ignores_leading_silence_texts_and_track_order(make_score):
    score = make_score(1)
    other = make_score(2)
    pair, swapped = make_score(1), make_score(2)
    pair.tracks.append(other.tracks[0])
    swapped.tracks.append(score.tracks[0])
    swapped = swapped.shift_time(960)
    swapped.tracks[0].name = "another name"
    hashes = {inspect_midi(one.dumps_midi()).content_hash for one in (pair, swapped)}
    assert len(hashes) == 1


@pytest.mark.parametrize("different", [{"seed": 2}, {"step": 1.0}, {"drum": True}, {"notes": 25}])
def test_other_music_has_another_hash(make_midi, different):
    assert inspect_midi(make_midi(**{"seed": 1, **different})).content_hash != inspect_midi(make_midi(1)).content_hash


def test_duration_agrees_with_symusic_over_tempo_changes(make_score):
    import symusic

    score = make_score(3, notes=60)
    for tick, tempo in ((1000, 60.0), (5000, 240.0), (9000, 33.0)):
        score.tempos.append(symusic.Tempo(tick, tempo))
    assert inspect_midi(score.dumps_midi()).duration == pytest.approx(score.to("second").end(), rel=1e-5)


def test_a_refusal_comes_back_from_another_process():
    refused = pickle.loads(pickle.dumps(RefusedFile("too_large", "9 bytes")))
    assert (refused.reason, refused.detail, str(refused)) == ("too_large", "9 bytes", "too_large: 9 bytes")
