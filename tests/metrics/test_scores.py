"""Scores over pieces: what they tell, what they leave out, and that JSON can hold them."""

import json
from dataclasses import replace

import numpy as np
import pytest
from music import make_score
from symusic import Note, Score, TimeSignature, Track

from neuromusic_hf import MidiProcessor
from neuromusic_hf.metrics import (
    COMPARISONS,
    DURATION,
    HARMONY,
    PITCH,
    ComparedPiece,
    HarmonyEmbedding,
    ScoreSettings,
    all_comparisons,
    compare_piece,
    compare_pieces,
    count_token_errors,
    gather_score,
    load_harmony_embedding,
    pitch_class_distribution,
    score_distances,
    score_midi,
)

QUICK = ScoreSettings(resamples=200, splits=200)


@pytest.fixture
def distances():
    return np.random.default_rng(0).gamma(2, size=(2, 400))


def drums() -> Score:
    score = Score(480)
    score.tracks.append(Track(is_drum=True, notes=[Note(0, 480, 36, 90)]))
    return score


def test_identical_sets_score_zero_and_two_samples_of_one_distribution_stay_under_the_floor(distances):
    original, other = distances
    same, alike = (score_distances(original, generated) for generated in (original, other))
    assert same.score == 0 and same.interval == (0, 0) and same.overlap_area == pytest.approx(1)
    assert same.p_value == 1
    assert 0 < alike.score < alike.noise_floor_95 and alike.p_value > 0.05
    assert alike.interval[0] <= alike.score <= alike.interval[1]


def test_scores_grow_with_the_difference_in_either_direction(distances):
    original, other = distances
    for direction in (1, -1):
        scores = [score_distances(original, other + direction * shift).score for shift in (0, 0.5, 1, 2, 4)]
        assert scores == sorted(scores) and scores[-1] > 1


def test_chance_is_told_from_difference_where_pieces_are_few():
    random = np.random.default_rng(0)
    found = {0.0: 0, 1.0: 0}
    for _ in range(200):
        prompt_dependent = random.normal(size=60)
        original, generated = prompt_dependent + 0.7 * random.normal(size=(2, 60))
        for shift in found:
            found[shift] += score_distances(original, generated + shift, QUICK).p_value <= 0.05
    assert found[0.0] < 0.1 * 200 < 0.8 * 200 < found[1.0]


def test_the_order_of_the_pieces_is_irrelevant(distances):
    order = np.random.default_rng(1).permutation(400)
    first, second = score_distances(*distances).to_dict(), score_distances(*distances[:, order]).to_dict()
    for name in first:
        assert first[name] == pytest.approx(second[name]), name


def test_the_seed_alone_decides_interval_and_floor(distances):
    assert score_distances(*distances, QUICK) == score_distances(*distances, QUICK)
    assert score_distances(*distances, QUICK) != score_distances(*distances, ScoreSettings(10, 200, 200, seed=1))


@pytest.mark.parametrize("num_pieces", [0, 1, 2, 3])
def test_few_pieces_and_equal_or_disjoint_distances_are_valid_json(num_pieces):
    for shift in (0, 1e-12, 1e9):
        score = score_distances(
            np.ones(num_pieces), np.ones(num_pieces) + shift, dropped={"generated: no_notes": ["7"]}
        )
        values = json.loads(json.dumps(score.to_dict("pitch_kl"), allow_nan=False))
        assert values["num_pieces"] == num_pieces and values["num_dropped"] == 1
        assert (values["pitch_kl"] is None) == (num_pieces == 0)
        assert (values["interval"] is None) == (num_pieces < 2)
        assert num_pieces == 0 or (values["pitch_kl"] > 0) == (shift == 1e9)


def test_unequal_numbers_and_impossible_settings_are_refused():
    with pytest.raises(ValueError, match="one of each per piece"):
        score_distances(np.ones(3), np.ones(2))
    for setting in ("num_bins", "resamples", "splits"):
        with pytest.raises(ValueError, match=f"{setting}=0"):
            ScoreSettings(**{setting: 0})


def test_a_piece_is_compared_with_its_own_prompt():
    prompt, other = make_score(0), make_score(1)
    found = compare_piece(ComparedPiece("0", prompt, prompt, other), [PITCH, DURATION])
    assert set(found) == {"pitch", "duration"}
    for distances in found.values():
        assert distances.reason is None and distances.original == 0 < distances.generated


def test_paths_bytes_and_scores_are_the_same_piece(midi_folder):
    paths = [midi_folder / f"piece_{number:02d}.mid" for number in range(3)]
    expected = compare_piece(ComparedPiece("", *map(make_score, range(3))), [PITCH])
    assert compare_piece(ComparedPiece("", *paths), [PITCH]) == expected
    assert compare_piece(ComparedPiece("", *(path.read_bytes() for path in paths)), [PITCH]) == expected


def test_pieces_without_a_feature_are_dropped_together_counted_and_named(tmp_path):
    score, empty = make_score(0), Score(480)
    broken = tmp_path / "broken.mid"
    broken.write_bytes(b"MThd, and then nothing of it")
    predictions = [score, empty, drums(), broken, score]
    references = [score, score, score, score, empty]
    result = score_midi(PITCH, [score] * 5, references, predictions, QUICK)
    assert result.num_pieces == 1
    assert result.dropped == {
        "generated: no_notes": ["1"],
        "generated: drums_only": ["2"],
        "generated: unreadable: no track follows the header in 28 bytes": [str(broken)],
        "original: no_notes": ["4"],
    }


def test_a_missing_file_and_unequal_lists_are_errors():
    score = make_score(0)
    with pytest.raises(FileNotFoundError, match="nowhere.mid"):
        score_midi(PITCH, [score], [score], ["nowhere.mid"])
    with pytest.raises(ValueError, match="2 prompts, 1 references and 1 predictions"):
        score_midi(PITCH, [score] * 2, [score], [score])


def test_two_processes_find_what_one_does_in_the_same_order():
    pieces = [ComparedPiece(str(seed), *(make_score(seed + part) for part in range(3))) for seed in range(20)]
    one, two = (list(compare_pieces(iter(pieces), [PITCH], workers)) for workers in (1, 2))
    assert one == two
    names = [piece.name for piece in pieces]
    assert gather_score(names, [found["pitch"] for found in one], QUICK).num_pieces == 20


def test_two_tokenizers_outputs_of_one_piece_score_alike():
    scores = [make_score(seed) for seed in range(24)]
    results = []
    for name in ("REMI", "TSD", "Structured"):
        processor = MidiProcessor.from_tokenization(name)
        decoded = [processor.decode(processor.encode(score)) for score in scores]
        parts = decoded[:8], decoded[8:16], decoded[16:]
        results.append([score_midi(comparison, *parts, QUICK) for comparison in (PITCH, DURATION)])
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("name", ["REMI", "TSD", "Structured"])
def test_encoded_music_has_no_token_errors_and_reversed_tokens_have(name):
    processor = MidiProcessor.from_tokenization(name)
    rows = [processor.encode(make_score(seed), add_eos=True) for seed in range(3)]
    clean = count_token_errors(processor, [*rows, [processor.tokenizer.eos_token_id]])
    assert (clean.errors, clean.rate, clean.rows, clean.empty_rows) == (0, 0, 3, 1)
    assert clean.tokens == sum(map(len, rows)) - 6
    broken = count_token_errors(processor, [row[::-1] for row in rows])
    assert 0.2 < broken.rate <= 1
    assert count_token_errors(processor, []).to_dict()["token_error_rate"] is None


@pytest.mark.parametrize(("name", "duplicates"), [("REMI", 2), ("TSD", 2), ("Structured", 0)])
def test_notes_of_other_programs_on_one_key_are_no_errors_wherever_a_continuation_begins(name, duplicates):
    processor = MidiProcessor.from_tokenization(name)
    score = Score(480)
    score.time_signatures.append(TimeSignature(0, 4, 4))
    for program in (68, 0):
        score.tracks.append(Track(program=program, notes=[Note(480, 480, 60, 80), Note(960, 480, 64, 80)]))
    ids = processor.encode(score)
    for begin in range(len(ids)):
        assert count_token_errors(processor, [ids[begin:]]).errors == 0
    programs = processor.tokenizer.convert_tokens_to_ids(["Program_0", "Program_68"])
    twice = [programs[1] if index == programs[0] else index for index in ids]
    first = twice.index(programs[1])
    assert count_token_errors(processor, [twice[first:]]).errors == duplicates


def test_a_comparison_is_shown_by_a_name_that_columns_can_have():
    for name in ("Pitch", "note density", "novelty", "", "a__b", "pitch_"):
        with pytest.raises(ValueError, match=f"named {name!r}"):
            replace(PITCH, name=name)
    with pytest.raises(ValueError, match="title of the comparison pitch"):
        replace(PITCH, title="two\nlines")


def test_one_that_needs_an_embedding_has_that_of_the_package_unless_it_is_bound():
    parts = [[make_score(seed) for seed in range(first, first + 4)] for first in (0, 4, 8)]
    assert score_midi(HARMONY, *parts, QUICK) == score_midi(HARMONY.bind(load_harmony_embedding()), *parts, QUICK)
    other = HarmonyEmbedding(("<unknown>", "I"), np.array([[1.0, 0.0], [0.0, 1.0]]))
    bound = HARMONY.bind(other)
    assert bound.distance(["I"], ["V"]) == 0 and bound.count(["I", "V"]) == {"words": 2, "unknown_words": 1}
    assert bound.bind(load_harmony_embedding()) is bound and PITCH.bind(other) is PITCH
    assert bound.describe() == HARMONY.describe()


def test_all_comparisons_have_names_of_their_own():
    loudness = replace(PITCH, name="loudness")
    assert [each.name for each in all_comparisons([loudness])] == [*(each.name for each in COMPARISONS), "loudness"]
    assert all_comparisons(loudness)[-1] == all_comparisons([loudness])[-1] == loudness
    assert all_comparisons("own_comparisons.LOUDNESS")[-1].import_path == "own_comparisons.LOUDNESS"
    with pytest.raises(ValueError, match="two comparisons of the name 'loudness'"):
        all_comparisons([loudness, loudness])
    with pytest.raises(ValueError, match="'pitch'"):
        all_comparisons([PITCH])


def test_what_other_processes_cannot_be_sent_is_refused_by_name():
    inner = replace(PITCH, name="inner", feature=lambda score: pitch_class_distribution(score))
    pieces = [ComparedPiece("0", *map(make_score, range(3)))]
    assert next(compare_pieces(pieces, [inner]))["inner"] == compare_piece(pieces[0], [PITCH])["pitch"]
    with pytest.raises(ValueError, match="comparison inner cannot be sent.*lambda.*one process"):
        next(compare_pieces(pieces, [PITCH, inner], 2))
