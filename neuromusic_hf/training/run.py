"""The steps of a training run between its arguments and the Trainer, and what it leaves behind."""

import contextlib
import hashlib
import json
import logging
import os
import platform
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import datasets
import pyarrow.compute
import torch
from datasets import Dataset, DatasetDict
from datasets.fingerprint import Hasher
from transformers import Trainer

from ..borders.datasets import fingerprint_of
from ..corpora.code_identity import code_of, code_of_rooms
from ..disk import write_json
from ..hub.bundle import RUN_NAME
from ..tokenization import BlockCollator, MidiProcessor, PiecesTally, make_blocks
from ..tokenization.corpus_tally import is_piece
from ..tokenization.vocabulary_training import tell_size
from .arguments import DataArguments, ModelArguments, RunArguments
from .language_modeling import LanguageModelingMetrics, row_statistics, tokens_per_note
from .resuming import refuse_other_blocks
from .trainer import MusicTrainer

logger = logging.getLogger(__name__)

RECORDED_PACKAGES = ("torch", "transformers", "accelerate", "datasets", "tokenizers", "miditok", "symusic")


def select_splits(corpus: DatasetDict, args: RunArguments) -> DatasetDict:
    """Leaves the test split alone unless the run is to be tested."""
    chosen = DatasetDict({split: pieces for split, pieces in corpus.items() if split != "test" or args.do_test})
    chosen.quarantine = getattr(corpus, "quarantine", None)
    return chosen


def load_processor(model_args: ModelArguments, resume_from_checkpoint: str | None = None) -> MidiProcessor:
    """
    The processor that is saved somewhere, or the one of the base tokens, before a vocabulary is learned.

    Raises:
        `ValueError`: there is none, or a saved processor is asked to change.
    """
    source = resume_from_checkpoint or model_args.tokenization
    if resume_from_checkpoint or os.path.exists(source) or "/" in source or source.endswith(".json"):
        if not resume_from_checkpoint and (model_args.tokenization_config or model_args.vocab_size):
            raise ValueError(
                f"{source!r} is a saved tokenizer: tokenization_config and vocab_size cannot change it; drop them."
            )
        return MidiProcessor.from_pretrained(source)
    return MidiProcessor.from_tokenization(source, **model_args.tokenization_config)


def prepare_processor(
    model_args: ModelArguments, train: Dataset, resume_from_checkpoint: str | None = None, seed: int = 0
) -> MidiProcessor:
    """
    Creates or loads the processor of a run. A vocabulary is learned once and cached; a resumed run takes the
    processor of its checkpoint.

    Args:
        model_args ([`ModelArguments`]): tokenization, its config, and the vocabulary to learn.
        train ([`~datasets.Dataset`]): pieces to learn a vocabulary from.
        resume_from_checkpoint (`str`, *optional*): folder of a checkpoint.
        seed (`int`, *optional*, defaults to 0): of the sample a vocabulary is learned from.

    Raises:
        `ValueError`: a saved processor is asked to change.
    """
    processor = load_processor(model_args, resume_from_checkpoint)
    if resume_from_checkpoint or model_args.vocab_size is None:
        return processor
    wanted = [json.dumps(processor.miditok), model_args.vocabulary_model, model_args.vocab_size, fingerprint_of(train)]
    wanted += [code_of(type(processor.music_tokenizer)), code_of_rooms("borders", "music", "tokenization")]
    cached = Path(datasets.config.HF_DATASETS_CACHE, "neuromusic_vocabularies", Hasher.hash([*wanted, seed]))
    if cached.is_dir():
        learned = MidiProcessor.from_pretrained(cached)
        tell_size(learned.tokenization, learned.vocab_size, model_args.vocab_size)
    else:
        trained = processor.train_new_from_corpus(
            train, model_args.vocab_size, model=model_args.vocabulary_model, seed=seed
        )
        cached.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cached.parent, prefix="incomplete-") as partial:
            trained.save_pretrained(Path(partial, "processor"))
            _rename_unless_there(Path(partial, "processor"), cached)
    return MidiProcessor.from_pretrained(cached)


def _rename_unless_there(folder: Path, target: Path):
    try:
        folder.rename(target)
    except OSError:
        if not target.is_dir():  # Another process that learned the same was faster.
            raise


@dataclass
class TrainingBlocks:
    """The splits of a run as blocks, and the facts about them that the run record keeps."""

    splits: dict[str, Dataset]
    tokens_per_note: dict[str, float]
    facts: dict[str, dict]

    @classmethod
    def from_tokens(cls, tokens: DatasetDict, data_args: DataArguments, seed: int) -> "TrainingBlocks":
        """Cuts each split into blocks of `data_args.context_length` tokens; evaluation splits to `max_eval_blocks`."""
        blocks = {split: make_blocks(pieces, data_args.context_length, seed=seed) for split, pieces in tokens.items()}
        facts = {split: split_facts(tokens[split], len(blocks[split]), data_args.context_length) for split in blocks}
        limit = data_args.max_eval_blocks
        for split in blocks:
            if split != "train" and limit is not None and len(blocks[split]) > limit:
                blocks[split] = blocks[split].select(range(limit))
        ratios = {split: tokens_per_note(pieces) for split, pieces in tokens.items()}
        return cls(blocks, tokens_per_note=ratios, facts=facts)


def split_facts(tokens: Dataset, num_blocks: int, block_size: int) -> dict:
    """
    What a split holds: its pieces, and the rows, notes, tokens and blocks of them and of their variants; what the
    tokenizer changed in the pieces, and those of which it keeps no note.
    """
    num_notes = tokens.data.column("num_notes").to_numpy()
    lengths = pyarrow.compute.list_value_length(tokens.data.column("input_ids")).to_numpy()
    num_tokens = int(lengths[num_notes > 0].sum())
    piece_notes = num_notes[is_piece(tokens)]
    empty = tokens.select((is_piece(tokens) & (num_notes == 0)).nonzero()[0])["piece"][:]
    if empty:
        logger.warning("%d pieces hold no note the tokenizer keeps and are left out; run.json names them.", len(empty))
    return {
        "pieces": int((piece_notes > 0).sum()),
        "rows": int((num_notes > 0).sum()),
        "notes": int(num_notes.sum()),
        "tokens": num_tokens,
        "blocks": num_blocks,
        "padding_share": 1 - num_tokens / (num_blocks * block_size),
        "content": hashlib.sha256(repr(tokens["content_hash"][:]).encode() + lengths.tobytes()).hexdigest()[:16],
        "ids": hash_ids(tokens),
        "left_out": {"no_notes_in_vocabulary": empty},
        "changed_by_tokenizer": PiecesTally.of_tokens(tokens).to_dict(),
    }


def hash_ids(tokens: Dataset) -> str:
    """Hash of the ids of all pieces of a tokenised split, in their order."""
    digest = hashlib.sha256()
    for chunk in tokens.data.column("input_ids").chunks:
        digest.update(chunk.flatten().to_numpy().tobytes())
    return digest.hexdigest()[:16]


def create_trainer(
    model, processor: MidiProcessor, blocks: TrainingBlocks, data_args: DataArguments, args: RunArguments, recipe: dict
) -> MusicTrainer:
    """
    The Trainer of a run: evaluates on validation, and saves processor and recipe in every checkpoint.

    Raises:
        `ValueError`: the run goes on from a checkpoint that was made with another train split.
    """
    refuse_other_blocks(args.resume_from_checkpoint, blocks.facts["train"])
    return MusicTrainer(
        model=model,
        args=args,
        train_dataset=blocks.splits["train"],
        eval_dataset=blocks.splits["validation"],
        processing_class=processor,
        data_collator=BlockCollator(processor.tokenizer.pad_token_id, data_args.context_length),
        compute_metrics=LanguageModelingMetrics(blocks.tokens_per_note["validation"]),
        preprocess_logits_for_metrics=row_statistics,
        recipe=recipe,
        train_facts=blocks.facts["train"],
    )


def evaluate_test_split(trainer: Trainer, blocks: TrainingBlocks) -> dict[str, float]:
    """Evaluates on the test split; keys begin with `test_`."""
    trainer.compute_metrics = LanguageModelingMetrics(blocks.tokens_per_note["test"])
    return trainer.evaluate(blocks.splits["test"], metric_key_prefix="test")


def save_run(trainer: MusicTrainer, facts: dict, metrics: dict):
    """
    Saves model, processor, recipe and run record in the output folder of a run, as one Hugging Face repository.

    Args:
        trainer ([`MusicTrainer`]): after training.
        facts (`dict`): of the splits.
        metrics (`dict`): of the run.
    """
    record = Path(trainer.args.output_dir, RUN_NAME)
    if trainer.is_world_process_zero():
        record.unlink(missing_ok=True)
    trainer.save_model(_internal_call=True)
    if trainer.is_world_process_zero():
        write_json(record, run_record(trainer, facts, metrics))
    if trainer.args.push_to_hub:
        trainer.push_to_hub(commit_message="Model save", revision=trainer.args.hub_revision)


def run_record(trainer: MusicTrainer, facts: dict, metrics: dict) -> dict:
    """What `run.json` says about a run."""
    return {
        "model": type(trainer.accelerator.unwrap_model(trainer.model)).__name__,
        "parameters": trainer.model.num_parameters(),
        "vocabulary": {
            "tokenization": trainer.processing_class.tokenization,
            "ids": trainer.processing_class.vocab_size,
            "ids_asked_for": (trainer.recipe or {}).get("vocab_size"),
        },
        "optimizer_steps": trainer.state.global_step,
        "processes": trainer.args.world_size,
        "hardware": hardware(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in RECORDED_PACKAGES}},
        "splits": facts,
        "metrics": metrics,
    }


@contextlib.contextmanager
def ended_run(trainer: Trainer) -> Iterator[None]:
    """
    Ends trackers and, in a distributed run, the process group, however the run ends.

    The distributed wrapper of the model goes first: where it is the last to hold the group, its destructor waits for a
    communication thread that waits for the interpreter lock the destructor holds (seen as a hang at exit with gloo).
    """
    try:
        yield
    finally:
        trainer.model_wrapped = trainer.model
        trainer.accelerator.free_memory()
        trainer.accelerator.end_training()


def hardware() -> dict:
    """What a run ran on."""
    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    cpu = torch.cpu.get_capabilities().get("cpu_name") if hasattr(torch.cpu, "get_capabilities") else None
    return {"cpu": cpu or platform.processor(), "cpu_cores": os.cpu_count(), "gpus": gpus}
