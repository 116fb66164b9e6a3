"""Measures how fast the works of Bach or Monteverdi are read and become a corpus, beside music21 reading them.

    python benchmarks/bach_reader.py
    python benchmarks/bach_reader.py --corpus monteverdi

Every run is a fresh process. README.md says what each figure means.
"""

import argparse
import hashlib
import tempfile
from importlib.metadata import version
from pathlib import Path

from measuring import (
    RESULTS,
    FreshRun,
    Stopwatch,
    alternating,
    answer_task,
    print_targets,
    run_fresh,
    save_result,
    spread,
    target,
)

from neuromusic_hf.corpora import CORPORA, load_corpus
from neuromusic_hf.corpora.musicxml import BeyondReader, read_work

OURS, PEER = "ours", "music21"
SCRIPTS = {OURS: Path(__file__), PEER: Path(__file__).with_name("music21_midi.py")}
SHARES = (0.34, 0.33, 0.33)
"""So that a few pieces make three splits."""
MOST_SECONDS, FASTER = 6.0, 20.0
"""That building the corpus may take, and how many times as fast as music21 a work is to be read."""
ONE_THREAD = {"OMP_NUM_THREADS": "1"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", default="bach", choices=["bach", "monteverdi"])
    parser.add_argument("--max_pieces", type=int, help="works to read, spread over the corpus; all if not given")
    parser.add_argument("--repetitions", type=int, default=3, help="of every run; medians are compared")
    parser.add_argument("--output", type=Path, help="result file")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.task:
        return answer_task(run_task, args.task)
    with tempfile.TemporaryDirectory(prefix="neuromusic-benchmark-") as folder:
        works = list_works(args.corpus, args.max_pieces, folder)
        task = {"corpus": args.corpus, "works": works, "max_pieces": args.max_pieces}
        runs = run_all(task, args.repetitions)
    figures = compare(runs, args.max_pieces is None)
    figures["settings"] = {
        "corpus": args.corpus,
        "works": len(works),
        "repetitions": args.repetitions,
        "music21": version("music21"),
    }
    print_targets(figures["targets"])
    save_result(args.output or RESULTS / f"{args.corpus}_reader.json", "bach_reader", figures)


def list_works(corpus: str, most: int | None, folder: str) -> list[str]:
    """Paths of the works in music21's wheel that the corpus does not refuse."""
    builder = CORPORA[corpus](folder)
    names = builder.list_pieces()
    chosen = names if most is None else names[:: max(1, len(names) // most)][:most]
    pieces = builder.read_pieces(chosen)
    return [str(builder._folder() / piece.path) for piece in pieces if piece.refused is None]


def run_all(task: dict, repetitions: int) -> dict[str, list[FreshRun]]:
    """Runs both `repetitions` times, in alternating order."""
    runs = {OURS: [], PEER: []}
    for repetition, name in alternating([OURS, PEER], repetitions):
        runs[name].append(run_fresh(SCRIPTS[name], task, ONE_THREAD))
        print(f"repetition {repetition + 1} of {repetitions}: {name} {runs[name][-1].seconds:.1f} s", flush=True)
    return runs


def run_task(corpus: str, works: list[str], max_pieces: int | None) -> dict:
    """Reads works, then builds the corpus in an empty cache, whole or with as many pieces."""
    watch = Stopwatch()
    files = [read(Path(path)) for path in works]
    reading = watch.lap()
    with tempfile.TemporaryDirectory(prefix="neuromusic-benchmark-") as cache:
        splits = load_corpus(corpus, split_shares=SHARES, cache_dir=cache, max_pieces=max_pieces)
        building = watch.lap()
    digests = [hashlib.sha256(data or b"").hexdigest() for data in files]
    pieces = {split: len(rows) for split, rows in splits.items()}
    return {
        "reading": reading,
        "building": building,
        "digests": digests,
        "beyond": files.count(None),
        "pieces": pieces,
    }


def read(path: Path) -> bytes | None:
    """Nothing where music21 has to be asked."""
    try:
        return read_work(path).midi
    except BeyondReader:
        return None


def compare(runs: dict[str, list[FreshRun]], all_works: bool) -> dict:
    """Milliseconds a work, and quotients of their medians: above 1, ours is faster."""
    ours, peer = runs[OURS][0].result, runs[PEER][0].result
    works = len(ours["digests"])
    figures = {name: milliseconds([run.result["reading"] for run in row], works) for name, row in runs.items()}
    for name, row in runs.items():
        figures[name]["peak_memory_mib"] = spread([run.peak_memory_mib[0] for run in row])
    building = {
        clock: spread([run.result["building"][clock] for run in runs[OURS]]) for clock in ("seconds", "cpu_seconds")
    }
    ratios = {
        f"music21_to_ours_{clock}": figures[PEER][clock]["median"] / figures[OURS][clock]["median"]
        for clock in ("milliseconds", "cpu_milliseconds")
    }
    unequal = sum(one != other for one, other in zip(ours["digests"], peer["digests"], strict=True))
    targets = {
        "works that are not byte for byte what music21 writes": target(unequal, at_most=0),
        "works that music21 has to read": target(ours["beyond"], at_most=0),
        **judge(building, ratios, all_works),
    }
    building["pieces"] = ours["pieces"]
    return {"a_work": figures, "building": building, "ratios": ratios, "targets": targets}


def judge(building: dict[str, dict], ratios: dict[str, float], all_works: bool) -> dict[str, dict]:
    """What the project asks of times, by processor and, on a quiet machine, by the clock on the wall."""
    targets = {
        "the corpus, processor seconds": target(building["cpu_seconds"]["median"], at_most=MOST_SECONDS),
        "the corpus, wall seconds": target(building["seconds"]["median"], at_most=MOST_SECONDS),
    }
    if all_works:
        by_processor, by_wall = (ratios[f"music21_to_ours_{clock}"] for clock in ("cpu_milliseconds", "milliseconds"))
        targets["reading, music21 to ours, processor time"] = target(by_processor, at_least=FASTER)
        targets["reading, music21 to ours, wall time"] = target(by_wall, at_least=FASTER)
    return targets


def milliseconds(laps: list[dict[str, float]], works: int) -> dict[str, dict]:
    """Of one work, by wall clock and processor time, of repeated runs."""
    return {
        clock.replace("seconds", "milliseconds"): spread([lap[clock] * 1e3 / works for lap in laps])
        for clock in ("seconds", "cpu_seconds")
    }


if __name__ == "__main__":
    main()
