"""Trains every model on every engine, and compares it with one process of the same batches: losses, weights, resuming.

    python benchmarks/engines.py --output benchmarks/results/engines.json

Each run is scripts/train.py, started by `accelerate launch` with a config of `accelerate_configs`, of which the number
of processes alone is changed. Where the machine has no GPUs it is told to compute on CPUs. An unbroken run writes a
checkpoint half-way, another goes on from there. DeepSpeed is left out, and said to be, where it is not installed.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
import yaml
from accelerate.utils import is_deepspeed_available, merge_fsdp_weights
from measuring import print_targets, save_result, target
from safetensors.torch import load_file
from tqdm import tqdm
from transformers import AutoModelForCausalLM

REPOSITORY = Path(__file__).parents[1]
CONFIGS = REPOSITORY / "accelerate_configs"
NO_DROPOUT = {
    "gpt2": {"resid_pdrop": 0, "embd_pdrop": 0, "attn_pdrop": 0},
    "llama": {},
    "music_transformer": {"hidden_dropout": 0},
}
"""Processes draw other random numbers than one process does, so that runs with dropout are not to be compared."""

COMPARED = ("loss", "grad_norm", "eval_loss", "eval_nats_per_note")


@dataclass(frozen=True)
class Engine:
    """
    How runs are started.

    Args:
        config (`str`): of `accelerate_configs`.
        processes (`int`): started, on all machines.
        machines (`int`): as many launches, all on this one.
        changed (`dict`): of the config, a part of it by its path.
        precision (`str`): `float32` or `bfloat16`.
    """

    config: str
    processes: int = 2
    machines: int = 1
    changed: tuple[tuple[str, str], ...] = ()
    precision: str = "float32"

    def write_config(self, folder: Path) -> Path:
        """The config with what is changed in it."""
        config = yaml.safe_load((CONFIGS / f"{self.config}.yaml").read_text())
        config["num_processes"] = self.processes
        for name, value in self.changed:
            config["fsdp_config"][name] = value
        path = folder / f"{self.config}.yaml"
        path.write_text(yaml.safe_dump(config))
        return path


WHOLE = (("fsdp_state_dict_type", "FULL_STATE_DICT"),)
ALONE = {
    "one process": Engine("cpu", 1),
    "one process, bfloat16": Engine("cpu", 1, precision="bfloat16"),
}
ENGINES = {
    "DDP": Engine("multi_cpu"),
    "DDP, two machines": Engine("multi_node", machines=2),
    "FSDP2, states in shards": Engine("fsdp2"),
    "FSDP2, whole states": Engine("fsdp2", changed=WHOLE),
    "FSDP2, bfloat16": Engine("fsdp2", precision="bfloat16"),
    "DeepSpeed ZeRO-2": Engine("deepspeed_zero2"),
    "DeepSpeed ZeRO-3": Engine("deepspeed_zero3"),
    "DeepSpeed ZeRO-2, bfloat16": Engine("deepspeed_zero2", precision="bfloat16"),
    "DeepSpeed ZeRO-3, bfloat16": Engine("deepspeed_zero3", precision="bfloat16"),
}


def reference_of(engine: Engine) -> str:
    """The run of one process that a run is compared with."""
    return next(name for name, alone in ALONE.items() if alone.precision == engine.precision)


def launch(engine: Engine, folder: Path, output: Path, options: list[str]) -> None:
    """One run of scripts/train.py, by `accelerate launch`; where there are several machines, by one on each."""
    command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(engine.write_config(folder))]
    command += ["--main_process_port", str(free_port())] if engine.processes > 1 else []
    script = [str(REPOSITORY / "scripts" / "train.py"), *options, "--output_dir", str(output)]
    script += ["--bf16", str(engine.precision == "bfloat16")]
    script += [] if torch.accelerator.is_available() else ["--use_cpu", "true"]
    variables = {"DS_ACCELERATOR": "cpu"} if not torch.accelerator.is_available() else {}
    variables |= {"PYTHONPATH": os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])}
    how = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True, "env": {**os.environ, **variables}}
    ranks = [["--machine_rank", str(rank)] if engine.machines > 1 else [] for rank in range(engine.machines)]
    launches = [subprocess.Popen([*command, *rank, *script], **how) for rank in ranks]
    with ThreadPoolExecutor() as readers:
        told = list(readers.map(lambda started: started.communicate(timeout=900)[1], launches))
    for started, text in zip(launches, told, strict=True):
        if started.returncode:
            raise RuntimeError(f"{output.name} failed:\n{text[-6000:]}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def curve(output: Path) -> dict[tuple[int, str], float]:
    """What the last checkpoint of a run has logged, by step and name."""
    last = max(output.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    history = json.loads((last / "trainer_state.json").read_text())["log_history"]
    return {(entry["step"], name): entry[name] for entry in history for name in COMPARED if name in entry}


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def difference(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> float:
    """The largest difference of two models' weights."""
    if ours.keys() != theirs.keys():
        raise ValueError(f"Not in both: {sorted(ours.keys() ^ theirs.keys())}")
    return max((ours[name].float() - theirs[name].float()).abs().max().item() for name in theirs)


def curve_difference(ours: dict, theirs: dict, name: str) -> float:
    """The largest difference of what was logged under a name."""
    steps = [key for key in theirs if key[1] == name]
    if not steps or any(key not in ours for key in steps):
        raise ValueError(
            f"{name} was logged at {sorted(key for key in ours if key[1] == name)} and at {sorted(steps)}."
        )
    return max(abs(ours[key] - theirs[key]) for key in steps)


def states_differ(checkpoint: Path, folder: Path) -> float | None:
    """How the weights that a run goes on from differ from those that the checkpoint shows as a bundle."""
    shards, whole = checkpoint / "pytorch_model_fsdp_0", checkpoint / "pytorch_model_fsdp.bin"
    if shards.exists():
        merge_fsdp_weights(str(shards), str(folder))
        found = weights(folder)
    elif whole.exists():
        found = torch.load(whole, weights_only=True)
    else:
        return None
    shown = weights(checkpoint)
    return difference({name: found[name] for name in shown}, shown)


def compare(run: Path, resumed: Path, alone: Path, middle: int, work: Path) -> dict:
    """What is told of a model on an engine."""
    ours, again, theirs = (curve(folder) for folder in (run, resumed, alone))
    model, info = AutoModelForCausalLM.from_pretrained(
        run / "bundle", trust_remote_code=True, output_loading_info=True
    )
    files = [{path.name for path in (folder / "bundle").iterdir()} for folder in (run, alone)]
    records = [json.loads((folder / "bundle" / "run.json").read_text()) for folder in (run, alone)]
    music = [sorted(folder.glob("eval_continuations/step-*/*.full.mid")) for folder in (run, alone)]
    same = [one.read_bytes() == other.read_bytes() for one, other in zip(*music, strict=True)]
    return {
        "engine": records[0]["engine"],
        "to_one_process": {name: curve_difference(ours, theirs, name) for name in COMPARED}
        | {"weights": difference(weights(run / "bundle"), weights(alone / "bundle"))},
        "resumed_to_unbroken": {name: curve_difference(again, ours, name) for name in COMPARED}
        | {"weights": difference(weights(resumed / "bundle"), weights(run / "bundle"))},
        "states_to_weights_of_checkpoint": states_differ(run / f"checkpoint-{middle}", work),
        "bundle_has_the_same_files": files[0] == files[1],
        "bundle_loads": not any(info.values()) and type(model).__name__ == records[1]["model"] == records[0]["model"],
        "continuations": len(same),
        "continuations_as_of_one_process": sum(same),
    }


def resume(engine: Engine, run: Path, middle: int, work: Path, options: list[str]) -> Path:
    """A run that goes on from the checkpoint of another one in the middle."""
    resumed = run.with_name(f"{run.name}, resumed")
    shutil.copytree(run / f"checkpoint-{middle}", resumed / f"checkpoint-{middle}")
    launch(engine, work, resumed, [*options, "--resume_from_checkpoint", "last"])
    return resumed


def training_options(args: argparse.Namespace, model: str, processes: int) -> list[str]:
    half, batch = args.max_steps // 2, 4
    values = {
        "corpus": args.corpus, "max_pieces": args.max_pieces, "model": model, "hidden_size": 32,
        "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64, "context_length": 64,
        "max_steps": 2 * half, "max_eval_blocks": 8, "learning_rate": 1e-2, "logging_steps": 1, "eval_steps": half,
        "save_steps": half,
        "per_device_train_batch_size": batch // processes, "per_device_eval_batch_size": 4, "infill_share": 0.25,
        "eval_continuations_steps": half, "eval_continuations": 3, "eval_shown_continuations": 0,
        "eval_prompt_length": 24, "eval_continue_length": 24, "load_best_model_at_end": True,
        "metric_for_best_model": "nats_per_note", "disable_tqdm": True,
    }  # fmt: skip
    options = [part for key, value in values.items() for part in (f"--{key}", *str(value).split(" "))]
    return [*options, "--model_config", json.dumps(NO_DROPOUT[model])]


def measure(args: argparse.Namespace, model: str, work: Path) -> dict:
    engines = {name: ENGINES[name] for name in args.engines}
    references = {reference_of(engine) for engine in engines.values()}
    results: dict[str, dict | str] = {}
    with tqdm(desc=model, total=len(references) + 2 * len(engines), unit="run") as bar:
        for name in references:
            launch(ALONE[name], work, work / name, training_options(args, model, 1))
            bar.update()
        for name, engine in engines.items():
            if name.startswith("DeepSpeed") and not is_deepspeed_available():
                results[name] = "not installed"
                continue
            options = training_options(args, model, engine.processes)
            launch(engine, work, work / name, options)
            bar.update()
            resumed = resume(engine, work / name, args.max_steps // 2, work, options)
            bar.update()
            merged = work / f"{name}, merged"
            results[name] = compare(work / name, resumed, work / reference_of(engine), args.max_steps // 2, merged)
    return results


def make_targets(models: dict[str, dict]) -> dict[str, dict]:
    """What is asked of the engines, with the worst of all models."""
    rows = {
        name: [engines[name] for engines in models.values() if isinstance(engines.get(name), dict)] for name in ENGINES
    }
    of = {
        precision: [row for name, found in rows.items() if ENGINES[name].precision == precision for row in found]
        for precision in ("float32", "bfloat16")
    }

    def worst(precision: str, beside: str, *names: str) -> float:
        return max(row[beside][name] for row in of[precision] for name in names)

    targets = {}
    for precision, losses in (("float32", 1e-4), ("bfloat16", 2e-2)):
        if of[precision]:
            to_one = worst(precision, "to_one_process", "loss", "eval_loss")
            targets[f"{precision}: losses beside one process, nats a token"] = target(to_one, at_most=losses)
            again = worst(precision, "resumed_to_unbroken", "weights")
            targets[f"{precision}: weights of a resumed run beside an unbroken one"] = target(again, at_most=0.0)
            again = worst(precision, "resumed_to_unbroken", *COMPARED)  # a loss that was not logged yet is rounded
            targets[f"{precision}: what a resumed run logs beside an unbroken one"] = target(again, at_most=1e-6)
    if of["float32"]:
        to_one = worst("float32", "to_one_process", "weights")
        targets["float32: weights beside one process"] = target(to_one, at_most=1e-4)
    every = [row for found in rows.values() for row in found]
    kept = [row["states_to_weights_of_checkpoint"] or 0.0 for row in every]
    targets["states beside the weights of a checkpoint"] = target(max(kept), at_most=0.0)
    whole = sum(row["bundle_loads"] and row["bundle_has_the_same_files"] for row in every) / len(every)
    targets["share of bundles that are ordinary ones"] = target(whole, at_least=1.0)
    return targets


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--models", nargs="+", default=list(NO_DROPOUT), choices=list(NO_DROPOUT))
    parser.add_argument("--engines", nargs="+", default=list(ENGINES), choices=list(ENGINES))
    parser.add_argument("--max_steps", type=int, default=6, help="optimizer steps; half of them before the checkpoint")
    parser.add_argument("--corpus", default="folk")
    parser.add_argument("--max_pieces", type=int, default=60)
    return parser.parse_args()


def main():
    args = parse_arguments()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for model in args.models:
            work = Path(folder, model)
            work.mkdir()
            results[model] = measure(args, model, work)
    targets = make_targets(results)
    settings = vars(args) | {"output": args.output.name}
    save_result(args.output, "engines", {"settings": settings, "models": results, "targets": targets})
    print_targets(targets)


if __name__ == "__main__":
    main()
