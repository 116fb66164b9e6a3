"""Small scores drawn to aim at every rule of a tokenizer: what is rare in music is common here."""

from symusic import Note, Score, Tempo, TimeSignature, Track

DENOMINATORS = (1, 2, 4, 8, 16, 32)
CHORDS = ((0, 4, 7), (0, 3, 7), (0, 3, 6), (0, 5, 7), (0, 4, 7, 10), (0, 4, 7, 11, 14), (0, 1, 2), (0, 12, 30))
PROGRAMS = (0, 0, 0, 1, 33, 40, 127, -1, -1)


def draw_score(rng):
    """
    A score of up to about 60 notes.

    Args:
        rng (`random.Random`): of the draw.
    """
    tpq = rng.choice((480, 384, 220, 96, 24, 16, 32, 8, 5, 1, 1568, 352))
    length = rng.choice((1, 4, 16, 60)) * tpq
    step = max(1, tpq // rng.choice((1, 2, 3, 4, 8, 16, 32)))

    def tick(end=length):
        time = rng.randrange(end + 1)
        return time if rng.random() < 0.3 else time // step * step

    score = Score(tpq)
    for _ in range(rng.choice((0, 1, 2, 3, 4, 5))):
        program = rng.choice(PROGRAMS)
        score.tracks.append(Track("", max(program, 0), program < 0, notes=_notes(rng, tpq, tick)))
    if rng.random() < 0.1:  # a rest beyond the longest shift
        for track in score.tracks:
            for note in track.notes:
                note.time += (note.time > length // 2) * rng.choice((300, 700)) * tpq
    score.time_signatures = _meters(rng, tpq, tick)
    score.tempos = [
        Tempo(0 if rng.random() < 0.2 else tick(), rng.choice((120, rng.uniform(5, 400))))
        for _ in range(rng.choice((0, 1, 1, 2, 3, 40)))
    ]
    return score.sort(inplace=False)


def _notes(rng, tpq, tick):
    notes = []
    for _ in range(rng.choice((0, 1, 2, 4, 8, 16))):
        time, length = tick(), _length(rng, tpq)
        pitches = [rng.choice((0, 20, 21, 60, 60, 61, 108, 109, 127, rng.randrange(128)))]
        if rng.random() < 0.5:
            pitches = [pitches[0] + interval for interval in rng.choice(CHORDS)]
            rng.random() < 0.2 and rng.shuffle(pitches)
        for pitch in pitches:
            if rng.random() < 0.2:  # an arpeggio, or a duplicate
                time, length = time + rng.choice((0, 1, tpq // 16, tpq // 8)), _length(rng, tpq)
            velocity = rng.choice((0, 1, 64, 127, rng.randrange(128)))
            notes += [Note(time, length, min(pitch, 127), velocity)] * rng.choice((1, 1, 1, 1, 2))
            if rng.random() < 0.1:
                notes.append(Note(time, _length(rng, tpq), min(pitch, 127), rng.randrange(128)))
    return notes


def _length(rng, tpq):
    return rng.choice(
        (0, 1, tpq // 4, tpq // 2, tpq, 2 * tpq, rng.randrange(9 * tpq), rng.choice((30, 300, 600)) * tpq)
    )


def _meters(rng, tpq, tick):
    meters = []
    for _ in range(rng.choice((0, 1, 1, 2, 3, 6))):
        numerator, denominator = rng.choice((1, 2, 3, 4, 5, 6, 7, 9, 12, 16)), rng.choice(DENOMINATORS)
        if rng.random() < 0.3 and meters:
            numerator, denominator = meters[-1].numerator, meters[-1].denominator
        time = 0 if not meters and rng.random() < 0.7 else tick()
        if rng.random() < 0.3 and meters:  # at a bar line of the one before
            bar = 4 * tpq * meters[-1].numerator // meters[-1].denominator
            time = meters[-1].time + max(bar, 1) * rng.randrange(4) + rng.choice((0, 0, 0, 1, -1))
        meters.append(TimeSignature(max(time, 0), numerator, denominator))
    return sorted(meters, key=lambda meter: meter.time)
