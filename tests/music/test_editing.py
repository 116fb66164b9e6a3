"""A user's file with new notes in it: what no score holds is still there, and each note is as the score has it."""

import gzip
import io
from collections import Counter

import mido
import numpy as np
import pytest
from midi_bytes import melody, meta, midi_file, off, on, program
from midi_player import notes_of, play
from symusic import Note, Score, Track

from neuromusic_hf.music import UnwritableScore, edit_midi, midi_bytes, read_midi, replace_notes

START, END = 192, 576


def events_of(data: bytes) -> list[list[tuple[int, bytes]]]:
    """Tick and bytes of all events of each track, those that end tracks too."""
    tracks = []
    for track in mido.MidiFile(file=io.BytesIO(data), charset="latin1").tracks:
        tick, events = 0, []
        for message in track:
            tick += message.time
            events.append((tick, bytes(message.bytes())))
        tracks.append(events)
    return tracks


def is_note(event: tuple[int, bytes]) -> bool:
    return event[1][0] & 0xE0 == 0x80


def is_within(events: list, others: list) -> bool:
    """Whether all events are among others in their order."""
    rest = iter(others)
    return all(event in rest for event in events)


def check_edited(data: bytes, score: Score) -> bytes:
    """The notes are those of the score, and all events that begin or end none of those that came or went are there."""
    edited = edit_midi(data, score)
    assert notes_of(read_midi(edited).score) == notes_of(score)
    gone = (notes_of(read_midi(data).score) - notes_of(score)).total()
    before, after = events_of(data), events_of(edited)
    stays = 0
    for old, new in zip(before, after, strict=False):
        assert is_within([event for event in old[:-1] if not is_note(event)], new)
        assert old[-1][0] <= new[-1][0]
        stays += (Counter(filter(is_note, old)) & Counter(filter(is_note, new))).total()
    assert stays >= sum(len(list(filter(is_note, events))) for events in before) - 2 * gone
    return edited


def new_notes(*tracks) -> Score:
    """Tracks are `(program, notes)`, of drums -1; notes `(onset, duration, pitch)`."""
    score = Score(96)
    for number, notes in tracks:
        track = Track("", max(number, 0), number < 0)
        track.notes.extend([Note(*note, 99) for note in notes])
        score.tracks.append(track)
    return score


def infilled(data: bytes, *tracks, programs=None, span=(START, END)) -> Score:
    return replace_notes(read_midi(data).score, *span, new_notes(*tracks), programs).score


def rich_file(**options) -> bytes:
    """A project with what no score holds: system exclusive, aftertouch, cues, texts that are no UTF-8."""
    head = [
        (0, meta(0x51, b"\x07\xa1\x20")),
        (0, meta(0x58, b"\x03\x02\x24\x08")),
        (0, meta(0x54, bytes(5))),
        (10, meta(0x7F, b"\x00\x00\x41own")),
        (200, meta(0x07, b"caf\xe9")),
        (300, b"\xf0\x06\x7e\x7f\x09\x01\x01\xf7"),
    ]
    keys = [
        (0, meta(0x03, b"Klavier \xfc")),
        (0, meta(0x20, b"\x04")),
        (0, b"\xb4\x00\x08"),
        (0, program(5, 4)),
        *sorted(
            [
                *melody(channel=4),
                (200, bytes((0xA4, 62, 33))),
                (210, b"\xd4\x44"),
                (250, b"\xe4\x10\x50"),
                (400, meta(0x05, b"l\xe1")),
            ],
            key=lambda event: event[0],
        ),
        (800, b"\xb4\x40\x00"),
    ]
    drums = [(0, program(16, 9)), *melody(channel=9, length=10)]
    return midi_file(head, keys, drums, **options)


def test_all_that_a_score_knows_nothing_of_is_still_there():
    data = rich_file()
    score = infilled(data, (5, [(0, 40, 72), (100, 90, 73)]), (-1, [(0, 9, 36)]), (40, [(9, 99, 60)]))
    edited = check_edited(data, score)
    head, keys, drums, violin = events_of(edited)
    assert head == events_of(data)[0]
    for found, given in zip((keys, drums), events_of(data)[1:], strict=True):
        assert [event for event in found if not is_note(event)] == [event for event in given if not is_note(event)]
    assert [event for event in keys if is_note(event) and START <= event[0] < END] == [
        (192, b"\x94\x48\x63"),
        (232, b"\x84\x48\x40"),
        (292, b"\x94\x49\x63"),
        (382, b"\x84\x49\x40"),
    ]
    assert violin[0][1].endswith(b"Violin") and violin[1] == (0, b"\xc0\x28")


def test_a_file_whose_notes_stay_comes_back_as_it_is():
    data = rich_file()
    assert edit_midi(data, read_midi(data).score) == data
    assert edit_midi(gzip.compress(data), read_midi(data).score) == data


def test_a_file_of_one_track_gets_another_only_for_a_new_instrument():
    tracks = [(0, program(5, 4)), *melody(channel=4)]
    data = midi_file(tracks, kind=0)
    edited = check_edited(data, infilled(data, (5, [(0, 9, 72)])))
    assert edited[8:12] == b"\x00\x00\x00\x01"
    edited = check_edited(data, infilled(data, (6, [(0, 9, 72)])))
    assert edited[8:12] == b"\x00\x01\x00\x02"


def test_ends_and_beginnings_at_one_tick_stay_in_order():
    data = midi_file([(0, program(5)), *melody(length=96)])
    score = infilled(data, (5, [(tick, 96, 61) for tick in range(0, 384, 96)]), (5, [(0, 96, 66), (288, 96, 66)]))
    performance = play(check_edited(data, score))
    assert performance.notes == notes_of(score) and performance.unsure == 0


def test_notes_have_their_program_where_the_channel_has_another():
    changes = [(0, program(5)), (192, program(6)), (300, program(7)), (576, program(5))]
    notes = [
        (0, on(60)),
        (96, off(60)),
        (192, on(62)),
        (240, off(62)),
        (300, on(64)),
        (400, off(64)),
        (600, on(60)),
        (700, off(60)),
    ]
    data = midi_file(sorted(changes + notes, key=lambda event: event[0]))
    score = infilled(data, (5, [(0, 50, 70), (0, 50, 71), (300, 50, 72)]), (6, [(108, 50, 73)]), programs={5, 6})
    assert play(check_edited(data, score)).notes == notes_of(score)


def test_notes_have_their_program_where_another_track_says_it():
    first = [(0, program(5)), (0, on(60)), (100, off(60)), (300, program(8))]
    second = [(0, on(40)), (90, off(40)), (700, on(40)), (790, off(40))]
    data = midi_file(first, second)
    score = infilled(data, (5, [(0, 50, 70), (200, 50, 71)]), (8, [(10, 50, 72)]))
    assert play(check_edited(data, score)).notes == notes_of(score)


def test_a_drum_struck_while_it_rings_keeps_its_length_and_that_of_the_other():
    data = midi_file([(0, program(16, 9)), (100, on(36, 9)), (400, off(36, 9)), (600, on(38, 9)), (610, off(38, 9))])
    score = infilled(data, (-1, [(0, 20, 36), (0, 200, 38), (100, 20, 36), (140, 300, 36)]), span=(150, 576))
    edited = check_edited(data, score)
    struck = [sorted((note[0], *note[2:]) for note in notes) for notes in (play(edited).notes, notes_of(score))]
    assert struck[0] == struck[1], "a player hears no lengths of drums"
    assert [message for _, message in events_of(edited)[1] if message[0] & 0xF0 == 0xC0] == [program(16, 9)]


def test_tracks_of_one_program_keep_their_own_notes():
    first, second, third = (
        [(0, program(5, channel)), *melody(channel=channel), (900, on(50, channel)), (910, off(50, channel))]
        for channel in (3, 2, 0)
    )
    data = midi_file(first, second, third)
    score = read_midi(data).score
    second = score.copy()
    second.tracks[1].notes = [note for note in second.tracks[1].notes if note.time != 192]
    before, after = events_of(data), events_of(check_edited(data, second))
    assert [len(events) for events in after] == [len(before[0]), len(before[1]) - 2, len(before[2])]


def test_a_channel_without_notes_is_found_for_a_new_instrument():
    data = midi_file(*([(0, program(40 + channel, channel)), *melody(channel=channel)] for channel in (0, 1, 2, 5, 9)))
    score = infilled(data, (90, [(0, 9, 60)]), (91, [(0, 9, 60)]), programs={90, 91})
    edited = check_edited(data, score)
    assert [events[1] for events in events_of(edited)[5:]] == [(0, program(90, 3)), (0, program(91, 4))]


def full_file(notes_of_channel) -> bytes:
    """Notes on all channels."""
    return midi_file(*([(0, program(20 + channel, channel)), *notes_of_channel(channel)] for channel in range(16)))


def test_a_new_instrument_takes_the_channel_of_a_track_that_has_no_note_any_more():
    data = full_file(lambda channel: melody(channel=channel))
    score = infilled(data, (90, [(0, 96, 60)]), programs={27, 90}, span=(0, 960))
    edited = check_edited(data, score)
    assert play(edited).notes == notes_of(score) and play(edited).disturbed == 0
    assert {message[0] & 15 for tick, message in events_of(edited)[16] if message[0] < 0xF0} == {7}


def test_a_new_instrument_is_a_guest_on_channels_that_are_silent_meanwhile():
    data = full_file(lambda channel: melody(start=12 * channel, channel=channel, length=48))
    score = infilled(data, (90, [(tick, 20, 60) for tick in range(0, 384, 48)]), programs={90})
    edited = check_edited(data, score)
    performance = play(edited)
    assert performance.notes == notes_of(score) and performance.unsure == performance.disturbed == 0
    assert len(events_of(edited)) == 17


def test_a_note_that_fits_no_channel_is_refused_with_its_number():
    data = full_file(lambda channel: [(0, on(60, channel)), (960, off(60, channel))])
    check_edited(data, infilled(data, (90, [(0, 9, 61), (0, 9, 62), (0, 20, 63)]), programs={90}))
    with pytest.raises(UnwritableScore, match="new note at tick 192 fits no channel of the file: pitch 60 .* all 15"):
        edit_midi(data, infilled(data, (90, [(0, 9, 60)]), programs={90}))
    check_edited(data, infilled(data, (-1, [(0, 9, 60)]), (30, [(0, 9, 61)]), programs={-1, 30}))


def test_ports_of_a_file_are_kept():
    data = midi_file(*([(0, meta(0x21, bytes([port]))), (0, program(port)), *melody()] for port in range(3)))
    score = infilled(data, (1, [(0, 9, 60)]), (2, [(9, 9, 60)]))
    edited = check_edited(data, score)
    assert play(edited).notes == notes_of(score) and {port for port, _ in play(edited).channels} == {0, 1, 2}


def test_a_damaged_file_is_edited_as_it_is_read():
    track = [
        (0, program(5)),
        (0, on(60)),
        (192, on(62)),
        (240, off(62)),
        (480, on(64)),
        (480, b"\x90\x41\xff"),
        (500, off(65)),
        (700, off(64)),
    ]
    data = b"junk" + midi_file(track) + b"more"
    score = read_midi(data).score
    replaced = replace_notes(score, 192, 480, new_notes((5, [(0, 9, 72)])))
    assert notes_of(read_midi(edit_midi(data, replaced.score)).score) == notes_of(replaced.score)


def test_spans_one_after_the_other_are_one_edit():
    data = rich_file()
    score = infilled(data, (5, [(0, 40, 72)]), (40, [(9, 99, 60)]))
    score = replace_notes(score, 0, 192, new_notes((5, [(0, 40, 73)]), (40, [(9, 99, 60)]))).score
    edited = check_edited(data, score)
    assert [len(track.notes) for track in read_midi(edited).score.tracks if track.program == 40] == [2]


@pytest.mark.parametrize("seed", range(8))
def test_drawn_notes_are_written_whatever_they_are(seed):
    random = np.random.default_rng(seed)
    data = midi_bytes(read_midi(rich_file()).score)
    score = read_midi(data).score
    for track in score.tracks:
        kept = [note for note in track.notes if random.random() < 0.5]
        kept += [
            Note(*(int(random.integers(*bounds)) for bounds in ((0, 900), (1, 300), (60, 66), (1, 128))))
            for _ in range(30)
        ]
        track.notes = sorted(kept, key=lambda note: note.time)
    check_edited(data, score)


def test_what_is_not_of_the_file_is_refused():
    data = rich_file()
    score = read_midi(data).score
    fewer = score.copy()
    fewer.tracks = fewer.tracks[:1]
    for other in (fewer, score.resample(48), Score(96)):
        with pytest.raises(ValueError, match="is not of this file, from which 3 are read with 96"):
            edit_midi(data, other)
    score.tracks[0].notes.append(Note(100, 0, 60, 64))
    with pytest.raises(UnwritableScore, match="new note at tick 100 has no length"):
        edit_midi(data, score)
    score.tracks[0].notes[-1] = Note(100, 9, 60, 0)
    with pytest.raises(UnwritableScore, match="velocity of 0"):
        edit_midi(data, score)
