"""MIDI files that ask for far more than their size: refused alike by whatever reads a file."""

import pytest
from midi_bytes import meta, midi_file, number, off, on
from music import make_score

from neuromusic_hf import MidiContinuationPipeline, load_corpus
from neuromusic_hf.metrics import COMPARISONS, ComparedPiece
from neuromusic_hf.metrics.distances import compare_piece
from neuromusic_hf.music import AS_STORED, RefusedFile, SanityLimits, load_score, read_midi

FAR = 2**28 - 1
LAST = on(60) + number(1) + off(60)
NOTES = b"".join(number(0) + on(60 + pitch) + number(480) + off(60 + pitch) for pitch in range(8))
METERS = [meta(0x58, bytes((1 + index % 16, 2, 24, 8))) for index in range(10_001)]
TEXTS = (number(0) + meta(5, b"la")) * 200_001
FASTEST = meta(0x51, (60_000).to_bytes(3, "big"))
FAST_128THS = number(0) + meta(0x58, b"\x01\x07\x18\x08") + number(0) + FASTEST


def track(events):
    content = events + number(0) + meta(0x2F)
    return b"MTrk" + len(content).to_bytes(4, "big") + content


FILES = {
    "a gap": (midi_file(track(NOTES + number(FAR) + LAST), division=480), "too_long"),
    "a gap of quarters": (midi_file(track(NOTES + number(FAR) + LAST), division=1), "too_long"),
    "silence": (midi_file(track(NOTES + number(FAR) + FASTEST), division=480), "too_long"),
    "bars": (midi_file(track(FAST_128THS + NOTES + number(200_000) + LAST), division=2), "too_many_bars"),
    "meters": (midi_file(track(b"".join(number(1) + each for each in METERS) + NOTES)), "too_many_meters"),
    "tracks": (midi_file(track(NOTES), *[track(b"")] * 1_024), "too_many_tracks"),
    "tempos": (midi_file(track((number(1) + FASTEST) * 200_001 + NOTES)), "too_many_events"),
    "texts": (midi_file(track(TEXTS + NOTES)), "too_many_events"),
    "system exclusive": (midi_file(track((number(0) + b"\xf0\x02\x01\xf7") * 100_001 + NOTES)), "too_many_events"),
    "notes": (midi_file(track((number(1) + on(60) + number(1) + off(60)) * 200_001)), "too_many_notes"),
}


@pytest.fixture(params=FILES)
def file(request, tmp_path):
    data, reason = FILES[request.param]
    path = tmp_path / "midi" / "huge.mid"
    path.parent.mkdir()
    path.write_bytes(data)
    return path, reason


def test_every_reader_of_a_file_refuses_it(file, processor_of):
    path, reason = file
    for read in (load_score, processor_of("REMI").encode, processor_of("TSD").tally):
        with pytest.raises(RefusedFile, match=f"huge.mid: {reason}") as refused:
            read(path)
        assert refused.value.reason == reason
    sound = make_score(1)
    distances = compare_piece(ComparedPiece("x", sound, sound, path), COMPARISONS)
    assert {each.readable for each in distances.values()} == {False} and reason in str(distances)


def test_batches_go_on_and_count_it(file, tiny_model, processor_of, tmp_path):
    path, reason = file
    for seed in range(1, 10):
        make_score(seed).dump_midi(path.with_name(f"{seed}.mid"))
    corpus = load_corpus(path.parent, cache_dir=tmp_path / "cache", split_shares=(0.4, 0.3, 0.3))
    assert corpus.quarantine.refused == {reason: 1} and corpus.quarantine.accepted == 9
    pipe = MidiContinuationPipeline(tiny_model("REMI"), processor_of("REMI"), device="cpu")
    first, second = pipe([path, path.with_name("1.mid")], prompt_length=16, max_new_tokens=4, seed=0)
    assert first["skipped"]["reason"] == reason and second["token_ids"]


def test_rows_are_refused_where_work_has_no_end_and_else_as_their_corpus_says(processor_of):
    for name in FILES.keys() - {"notes"}:
        row = {"bytes": FILES[name][0], "path": f"{name}.mid"}
        with pytest.raises(RefusedFile, match=f"{name}.mid: too_"):
            processor_of("REMI").encode(row)
    long = midi_file(track(NOTES + number(2**24) + LAST), division=480)
    with pytest.raises(RefusedFile, match="too_long"):
        read_midi(long)
    assert read_midi(long, AS_STORED).notes.pitch.size == load_score({"bytes": long, "path": None}).note_num() == 9
    assert processor_of("REMI").encode({"bytes": long, "path": None})


def test_limits_can_be_set_and_switched_off():
    data, reason = FILES["bars"]
    with pytest.raises(RefusedFile, match=f"{reason}.*limit 9"):
        read_midi(data, SanityLimits(max_bars=9))
    off_limits = SanityLimits(max_bars=None, max_meters=None, max_tracks=None, max_system_events=None)
    for name in ("bars", "meters", "tracks"):
        assert read_midi(FILES[name][0], off_limits).notes.pitch.size >= 8
