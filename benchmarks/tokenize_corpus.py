"""Measures the way from the MAESTRO archive to tokens, beside miditok alone in a loop.

    python benchmarks/tokenize_corpus.py --data_dir maestro-v2.0.0-midi.zip

Every run is a fresh process with an empty cache. README.md says what each figure means.
"""

import argparse
import os
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from measuring import RESULTS, FreshRun, alternating, answer_task, print_targets, run_fresh, save_result, spread, target
from symusic import Score

from neuromusic_hf.corpora import load_corpus
from neuromusic_hf.tokenization import MidiProcessor, create_music_tokenizer, tokenize_corpus

PEER, ONE, TWO, CACHED = "miditok_loop", "one_process", "two_processes", "cached_start"
PROCESSES = {ONE: 1, TWO: 2, CACHED: 1}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", type=Path, help="MAESTRO 2.0.0: its zip, or a folder of that layout")
    parser.add_argument("--max_pieces", type=int, help="read only the first pieces, for trials")
    parser.add_argument("--tokenization", default="REMI", help="class of miditok")
    parser.add_argument("--repetitions", type=int, default=3, help="of every run; medians are compared")
    parser.add_argument("--output", type=Path, default=RESULTS / "tokenize_corpus.json", help="result file")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.task:
        return answer_task(run_task, args.task)
    if args.data_dir is None:
        parser.error("--data_dir is needed: the path of the MAESTRO zip or folder")
    figures = compare(run_all(args))
    figures["settings"] |= {
        "archive": args.data_dir.resolve().name,
        "tokenization": args.tokenization,
        "repetitions": args.repetitions,
    }
    print_table(figures)
    save_result(args.output, "tokenize_corpus", figures)


def run_all(args: argparse.Namespace) -> dict[str, list[FreshRun]]:
    """Runs everything `args.repetitions` times, in alternating order. The cached start follows the run it repeats."""
    runs = {name: [] for name in (PEER, ONE, CACHED, TWO)}
    task = {
        "data_dir": str(args.data_dir.resolve()),
        "max_pieces": args.max_pieces,
        "tokenization": args.tokenization,
    }
    for repetition, name in alternating([PEER, ONE, TWO], args.repetitions):
        with tempfile.TemporaryDirectory(prefix="neuromusic-benchmark-") as cache:
            for run in (name, CACHED) if name == ONE else (name,):
                runs[run].append(run_fresh(__file__, {"name": run, **task}, cache_environment(cache)))
                seconds = runs[run][-1].seconds
                print(f"repetition {repetition + 1} of {args.repetitions}: {run} {seconds:.1f} s", flush=True)
    return runs


def cache_environment(folder: str) -> dict[str, str]:
    """Variables that keep everything Hugging Face libraries store in `folder`."""
    return {
        "HF_HOME": folder,
        "HF_DATASETS_CACHE": os.path.join(folder, "datasets"),
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_OFFLINE": "1",
    }


def run_task(name: str, data_dir: str, max_pieces: int | None, tokenization: str) -> dict:
    """One run, in its own process."""
    if name == PEER:
        return loop_over_miditok(data_dir, max_pieces, tokenization)
    return corpus_to_tokens(data_dir, max_pieces, tokenization, PROCESSES[name])


def loop_over_miditok(data_dir: str, max_pieces: int | None, tokenization: str) -> dict:
    """The peer: read, parse and encode file by file, keeping nothing. Seconds do not count making the tokenizer."""
    tokenizer = create_music_tokenizer(tokenization)
    pieces = tokens = 0
    start = time.perf_counter()
    for data in islice(midi_files(data_dir), max_pieces):
        tokens += len(tokenizer.encode(Score.from_midi(data)).ids)
        pieces += 1
    return {"pieces": pieces, "tokens": tokens, "seconds": time.perf_counter() - start}


def midi_files(data_dir: str) -> Iterator[bytes]:
    """The MIDI files of a zip or folder, in the order in which the corpus builder takes them."""
    if os.path.isdir(data_dir):
        paths = sorted(path.relative_to(data_dir).as_posix() for path in Path(data_dir).rglob("*.mid*"))
        yield from (Path(data_dir, path).read_bytes() for path in paths)
        return
    with zipfile.ZipFile(data_dir) as archive:
        for name in archive.namelist():
            if name.lower().endswith((".mid", ".midi")):
                yield archive.read(name)


def corpus_to_tokens(data_dir: str, max_pieces: int | None, tokenization: str, num_proc: int) -> dict:
    """Ours: the corpus is built and tokenised, both into the cache. Seconds do not count making the processor."""
    processor = MidiProcessor.from_tokenization(tokenization)
    start = time.perf_counter()
    limit = {} if max_pieces is None else {"max_pieces": max_pieces}
    corpus = load_corpus("maestro", data_dir=data_dir, num_proc=num_proc, **limit)
    built = time.perf_counter()
    tokenised = tokenize_corpus(corpus, processor, num_proc=num_proc)
    end = time.perf_counter()
    pieces = sum(tokenised.num_rows.values())
    ids = sum(len(split.data.column("input_ids").combine_chunks().flatten()) for split in tokenised.values())
    # The loop writes no BOS and EOS.
    return {
        "pieces": pieces,
        "tokens": ids - 2 * pieces,
        "corpus_seconds": built - start,
        "tokenising_seconds": end - built,
    }


def compare(runs: dict[str, list[FreshRun]]) -> dict:
    """Figures, ratios and targets of all runs; ratios are quotients of medians."""
    done = {(run.result["pieces"], run.result["tokens"]) for row in runs.values() for run in row}
    if len(done) > 1:
        raise RuntimeError(f"The runs did not do the same work, (pieces, tokens) are {sorted(done)}.")
    [(pieces, tokens)] = done
    figures = {name: {"start_to_exit_seconds": spread([run.seconds for run in row])} for name, row in runs.items()}
    for name, row in runs.items():
        figures[name]["peak_memory_mib"] = spread([run.peak_memory_mib[0] for run in row])
        figures[name]["peak_memory_mib_of_each_process"] = row[-1].peak_memory_mib
    figures[PEER] |= stage("loop", runs[PEER], lambda run: run["seconds"], 1)
    for name in (ONE, TWO):
        processes = PROCESSES[name]
        figures[name] |= stage("corpus", runs[name], lambda run: run["corpus_seconds"], processes)
        figures[name] |= stage("tokenising", runs[name], lambda run: run["tokenising_seconds"], processes)
        figures[name] |= stage("together", runs[name], together, processes)
    ratios = ratios_of(figures)
    memory = max(figures[name]["peak_memory_mib"]["max"] for name in (ONE, TWO, CACHED))
    targets = {
        "tokenising, files/s a core, ours to miditok's": target(ratios["tokenising_one_to_loop"], at_least=0.9),
        "tokenising, files/s, two processes to one": target(ratios["tokenising_two_to_one"], at_least=1.7),
        "corpus and tokens, files/s, two processes to one": target(ratios["together_two_to_one"], at_least=1.7),
        "peak memory of any process, MiB": target(memory, below=1.5 * 1024),
        "cached start to exit, s": target(figures[CACHED]["start_to_exit_seconds"]["median"], below=15.0),
    }
    return {"settings": {"pieces": pieces, "tokens": tokens}, "runs": figures, "ratios": ratios, "targets": targets}


def together(result: dict) -> float:
    """Seconds of both stages."""
    return result["corpus_seconds"] + result["tokenising_seconds"]


def stage(name: str, runs: list[FreshRun], seconds_of: Callable[[dict], float], processes: int) -> dict[str, dict]:
    """Seconds, files/s, and files/s divided by the number of processes, of one stage of repeated runs."""
    seconds = [seconds_of(run.result) for run in runs]
    rates = [run.result["pieces"] / value for run, value in zip(runs, seconds, strict=True)]
    return {
        f"{name}_seconds": spread(seconds),
        f"{name}_files_per_second": spread(rates),
        f"{name}_files_per_second_per_core": spread([rate / processes for rate in rates]),
    }


def ratios_of(figures: dict[str, dict]) -> dict[str, float]:
    """Quotients of median files/s."""

    def rate(name: str, part: str, unit: str = "files_per_second") -> float:
        return figures[name][f"{part}_{unit}"]["median"]

    per_core = "files_per_second_per_core"
    loop = rate(PEER, "loop")
    return {
        "tokenising_one_to_loop": rate(ONE, "tokenising") / loop,
        "tokenising_two_per_core_to_loop": rate(TWO, "tokenising", per_core) / loop,
        "together_one_to_loop": rate(ONE, "together") / loop,
        "together_two_per_core_to_loop": rate(TWO, "together", per_core) / loop,
        "tokenising_two_to_one": rate(TWO, "tokenising") / rate(ONE, "tokenising"),
        "together_two_to_one": rate(TWO, "together") / rate(ONE, "together"),
    }


def print_table(figures: dict):
    """Prints medians, then the targets."""
    runs = figures["runs"]
    print(f"\n{figures['settings']['pieces']} pieces, {figures['settings']['tokens']} tokens; medians")
    print(f"{'':15}{'corpus s':>10}{'tokens s':>10}{'files/s':>9}{'a core':>8}{'exit s':>8}{'peak MiB':>10}")
    for name, stage_name in ((PEER, "loop"), (ONE, "tokenising"), (TWO, "tokenising"), (CACHED, "")):
        cells = [
            runs[name].get(key, {}).get("median")
            for key in (
                "corpus_seconds",
                f"{stage_name}_seconds",
                f"{stage_name}_files_per_second",
                f"{stage_name}_files_per_second_per_core",
                "start_to_exit_seconds",
                "peak_memory_mib",
            )
        ]
        shown = ["-" if cell is None else f"{cell:.2f}" for cell in cells]
        print(f"{name:15}" + "".join(f"{cell:>{width}}" for cell, width in zip(shown, (10, 10, 9, 8, 8, 10))))
    print_targets(figures["targets"])


if __name__ == "__main__":
    main()
