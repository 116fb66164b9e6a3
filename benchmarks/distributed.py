"""Prepares a large corpus in tasks, killed and restarted, and holds it against what one process makes.

    python benchmarks/distributed.py lamd-sample.zip --files 100000 --work /tmp/distributed

What is done is kept in the folder of `--work`: give the same command again to go on. README.md says what each
figure means.
"""

import argparse
import contextlib
import json
import math
import os
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
from datasets import DatasetDict, load_dataset
from measuring import MIB, RESULTS, Stopwatch, answer_task, peak_memory, print_targets, run_fresh, save_result, target
from varied_files import make_files

from neuromusic_hf.corpora import Corpus, QuarantineReport, load_corpus
from neuromusic_hf.disk import size_in_mib
from neuromusic_hf.preparation import LocalExecutor, begin_preparation, executors
from neuromusic_hf.tokenization import MidiProcessor, tokenize_corpus
from neuromusic_hf.tokenization.token_dataset import evenly_mixed

MANY_FILES = 10_000_000
STAGES = ("read", "align", "write", "tokenize")
"""Those whose tasks share the work."""

KILLED_IN = ("read", "align", "write")
"""Stages in which it is killed, when a third of their tasks is done."""

ONE_TASK = ("list", "candidates", "split", "finish")
LINEAR = ("list", "read", "write", "tokenize")
PROGRESS_SECONDS = 30
QUIET = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
ROWS = 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sample", nargs="?", type=Path, help="zip of MIDI files that the others are made of")
    parser.add_argument("--files", type=int, default=100_000, help="of the corpus")
    parser.add_argument("--part", type=int, default=5_000, help="of its files, for which workers are compared")
    parser.add_argument("--compared", type=int, nargs="+", default=[1, 2, 4], help="numbers of workers, and tasks")
    parser.add_argument("--tasks", type=int, default=64, help="of the whole corpus")
    parser.add_argument("--workers", type=int, default=2, help="of the whole corpus")
    parser.add_argument("--tokenization", default="REMI", help="whose tokens are written, too")
    parser.add_argument("--work", type=Path, default=Path("/tmp/distributed"), help="folder for all files")
    parser.add_argument("--keep", action="store_true", help="leave the folder")
    parser.add_argument("--output", type=Path, default=RESULTS / "distributed.json", help="result file")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.task:
        return answer_task(run_task, args.task)
    if args.sample is None:
        parser.error("name a zip of MIDI files")
    steps = Steps(args.work)
    source = args.work / "source"
    made = steps.once("made", lambda: make_files(args.sample, source, args.files, args.workers))
    compared = {
        count: steps.once(f"part_{count}", lambda count=count: prepare_part(args, source, count))
        for count in args.compared
    }
    whole = steps.once("whole", lambda: prepare_killed(args, source))
    places = {"source": str(source), "work": str(args.work), "tokenization": args.tokenization}
    alone = steps.once("alone", lambda: measured({"do": "load", **places}))
    equality = steps.once("equality", lambda: measured({"do": "compare", **places}))
    figures = {
        "settings": {name: getattr(args, name) for name in ("files", "part", "tasks", "workers", "tokenization")},
        "made": made,
        "part": compared,
        "whole": whole,
        "one_process": alone,
        "equality": equality,
    }
    figures["projection"] = project(figures)
    targets = {
        "equal_to_one_process": target(float(equality["equal"]), at_least=1),
        "files": target(args.files, at_least=100_000),
        "tasks": target(args.tasks, at_least=4),
        "kills": target(len(whole["killed"]), at_least=len(KILLED_IN)),
        "tasks_done_twice_after_kills": target(whole["tasks_done_again"], at_most=0),
    }
    print_targets(targets)
    save_result(args.output, "distributed", {**figures, "targets": targets})
    if not args.keep:
        shutil.rmtree(args.work)


class Steps:
    """
    Steps whose figures are kept, so that a benchmark that was stopped goes on.

    Args:
        folder (`Path`): where.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def once(self, name: str, step: Callable[[], dict]) -> dict:
        path = self.folder / f"{name}.json"
        if not path.exists():
            print(f"{time.strftime('%H:%M:%S')} {name}", flush=True)
            figures = step()
            path.write_text(json.dumps(figures))
            print(f"{time.strftime('%H:%M:%S')} {name}: {json.dumps(figures)[:400]}", flush=True)
        return json.loads(path.read_text())


class MeasuredExecutor(LocalExecutor):
    """Takes down what each task costs."""

    def run_task(self, rank: int):
        peak, ended = [0], threading.Event()
        watch = threading.Thread(target=watch_memory, args=(peak, ended))
        watch.start()
        start, processor = time.perf_counter(), time.process_time()
        try:
            return super().run_task(rank)
        finally:
            figures = {"seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - processor}
            ended.set()
            watch.join()
            figures |= {"own_mib": peak[0] / MIB, "peak_mib": peak_memory(psutil.Process()) / MIB}
            stage = Path(self.logging_dir.path)
            with (stage.parent / "usage.jsonl").open("a") as file:
                file.write(json.dumps({"stage": stage.name, "rank": rank, **figures}) + "\n")


def watch_memory(peak: list[int], ended: threading.Event):
    """The most memory of this process that is no file, looked at ten times a second."""
    status = Path("/proc/self/status")
    while status.exists():
        own = [line for line in status.read_text().splitlines() if line.startswith("RssAnon:")]
        peak[0] = max(peak[0], *(int(line.split()[1]) * 1024 for line in own))
        if ended.wait(0.1):
            return


def run_task(do: str, source: str, work: str, **options) -> dict:
    """What is measured in a process of its own."""
    return {"prepare": prepare, "load": load_alone, "compare": compare}[do](Path(source), Path(work), **options)


def prepare(source: Path, work: Path, output: str, workers: int, **options) -> dict:
    preparation = begin_preparation(source, work / output, **options)
    start = time.perf_counter()
    executors(preparation, MeasuredExecutor, workers=workers)[-1].run()
    return {"prepare_seconds": time.perf_counter() - start}


def load_alone(source: Path, work: Path, tokenization: str) -> dict:
    watch = Stopwatch()
    corpus = load_corpus(source, cache_dir=work / "cache")
    figures = {**watch.lap(), "rows": corpus.num_rows}
    tokens_alone(corpus, work, tokenization)
    return {**figures, "tokens": watch.lap()}


def tokens_alone(corpus: Corpus, work: Path, tokenization: str) -> DatasetDict:
    return tokenize_corpus(corpus, MidiProcessor.from_tokenization(tokenization), tally_path=work / "tally.json")


def compare(source: Path, work: Path, tokenization: str) -> dict:
    """Every column of every row, the quarantine, and all tokens."""
    folder, cache = work / "whole", work / "cache"
    alone, prepared = (load_corpus(path, cache_dir=cache) for path in (source, folder))
    reports = alone.quarantine, QuarantineReport.load(folder / "quarantine.json")
    tokens = load_dataset(str(folder), "tokens", cache_dir=str(cache))
    mixed = {split: evenly_mixed(np.asarray(rows["num_notes"][:])) for split, rows in alone.items()}
    tokens = DatasetDict({split: rows.select(mixed[split]) for split, rows in tokens.items()})
    equal = {split: same_rows(alone, prepared, split) for split in alone}
    by_tokens = tokens_alone(alone, work, tokenization)
    equal_tokens = {split: same_rows(by_tokens, tokens, split) for split in alone}
    return {
        "rows": prepared.num_rows,
        "refused": alone.quarantine.refused,
        "mended": alone.quarantine.mended,
        "same_rows": equal,
        "same_tokens": equal_tokens,
        "same_quarantine": reports[0] == reports[1],
        "equal": all((*equal.values(), *equal_tokens.values(), reports[0] == reports[1])),
    }


def same_rows(alone: DatasetDict, prepared: DatasetDict, split: str) -> bool:
    first, second = (each[split].with_format("arrow") for each in (alone, prepared))
    if len(first) != len(second) or first.column_names != second.column_names:
        return False
    starts = range(0, len(first), ROWS)
    return all(first[start : start + ROWS].equals(second[start : start + ROWS]) for start in starts)


def measured(task: dict) -> dict:
    run = run_fresh(__file__, task, QUIET)
    return {**run.result, "start_to_exit_seconds": run.seconds, "peak_memory_mib": run.peak_memory_mib[0]}


def prepare_part(args: argparse.Namespace, source: Path, count: int) -> dict:
    """The first files, in so many tasks at a time."""
    output = args.work / f"part_{count}"
    shutil.rmtree(output, ignore_errors=True)
    task = {"do": "prepare", "source": str(source), "work": str(args.work), "output": output.name, "tasks": count}
    options = {"workers": count, "max_pieces": args.part, "tokenization": args.tokenization}
    run = run_fresh(__file__, {**task, **options}, QUIET)
    figures = usage(output)
    shutil.rmtree(output)
    return {**run.result, "files_per_second": args.part / run.result["prepare_seconds"], "stages": figures["stages"]}


def prepare_killed(args: argparse.Namespace, source: Path) -> dict:
    """The whole corpus: killed with all its processes in some stages, each time started again."""
    output, path = args.work / "whole", args.work / "runs.jsonl"
    task = {"do": "prepare", "source": str(source), "work": str(args.work), "output": output.name}
    task |= {"tasks": args.tasks, "workers": args.workers, "tokenization": args.tokenization}
    command = [sys.executable, __file__, "--task", json.dumps(task)]
    runs = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    while not runs or runs[-1]["killed_in"]:
        remaining = [stage for stage in KILLED_IN if stage not in {run["killed_in"] for run in runs}]
        runs.append(run_until_killed(command, output, args.tasks, remaining))
        with path.open("a") as file:  # so that it goes on where it is stopped itself
            file.write(json.dumps(runs[-1]) + "\n")
        print(f"{time.strftime('%H:%M:%S')} {runs[-1]}", flush=True)
    seconds = sum(run["seconds"] for run in runs)
    figures = {"seconds": seconds, "files_per_second": args.files / seconds, "mib": size_in_mib(output)}
    return {**figures, "killed": runs[:-1], **usage(output)}


def run_until_killed(command: list[str], output: Path, tasks: int, stages: list[str]) -> dict:
    """Kills it, with all its processes, when a third of the tasks of one of these stages is done, and not all."""
    begun, told = time.perf_counter(), 0.0
    process = subprocess.Popen(command, env={**os.environ, **QUIET})
    try:
        while process.poll() is None:
            time.sleep(0.02)
            counts = {stage: len(done(output, stage)) for stage in STAGES}
            if time.perf_counter() - told > PROGRESS_SECONDS:
                told = time.perf_counter()
                print(f"{time.strftime('%H:%M:%S')} tasks done of {tasks}: {counts}", flush=True)
            for stage in stages:
                if tasks // 3 <= counts[stage] < tasks:
                    kill_family(process.pid)
                    process.wait()
                    seconds = time.perf_counter() - begun
                    state = {"data": (output / "data").exists(), "mib": size_in_mib(output)}
                    return {"killed_in": stage, "tasks_done": counts[stage], "seconds": seconds, **state}
    except BaseException:
        kill_family(process.pid)
        raise
    if process.returncode:
        raise RuntimeError(f"The preparation failed with exit status {process.returncode}.")
    return {"killed_in": None, "seconds": time.perf_counter() - begun}


def kill_family(pid: int):
    """Kills a process and all that it has started, at once."""
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        for process in [parent, *parent.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def done(output: Path, stage: str) -> list[Path]:
    return list((output / ".preparation" / "logs" / stage / "completions").glob("*"))


def usage(output: Path) -> dict:
    """What tasks cost, by stage, and how many of those that were done were done again."""
    lines = (output / ".preparation" / "logs" / "usage.jsonl").read_text().splitlines()
    tasks = [json.loads(line) for line in lines]
    times = Counter((task["stage"], task["rank"]) for task in tasks)
    stages: dict[str, dict] = {}
    for name in dict.fromkeys(task["stage"] for task in tasks):
        of_stage = [task for task in tasks if task["stage"] == name]
        stages[name] = {
            "tasks": len(of_stage),
            "cpu_seconds": sum(task["cpu_seconds"] for task in of_stage),
            "seconds_of_a_task": max(task["seconds"] for task in of_stage),
            "own_mib": max(task["own_mib"] for task in of_stage),
            "peak_mib": max(task["peak_mib"] for task in of_stage),
        }
    return {"stages": stages, "tasks_done_again": sum(count - 1 for count in times.values())}


def project(figures: dict) -> dict:
    """What many files would cost: what a file costs, or by how stages that look at all of them grew from the part."""
    settings, whole = figures["settings"], figures["whole"]["stages"]
    part = figures["part"][max(figures["part"], key=int)]["stages"]  # each in a process of its own
    growth, times = settings["files"] / settings["part"], MANY_FILES / settings["files"]
    projected = {}
    for stage, cost in whole.items():
        exponent = math.log(cost["cpu_seconds"] / part[stage]["cpu_seconds"], growth)
        exponent = 1.0 if stage in LINEAR else max(1.0, exponent)
        projected[stage] = {"core_hours": cost["cpu_seconds"] * times**exponent / 3600, "exponent": exponent}
        if stage in ONE_TASK:
            a_file = (cost["own_mib"] - part[stage]["own_mib"]) / (settings["files"] - settings["part"])
            projected[stage]["own_gib"] = (cost["own_mib"] + max(0, a_file) * (MANY_FILES - settings["files"])) / 1024
    return {
        "files": MANY_FILES,
        "stages": projected,
        "core_hours": sum(stage["core_hours"] for stage in projected.values()),
        "milliseconds_a_file_to_read": whole["read"]["cpu_seconds"] / settings["files"] * 1000,
        "source_gib": figures["made"]["mib"] * times / 1024,
        "prepared_gib": figures["whole"]["mib"] * times / 1024,
        "while_preparing_gib": max((kill["mib"] for kill in figures["whole"]["killed"]), default=0) * times / 1024,
    }


if __name__ == "__main__":
    main()
