"""Models that are divided among processes train as one process does, stop, go on, and leave one ordinary bundle."""

import json
import os
from pathlib import Path

import pytest
import torch
from accelerate.utils import is_deepspeed_available, merge_fsdp_weights
from preloaded import run_in_processes
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

WORKER = Path(__file__).with_name("engine_worker.py")
SCRIPT = str(Path(__file__).parents[2] / "scripts" / "train.py")
LAST = ["--resume_from_checkpoint", "last"]
CONTINUATIONS = {"eval_continuations_steps": 3, "eval_continuations": 2, "eval_shown_continuations": 0}
CONTINUATIONS |= {"eval_prompt_length": 24, "eval_continue_length": 24}
BEST = {"load_best_model_at_end": True, "metric_for_best_model": "nats_per_note"}
MUON = {"optim": "muon"}
COMPILED = ["--torch_compile_backend", "eager"]
"""Traced as a compiler has it, and run as it is."""

FSDP = {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2", "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP"}
DEEPSPEED = {"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DEEPSPEED_ZERO3_SAVE_16BIT_MODEL": "true"}
DEEPSPEED |= {"ACCELERATE_DEEPSPEED_ZERO3_INIT": "false", "DS_ACCELERATOR": "cpu"}
NEEDS_DEEPSPEED = pytest.mark.skipif(not is_deepspeed_available(), reason="DeepSpeed is not installed")
ENGINES = {
    "shards": ("FSDP2", FSDP | {"FSDP_STATE_DICT_TYPE": "SHARDED_STATE_DICT"}),
    "whole": ("FSDP2", FSDP | {"FSDP_STATE_DICT_TYPE": "FULL_STATE_DICT"}),
    "zero2": ("DeepSpeed ZeRO-2", DEEPSPEED | {"ACCELERATE_DEEPSPEED_ZERO_STAGE": "2"}),
    "zero3": ("DeepSpeed ZeRO-3", DEEPSPEED | {"ACCELERATE_DEEPSPEED_ZERO_STAGE": "3"}),
}
"""What run.json calls them, and what `accelerate launch` hands on of their configs."""

NO_DROPOUT = {
    "gpt2": '{"resid_pdrop":0,"embd_pdrop":0,"attn_pdrop":0}',
    "music_transformer": '{"hidden_dropout":0}',
}


def logged(run: Path, name: str) -> dict[int, float]:
    history = json.loads((run / "checkpoint-4" / "trainer_state.json").read_text())["log_history"]
    return {entry["step"]: entry[name] for entry in history if name in entry}


def held(finished) -> tuple[int, int]:
    """Numbers that a process held of the weights after its first step, and all that there are."""
    line = next(line for line in finished.stdout.splitlines() if line.startswith("HELD "))
    return tuple(json.loads(line.removeprefix("HELD ")))


def resumable_weights(checkpoint: Path, folder: Path) -> dict[str, torch.Tensor] | None:
    """What a run goes on from, beside the weights that the checkpoint shows."""
    if (checkpoint / "pytorch_model_fsdp_0").exists():
        merge_fsdp_weights(str(checkpoint / "pytorch_model_fsdp_0"), str(folder))
        return load_file(folder / "model.safetensors")
    whole = checkpoint / "pytorch_model_fsdp.bin"
    return torch.load(whole, weights_only=True) if whole.exists() else None


@pytest.mark.parametrize(
    ("kind", "model", "going_on"),
    [
        ("shards", "music_transformer", 1),
        ("whole", "gpt2", 2),
        pytest.param("zero2", "gpt2", 2, marks=NEEDS_DEEPSPEED),
        pytest.param("zero3", "music_transformer", 2, marks=NEEDS_DEEPSPEED),
    ],
)
def test_a_divided_run_stops_goes_on_and_ends_as_one_process_does(kind, model, going_on, train, options, tmp_path):
    """Shards are gone on with by another number of processes than wrote them, and by a model that is compiled."""
    more = BEST | MUON if kind == "whole" else CONTINUATIONS
    values = {"model": model, "model_config": NO_DROPOUT[model], "max_steps": 4, **more}
    train(options("one", **values))
    engine, variables = ENGINES[kind]

    def launch(processes: int, stop: int, *more: str):
        batches = {"per_device_train_batch_size": 1, "gradient_accumulation_steps": 4 // processes}
        arguments = options("two", **values, **batches, use_cpu=True)
        command = (processes, WORKER, str(stop), SCRIPT, *arguments, *more)
        return run_in_processes(*command, folder=tmp_path, variables={**os.environ, **variables})

    one, two = tmp_path / "one", tmp_path / "two"
    for ended in launch(2, 2):
        assert ended.returncode == 128 + 15, ended.stderr[-3000:]
        part, whole = held(ended)
        assert part == whole if kind == "zero2" else abs(part - whole / 2) < 0.05 * whole
    assert [path.name for path in two.glob("checkpoint-*")] == ["checkpoint-2"] and not (two / "bundle").exists()
    for ended in launch(going_on, 0, *LAST, *(COMPILED if kind == "shards" else ())):
        assert ended.returncode == 0, ended.stderr[-3000:]

    record = json.loads((two / "bundle" / "run.json").read_text())
    assert (record["engine"], record["processes"], record["optimizer_steps"]) == (engine, going_on, 4)
    for name in ("loss", "grad_norm", "eval_loss", "eval_nats_per_note", "num_input_tokens_seen"):
        assert logged(two, name) == pytest.approx(logged(one, name), rel=1e-5), name
    check_bundle(two / "bundle", one / "bundle", tolerance=1e-3 if kind == "whole" else 1e-4)
    shown = load_file(two / "checkpoint-2" / "model.safetensors")
    gone_on_from = resumable_weights(two / "checkpoint-2", tmp_path / "merged")
    assert gone_on_from is None or all(torch.equal(gone_on_from[name], shown[name]) for name in shown)
    assert (gone_on_from is None) == (engine != "FSDP2")
    if more is CONTINUATIONS:
        tests = [folder / "eval_continuations" / "step-000003" for folder in (one, two)]
        assert len(list(tests[1].glob("*.full.mid"))) == 2 and (tests[1] / "report" / "report.html").exists()
        assert {path.name for path in tests[0].iterdir()} == {path.name for path in tests[1].iterdir()}


def check_bundle(bundle: Path, of_one_process: Path, tolerance: float):
    """It is an ordinary bundle, with the same weights. Muon computes updates in bfloat16."""
    ours, theirs = (load_file(folder / "model.safetensors") for folder in (bundle, of_one_process))
    torch.testing.assert_close(ours, theirs, atol=tolerance, rtol=0)
    assert {path.name for path in bundle.iterdir()} == {path.name for path in of_one_process.iterdir()}
    assert (bundle / "config.json").read_text() == (of_one_process / "config.json").read_text()
    loaded = dict(AutoModelForCausalLM.from_pretrained(bundle).named_parameters())
    assert all(torch.equal(loaded[name], weight) for name, weight in ours.items())
