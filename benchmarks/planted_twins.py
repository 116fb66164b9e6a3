"""Copies of a piece as people make them, that a detector of twins is to find again."""

from collections.abc import Callable, Sequence

import numpy as np
from symusic import Note, Score, Tempo, Track
from symusic.core import ScoreTick

ONSET, DURATION, PITCH, VELOCITY = range(4)
FIELDS = ("time", "duration", "pitch", "velocity")
PIANO, GUITAR, CELLO, FLUTE = 0, 24, 42, 73
SHORTEST_TUNE = 24
"""Notes, of what is to be recognised."""

Tracks = list[np.ndarray]
"""Notes of each track but drums, by onset and falling pitch: `int64` arrays of shape `(notes, 4)`."""

Planting = Callable[[ScoreTick, np.random.Generator, Sequence[ScoreTick]], ScoreTick | None]
"""Makes a copy of a piece, at random, with parts of strangers; `None` of a piece it is not possible of."""


def tracks_of(score: ScoreTick) -> Tracks:
    """The notes of a score."""
    fields = [track.notes.numpy() for track in score.tracks if not track.is_drum and len(track.notes)]
    return [in_order(np.stack([each[name] for name in FIELDS], axis=1).astype(np.int64)) for each in fields]


def score_of(tracks: Tracks, like: ScoreTick, programs: Sequence[int] = (PIANO,)) -> ScoreTick:
    """A score of these notes, in the ticks, tempo and meter of another; programs are used in turn."""
    score = Score(like.tpq)
    score.tempos, score.time_signatures = like.tempos.copy(), like.time_signatures.copy()
    for number, notes in enumerate(tracks):
        kept = notes[(notes[:, PITCH] >= 0) & (notes[:, PITCH] < 128) & (notes[:, ONSET] >= 0)]
        columns = np.maximum(in_order(kept), (0, 1, 0, 1)).T.astype(np.int32)
        bounded = [*columns[:PITCH], *columns[PITCH:].astype(np.int8)]
        track = Track(program=programs[number % len(programs)])
        track.notes = Note.from_numpy(*map(np.ascontiguousarray, bounded), "tick")
        score.tracks.append(track)
    return score


def in_order(notes: np.ndarray) -> np.ndarray:
    return notes[np.lexsort((-notes[:, PITCH], notes[:, ONSET]))]


def merged(tracks: Tracks) -> np.ndarray:
    return in_order(np.concatenate([np.zeros((0, 4), np.int64), *tracks]))


def is_melody(notes: np.ndarray) -> np.ndarray:
    """Which notes, in order, are the highest that sound when they begin."""
    highest = np.zeros(len(notes), bool)
    sounding: list[tuple[int, int]] = []
    for index, (onset, duration, pitch, _) in enumerate(notes.tolist()):
        sounding = [(end, other) for end, other in sounding if end > onset]
        highest[index] = all(other < pitch for _, other in sounding)
        sounding.append((onset + duration, pitch))
    return highest


def melody_and_rest(score: ScoreTick) -> tuple[np.ndarray, np.ndarray]:
    """The highest voice of the track that is the highest most often, and all other notes."""
    tracks = tracks_of(score)
    notes, track = np.concatenate(tracks), np.repeat(np.arange(len(tracks)), list(map(len, tracks)))
    order = np.lexsort((-notes[:, PITCH], notes[:, ONSET]))
    leading = int(np.bincount(track[order][is_melody(notes[order])]).argmax())
    top = is_melody(tracks[leading])
    rest = [tracks[leading][~top], *tracks[:leading], *tracks[leading + 1 :]]
    return tracks[leading][top], merged(rest)


def in_ticks(notes: np.ndarray, of: ScoreTick, like: ScoreTick) -> np.ndarray:
    """Notes of one score in the ticks of another."""
    return np.concatenate([notes[:, :PITCH] * like.tpq // of.tpq, notes[:, PITCH:]], axis=1)


def moved(notes: np.ndarray, onset: int | np.ndarray = 0, pitch: int | np.ndarray = 0) -> np.ndarray:
    """Notes at another time or pitch."""
    changed = notes.copy()
    changed[:, ONSET] += onset
    changed[:, PITCH] += pitch
    return changed


def end_of(tracks: Tracks) -> int:
    return max(int((notes[:, ONSET] + notes[:, DURATION]).max()) for notes in tracks)


def transposed(score, random, strangers):
    """By up to a fifth."""
    semitones = random.choice([-6, -5, -3, -2, -1, 1, 2, 3, 4, 5, 7])
    return score_of([moved(notes, pitch=semitones) for notes in tracks_of(score)], score)


def other_tempo(score, random, strangers):
    """Half as fast again: the ticks are the same."""
    copy = score_of(tracks_of(score), score)
    copy.tempos = [Tempo(tempo.time, tempo.qpm * 1.5) for tempo in score.tempos] or [Tempo(0, 180)]
    return copy


def other_ticks(score, random, strangers):
    """220 a quarter, whatever they were."""
    return score_of(tracks_of(score), score).resample(tpq=220, min_dur=1)


def values_doubled(score, random, strangers):
    """Twice as long on paper."""
    return score_of([notes * np.array([2, 2, 1, 1]) for notes in tracks_of(score)], score)


def values_divided(score, random, strangers):
    """An eighth as long on paper, as by a wrong division."""

    def shorter(notes):
        return np.maximum(np.round(notes / np.array([8, 8, 1, 1])).astype(np.int64), (0, 1, 0, 1))

    return score_of([shorter(notes) for notes in tracks_of(score)], score)


def held_to_the_bar(score, random, strangers):
    """All notes last to the next bar line, of four quarters, as by a pedal that is written as length."""

    def held(notes):
        lasting = notes.copy()
        bar = 4 * score.tpq
        lasting[:, DURATION] = np.maximum(notes[:, DURATION], bar - notes[:, ONSET] % bar)
        return lasting

    return score_of([held(notes) for notes in tracks_of(score)], score)


def melody_in_tenor(score, random, strangers):
    """On one piano, the melody an octave lower: among, or below, what accompanies it."""
    melody, rest = melody_and_rest(score)
    return score_of([merged([moved(melody, pitch=-12), rest])], score)


def on_one_piano(score, random, strangers):
    """All tracks in one."""
    return score_of([merged(tracks_of(score))], score)


def hands_apart(score, random, strangers):
    """One piano in two tracks, above and below the C in the middle."""
    notes = merged(tracks_of(score))
    right = notes[:, PITCH] >= 60
    return score_of([notes[right], notes[~right]], score) if 0 < right.sum() < len(notes) else None


def ornamented(share: float) -> Planting:
    """So many of the notes get a grace note, a trill, or a passing note to the next one."""

    def plant(score, random, strangers):
        return score_of([ornament(notes, share, score.tpq, random) for notes in tracks_of(score)], score)

    return plant


def ornament(notes: np.ndarray, share: float, tpq: int, random: np.random.Generator) -> np.ndarray:
    made = []
    following = np.append(notes[1:, PITCH], notes[-1:, PITCH])
    for note, after in zip(notes.tolist(), following.tolist(), strict=True):
        onset, duration, pitch, velocity = note
        kind = random.choice(["grace", "trill", "passing"])
        part = duration // 8
        if random.random() >= share or duration * 4 < tpq or part < 1:
            made.append(note)
        elif kind == "grace":
            made += [[onset, part, pitch + 2, velocity], [onset + part, duration - part, pitch, velocity]]
        elif kind == "trill":
            made += [[onset + step * part, part, pitch + 2 * (step % 2), velocity] for step in range(4)]
            made.append([onset + 4 * part, duration - 4 * part, pitch, velocity])
        else:
            between = pitch + int(np.sign(after - pitch or 1)) * 2
            made += [
                [onset, duration // 2, pitch, velocity],
                [onset + duration // 2, duration // 2, between, velocity],
            ]
    return np.array(made)


def repeated(score, random, strangers):
    """Half of the notes are struck twice."""

    def struck_twice(notes):
        twice = notes[(random.random(len(notes)) < 0.5) & (notes[:, DURATION] > 1)] // (1, 2, 1, 1)
        return merged([notes, moved(twice, onset=twice[:, DURATION])])

    return score_of([struck_twice(notes) for notes in tracks_of(score)], score)


def cut(begin: float, end: float) -> Planting:
    """A part of the piece, as shares of its length."""

    def plant(score, random, strangers):
        tracks = tracks_of(score)
        length = end_of(tracks)
        first, last = int(begin * length), int(end * length)
        within = [notes[(notes[:, ONSET] >= first) & (notes[:, ONSET] < last)] for notes in tracks]
        kept = [moved(notes, onset=-first) for notes in within if len(notes)]
        return score_of(kept, score) if max(map(len, kept), default=0) >= SHORTEST_TUNE else None

    return plant


def other_instruments(score, random, strangers):
    """Tracks in another order, by other players, with drums."""
    copy = score_of(tracks_of(score)[::-1], score, (GUITAR, CELLO, FLUTE))
    drums = Track(program=0, is_drum=True)
    beats = range(0, copy.end(), score.tpq)
    drums.notes = [Note(beat, score.tpq // 4, 36 + 2 * (index % 2), 90) for index, beat in enumerate(beats)]
    copy.tracks.insert(0, drums)
    return copy


def in_a_medley(score, random, strangers):
    """The third of five pieces that follow each other."""
    played, time = [], 0
    for part in (*strangers[:2], score, *strangers[2:4]):
        tracks = [in_ticks(notes, part, score) for notes in tracks_of(part)]
        played += [moved(notes, onset=time) for notes in tracks]
        time += end_of(tracks)
    return score_of(played, score)


def other_harmony(score, random, strangers):
    """The melody alone is kept, on one piano with other chords, one every two beats."""
    melody, _ = melody_and_rest(score)
    beats = np.arange(0, end_of([melody]), 2 * score.tpq)
    roots = 36 + random.choice([0, 2, 4, 5, 7, 9], len(beats))
    chords = [
        np.stack([beats, np.full_like(beats, 2 * score.tpq), roots + third, np.full_like(beats, 60)], axis=1)
        for third in (0, 4, 7)
    ]
    return score_of([merged([melody, *chords])], score)


def other_melody(score, random, strangers):
    """What accompanies is kept, and has the melody of a stranger."""
    _, rest = melody_and_rest(score)
    melody, _ = melody_and_rest(strangers[0])
    return score_of([in_ticks(melody, strangers[0], score), rest], score) if len(rest) >= 2 * SHORTEST_TUNE else None


def played(score, random, strangers):
    """Onsets up to 20 ms early or late, and chords from the bass up, 10 ms a note."""
    tempo = score.tempos[0].qpm if score.tempos else 120
    second = score.tpq * tempo / 60

    def touched(notes):
        from_bass = np.lexsort((notes[:, PITCH], notes[:, ONSET]))
        notes = notes[from_bass]
        begins = np.flatnonzero(np.diff(notes[:, ONSET], prepend=-1) != 0)
        rank = np.arange(len(notes)) - np.repeat(begins, np.diff(np.append(begins, len(notes))))
        delay = 0.01 * np.minimum(rank, 4) + random.uniform(-0.02, 0.02, len(notes))
        late = moved(notes, onset=np.round((delay + 0.02) * second).astype(np.int64))
        late[:, DURATION] = np.maximum(late[:, DURATION] * random.uniform(0.7, 1.05, len(notes)), 1)
        return late

    return score_of([touched(notes) for notes in tracks_of(score)], score)


def bar_inserted(score, random, strangers):
    """Four beats of something else in the middle."""
    tracks = tracks_of(score)
    bar = 4 * score.tpq
    middle = end_of(tracks) // 2
    steps = np.arange(8)

    def longer(notes):
        other = np.stack(
            [middle + steps * bar // 8, np.full(8, bar // 8), random.integers(48, 84, 8), np.full(8, 80)], 1
        )
        return merged([moved(notes, onset=bar * (notes[:, ONSET] >= middle)), other])

    return score_of([longer(notes) for notes in tracks], score)


PLANTINGS: dict[str, Planting] = {
    "transposed": transposed,
    "other tempo": other_tempo,
    "other ticks": other_ticks,
    "note values doubled": values_doubled,
    "note values by 8": values_divided,
    "held to the bar line": held_to_the_bar,
    "melody in the tenor": melody_in_tenor,
    "on one piano": on_one_piano,
    "hands apart": hands_apart,
    "ornamented, 10%": ornamented(0.1),
    "ornamented, 20%": ornamented(0.2),
    "notes struck twice": repeated,
    "first half": cut(0, 0.5),
    "last third": cut(2 / 3, 1),
    "other instruments, drums": other_instruments,
    "in a medley of five": in_a_medley,
    "other harmony": other_harmony,
    "other melody": other_melody,
    "played": played,
    "a bar inserted": bar_inserted,
}
