"""New notes in a copy of a score: what is asked for changes, by the rules, and nothing else."""

import numpy as np
import pytest
from symusic import (
    ControlChange,
    KeySignature,
    Note,
    Pedal,
    PitchBend,
    Score,
    Tempo,
    TextMeta,
    TimeSignature,
    Track,
)

from neuromusic_hf.music import replace_notes

EVENTS = ("tempos", "time_signatures", "key_signatures", "markers")
TRACK_EVENTS = ("controls", "pitch_bends", "pedals", "lyrics")
START, END = 384, 768


def score_of(*tracks, ticks=96) -> Score:
    """Tracks are `(program, notes)`, of drums -1; notes `(onset, duration, pitch)` or with a velocity."""
    score = Score(ticks)
    for program, notes in tracks:
        track = Track(f"track of {program}", max(program, 0), program < 0)
        for onset, duration, pitch, *velocity in notes:
            track.notes.append(Note(onset, duration, pitch, *(velocity or [100])))
        score.tracks.append(track)
    return score


def notes_in(score):
    """By track: program, and onset, duration, pitch and velocity of each note in the order of the score."""
    return [
        (
            -1 if track.is_drum else track.program,
            [(note.time, note.duration, note.pitch, note.velocity) for note in track.notes],
        )
        for track in score.tracks
    ]


def others_in(score):
    """All of a score but its notes."""
    tracks = [
        (track.name, track.program, track.is_drum, *(list(getattr(track, kind)) for kind in TRACK_EVENTS))
        for track in score.tracks
    ]
    return score.tpq, tracks, *(list(getattr(score, kind)) for kind in EVENTS)


def drawn(random, programs, ticks=96, length=1152, count=40) -> Score:
    """Notes of few pitches, so that they meet."""
    columns = (random.integers(0, length, count), random.integers(1, 200, count), random.integers(60, 64, count))
    velocities = random.integers(1, 128, count).tolist()
    notes = list(zip(*(column.tolist() for column in columns), velocities, strict=True))
    return score_of(
        *((program, sorted(notes[index :: len(programs)])) for index, program in enumerate(programs)), ticks=ticks
    )


def rich(score: Score) -> Score:
    """With all that a score may hold."""
    score.tempos.extend([Tempo(0, 100), Tempo(400, 77.3)])
    score.time_signatures.extend([TimeSignature(0, 7, 8), TimeSignature(336, 2, 2)])
    score.key_signatures.append(KeySignature(0, -3, 1))
    score.markers.append(TextMeta(500, "Übergang"))
    for place, track in enumerate(score.tracks):
        track.controls.extend(
            [ControlChange(400 + place, 7, 90), ControlChange(410, 64, 127), ControlChange(600, 64, 0)]
        )
        track.pedals.append(Pedal(410, 190))
        track.pitch_bends.append(PitchBend(420, -300))
        track.lyrics.append(TextMeta(430, "la"))
    return score


def by_the_rules(score, new, programs):
    """The notes that stay, go and come, with their programs, found one by one; and the counts."""
    counts = dict.fromkeys(
        ("added", "removed", "shortened", "moved", "outside", "other_program", "sounding", "doubled"), 0
    )
    kept, gone, come = [], [], []
    for program, notes in notes_in(score):
        for note in notes:
            if START <= note[0] < END and (programs is None or program in programs):
                gone.append((program, *note))
            else:
                kept.append((program, *note))
    for program, notes in notes_in(new):
        for onset, duration, pitch, velocity in notes:
            if not 0 <= onset * score.tpq < (END - START) * new.tpq:
                counts["outside"] += 1
                continue
            if programs is not None and program not in programs:
                counts["other_program"] += 1
                continue
            begin, end = (
                START + int(np.floor(tick * score.tpq / new.tpq + 0.5)) for tick in (onset, onset + duration)
            )
            if begin == END:
                begin -= 1
                counts["moved"] += 1
            end = max(end, begin + 1)
            same = [note for note in kept if (note[0], note[3]) == (program, pitch)]
            if any(note[1] == begin or program >= 0 and note[1] <= begin < note[1] + note[2] for note in same):
                counts["sounding"] += 1
            else:
                come.append((program, begin, end - begin, pitch, velocity))
    come.sort(key=lambda note: (note[0], note[3], note[1], -note[2]))
    fitted = []
    for note in come:
        if fitted and (note[0], note[1], note[3]) == (fitted[-1][0], fitted[-1][1], fitted[-1][3]):
            counts["doubled"] += 1
        else:
            fitted.append(note)
    result = []
    for program, begin, duration, pitch, velocity in fitted:
        struck = [note[1] for note in kept + fitted if (note[0], note[3]) == (program, pitch) and note[1] > begin]
        longest = min(struck, default=2**31) - begin
        counts["shortened"] += duration > longest
        result.append((program, begin, min(duration, longest), pitch, velocity))
    counts |= {"added": len(result), "removed": len(gone)}
    return kept, gone, result, counts


def flat(score):
    return sorted((program, *note) for program, notes in notes_in(score) for note in notes)


@pytest.mark.parametrize("ticks", [96, 480, 12, 7])
@pytest.mark.parametrize(
    "programs", [None, frozenset({0}), frozenset({-1, 40})], ids=["all", "piano", "drums and new"]
)
def test_notes_come_and_go_by_the_rules(programs, ticks):
    random = np.random.default_rng(ticks)
    for _ in range(20):
        score = rich(drawn(random, [0, -1, 0, 32]))
        new = drawn(random, [0, -1, 40], ticks, length=5 * ticks, count=30)
        before, others = notes_in(score), others_in(score)
        replaced = replace_notes(score, START, END, new, programs)
        kept, gone, come, counts = by_the_rules(score, new, programs)
        assert replaced.counts == counts
        assert flat(replaced.added) == sorted(come)
        assert flat(replaced.score) == sorted(kept + come)
        assert flat(replaced.removed) == sorted(gone)
        assert (notes_in(score), others_in(score)) == (before, others), "the score given is changed"


@pytest.mark.parametrize("programs", [None, {0}, {7, -1}])
def test_all_but_the_notes_asked_for_is_as_it_was(programs):
    random = np.random.default_rng(5)
    score = rich(drawn(random, [0, -1, 0, 32]))
    score.tracks.insert(0, Track("a title"))
    new = drawn(random, [0, 7, -1])
    result = replace_notes(score, START, END, new, programs).score
    found, expected = others_in(result), others_in(score)
    assert found[1][: len(expected[1])] == expected[1]
    assert (found[0], *found[2:]) == (expected[0], *expected[2:])
    for (program, after), (_, before) in zip(notes_in(result), notes_in(score), strict=False):
        asked = programs is None or program in programs
        outside = [note for note in before if not (asked and START <= note[0] < END)]
        assert [note for note in after if note in outside] == outside
        assert asked or after == before


def hosts(tracks, new):
    """In which track each new note of a piano is; tracks hold notes."""
    result = replace_notes(score_of(*((0, notes) for notes in tracks)), START, END, score_of((0, new))).score
    there = {note[:3]: index for index, (_, notes) in enumerate(notes_in(result)) for note in notes}
    return [there[START + onset, duration, pitch] for onset, duration, pitch in new]


def test_new_notes_go_to_the_track_of_the_nearest_note_removed_else_of_the_nearest_around_else_anywhere():
    far, near, inside, new = [(5000, 9, 60)] * 5, [(200, 9, 60)] * 2, [(400, 9, 60)], [(0, 10, 72)]
    assert hosts([far + near, inside, near], new) == [1]
    assert hosts([far, near, far], new) == [1]
    assert hosts([[(6000, 9, 60)], far], new) == [1]
    assert hosts([inside, inside], new) == [0]
    assert hosts([[(200, 9, 71)], inside], new) == [1]


def test_of_the_notes_removed_the_nearest_in_pitch_and_then_in_time_decides():
    right, left = [(384, 90, 72), (480, 90, 60), (700, 60, 76)], [(384, 90, 40), (576, 90, 60)]
    new = [(0, 9, 75), (0, 9, 43), (100, 9, 60), (190, 9, 60), (300, 9, 52), (301, 9, 49)]
    assert hosts([right, left], new) == [0, 1, 0, 1, 1, 1]
    drums = score_of((-1, [(400, 1, 36), (500, 1, 38)]), (-1, [(400, 1, 42)]), (0, [(400, 1, 42)]))
    result = replace_notes(drums, START, END, score_of((-1, [(0, 1, 35), (0, 1, 44)]))).score
    assert [[note[2] for note in notes] for _, notes in notes_in(result)] == [[35], [44], []]


@pytest.mark.parametrize("seed", range(8))
def test_a_span_gets_its_own_notes_back_in_the_tracks_they_were_in(seed):
    """No two tracks of a program are in unison here: of such a pair the one that comes first keeps the note."""
    random = np.random.default_rng(seed)
    programs, struck = [0, -1, 0, 32, -1, 0], set()
    score = score_of(*((program, []) for program in programs))
    for _ in range(200):
        index, onset, pitch = (int(random.integers(most)) for most in (len(programs), 1152, 127))
        if all((programs[index], pitch, onset + tick) not in struck for tick in range(-24, 25)):
            struck.add((programs[index], pitch, onset))
            score.tracks[index].notes.append(Note(onset, 24, pitch, 80))
    score.sort()
    back = score_of(*((program, []) for program in programs))
    for track, (_, notes) in zip(back.tracks, notes_in(score), strict=True):
        track.notes.extend([Note(onset - START, *rest) for onset, *rest in notes if START <= onset < END])
    result = replace_notes(score, START, END, back).score
    assert [sorted(notes) for _, notes in notes_in(result)] == [sorted(notes) for _, notes in notes_in(score)]


def test_a_program_that_no_track_plays_gets_one_with_its_name():
    score = score_of((0, [(400, 9, 60)]), (48, []))
    new = score_of((48, [(0, 9, 60)]), (-1, [(0, 9, 36)]), (24, []))
    result = replace_notes(score, START, END, new, {48, -1, 24}).score
    assert [(track.name, track.program, track.is_drum, len(track.notes)) for track in result.tracks] == [
        ("track of 0", 0, False, 1),
        ("track of 48", 48, False, 0),
        ("Drums", 0, True, 1),
        ("String Ensembles 1", 48, False, 1),
    ]


def test_a_track_that_was_emptied_keeps_its_place_and_plays_again():
    score = rich(score_of((5, [(400, 9, 60)]), (0, [(0, 9, 60)])))
    emptied = replace_notes(score, START, END, Score(96), {5}).score
    assert notes_in(emptied) == [(5, []), (0, [(0, 9, 60, 100)])] and others_in(emptied) == others_in(score)
    again = replace_notes(emptied, START, END, score_of((5, [(16, 9, 60)])), {5}).score
    assert notes_in(again) == notes_in(score) and others_in(again) == others_in(score)


def test_a_tie_over_a_seam_is_neither_cut_nor_doubled():
    score = score_of((0, [(300, 100, 60), (300, 84, 62), (768, 96, 64)]), (32, [(300, 100, 65)]))
    new = score_of((0, [(0, 50, 60), (0, 50, 62), (300, 200, 64), (0, 9, 65)]))
    replaced = replace_notes(score, START, END, new)
    assert notes_in(replaced.added) == [(0, [(384, 50, 62, 100), (384, 9, 65, 100), (684, 84, 64, 100)])]
    assert replaced.counts["sounding"] == replaced.counts["shortened"] == 1
    kept = [note for _, notes in notes_in(score) for note in notes]
    assert set(kept) <= {note for _, notes in notes_in(replaced.score) for note in notes}


def test_a_drum_that_rings_over_the_seam_may_be_struck_again_but_not_twice_at_once():
    score = score_of((-1, [(370, 100, 36), (370, 100, 38)]), (0, [(380, 99, 38)]))
    new = score_of((-1, [(0, 9, 36), (0, 9, 38)]))
    assert notes_in(replace_notes(score, START, END, new).added) == [(-1, [(384, 9, 36, 100), (384, 9, 38, 100)])]
    replaced = replace_notes(score, 360, END, score_of((-1, [(10, 9, 36)])), {0, -1})
    assert replaced.counts["removed"] == 3 and replaced.counts["added"] == 1
    kept = replace_notes(score, 371, END, score_of((-1, [(0, 9, 36)]), (0, [(9, 5, 38)])), {-1, 0})
    assert kept.counts["sounding"] == 0 and kept.counts["added"] == 2


def test_onsets_stay_within_the_span_where_the_nearest_tick_is_its_end():
    score = score_of((0, [(4, 9, 60)]), ticks=4)
    new = score_of((0, [(31, 32, 72), (32, 1, 73), (-1, 1, 74), (0, 1, 75)]), ticks=32)
    replaced = replace_notes(score, 0, 4, new)
    assert notes_in(replaced.added) == [(0, [(0, 1, 75, 100), (3, 5, 72, 100)])]
    assert replaced.counts["moved"] == 1 and replaced.counts["outside"] == 2


def test_notes_that_touch_still_touch_in_other_ticks():
    new = score_of((0, [(tick, 7, 60) for tick in range(0, 28, 7)]), ticks=7)
    (_, notes), *_ = notes_in(replace_notes(score_of((0, [])), 0, 384, new).added)
    assert [(onset, onset + duration) for onset, duration, *_ in notes] == [(0, 96), (96, 192), (192, 288), (288, 384)]
    new = score_of((0, [(tick, 1, 60) for tick in range(28)]), ticks=7)
    (_, notes), *_ = notes_in(replace_notes(score_of((0, [])), 0, 384, new).added)
    assert all(first[0] + first[1] == second[0] for first, second in zip(notes, notes[1:], strict=False))


def test_new_and_removed_notes_come_with_tempos_and_meters():
    score = rich(score_of((0, [(400, 9, 60)]), (1, [(0, 9, 60)])))
    replaced = replace_notes(score, START, END, score_of((1, [(0, 9, 61)])))
    for alone in (replaced.added, replaced.removed):
        assert alone.tempos == score.tempos and alone.time_signatures == score.time_signatures
    assert notes_in(replaced.removed) == [(0, [(400, 9, 60, 100)])]
    assert notes_in(replaced.added) == [(1, [(384, 9, 61, 100)])]


@pytest.mark.parametrize(
    "start, end, programs, message",
    [
        (-1, 5, None, "from tick -1 to 5"),
        (5, 5, None, "from tick 5 to 5"),
        (6, 5, None, "from tick 6 to 5"),
        (0, 5, frozenset(), "no programs"),
        (0, 5, {0, 128}, "no program 128"),
        (0, 5, {-2}, "no program -2"),
    ],
)
def test_a_span_or_programs_that_cannot_be_are_refused(start, end, programs, message):
    with pytest.raises(ValueError, match=message):
        replace_notes(Score(96), start, end, Score(96), programs)
