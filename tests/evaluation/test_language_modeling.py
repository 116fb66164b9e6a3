"""Loss, perplexity, accuracy and nats per note against naive loops."""

import math

import pytest
import torch
from datasets import Dataset
from transformers import EvalPrediction

from neuromusic_hf.evaluation.language_modeling import greater_is_better
from neuromusic_hf.evaluation.token_types import TokenTypes
from neuromusic_hf.training import LanguageModelingMetrics, row_statistics, tokens_per_note


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 7, 5, generator=generator)
    labels = torch.randint(0, 5, (3, 7), generator=generator)
    labels[1, 4:] = -100
    return logits, labels


def naive(logits, labels):
    rows = []
    for row_logits, row_labels in zip(logits, labels, strict=True):
        nats = correct = predicted = 0
        for position in range(len(row_labels) - 1):
            label = row_labels[position + 1].item()
            if label == -100:
                continue
            scores = row_logits[position].double()
            nats -= (scores[label] - scores.exp().sum().log()).item()
            correct += int(scores.argmax().item() == label)
            predicted += 1
        rows.append([nats, correct, predicted])
    return torch.tensor(rows, dtype=torch.float64)


def test_row_statistics_equal_a_naive_loop(batch):
    torch.testing.assert_close(row_statistics(*batch), naive(*batch), rtol=1e-6, atol=1e-6)


def test_metrics_are_weighted_by_token_not_by_batch(batch):
    logits, labels = batch
    metrics = LanguageModelingMetrics(tokens_per_note=4.0)
    metrics(EvalPrediction(row_statistics(logits[:1], labels[:1]), None), compute_result=False)
    result = metrics(EvalPrediction(row_statistics(logits[1:], labels[1:]), None), compute_result=True)
    nats, correct, predicted = naive(logits, labels).sum(0).tolist()
    assert result["loss"] == pytest.approx(nats / predicted)
    assert result["perplexity"] == pytest.approx(math.exp(nats / predicted))
    assert result["token_accuracy"] == correct / predicted
    assert result["nats_per_note"] == pytest.approx(4 * nats / predicted)


TYPES = TokenTypes(("pitch", "position", "special"), torch.tensor([2, 0, 0, 1, 1]))


def test_accuracy_is_told_for_each_type_of_token(batch):
    """Held against a loop over all tokens; a batch at a time."""
    logits, labels = batch
    labels = labels.where(labels != 0, -100)  # nothing special is to be predicted
    metrics = LanguageModelingMetrics(tokens_per_note=4.0, types=TYPES.names)
    metrics(EvalPrediction(row_statistics(logits[:2], labels[:2], TYPES), None), compute_result=False)
    result = metrics(EvalPrediction(row_statistics(logits[2:], labels[2:], TYPES), None), compute_result=True)
    right = {}
    for row, labelled in zip(logits.argmax(-1), labels, strict=True):
        for guess, label in zip(row[:-1].tolist(), labelled[1:].tolist(), strict=True):
            if label != -100:
                right.setdefault(TYPES.names[TYPES.of_ids[label]], []).append(guess == label)
    assert {"pitch", "position"} == set(right)
    expected = {f"{name}_token_accuracy": sum(each) / len(each) for name, each in right.items()}
    assert {name: value for name, value in result.items() if name.endswith("_token_accuracy")} == expected
    plain = LanguageModelingMetrics(tokens_per_note=4.0)
    told = plain(EvalPrediction(row_statistics(logits, labels, TYPES), None), compute_result=True)
    assert told == pytest.approx({name: result[name] for name in told})


def test_more_of_any_type_is_better():
    assert greater_is_better("eval_pitch_token_accuracy") is True


def test_one_evaluation_does_not_leak_into_the_next(batch):
    metrics = LanguageModelingMetrics(tokens_per_note=1.0)
    first = metrics(EvalPrediction(row_statistics(*batch), None), compute_result=True)
    assert metrics(EvalPrediction(row_statistics(*batch), None), compute_result=True) == first


def test_tokens_per_note_counts_pieces_with_notes_only():
    def row(length, num_notes):
        return {"input_ids": list(range(length)), "num_notes": num_notes}

    tokens = Dataset.from_list([row(10, 2), row(2, 0), row(20, 4)])
    assert tokens_per_note(tokens) == 30 / 6
