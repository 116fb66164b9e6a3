"""The evaluate modules: loaded from the package, alone and combined, from every kind of input, without network."""

import doctest
import json
import re
import socket
from pathlib import Path

import evaluate
import pytest
from music import make_score
from symusic import Score

from neuromusic_hf.metrics import COMPARISONS, PITCH, harmonic_reduction, load_metrics, metric_path, score_midi
from neuromusic_hf.metrics.embedding_training import train_harmony_embedding

METRICS = [comparison.score_name for comparison in COMPARISONS]


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a metric reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(scope="module")
def pieces():
    prompts, references, predictions = ([make_score(seed) for seed in range(at, at + 12)] for at in (0, 12, 24))
    return {"prompts": prompts, "references": references, "predictions": predictions}


@pytest.fixture(scope="module")
def embedding(pieces):
    return train_harmony_embedding([harmonic_reduction(score) for score in pieces["prompts"]])


@pytest.fixture
def load(embedding):
    return lambda name: evaluate.load(metric_path(name), **({"embedding": embedding} if name == "harmony_kl" else {}))


@pytest.mark.parametrize("name", METRICS)
def test_the_examples_of_the_documentation_give_their_numbers(name, load):
    example = doctest.DocTestParser().get_doctest(load(name).inputs_description, {}, name, None, None)
    assert example.examples
    assert doctest.DocTestRunner().run(example).failed == 0


@pytest.mark.parametrize("name", METRICS)
def test_a_card_states_range_direction_limits_and_paper(name):
    card = (Path(metric_path(name)) / "README.md").read_text(encoding="utf-8")
    assert all(words in card for words in ("lower is better", "ranges from 0", "## Limits", "doi", f'"{name}"'))


@pytest.mark.parametrize("name", METRICS)
def test_continuations_like_the_originals_score_zero_and_others_more(name, load, pieces):
    metric = load(name)
    assert metric.name == name
    assert metric.compute(**(pieces | {"predictions": pieces["references"]}))[name] == 0
    result = metric.compute(**pieces)
    assert result[name] > 0 and result["num_pieces"] == 12 and result["num_dropped"] == 0
    json.dumps(result, allow_nan=False)


def test_paths_bytes_and_scores_give_the_same_result(load, pieces, tmp_path):
    paths = {name: [tmp_path / f"{name}{number}.mid" for number in range(12)] for name in pieces}
    for name, scores in pieces.items():
        for score, path in zip(scores, paths[name], strict=True):
            score.dump_midi(path)
    data = {name: [path.read_bytes() for path in found] for name, found in paths.items()}
    results = [load("pitch_kl").compute(**inputs) for inputs in (pieces, data, paths)]
    assert results[0] == results[1] == results[2]
    batches = load("pitch_kl")
    for start in (0, 6):
        batches.add_batch(**{name: found[start : start + 6] for name, found in data.items()})
    assert batches.compute() == results[0]


def test_settings_reach_the_score(load, pieces):
    result = load("pitch_kl").compute(**pieces, num_bins=4, resamples=50, splits=50, seed=3)
    assert result != load("pitch_kl").compute(**pieces)
    with pytest.raises(TypeError, match="bins"):
        load("pitch_kl").compute(**pieces, bins=4)


def test_pieces_without_notes_are_dropped_together_and_named(load, pieces):
    predictions = [*pieces["predictions"][:11], Score(480)]
    result = load("pitch_kl").compute(**(pieces | {"predictions": predictions}))
    assert result["dropped"] == {"generated: no_notes": ["11"]} and result["num_pieces"] == 11
    expected = score_midi(PITCH, *(pieces[name][:11] for name in ("prompts", "references", "predictions")))
    assert result["pitch_kl"] == expected.score


def test_unequal_numbers_are_refused(load, pieces):
    with pytest.raises(ValueError, match="Mismatch"):
        load("pitch_kl").compute(**(pieces | {"prompts": pieces["prompts"][:3]}))


def test_combined_metrics_give_what_each_gives(load, embedding, pieces):
    combined = load_metrics(embedding).compute(**pieces)
    for name in METRICS:
        alone = load(name).compute(**pieces)
        assert combined[name] == alone.pop(name)
        assert all(combined[f"{name}_{key}"] == value for key, value in alone.items())
    assert combined["harmony_kl_counts"]["unknown_words"] > 0
    again = evaluate.combine([load(name) for name in METRICS]).compute(**pieces)
    assert again == combined


def test_metrics_have_one_import_per_line():
    for name in METRICS:
        source = (Path(metric_path(name)) / f"{name}.py").read_text(encoding="utf-8")
        imports = re.findall(r"^(?:from|import) .*", source, flags=re.MULTILINE)
        assert imports and not any(mark in line for line in imports for mark in ("(", ",", "from ."))


def test_an_unknown_metric_is_refused():
    with pytest.raises(ValueError, match="'rhythm_kl'.*pitch_kl"):
        metric_path("rhythm_kl")


def test_an_embedding_is_taken_by_the_metric_that_needs_one_alone(load, embedding):
    assert load("harmony_kl").ready.distance.args == (embedding,)
    with pytest.raises(TypeError, match="pitch_kl takes no embedding"):
        evaluate.load(metric_path("pitch_kl"), embedding=embedding)
