"""What the copy guard costs a decoding step, and what it does to runs and scores.

    python benchmarks/copy_guard.py
    python benchmarks/copy_guard.py --parts cost --corpora bach+folk,big.zip --repetitions 4
    python benchmarks/copy_guard.py --parts scores --max_pieces 24 --runs 12,8

README.md says what each figure means.
"""

import argparse
import statistics
import time
from pathlib import Path

from measuring import RESULTS, alternating, print_targets, save_result, spread, target

from neuromusic_hf import MidiContinuationPipeline, MidiProcessor, load_corpus
from neuromusic_hf.bundles import find_bundle, splits_of_model
from neuromusic_hf.copying import CopyIndex
from neuromusic_hf.corpora.splits import CorpusSplits
from neuromusic_hf.disk import read_json
from neuromusic_hf.generation.copy_guard import load_training
from neuromusic_hf.reports import ScoringOptions, compare_runs, score_run, write_report
from neuromusic_hf.runs import (
    ContinuationSettings,
    OutputSettings,
    RunFolder,
    RunWriter,
    choose_pieces,
    find_pieces,
    read_run,
)

MOST_TIMES = 1.15
"""The time of a decoding step, that one with the guard may take."""
PROMPT = 64
BATCHES = (1, 8)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="default", help="bundle")
    parser.add_argument("--parts", default="cost,scores", help="joined by a comma")
    parser.add_argument("--corpora", default="bach+folk", help="whose train splits are indexed, joined by commas")
    parser.add_argument("--pieces", default="folk", help="corpus whose validation split gives the prompts of cost")
    parser.add_argument("--new_tokens", type=int, default=256, help="of each continuation")
    parser.add_argument("--repetitions", type=int, default=4, help="pairs of calls, with the guard and without")
    parser.add_argument("--scored", default="folk", help="corpus whose test split is continued for scores")
    parser.add_argument("--max_pieces", type=int, default=24, help="that are continued for scores")
    parser.add_argument("--runs", default="12,8", help="values of max_run for scores, joined by a comma")
    parser.add_argument("--work", type=Path, default=Path("runs/copy_guard"), help="folder of the scored runs")
    parser.add_argument("--output", type=Path, default=RESULTS / "copy_guard.json", help="result file")
    args = parser.parse_args()
    parts, figures = args.parts.split(","), {}
    pipe = MidiContinuationPipeline.from_pretrained(find_bundle(args.model), device="cpu")
    if "cost" in parts:
        prompts = load_corpus(args.pieces)["validation"]["midi"][: max(BATCHES)]
        figures["cost"] = [cost(pipe, prompts, name, args) for name in args.corpora.split(",")]
        worst = max(batch["ratio"]["median"] for each in figures["cost"] for batch in each["batches"])
        figures["targets"] = {"times a step": target(worst, at_most=MOST_TIMES)}
        print_targets(figures["targets"])
    if "scores" in parts:
        figures["scores"] = scores(pipe, args)
    save_result(args.output, "copy_guard", figures)


def cost(pipe: MidiContinuationPipeline, prompts: list, name: str, args: argparse.Namespace) -> dict:
    """Processor time of a step with the guard over that without, of pairs of calls that write as many tokens."""
    training = load_training(name, splits_of_model(pipe.model.name_or_path))["midi"]
    begun = time.process_time()
    index = CopyIndex.of(training, name)
    figures = {"corpus": Path(name).name, "notes": index.num_notes, "index_cpu_seconds": time.process_time() - begun}
    figures["batches"] = [cost_of_batch(pipe, prompts[:size], index, args) for size in BATCHES]
    for batch in figures["batches"]:
        step, ratio = batch["step_cpu_ms"], batch["ratio"]
        print(f"{name} ({index.num_notes:,} notes), batch {batch['size']}: {ratio['median']:.3f} times {step:.1f} ms")
    return figures


def cost_of_batch(pipe: MidiContinuationPipeline, prompts: list, index: CopyIndex, args: argparse.Namespace) -> dict:
    """The same of one size of batch; the first pair warms up and does not count."""
    spent: dict[tuple[int, bool], float] = {}
    masked = 0
    for repetition, guarded in alternating([False, True], args.repetitions + 1):
        asked = {"copy_guard": index} if guarded else {}
        begun = time.process_time()
        results = pipe(
            prompts,
            batch_size=len(prompts),
            prompt_length=PROMPT,
            max_new_tokens=args.new_tokens,
            min_new_tokens=args.new_tokens,
            seed=repetition,
            **asked,
        )
        spent[repetition, guarded] = time.process_time() - begun
        masked += sum(result["copy_guard"]["masked"] for result in results if guarded)
    pairs = [(spent[number, False], spent[number, True]) for number in range(1, args.repetitions + 1)]
    return {
        "size": len(prompts),
        "step_cpu_ms": statistics.median(plain for plain, _ in pairs) / args.new_tokens * 1000,
        "ratio": spread([guarded / plain for plain, guarded in pairs]),
        "masked": masked,
    }


def scores(pipe: MidiContinuationPipeline, args: argparse.Namespace) -> list[dict]:
    """Scores and shared runs of the same pieces continued without the guard and with it."""
    training = load_training(args.scored, splits_of_model(pipe.model.name_or_path))
    index = CopyIndex.of(training["midi"], args.scored)
    pieces = find_pieces([args.scored], model=pipe.model.name_or_path, splits=CorpusSplits())
    pieces = choose_pieces(pieces, args.max_pieces, seed=0)
    found, folders = [], []
    for max_run in (None, *map(int, args.runs.split(","))):
        guard = {} if max_run is None else {"copy_guard": index, "max_run": max_run}
        guarded = MidiContinuationPipeline(pipe.model, MidiProcessor.from_pretrained(pipe.model.name_or_path), **guard)
        folder = args.work / ("no_guard" if max_run is None else f"max_run_{max_run}")
        settings = ContinuationSettings(prompt_length=256, continue_length=args.new_tokens, batch_size=8)
        run = RunWriter(guarded, pieces, RunFolder(folder), settings, OutputSettings(pictures=False))
        run.begin(sources=[args.scored], split="test", max_items=args.max_pieces, overwrite=True)
        run.write_share()
        run.end()
        scored = score_run(finished := read_run(folder), ScoringOptions(train_corpus=args.scored))
        write_report(finished, scored, folder / "report")
        folders.append(folder / "report")
        record = read_json(folder / "report" / "scores.json", dict, "holds no scores", "Run again.")
        names = ("score", "noise_floor_95")
        found.append(
            {"max_run": max_run, "copy_guard": record["copy_guard"]}
            | {name: {each: score[each] for each in names} for name, score in record["scores"].items()}
            | {"lengths": record["novelty"]["lengths_generated"], "originals": record["novelty"]["lengths_original"]}
        )
        print(found[-1])
    print(compare_runs(folders, args.work / "comparison").read_text())
    return found


if __name__ == "__main__":
    main()
