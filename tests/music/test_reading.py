"""Files written wrongly are read as players read them, and what was mended is counted."""

import gzip
import io
import logging
import os
import random
import zipfile
from pathlib import Path

import mido
import numpy as np
import pytest
from midi_bytes import chunk, melody, meta, midi_file, off, on, program, track_chunk
from naive_hearing import heard_notes, read_notes
from symusic import Score

from neuromusic_hf.corpora.builder import inspect_row
from neuromusic_hf.generation.pieces import PieceInput
from neuromusic_hf.metrics import PITCH, score_midi
from neuromusic_hf.music import Midi, RefusedFile, SanityLimits, load_score, read_midi
from neuromusic_hf.music.chunks import read_events
from neuromusic_hf.music.mends import Mends
from neuromusic_hf.rendering import plot_piano_roll, render_audio
from neuromusic_hf.tokenization import MidiProcessor

CASES = Path(os.environ.get("NEUROMUSIC_DATA", Path(__file__).parents[3] / "shared" / "data")).parent / "cases"
STRICT = SanityLimits(mend=False)
TUNE = midi_file(melody())
EVENTS = TUNE[22:]
DRUMS = 9


def kinds(data):
    return {mend.kind: mend.count for mend in read_midi(data).mends}


def zipped(**members):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("_", "."), data)
    return target.getvalue()


def riff(data):
    body = b"RMIDdata" + len(data).to_bytes(4, "little") + data
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def with_length(change):
    at = TUNE.index(b"MTrk") + 4
    return TUNE[:at] + (int.from_bytes(TUNE[at : at + 4], "big") + change).to_bytes(4, "big") + TUNE[at + 4 :]


def draw_tracks(seed):
    """A file whose tracks share channels: programs and note-offs come from anywhere."""
    rng = random.Random(seed)
    events = [[] for _ in range(rng.randint(2, 4))]
    for _ in range(rng.randint(5, 40)):
        tick, channel, pitch = rng.randrange(60), rng.choice((0, 1, DRUMS)), rng.choice((60, 61, 62))
        if rng.random() < 0.2:
            rng.choice(events).append((tick, program(rng.randrange(3), channel)))
            continue
        track = rng.choice(events)
        track.append((tick, on(pitch, channel, rng.randint(1, 127))))
        ender = track if rng.random() < 0.7 else rng.choice(events)
        ender.append((tick + rng.randint(1, 30), off(pitch, channel)))
        if rng.random() < 0.1:
            rng.choice(events).append((rng.randrange(90), off(pitch, channel)))
    return midi_file(*(sorted(track, key=lambda event: event[0]) for track in events))


def test_a_sound_file_keeps_its_very_bytes():
    reading = read_midi(TUNE)
    assert reading.data == TUNE and reading.mends == []
    assert read_notes(reading.score) == read_notes(Score.from_midi(TUNE)) == heard_notes(TUNE)


@pytest.mark.parametrize("first", range(0, 300, 100))
def test_tracks_that_share_channels_sound_as_one_synthesizer_plays_them(first):
    for seed in range(first, first + 100):
        data = draw_tracks(seed)
        reading = read_midi(data)
        assert read_notes(reading.score) == heard_notes(data), seed
        assert heard_notes(reading.data) == heard_notes(data), f"{seed}: another reader hears other notes"
        assert (reading.data == data) == (not reading.mends), seed
        again = read_midi(reading.data)
        assert (again.data, again.mends) == (reading.data, []), f"{seed}: mended twice"


def test_a_long_track_is_read_event_by_event():
    events, content = [], bytearray()
    for tick in range(40_000):
        said = (tick % 1000 == 7) * b"\x90"  # after one data byte, and after a system exclusive event
        if tick % 1000 == 3:
            message, expected = meta(5, b"la"), (0xFF, 5, 0)
        elif tick % 1000 == 5:
            message, expected = program(40), (0xC0, 40, 0)
        elif tick % 1000 == 6:
            message, expected = b"\xf0\x02\x01\xf7", (0xF0, 0, 0)
        elif tick % 1000 == 9:
            message, expected = b"\xf8", None  # only a cable carries it
        else:
            message, expected = (
                (said or (tick == 0) * b"\x90") + bytes((tick % 128, tick % 100)),
                (0x90, tick % 128, tick % 100),
            )
        content += b"\x01" + message
        events += [(tick + 1, *expected)] if expected else []
    file = read_events(midi_file(chunk(bytes(content) + b"\x07\xff\x2f\x00")), Mends())
    assert [
        (tick, *message) for tick, message in zip(file.tick.tolist(), file.message.tolist(), strict=True)
    ] == events
    texts = [file.content(index) for index in np.flatnonzero(file.body >= 0).tolist()]
    assert texts == [b"la", b"\x01\xf7"] * 40 and file.ends.tolist() == [40_007]


def test_a_program_set_in_the_first_track_holds_for_the_others():
    data = midi_file([(0, program(40)), (192, program(41))], melody())
    assert {(note[0] < 192, note[4]) for note in read_notes(read_midi(data).score)} == {(True, 40), (False, 41)}
    assert kinds(data) == {"program_of_another_track": 8}


def test_ports_have_channels_of_their_own():
    first = [(0, meta(0x21, b"\0")), (0, program(40)), *melody()]
    second = [(0, meta(0x21, b"\1")), *melody(960)]
    data = midi_file(first, second)
    assert {note[4] for note in read_notes(read_midi(data).score) if note[0] >= 960} == {0}
    assert read_midi(data).data == data


def test_a_track_is_on_the_port_that_it_names_behind_its_program():
    first, second = (
        [(0, program(40 + port)), (0, meta(0x21, bytes([port]))), *melody(960 * port)] for port in range(2)
    )
    data = midi_file(first, second)
    assert {(note[0] < 960, note[4]) for note in read_notes(read_midi(data).score)} == {(True, 40), (False, 41)}
    assert read_midi(data).data == data


def test_note_offs_of_another_track_give_notes_their_length():
    events = melody()
    data = midi_file(events[::2], events[1::2])
    assert read_notes(read_midi(data).score) == read_notes(read_midi(TUNE).score)
    assert kinds(data) == {"note_off_of_another_track": 8}


@pytest.mark.parametrize(
    "events, end, lengths",
    [
        ([(0, on(60)), (96, on(60)), (144, off(60))], 0, [96, 48]),
        ([(0, on(60)), (0, on(64)), (48, off(64))], 100, [48, 148]),
        ([*melody(), (960, on(90))], 0, [48] * 8 + [96]),
    ],
)
def test_a_note_never_switched_off_ends_with_the_next_of_its_key_or_its_track(events, end, lengths):
    data = midi_file(track_chunk(events, end))
    assert sorted(note[1] for note in read_notes(read_midi(data).score)) == sorted(lengths)
    assert kinds(data) == {"note_never_off": 1}
    assert kinds(midi_file(track_chunk(events, end), kind=0)) == {"note_never_off": 1}


def test_a_note_that_nothing_ends_in_a_long_track_is_cut():
    data = midi_file(track_chunk([(0, on(50)), *melody()], 96 * 2000))
    assert max(note[1] for note in read_notes(read_midi(data).score)) == 96 * 8 - 48
    assert kinds(data) == {"note_never_off": 1, "stuck_note": 1}


ODD = {
    "data_byte": midi_file([(0, b"\xb0\x07\x80"), (0, b"\xe0\xff\x40"), (0, b"\xd0\x90"), *melody()]),
    "note_of_no_length": midi_file([(0, on(40)), (0, off(40)), *melody()]),
    "stuck_note": midi_file([(0, on(40, 1)), *melody(), (96 * 700, off(40, 1))]),
    "junk_before_header": b"HTTP/1.0 200 OK\r\nContent-Type: audio/midi\r\n\r\n" + TUNE,
    "compressed": gzip.compress(TUNE),
    "chunk_length": with_length(500),
    "no_end_of_track": midi_file(chunk(EVENTS[:-4])),
    "junk_after_tracks": TUNE + b"\0" * 77,
    "bytes_after_end": midi_file(chunk(EVENTS + b"abc")),
    "other_chunk": TUNE[:14] + b"XFIH\0\0\0\2ab" + TUNE[14:],
    "track_count": TUNE[:10] + b"\0\5" + TUNE[12:],
    "file_format": TUNE[:8] + b"\0\7" + TUNE[10:],
    "header_length": TUNE[:4] + b"\0\0\0\x08" + TUNE[8:14] + b"\0\0" + TUNE[14:],
    "frames": midi_file(melody(), division=0xE728),
    "wire_message": midi_file([(0, b"\xf8"), (0, b"\xf1\x00"), *melody()]),
    "unsaid_status": midi_file([(0, on(59)), (9, b"\xf0\x01\xf7"), (48, b"\x3b\x00"), *melody(96)]),
    "system_exclusive": midi_file([(0, b"\xf0\x03\x43\x12\x00"), (0, b"\xf7\x02\x43\xf7"), *melody()]),
    "tempo": midi_file([(0, meta(0x51, b"\0\0\0")), (96, meta(0x51, b"\0\0\1")), *melody(96)]),
    "time_signature": midi_file([(0, meta(0x58, b"\4\x13\x18\x08")), *melody()]),
    "key_signature": midi_file([(0, meta(0x59, b"\x02\xff")), *melody()]),
    "meta_event": midi_file([(0, meta(0x51, b"\7")), *melody()]),
    "one_sequence": midi_file(melody(), [(0, meta(3, b"no notes"))], kind=2),
    "long_number": midi_file(chunk(b"\x80\x80\x80\x80" + EVENTS)),
}
EXTRA = {"stuck_note": 1}
"""Notes that a file has beside those of the tune."""


@pytest.mark.parametrize("kind", ODD)
def test_each_oddity_is_mended_and_counted(kind):
    reading = read_midi(ODD[kind])
    assert [mend.kind for mend in reading.mends] == [kind]
    assert all(mend.count >= 1 and any(map(str.isdigit, mend.detail)) for mend in reading.mends)
    assert heard_notes(reading.data) == read_notes(reading.score), "another reader hears other notes"
    assert read_midi(reading.data).mends == [] and read_midi(reading.data).data == reading.data
    assert reading.score.note_num() == 8 + EXTRA.get(kind, kind == "unsaid_status")
    longest = 96 * 2 if kind == "frames" else 96 * 8
    assert max(note[1] for note in read_notes(reading.score)) <= longest


@pytest.mark.parametrize(
    "kind, reason",
    [
        ("data_byte", "unreadable"),
        ("junk_before_header", "not_midi"),
        ("compressed", "not_midi"),
        ("chunk_length", "unreadable"),
        ("file_format", "unreadable"),
        ("frames", "bad_time_division"),
        ("tempo", "tempo_out_of_range"),
        ("time_signature", "bad_time_signature"),
    ],
)
def test_damage_is_refused_where_nothing_may_be_mended(kind, reason):
    with pytest.raises(RefusedFile) as caught:
        read_midi(ODD[kind], STRICT)
    assert caught.value.reason == reason and caught.value.detail


@pytest.mark.parametrize("strict", [False, True])
def test_what_a_sound_file_means_is_read_in_any_case(strict):
    data = midi_file([(0, program(40))], melody()[::2], melody()[1::2])
    notes = read_notes(read_midi(data, STRICT if strict else None).score)
    assert notes == [(*note[:4], 40, False) for note in read_notes(read_midi(TUNE).score)]


def test_notes_are_left_as_they_are_where_nothing_may_be_mended():
    for kind in ("note_of_no_length", "stuck_note"):
        reading = read_midi(ODD[kind], STRICT)
        assert reading.data == ODD[kind] and reading.mends == []


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "empty_file"),
        (TUNE[:12] + b"\0\0" + TUNE[14:], "bad_time_division"),
        (TUNE[:12] + b"\xa0\x28" + TUNE[14:], "bad_time_division"),
        (TUNE[:12], "unreadable"),
        (TUNE[:14], "unreadable"),
        (b"MThd, and then nothing of it", "unreadable"),
        (TUNE[:-30], "unreadable"),
        (midi_file(melody(), melody(), kind=2), "independent_sequences"),
        (midi_file([(0, b"\xf4\x00"), *melody()]), "unreadable"),
        (midi_file([(0, b"\x3c\x40"), *melody()]), "unreadable"),
        (midi_file(chunk(b"\xff" * 40 + EVENTS)), "unreadable"),
        (midi_file([(index * (2**28 - 1), on(60)) for index in range(6)]), "too_long"),
        (zipped(a_mid=TUNE, b_mid=TUNE), "several_files"),
        (zipped(a_mid=TUNE)[:-40], "unreadable"),
        (gzip.compress(TUNE, mtime=0)[:-9], "unreadable"),
        (gzip.compress(bytes(2**20), mtime=0), "not_midi"),
        (b"RIFF\4\0\0\0WAVE", "not_midi"),
        (b"<!DOCTYPE html>", "not_midi"),
    ],
)
def test_what_no_reader_makes_sense_of_is_refused(data, reason):
    with pytest.raises(RefusedFile) as caught:
        read_midi(data)
    assert caught.value.reason == reason and caught.value.detail


def test_what_a_file_unpacks_to_is_bounded():
    for data in (gzip.compress(bytes(2**20)), zipped(a_mid=bytes(2**20))):
        assert len(data) < 2000
        with pytest.raises(RefusedFile, match="too_large"):
            read_midi(data, SanityLimits(max_file_bytes=2000))


def test_wrappings_hold_the_same_music():
    notes = read_notes(read_midi(TUNE).score)
    for data in (riff(TUNE), zipped(a_mid=TUNE, readme_txt=b"hello"), b"\0" * 128 + TUNE + b"\0" * 21):
        assert read_notes(read_midi(data).score) == notes
    assert read_midi(riff(TUNE)).mends == [] and read_midi(riff(TUNE)).data == TUNE


def test_texts_tempos_and_controllers_survive_mending():
    words = [meta(3, b"a name"), meta(5, "l\xe0".encode()), meta(6, b"a marker"), meta(0x51, b"\7\xa1\x21")]
    words += [meta(0x58, b"\3\2\x18\x08"), b"\xb0\x40\x7f", b"\xe0\0\x41"]
    data = midi_file([(0, on(40)), (0, off(40)), *((0, word) for word in words), *melody()])
    reading = read_midi(data)
    assert [mend.kind for mend in reading.mends] == ["note_of_no_length"]
    assert all(word in reading.data for word in words)
    tracks = reading.score.tracks
    assert [lyric.text for track in tracks for lyric in track.lyrics] == ["l\xe0"]
    assert (tracks[0].name, len(tracks[0].controls), len(tracks[0].pitch_bends)) == ("a name", 1, 1)
    assert len(reading.score.markers) == 1 and reading.score.tempos[0].mspq == 500001


def test_bytes_that_are_lost_are_damage():
    """Line ends that were converted: a shorter track, in which data are missing."""
    whole = midi_file(melody(count=60))
    place = whole.index(b"\x90", 100) + 1
    with pytest.raises(RefusedFile, match="unreadable"):
        read_midi(whole[:place] + whole[place + 1 :])


def test_hostile_bytes_neither_crash_nor_hang():
    rng = random.Random(0)
    for _ in range(300):
        data = bytearray(rng.choice((draw_tracks(rng.randrange(100)), TUNE)))
        for _ in range(rng.randint(1, 6)):
            data[rng.randrange(8, len(data))] = rng.randrange(256)
        cut = bytes(data[: rng.choice((len(data), rng.randrange(len(data))))])
        try:
            reading = read_midi(cut)
        except RefusedFile as refused:
            assert refused.reason and refused.detail
        else:
            assert read_midi(reading.data).mends == [] or not reading.mends
            assert Score.from_midi(reading.data).note_num() == reading.score.note_num()


def test_a_clamped_byte_is_what_other_readers_clamp_it_to():
    data = midi_file([(0, on(60, velocity=200)), (48, off(60)), *melody(96)])
    assert read_notes(read_midi(data).score)[0][3] == 127
    assert mido.MidiFile(file=io.BytesIO(read_midi(data).data)).tracks[0][0].velocity == 127


@pytest.mark.parametrize(
    "name, notes, kind, count",
    [
        ("drum_hits_of_length_zero", 48, "drum_hit_of_no_length", 32),
        ("melodic_notes_of_length_zero", 16, "note_of_no_length", 6),
        ("controller_value_128", 16, "data_byte", 1),
        ("velocity_200", 17, "data_byte", 1),
        ("one_stuck_note", 17, "stuck_note", 1),
        ("http_header_before", 16, "junk_before_header", 45),
        ("gzip_of_one_file", 16, "compressed", 1),
        ("chunk_length_too_long", 16, "chunk_length", 1),
    ],
)
def test_small_odd_files_have_the_right_notes(name, notes, kind, count):
    path = CASES / f"{name}.mid"
    if not path.exists():
        pytest.skip(f"{path} is not there (set NEUROMUSIC_DATA to the folder beside that of the cases)")
    reading = read_midi(path.read_bytes())
    assert {mend.kind: mend.count for mend in reading.mends} == {kind: count}
    heard = read_notes(reading.score)
    assert len(heard) == notes and heard == heard_notes(reading.data)
    assert sum(note[1] == 48 and not note[5] for note in heard) >= 16 and min(note[1] for note in heard) >= 1


def test_what_was_mended_in_a_piece_is_said_once(caplog):
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            load_score({"bytes": ODD["data_byte"], "path": "a name that no other test uses.mid"})
    assert [record.message for record in caplog.records if "no other test" in record.message] == [
        "Mended a name that no other test uses.mid: data_byte: byte 25: control_value=128, now 127; 3 in all"
    ]


@pytest.fixture(scope="module")
def processor():
    return MidiProcessor.from_tokenization("REMI")


@pytest.mark.parametrize(
    "data",
    [
        TUNE[:12] + b"\0\0" + TUNE[14:],
        b"",
        b"<!DOCTYPE html>",
        TUNE[:-30],
        midi_file(melody(), melody(), kind=2),
        zipped(a_mid=TUNE, b_mid=TUNE),
    ],
)
def test_every_door_refuses_a_file_in_the_same_words(data, processor, tmp_path):
    with pytest.raises(RefusedFile) as caught:
        read_midi(data)
    words = str(caught.value)
    path = tmp_path / "odd.mid"
    path.write_bytes(data)
    row = inspect_row("odd.mid", data, SanityLimits())
    assert f"{row['refused_reason']}: {row['refused_detail']}" == words
    stored = {"bytes": data, "path": "odd.mid"}
    for read in (load_score, processor.encode, lambda midi: Midi().decode_example(Midi().encode_example(midi))):
        for form in (path, data, stored):
            with pytest.raises(RefusedFile) as caught:
                read(form)
            assert str(caught.value).endswith(words)
    with pytest.raises(RefusedFile) as caught:
        PieceInput(data).load()
    assert str(caught.value) == words
    tune = read_midi(midi_file(melody(count=30))).score
    assert score_midi(PITCH, [tune], [tune], [data]).dropped == {f"generated: {words}": ["0"]}


def test_a_score_without_time_is_refused_as_its_file_is(processor):
    data = TUNE[:12] + b"\0\0" + TUNE[14:]
    score = Score.from_midi(data)
    for read in (load_score, processor.encode, Midi().encode_example, plot_piano_roll, render_audio):
        with pytest.raises(RefusedFile, match="bad_time_division: 0 ticks per quarter note"):
            read(score)


def test_every_door_mends_a_file_alike(processor):
    data = ODD["data_byte"]
    notes = read_notes(read_midi(data).score)
    row = inspect_row("odd.mid", data, SanityLimits())
    assert row["midi"]["bytes"] == read_midi(data).data and row["mended"][0]["kind"] == "data_byte"
    for score in (load_score(data), Midi().decode_example(Midi().encode_example(data)), PieceInput(data).load()):
        assert read_notes(score) == notes
    assert processor.encode(data) == processor.encode(row["midi"]["bytes"])
