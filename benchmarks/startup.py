"""How long it takes until something happens: imports, a corpus read from its cache, the help of every script.

    git worktree add ../before COMMIT
    python benchmarks/startup.py --before ../before

Each is a process of its own, and counts by its processor time. `--before` is a checkout of earlier code, which is
measured in turn with this one; without it there are no ratios to it.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from measuring import RESULTS, alternating, print_targets, save_result, spread, target
from symusic import Note, Score, Track

REPOSITORY = Path(__file__).parents[1]
READ = """
import sys
from neuromusic_hf import load_corpus
corpus = load_corpus(sys.argv[1], cache_dir=sys.argv[2])
print(sum(len(row["midi"].tracks) for split in corpus.values() for row in split))
"""
TASKS = {
    "package": "import neuromusic_hf",
    "load_corpus": "import neuromusic_hf; neuromusic_hf.load_corpus",
    "cached_corpus": READ,
    "pipeline": "import neuromusic_hf; neuromusic_hf.MidiContinuationPipeline",
}
PEERS = {
    "python": "",
    "datasets": "import datasets",
    "torch": "import torch",
    "transformers_pipeline": "from transformers import Pipeline",
}
HELPLESS = "build_numeral_table"
"""Took no options before, and did its work whatever was given."""
MOST_SECONDS_TO_LOAD = 0.7
MOST_SECONDS_TO_HELP = 1.0
MOST_IMPORTS_OF_DATASETS = 1.3
"""In place of which `load_corpus` is to be imported, whatever the machine."""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, help="checkout of earlier code")
    parser.add_argument("--pieces", type=int, default=100, help="MIDI files of the corpus")
    parser.add_argument("--repetitions", type=int, default=3, help="processes of each kind")
    parser.add_argument("--output", type=Path, default=RESULTS / "startup.json", help="result file")
    args = parser.parse_args()
    sides = {"now": REPOSITORY} | ({"before": args.before.resolve()} if args.before else {})
    with tempfile.TemporaryDirectory() as folder:
        write_pieces(Path(folder, "midi"), args.pieces)
        runs = measure(sides, Path(folder), args.repetitions)
    figures = {
        "settings": {"pieces": args.pieces, "repetitions": args.repetitions},
        "cpu_seconds": runs,
        "ratios": ratios(runs),
        "targets": judge(runs, ratios(runs)),
    }
    print_targets(figures["targets"])
    save_result(args.output, "startup", figures)


def write_pieces(folder: Path, count: int):
    """Different pieces, of 200 notes each."""
    folder.mkdir()
    for seed in range(count):
        draw, score = random.Random(seed), Score(480)
        score.tracks.append(Track(notes=[Note(240 * step, 240, draw.randrange(40, 90), 80) for step in range(200)]))
        score.dump_midi(folder / f"{seed:04d}.mid")


def measure(sides: dict[str, Path], folder: Path, repetitions: int) -> dict[str, dict]:
    """Processor seconds of each task, by side; the first process of each, which fills caches, is left out."""
    commands = {("peers", name): [sys.executable, "-c", code] for name, code in PEERS.items()}
    for side, repository in sides.items():
        for name, command in commands_of(repository, folder, side).items():
            commands[side, name] = command
    found: dict[str, dict[str, list[float]]] = {side: {} for side in ("peers", *sides)}
    for repetition, (side, name) in alternating(list(commands), repetitions + 1):
        seconds = cpu_seconds(commands[side, name], sides.get(side, REPOSITORY))
        if repetition:
            found[side].setdefault(name, []).append(seconds)
    return {side: {name: spread(seconds) for name, seconds in runs.items()} for side, runs in found.items()}


def commands_of(repository: Path, folder: Path, side: str) -> dict[str, list[str]]:
    """What is run of a checkout."""
    places = [str(folder / "midi"), str(folder / side)]
    commands = {name: [sys.executable, "-c", code, *places] for name, code in TASKS.items()}
    for script in sorted((repository / "scripts").glob("*.py")):
        if side == "now" or script.stem != HELPLESS:
            commands[f"{script.stem} --help"] = [sys.executable, str(script), "--help"]
    return commands


def cpu_seconds(command: list[str], repository: Path) -> float:
    """Of a process that runs with the package of a checkout."""
    environment = os.environ | {"PYTHONPATH": str(repository), "HF_HUB_OFFLINE": "1"}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=repository, env=environment, **quiet)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command} ended with {process.returncode}.")
    return usage.ru_utime + usage.ru_stime


def ratios(runs: dict[str, dict]) -> dict[str, float]:
    """How many times as long it took before, and how many times as long as the import of `datasets` alone."""
    now = {name: run["median"] for name, run in runs["now"].items()}
    datasets = runs["peers"]["datasets"]["median"]
    found = {f"{name}_to_datasets": now[name] / datasets for name in ("load_corpus", "cached_corpus")}
    for name, run in runs.get("before", {}).items():
        if name in now:
            found[f"{name}_before_to_now"] = run["median"] / now[name]
    return found


def judge(runs: dict[str, dict], ratios: dict[str, float]) -> dict[str, dict]:
    """The slowest help, and the import of what reads a corpus: in seconds, and beside that of `datasets` alone."""
    slowest = max(run["median"] for name, run in runs["now"].items() if name.endswith("--help"))
    return {
        "load_corpus_cpu_seconds": target(runs["now"]["load_corpus"]["median"], at_most=MOST_SECONDS_TO_LOAD),
        "load_corpus_to_datasets": target(ratios["load_corpus_to_datasets"], at_most=MOST_IMPORTS_OF_DATASETS),
        "slowest_help_cpu_seconds": target(slowest, at_most=MOST_SECONDS_TO_HELP),
    }


if __name__ == "__main__":
    main()
