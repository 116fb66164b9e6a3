"""scripts/train.py as a user runs it: what it saves, resuming, two processes, trackers, the test split."""

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from datasets import DatasetDict
from preloaded import run_in_processes, run_in_two_processes
from safetensors.torch import load_file
from tiny import ONE_LAYER
from transformers import AutoModelForCausalLM

from neuromusic_hf import MidiProcessor, load_corpus
from neuromusic_hf.corpora import SPLIT_VERSION
from neuromusic_hf.runs import read_run
from neuromusic_hf.tokenization import tokenize_corpus
from neuromusic_hf.training import DataArguments, TrainingBlocks

REPOSITORY = Path(__file__).parents[2]
SCRIPT = str(REPOSITORY / "scripts" / "train.py")
DYING = REPOSITORY / "tests" / "dying_worker.py"


def run_record(folder: Path) -> dict:
    return json.loads((folder / "bundle" / "run.json").read_text())


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "bundle" / "model.safetensors")


def test_a_run_leaves_a_bundle_and_every_checkpoint_is_one(train, options, tmp_path):
    train(options(top_p=0.95))
    expected = {
        "processing_midi.py",
        "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
        "processor_config.json", "recipe.yaml", "midi_continuation.py",
    }  # fmt: skip
    for folder in (tmp_path / "run" / "bundle", tmp_path / "run" / "checkpoint-2"):
        assert expected <= {path.name for path in folder.iterdir()}
        assert "midi-continuation" in json.loads((folder / "config.json").read_text())["custom_pipelines"]
        model = AutoModelForCausalLM.from_pretrained(folder)
        assert model.config.vocab_size == MidiProcessor.from_pretrained(folder).vocab_size
        assert model.config.trained_programs == [0, 32]
        sampling = model.generation_config
        assert (sampling.do_sample, sampling.temperature, sampling.top_k, sampling.top_p) == (True, 1.0, 0, 0.95)
    assert not list((tmp_path / "run" / "bundle").glob("*.bin")), "the bundle holds no pickle"
    assert yaml.safe_load((tmp_path / "run" / "bundle" / "recipe.yaml").read_text())["top_p"] == 0.95


def test_the_run_record_counts_the_corpus(train, options, tmp_path):
    train([*options(), "--do_test"])
    record = run_record(tmp_path / "run")
    (corpus,) = record["corpora"]
    assert (corpus["splits"], corpus["split_shares"]) == (SPLIT_VERSION, [0.6, 0.2, 0.2])
    recipe = yaml.safe_load((tmp_path / "run" / "bundle" / "recipe.yaml").read_text())
    assert (recipe["split_version"], recipe["split_shares"]) == (SPLIT_VERSION, [0.6, 0.2, 0.2])
    splits = record["splits"]
    assert sum(split["pieces"] for split in splits.values()) == 40
    assert sum(split["notes"] for split in splits.values()) > 0
    for split in splits.values():
        assert split["padding_share"] == pytest.approx(1 - split["tokens"] / (64 * split["blocks"]))
        assert 0 <= split["padding_share"] < 0.02
        assert split["rows"] == split["pieces"] and split["changed_by_tokenizer"]["pieces"] == split["pieces"]
    metrics = record["metrics"]
    assert {"eval_loss", "eval_perplexity", "eval_token_accuracy", "eval_nats_per_note"} <= set(metrics)
    per_note = splits["validation"]["tokens"] / splits["validation"]["notes"]
    assert metrics["eval_nats_per_note"] == pytest.approx(metrics["eval_loss"] * per_note)


def test_the_test_split_is_touched_only_when_asked_for(train, options, tmp_path):
    train(options())
    record = run_record(tmp_path / "run")
    assert set(record["splits"]) == {"train", "validation"}
    assert not [name for name in record["metrics"] if name.startswith("test_")]
    train([*options("tested"), "--do_test"])
    metrics = run_record(tmp_path / "tested")["metrics"]
    assert metrics["test_nats_per_note"] > 0


def test_the_clean_test_is_what_a_run_measures_on_test_pieces_without_a_twin(train, options, tmp_path, leaking_corpus):
    train([*options(corpus=leaking_corpus, split_shares=None), "--do_test", "--clean_test"])
    record = run_record(tmp_path / "run")
    whole, clean = (record["splits"][split] for split in ("test", "clean_test"))
    assert (whole["pieces"], clean["pieces"]) == (6, 4)
    pairs = [{"piece": f"test {seed}", "twin": f"train {seed}"} for seed in (3, 7)]
    assert clean["left_out"]["twin_in_train"] == {"pieces": 2, "first": pairs}
    metrics = record["metrics"]
    assert metrics["clean_test_nats_per_note"] == pytest.approx(
        metrics["clean_test_loss"] * clean["tokens"] / clean["notes"]
    )

    without = DatasetDict(test=load_corpus(leaking_corpus)["test"].select([0, 2, 3, 5]))
    tokens = tokenize_corpus(without, MidiProcessor.from_pretrained(tmp_path / "run" / "bundle"))
    alone = TrainingBlocks.from_tokens(tokens, DataArguments(context_length=64), seed=0).facts["test"]
    for counted in ("pieces", "rows", "notes", "tokens", "blocks"):
        assert clean[counted] == alone[counted] < whole[counted]
    assert clean["changed_by_tokenizer"]["total"] == alone["changed_by_tokenizer"]["total"]


def test_there_is_no_clean_test_where_every_test_piece_has_a_twin(leaking_corpus, processor):
    corpus = load_corpus(leaking_corpus)
    corpus["test"] = corpus["test"].select([1, 4])
    tokens, data_args = tokenize_corpus(corpus, processor), DataArguments(context_length=64)
    blocks = TrainingBlocks.from_tokens(tokens, data_args, seed=0)
    with pytest.raises(ValueError, match="Each of the 2 test pieces has a twin in train.*clean_test"):
        blocks.add_clean_test(corpus, tokens["test"], data_args, seed=0)


def test_training_lowers_the_loss(train, options, tmp_path):
    train(options("short", max_steps=1, eval_steps=1, save_steps=1))
    train(options("long", max_steps=40, eval_steps=40, save_steps=40))
    short, long = (run_record(tmp_path / name)["metrics"]["eval_loss"] for name in ("short", "long"))
    assert long < short - 0.5


@pytest.mark.parametrize("model", ["gpt2", "llama"])
def test_resume_equals_an_unbroken_run(train, options, tmp_path, model):
    train(options("unbroken", model=model, max_steps=4))
    broken = options("broken", model=model, max_steps=4)
    train(broken)
    shutil.rmtree(tmp_path / "broken" / "checkpoint-4")
    (tmp_path / "broken" / "bundle" / "model.safetensors").unlink()
    train([*broken, "--resume_from_checkpoint", "last"])
    unbroken, resumed = (weights(tmp_path / name) for name in ("unbroken", "broken"))
    for name, weight in unbroken.items():
        torch.testing.assert_close(resumed[name], weight, rtol=0, atol=0, msg=name)


def test_a_learned_vocabulary_is_in_the_bundle_and_learned_once(train, options, tmp_path, monkeypatch):
    train(options(vocab_size=1100))
    processor = MidiProcessor.from_pretrained(tmp_path / "run" / "bundle")
    assert processor.vocab_size == 1100 and processor.music_tokenizer.is_trained
    vocabulary = run_record(tmp_path / "run")["vocabulary"]
    told = {"tokenization": "REMI", "ids": 1100, "hash": processor.vocabulary_hash, "ids_asked_for": 1100}
    assert vocabulary == told

    def learn_again(*args, **kwargs):
        raise AssertionError("the vocabulary is learned a second time")

    monkeypatch.setattr(MidiProcessor, "train_new_from_corpus", learn_again)
    train(options("again", vocab_size=1100))


def test_a_trained_bundle_is_trained_further(train, options, tmp_path):
    train(options())
    bundle = str(tmp_path / "run")
    sizes = dict.fromkeys(ONE_LAYER)
    train(options("further", model=bundle, tokenization=bundle, max_steps=1, learning_rate="0.0", **sizes))
    before, after = (weights(tmp_path / name) for name in ("run", "further"))
    assert all(torch.equal(after[name], weight) for name, weight in before.items())


def test_a_corpus_of_the_base_is_split_as_it_was_or_the_record_tells_it(train, options, tmp_path, midi_folder):
    train(options())
    base = {"model": tmp_path / "run", "tokenization": tmp_path / "run", **dict.fromkeys(ONE_LAYER)}
    for shares in (None, "0.7 0.2 0.1"):
        train(options("further", split_shares=shares, **base))
        record = run_record(tmp_path / "further")
        assert record["split_otherwise"] == ([midi_folder.name] if shares else [])
        assert record["corpora"][0]["split_shares"] == ([0.7, 0.2, 0.1] if shares else [0.6, 0.2, 0.2])
        card = (tmp_path / "further" / "bundle" / "README.md").read_text()
        assert ("in other splits" in card) == bool(shares)
        unsaid = options("further", split_shares=None, max_steps=4, **base)
        train([*unsaid, "--resume_from_checkpoint", "last"])
        assert run_record(tmp_path / "further")["corpora"] == record["corpora"]
        assert run_record(tmp_path / "further")["optimizer_steps"] == 4


def test_the_recipe_of_a_bundle_gives_the_same_run(train, options, tmp_path, midi_folder, monkeypatch):
    train(options())
    monkeypatch.chdir(midi_folder.parent)
    train([str(tmp_path / "run" / "bundle" / "recipe.yaml"), "--output_dir", str(tmp_path / "again")])
    run, again = (weights(tmp_path / name) for name in ("run", "again"))
    assert all(torch.equal(again[name], weight) for name, weight in run.items())
    recipes = [(tmp_path / name / "bundle" / "recipe.yaml").read_text() for name in ("run", "again")]
    assert recipes[0] == recipes[1]


def test_a_record_tells_where_the_music_comes_from_and_nothing_of_this_machine(
    train, options, tmp_path, midi_folder, tmp_path_factory
):
    train(options())
    record = run_record(tmp_path / "run")
    assert [corpus["name"] for corpus in record["corpora"]] == [midi_folder.name]
    assert record["base_model"] is None and "neuromusic_hf" in record["versions"]
    text = (tmp_path / "run" / "bundle" / "run.json").read_text()
    assert str(tmp_path_factory.getbasetemp()) not in text


def test_wandb_offline_records_the_metrics(train, options, tmp_path, offline_wandb):
    train(options(report_to="wandb", run_name="a_test"))
    offline_wandb.finish()
    assert list(tmp_path.glob("wandb/offline-run-*/*.wandb"))


def test_a_process_that_dies_as_the_bundle_is_saved_ends_the_other(options, tmp_path):
    dies = ("neuromusic_hf.training.saving_trainer", "SavingTrainer._complete")
    arguments = [*dies, SCRIPT, *options(ddp_backend="gloo", save_strategy="no", save_steps=None)]
    variables = {**os.environ, "ACCELERATE_USE_CPU": "true"}
    first, second = run_in_processes(2, DYING, *arguments, folder=tmp_path, variables=variables, timeout=60)
    assert second.returncode == 9, second.stderr[-3000:]
    assert first.returncode not in (0, None), first.stderr[-3000:]
    assert not (tmp_path / "run" / "bundle").exists()


def test_two_processes_train_stop_early_and_push_as_one(train, options, tmp_path, hub):
    changed = {"model_config": '{"resid_pdrop":0,"embd_pdrop":0}', "learning_rate": "1e-3"}
    changed |= {"eval_continuations_steps": 2, "eval_continuations": 5, "eval_shown_continuations": 0}
    changed |= {"eval_continuations_novelty": True, "max_steps": 9, "eval_steps": 1}
    changed |= {"early_stopping_patience": 1, "early_stopping_threshold": 100}
    train(options("one", **changed, push_to_hub=True, hub_model_id="alice/one"))
    changed |= {"push_to_hub": True, "hub_model_id": "alice/two"}
    arguments = options("two", per_device_train_batch_size=2, ddp_backend="gloo", **changed)
    variables = {**os.environ, "ACCELERATE_USE_CPU": "true"}
    for ended in run_in_two_processes(SCRIPT, *arguments, folder=tmp_path, variables=variables):
        assert ended.returncode == 0, ended.stderr[-3000:]
    one, two = run_record(tmp_path / "one"), run_record(tmp_path / "two")
    assert (two["processes"], two["optimizer_steps"]) == (2, 2)
    assert two["splits"] == one["splits"] and two["course"]["stopped_early_after"] == 1
    assert two["metrics"]["eval_nats_per_note"] == pytest.approx(one["metrics"]["eval_nats_per_note"], rel=1e-4)
    tested_by_one, tested_by_two = (continued_at_the_end(tmp_path / name) for name in ("one", "two"))
    assert {*hub.files("alice/two")} == {*hub.files("alice/one")}
    assert len(tested_by_one) == 5 and tested_by_two == tested_by_one


def continued_at_the_end(folder: Path) -> list[tuple]:
    """Names and prompts of the pieces that were continued in training, where the Trainer logged as many."""
    run = read_run(folder / "eval_continuations" / "step-000002")
    history = json.loads((folder / "checkpoint-2" / "trainer_state.json").read_text())["log_history"]
    (logged,) = [entry for entry in history if "eval_continuations/pieces" in entry]
    assert logged["eval_continuations/pieces"] == len(run.records)
    assert (run.folder / "report" / "report.html").is_file()
    return [(record.name, run.path(record.files.prompt).read_bytes()) for record in run.records]
