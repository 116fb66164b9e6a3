"""A Trainer of a tiny model, and scripts/train.py on one: runs that take a second."""

import pytest
import torch
from datasets import Dataset, DatasetDict
from music import make_score
from tiny import ONE_LAYER

from neuromusic_hf import build_model
from neuromusic_hf.music import Midi
from neuromusic_hf.tokenization import tokenize_corpus
from neuromusic_hf.training import DataArguments, RunArguments, TrainingBlocks, create_trainer


@pytest.fixture(scope="session")
def processor(processor_of):
    return processor_of("REMI")


@pytest.fixture(scope="session")
def tokens(tmp_path_factory, processor):
    folder = tmp_path_factory.mktemp("corpus")
    rows = {}
    for split, seeds in {"train": range(9), "validation": range(20, 24)}.items():
        paths = [folder / f"{seed}.mid" for seed in seeds]
        for seed, path in zip(seeds, paths, strict=True):
            make_score(seed).dump_midi(path)
        midi = [{"bytes": path.read_bytes(), "path": path.name} for path in paths]
        hashes = [f"{seed:064d}" for seed in seeds]
        rows[split] = Dataset.from_dict({"midi": midi, "content_hash": hashes}).cast_column("midi", Midi())
    return tokenize_corpus(DatasetDict(rows), processor)


@pytest.fixture(scope="session")
def trainer_in(tokens, processor):
    """Builds the Trainer of a run in a folder; the model is the same at every call."""

    def make(folder, model=None, **changed):
        torch.manual_seed(0)
        data_args = DataArguments(context_length=64, max_eval_blocks=4)
        if model is None:
            model = build_model("gpt2", processor, context_length=data_args.context_length, **ONE_LAYER)
        values = {
            "output_dir": str(folder),
            "max_steps": 6,
            "per_device_train_batch_size": 4,
            "eval_strategy": "no",
            "save_steps": 2,
            "logging_steps": 1,
            "learning_rate": 1e-2,
            "seed": 3,
            "bf16": False,
            "disable_tqdm": True,
            **changed,
        }
        args = RunArguments(**values)
        blocks = TrainingBlocks.from_tokens(tokens, data_args, args.seed)
        return create_trainer(model, processor, blocks, data_args, args, recipe={"seed": 3})

    return make


@pytest.fixture
def make_trainer(trainer_in, tmp_path):
    """Builds the Trainer of a run in `tmp_path / name`."""
    return lambda name="run", **changed: trainer_in(tmp_path / name, **changed)


@pytest.fixture(scope="session")
def trained(trainer_in, tmp_path_factory):
    """The folder of a run of four steps, with checkpoints of steps 2 and 4. Copy it before you change it."""
    folder = tmp_path_factory.mktemp("trained")
    trainer_in(folder, max_steps=4).train()
    return folder


@pytest.fixture
def options(midi_folder, tmp_path):
    """The command line of a small run; `None` leaves an option out."""

    def make(name="run", **changed):
        values = {
            "corpus": midi_folder,
            "split_shares": "0.6 0.2 0.2",
            "model": "gpt2",
            **ONE_LAYER,
            "context_length": 64,
            "output_dir": tmp_path / name,
            "max_steps": 2,
            "per_device_train_batch_size": 4,
            "per_device_eval_batch_size": 4,
            "max_eval_blocks": 8,
            "learning_rate": "1e-2",
            "logging_steps": 1,
            "eval_steps": 2,
            "save_steps": 2,
            "bf16": False,
            "infill_share": 0.0,
            **changed,
        }
        said = [(key, value) for key, value in values.items() if value is not None]
        return [part for key, value in said for part in (f"--{key}", *str(value).split(" "))]

    return make


@pytest.fixture
def train(call_script):
    return lambda arguments: call_script("train", *arguments)
