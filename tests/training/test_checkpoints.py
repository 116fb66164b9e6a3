"""Which checkpoint a run goes on from: whole, incomplete and damaged ones."""

import json
import logging
import shutil

import pytest

from neuromusic_hf.checkpoints.folders import given_checkpoint, last_checkpoint, missing_parts, newest_whole

NEEDED = (
    "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "processor_config.json",
    "trainer_state.json", "optimizer.pt", "scheduler.pt", "rng_state.pth",
)  # fmt: skip
READ = (*NEEDED, "recipe.yaml", "progress.json", "generation_config.json")


@pytest.fixture
def run(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "copy")


def test_the_last_checkpoint_is_the_one_of_most_steps(run):
    assert last_checkpoint(run) == run / "checkpoint-4"
    (run / "checkpoint-4").rename(run / "checkpoint-10")
    assert last_checkpoint(run) == run / "checkpoint-10"


def test_a_folder_without_checkpoints_has_no_last_one(tmp_path):
    (tmp_path / "checkpoint-x").mkdir()
    (tmp_path / "checkpoint-7").write_text("a file")
    assert last_checkpoint(tmp_path) is None
    assert last_checkpoint(tmp_path / "nowhere") is None


@pytest.mark.parametrize("empty", [False, True])
@pytest.mark.parametrize("name", NEEDED)
def test_what_lacks_a_file_is_passed_over_with_a_warning_that_names_it(run, name, empty, caplog):
    path = run / "checkpoint-4" / name
    path.write_bytes(b"") if empty else path.unlink()
    with caplog.at_level(logging.WARNING):
        assert last_checkpoint(run) == run / "checkpoint-2"
    assert "checkpoint-4" in caplog.text and name in caplog.text
    with pytest.raises(ValueError, match=f"checkpoint-4 is no whole checkpoint: .*{name}"):
        given_checkpoint(run / "checkpoint-4")


def test_a_save_of_a_plain_trainer_killed_at_any_file_is_passed_over(run, trained):
    checkpoint = run / "checkpoint-4"
    shutil.rmtree(checkpoint)
    checkpoint.mkdir()
    ours = ("recipe.yaml", "progress.json")
    files = [path for path in (trained / "checkpoint-4").iterdir() if path.name not in ours]
    for path in sorted(files, key=lambda path: path.name == "trainer_state.json"):
        assert last_checkpoint(run) == run / "checkpoint-2", path.name
        (checkpoint / path.name).write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        assert last_checkpoint(run) == run / "checkpoint-2", path.name
        shutil.copy(path, checkpoint)
    assert last_checkpoint(run) == checkpoint


@pytest.mark.parametrize("harm", ["truncated", "zeroed"])
@pytest.mark.parametrize("name", READ)
def test_a_damaged_file_is_an_error_that_says_what_to_delete(run, name, harm):
    path = run / "checkpoint-4" / name
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] if harm == "truncated" else bytes(len(content)))
    if name == "recipe.yaml":
        path.write_bytes(b"seed: [3" if harm == "truncated" else bytes(len(content)))
    with pytest.raises(ValueError) as caught:
        last_checkpoint(run)
    message = str(caught.value)
    assert name in message and f"rm -r {run / 'checkpoint-4'}" in message and "goes on from checkpoint-2" in message
    with pytest.raises(ValueError, match="is damaged"):
        given_checkpoint(run / "checkpoint-4")
    shutil.rmtree(run / "checkpoint-4")
    assert last_checkpoint(run) == run / "checkpoint-2"


def test_the_only_checkpoint_damaged_begins_anew_once_deleted(run):
    shutil.rmtree(run / "checkpoint-2")
    (run / "checkpoint-4" / "optimizer.pt").write_bytes(b"PK")
    with pytest.raises(ValueError, match="begins at the first step"):
        last_checkpoint(run)


def test_a_state_that_is_json_but_none_of_a_trainer_is_damage(run):
    (run / "checkpoint-4" / "trainer_state.json").write_text('{"steps": 4}')
    with pytest.raises(ValueError, match=r"trainer_state\.json cannot be read"):
        last_checkpoint(run)


@pytest.mark.parametrize("lost", ["model-00002-of-00002.safetensors", "model.safetensors.index.json"])
def test_sharded_weights_are_whole_with_their_index_and_all_shards(run, lost):
    checkpoint = run / "checkpoint-4"
    shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    for shard in shards:
        shutil.copy(checkpoint / "model.safetensors", checkpoint / shard)
    (checkpoint / "model.safetensors").unlink()
    index = {"weight_map": dict(zip("ab", shards, strict=True))}
    (checkpoint / "model.safetensors.index.json").write_text(json.dumps(index))
    assert missing_parts(checkpoint) == []
    (checkpoint / lost).unlink()
    assert missing_parts(checkpoint) == [lost]


def test_a_checkpoint_of_several_processes_needs_the_random_state_of_each(run):
    checkpoint = run / "checkpoint-4"
    (checkpoint / "rng_state.pth").rename(checkpoint / "rng_state_0.pth")
    (checkpoint / "progress.json").write_text('{"processes": 2}')
    assert missing_parts(checkpoint) == ["rng_state_1.pth"]
    shutil.copy(checkpoint / "rng_state_0.pth", checkpoint / "rng_state_1.pth")
    assert missing_parts(checkpoint) == []


def test_a_checkpoint_of_weights_alone_is_whole_unless_the_optimizer_was_deleted(run, trainer_in, tmp_path):
    trainer_in(tmp_path / "weights", max_steps=2, save_only_model=True).train()
    assert missing_parts(tmp_path / "weights" / "checkpoint-2") == []
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
        (run / "checkpoint-4" / name).unlink()
    assert missing_parts(run / "checkpoint-4") == ["optimizer.pt", "scheduler.pt", "rng_state.pth"]


def test_a_given_folder_that_is_no_checkpoint_is_refused(run, tmp_path):
    with pytest.raises(ValueError, match="There is no checkpoint .*nowhere"):
        given_checkpoint(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="holds some: give .*checkpoint-4, or `last`"):
        given_checkpoint(run)


def test_the_last_good_checkpoint_of_a_message_is_neither_incomplete_nor_damaged(run):
    assert newest_whole(run) == run / "checkpoint-4"
    assert newest_whole(run, before=4) == run / "checkpoint-2"
    (run / "checkpoint-4" / "optimizer.pt").write_bytes(b"PK")
    assert newest_whole(run) == run / "checkpoint-2"
    (run / "checkpoint-2" / "config.json").unlink()
    assert newest_whole(run) is None
