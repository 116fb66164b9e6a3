"""Scores that stress a tokenizer, made in process, and what to compare of them."""

import random
from fractions import Fraction

from symusic import Note, Score, Tempo, TimeSignature, Track

DRUMS = -1


def build_score(tpq, parts, tempos=((0, 120),), meters=((0, 4, 4),)):
    """
    Args:
        tpq: ticks per quarter note.
        parts: pairs of a program (or `DRUMS`) and notes (onset, duration, pitch, velocity), times in quarter notes.
        tempos: pairs of onset in quarter notes and quarter notes a minute.
        meters: onset in quarter notes, numerator, denominator.
    """
    score = Score(tpq)
    score.tempos = [Tempo(round(time * tpq), qpm) for time, qpm in tempos]
    score.time_signatures = [TimeSignature(round(time * tpq), *meter) for time, *meter in meters]
    for program, notes in parts:
        track = Track("", max(program, 0), program == DRUMS)
        for onset, duration, pitch, velocity in notes:
            track.notes.append(Note(round(onset * tpq), max(1, round(duration * tpq)), pitch, velocity))
        score.tracks.append(track)
    return score.sort(inplace=False)


def random_score(seed, notes=60, tpq=480, drums=True, tempos=((0, 120),), meters=((0, 4, 4),), grid=Fraction(1, 4)):
    """Piano and a bass on a grid, with chords and rests, and a drum on every beat."""
    rng = random.Random(seed)
    piano, bass, time = [], [], Fraction(0)
    while len(piano) + len(bass) < notes:
        root = rng.randrange(48, 84)
        for interval in rng.choice([(0,), (0, 4, 7), (0, 3, 7), (0, 4, 7, 10)]):
            piano.append((time, rng.choice((1, 2, 4)) * grid, root + interval, rng.randrange(30, 120)))
        if rng.random() < 0.5:
            bass.append((time, 4 * grid, root - 24, rng.randrange(30, 120)))
        time += rng.choice((1, 2, 3)) * grid
    parts = [(0, piano), (33, bass)]
    if drums:
        parts.append((DRUMS, [(beat, Fraction(1, 4), 36 + beat % 3, 100) for beat in range(int(time))]))
    return build_score(tpq, parts, tempos, meters)


def free_notes(seed, count, length, pitches=(30, 100)):
    """Notes off any grid."""
    rng = random.Random(seed)
    return [
        (rng.uniform(0, length), rng.uniform(0.05, 3), rng.randrange(*pitches), rng.randrange(1, 128))
        for _ in range(count)
    ]


def _band():
    chords = [(4 * bar, 4, pitch, 70) for bar in range(8) for pitch in (48 + bar, 52 + bar, 55 + bar)]
    beat = [(beat / 2, 0.25, 42 if beat % 2 else 36, 90 + beat % 7) for beat in range(64)]
    parts = [(0, chords), (0, free_notes(1, 60, 32)), (33, free_notes(2, 40, 32, (28, 50))), (DRUMS, beat)]
    return build_score(480, [*parts, (73, free_notes(3, 50, 32)), (DRUMS, free_notes(4, 30, 32, (35, 60)))])


def _many_meters():
    meters = ((0, 4, 4), (8, 6, 8), (14, 3, 4), (20, 7, 8), (27, 2, 4), (31, 12, 8), (37, 5, 4))
    tempos = ((0, 120), (5.5, 90), (8, 140), (14, 60), (33.25, 200))
    parts = [(0, free_notes(5, 150, 50)), (40, free_notes(6, 60, 50)), (DRUMS, free_notes(7, 60, 50, (35, 60)))]
    return build_score(384, parts, tempos, meters)


def _rubato():
    rng = random.Random(8)
    tempos = [(0, 117.3)] + [(rng.uniform(0, 40), rng.uniform(15, 320)) for _ in range(80)]
    return build_score(480, [(0, free_notes(9, 120, 40))], sorted(tempos))


def _long_notes_and_gaps():
    notes = [(25, 30, 60, 80), (25, 1, 64, 80), (70, 2, 65, 80), (82, 1, 66, 80), (94.5, 0.5, 67, 80)]
    drums = [(300, 0.25, 38, 100), (301, 20, 38, 100)]
    return build_score(480, [(0, notes), (DRUMS, drums)], tempos=((0, 100), (200, 80)))


def _every_meter():
    """Each for a bar and a half: half of the bars are cut short."""
    meters, time = [], Fraction(0)
    ordinary = [(n, d) for d in (2, 4, 8, 16) for n in (1, 2, 3, 5, 6, 7, 9, 11, 12, 15) if d > 2 or n < 7]
    for numerator, denominator in ordinary:
        meters.append((time, numerator, denominator))
        time += Fraction(max(1, 3 * numerator // 2), denominator) * 4
    return build_score(
        480, [(0, free_notes(12, 200, float(time))), (DRUMS, free_notes(13, 60, 60, (0, 127)))], meters=meters
    )


def _long_notes_in_eighths():
    notes = [(70 * step, 2.0**step, 60 + step, 80) for step in range(7)]
    drums = [(key * 2.25, 0.25, key, 100) for key in range(128)]
    return build_score(480, [(0, notes), (DRUMS, drums)], meters=((0, 6, 8), (200, 7, 16), (300.5, 2, 2)))


def _duplicates():
    twice = [(onset, length, 60, velocity) for onset in range(8) for length, velocity in ((1, 50), (1, 90), (2, 50))]
    return build_score(220, [(0, twice), (0, twice), (40, twice), (DRUMS, twice)])


SCORES = {
    "chords_tpq_480": lambda: random_score(1, drums=False),
    "band": _band,
    "waltz_tpq_220": lambda: random_score(2, tpq=220, meters=((0, 3, 4),), tempos=((0, 140),)),
    "jig_tpq_96": lambda: random_score(3, tpq=96, meters=((0, 6, 8),), tempos=((0, 180),), grid=Fraction(1, 2)),
    "triplets_tpq_384": lambda: random_score(4, tpq=384, grid=Fraction(1, 3)),
    "many_meters": _many_meters,
    "late_meter_and_tempo": lambda: random_score(5, meters=((8, 3, 4),), tempos=((6, 70), (9, 70))),
    "meters_out_of_vocabulary": lambda: random_score(6, meters=((0, 11, 16), (8, 3, 4), (14, 2, 2))),
    "rubato": _rubato,
    "long_notes_and_gaps": _long_notes_and_gaps,
    "every_meter": _every_meter,
    "long_notes_in_eighths": _long_notes_in_eighths,
    "duplicates": _duplicates,
    "extreme_pitches": lambda: build_score(480, [(0, [(i / 4, 1, i, 1 + i % 127) for i in range(128)])]),
    "drums_only": lambda: build_score(480, [(DRUMS, free_notes(10, 80, 20, (35, 60)))]),
    "neither_tempo_nor_meter": lambda: build_score(480, [(12, free_notes(11, 40, 20))], (), ()),
}


def note_list(score):
    """(onset, duration, pitch, velocity, program) of every note, sorted; times in quarter notes, drums are -1."""
    return sorted(
        (
            Fraction(note.time, score.tpq),
            Fraction(note.duration, score.tpq),
            note.pitch,
            note.velocity,
            DRUMS if track.is_drum else track.program,
        )
        for track in score.tracks
        for note in track.notes
    )


def tempo_list(score):
    """(onset in quarter notes, quarter notes a minute) of every tempo change."""
    return [(Fraction(tempo.time, score.tpq), round(tempo.qpm, 2)) for tempo in score.tempos]


def meter_list(score):
    """(onset in quarter notes, numerator, denominator) of every time signature."""
    return [(Fraction(meter.time, score.tpq), meter.numerator, meter.denominator) for meter in score.time_signatures]


def clip_gaps(notes, longest):
    """The notes of `note_list`, their onsets `longest` apart at most, and the first one no later than that."""
    moved, previous, now = {}, Fraction(0), Fraction(0)
    for onset in sorted({note[0] for note in notes}):
        now += min(onset - previous, longest)
        moved[onset], previous = now, onset
    return sorted((moved[onset], *rest) for onset, *rest in notes)
