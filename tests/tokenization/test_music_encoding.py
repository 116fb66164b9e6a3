"""Arrays yield the very ids of miditok: of drawn scores that aim at every rule, in every setting that is known."""

import functools
import logging
import pickle
import random
from collections import Counter
from fractions import Fraction

import miditok
import numpy as np
import pytest
from datasets import Dataset, Features
from symusic import Note, Score, Tempo, TimeSignature, Track
from tiny import TOKENIZATIONS
from tokenization.drawn import draw_score
from tokenization.sample_scores import SCORES, build_score, random_score

from neuromusic_hf import MidiProcessor
from neuromusic_hf.corpora.code_identity import code_of_rooms
from neuromusic_hf.music import Midi, excerpt
from neuromusic_hf.music.score_arrays import ScoreArrays
from neuromusic_hf.tokenization import Variant, create_music_tokenizer, one_stream
from neuromusic_hf.tokenization.arrays import ArrayEncoder, BeyondArrays, tell_of_miditok, unknown_setting
from neuromusic_hf.tokenization.arrays.known import FREE
from neuromusic_hf.tokenization.music_encoding import MusicEncoder

FIELDS = ("programs", "track", "onset", "duration", "pitch", "velocity", "meters", "tempos")
METERS = {"time_signature_range": {4: [1, 2, 3, 4, 5, 6, 7], 8: [3, 5, 6, 7, 9, 12]}}
SETTINGS = {
    "no programs": {"use_programs": False},
    "some programs": {"programs": [0, 33, -1]},
    "no drums": {"programs": list(range(128))},
    "no chords": {"use_chords": False},
    "chords with roots": {"chord_tokens_with_root_note": True},
    "unknown chords": {"chord_tokens_with_root_note": True, "chord_unknown": (3, 6)},
    "own chords": {"chord_maps": {"fifths": (0, 7, 14), "cluster": (0, 1, 2), "major": (0, 4, 7)}},
    "no tempos": {"use_tempos": False},
    "tempos on a curve": {"log_tempos": True, "num_tempos": 32, "tempo_range": (40, 250)},
    "no meters": {"use_time_signatures": False},
    "few meters": METERS,
    "changes told again": {
        "delete_equal_successive_tempo_changes": False,
        "delete_equal_successive_time_sig_changes": False,
    },
    "drum tokens": {"use_pitchdrum_tokens": True, "drums_pitch_range": (27, 88)},
    "some pitches": {"pitch_range": (21, 109)},
    "duplicates kept": {"remove_duplicated_notes": False},
    "duplicates kept, no programs": {"remove_duplicated_notes": False, "use_programs": False},
    "no velocities": {"use_velocities": False},
    "every velocity": {"num_velocities": 127},
    "no durations": {"use_note_duration_programs": []},
    "durations of some": {"use_note_duration_programs": [0, 33, -1], "default_note_duration": 0.25},
    "coarse": {"beat_res": {(0, 4): 8, (4, 12): 4}},
    "uneven": {"beat_res": {(0, 1): 4, (1, 3): 12, (3, 8): 2}},
    "more specials": {"special_tokens": ["PAD", "BOS", "EOS", "MASK"]},
}
LEFT = dict.fromkeys(("no durations", "durations of some"), {"a note does not last a tick"})
"""Why drawn scores may be left to miditok, by setting; none may for another reason."""
OF_STRUCTURED = [
    *("no programs", "some programs", "no drums", "drum tokens", "some pitches", "duplicates kept"),
    *("duplicates kept, no programs", "no velocities", "every velocity", "no durations", "durations of some"),
    *("coarse", "uneven", "more specials"),
]
VARIED = [
    (kind, name) for kind in TOKENIZATIONS for name in (OF_STRUCTURED if kind == "Structured" else sorted(SETTINGS))
]


def by_miditok(tokenizer, score):
    """What miditok quantises and its base ids."""
    quantised = one_stream.quantise(tokenizer, score)
    ids = one_stream.encode_quantised(tokenizer, quantised, encode_ids=False).ids if quantised.note_num() else []
    return ScoreArrays.of(quantised), ids


def by_arrays(encoder, score):
    """The same by arrays."""
    quantised = encoder.quantise(ScoreArrays.of(score))
    return quantised, encoder.encode(quantised).flat().tolist() if len(quantised) else []


def check(kind, settings, seeds, draw=draw_score):
    """Why some of the drawn scores are left to miditok, and how many of them; the others are equal."""
    tokenizer = create_music_tokenizer(kind, **settings)
    assert unknown_setting(tokenizer) is None
    encoder, left = ArrayEncoder(tokenizer), Counter()
    for seed in seeds:
        score = draw(random.Random(seed))
        try:
            found = by_arrays(encoder, score)
        except BeyondArrays as beyond:
            left[str(beyond)] += 1
            continue
        expected = by_miditok(tokenizer, score)
        for field in FIELDS:
            np.testing.assert_array_equal(*(getattr(each[0], field) for each in (found, expected)), str((seed, field)))
        assert found[1] == expected[1], seed
    return left


@pytest.mark.parametrize("kind", TOKENIZATIONS)
def test_ids_of_a_thousand_drawn_scores_are_those_of_miditok(kind):
    assert not check(kind, {}, range(1000))


@pytest.mark.parametrize(("kind", "name"), VARIED)
def test_ids_in_every_known_setting_are_those_of_miditok(kind, name):
    assert set(check(kind, SETTINGS[name], range(1000, 1040))) <= LEFT.get(name, set())


def draw_halves(rng, steps):
    """A score whose times lie halfway between steps, as far as its ticks allow: in each resolution some do exactly."""
    tpq = rng.choice((1568, 352, 88, 100, 220, 384, 480, 960, 1024, rng.randrange(1, 2000)))
    half = Fraction(tpq, 2 * steps)
    times = sorted(round(half * rng.randrange(32 * steps)) for _ in range(40))
    score = Score(tpq)
    notes = [Note(time, round(half * rng.randrange(1, 8 * steps)) or 1, rng.randrange(128), 64) for time in times]
    score.tracks = [Track(notes=notes[::2]), Track(program=40, notes=notes[1::2])]
    score.tempos = [Tempo(time, rng.uniform(40, 250)) for time in times[::5]]
    score.time_signatures = rng.choice(
        ([], [TimeSignature(0, 3, 8)], [TimeSignature(0, 4, 4), TimeSignature(8 * tpq, 6, 8)])
    )
    return score


@pytest.mark.parametrize("kind", TOKENIZATIONS)
@pytest.mark.parametrize("steps", [5, 7, 8, 11, 12, 13, 21, 22, 24, 42])
def test_what_lies_halfway_between_steps_is_rounded_as_by_miditok(kind, steps):
    draw = functools.partial(draw_halves, steps=steps)
    assert not check(kind, {"beat_res": {(0, 4): steps}}, range(30), draw)


def test_every_setting_that_is_known_is_varied():
    varied = {name for settings in SETTINGS.values() for name in settings}
    # A piece is one stream wherever there are programs; the split is of trained vocabularies, which are below.
    assert varied | {"one_token_stream_for_programs", "encode_ids_split"} == set(FREE)


@pytest.mark.parametrize("kind", TOKENIZATIONS)
@pytest.mark.parametrize(
    ("split", "models"),
    [("no", ("BPE", "Unigram", "WordPiece")), ("bar", ("BPE", "WordPiece")), ("beat", ("Unigram",))],
    ids=["whole", "by bar", "by beat"],
)
def test_ids_of_learned_vocabularies_are_those_of_miditok(kind, split, models):
    rows = {"midi": [random_score(seed).dumps_midi() for seed in range(4)]}
    corpus = Dataset.from_dict(rows, features=Features({"midi": Midi()}))
    base = MidiProcessor.from_tokenization(kind, encode_ids_split=split)
    for model in models:
        processor = base.train_new_from_corpus(corpus, base.vocab_size + 100, model)
        scores = [draw_score(random.Random(seed)) for seed in range(12)]
        scores = [score for score in [*scores, *(build() for build in SCORES.values())] if score.note_num()]
        written = [each for score in scores for each in processor.encoder.write(score)]
        for score, ids in zip(scores, processor.encoder.ids_of(written), strict=True):
            quantised = one_stream.quantise(processor.music_tokenizer, score)
            assert ids.tolist() == one_stream.encode_quantised(processor.music_tokenizer, quantised).ids
            assert ids.tolist() == processor.encode_quantised(quantised)
        assert sum(piece.words is not None for piece in written) == len(scores)


@pytest.mark.parametrize("kind", TOKENIZATIONS)
def test_vocabularies_are_learned_from_the_bars_of_miditok(kind):
    tokenizer = create_music_tokenizer(kind)
    encoder = MusicEncoder(tokenizer)
    for score in (build() for build in SCORES.values()):
        sequence = one_stream.encode_quantised(tokenizer, one_stream.quantise(tokenizer, score))
        bars = [[chr(index + 33) for index in bar.ids] for bar in sequence.split_per_bars() if bar.ids]
        assert encoder.bars(score) == list(map("".join, bars))


@pytest.mark.parametrize("kind", TOKENIZATIONS)
def test_parts_that_were_cut_out_have_the_ids_of_miditok(kind, processors):
    """Meters begin anywhere in them, also within bars."""
    processor = processors[kind]
    for seed in range(100):
        rng = random.Random(seed)
        whole = processor.quantise(draw_score(rng))
        part = excerpt(whole, rng.randrange(whole.end() + 1), rng.choice((None, whole.end() // 2 + 1)))
        expected = one_stream.encode_quantised(processor.music_tokenizer, part).ids if part.note_num() else []
        assert processor.encode_quantised(part) == expected, seed


def test_a_variant_of_arrays_is_that_of_the_score():
    variants = [Variant(), Variant(3, 20, 1.07), Variant(-5, -100, 0.93), Variant(velocity_shift=-1)]
    for seed in range(50):
        score = draw_score(random.Random(seed))
        pitches = [note.pitch for track in score.tracks for note in track.notes if not track.is_drum]
        for variant in variants if max(pitches, default=0) <= 124 and min(pitches, default=9) > 4 else variants[3:]:
            found, expected = variant.apply_to_arrays(ScoreArrays.of(score)), ScoreArrays.of(variant.apply(score))
            for field in FIELDS:
                np.testing.assert_array_equal(getattr(found, field), getattr(expected, field))


@pytest.mark.parametrize("name", ["notes out of order", "a time before 0", "tempos out of order", "a length of 0"])
def test_what_arrays_do_not_know_is_left_to_miditok(name):
    processor = MidiProcessor.from_tokenization("REMI", use_note_duration_programs=[1])
    score = build_score(16, [(0, [(0, 1, 60, 64), (1, 1, 62, 64), (2, 1, 64, 64)])])
    if name == "notes out of order":
        score.tracks[0].notes = [Note(32, 16, 60, 64), Note(0, 16, 62, 64)]
    elif name == "a time before 0":
        score.tracks[0].notes[0].time = -1
    elif name == "tempos out of order":
        score.tempos = [Tempo(64, 100), Tempo(0, 80)]
    else:
        score.tracks[0].notes[0].duration = 0
    arrays = processor.encoder.arrays
    reason = "a note does not last a tick" if name == "a length of 0" else "notes or tempos are out of order"
    with pytest.raises(BeyondArrays, match=reason):
        arrays.quantise(ScoreArrays.of(score))
    try:
        expected = by_miditok(processor.music_tokenizer, score)[1]
    except KeyError:  # miditok has no Position before 0
        with pytest.raises(KeyError):
            processor.encode_score(score)
    else:
        assert processor.encode_score(score)[0] == expected


UNKNOWN = {
    "use_rests=True": lambda: create_music_tokenizer("REMI", use_rests=True, beat_res_rest={(0, 4): 8}),
    "use_pitch_intervals=True": lambda: create_music_tokenizer("TSD", use_pitch_intervals=True),
    "use_sustain_pedals=True": lambda: create_music_tokenizer("TSD", use_sustain_pedals=True),
    "program_changes=True": lambda: create_music_tokenizer("REMI", program_changes=True),
    "max_bar_embedding=60": lambda: create_music_tokenizer("REMI", max_bar_embedding=60),
    "use_bar_end_tokens=True": lambda: create_music_tokenizer("REMI", use_bar_end_tokens=True),
    "beat_res out of order": lambda: create_music_tokenizer("TSD", beat_res={(4, 12): 4, (0, 4): 8}),
    "special token Pitch_60": lambda: create_music_tokenizer("REMI", special_tokens=["PAD", "BOS", "EOS", "Pitch_60"]),
    "it is no REMI, TSD or Structured of miditok": lambda: create_music_tokenizer("MIDILike"),
}


@pytest.mark.parametrize("reason", UNKNOWN)
def test_an_unknown_setting_is_named_once_and_miditok_encodes(reason, caplog):
    tell_of_miditok.cache_clear()
    tokenizer, score = UNKNOWN[reason](), random_score(0)
    assert unknown_setting(tokenizer) == reason
    processor = MidiProcessor.from_music_tokenizer(tokenizer)
    with caplog.at_level(logging.WARNING):
        ids = processor.encode(score, add_bos=False)
        MidiProcessor.from_music_tokenizer(tokenizer).decode(processor.encode(score))
    assert ids == by_miditok(tokenizer, score)[1]
    (message,) = [record.getMessage() for record in caplog.records if "left to miditok" in record.getMessage()]
    assert reason in message


def test_a_subclass_and_a_changed_method_are_left_to_miditok(monkeypatch):
    class Own(miditok.REMI):
        pass

    tokenizer = create_music_tokenizer("REMI")
    assert "no REMI" in unknown_setting(Own(tokenizer.config))
    tokenizer._add_time_events = lambda events, division: events
    assert unknown_setting(tokenizer) == "its method _add_time_events is not miditok's"
    monkeypatch.setattr(miditok.MusicTokenizer, "preprocess_score", lambda self, score: score)
    assert unknown_setting(create_music_tokenizer("TSD")) == "its method preprocess_score is not miditok's"


def test_an_encoder_goes_to_other_processes(processors):
    encoder = pickle.loads(pickle.dumps(processors["TSD"].encoder))
    score = SCORES["band"]()
    assert encoder.ids_of(list(encoder.write(score)))[0].tolist() == processors["TSD"].encode_score(score)[0]


def test_the_code_of_arrays_is_part_of_what_tokens_are_known_by():
    assert any("class ArrayEncoder" in code for code in code_of_rooms("tokenization"))


def test_a_score_of_arrays_holds_what_is_written():
    score = SCORES["many_meters"]()
    back = ScoreArrays.of(score).to_score()
    assert [list(track.notes) for track in back.tracks] == [list(track.notes) for track in score.tracks]
    assert list(back.tempos) == list(score.tempos) and list(back.time_signatures) == list(score.time_signatures)
    assert [(track.program, track.is_drum) for track in back.tracks] == [(0, False), (40, False), (0, True)]
    assert list(back.time_signatures)[0] == TimeSignature(0, 4, 4)
