"""Measures training on a corpus that is streamed, beside the same without streaming, and the memory of a long stream.

    python benchmarks/streaming.py lamd-sample.zip --pieces 100000 --work /tmp/streaming

The corpus is made once in the folder of `--work`. README.md says what each figure means.
"""

import argparse
import shutil
import statistics
import time
from pathlib import Path

import psutil
import torch
from datasets import DatasetDict
from matplotlib.figure import Figure
from measuring import MIB, RESULTS, alternating, answer_task, print_targets, run_fresh, save_result, spread, target
from transformers import TrainerCallback
from varied_files import make_files

from neuromusic_hf import MidiProcessor, build_model, load_corpus
from neuromusic_hf.preparation import prepare_corpus
from neuromusic_hf.streaming.blocks import POSITION
from neuromusic_hf.streaming.pieces import Share
from neuromusic_hf.tokenization import tokenize_corpus
from neuromusic_hf.training import DataArguments, RunArguments, TrainingBlocks, create_trainer, stream_blocks

SIZES = {
    "small": {"num_hidden_layers": 4, "hidden_size": 256, "num_attention_heads": 4, "intermediate_size": 1024},
    "tiny": {"num_hidden_layers": 1, "hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64},
}
"""Of the model that trains. `tiny` tells nothing about speed; it is for the tests."""
BATCHES = {"small": (8, 512), "tiny": (2, 64)}
"""Rows and tokens a row of a batch, by size."""
STREAMED, KEPT = "streamed", "kept"
LOOKS = 100
"""How often the memory is looked at while a stream is read."""
QUIET = {"OMP_WAIT_POLICY": "passive", "HF_HUB_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sample", nargs="?", type=Path, help="zip of MIDI files that the corpus is made of")
    parser.add_argument("--pieces", type=int, default=100_000, help="read for the memory, and files of the corpus")
    parser.add_argument("--kept", type=int, default=2_000, help="pieces of the corpus that train without streaming")
    parser.add_argument("--size", choices=list(SIZES), default="small", help="of the model")
    parser.add_argument("--steps", type=int, default=100, help="timed in a run, after five that are not")
    parser.add_argument("--repetitions", type=int, default=3, help="of each run")
    parser.add_argument("--tasks", type=int, default=64, help="of the preparation")
    parser.add_argument("--workers", type=int, default=2, help="of the preparation")
    parser.add_argument("--work", type=Path, default=Path("/tmp/streaming"), help="folder for all files")
    parser.add_argument("--keep", action="store_true", help="leave the folder")
    parser.add_argument("--output", type=Path, default=RESULTS / "streaming.json", help="result file")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.task:
        return answer_task(run_task, args.task)
    if args.sample is None:
        parser.error("name a zip of MIDI files")
    corpus = prepared(args)
    environment = {**QUIET, "HF_HOME": str(args.work / "cache"), "HF_DATASETS_CACHE": str(args.work / "cache")}
    task = {"corpus": str(corpus), "size": args.size}
    memory = run_fresh(__file__, {"do": "memory", "pieces": args.pieces, **task}, environment).result
    speeds = {STREAMED: [], KEPT: []}
    for _, way in alternating(list(speeds), args.repetitions):
        trained = {"do": way, "kept": args.kept, "steps": args.steps, "work": str(args.work / "run"), **task}
        speeds[way].append(run_fresh(__file__, trained, environment).result["tokens_per_second"])
        print(f"{way}: {speeds[way][-1]:.0f} tokens/s", flush=True)
    ratio = statistics.median(speeds[STREAMED]) / statistics.median(speeds[KEPT])
    tenth = len(memory["mib"]) // 10
    early, late = (statistics.median(some) for some in (memory["mib"][tenth : 2 * tenth], memory["mib"][-tenth:]))
    targets = {
        "tokens/s, streamed to kept": target(ratio, at_least=0.95),
        "memory, last tenth of the pieces to the second": target(late / early, at_most=1.05),
        "pieces read": target(memory["pieces"][-1], at_least=100_000),
    }
    print_targets(targets)
    draw(memory, args.output.with_suffix(".png"))
    names = ("pieces", "kept", "size", "steps", "repetitions", "tasks")
    figures = {
        "settings": {name: getattr(args, name) for name in names},
        "tokens_per_second": {way: spread(found) for way, found in speeds.items()},
        "streamed_to_kept": ratio,
        "memory": memory,
    }
    save_result(args.output, "streaming", {**figures, "targets": targets})
    if not args.keep:
        shutil.rmtree(args.work)


def prepared(args: argparse.Namespace) -> Path:
    """The corpus, as scripts/prepare_corpus.py makes it of files that vary those of the sample."""
    source, folder = args.work / "source", args.work / "prepared"
    if not (folder / "data").is_dir():
        make_files(args.sample, source, args.pieces, args.workers)
        options = {"split_shares": (0.98, 0.01, 0.01), "executor_options": {"workers": args.workers}}
        assert prepare_corpus(source, folder, tasks=args.tasks, **options)
    return folder


def run_task(do: str, corpus: str, size: str, **asked) -> dict:
    """One run, in its own process."""
    torch.manual_seed(0)
    processor = MidiProcessor.from_tokenization("REMI")
    rows, length = BATCHES[size]
    data_args = DataArguments(context_length=length, infill_share=0.0, streaming=do != KEPT, max_eval_blocks=8)
    if do == "memory":
        return read_pieces(corpus, processor, data_args, asked["pieces"])
    args = RunArguments(
        output_dir=asked["work"],
        max_steps=asked["steps"] + 5,
        per_device_train_batch_size=rows,
        eval_strategy="no",
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
    )
    loaded = load_corpus(corpus, streaming=True)
    validation = loaded.kept("validation", most=20)
    splits = DatasetDict(validation=validation)
    if do == KEPT:
        train = load_corpus(corpus)["train"]
        splits["train"] = train.select(range(min(asked["kept"], len(train))))
    blocks = TrainingBlocks.from_tokens(tokenize_corpus(splits, processor), data_args, args.seed)
    if do == STREAMED:
        blocks.add_stream(stream_blocks(loaded, processor, data_args, args), loaded.content)
    model = build_model("gpt2", processor, context_length=length, **SIZES[size])
    trainer = create_trainer(model, processor, blocks, data_args, args, recipe={})
    times = StepTimes()
    trainer.add_callback(times)
    trainer.train()
    return {"tokens_per_second": asked["steps"] * rows * length / (times.ends[-1] - times.ends[4])}


class StepTimes(TrainerCallback):
    """Takes down when optimizer steps end."""

    def __init__(self):
        self.ends: list[float] = []

    def on_step_end(self, args, state, control, **kwargs):
        """Called by the Trainer after each optimizer step."""
        self.ends.append(time.perf_counter())


def read_pieces(corpus: str, processor: MidiProcessor, data_args: DataArguments, count: int) -> dict:
    """Reads so many pieces of a stream as blocks, and looks at the memory of this process meanwhile."""
    args = RunArguments(output_dir=corpus, max_steps=1, eval_strategy="no", save_strategy="no")
    start, process = time.perf_counter(), psutil.Process()
    stream = load_corpus(corpus, streaming=True)
    blocks = stream_blocks(stream, processor, data_args, args).blocks(Share())
    pieces, mib, tokens, first = [], [], 0, None
    for row in blocks:
        first = first or time.perf_counter() - start
        counts = row[POSITION].counts
        tokens += len(row["input_ids"])
        if counts.pieces >= (len(pieces) + 1) * count / LOOKS:
            pieces.append(counts.pieces)
            mib.append(process.memory_info().rss / MIB)
        if counts.pieces >= count:
            break
    seconds = time.perf_counter() - start
    return {
        "pieces": pieces,
        "mib": mib,
        "passes": counts.passes,
        "seconds_to_first_block": first,
        "tokens_per_second_of_stream_alone": tokens / seconds,
    }


def draw(memory: dict, path: Path):
    """The memory over the pieces that were read."""
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.plot(memory["pieces"], memory["mib"], linewidth=1.5)
    axes.set(xlabel="pieces read of a stream", ylabel="resident memory in MiB", ylim=(0, 1.3 * max(memory["mib"])))
    axes.grid(alpha=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    print(f"Written: {path}")


if __name__ == "__main__":
    main()
