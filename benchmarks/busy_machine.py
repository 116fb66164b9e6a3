"""Measures continuation, training and scoring beside other work, with the threads this project takes and with others.

    python benchmarks/busy_machine.py

Every way is a fresh process, as OpenMP reads its settings once. README.md says what each figure means.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import torch
from continuation import SIZES, Clock, make_model
from matplotlib.figure import Figure
from measuring import RESULTS, alternating, answer_task, print_targets, run_fresh, save_result, spread, target
from scoring import cut_compositions, manifest_path, write_run

from neuromusic_hf import MidiProcessor, build_model
from neuromusic_hf.cores import CoreMeter, usable_cores
from neuromusic_hf.generation import generate_rows
from neuromusic_hf.options.arguments import has_fast_bfloat16
from neuromusic_hf.reports import ScoringOptions, score_run
from neuromusic_hf.runs import find_pieces, read_run
from neuromusic_hf.threads import WAITING_PASSIVELY

OURS, DEFAULT, PASSIVE, ONE_THREAD = "ours", "all threads", "all threads, passive", "one thread"
FIXED, SLEEPING = {"OMP_DYNAMIC": "false"}, {"OMP_WAIT_POLICY": "PASSIVE"}
WAYS = {
    "continuation": {OURS: {}, DEFAULT: FIXED, PASSIVE: FIXED | SLEEPING, ONE_THREAD: {"OMP_NUM_THREADS": "1"}},
    "training": {OURS: WAITING_PASSIVELY, DEFAULT: {}, PASSIVE: SLEEPING, ONE_THREAD: {"OMP_NUM_THREADS": "1"}},
    "scoring": {OURS: {}, DEFAULT: {}},
}
"""Variables of the environment by what is measured, and how. Our training is as scripts/train.py sets them."""
PROCESSES = {OURS: None, DEFAULT: 1}
"""That score; numpy as it comes is one, with all threads."""
READ_BY_OPENMP = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "OMP_DYNAMIC", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
LOADS = (0, 1, 2)
"""Busy loops beside what is measured."""
MODELS = {"quickstart": "small", "58M": "full", "tiny": "tiny"}
"""Sizes of `continuation.py` by name. `tiny` tells nothing about speed; it is for the tests."""
PROMPT, NEW_TOKENS, MOST_SECONDS, FEWEST_STEPS = 128, 64, 4.0, 3
"""A call that takes longer is cut off, and counted on by its steps, which are so many at least."""
QUIET_RUNS = 3
FACTORS = (0.5, 1, 2.5, 10, 25, 100)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--continued", default="quickstart:1,quickstart:4,quickstart:16,58M:1,58M:4,58M:16", help="model:rows"
    )
    parser.add_argument("--trained", default="quickstart:8,58M:1", help="model:rows, of 512 tokens")
    parser.add_argument("--corpus", default="folk", help="from whose train split scored pieces are cut")
    parser.add_argument("--max_pieces", type=int, default=2000, help="that are scored")
    parser.add_argument("--steps", type=int, default=3, help="of a training, after one that is not counted")
    parser.add_argument("--repetitions", type=int, default=1, help="of every process; medians are compared")
    parser.add_argument("--output", type=Path, default=RESULTS / "busy_machine.json", help="result file")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.task:
        return answer_task(run_task, args.task)
    for name in READ_BY_OPENMP:
        os.environ.pop(name, None)
    os.environ["TQDM_DISABLE"] = "1"
    with tempfile.TemporaryDirectory(prefix="neuromusic-benchmark-") as folder:
        write_pieces(args.corpus, args.max_pieces, Path(folder))
        tasks = {
            "continuation": {"cases": args.continued.split(",")},
            "training": {"cases": args.trained.split(","), "steps": args.steps},
            "scoring": {"cases": [str(manifest_path(Path(folder), args.max_pieces))]},
        }
        runs, free = measure(tasks, args.repetitions)
    figures = {name: figures_of(found) for name, found in runs.items()}
    targets = make_targets(figures)
    print_table(figures)
    print_targets(targets)
    settings = {name: getattr(args, name) for name in ("max_pieces", "steps", "repetitions")}
    settings |= {"prompt": PROMPT, "new_tokens": NEW_TOKENS, "free_cores_before": spread(free)}
    settings |= {"corpus": Path(args.corpus).name, "environment": WAYS, "cores": usable_cores()}
    plot(figures).savefig(args.output.with_suffix(".png"))
    save_result(args.output, "busy_machine", {"settings": settings, "runs": figures, "targets": targets})


def write_pieces(corpus: str, number: int, folder: Path):
    """Writes a run to score, whose prompts, originals and continuations are passages of a corpus."""
    pieces = find_pieces([corpus], split="train")
    write_run(cut_compositions(pieces, 32, min(number, 200)), number, folder)


def measure(tasks: dict[str, dict], repetitions: int) -> tuple[dict, list[float]]:
    """Milliseconds of all runs by case, way and load; and the cores that were free before each process."""
    order = [(kind, way) for kind, ways in WAYS.items() for way in ways]
    runs, free = {}, []
    for repetition, (kind, way) in alternating(order, repetitions):
        free.append(float(CoreMeter().free()))
        task = {"kind": kind, **tasks[kind]}
        if kind == "scoring":
            task["num_proc"] = PROCESSES[way]
        found = run_fresh(__file__, task, WAYS[kind][way]).result
        for case, by_load in found.items():
            medians = {load: spread(milliseconds)["median"] for load, milliseconds in by_load.items()}
            print(f"repetition {repetition + 1}: {case}, {way}: {shown(medians)}", flush=True)
            for load, milliseconds in by_load.items():
                runs.setdefault(case, {}).setdefault(way, {}).setdefault(int(load), []).extend(milliseconds)
    return runs, free


def run_task(kind: str, cases: list[str], **how) -> dict[str, dict[int, list[float]]]:
    """Milliseconds of each case beside each load, in this process; several times alone, which all is compared with."""
    torch.manual_seed(0)
    prepare = {"continuation": continuation, "training": training, "scoring": scoring}[kind]
    found = {}
    for case in cases:
        name, run = prepare(case, **how)
        found[name] = {}
        for load in LOADS:
            with busy_loops(load):
                found[name][load] = [run() for _ in range(1 if load else QUIET_RUNS)]
    return found


@contextlib.contextmanager
def busy_loops(number: int) -> Iterator[None]:
    """Programs of somebody else that take a core each."""
    command = [sys.executable, "-c", "while True: pass"]
    loops = [subprocess.Popen(command, start_new_session=True) for _ in range(number)]
    try:
        time.sleep(0.3 if loops else 0)
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def continuation(case: str) -> tuple[str, Callable[[], float]]:
    """What a call takes that goes on from a prompt, its steps counted on where it takes too long."""
    name, rows = case.split(":")
    model = make_model("music_transformer", MODELS[name], PROMPT + NEW_TOKENS)
    prompts = torch.randint(3, 500, (int(rows), PROMPT))

    def call(**length) -> tuple[float, list[float]]:
        """Seconds of a call, and of each of its steps after the first."""
        clock, start = Clock(), time.perf_counter()
        how = {"logits_processor": [clock], **length}
        generate_rows(model, prompts, torch.ones_like(prompts), seeds=[0] * len(prompts), **how)
        return time.perf_counter() - start, [after - before for before, after in pairwise(clock.reached)]

    def run() -> float:
        seconds, steps = call(max_new_tokens=NEW_TOKENS, max_time=MOST_SECONDS)
        if len(steps) < FEWEST_STEPS:
            seconds, steps = call(max_new_tokens=1 + FEWEST_STEPS)
        return 1000 * (seconds + (NEW_TOKENS - 1 - len(steps)) * sum(steps) / len(steps))

    call(max_new_tokens=2)
    return f"continuation, {name}, {rows} rows", run


def training(case: str, steps: int) -> tuple[str, Callable[[], float]]:
    """What an optimizer step takes on the mean."""
    name, rows = case.split(":")
    processor = MidiProcessor.from_tokenization("REMI")
    model = build_model("music_transformer", processor, context_length=512, **SIZES[MODELS[name]]).train()
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    ids = torch.randint(3, 500, (int(rows), 512))

    def step():
        with torch.autocast("cpu", torch.bfloat16, enabled=has_fast_bfloat16(use_cpu=True)):
            loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    def run() -> float:
        reached = [time.perf_counter()]
        while len(reached) <= steps and reached[-1] - reached[0] < MOST_SECONDS:
            step()
            reached.append(time.perf_counter())
        return 1000 * (reached[-1] - reached[0]) / (len(reached) - 1)

    step()
    return f"training step, {name}, {rows} rows", run


def scoring(manifest: str, num_proc: int | None) -> tuple[str, Callable[[], float]]:
    """What it takes to score a run, with as many processes as cores if not told otherwise."""

    def run() -> float:
        start = time.perf_counter()
        score_run(read_run(manifest), ScoringOptions(num_proc=num_proc))
        return 1000 * (time.perf_counter() - start)

    run()
    return "scoring a run", run


def figures_of(ways: dict[str, dict[int, list[float]]]) -> dict:
    """Milliseconds by way and load, and what each takes beside others to what it takes alone."""
    row = {}
    for way, by_load in ways.items():
        found = {load: spread(milliseconds) for load, milliseconds in by_load.items()}
        quiet = found[0]["median"]
        to_quiet = {f"beside_{load}_to_quiet": found[load]["median"] / quiet for load in LOADS[1:]}
        row[way] = {"milliseconds": {str(load): each for load, each in found.items()}, **to_quiet}
        row[way]["quiet_to_all_threads"] = quiet / spread(ways[DEFAULT][0])["median"]
    return row


def make_targets(figures: dict) -> dict:
    """What the project asks of its own way."""
    targets = {}
    for case, row in figures.items():
        targets[f"{case}: beside one to quiet"] = target(row[OURS]["beside_1_to_quiet"], at_most=2.5)
        targets[f"{case}: quiet to all threads quiet"] = target(row[OURS]["quiet_to_all_threads"], at_most=1.05)
    return targets


def shown(by_load: dict) -> str:
    return ", ".join(f"{milliseconds:.0f} ms beside {load}" for load, milliseconds in by_load.items())


def print_table(figures: dict):
    """Prints medians."""
    for case, row in figures.items():
        for way, found in row.items():
            print(f"{case}, {way}: {shown({k: v['median'] for k, v in found['milliseconds'].items()})}")


def plot(figures: dict) -> Figure:
    """What each way takes beside each load, in times of what all threads take alone."""
    columns = 3
    rows = -(-len(figures) // columns)
    figure = Figure(figsize=(4.2 * columns, 3.2 * rows), dpi=110, layout="constrained")
    for panel, (case, row) in zip(figure.subplots(rows, columns, squeeze=False).flat, figures.items(), strict=False):
        whole = row[DEFAULT]["milliseconds"]["0"]["median"]
        for way, found in row.items():
            times = [found["milliseconds"][str(load)]["median"] / whole for load in LOADS]
            panel.plot(LOADS, times, "o-", label=way, linewidth=2.5 if way == OURS else 1)
        panel.set(title=case, xlabel="busy loops beside it", yscale="log", ylim=(0.5, 100))
        panel.set_xticks(LOADS)
        panel.set_yticks(FACTORS, [f"{factor:g} x" for factor in FACTORS])
        panel.minorticks_off()
        panel.grid(alpha=0.3)
        panel.legend(fontsize="x-small", loc="upper left")
    for panel in figure.axes[len(figures) :]:
        panel.axis("off")
    return figure


if __name__ == "__main__":
    main()
