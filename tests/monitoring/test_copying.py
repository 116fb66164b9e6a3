"""Whether a model copies is watched while it trains: against what it trains on, and told of."""

import itertools
import json
import logging
import math
import random

import pandas as pd
import pytest
import torch
from datasets import Dataset, DatasetDict
from symusic import Note, Score, Track
from tiny import TINY

from neuromusic_hf import build_model
from neuromusic_hf.metrics import score_novelty
from neuromusic_hf.monitoring import ContinuationCallback, continuation_callback, watch_continuations
from neuromusic_hf.monitoring.continuation_callback import COPYING, LOG_PREFIX
from neuromusic_hf.monitoring.copying import CHANCE, FEWEST_PIECES, copying_p_value, is_copying
from neuromusic_hf.music import Midi
from neuromusic_hf.runs import read_run
from neuromusic_hf.tokenization import tokenize_corpus
from neuromusic_hf.training import DataArguments, RunArguments, TrainingBlocks, create_trainer, parse_recipe

CONTINUED = 6


def melody(notes) -> Score:
    score, onset = Score(480), 0
    score.tracks.append(Track(program=0))
    for pitch, length in notes:
        score.tracks[0].notes.append(Note(onset, length, pitch, 80))
        onset += length
    return score


NOTES = [(60, 240), (67, 480), (64, 240), (71, 480)]


def ostinato() -> Score:
    """Four notes, again and again: learned by heart in no time."""
    return melody(NOTES * 40)


def wandering(seed) -> Score:
    """The same notes, by chance."""
    draw = random.Random(seed)
    return melody(draw.choice(NOTES) for _ in range(100))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder, rows = tmp_path_factory.mktemp("corpus"), {}
    scores = {"train": [ostinato()], "validation": [wandering(seed) for seed in range(CONTINUED)]}
    for split, pieces in scores.items():
        files = []
        for number, score in enumerate(pieces):
            score.dump_midi(folder / f"{split}{number}.mid")
            files.append({"bytes": (folder / f"{split}{number}.mid").read_bytes(), "path": f"{split}{number}.mid"})
        hashes = [f"{split}{number}" for number in range(len(pieces))]
        rows[split] = Dataset.from_dict({"midi": files, "content_hash": hashes})
    return DatasetDict(rows).cast_column("midi", Midi())


@pytest.fixture
def watched(corpus, processor, tmp_path):
    def make(training, **changed):
        torch.manual_seed(0)
        data_args, tokens = DataArguments(context_length=128), tokenize_corpus(corpus, processor)
        model = build_model("gpt2", processor, context_length=128, **TINY)
        values = {
            "output_dir": str(tmp_path / "run"),
            "max_steps": 160,
            "per_device_train_batch_size": 4,
            "eval_strategy": "no",
            "save_strategy": "no",
            "logging_strategy": "no",
            "learning_rate": 1e-2,
            "bf16": False,
            "disable_tqdm": True,
            "eval_on_start": True,
            "eval_continuations_steps": 0.9,
            "eval_continuations_novelty": True,
            "eval_shown_continuations": 0,
            "eval_prompt_length": 16,
            "eval_continue_length": 112,
        }
        args = RunArguments(**(values | changed))
        blocks = TrainingBlocks.from_tokens(tokens, data_args, args.seed)
        trainer = create_trainer(model, processor, blocks, data_args, args, recipe={})
        watch_continuations(trainer, corpus["validation"], tokens["validation"], data_args, training)
        return trainer

    return make


def test_a_model_that_has_learned_its_training_pieces_by_heart_is_told_of(watched, corpus, tmp_path, caplog):
    trainer = watched(corpus["train"])
    with caplog.at_level(logging.WARNING):
        trainer.train()
    history = [each for each in trainer.state.log_history if f"{LOG_PREFIX}{COPYING}" in each]
    curve = {
        each["step"]: {name.removeprefix(LOG_PREFIX): value for name, value in each.items() if "novelty" in name}
        for each in history
    }
    assert list(curve) == [0, 144], "before the first step, and at a share of the run"
    first, last = curve[0], curve[144]
    assert last["novelty_mean_generated"] > 2 * first["novelty_mean_generated"]
    assert (
        last["novelty_share_beyond_originals"] > 0.5 and last["novelty_p_value"] < CHANCE <= first["novelty_p_value"]
    )
    assert last["novelty_longest_generated"] > last["novelty_longest_original"]
    assert "After step 144 the model copies" in caplog.text and "After step 0 " not in caplog.text

    folder = tmp_path / "run" / "eval_continuations" / "step-000144"
    run = read_run(folder)
    parts = [
        [Score(run.path(getattr(record.files, part))) for record in run.records] for part in ("original", "generated")
    ]
    expected = score_novelty(corpus["train"]["midi"], *parts)
    assert last["novelty_mean_generated"] == expected.mean_generated
    recorded = json.loads((folder / "report" / "scores.json").read_text())["novelty"]
    assert recorded["longest_generated"] == expected.longest_generated
    assert "training pieces" in (folder / "report" / "report.html").read_text()


def test_of_few_pieces_it_says_what_it_can_tell_and_tells_that(watched, corpus, monkeypatch, caplog):
    asked = []
    monkeypatch.setattr(continuation_callback, "is_copying", lambda *given: asked.append(given) or True)
    with caplog.at_level(logging.WARNING):
        trainer = watched(corpus["train"], eval_continuations=2, max_steps=2, eval_on_start=False)
        trainer.train()
    assert caplog.text.count("2 validation pieces are continued, too few to tell copying from chance") == 1
    names = ("novelty_p_value", "novelty_longest_original", "novelty_longest_generated")
    (logged,) = [each for each in trainer.state.log_history if f"{LOG_PREFIX}{COPYING}" in each]
    assert asked == [tuple(logged[f"{LOG_PREFIX}{name}"] for name in names)]
    assert "After step 2 the model copies" in caplog.text


@pytest.mark.parametrize(
    ("originals", "generated", "copies"),
    [
        ([3, 4], [9, 12], False),
        ([3, 4], [9, 13], True),
        ([3, 7], [9, 14], False),
        ([3, 7], [2, 15], True),
        ([30], [60], False),
        ([3, 4, 5], [6, 6, 6], False),
        ([3, 4, 5, 4], [6, 6, 6, 6], True),
        ([3] * 40, [3] * 39 + [13], True),
        ([], [], False),
    ],
)
def test_copying_is_told_by_many_runs_or_by_one_far_too_long(originals, generated, copies):
    table = pd.DataFrame({"novelty_original": originals, "novelty_generated": generated}, dtype="Int64")
    longest = [max(runs, default=None) for runs in (originals, generated)]
    assert is_copying(copying_p_value(table), *longest) is copies


@pytest.mark.parametrize("pieces", range(1, 7))
def test_fewer_pieces_than_are_asked_for_never_stand_out(pieces):
    table = pd.DataFrame({"novelty_original": [3] * pieces, "novelty_generated": [9] * pieces}, dtype="Int64")
    assert (copying_p_value(table) < CHANCE) == (pieces >= FEWEST_PIECES)


def test_novelty_that_is_not_asked_for_is_not_measured(watched, corpus):
    trainer = watched(corpus["train"], eval_continuations_novelty=False)
    (callback,) = [each for each in trainer.callback_handler.callbacks if isinstance(each, ContinuationCallback)]
    assert callback.training is None


def test_novelty_needs_the_train_split_and_tests_to_be_measured_in(watched, tmp_path):
    with pytest.raises(ValueError, match="compares with the train split"):
        watched(None)
    with pytest.raises(
        ValueError, match="eval_continuations_novelty=True has no effect with eval_continuations_steps"
    ):
        parse_recipe(["--output_dir", str(tmp_path), "--eval_continuations_novelty", "true"])


def by_all_orders(originals, generated):
    """Of all ways to say which runs are those of continuations, the share that has as many beyond the usual."""
    runs, usual = [*originals, *generated], sorted(originals)[math.ceil(0.95 * (len(originals) - 1))]
    beyond = sum(run > usual for run in generated)
    found = [sum(each) for each in itertools.combinations([run > usual for run in runs], len(generated))]
    return sum(count >= beyond for count in found) / len(found)


@pytest.mark.parametrize(
    ("originals", "generated"),
    [([3, 4, 5, 4], [9, 8, 7, 9]), ([3, 4, 5, 4], [5, 5, 5, 5]), ([3, 9, 5, 4, 2], [9, 20, 3, 30, 1]), ([3], [9])],
)
def test_the_p_value_is_the_share_of_all_orders(originals, generated):
    table = pd.DataFrame({"novelty_original": originals, "novelty_generated": generated}, dtype="Int64")
    assert copying_p_value(table) == pytest.approx(by_all_orders(originals, generated))
    missing = pd.DataFrame({"novelty_original": [7], "novelty_generated": [None]}, dtype="Int64")
    assert copying_p_value(pd.concat([table, missing])) == copying_p_value(table)
    assert copying_p_value(missing) is None
