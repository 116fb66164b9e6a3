"""scripts/train.py with --streaming: the run without it on the same order, resumed, in two processes, from the Hub."""

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from datasets import Dataset
from preloaded import run_in_two_processes
from safetensors.torch import load_file
from tiny import ONE_LAYER
from transformers import AutoModelForCausalLM

from neuromusic_hf import build_model, load_corpus
from neuromusic_hf.corpora import SPLIT_VERSION, stretches
from neuromusic_hf.streaming.train_split import check_streaming
from neuromusic_hf.tokenization import tokenize_corpus
from neuromusic_hf.training import DataArguments, RunArguments, TrainingBlocks, create_trainer, stream_blocks

NO_DROPOUT = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
SCRIPT = Path(__file__).parents[2] / "scripts" / "train.py"


def run_record(folder):
    return json.loads((folder / "bundle" / "run.json").read_text())


def weights(folder):
    return load_file(folder / "bundle" / "model.safetensors")


@pytest.fixture(scope="module")
def saved(midi_folder, tmp_path_factory):
    """A saved corpus with official splits, its train split in four files."""
    folder = tmp_path_factory.mktemp("saved") / "pieces"
    whole = load_corpus(midi_folder, split_shares=(0.6, 0.2, 0.2), cache_dir=folder.with_name("cache"))
    for split, rows in whole.items():
        files = 4 if split == "train" else 1
        for number in range(files):
            path = folder / f"{split}-{number:05d}-of-{files:05d}.parquet"
            path.parent.mkdir(exist_ok=True)
            rows.shard(files, number, contiguous=True).to_parquet(path)
    return folder


@pytest.fixture
def stream_options(options, saved):
    """The command line of a small run that streams."""

    def make(name="run", **changed):
        values = {"corpus": saved, "split_shares": None, "streaming": True, "shuffle_buffer": 6}
        return options(name, **(values | {"max_steps": 4} | changed))

    return make


def test_losses_are_those_of_a_run_without_streaming_on_the_same_order(saved, processor, tmp_path):
    data_args = DataArguments(context_length=64, infill_share=0.0, streaming=True, shuffle_buffer=6, max_eval_blocks=4)
    corpus, stream = load_corpus(saved, cache_dir=tmp_path), load_corpus(saved, streaming=True)
    losses = []
    for is_streamed in (True, False):
        sampling = {} if is_streamed else {"train_sampling_strategy": "sequential"}
        args = RunArguments(
            output_dir=str(tmp_path / str(is_streamed)), max_steps=5, per_device_train_batch_size=4, logging_steps=1,
            eval_strategy="no", save_strategy="no", bf16=False, disable_tqdm=True,
            gradient_accumulation_steps=2, **sampling,
        )  # fmt: skip
        blocks = TrainingBlocks.from_tokens(tokenize_corpus(corpus, processor), data_args, 0)
        of_stream = stream_blocks(stream, processor, data_args, args)
        if is_streamed:
            blocks.add_stream(of_stream, stream.content)
        else:
            rows = [row["input_ids"] for row, _ in zip(of_stream, range(40), strict=False)]
            blocks.splits["train"] = Dataset.from_dict({"input_ids": rows})
        torch.manual_seed(0)
        model = build_model("gpt2", processor, context_length=64, **ONE_LAYER, **NO_DROPOUT)
        trainer = create_trainer(model, processor, blocks, data_args, args, recipe={})
        trainer.train()
        losses.append([entry["loss"] for entry in trainer.state.log_history if "loss" in entry])
    assert losses[0] == losses[1] and len(losses[0]) == 5


def test_a_stopped_run_goes_on_to_where_an_unbroken_one_ends(train, stream_options, tmp_path):
    changed = {
        "infill_share": 0.3,
        "augmentation_variants": 1,
        "vocab_size": 1100,
        "data_seed": 3,
        "context_length": 128,
    }
    broken = stream_options("broken", **changed)
    train(broken)
    shutil.copytree(tmp_path / "broken", tmp_path / "unbroken")
    shutil.rmtree(tmp_path / "broken" / "checkpoint-4")
    shutil.rmtree(tmp_path / "broken" / "bundle")
    train([*broken, "--resume_from_checkpoint", "last"])
    for name, weight in weights(tmp_path / "unbroken").items():
        torch.testing.assert_close(weights(tmp_path / "broken")[name], weight, rtol=0, atol=0, msg=name)
    whole, resumed = run_record(tmp_path / "unbroken"), run_record(tmp_path / "broken")
    assert resumed["splits"] == whole["splits"] and resumed["metrics"]["epoch"] == 1
    facts = whole["splits"]["train"]
    assert facts["streamed"] and facts["read"]["blocks"] >= 16 and 0.25 < facts["infill"]["share"] < 0.4
    assert facts["left_out"] == {
        "no_notes_in_vocabulary": {"pieces": 0, "first": []},
        "refused": {"by_reason": {}, "first": []},
    }
    assert whole["splits"]["validation"]["pieces"] == 10 and whole["vocabulary"]["ids_asked_for"] == 1100
    for folder in ("checkpoint-2", "bundle"):
        assert AutoModelForCausalLM.from_pretrained(tmp_path / "broken" / folder).config.trained_programs == [0, 32]
    (tmp_path / "broken" / "checkpoint-2" / "stream_0.json").unlink()
    with pytest.raises(ValueError, match="no whole checkpoint: stream_0.json is missing"):
        train([*broken, "--resume_from_checkpoint", tmp_path / "broken" / "checkpoint-2"])


def test_a_run_goes_on_with_the_same_corpus_and_the_same_shares_alone(train, stream_options, saved, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(saved, moved)
    said = stream_options(corpus=moved, max_steps=2)
    train(said)
    last = ["--max_steps", "3", "--resume_from_checkpoint", "last"]
    others = {"dataloader_num_workers": 2}, {"shuffle_buffer": 5}, {"streaming": False, "shuffle_buffer": None}
    for changed in others:
        with pytest.raises(ValueError, match=f"made with other values(.|\\n)*{next(iter(changed))}: "):
            train([*stream_options(corpus=moved, **changed), *last])
    batches = stream_options(corpus=moved, per_device_train_batch_size=2, gradient_accumulation_steps=2)
    with pytest.raises(ValueError, match="per_device_train_batch_size: 4 there, 2 now"):
        train([*batches, *last])
    (moved / "train-00003-of-00004.parquet").write_bytes((moved / "test-00000-of-00001.parquet").read_bytes())
    with pytest.raises(ValueError, match="The corpus is not the one.*Give the same corpus"):
        train([*said, *last])


def test_two_processes_read_each_its_own_and_go_on_exactly(stream_options, tmp_path):
    def run(*more):
        steps = {"max_steps": 2, "save_steps": 1, "eval_strategy": "no", "eval_steps": None}
        arguments = stream_options(per_device_train_batch_size=2, ddp_backend="gloo", **steps)
        variables = {**os.environ, "ACCELERATE_USE_CPU": "true"}
        for ended in run_in_two_processes(SCRIPT, *arguments, *more, folder=tmp_path, variables=variables):
            assert ended.returncode == 0, ended.stderr[-3000:]

    run()
    shutil.copytree(tmp_path / "run", tmp_path / "unbroken")
    shutil.rmtree(tmp_path / "run" / "checkpoint-2")
    shutil.rmtree(tmp_path / "run" / "bundle")
    run("--resume_from_checkpoint", "last")
    for name, weight in weights(tmp_path / "unbroken").items():
        torch.testing.assert_close(weights(tmp_path / "run")[name], weight, rtol=0, atol=0, msg=name)
    assert run_record(tmp_path / "run")["splits"] == run_record(tmp_path / "unbroken")["splits"]
    states = [json.loads((tmp_path / "run" / "checkpoint-2" / f"stream_{rank}.json").read_text()) for rank in (0, 1)]
    assert [list(state["positions"]) for state in states] == [["0"], ["1"]] and states[0] != states[1]


def test_a_corpus_on_the_hub_is_read_in_parts_at_a_revision_and_with_a_token(
    train, stream_options, saved, hub, tmp_path, monkeypatch
):
    monkeypatch.setattr(stretches, "FEWEST_ROWS", 1)
    load_corpus(saved, cache_dir=tmp_path / "cache").push_to_hub("alice/songs", private=True, tag="v1")
    monkeypatch.setenv("HF_TOKEN", "hf_alice_read")
    train(stream_options(corpus="alice/songs", corpus_revision="v1", max_steps=2))
    assert not list((tmp_path / "hub_cache").rglob("*.parquet"))
    record = run_record(tmp_path / "run")
    [corpus] = record["corpora"]
    assert corpus["dataset"] == "alice/songs" and len(corpus["revision"]) == 40
    assert record["splits"]["train"]["read"]["pieces"] > 0


def test_a_folder_streams_too_with_the_splits_of_its_families(train, stream_options, midi_folder, tmp_path):
    how = {"corpus": midi_folder, "split_shares": "0.6 0.2 0.2", "max_steps": 2}
    train([*stream_options(dataloader_num_workers=1, **how), "--do_test"])
    record, whole = run_record(tmp_path / "run"), load_corpus(midi_folder, split_shares=(0.6, 0.2, 0.2))
    assert record["corpora"][0]["splits"] == SPLIT_VERSION
    assert [record["splits"][split]["pieces"] for split in ("validation", "test")] == [
        len(whole[split]) for split in ("validation", "test")
    ]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"max_steps": -1}, "streaming=True needs max_steps: how long a pass"),
        ({"eval_strategy": "epoch"}, "eval_strategy=epoch cannot be with streaming: how long"),
        ({"save_strategy": "epoch"}, "save_strategy=epoch"),
        ({"logging_strategy": "epoch"}, "logging_strategy=epoch"),
        ({"clean_test": True, "do_test": True}, "clean_test=True cannot be with streaming: it needs the whole"),
        ({"eval_continuations_novelty": True, "eval_continuations_steps": 2}, "eval_continuations_novelty=True"),
        ({"ignore_data_skip": True}, "ignore_data_skip=True"),
        ({"dataloader_in_order": False}, "dataloader_in_order=False"),
        ({"train_sampling_strategy": "group_by_length"}, "train_sampling_strategy=group_by_length"),
        ({"accelerator_config": {"dispatch_batches": True}}, "accelerator_config: dispatch_batches has no effect"),
    ],
)
def test_what_a_stream_cannot_do_is_refused_early(changed, words, tmp_path):
    values = {"output_dir": str(tmp_path), "max_steps": 2, "eval_strategy": "no", "save_strategy": "no", "bf16": False}
    args = RunArguments(**values | changed)
    check_streaming(DataArguments(), args)
    with pytest.raises(ValueError, match=words):
        check_streaming(DataArguments(streaming=True), args)
