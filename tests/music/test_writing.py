"""What is written is what was there: every note with its program, in a player and in a reader of tracks."""

import numpy as np
import pytest
from midi_player import messages_of, notes_of, play
from music import make_score
from symusic import ControlChange, KeySignature, Note, Pedal, PitchBend, Score, Tempo, TextMeta, TimeSignature, Track

from neuromusic_hf.music import UnwritableScore, midi_bytes, read_midi, write_midi


def score_of(*tracks) -> Score:
    """Tracks are `(program, is_drum, notes)`, notes `(onset, duration, pitch)` or with a velocity."""
    score = Score(96)
    for program, is_drum, notes in tracks:
        track = Track(f"{program}", program, is_drum)
        for onset, duration, pitch, *velocity in notes:
            track.notes.append(Note(onset, duration, pitch, *(velocity or [100])))
        score.tracks.append(track)
    return score


def drawn_score(seed: int, programs: int, length: int = 3000, drums: int = 1, shortest: int = 1) -> Score:
    """Random notes of random lengths: programs more than once, and pitches that overlap."""
    random = np.random.default_rng(seed)

    def notes(count, low, high):
        columns = (
            random.integers(0, length, count),
            random.integers(shortest, 200, count),
            random.integers(low, high, count),
        )
        return list(
            zip(*(column.tolist() for column in columns), random.integers(1, 128, count).tolist(), strict=True)
        )

    tracks = [(program, False, notes(12, 30, 90)) for program in random.permutation(128)[:programs].tolist()]
    tracks += [(tracks[0][0], False, notes(12, 30, 90))]
    tracks += [(8 * kit, True, notes(20, 35, 82)) for kit in range(drums)]
    return score_of(*(tracks[index] for index in random.permutation(len(tracks))))


def without_drum_lengths(notes):
    return sorted((*note[:1], 0 if note[5] else note[1], *note[2:]) for note in notes.elements())


def check_written(score: Score):
    """The file is read with the same notes, and played with them, whether the player knows ports or not."""
    data = midi_bytes(score)
    assert notes_of(Score.from_midi(data)) == notes_of(score)
    if all(duration for _, duration, *_ in notes_of(score)):
        reading = read_midi(data)
        assert notes_of(reading.score) == notes_of(score) and not reading.mends
    expected = without_drum_lengths(notes_of(score))
    for knows_ports in (True, False):
        performance = play(data, knows_ports=knows_ports)
        assert without_drum_lengths(performance.notes) == expected
        assert not (knows_ports and performance.disturbed)
    return data


@pytest.mark.parametrize("programs", [1, 3, 14, 15, 16, 17, 18, 24, 64, 127])
def test_every_note_has_its_program(programs):
    for seed in range(3):
        length = 600 if programs < 20 else 6000
        check_written(drawn_score(seed, programs, length, drums=seed, shortest=seed % 2))


@pytest.mark.parametrize("programs", [16, 17, 18, 24, 128])
def test_programs_in_turn_share_the_channels_of_one_port(programs):
    score = score_of(*((program, False, [(96 * program, 96, 60)]) for program in range(programs)))
    performance = play(check_written(score))
    assert performance.unsure == 0 and {port for port, _ in performance.channels} == {0}


@pytest.mark.parametrize("programs", [16, 17, 18, 24, 128])
def test_programs_at_once_sound_in_players_that_know_no_ports_too(programs):
    score = score_of(
        *((program, False, [(0, 960, program), (480, 960, 127 - program)]) for program in range(programs))
    )
    check_written(score)


def test_more_programs_at_one_pitch_than_channels_are_refused_with_their_number():
    score = score_of(*((program, False, [(0, 960, 60)]) for program in range(18)))
    with pytest.raises(UnwritableScore, match="18 parts .* at once at tick 0, 18 of them at pitch 60.* 15 channels"):
        midi_bytes(score)


def test_parts_with_controllers_of_their_own_are_refused_beyond_15_at_once():
    tracks = [(program, False, [(0, 960, program)]) for program in range(17)]
    score = score_of(*tracks)
    check_written(score)
    score.tracks[3].controls.append(ControlChange(0, 7, 80))
    with pytest.raises(UnwritableScore, match="17 parts .* controllers sound at once at tick 0"):
        midi_bytes(score)


@pytest.mark.parametrize("seed", range(3))
def test_what_symusic_writes_rightly_is_written_as_it_does(seed):
    score = make_score(seed, num_notes=30)
    for track in score.tracks:
        track.notes = [
            note for note in track.notes if note.pitch not in {each.pitch for each in track.notes if each is not note}
        ]
        track.controls.append(ControlChange(10, 7, 90))
    score.tracks.extend([Track("drums", 0, True) for _ in range(3)])
    assert midi_bytes(score) == score.dumps_midi()


@pytest.mark.parametrize(
    "notes",
    [
        [(0, 960, 60), (96, 96, 60)],
        [(0, 96, 60), (48, 96, 60)],
        [(0, 96, 60, 90), (0, 96, 60, 80)],
        [(0, 96, 60), (0, 48, 60), (0, 24, 60)],
        [(0, 0, 60), (0, 96, 60), (48, 0, 60), (96, 0, 60), (96, 96, 60)],
    ],
    ids=["within", "into the next", "twice", "three at once", "no length"],
)
def test_a_pitch_that_begins_while_it_sounds_keeps_its_length_in_every_reader(notes):
    score = score_of((5, False, notes), (5, False, [(10, 300, 60)]))
    assert play(check_written(score)).unsure == 0


def test_a_pitch_repeated_more_often_than_channels_last_is_written_all_the_same():
    score = score_of((5, False, [(12 * step, 960, 60) for step in range(40)]), (7, False, [(0, 960, 72)]))
    performance = play(check_written(score))
    assert performance.unsure > 0


def test_lengths_within_one_another_are_kept_where_tracks_are_read_drums_included():
    score = score_of((16, True, [(0, 960, 36), (96, 10, 36), (200, 10, 38)]), (25, True, [(0, 10, 36), (96, 10, 40)]))
    check_written(score)


@pytest.mark.parametrize("programs", [2, 20])
def test_controllers_bends_and_pedals_act_on_their_own_part_alone(programs):
    random = np.random.default_rng(programs)
    score = score_of(
        *(
            (program % 7, False, [(tick, 90, 40 + program) for tick in range(200 * program, 9000, 200 * programs)])
            for program in range(programs)
        )
    )
    for track in score.tracks[:-1]:
        for tick in random.integers(0, 9000, 20).tolist():
            number, value = random.choice([1, 7, 10, 11, 74]), random.integers(0, 128)
            track.controls.append(ControlChange(tick, int(number), int(value)))
            track.pitch_bends.append(PitchBend(tick + 1, int(random.integers(-8192, 8192))))
        track.pedals = [Pedal(track.notes[0].time + 10, 150)]
    played = play(check_written(score)).controls
    defaults = {7: 100, 10: 64, 11: 127, 74: 64}
    for track in score.tracks:
        for note in track.notes:
            expected = {}
            for control in sorted(track.controls, key=lambda control: control.time):
                if control.time <= note.time:
                    expected[control.number] = control.value
            bends = sorted((bend.time, bend.value) for bend in track.pitch_bends if bend.time <= note.time)
            expected["bend"] = bends[-1][1] if bends else 0
            found = played[note.time, note.pitch, note.velocity, track.program]
            for number in {*found, *expected} - {64}:
                assert found.get(number, defaults.get(number, 0)) == expected.get(number, defaults.get(number, 0))


def test_the_reach_of_bends_does_not_go_over_to_the_next_part():
    score = score_of(*((program, False, [(96 * program, 90, 60)]) for program in range(30)))
    reach = [(101, 0), (100, 0), (6, 12)]
    score.tracks[0].controls.extend([ControlChange(0, *change) for change in reach])
    score.tracks[29].controls.extend([ControlChange(0, *change) for change in reach])
    channels = {}
    for tick, _, message in messages_of(check_written(score)):
        if message.type in ("control_change", "note_on") and not message.is_meta:
            selected, reached = channels.setdefault(message.channel, [{}, {}])
            if message.type == "note_on":
                assert reached.get((0, 0), 2) == (12 if tick // 96 in (0, 29) else 2)
            elif message.control == 6:
                reached[selected[101], selected[100]] = message.value
            else:
                selected[message.control] = message.value


def test_a_channel_is_not_given_away_while_its_pedal_holds_notes():
    score = score_of(*((program, False, [(96 * program, 90, 60)]) for program in range(64)))
    for track in score.tracks[::3]:
        track.pedals = [Pedal(track.notes[0].time + 10, 700)]
    assert play(check_written(score)).disturbed == 0


def test_drum_kits_take_turns_and_a_bank_is_chosen_before_its_program():
    score = score_of((0, True, [(0, 10, 36), (96, 10, 36)]), (25, True, [(0, 10, 38), (48, 10, 36)]))
    check_written(score)
    score = score_of((5, False, [(96, 10, 60)]))
    score.tracks[0].controls.extend([ControlChange(0, 0, 8), ControlChange(48, 32, 1)])
    order = [(message.type, tick) for tick, _, message in messages_of(check_written(score)) if not message.is_meta]
    bank, program = "control_change", "program_change"
    assert order[1:5] == [(bank, 0), (program, 0), (bank, 48), (program, 48)]


def test_pedals_that_are_no_controllers_are_written():
    score = score_of((5, False, [(0, 100, 60)]))
    score.tracks[0].pedals.extend([Pedal(10, 50), Pedal(60, 20)])
    (track,) = Score.from_midi(check_written(score)).tracks
    assert [(pedal.time, pedal.duration) for pedal in track.pedals] == [(10, 50), (60, 20)]


def test_all_else_of_a_score_is_written_too():
    score = drawn_score(0, 20)
    score.tempos.extend([Tempo(0, 100), Tempo(96, 77)])
    score.time_signatures.extend([TimeSignature(0, 7, 8), TimeSignature(336, 2, 2)])
    score.key_signatures.append(KeySignature(0, -3, 1))
    score.markers.append(TextMeta(5, "Übergang"))
    score.tracks[2].lyrics.append(TextMeta(7, "la"))
    score.tracks.append(Track("ein Titel: 題", 99))
    back = Score.from_midi(check_written(score))
    for kind in ("tempos", "time_signatures", "key_signatures", "markers"):
        assert getattr(back, kind) == getattr(score, kind)
    assert [(lyric.time, lyric.text) for track in back.tracks for lyric in track.lyrics] == [(7, "la")]
    names = {message.name for _, _, message in messages_of(midi_bytes(score)) if message.type == "track_name"}
    assert "ein Titel: 題" in names


@pytest.mark.parametrize("programs", [1, 4, 20])
def test_what_a_track_without_notes_sends_is_written_where_a_channel_is_left(programs):
    score = drawn_score(0, programs, length=600)
    score.tracks[0].notes.extend([Note(0, 960, 60, 64), Note(96, 96, 60, 64)])
    silent = Track("silent", 99)
    silent.controls.extend([ControlChange(5, 7, 80), ControlChange(700, 1, 127)])
    silent.pitch_bends.append(PitchBend(6, -8))
    score.tracks.append(silent)
    messages = [
        (tick, message.hex())
        for tick, _, message in messages_of(check_written(score))
        if message.type in ("control_change", "pitchwheel")
    ]
    assert [tick for tick, _ in messages] == ([5, 6, 700] if programs < 20 else [])


def test_nothing_at_all_is_a_file():
    assert Score.from_midi(midi_bytes(Score(96))).note_num() == 0
    assert check_written(score_of((3, False, [])))


@pytest.mark.parametrize(
    "kind, event, message",
    [
        ("notes", Note(96, 10, 60, 0), "velocity of 0 at tick 96 in the notes of track 1 .* 1 to 127: 0 ends a note"),
        ("notes", Note(96, 10, -3, 64), "pitch of -3 at tick 96"),
        ("notes", Note(-5, 10, 60, 64), "time of -5 .*shift_time"),
        ("notes", Note(5, -10, 60, 64), "duration of -10 at tick 5"),
        ("notes", Note(2**28 - 5, 6, 60, 64), "end of 268435457 at tick 268435451"),
        ("notes", Note(2**31 - 5, 60, 60, 64), "time of 2147483643"),
        ("controls", ControlChange(5, 7, 128), "value of 128 at tick 5 in the controls"),
        ("pitch_bends", PitchBend(5, 8192), "value of 8192 at tick 5 in the pitch_bends .* -8192 to 8191"),
        ("pedals", Pedal(5, -1), "duration of -1"),
        ("lyrics", TextMeta(-1, "la"), "time of -1 at tick -1 in the lyrics"),
        ("tempos", Tempo(7, 3), "mspq of 20000000 at tick 7 in the tempos .* 3.6 to"),
        ("time_signatures", TimeSignature(7, 3, 6), "denominator of 6 at tick 7.* power of 2"),
        ("time_signatures", TimeSignature(7, 0, 4), "numerator of 0"),
        ("key_signatures", KeySignature(7, 8, 0), "key of 8"),
    ],
)
def test_what_no_midi_file_holds_is_refused_with_its_number_and_a_remedy(kind, event, message, tmp_path):
    score = score_of((0, False, [(0, 10, 60)]), (0, False, [(0, 10, 60)]))
    getattr(score if hasattr(score, kind) else score.tracks[1], kind).append(event)
    with pytest.raises(UnwritableScore, match=message):
        write_midi(score, tmp_path / "song.mid")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("program, ticks", [(128, 96), (0, 0), (0, 2**15), (0, -3)])
def test_a_program_or_a_division_that_no_file_holds_is_refused(program, ticks):
    score = Score(ticks)
    score.tracks.append(Track("", program, True))
    with pytest.raises(UnwritableScore, match=f"of {program if program else ticks}"):
        midi_bytes(score)


def test_a_score_without_tracks_keeps_its_times():
    score = Score(96)
    score.time_signatures.extend([TimeSignature(0, 7, 8), TimeSignature(336, 3, 4)])
    score.tempos.append(Tempo(0, 100))
    back = Score.from_midi(midi_bytes(score))
    assert back.tempos == score.tempos and back.time_signatures == score.time_signatures
