"""Measures which copies of pieces the detector of twins finds, what it costs, and how that grows; beside MinHash LSH.

    python benchmarks/twins.py folk bach lieder=lieder-cc0.zip lamd=lamd-sample.zip

The corpus that is named last is the one whose cost is measured. README.md says what each figure means.
"""

import argparse
import json
import math
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from unittest import mock

import numpy as np
import psutil
from datasets import concatenate_datasets
from matplotlib.figure import Figure
from measuring import MIB, RESULTS, answer_task, peak_memory, print_targets, run_fresh, save_result, spread, target
from planted_twins import PLANTINGS, SHORTEST_TUNE
from tqdm import tqdm

from neuromusic_hf.corpora import load_corpus
from neuromusic_hf.music import Midi, load_score
from neuromusic_hf.twins import Melody, families, find_twins, melody_of
from neuromusic_hf.twins.candidates import Spilled
from neuromusic_hf.twins.finding import candidates_among, verified
from neuromusic_hf.twins.runs import sketch

SHIPPED = ("bach", "folk")
SPLIT_VERSION = "notes-hash-1"
"""Splits do not matter here, and these need no twins."""

SIZES = (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8, 14)
"""Of the corpus; beyond 1 it is grown by copies."""

TWIN_SHARE = 0.2
"""Of the copies that a corpus is grown by, those that are twins: a tenth of their notes is changed, else four."""

FIELDS = ("pitch", "onset", "size")
MANY_PIECES = 400_000
MOST_MILLISECONDS = 2.0
LEAST_RECALL = 0.8
LEAST_POSSIBLE = 0.2
"""Of the pieces, or a kind of copy is left out: a tune has nothing but its melody."""

FITTED = 4
"""Largest sizes, whose growth is projected."""

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
PERMUTATIONS, JACCARD = 128, 0.5
"""Of the peer."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", nargs="*", help="bach, folk, lamd=PATH, or any NAME=PATH")
    parser.add_argument("--copies", type=int, default=100, help="of each kind and corpus")
    parser.add_argument("--sizes", type=float, nargs="+", default=SIZES, help="of the last corpus, to be timed")
    parser.add_argument("--repetitions", type=int, default=3, help="of the timing of the whole corpus")
    parser.add_argument("--cache_dir", help="of the corpora")
    parser.add_argument("--output", type=Path, default=RESULTS / "twins.json", help="result file")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.task:
        return answer_task(run_task, args.task)
    if not args.corpora:
        parser.error("name at least one corpus")
    recall = {}
    for given in args.corpora:
        pieces = Pieces(given, args.cache_dir)
        recall[pieces.name] = measure_recall(pieces, args.copies)
    cost = measure_cost(pieces, args.repetitions)
    growth = measure_growth(pieces.melodies, args.sizes)
    figures = {"recall": recall, "cost": cost, "growth": growth, "projection": project(growth, cost)}
    targets = judge(figures)
    print_targets(targets)
    plot(figures).savefig(args.output.with_suffix(".png"))
    settings = {"copies": args.copies}
    if find_spec("datasketch"):
        peer = f"datasketch {version('datasketch')}, MinHashLSH, {PERMUTATIONS} permutations, Jaccard {JACCARD}"
        settings["peer"] = peer
    save_result(args.output, "twins", {"settings": settings, **figures, "targets": targets})


class Pieces(Sequence):
    """
    The scores of a corpus, read from their bytes each time.

    Args:
        given (`str`): its name, and its path where it needs one.
        cache_dir (`str`, *optional*): of the corpus.
    """

    def __init__(self, given: str, cache_dir: str | None = None):
        self.name, _, path = given.partition("=")
        known = self.name in (*SHIPPED, "lamd")
        name, data_dir = (self.name, path or None) if known else (path, None)
        corpus = load_corpus(name, data_dir, cache_dir=cache_dir, split_version=SPLIT_VERSION)
        rows = concatenate_datasets(list(corpus.values())).cast_column("midi", Midi(decode=False))
        self._files = [{"bytes": file["bytes"], "path": None} for file in rows["midi"]]

    def __len__(self):
        return len(self._files)

    def __getitem__(self, index):
        return load_score(self._files[index])

    @cached_property
    def melodies(self) -> list[Melody]:
        return [melody_of(score) for score in tqdm(self, desc=f"Melodies of {self.name}", unit="piece")]


def measure_recall(pieces: Pieces, copies: int) -> dict:
    """Of copies of some pieces among all pieces of a corpus, by kind: how many find their original, or a stranger."""
    melodies = pieces.melodies
    family = families(len(pieces), find_twins(melodies))
    recognisable = [index for index, melody in enumerate(melodies) if max(melody.size, default=0) >= SHORTEST_TUNE]
    random = np.random.default_rng(0)
    chosen = random.choice(recognisable, min(copies, len(recognisable)), replace=False).tolist()
    peer = make_peer(melodies)
    figures = {}
    for kind, planting in PLANTINGS.items():
        planted = []
        for original in chosen:
            strangers = random.choice(recognisable, 4).tolist()
            copy = planting(pieces[original], random, [pieces[stranger] for stranger in strangers])
            if copy is not None:
                planted.append((original, {family[index] for index in (original, *strangers)}, melody_of(copy)))
        if len(planted) >= LEAST_POSSIBLE * len(chosen):
            figures[kind] = count_found(melodies, family, planted, peer)
            print(f"{pieces.name}, {kind}: {json.dumps(figures[kind])}", flush=True)
    largest = int(np.bincount(family).max())
    return {"pieces": len(pieces), "largest_family": largest, "kinds": figures}


def count_found(
    melodies: list[Melody], family: np.ndarray, planted: list[tuple[int, set[int], Melody]], peer: "Peer | None"
) -> dict:
    """Shares of copies of one kind."""
    everyone = [*melodies, *(copy for _, _, copy in planted)]
    groups = np.repeat([0, 1], [len(melodies), len(planted)])
    pairs = candidates_among(everyone, groups)
    twins = {(twin.first, twin.second - len(melodies)) for twin in verified(everyone, pairs)}
    expected = {(original, place) for place, (original, _, _) in enumerate(planted)}
    figures = {
        "copies": len(planted),
        "candidates": len(expected & {(first, second - len(melodies)) for first, second in pairs.tolist()}),
        "found": len(expected & twins),
        "strangers": sum(family[first] not in planted[place][1] for first, place in twins),
    }
    figures["recall"] = figures["found"] / len(planted)
    if peer:
        figures["recall_of_peer"] = sum(peer.finds(original, copy) for original, _, copy in planted) / len(planted)
    return figures


class Peer:
    """
    datasketch's index of MinHashes, of the same sketches.

    Args:
        melodies (sequence of [`Melody`]): of the pieces in the index.
    """

    def __init__(self, melodies: Sequence[Melody]):
        from datasketch import MinHashLSH

        self.index = MinHashLSH(threshold=JACCARD, num_perm=PERMUTATIONS)
        self.pairs = 0
        for number, melody in enumerate(melodies):
            minhash = self.minhash(sketch(melody))
            self.pairs += len(self.index.query(minhash))
            self.index.insert(number, minhash)

    def minhash(self, hashes: np.ndarray):
        from datasketch import MinHash

        minhash = MinHash(PERMUTATIONS, hashfunc=int)  # they are hashes already, of which it takes 32 bits
        minhash.update_batch((hashes >> np.uint64(32)).tolist())
        return minhash

    def finds(self, original: int, copy: Melody) -> bool:
        return original in self.index.query(self.minhash(sketch(copy)))


def make_peer(melodies: Sequence[Melody]) -> Peer | None:
    """`None` where datasketch is not installed."""
    try:
        return Peer(melodies)
    except ImportError:
        return None


class Grown(Sequence):
    """
    A corpus that is made larger by copies of its pieces, in other keys, with some notes changed; made when asked for.

    Args:
        melodies (sequence of [`Melody`]): of the pieces.
        count (`int`): how many there are to be.
    """

    def __init__(self, melodies: Sequence[Melody], count: int):
        self.melodies, self.count = melodies, count
        self.seconds = 0.0

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        start = time.process_time()
        copy, original = divmod(index, len(self.melodies))
        melody = self.melodies[original]
        if copy:
            random = np.random.default_rng(index)
            share = 0.1 if random.random() < TWIN_SHARE else 0.4
            by = random.integers(-5, 6, len(melody.pitch)) * (random.random(len(melody.pitch)) < share)
            pitch = np.clip(melody.pitch.astype(np.int64) + by + random.integers(-5, 6), 0, 127)
            melody = Melody(pitch.astype(np.uint8), melody.onset, melody.size)
        self.seconds += time.process_time() - start
        return melody


def timed(melodies: Sequence[Melody]) -> dict[str, float]:
    """Processor seconds of each stage, without those in which melodies are made, and how many pairs it leaves."""
    laps = {}
    pairs, laps["candidates"] = clocked(melodies, lambda: candidates_among(melodies))
    twins, laps["alignment"] = clocked(melodies, lambda: verified(melodies, pairs))
    return laps | {"candidate_pairs": len(pairs), "twins": len(twins)}


def clocked(melodies: Sequence[Melody], work: Callable):
    making, start = getattr(melodies, "seconds", 0.0), time.process_time()
    found = work()
    return found, time.process_time() - start - (getattr(melodies, "seconds", 0.0) - making)


def measure_cost(pieces: Pieces, repetitions: int) -> dict:
    """Processor milliseconds a piece, by stage."""
    laps = []
    for _ in range(repetitions):
        scores = list(pieces)
        start = time.process_time()
        melodies = [melody_of(score) for score in scores]
        lap = {"melody": time.process_time() - start}
        start = time.process_time()
        for melody in melodies:
            sketch(melody)
        lap["sketch"] = time.process_time() - start
        found = timed(melodies)
        lap["candidates"] = max(0.0, found["candidates"] - lap["sketch"])
        lap["alignment"] = found["alignment"]
        lap["all"] = sum(lap.values())
        start = time.process_time()
        if make_peer(melodies):
            lap["peer"] = lap["melody"] + lap["sketch"] + time.process_time() - start
        laps.append(lap)
    return {stage: spread([1e3 * lap[stage] / len(pieces) for lap in laps]) for stage in laps[0]}


def measure_growth(melodies: list[Melody], sizes: Sequence[float]) -> list[dict]:
    """Time, memory and disk of finding the twins of so many pieces, each in a fresh process."""
    with tempfile.TemporaryDirectory(prefix="neuromusic-benchmark-") as folder:
        path = str(save_melodies(melodies, Path(folder, "melodies.npz")))
        tasks = [{"path": path, "count": math.ceil(size * len(melodies))} for size in sizes]
        return [
            run_fresh(Path(__file__), task, {"OMP_NUM_THREADS": "1"}).result for task in tqdm(tasks, desc="Growth")
        ]


def save_melodies(melodies: list[Melody], path: Path) -> Path:
    """Melodies in a random order, which is always the same."""
    order = np.random.default_rng(0).permutation(len(melodies)).tolist()
    fields = {name: [getattr(melodies[index], name) for index in order] for name in FIELDS}
    lengths = {f"{name}_length": list(map(len, arrays)) for name, arrays in fields.items()}
    np.savez(path, **lengths, **{name: np.concatenate(arrays) for name, arrays in fields.items()})
    return path


def run_task(path: str, count: int) -> dict:
    """Of a corpus made smaller, or larger by copies. Sketching counts as part of finding candidates."""
    with np.load(path) as saved:
        ends = {name: np.cumsum(saved[f"{name}_length"])[:-1] for name in FIELDS}
        columns = [np.split(saved[name], ends[name]) for name in FIELDS]
    grown = Grown([Melody(*row) for row in zip(*columns, strict=True)], count)
    spilled = 0
    add = Spilled.add

    def counting(self, records, part):
        nonlocal spilled
        spilled += records.nbytes
        add(self, records, part)

    with mock.patch.object(Spilled, "add", counting):
        found = timed(grown)
    return {
        "pieces": count,
        "seconds": {stage: found[stage] for stage in ("candidates", "alignment")},
        "candidate_pairs": found["candidate_pairs"],
        "twins": found["twins"],
        "disk_mib": spilled / MIB,
        "peak_memory_mib": peak_memory(psutil.Process()) / MIB,
    }


def project(growth: list[dict], cost: dict) -> dict:
    """What many pieces would take: melodies by the piece, all else by the exponent of its growth, if it is over 1."""
    pieces = np.array([row["pieces"] for row in growth][-FITTED:])
    hours = cost["melody"]["median"] * MANY_PIECES / 3.6e6
    largest = growth[-1]
    times = MANY_PIECES / largest["pieces"]
    exponents = {}
    for stage in largest["seconds"]:
        seconds = np.array([row["seconds"][stage] for row in growth][-FITTED:])
        exponents[stage] = float(np.polyfit(np.log(pieces), np.log(seconds), 1)[0])
        hours += largest["seconds"][stage] * times ** max(1.0, exponents[stage]) / 3600
    memory = np.polyfit(pieces, [row["peak_memory_mib"] for row in growth][-FITTED:], 1)
    return {
        "pieces": MANY_PIECES,
        "exponents": exponents,
        "hours": hours,
        "disk_gib": largest["disk_mib"] * times / 1024,
        "memory_gib": float(np.polyval(memory, MANY_PIECES)) / 1024,
    }


def judge(figures: dict) -> dict:
    """What the project asks of the figures."""
    targets = {"processor ms a piece": target(figures["cost"]["all"]["median"], at_most=MOST_MILLISECONDS)}
    for corpus, found in figures["recall"].items():
        for kind, row in found["kinds"].items():
            targets[f"recall, {corpus}, {kind}"] = target(row["recall"], at_least=LEAST_RECALL)
    return targets


def plot(figures: dict) -> Figure:
    """Recall by kind of copy and corpus, beside the peer's; and time by number of pieces."""
    corpora = figures["recall"]
    figure = Figure(figsize=(13, 6.4), dpi=130, layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.5, 1))
    places = np.arange(len(PLANTINGS))
    for number, (corpus, found) in enumerate(corpora.items()):
        offset = (number - (len(corpora) - 1) / 2) * 0.8 / len(corpora)
        rows = [found["kinds"].get(kind, {}) for kind in PLANTINGS]
        color = COLORS[number % len(COLORS)]
        shown = {"color": color, "label": f"{corpus}, {found['pieces']:,} pieces", "zorder": 3}
        left.scatter([100 * row.get("recall", math.nan) for row in rows], places + offset, s=26, **shown)
        peer = [100 * row.get("recall_of_peer", math.nan) for row in rows]
        left.scatter(peer, places + offset, s=22, marker="x", linewidths=1, color=color, alpha=0.6)
    left.scatter([], [], marker="x", color="gray", label=f"MinHash LSH, Jaccard {JACCARD}")
    left.set_yticks(places, list(PLANTINGS))
    left.set(xlim=(-3, 103), xlabel="copies that find their original, %", ylim=(len(PLANTINGS) - 0.4, -0.6))
    left.grid(axis="both", alpha=0.25)
    left.legend(frameon=True, fontsize=8, loc="lower left")
    pieces = [row["pieces"] for row in figures["growth"]]
    for color, (stage, exponent) in zip(COLORS, figures["projection"]["exponents"].items(), strict=False):
        label = f"{stage}, n to the {exponent:.2f}"
        right.plot(pieces, [row["seconds"][stage] for row in figures["growth"]], "o-", color=color, label=label)
    right.set(xscale="log", yscale="log", xlabel="pieces", ylabel="processor seconds")
    right.grid(which="both", alpha=0.2)
    right.legend(frameon=False, fontsize=9)
    return figure


if __name__ == "__main__":
    main()
