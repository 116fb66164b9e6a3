"""The tally of what a tokenizer changed: against loops over notes, and against what decoding gives back."""

import random
from collections import defaultdict
from fractions import Fraction

import pytest
from tokenization.sample_scores import DRUMS, SCORES, build_score, free_notes, note_list
from tokenization.test_one_stream import ONE_STREAM, WITHOUT_PROGRAMS, miditok_tokenizer

from neuromusic_hf import MidiProcessor
from neuromusic_hf.tokenization import Tally

SETTINGS = {"MIDILike": {"use_time_signatures": True}, "MMM": {"base_tokenizer": "TSD"}}
EXACT = ("REMI", "TSD", "Structured", "MIDILike", "MMM")
"""Those that write onsets and lengths of a common grid as they are."""


@pytest.fixture(scope="module")
def ours():
    """Tokenizers with programs and without, by name."""
    known = {name: MidiProcessor.from_tokenization(name, **SETTINGS.get(name, {})) for name in EXACT}
    solo = {f"{name}-solo": MidiProcessor.from_tokenization(name, use_programs=False) for name in EXACT[:4]}
    return known | solo


def drawn_score(seed):
    """Notes of all pitches on a grid of eighths, many of them on one key, up to 40 quarters long, and drums."""
    rng = random.Random(seed)
    parts = []
    for program in rng.sample((0, 0, 9, 40, 41, 73, DRUMS, DRUMS), 5):
        pitches = [rng.randrange(128) for _ in range(6)]
        notes = [
            (Fraction(rng.randrange(60), 2), Fraction(rng.choice((1, 2, 3, 8, 23, 24, 30, 80)), 2), pitch, 64)
            for pitch in rng.choices(pitches, k=20)
        ]
        parts.append((program, notes))
    return build_score(rng.choice((96, 220, 480)), parts)


def voice_of(program, is_solo):
    return program if program == DRUMS or not is_solo else 0


def naive_sounding_time(notes, is_solo=False):
    """Counted in sixteenths, one by one."""
    cells = set()
    for onset, length, pitch, _, program in notes:
        first, last = (time * 4 for time in (onset, onset + length))
        assert first.denominator == last.denominator == 1
        cells |= {(voice_of(program, is_solo), pitch, cell) for cell in range(int(first), int(last))}
    return Fraction(len(cells), 4)


def naive_drops(tokenizer, notes, is_solo):
    """Of notes on the grid, by loops."""
    config, reasons, heard = tokenizer.config, defaultdict(int), set()
    for onset, _, pitch, _, program in notes:
        low, high = config.drums_pitch_range if program == DRUMS else config.pitch_range
        if is_solo and program == DRUMS:
            reasons["dropped_programs"] += 1
        elif not low <= pitch <= high:
            reasons["dropped_drum_keys" if program == DRUMS else "dropped_pitches"] += 1
        elif (onset, pitch, voice_of(program, is_solo)) in heard and config.remove_duplicated_notes:
            reasons["dropped_duplicates"] += 1
        heard.add((onset, pitch, voice_of(program, is_solo)))
    return reasons


@pytest.mark.parametrize("seed", range(6))
def test_counts_are_those_of_loops_and_what_is_kept_is_what_decoding_gives_back(ours, seed):
    score = drawn_score(seed)
    given = note_list(score)
    for name, processor in ours.items():
        is_solo = name.endswith("solo")
        tally, decoded = processor.tally(score), note_list(processor.decode(processor.encode(score)))
        assert (tally.notes, tally.notes_kept) == (len(given), len(decoded)), name
        if name != "MMM":  # which keeps the notes of two tracks of one program apart
            drops = naive_drops(processor.music_tokenizer, given, is_solo)
            assert drops == {key: count for key, count in tally.changes.items() if key.startswith("dropped")}, name
        assert tally.sounding_time == naive_sounding_time(given, is_solo), name
        assert tally.sounding_time - tally.sounding_time_lost == naive_sounding_time(decoded), name
        longest = 1000 if name.startswith("MIDILike") else processor.music_tokenizer.durations[-1][0]
        assert tally.lengths_cut <= sum(note[1] > longest for note in given), name
        assert tally.length_cut <= sum(max(0, note[1] - longest) for note in given), name


def one_part(*notes, **when):
    return build_score(480, [(0, notes)], **when)


@pytest.mark.parametrize("name", ["REMI", "TSD", "Structured", "MIDILike", "MMM"])
def test_of_an_unchanged_piece_the_tally_is_empty(ours, name):
    score = one_part(*[(beat, 1, 60 + beat, 64) for beat in range(8)])
    tally = ours[name].tally(score)
    assert not tally and tally.changes == {} and tally.lost_share == 0
    assert (tally.notes, tally.notes_kept, tally.sounding_time) == (8, 8, 8)


@pytest.mark.parametrize("name", ONE_STREAM)
def test_rounding_is_no_loss(name):
    processor = MidiProcessor.from_music_tokenizer(miditok_tokenizer(name, use_programs=True))
    free = [(3 * index + onset, *note) for index, (onset, *note) in enumerate(free_notes(1, 50, 1))]
    tally = processor.tally(build_score(480, [(0, free), (40, free)]))
    assert tally.changes == {} and tally.notes_kept == 100


def test_a_cut_note_loses_its_end_and_a_duplicate_what_outlasts_the_note_that_is_kept():
    processor = MidiProcessor.from_tokenization("REMI", beat_res={(0, 4): 8, (4, 8): 4})
    cut = processor.tally(one_part((0, 20, 60, 64), (0, 1, 64, 64)))
    assert cut.changes == {"sounding_time_lost": 12, "lengths_cut": 1, "length_cut": 12}
    assert cut.lost_share == 12 / 21
    twice = processor.tally(one_part((0, 3, 60, 64), (0, 3, 60, 70)))
    assert twice.changes == {"dropped_duplicates": 1} and twice.sounding_time == 3
    covered = processor.tally(one_part((0, 10, 60, 64), (7, 4, 60, 64)))
    assert covered.changes == {"lengths_cut": 1, "length_cut": 2}


def test_lengths_are_cut_by_the_beat_of_their_meter():
    processor = MidiProcessor.from_tokenization("TSD", beat_res={(0, 8): 8}, time_signature_range={4: [4], 8: [6]})
    notes = [(0, 7, 60, 64), (8, 7, 62, 64), (20, 5, 64, 64)]
    tally = processor.tally(one_part(*notes, meters=((0, 4, 4), (8, 6, 8), (17, 4, 4))))
    assert tally.changes == {"sounding_time_lost": 3, "lengths_cut": 1, "length_cut": 3}


@pytest.mark.parametrize(
    "meters, expected",
    [
        (((0, 4, 4), (8, 3, 4)), {}),
        (((0, 4, 4), (4, 4, 4), (8, 3, 4), (8, 6, 8)), {}),
        (((0, 11, 16),), {"meters_replaced": 1}),
        (((0, 11, 16), (8, 3, 4)), {"meters_replaced": 1}),
    ],
)
def test_meters_out_of_the_vocabulary_are_replaced(meters, expected):
    processor = MidiProcessor.from_tokenization("REMI", time_signature_range={4: [3, 4], 8: [6]})
    assert processor.tally(one_part(*[(beat, 1, 60, 64) for beat in range(24)], meters=meters)).changes == expected


def quantised_meters(processor, score, meters):
    """What the tokenizer would read if it wrote the notes as they are, and these meters."""
    quantised = processor.quantise(score)
    quantised.time_signatures = build_score(quantised.tpq, [], (), meters).time_signatures
    return quantised


@pytest.mark.parametrize(
    "written, expected",
    [
        (((0, 4, 4), (12, 3, 4)), {"meters_moved": 1}),
        (((0, 4, 4), (8, 3, 4)), {"meters_moved": 1}),
        (((0, 4, 4), (8, 2, 4), (10, 3, 4)), {}),
        (((0, 4, 4),), {"meters_replaced": 1}),
    ],
)
def test_a_change_of_meter_within_a_bar_has_moved_unless_a_shorter_bar_comes_before_it(ours, written, expected):
    score = one_part(*[(beat, 1, 60, 64) for beat in range(24)], meters=((0, 4, 4), (10, 3, 4)))
    quantised = quantised_meters(ours["REMI"], score, written)
    assert ours["REMI"].tally_quantised(score, quantised).changes == expected


def test_a_first_bar_that_is_cut_short_is_not_replaced(ours):
    score = one_part(*[(beat, 1, 60, 64) for beat in range(24)], meters=((0, 4, 4), (1, 3, 4)))
    assert not ours["REMI"].tally_quantised(score, quantised_meters(ours["REMI"], score, ((0, 1, 4), (1, 3, 4))))


def test_tempos_are_clamped_where_the_nearest_is_further_than_half_a_step():
    processor = MidiProcessor.from_tokenization("REMI", tempo_range=(40, 200), num_tempos=17)
    tempos = ((0, 36), (1, 34), (2, 34), (3, 123.4), (4, 204), (5, 300), (6, 206))
    assert processor.tally(one_part((0, 8, 60, 64), tempos=tempos)).changes == {"tempos_clamped": 3}


def test_what_structured_does_not_write_is_counted(ours):
    note = (0, 1, 60, 64)
    tally = ours["Structured"].tally
    assert not tally(one_part(note))
    assert tally(one_part(note, tempos=((0, 90),), meters=((0, 3, 4),))).changes == {
        "meters_unwritten": 1,
        "tempos_unwritten": 1,
    }
    changing = one_part(note, tempos=((0, 120), (4, 90), (8, 120)), meters=((0, 4, 4), (4, 4, 4), (8, 3, 4)))
    assert tally(changing).changes == {"meters_unwritten": 1, "tempos_unwritten": 2}


def test_silences_that_structured_cuts_or_rounds_are_counted():
    processor = MidiProcessor.from_tokenization("Structured", beat_res={(0, 4): 8, (4, 8): 2})
    score = one_part((1, 1, 60, 64), (21, 1, 62, 64), (26.25, 1, 64, 64), (27, 1, 64, 64))
    assert processor.tally(score).changes == {"silences_changed": 2, "silence_changed": 12.25}
    first, _, third, last = (onset for onset, *_ in note_list(processor.decode(processor.encode(score))))
    assert first == 1 and abs(third - 14.25) == 0.25 and last == 15


def test_a_tokenizer_without_programs_merges_them_and_leaves_drums_out(ours):
    score = build_score(480, [(0, [(0, 1, 60, 64)]), (40, [(1, 1, 60, 64)]), (73, [(1, 1, 62, 64)])])
    assert ours["TSD-solo"].tally(score).changes == {"programs_merged": 2}
    score.tracks.extend(build_score(480, [(DRUMS, [(0, 2, 36, 64)])]).tracks)
    assert ours["TSD-solo"].tally(score).changes == {
        "sounding_time_lost": 2,
        "dropped_programs": 1,
        "programs_merged": 2,
    }


def test_programs_that_have_no_token_are_counted():
    processor = MidiProcessor.from_tokenization("REMI", programs=[-1, 0])
    tally = processor.tally(build_score(480, [(0, [(0, 1, 60, 64)]), (40, [(0, 3, 60, 64), (0, 1, 2, 64)])]))
    assert tally.changes == {"sounding_time_lost": 4, "dropped_programs": 2}


def test_lengths_that_are_not_written_are_those_that_decoding_gives():
    processor = MidiProcessor.from_tokenization("REMI", use_note_duration_programs=list(range(128)))
    score = build_score(480, [(DRUMS, [(0, 2, 36, 64), (4, 0.25, 38, 64)])])
    tally = processor.tally(score)
    assert tally.changes == {"sounding_time_lost": 1.5, "lengths_cut": 1, "length_cut": 1.5}
    assert [note[1] for note in note_list(processor.decode(processor.encode(score)))] == [0.5, 0.5]


@pytest.mark.parametrize("name", WITHOUT_PROGRAMS)
def test_of_a_piece_without_notes_nothing_is_lost(name):
    processor = MidiProcessor.from_music_tokenizer(miditok_tokenizer(name, use_programs=False))
    assert processor.tally(build_score(480, [(0, [])])) == Tally()


@pytest.mark.parametrize("name", sorted(SCORES))
def test_every_tokenizer_of_miditok_keeps_as_many_notes_as_the_tally_says(name):
    for tokenization in ONE_STREAM:
        processor = MidiProcessor.from_music_tokenizer(miditok_tokenizer(tokenization, use_programs=True))
        score = SCORES[name]()
        quantised = processor.quantise(score)
        tally = processor.tally_quantised(score, quantised)
        dropped = sum(count for change, count in tally.changes.items() if change.startswith("dropped"))
        assert tally.notes - dropped == tally.notes_kept == quantised.note_num(), tokenization
        assert 0 <= tally.sounding_time_lost <= tally.sounding_time


def test_a_trained_tokenizer_changes_what_its_base_tokens_change(trained_processors, processors):
    for name in ("long_notes_and_gaps", "duplicates", "meters_out_of_vocabulary"):
        score = SCORES[name]()
        assert trained_processors("REMI", "BPE").tally(score) == processors["REMI"].tally(score)


def test_tallies_add_up_go_through_json_and_say_themselves():
    one = Tally(100, 97, 60.0, 0.5, dropped_drum_keys=3, lengths_cut=1, length_cut=0.5)
    two = Tally(2000, 1999, 440.0, 0.1, dropped_duplicates=1, meters_replaced=2)
    total = sum([one, two], Tally())
    assert total == Tally(2100, 2096, 500.0, 0.6, 0, 3, 1, lengths_cut=1, length_cut=0.5, meters_replaced=2)
    assert Tally.from_dict(total.to_dict()) == total and "tempos_clamped" not in total.to_dict()
    assert str(total) == (
        "lost 0.12% of sounding time; 3 drum keys dropped, 1 duplicate dropped, 1 length cut, 2 meters replaced"
    )
    assert str(Tally(5, 5, 3.0)) == "lost 0.00% of sounding time" and not Tally(5, 5, 3.0)


def test_a_meter_that_is_there_from_the_start_is_compared_with_those_written(ours):
    score = one_part((0, 8, 60, 64), meters=((0, 3, 4),))
    for written, expected in ((((0, 4, 4), (3, 3, 4)), {"meters_moved": 1}), (((0, 2, 4),), {"meters_replaced": 1})):
        assert ours["REMI"].tally_quantised(score, quantised_meters(ours["REMI"], score, written)).changes == expected
