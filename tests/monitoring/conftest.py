"""A Trainer of a tiny model on pieces of one kind."""

import pytest
import torch
from datasets import Dataset, DatasetDict
from music import make_score
from tiny import ONE_LAYER

from neuromusic_hf import build_model
from neuromusic_hf.music import Midi
from neuromusic_hf.tokenization import tokenize_corpus
from neuromusic_hf.training import (
    DataArguments,
    RunArguments,
    TrainingBlocks,
    create_trainer,
    record_infill_share,
)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """Nine pieces to train on, and five to validate with."""
    folder = tmp_path_factory.mktemp("corpus")
    rows = {}
    for split, seeds in {"train": range(9), "validation": range(20, 25)}.items():
        paths = [folder / f"{seed}.mid" for seed in seeds]
        for seed, path in zip(seeds, paths, strict=True):
            make_score(seed).dump_midi(path)
        midi = [{"bytes": path.read_bytes(), "path": path.name} for path in paths]
        hashes = [f"{seed:064d}" for seed in seeds]
        rows[split] = Dataset.from_dict({"midi": midi, "content_hash": hashes}).cast_column("midi", Midi())
    return DatasetDict(rows)


@pytest.fixture(scope="session")
def processor(processor_of):
    return processor_of("REMI")


@pytest.fixture(scope="session")
def tokens(corpus, processor):
    return tokenize_corpus(corpus, processor)


@pytest.fixture
def data_args():
    return DataArguments(context_length=64, max_eval_blocks=4)


@pytest.fixture(scope="session")
def trainer_in(tokens, processor):
    """Makes a Trainer in a folder."""

    def make(folder, data_args, corpus=None, **changed):
        torch.manual_seed(0)
        model = build_model("gpt2", processor, context_length=data_args.context_length, **ONE_LAYER)
        record_infill_share(model, data_args.infill_share)
        values = {
            "output_dir": str(folder),
            "max_steps": 4,
            "per_device_train_batch_size": 4,
            "eval_strategy": "no",
            "save_strategy": "no",
            "learning_rate": 1e-2,
            "seed": 3,
            "bf16": False,
            "disable_tqdm": True,
            "eval_continuations_steps": 2,
            "eval_continuations": 3,
            "eval_shown_continuations": 0,
            **changed,
        }
        args = RunArguments(**values)
        blocks = TrainingBlocks.from_tokens(tokens, data_args, args.seed)
        if corpus is not None:
            blocks.add_infill(corpus, processor, data_args, args.seed)
        return create_trainer(model, processor, blocks, data_args, args, recipe={"corpus": str(folder / "my_midi")})

    return make


@pytest.fixture
def make_trainer(trainer_in, data_args, tmp_path):
    def make(name="run", **changed):
        return trainer_in(tmp_path / name, data_args, **changed)

    return make
