"""How scripts/train.py goes on with a run: from which checkpoint, with which values, alone in its folder."""

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from datasets import Dataset
from preloaded import run_in_two_processes, run_script
from safetensors.torch import load_file
from tiny import ONE_LAYER

from neuromusic_hf import MidiProcessor
from neuromusic_hf.checkpoints.folders import PROGRESS_NAME
from neuromusic_hf.checkpoints.resuming import is_same_value, refuse_other_blocks, settle_run_splits
from neuromusic_hf.disk import lock_folder
from neuromusic_hf.training import DataArguments, ModelArguments
from neuromusic_hf.training.split_blocks import hash_ids

REPOSITORY = Path(__file__).parents[2]
SCRIPT = str(REPOSITORY / "scripts" / "train.py")
LAST = ["--resume_from_checkpoint", "last"]


@pytest.fixture(scope="session")
def finished(tmp_path_factory, midi_folder):
    """The folder of a finished run of four steps, with the values of `options`. Copy it before you change it."""
    folder = tmp_path_factory.mktemp("finished")
    options = {
        "corpus": midi_folder, "split_shares": "0.6 0.2 0.2", "model": "gpt2", "hidden_size": 32,
        "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64, "context_length": 64,
        "output_dir": folder / "run", "max_steps": 4, "per_device_train_batch_size": 4, "max_eval_blocks": 8,
        "learning_rate": "1e-2", "logging_steps": 1, "eval_steps": 2, "save_steps": 2, "bf16": False,
        "infill_share": 0.0,
    }  # fmt: skip
    command = [part for key, value in options.items() for part in (f"--{key}", *str(value).split(" "))]
    assert run_script(SCRIPT, *command, folder=folder, variables={**os.environ}).returncode == 0
    return folder / "run"


@pytest.fixture
def run(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "run")


@pytest.fixture
def resume(train, options, run):
    """Goes on with a copy of the finished run, with options changed."""

    def again(checkpoint="last", **changed):
        train([*options(**{"max_steps": 4, **changed}), "--resume_from_checkpoint", str(checkpoint)])

    return again


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_finished_run_is_told_to_be_so_and_stays_as_it_is(resume, run, finished, caplog):
    with caplog.at_level(logging.WARNING):
        resume()
    assert "All 4 steps are done already" in caplog.text
    ours, theirs = (load_file(folder / "bundle" / "model.safetensors") for folder in (run, finished))
    assert all(torch.equal(ours[name], weight) for name, weight in theirs.items())
    assert names(run) == names(finished)


def test_more_steps_can_be_asked_for(resume, run):
    resume(max_steps=6, eval_steps=3, save_steps=3, logging_steps=2)
    record = json.loads((run / "bundle" / "run.json").read_text())
    assert record["optimizer_steps"] == 6
    assert yaml.safe_load((run / "bundle" / "recipe.yaml").read_text())["max_steps"] == 6


CHANGES = {
    "hidden_size": 64,
    "model": "llama",
    "tokenization": "TSD",
    "vocab_size": 1100,
    "context_length": 32,
    "intra_document_masking": True,
    "max_pieces": 20,
    "augmentation_variants": 1,
    "seed": 5,
    "learning_rate": "1e-3",
    "weight_decay": 0.5,
    "optim": "adafactor",
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_the_checkpoint_has_decided_cannot_change(resume, run, name, monkeypatch):
    monkeypatch.setattr("neuromusic_hf.training.run_data.load_corpus", None)  # It is refused before that.
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    difference = rf"(?s)checkpoint-4 was made with other values.*{name}: .* there, .* now.*begin a new run from its"
    with pytest.raises(ValueError, match=difference):
        resume(**{name: CHANGES[name]})
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_all_differences_are_listed(resume):
    with pytest.raises(ValueError, match=r"(?s)hidden_size: 32 there, 64 now.*seed: 42 there, 7 now"):
        resume(hidden_size=64, seed=7)


def test_the_blocks_of_an_optimizer_step_stay_as_many(resume):
    with pytest.raises(ValueError, match=r"4 × 1 × 1 = 4 there, 8 × 1 × 1 = 8 now"):
        resume(per_device_train_batch_size=8)
    resume(per_device_train_batch_size=2, gradient_accumulation_steps=2, max_steps=5)


def test_a_corpus_by_another_path_is_the_same(resume, midi_folder, monkeypatch):
    monkeypatch.chdir(midi_folder.parent)
    resume(corpus=midi_folder.name)


def test_a_corpus_that_moved_is_the_same_and_one_that_changed_is_not(train, options, midi_folder, tmp_path, run):
    first = shutil.copytree(midi_folder, tmp_path / "first")
    arguments = options("moved", corpus=first)
    train(arguments)
    moved = first.rename(tmp_path / "second")
    train([*options("moved", corpus=moved, max_steps=3), *LAST])
    for path in sorted(moved.iterdir())[:5]:
        path.unlink()
    with pytest.raises(ValueError, match="The train split is not the one that .* pieces in .* blocks there"):
        train([*options("moved", corpus=moved, max_steps=3), *LAST])


def test_splits_of_the_same_lengths_and_hashes_are_told_apart_by_their_ids(tmp_path):
    facts = []
    for ids in ([1, 2, 3], [1, 4, 3]):
        tokens = Dataset.from_dict({"input_ids": [ids]})
        facts.append({"pieces": 1, "blocks": 1, "content": "the same", "ids": hash_ids(tokens)})
    (tmp_path / PROGRESS_NAME).write_text(json.dumps({"train": facts[0]}))
    refuse_other_blocks(str(tmp_path), facts[0])
    with pytest.raises(ValueError, match="is not the one"):
        refuse_other_blocks(str(tmp_path), facts[1])


def test_a_corpus_with_a_plus_in_its_name_is_the_same_by_another_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("my+midi", "moved", "other"):
        (tmp_path / name).mkdir()
    assert is_same_value("corpus", "bach+my+midi", f"bach+{tmp_path / 'my+midi'}")
    assert not is_same_value("corpus", "bach+my+midi", "bach+other")


def test_last_begins_anew_where_there_is_no_checkpoint(train, options, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        train([*options(), *LAST])
    assert "no whole checkpoint" in caplog.text and "begins at its first step" in caplog.text
    assert (tmp_path / "run" / "bundle" / "run.json").exists()


def test_what_is_incomplete_is_passed_over_by_name_and_replaced(resume, run, caplog):
    (run / "checkpoint-4" / "trainer_state.json").unlink()
    with caplog.at_level(logging.WARNING):
        resume()
    assert f"{run / 'checkpoint-4'} is incomplete and passed over: trainer_state.json is missing" in caplog.text
    assert (run / "checkpoint-4" / "trainer_state.json").exists()


def test_what_is_damaged_is_refused_before_anything_else(resume, run):
    weights = run / "checkpoint-4" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"checkpoint-4 is damaged: model\.safetensors .*rm -r .*checkpoint-4"):
        resume()
    with pytest.raises(ValueError, match="is damaged"):
        resume(checkpoint=run / "checkpoint-4")


def test_checkpoints_of_another_run_are_kept_aside(train, options, run, caplog):
    with caplog.at_level(logging.WARNING):
        train(options(max_steps=2))
    assert "held checkpoints of another run (checkpoint-2, checkpoint-4)" in caplog.text
    assert names(run / "_earlier-1") == {"checkpoint-2", "checkpoint-4"}
    assert "checkpoint-4" not in names(run)
    train([*options(max_steps=2), *LAST])
    assert not (run / "_earlier-2").exists()


def test_a_run_from_an_earlier_checkpoint_keeps_the_later_ones_aside(resume, run):
    resume(checkpoint=run / "checkpoint-2", max_steps=3)
    assert names(run / "_earlier-1") == {"checkpoint-4"}
    assert {"checkpoint-2", "checkpoint-3"} <= names(run)


def test_a_new_run_from_a_checkpoint_needs_a_folder_of_its_own(train, options, run):
    checkpoint = str(run / "checkpoint-2")
    with pytest.raises(ValueError, match="needs an output_dir other than"):
        train(options(model=checkpoint, tokenization=checkpoint))
    assert (run / "checkpoint-2").exists()


def test_a_checkpoint_of_another_trainer_is_taken_with_a_warning(resume, run, caplog):
    for name in ("recipe.yaml", "progress.json"):
        (run / "checkpoint-4" / name).unlink()
    with caplog.at_level(logging.WARNING):
        resume(max_steps=5)
    assert "has no recipe.yaml" in caplog.text


def test_a_checkpoint_without_optimizer_says_so(train, options, tmp_path, caplog):
    train(options(save_only_model=True))
    with caplog.at_level(logging.WARNING):
        train([*options(max_steps=4, learning_rate="1e-3"), *LAST])
    assert "holds no optimizer" in caplog.text and "start of its schedule" in caplog.text


def test_a_vocabulary_that_another_process_learned_meanwhile_is_taken(train, options, tmp_path, monkeypatch):
    learn = MidiProcessor.train_new_from_corpus
    inner = []

    def learn_twice(self, *args, **kwargs):
        if not inner:
            inner.append(True)
            train(options("other", vocab_size=1050))
        return learn(self, *args, **kwargs)

    monkeypatch.setattr(MidiProcessor, "train_new_from_corpus", learn_twice)
    train(options(vocab_size=1050))
    ours, theirs = (MidiProcessor.from_pretrained(tmp_path / name / "bundle") for name in ("run", "other"))
    assert ours.tokenizer.get_vocab() == theirs.tokenizer.get_vocab()


def test_a_run_record_is_json_whatever_the_metrics_are(train, options, tmp_path, monkeypatch):
    monkeypatch.setattr("math.exp", lambda value: float("inf"))
    train(options())

    def refuse(constant):
        raise AssertionError(constant)

    for path in (tmp_path / "run").rglob("*.json"):
        json.loads(path.read_text(), parse_constant=refuse)
    assert json.loads((tmp_path / "run" / "bundle" / "run.json").read_text())["metrics"]["eval_perplexity"] is None


def test_a_run_of_an_earlier_version_is_gone_on_with(resume, train, options, run, caplog):
    """Its bundle lay in its folder itself, and its recipes said what recipes may no longer say."""
    for path in (run / "bundle").iterdir():
        path.rename(run / path.name)
    (run / "bundle").rmdir()
    recipe = yaml.safe_load((run / "checkpoint-4" / "recipe.yaml").read_text())
    recipe |= {"push_to_hub": True, "hub_model_id": "alice/x", "trust_remote_code": False}
    assert recipe.pop("split_version") == "families-2"
    (run / "checkpoint-4" / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    train(options("further", model=run, tokenization=run, max_steps=1, **dict.fromkeys(ONE_LAYER)))
    with caplog.at_level(logging.WARNING):
        resume(max_steps=6)
    assert "as earlier versions saved it" in caplog.text
    record = json.loads((run / "bundle" / "run.json").read_text())
    assert record["optimizer_steps"] == 6 and record["corpora"][0]["splits"] == "notes-hash-1"
    with pytest.raises(ValueError, match="split_version: not set there, 'families-1' now"):
        resume(run / "checkpoint-4", max_steps=6, split_version="families-1")


@pytest.mark.parametrize(
    ("corpus", "asked", "recipe", "settled"),
    [
        ("folk", None, None, "families-2"),
        ("folk", "notes-hash-1", None, "notes-hash-1"),
        ("folk", None, {"seed": 3}, "notes-hash-1"),
        ("folk", None, {"split_version": "families-1"}, "families-1"),
        ("maestro", None, None, None),
        ("maestro", None, {"seed": 3}, None),
    ],
)
def test_a_run_splits_as_asked_or_as_its_checkpoint_or_as_today(corpus, asked, recipe, settled, tmp_path):
    model_args, data_args = ModelArguments(), DataArguments(corpus=corpus, split_version=asked)
    if recipe is not None:
        (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    settle_run_splits(model_args, data_args, str(tmp_path) if recipe else None)
    assert data_args.split_version == settled and data_args.corpus_arguments["split_version"] == settled


def test_a_saved_corpus_that_says_its_splits_settles_none(leaking_corpus):
    data_args = DataArguments(corpus=str(leaking_corpus))
    settle_run_splits(ModelArguments(), data_args, None)
    assert data_args.split_version is data_args.split_shares is None


def test_a_run_splits_as_its_base_did_and_goes_on_so(tmp_path):
    """Its checkpoint holds the shares, which nobody asked for."""
    base = tmp_path / "base"
    base.mkdir()
    corpus = {"name": "folk", "splits": "notes-hash-1", "split_shares": [0.6, 0.2, 0.2]}
    (base / "run.json").write_text(json.dumps({"corpora": [corpus]}))
    model_args, data_args = ModelArguments(model=str(base)), DataArguments(corpus="folk")
    settle_run_splits(model_args, data_args, None)
    assert (data_args.split_version, data_args.split_shares) == ("notes-hash-1", [0.6, 0.2, 0.2])
    assert is_same_value("split_shares", data_args.split_shares, None)
    assert not is_same_value("split_shares", data_args.split_shares, [0.7, 0.2, 0.1])
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump({"split_shares": [0.7, 0.2, 0.1], "corpus": "folk"}))
    again = DataArguments(corpus="folk")
    settle_run_splits(model_args, again, str(tmp_path))
    assert again.split_shares == [0.7, 0.2, 0.1]


def test_a_version_that_was_not_recorded_is_that_of_before():
    same = {("notes-hash-1", "notes-hash-1"), (None, "notes-hash-1"), ("families-1", None), (None, None)}
    others = {(None, "families-1"), ("families-1", "notes-hash-1")}
    assert {pair: is_same_value("split_version", *pair) for pair in same | others} == (
        dict.fromkeys(same, True) | dict.fromkeys(others, False)
    )


# One process at a time


def test_a_folder_in_use_is_refused_by_name(train, options, tmp_path):
    with lock_folder(tmp_path / "run"):
        with pytest.raises(RuntimeError, match=rf"run belongs to another process .* process {os.getpid()} on"):
            train(options())
        assert names(tmp_path / "run") == {"_lock"}
    train(options())
    assert "_lock" not in names(tmp_path / "run")


def test_a_killed_process_leaves_its_folder_free(tmp_path):
    child = os.fork()
    if child == 0:
        with lock_folder(tmp_path / "run"):
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert "_lock" in names(tmp_path / "run")
    with lock_folder(tmp_path / "run"):
        pass


def test_a_run_that_is_refused_leaves_no_folder(train, options, tmp_path):
    with pytest.raises(ValueError, match="There is no checkpoint"):
        train([*options(), "--resume_from_checkpoint", str(tmp_path / "nowhere")])
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_written_to_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="Cannot write to the folder .*file"):
        with lock_folder(tmp_path / "file" / "run"):
            pass


# Several processes


def test_two_processes_stop_together_and_go_on(options, tmp_path):
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", SCRIPT]
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    values = {"max_steps": 5000, "save_steps": 5000, "eval_steps": 5000, "per_device_train_batch_size": 2}
    arguments = options(ddp_backend="gloo", logging_steps=7, disable_tqdm=True, **values)
    log = tmp_path / "log"
    with log.open("w") as output:
        process = subprocess.Popen([*launch, *arguments], stdout=output, stderr=subprocess.STDOUT, env=environment)
        deadline = time.monotonic() + 300
        while "'loss'" not in log.read_text() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=120) != 0
    [checkpoint] = (tmp_path / "run").glob("checkpoint-*")
    assert {"rng_state_0.pth", "rng_state_1.pth", "progress.json"} <= names(checkpoint), log.read_text()
    step = int(checkpoint.name.partition("-")[2])
    assert 0 < step < 5000 and not (tmp_path / "run" / "bundle").exists()
    end = str(step + 3)
    arguments[arguments.index("--max_steps") + 1] = end
    first, second = run_in_two_processes(SCRIPT, *arguments, *LAST, folder=tmp_path, variables=environment)
    assert first.returncode == second.returncode == 0, first.stderr[-3000:] + second.stderr[-3000:]
    assert f"The run goes on from step {step}" in first.stderr
    assert json.loads((tmp_path / "run" / "bundle" / "run.json").read_text())["optimizer_steps"] == step + 3
