"""Measures whether scoring a test run is linear in its pieces, flat in memory, and uses all cores.

    python benchmarks/scoring.py maestro --data_dir maestro-v2.0.0-midi.zip --compositions 10000

Every run is a fresh process. README.md says what each figure means.
"""

import argparse
import math
import os
import random
import resource
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
from measuring import (
    MIB,
    RESULTS,
    FreshRun,
    Stopwatch,
    alternating,
    answer_task,
    peak_memory,
    print_targets,
    run_fresh,
    save_result,
    spread,
    target,
)
from tqdm import tqdm

from neuromusic_hf import MidiProcessor
from neuromusic_hf.bundles import ModelIdentity
from neuromusic_hf.disk import write_json
from neuromusic_hf.reports import ScoringOptions, score_run
from neuromusic_hf.runs import (
    OutputSettings,
    PieceSource,
    PiecesRecord,
    RunFolder,
    RunSettings,
    find_pieces,
    read_run,
)
from neuromusic_hf.runs.piece_files import write_piece
from neuromusic_hf.tokenization import Tally

PARTS = ("prompt", "original", "generated")
SHARES = (8, 4, 2, 1)
"""The runs with all cores score the compositions divided by these."""
ONE_PROCESS_SHARE = 4
ALL, ONE = "all_cores", "one_process"
PREDECESSOR_SECONDS = 0.65
"""A composition, by the system that came before this one, one process on a machine of its own."""
NO_MODEL = ModelIdentity("no-model", "0" * 64)
ONE_THREAD = {"OMP_NUM_THREADS": "1"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", nargs="?", help="whose train split is cut into compositions")
    parser.add_argument("--data_dir", help="where the corpus lies, if it is here already")
    parser.add_argument("--compositions", type=int, default=10000, help="of the largest run")
    parser.add_argument("--length", type=int, default=512, help="REMI tokens of prompt, original and generated each")
    parser.add_argument("--repetitions", type=int, default=3, help="of every run; medians are compared")
    parser.add_argument("--output", type=Path, default=RESULTS / "scoring.json", help="result file")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.task:
        return answer_task(run_task, args.task)
    if args.corpus is None:
        parser.error("name a corpus, such as bach or maestro")
    least = max(SHARES) * os.cpu_count()
    if args.compositions < least:
        parser.error(f"--compositions must be at least {least}, so that there is a piece for each core")
    pieces = find_pieces([args.corpus], split="train", data_dir=args.data_dir)
    compositions = cut_compositions(pieces, args.length, args.compositions)
    with tempfile.TemporaryDirectory(prefix="neuromusic-benchmark-") as folder:
        write_run(compositions, args.compositions, Path(folder))
        figures = compare(run_all(args.compositions, Path(folder), args.repetitions))
    names = ("corpus", "length", "repetitions")
    figures["settings"] = {
        "compositions": args.compositions,
        "distinct_compositions": len(compositions),
        "distinct_files": len(PARTS) * len(compositions),
        "all_cores": os.cpu_count(),
        **{name: getattr(args, name) for name in names},
    }
    print_targets(figures["targets"])
    save_result(args.output, "scoring", figures)


def cut_compositions(pieces: list[PieceSource], length: int, wanted: int) -> list[tuple[str, np.ndarray]]:
    """
    Name of the piece, and ids of shape `(3, length)`: what stands for a prompt, how it goes on, and a continuation.

    Passages follow each other and none is used twice; there are fewer than `wanted` where the corpus runs out. Any
    number of the first ones is a sample of all.
    """
    draw = random.Random(0)
    processor = MidiProcessor.from_tokenization("REMI")
    found = []
    for piece in tqdm(draw.sample(pieces, len(pieces)), desc="Cutting", unit="piece"):
        ids = processor.encode(piece.read(), add_bos=False)
        number = len(ids) // (len(PARTS) * length)
        passages = np.reshape(ids[: number * len(PARTS) * length], (number, len(PARTS), length))
        found += [(piece.name, composition) for composition in passages]
        if len(found) >= wanted:
            break
    if not found:
        raise ValueError(f"No piece has {len(PARTS)} passages of {length} tokens: take a smaller --length.")
    draw.shuffle(found)
    return found[:wanted]


def write_run(compositions: list[tuple[str, np.ndarray]], number: int, folder: Path):
    """
    Writes what scripts/continue_midi.py leaves of `number` pieces, and a manifest for each share of them.

    Where there are fewer compositions, several records name the same files.
    """
    processor = MidiProcessor.from_tokenization("REMI")
    output = OutputSettings(pictures=False)
    run = RunFolder(folder)
    run.open(RunSettings(NO_MODEL, PiecesRecord(number=number)))
    records = []
    for index, (name, ids) in enumerate(tqdm(compositions, desc="Writing", unit="piece")):
        result = as_continued(processor, *ids.tolist())
        records.append(write_piece(result, index, name, folder, output))
    for index in range(number):
        run.write_record(replace(records[index % len(records)], index=index))
    manifest = run.write_manifest()
    for share in SHARES:
        pieces = manifest.pieces[: number // share]
        write_json(manifest_path(folder, len(pieces)), replace(manifest, pieces=pieces))


def as_continued(processor: MidiProcessor, prompt: list[int], original: list[int], generated: list[int]) -> dict:
    """What the pipeline returns of a piece, as far as it is written."""
    return {
        "prompt": processor.decode(prompt),
        "original": processor.decode(original),
        "continuation": processor.decode(generated),
        "midi": processor.decode(prompt + generated),
        "prompt_token_ids": prompt,
        "original_token_ids": original,
        "changed": Tally(),
        "token_ids": generated,
        "ended_with_eos": False,
        "entropy": math.nan,
        "seed": 0,
        "seconds": 0.0,
    }


def manifest_path(folder: Path, pieces: int) -> Path:
    return folder / f"manifest-{pieces}.json"


def run_all(number: int, folder: Path, repetitions: int) -> dict[str, list[FreshRun]]:
    """Runs everything `repetitions` times, in alternating order."""
    tasks = {}
    for share in SHARES:
        tasks[f"{ALL}_{number // share}"] = (number // share, os.cpu_count())
        if share == ONE_PROCESS_SHARE:
            tasks[ONE] = (number // share, 1)
    runs = {name: [] for name in tasks}
    for repetition, name in alternating(list(tasks), repetitions):
        pieces, processes = tasks[name]
        task = {"manifest": str(manifest_path(folder, pieces)), "num_proc": processes}
        runs[name].append(run_fresh(__file__, task, ONE_THREAD))
        seconds = runs[name][-1].result["scoring"]["seconds"]
        print(f"repetition {repetition + 1} of {repetitions}: {name} {seconds:.2f} s", flush=True)
    return runs


def run_task(manifest: str, num_proc: int) -> dict:
    """Reads a run and scores it, as scripts/score_continuations.py does. Seconds do not count imports."""
    watch = Stopwatch()
    run = read_run(manifest)
    record = score_run(run, ScoringOptions(num_proc=num_proc)).record
    lap = watch.lap()
    scores = {name: [score["score"], score["num_pieces"]] for name, score in record["scores"].items()}
    memory = {"parent": peak_memory(psutil.Process()) / MIB, "worker": largest_ended_child()}
    return {"pieces": len(run.records), "processes": num_proc, "scoring": lap, "memory_mib": memory, "scores": scores}


def largest_ended_child() -> float:
    """Peak resident memory in MiB of the largest child that has ended; 0 without any. Workers are all the same."""
    kept = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return kept / (MIB if sys.platform == "darwin" else MIB / 1024)


def compare(runs: dict[str, list[FreshRun]]) -> dict:
    """Figures, ratios and targets of all runs; ratios are quotients of medians."""
    check_same_scores(runs)
    figures = {name: figures_of(row) for name, row in runs.items()}
    names = list(figures)
    smallest, largest, one = figures[names[0]], figures[names[-1]], figures[ONE]
    same = figures[f"{ALL}_{one['pieces']}"]

    def ratio(first: dict, second: dict, figure: str) -> float:
        return first[figure]["median"] / second[figure]["median"]

    launched_to_exit = largest["start_to_exit_seconds"]["median"]
    ratios = {
        f"{figure}_largest_to_smallest": ratio(largest, smallest, figure)
        for figure in ("milliseconds_a_piece", "cpu_milliseconds_a_piece", "worker_memory_mib", "parent_memory_mib")
    }
    for figure in ("milliseconds_a_piece", "cpu_milliseconds_a_piece"):
        ratios[f"{figure}_one_process_to_all_cores"] = ratio(one, same, figure)
    ratios["predecessor_to_ours"] = PREDECESSOR_SECONDS * largest["pieces"] / launched_to_exit
    grown = largest["parent_memory_mib"]["median"] - smallest["parent_memory_mib"]["median"]
    cores = largest["processes"]
    targets = {
        "time a piece, all pieces to an eighth": target(
            ratios["milliseconds_a_piece_largest_to_smallest"], at_most=1.25
        ),
        "memory of a worker, all pieces to an eighth": target(
            ratios["worker_memory_mib_largest_to_smallest"], at_most=1.1
        ),
        "part of the cores that is busy, all pieces": target(largest["cores_busy"]["median"] / cores, at_least=0.85),
        "speed of all cores to one process, a core": target(
            ratios["milliseconds_a_piece_one_process_to_all_cores"] / cores, at_least=0.85
        ),
        "all pieces from launch to exit, s": target(launched_to_exit, below=120.0),
    }
    parent = {"kib_for_each_more_piece": grown * 1024 / (largest["pieces"] - smallest["pieces"])}
    return {"runs": figures, "parent_memory": parent, "ratios": ratios, "targets": targets}


def check_same_scores(runs: dict[str, list[FreshRun]]):
    """Scores may depend on neither the processes nor the repetition."""
    found = {}
    for row in runs.values():
        for run in row:
            first = found.setdefault(run.result["pieces"], run.result["scores"])
            if first != run.result["scores"]:
                raise RuntimeError(f"The runs did not do the same work: {first} and {run.result['scores']}.")


def figures_of(row: list[FreshRun]) -> dict:
    """Of repeated runs: time a piece, and peak memory of the parent and of its largest worker."""
    pieces = row[0].result["pieces"]
    laps = [run.result["scoring"] for run in row]
    return {
        "pieces": pieces,
        "processes": row[0].result["processes"],
        "start_to_exit_seconds": spread([run.seconds for run in row]),
        "seconds": spread([lap["seconds"] for lap in laps]),
        "seconds_before_and_after": spread([run.seconds - run.result["scoring"]["seconds"] for run in row]),
        "milliseconds_a_piece": spread([1e3 * lap["seconds"] / pieces for lap in laps]),
        "cpu_milliseconds_a_piece": spread([1e3 * lap["cpu_seconds"] / pieces for lap in laps]),
        "cores_busy": spread([lap["cpu_seconds"] / lap["seconds"] for lap in laps]),
        "parent_memory_mib": spread([run.result["memory_mib"]["parent"] for run in row]),
        "worker_memory_mib": spread([run.result["memory_mib"]["worker"] for run in row]),
        "peak_memory_mib_of_each_process": row[-1].peak_memory_mib,
        "scores": {name: score for name, (score, _) in row[0].result["scores"].items()},
        "pieces_that_count": {name: number for name, (_, number) in row[0].result["scores"].items()},
    }


if __name__ == "__main__":
    main()
