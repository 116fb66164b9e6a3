"""Measures the way from the MIDI files of a corpus to tokens, beside miditok alone in a loop.

    python benchmarks/tokenize_corpus.py --data_dir maestro-v2.0.0-midi.zip
    python benchmarks/tokenize_corpus.py --corpus lamd --data_dir lamd-sample.zip \
        --output benchmarks/results/tokenize_corpus_lamd.json

Every run is a fresh process with an empty cache. README.md says what each figure means.
"""

import argparse
import os
import tempfile
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

from neuromusic_hf.corpora import load_corpus
from neuromusic_hf.tokenization import MidiProcessor, create_music_tokenizer, make_blocks, tokenize_corpus

PEER, ONE, TWO, CACHED = "miditok_loop", "one_process", "two_processes", "cached_start"
PROCESSES = {PEER: 1, ONE: 1, TWO: 2, CACHED: 1}
MENDED_SHARE = 1e-6
"""Of the tokens of MAESTRO, those of a note that never ends in its file: miditok alone loses it."""
FASTER = {"maestro": 20, "lamd": 12}
"""How many times as fast as miditok's loop a core is to be: from the files, and from the corpus in Arrow."""
TWO_TO_ONE = 1.7
"""How many times as fast two processes are to be as one."""
BLOCK_SIZE, BLOCKS_MS = 1024, 0.5
"""Tokens of a block, and the processor milliseconds a file that cutting them may take."""
PEER_SCRIPT = Path(__file__).with_name("miditok_loop.py")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", choices=FASTER, default="maestro")
    parser.add_argument("--data_dir", type=Path, help="its files: the zip, or a folder of that layout")
    parser.add_argument("--max_pieces", type=int, help="read only the first pieces, for trials")
    parser.add_argument("--tokenization", default="REMI", help="class of miditok")
    parser.add_argument("--repetitions", type=int, default=3, help="of every run; medians are compared")
    parser.add_argument("--output", type=Path, default=RESULTS / "tokenize_corpus.json", help="result file")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.task:
        return answer_task(run_task, args.task)
    if args.data_dir is None:
        parser.error("--data_dir is needed: the path of the zip or folder")
    figures = compare(run_all(args), args.corpus)
    figures["settings"] |= {
        "corpus": args.corpus,
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
        "corpus": args.corpus,
        "data_dir": str(args.data_dir.resolve()),
        "max_pieces": args.max_pieces,
        "tokenization": args.tokenization,
    }
    for repetition, name in alternating([PEER, ONE, TWO], args.repetitions):
        with tempfile.TemporaryDirectory(prefix="neuromusic-benchmark-") as cache:
            for run in (name, CACHED) if name == ONE else (name,):
                runs[run].append(run_once(run, task, cache))
                seconds = runs[run][-1].seconds
                print(f"repetition {repetition + 1} of {args.repetitions}: {run} {seconds:.1f} s", flush=True)
    return runs


def run_once(name: str, task: dict, folder: str) -> FreshRun:
    """A fresh process with its cache in `folder`."""
    if name != PEER:
        return run_fresh(__file__, {"num_proc": PROCESSES[name], **task}, cache_environment(folder))
    tokenizer_file = os.path.join(folder, "miditok.json")
    create_music_tokenizer(task["tokenization"]).save(tokenizer_file)
    task = {key: value for key, value in task.items() if key != "corpus"}
    return run_fresh(PEER_SCRIPT, {"tokenizer_file": tokenizer_file, **task}, {})


def cache_environment(folder: str) -> dict[str, str]:
    """Variables that keep everything Hugging Face libraries store in `folder`."""
    return {
        "HF_HOME": folder,
        "HF_DATASETS_CACHE": os.path.join(folder, "datasets"),
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_OFFLINE": "1",
    }


def run_task(corpus: str, data_dir: str, max_pieces: int | None, tokenization: str, num_proc: int) -> dict:
    """The corpus is built, tokenised and cut into blocks, all into the cache; making the processor does not count."""
    processor = MidiProcessor.from_tokenization(tokenization)
    limit = {} if max_pieces is None else {"max_pieces": max_pieces}
    watch = Stopwatch()
    splits = load_corpus(corpus, data_dir=data_dir, num_proc=num_proc, **limit)
    corpus_lap = watch.lap()
    tokenised = tokenize_corpus(splits, processor, num_proc=num_proc)
    tokenising_lap = watch.lap()
    for split in tokenised.values():
        make_blocks(split, BLOCK_SIZE)
    blocks_lap = watch.lap()
    pieces = sum(tokenised.num_rows.values())
    ids = sum(len(split.data.column("input_ids").combine_chunks().flatten()) for split in tokenised.values())
    # miditok's loop writes no BOS and EOS.
    return {
        "pieces": pieces,
        "tokens": ids - 2 * pieces,
        "corpus": corpus_lap,
        "tokenising": tokenising_lap,
        "blocks": blocks_lap,
        "together": {unit: corpus_lap[unit] + tokenising_lap[unit] for unit in corpus_lap},
    }


def compare(runs: dict[str, list[FreshRun]], corpus: str) -> dict:
    """Figures, ratios and targets of all runs; ratios are quotients of medians."""
    work = {name: {(run.result["pieces"], run.result["tokens"]) for run in row} for name, row in runs.items()}
    if len(set.union(*(work[name] for name in (ONE, TWO, CACHED)))) > 1 or len(work[PEER]) > 1:
        raise RuntimeError(f"The runs did not do the same work, (pieces, tokens) are {work}.")
    ((pieces, tokens),), ((loop_pieces, loop_tokens),) = work[ONE], work[PEER]
    # The loop mends no file and no meter, which of MAESTRO one note needs.
    if corpus == "maestro" and (loop_pieces != pieces or abs(tokens - loop_tokens) > MENDED_SHARE * tokens):
        raise RuntimeError(f"The runs did not do the same work, (pieces, tokens) are {work}.")
    figures = {name: {"start_to_exit_seconds": spread([run.seconds for run in row])} for name, row in runs.items()}
    for name, row in runs.items():
        figures[name]["peak_memory_mib"] = spread([run.peak_memory_mib[0] for run in row])
        figures[name]["peak_memory_mib_of_each_process"] = row[-1].peak_memory_mib
    for name in (PEER, ONE, TWO):
        for part in ("loop",) if name == PEER else ("corpus", "tokenising", "blocks", "together"):
            count = loop_pieces if name == PEER else pieces
            figures[name][part] = stage([run.result[part] for run in runs[name]], count, PROCESSES[name])
    ratios = ratios_of(figures, loop_pieces / pieces)
    settings = {"pieces": pieces, "tokens": tokens, "loop_pieces": loop_pieces, "loop_tokens": loop_tokens}
    targets = judge(figures, ratios, corpus, pieces)
    return {"settings": settings, "runs": figures, "ratios": ratios, "targets": targets}


def judge(figures: dict[str, dict], ratios: dict[str, float], corpus: str, pieces: int) -> dict[str, dict]:
    """What the project asks."""
    memory = max(figures[name]["peak_memory_mib"]["max"] for name in (ONE, TWO, CACHED))
    blocks = figures[ONE]["blocks"]["cpu_seconds"]["median"]
    from_files, from_arrow = (ratios[f"{part}_one_to_loop_cpu"] for part in ("together", "tokenising"))
    return {
        "files to tokens, processor time, miditok's loop to one process": target(from_files, at_least=FASTER[corpus]),
        "Arrow to tokens, processor time, miditok's loop to one process": target(from_arrow, at_least=FASTER[corpus]),
        "Arrow to tokens, files/s, two processes to one": target(ratios["tokenising_two_to_one"], at_least=TWO_TO_ONE),
        "files to tokens, files/s, two processes to one": target(ratios["together_two_to_one"], at_least=TWO_TO_ONE),
        "make_blocks, processor milliseconds a file": target(1000 * blocks / pieces, at_most=BLOCKS_MS),
        "peak memory of any process, MiB": target(memory, below=1.5 * 1024),
        "cached start to exit, s": target(figures[CACHED]["start_to_exit_seconds"]["median"], below=15.0),
    }


def stage(laps: list[dict], pieces: int, processes: int) -> dict[str, dict]:
    """Wall seconds, files/s, files/s a process, and processor seconds of one stage of repeated runs."""
    rates = [pieces / lap["seconds"] for lap in laps]
    return {
        "seconds": spread([lap["seconds"] for lap in laps]),
        "files_per_second": spread(rates),
        "files_per_second_per_core": spread([rate / processes for rate in rates]),
        "cpu_seconds": spread([lap["cpu_seconds"] for lap in laps]),
    }


def ratios_of(figures: dict[str, dict], loop_share: float) -> dict[str, float]:
    """
    Quotients of medians; more than 1 is in favour of the run named first.

    Args:
        figures (`dict`): of the runs.
        loop_share (`float`): pieces that the loop took, by those of the corpus.
    """

    def median(name: str, part: str, unit: str) -> float:
        return figures[name][part][unit]["median"]

    rate, per_core, cpu = "files_per_second", "files_per_second_per_core", "cpu_seconds"
    ratios = {}
    for part in ("tokenising", "together"):
        for name, label in ((ONE, "one"), (TWO, "two")):
            ratios[f"{part}_{label}_to_loop_per_core"] = median(name, part, per_core) / median(PEER, "loop", per_core)
            ratios[f"{part}_{label}_to_loop_cpu"] = median(PEER, "loop", cpu) / loop_share / median(name, part, cpu)
        ratios[f"{part}_two_to_one"] = median(TWO, part, rate) / median(ONE, part, rate)
    return ratios


def print_table(figures: dict):
    """Prints medians, then the targets."""
    runs = figures["runs"]
    print(f"\n{figures['settings']['pieces']} pieces, {figures['settings']['tokens']} tokens; medians")
    print(f"{'':15}{'stage':12}{'s':>9}{'cpu s':>9}{'files/s':>9}{'a core':>9}{'exit s':>9}{'peak MiB':>10}")
    for name, row in runs.items():
        whole = f"{row['start_to_exit_seconds']['median']:>9.2f}{row['peak_memory_mib']['max']:>10.0f}"
        for part in [part for part in ("loop", "corpus", "tokenising", "blocks", "together") if part in row] or [""]:
            units = ("seconds", "cpu_seconds", "files_per_second", "files_per_second_per_core")
            cells = "".join(f"{row[part][unit]['median']:>9.2f}" if part else f"{'-':>9}" for unit in units)
            print(f"{name:15}{part:12}{cells}{whole}")
    print_targets(figures["targets"])


if __name__ == "__main__":
    main()
