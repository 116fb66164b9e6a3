"""Kills a training run again and again, in saves and elsewhere, fills its disk, and compares it with an unbroken one.

    python benchmarks/kill_training.py --output benchmarks/results/kill_training.json

Every launch has the same command line, with `--resume_from_checkpoint last`. Half of the kills are aimed into saves,
the others fall at random moments. In the end, every logged loss and every weight must be that of the unbroken run, bit
by bit.
"""

import argparse
import contextlib
import os
import random
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import torch
from killed_run import Run, kill_at_random, kill_in_a_save, seconds_of_a_save
from matplotlib.figure import Figure
from measuring import print_targets, save_result, target


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[bool]:
    """A file system of so many bytes, where the machine lets us mount one; whether it does."""
    folder.mkdir()
    mounted = os.geteuid() == 0 and not os.system(f"mount -t tmpfs -o size={size} tmpfs {folder} 2>/dev/null")
    try:
        yield mounted
    finally:
        if mounted:
            os.system(f"umount {folder}")


def fill_the_disk(work: Path, options: list[str], unbroken: Run) -> dict:
    """Trains where there is room for one checkpoint and a half, then again with room for all."""
    checkpoint = max(unbroken.folder.glob("checkpoint-*"))
    sizes = [path.stat().st_size for path in checkpoint.iterdir()]
    with small_disk(work / "disk", int(1.5 * sum(sizes))) as mounted:
        run = Run(work / "disk" / "run", options, work / "filled.log")
        full = run.launch(file_limit=None if mounted else max(sizes) // 2)
        message = [line for line in run.log.read_text().splitlines() if line.startswith("OSError")]
        left = sorted(path.name for path in run.folder.iterdir() if path.name != "_lock")
        if mounted:
            os.system(f"mount -o remount,size={8 * sum(sizes)} {work / 'disk'}")
        resumed = run.launch()
        return {
            "means": "a file system of 1.5 checkpoints" if mounted else "a limit to the size of a file",
            "exit_status": full.exit_status,
            "message": message[-1].replace(str(work), "") if message else None,
            "left": left,
            "resumed_at": resumed.first_step,
            **comparison(run, unbroken),
        }


def comparison(run: Run, unbroken: Run) -> dict:
    ours, theirs = run.weights(), unbroken.weights()
    same = ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in theirs)
    return {"every_logged_value_is_equal": run.curve() == unbroken.curve(), "every_weight_is_equal": same}


def draw_curves(run: Run, unbroken: Run, path: Path):
    """The losses over each other, and the steps of the killed run over time."""
    figure = Figure(figsize=(10, 8), layout="constrained")
    losses, times = figure.subplots(2)
    for each, style in ((unbroken, {"color": "0.75", "linewidth": 5}), (run, {"color": "tab:blue", "linewidth": 1.2})):
        points = [(entry["step"], entry["loss"]) for entry in each.curve() if "loss" in entry]
        label = "unbroken run" if each is unbroken else "killed run"
        losses.plot(*zip(*points, strict=True), label=label, **style)
    colors = {"save": "tab:red", "steps": "tab:green", "start": "tab:purple"}
    done = 0
    for launch in run.launches:
        done = launch.last_step or done
        if launch.steps:
            times.plot(*zip(*launch.steps, strict=True), color="tab:blue", linewidth=1.2)
        if launch.killed_in:
            losses.axvline(done, color=colors[launch.killed_in], linewidth=0.8, linestyle=":")
            times.plot(launch.ended, done, "x", color=colors[launch.killed_in])
    for phase, color in colors.items():
        count = sum(launch.killed_in == phase for launch in run.launches)
        times.plot([], [], "x", color=color, label=f"killed, {phase}: {count}")
    losses.set(xlabel="optimizer step", ylabel="loss, nats a token", title="Both curves are one")
    times.set(xlabel="seconds since the first launch", ylabel="optimizer step")
    losses.legend()
    times.legend()
    figure.savefig(path, dpi=110)


def training_options(args: argparse.Namespace) -> list[str]:
    values = {
        "corpus": args.corpus, "max_pieces": args.max_pieces, "model": "gpt2", "hidden_size": args.hidden_size,
        "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 4 * args.hidden_size,
        "context_length": 64, "max_steps": args.max_steps, "save_steps": args.save_steps, "logging_steps": 1,
        "eval_steps": 4 * args.save_steps, "max_eval_blocks": 16, "per_device_train_batch_size": 4,
        "learning_rate": 1e-3, "lr_scheduler_type": "cosine", "bf16": False, "seed": args.seed, "disable_tqdm": True,
        "use_cpu": True,
    }  # fmt: skip
    return [part for key, value in values.items() if value is not None for part in (f"--{key}", str(value))]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="JSON file to write; a picture goes beside it")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--corpus", default="folk")
    parser.add_argument("--max_pieces", type=int, default=200)
    parser.add_argument("--hidden_size", type=int, default=512)
    parser.add_argument("--max_steps", type=int, default=300)
    parser.add_argument("--save_steps", type=int, default=5)
    parser.add_argument("--fill_disk", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main():
    args = parse_arguments()
    os.environ |= {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    options = training_options(args)
    draw = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        unbroken = Run(work / "unbroken", options, work / "unbroken.log")
        first, save_seconds = seconds_of_a_save(unbroken)
        if first.exit_status:
            raise RuntimeError(f"The unbroken run failed:\n{unbroken.log.read_text()}")
        run = Run(work / "killed", options, work / "killed.log")
        for kill in range(args.kills):
            aimed = kill_in_a_save(draw, save_seconds)
            anywhere = kill_at_random(draw, unbroken, args.save_steps)
            launch = run.launch(aimed if kill % 2 == 0 else anywhere)
            print(f"kill {kill + 1}: {launch.killed_in or 'none'}, step {launch.last_step}", flush=True)
        last = run.launch()
        equal = comparison(run, unbroken)
        filled = fill_the_disk(work, options, unbroken) if args.fill_disk else None
        draw_curves(run, unbroken, args.output.with_suffix(".png"))
    kills = [launch for launch in run.launches if launch.killed_in]
    refused = [launch for launch in run.launches if launch.exit_status not in (None, 0)]
    in_saves = sum(launch.killed_in == "save" for launch in kills)
    targets = {
        "kills": target(len(kills), at_least=args.kills),
        "kills in saves": target(in_saves, at_least=args.kills // 2),
        "launches that failed": target(len(refused), at_most=0),
        "differences from the unbroken run": target(sum(not value for value in equal.values()), at_most=0),
    }
    figures = {
        "settings": {"max_steps": args.max_steps, "save_steps": args.save_steps, "hidden_size": args.hidden_size},
        "seconds_of_a_save": save_seconds,
        "launches": [{k: v for k, v in asdict(launch).items() if k != "steps"} for launch in run.launches],
        "last_launch_ended_with": last.exit_status,
        "killed_run": equal,
        "filled_disk": filled,
        "targets": targets,
    }
    save_result(args.output, "kill_training", figures)
    print_targets(targets)


if __name__ == "__main__":
    main()
