"""What all tests share: caches of their own, no network, and a small corpus."""

import os
import signal
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

import pytest  # noqa: E402
import torch  # noqa: E402
from music import make_score  # noqa: E402

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for what runs in the background


@pytest.fixture(autouse=True)
def torch_is_left_as_it_was():
    """Settings that hold for all tests of a process."""
    settings = torch.is_grad_enabled(), torch.get_default_dtype(), torch.is_inference_mode_enabled()
    yield
    found = torch.is_grad_enabled(), torch.get_default_dtype(), torch.is_inference_mode_enabled()
    torch.set_grad_enabled(settings[0])
    assert found == settings


@pytest.fixture(scope="session")
def midi_folder(tmp_path_factory) -> Path:
    """40 different pieces of two tracks as MIDI files."""
    folder = tmp_path_factory.mktemp("midi")
    for seed in range(40):
        make_score(seed).dump_midi(folder / f"piece_{seed:02d}.mid")
    return folder


@pytest.fixture
def offline_wandb(tmp_path, monkeypatch):
    """The wandb module, which writes its runs to `tmp_path`. It reads its settings once: they are forgotten after."""
    wandb = pytest.importorskip("wandb", reason="wandb is not installed (pip install neuromusic_hf[tracking])")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    yield wandb
    wandb.teardown()
