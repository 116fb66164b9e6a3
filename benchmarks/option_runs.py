"""One run of training_options.py, in its own process."""

import tempfile
import time
from pathlib import Path

import psutil
import torch
from measuring import MIB, peak_memory, synchronize
from training_step import SMALL, TINY
from transformers import TrainerCallback

from neuromusic_hf import MidiProcessor, build_model, load_corpus
from neuromusic_hf.tokenization import BlockCollator, Documents, tokenize_corpus
from neuromusic_hf.training import DataArguments, MusicTrainer, RunArguments, TrainingBlocks, create_trainer

SMALLER = {"num_hidden_layers": 4, "hidden_size": 128, "num_attention_heads": 4, "intermediate_size": 512}
SIZES = {"small": (SMALL, 8, 512), "smaller": (SMALLER, 4, 512), "tiny": (TINY, 16, 64)}
"""Of a model, and blocks and tokens a block of a batch. `tiny` tells nothing; it is for the tests."""
UNTIMED_STEPS = 2
EVALUATED_BLOCKS = 96
METRIC = "eval_nats_per_note"


class StepClock(TrainerCallback):
    """Takes wall and processor seconds of each optimizer step."""

    def __init__(self):
        self.laps: list[tuple[float, ...]] = []
        self.last = self.now()

    def now(self) -> tuple[float, float]:
        synchronize()
        return time.perf_counter(), time.process_time()

    def on_step_begin(self, args, state, control, **kwargs):
        self.last = self.now()

    def on_step_end(self, args, state, control, **kwargs):
        self.laps.append(tuple(now - then for now, then in zip(self.now(), self.last, strict=True)))


def run_task(
    model: str,
    size: str,
    options: dict,
    max_pieces: int,
    steps: int,
    measure: str,
    seed: int = 1,
    evaluations: int = 0,
) -> dict:
    """
    A training, and what it took.

    Args:
        model (`str`): as of `build_model`.
        size (`str`): of `SIZES`.
        options (`dict`): of a recipe.
        max_pieces (`int`): folk tunes.
        steps (`int`): optimizer steps that count, after `UNTIMED_STEPS`.
        measure (`str`): `"time"`, `"memory"` or `"learning"`, which takes the time, too.
        seed (`int`): of weights and of the order of blocks.
        evaluations (`int`): in training, beside those at the end.
    """
    with tempfile.TemporaryDirectory(prefix="neuromusic-benchmark-") as folder:
        trainer = make_trainer(
            model, size, dict(options), max_pieces, steps + UNTIMED_STEPS, seed, evaluations, folder
        )
        clock = StepClock()
        trainer.add_callback(clock)
        before = forget_peak()
        loss = trainer.train().training_loss
        memory = peak(before)
        seconds, cpu_seconds = map(list, zip(*clock.laps[UNTIMED_STEPS:], strict=True))
        _, rows, length = SIZES[size]
        result = {
            "loss": loss,
            "parameters": trainer.model.num_parameters(),
            "batch_tokens": rows * length,
            "seconds": seconds,
            "cpu_seconds": cpu_seconds,
            "seconds_before": sum(lap[0] for lap in clock.laps[:UNTIMED_STEPS]),
        }
        if measure == "memory":
            return result | {"memory_mib": memory / MIB}
        return result | (evaluated(trainer) if measure == "learning" else {})


def make_trainer(
    model: str, size: str, options: dict, max_pieces: int, steps: int, seed: int, evaluations: int, folder
):
    """The Trainer of a run, as scripts/train.py makes it."""
    sizes, rows, length = SIZES[size]
    processor = MidiProcessor.from_tokenization("REMI")
    apart = options.pop("intra_document_masking", False)
    data_args = DataArguments(
        context_length=length, infill_share=0.0, max_eval_blocks=EVALUATED_BLOCKS, intra_document_masking=apart
    )
    when = (
        {"eval_strategy": "steps", "eval_steps": max(1, steps // evaluations)}
        if evaluations
        else {"eval_strategy": "no"}
    )
    args = RunArguments(
        **{
            "output_dir": folder,
            "bf16": False,
            "per_device_train_batch_size": rows // options.get("gradient_accumulation_steps", 1),
            "per_device_eval_batch_size": rows,
            "max_steps": steps,
            "learning_rate": 1e-3,
            "lr_scheduler_type": "cosine",
            "warmup_steps": max(1, steps // 10),
            "weight_decay": 0.1,
            "seed": seed,
            "save_strategy": "no",
            "logging_strategy": "no",
            "disable_tqdm": True,
            **when,
            **options,
        }
    )
    corpus = load_corpus("folk", max_pieces=max_pieces)
    blocks = TrainingBlocks.from_tokens(tokenize_corpus(corpus, processor), data_args, seed=0)
    torch.manual_seed(seed)
    network = build_model(model, processor, context_length=length, **sizes)
    return create_trainer(network, processor, blocks, data_args, args, recipe={})


def evaluated(trainer: MusicTrainer) -> dict:
    """Nats per note of blocks as the run reads them, and of each piece alone; and those found while it trained."""
    found = {"nats_per_note": trainer.evaluate()[METRIC]}
    history = [entry for entry in trainer.state.log_history if METRIC in entry]
    found["curve"] = {str(entry["step"]): entry[METRIC] for entry in history}
    collator = trainer.data_collator
    trainer.data_collator = BlockCollator(
        collator.pad_token_id, collator.block_size, Documents.of(trainer.processing_class)
    )
    return found | {"nats_per_note_alone": trainer.evaluate()[METRIC]}


def forget_peak() -> int:
    """Bytes that are taken now; the peak is counted anew from here on."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()
    Path("/proc/self/clear_refs").write_text("5")  # of Linux
    return psutil.Process().memory_info().rss


def peak(before: int) -> int:
    """Bytes at the peak since, beyond those."""
    now = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else peak_memory(psutil.Process())
    return now - before
