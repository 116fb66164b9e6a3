"""What goes through tokens and back, note by note, and what each tokenizer cannot keep."""

import os
import random
import zipfile
from fractions import Fraction
from pathlib import Path

import pytest
from symusic import Score
from tokenization.sample_scores import build_score, clip_gaps, meter_list, note_list, random_score, tempo_list

from neuromusic_hf import load_corpus

SHARED_DATA = Path(os.environ.get("NEUROMUSIC_DATA", Path(__file__).parents[3] / "shared" / "data"))
LONGEST_TIME_SHIFT = 256  # quarter notes, of Structured


def assert_round_trip(processor, score):
    expected = processor.quantise(score)
    decoded = processor.decode(processor.encode(score, add_eos=True))
    notes = note_list(expected)
    if processor.tokenization == "Structured":
        assert note_list(decoded) == clip_gaps(notes, LONGEST_TIME_SHIFT)
        assert tempo_list(decoded) == [(0, 120)] and meter_list(decoded) == [(0, 4, 4)]
    else:
        assert note_list(decoded) == notes
        assert tempo_list(decoded) == tempo_list(expected)
        assert meter_list(decoded) == meter_list(expected)
    return notes


def sample_of_zip(name, count):
    path = SHARED_DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not there (set NEUROMUSIC_DATA to the folder of {name})")
    with zipfile.ZipFile(path) as archive:
        members = sorted(member for member in archive.namelist() if member.lower().endswith((".mid", ".midi")))
        for member in random.Random(0).sample(members, count):
            yield member, Score.from_midi(archive.read(member))


def test_scores_made_to_be_hard_survive(processor, score):
    assert assert_round_trip(processor, score)


@pytest.mark.parametrize(
    "name, count", [("lieder-cc0.zip", 20), ("lamd-sample.zip", 20), ("maestro-v2.0.0-midi.zip", 2)]
)
def test_real_files_survive(processors, name, count):
    for member, score in sample_of_zip(name, count):
        for tokenization, processor in processors.items():
            assert assert_round_trip(processor, score), f"{tokenization}: {member}"


@pytest.mark.parametrize("name, pieces", [("bach", 10), ("folk", 30)])
def test_embedded_corpora_survive(processors, name, pieces, tmp_path):
    corpus = load_corpus(name, cache_dir=tmp_path, max_pieces=pieces, split_shares=(0.4, 0.3, 0.3))
    for row in corpus["train"]:
        for processor in processors.values():
            assert len(assert_round_trip(processor, row["midi"])) > 0.9 * row["num_notes"]


def test_music_on_the_grid_comes_back_as_it_was(processor):
    """Not compared with miditok's own quantisation but with the input: nothing is left to quantise."""
    velocities = processor.music_tokenizer.velocities.tolist()
    rng = random.Random(0)
    melody = [
        (Fraction(i, 8), Fraction(rng.randint(1, 32), 8), 40 + i % 41, rng.choice(velocities)) for i in range(200)
    ]
    score = build_score(480, [(0, melody), (-1, melody)], ((0, 90), (7.5, 60), (12, 300)), ((0, 3, 4), (9, 5, 4)))
    decoded = processor.decode(processor.encode(score))
    assert note_list(decoded) == note_list(score)
    if processor.tokenization != "Structured":
        assert tempo_list(decoded) == tempo_list(score) and meter_list(decoded) == meter_list(score)


@pytest.mark.parametrize("gap", [1, 5, 10])
def test_onsets_move_by_half_a_grid_step_at_most(processor, gap):
    """Grid of 8 to the quarter note in meters over 4; no drift over 150 notes `gap` quarter notes apart."""
    rng = random.Random(1)
    score = build_score(480, [(0, [(gap * step + rng.random(), 1, 60 + step % 12, 64) for step in range(150)])])
    decoded = processor.decode(processor.encode(score))
    for before, after in zip(note_list(score), note_list(decoded), strict=True):
        assert abs(before[0] - after[0]) <= Fraction(1, 16) and before[2] == after[2]


def test_structured_shortens_silences_to_256_quarters_and_nothing_else(processors):
    score = build_score(480, [(0, [(300, 1, 60, 64), (312, 1, 62, 64), (344.5, 1, 64, 64), (800, 1, 65, 64)])])
    onsets = [note[0] for note in note_list(processors["Structured"].decode(processors["Structured"].encode(score)))]
    assert onsets == [256, 268, 300, 556]


def test_tempo_between_the_steps_goes_to_the_nearest_of_five(processors):
    score = random_score(0, tempos=((0, 117.3), (4, 118.1), (8, 10), (9, 500)))
    for name in ("REMI", "TSD"):
        tempos = tempo_list(processors[name].decode(processors[name].encode(score)))
        # miditok takes the nearest in microseconds per quarter note
        assert tempos == [(0, 115), (4, 120), (8, 20), (9, 300)]


def test_a_meter_that_another_replaces_at_once_leaves_no_trace(processors):
    """miditok 3.1 picks the grid before it drops meters that never come into force."""
    notes = [(0, [(step * 11 / 16, 1, 60, 64) for step in range(40)])]
    for meters in (((0, 6, 8), (0, 4, 4)), ((0, 4, 4), (1, 6, 8), (2, 3, 4))):
        for name in ("REMI", "TSD"):
            assert_round_trip(processors[name], build_score(480, notes, meters=meters))
