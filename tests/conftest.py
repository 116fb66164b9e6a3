"""What all tests share: caches of their own, no network, a small corpus, and tiny random models of every tokenizer."""

import os
import random
import runpy
import secrets
import signal
import sys
import tempfile
from pathlib import Path

# Before any Hugging Face library reads them.
_CACHE = tempfile.TemporaryDirectory(prefix="neuromusic_tests_")
os.environ.update(
    HF_HOME=_CACHE.name,
    HF_HUB_OFFLINE="1",
    HF_DATASETS_DISABLE_PROGRESS_BARS="1",
    TOKENIZERS_PARALLELISM="false",
    WANDB_MODE="offline",
)
if "PYTEST_XDIST_WORKER" in os.environ:  # workers share the cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from loopback_hub import LoopbackHub  # noqa: E402

_HUB = LoopbackHub()
_HUB.__enter__()
os.environ.update(_HUB.environ())

import datasets  # noqa: E402
import huggingface_hub  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402
from datasets import Dataset, DatasetDict, Features  # noqa: E402
from huggingface_hub import HfFileSystem  # noqa: E402
from music import make_score  # noqa: E402
from tiny import TINY, TOKENIZATIONS  # noqa: E402

from neuromusic_hf import MidiContinuationPipeline, MidiProcessor, build_model  # noqa: E402
from neuromusic_hf.music import Midi  # noqa: E402
from neuromusic_hf.twins import Twin  # noqa: E402

SCRIPTS = Path(__file__).parents[1] / "scripts"

LONG = {"benchmarks", "training", "test_documents.py"}
"""Folders and files that take longest: they begin first, for one worker would end with them alone."""

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for what runs in the background


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: LONG.isdisjoint(item.path.parts))


@pytest.fixture(autouse=True)
def torch_is_left_as_it_was():
    """Settings that hold for all tests of a process."""
    settings = torch.is_grad_enabled(), torch.get_default_dtype(), torch.is_inference_mode_enabled()
    yield
    found = torch.is_grad_enabled(), torch.get_default_dtype(), torch.is_inference_mode_enabled()
    torch.set_grad_enabled(settings[0])
    assert found == settings


@pytest.fixture(autouse=True)
def what_is_drawn_is_the_same_at_every_run(request, monkeypatch):
    """Whichever worker runs a test, and whatever ran before it: a test that fails once fails again."""
    seed = request.node.nodeid
    random.seed(seed)
    np.random.seed(random.getrandbits(32))
    torch.manual_seed(random.getrandbits(32))
    monkeypatch.setattr(secrets, "randbits", random.Random(seed).getrandbits)


@pytest.fixture
def call_script(monkeypatch):
    """Runs a file of `scripts/` in this process, as from the command line."""

    def call(name, *arguments):
        script = str(SCRIPTS / f"{name}.py")
        monkeypatch.setattr(sys, "argv", [script, *map(str, arguments)])
        runpy.run_path(script, run_name="__main__")

    return call


@pytest.fixture(scope="session")
def hub_server() -> LoopbackHub:
    """The Hub that all libraries in this process know, with what others have left on it."""
    return _HUB


@pytest.fixture
def hub(tmp_path, monkeypatch) -> LoopbackHub:
    """An empty Hub to push to and to pull from, as alice, with an empty cache."""
    _HUB.reset()
    cache = str(tmp_path / "hub_cache")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    for module in (huggingface_hub.constants, datasets.config):
        monkeypatch.setattr(module, "HF_HUB_CACHE", cache, raising=False)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets_cache")
    for name, value in {**_HUB.environ("alice"), "HF_HUB_OFFLINE": "0", "HF_HUB_CACHE": cache}.items():
        monkeypatch.setenv(name, value)
    HfFileSystem.clear_instance_cache()
    return _HUB


@pytest.fixture
def offline(hub, monkeypatch):
    """Call it, and there is no Hub any more, as with `HF_HUB_OFFLINE=1`."""

    def go():
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
        monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    return go


@pytest.fixture(scope="session")
def midi_folder(tmp_path_factory) -> Path:
    """40 different pieces of two tracks as MIDI files."""
    folder = tmp_path_factory.mktemp("midi")
    for seed in range(40):
        make_score(seed).dump_midi(folder / f"piece_{seed:02d}.mid")
    return folder


@pytest.fixture(scope="session")
def leaking_corpus(tmp_path_factory) -> Path:
    """A corpus with official splits, in whose test split two pieces of six are training pieces in another key."""
    folder = tmp_path_factory.mktemp("leaks") / "leaking"
    pieces = {"train": range(12), "validation": range(20, 24), "test": (30, 3, 31, 32, 7, 33)}
    rows = {}
    for split, seeds in pieces.items():
        midi = []
        for seed in seeds:
            score = make_score(seed)
            if split == "test" and seed in pieces["train"]:
                score = score.shift_pitch(3)
            midi.append({"bytes": score.dumps_midi(), "path": f"{split} {seed}.mid"})
        rows[split] = Dataset.from_dict({"midi": midi}, features=Features({"midi": Midi()}))
    DatasetDict(rows).save_to_disk(folder)
    return folder


@pytest.fixture
def twins(monkeypatch):
    """Every two rows of a corpus that follow each other are twins, as far as anybody can tell."""

    def twins_of(parts, cache_dir=None, num_proc=None, **how):
        return [Twin(first, first + 1, 30, 1.0, 0) for first in range(0, sum(map(len, parts)) - 1, 2)]

    monkeypatch.setattr("neuromusic_hf.corpora.family_splits.twins_of", twins_of)


@pytest.fixture
def offline_wandb(tmp_path, monkeypatch):
    """The wandb module, which writes its runs to `tmp_path`. It reads its settings once: they are forgotten after."""
    wandb = pytest.importorskip("wandb", reason="wandb is not installed (pip install neuromusic_hf[tracking])")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    yield wandb
    wandb.teardown()


@pytest.fixture(scope="session")
def processor_of():
    """A processor by name; `"REMI BPE"` and the like have a learned vocabulary."""
    made = {}

    def get(name):
        if name not in made:
            tokenization, _, trained = name.partition(" ")
            made[name] = MidiProcessor.from_tokenization(tokenization)
            if trained:
                rows = {"midi": [make_score(seed).dumps_midi() for seed in range(8)]}
                corpus = Dataset.from_dict(rows, features=Features({"midi": Midi()}))
                made[name] = made[name].train_new_from_corpus(corpus, 1000)
        return made[name]

    return get


@pytest.fixture(scope="session")
def tiny_model(processor_of):
    """Builds a tiny model, the same at every call."""

    def build(tokenization, family="gpt2", context_length=256):
        torch.manual_seed(0)
        return build_model(family, processor_of(tokenization), context_length=context_length, **TINY).eval()

    return build


@pytest.fixture(scope="session")
def pipeline_of(processor_of, tiny_model):
    """A pipeline by the name of its processor."""
    made = {}

    def get(name, family="gpt2"):
        if (name, family) not in made:
            model = tiny_model(name, family)
            made[name, family] = MidiContinuationPipeline(model, processor_of(name), device="cpu")
        return made[name, family]

    return get


@pytest.fixture(params=TOKENIZATIONS)
def pipe(request, pipeline_of):
    return pipeline_of(request.param)


@pytest.fixture
def remi_pipe(pipeline_of):
    return pipeline_of("REMI")
