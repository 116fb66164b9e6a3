"""States that an engine divided: whole ones are taken, and what is missing, foreign or would run code is refused."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch.distributed import checkpoint as dcp

from neuromusic_hf.checkpoints.divided_states import refuse_other_states
from neuromusic_hf.checkpoints.folders import damaged_parts, missing_parts, refuse_damage
from neuromusic_hf.checkpoints.state_files import OF_DEEPSPEED


class Acts:
    """A pickle of it makes a file where it is read."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def save_shards(folder: Path, **more):
    states = {
        "state": {"wte": {"exp_avg": torch.ones(4, 3), "step": torch.tensor(2.0)}},
        "lr": 0.1,
        "betas": (0.9, 0.95),
    }
    dcp.save({"optimizer": states | more}, checkpoint_id=folder, no_dist=True)


@pytest.fixture
def shards(tmp_path):
    """A checkpoint of FSDP in shards, of which only the states are there."""
    for name in ("pytorch_model_fsdp_0", "optimizer_0"):
        save_shards(tmp_path / "checkpoint-2" / name)
    return tmp_path / "checkpoint-2"


def test_shards_that_are_whole_are_taken(shards):
    assert not list(damaged_parts(shards))
    assert not [name for name in missing_parts(shards) if name.startswith(("pytorch_model", "optimizer"))]


@pytest.mark.parametrize("name", ["pytorch_model_fsdp_0", "optimizer_0"])
def test_a_checkpoint_without_an_index_of_shards_is_not_whole(shards, name):
    (shards / name / ".metadata").unlink()
    assert f"{name}/.metadata" in missing_parts(shards)


@pytest.mark.parametrize("size", [None, 20])
def test_a_shard_that_is_missing_or_cut_short_is_damage(shards, size):
    shard = shards / "optimizer_0" / "__0_0.distcp"
    shard.unlink() if size is None else shard.write_bytes(shard.read_bytes()[:size])
    with pytest.raises(ValueError, match=r"checkpoint-2 is damaged: .metadata cannot be read \(__0_0.distcp beside"):
        refuse_damage(shards)


def test_an_index_that_is_cut_short_is_damage(shards):
    index = shards / "optimizer_0" / ".metadata"
    for size in (0, 1, 30, len(index.read_bytes()) // 2):
        index.write_bytes(index.read_bytes()[:size] if size else b"")
        with pytest.raises(ValueError, match="checkpoint-2 is damaged: .metadata"):
            refuse_damage(shards)


def test_an_index_that_would_run_code_is_refused_and_does_not_run(shards, tmp_path):
    import pickle

    (shards / "optimizer_0" / ".metadata").write_bytes(pickle.dumps(Acts(tmp_path / "ran")))
    with pytest.raises(ValueError, match=r"names posix.mkdir|names nt.mkdir"):
        refuse_damage(shards)
    assert not (tmp_path / "ran").exists()


def test_an_object_in_a_shard_that_would_run_code_is_refused_and_does_not_run(shards, tmp_path):
    save_shards(shards / "optimizer_0", evil=Acts(tmp_path / "ran"))
    with pytest.raises(ValueError, match="checkpoint-2 is damaged: .metadata cannot be read"):
        refuse_damage(shards)
    assert not (tmp_path / "ran").exists()


def test_an_object_in_a_shard_that_is_garbage_is_damage(shards):
    shard = shards / "optimizer_0" / "__0_0.distcp"
    shard.write_bytes(bytes(len(shard.read_bytes())))
    with pytest.raises(ValueError, match="checkpoint-2 is damaged: .metadata cannot be read"):
        refuse_damage(shards)


def test_a_shard_elsewhere_is_not_looked_for(shards, monkeypatch):
    stored = [SimpleNamespace(file="../../secret", start=0, length=1, is_tensor=True)]
    monkeypatch.setattr("neuromusic_hf.checkpoints.state_files.read_shard_index", lambda path: stored)
    with pytest.raises(ValueError, match="'../../secret' is no file beside it"):
        refuse_damage(shards)


def test_states_of_deepspeed_that_would_run_code_are_refused_and_do_not_run(tmp_path):
    states = tmp_path / "checkpoint-2" / "global_step2"
    states.mkdir(parents=True)
    (tmp_path / "checkpoint-2" / "latest").write_text("global_step2")
    torch.save({"step": 2, "weights": torch.ones(2)}, states / "mp_rank_00_model_states.pt")
    assert not list(damaged_parts(tmp_path / "checkpoint-2"))
    torch.save({"evil": Acts(tmp_path / "ran")}, states / "mp_rank_00_model_states.pt")
    with pytest.raises(ValueError, match="mkdir, which no state of DeepSpeed does"):
        refuse_damage(tmp_path / "checkpoint-2")
    assert not (tmp_path / "ran").exists() and all(name.startswith("deepspeed.") for name in OF_DEEPSPEED)


FILES = {
    "ordinary": ["optimizer.pt"],
    "shards": ["pytorch_model_fsdp_0/.metadata"],
    "whole": ["pytorch_model_fsdp.bin", "optimizer.bin"],
    "deepspeed": ["latest"],
    "none": [],
}
WANTED = {
    "ordinary": {},
    "shards": {"fsdp": True, "fsdp_plugin_args": {"fsdp_version": 2, "state_dict_type": "SHARDED_STATE_DICT"}},
    "whole": {"fsdp": True, "fsdp_plugin_args": {"fsdp_version": 2, "state_dict_type": "FULL_STATE_DICT"}},
    "deepspeed": {"deepspeed": {"zero_optimization": {"stage": 2}}},
}


@pytest.mark.parametrize("there", FILES)
@pytest.mark.parametrize("now", WANTED)
def test_a_run_goes_on_with_states_of_its_own_engine_alone(tmp_path, there, now):
    for name in FILES[there]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    args = SimpleNamespace(
        **{"fsdp": None, "deepspeed": None, "fsdp_plugin_args": None, "world_size": 2} | WANTED[now]
    )
    if there == now or (there, now) == ("none", "ordinary"):
        refuse_other_states(tmp_path, args)
        return
    said = "holds weights alone" if there == "none" else "take the accelerate config that it was made with"
    with pytest.raises(ValueError, match=f"{said}.* or begin a new run from its weights"):
        refuse_other_states(tmp_path, args)


def test_states_of_deepspeed_are_for_as_many_processes(tmp_path):
    (tmp_path / "latest").touch()
    (tmp_path / "progress.json").write_text('{"processes": 4}')
    args = SimpleNamespace(fsdp=None, deepspeed={"x": 1}, fsdp_plugin_args=None, world_size=2)
    with pytest.raises(ValueError, match="states of 4 processes of DeepSpeed, and these are 2: start as many"):
        refuse_other_states(tmp_path, args)
