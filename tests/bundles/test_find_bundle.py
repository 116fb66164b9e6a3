"""What a user means who names a run, a bundle, a checkpoint, or something else."""

import pytest

from neuromusic_hf.bundles import find_bundle


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def make(*files):
        for file in files:
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).write_text("{}")

    return make


@pytest.mark.parametrize("config", ["config.json", "adapter_config.json"])
def test_the_folder_of_a_run_means_its_bundle(place, config):
    place(f"runs/x/bundle/{config}", "runs/x/checkpoint-2/config.json")
    assert find_bundle("runs/x") == "runs/x/bundle"


def test_a_bundle_that_earlier_versions_left_in_the_folder_itself_is_found(place):
    place("runs/x/config.json", "runs/x/checkpoint-2/config.json")
    assert find_bundle("runs/x") == "runs/x"
    place("runs/x/bundle/config.json")
    assert find_bundle("runs/x") == "runs/x/bundle"


@pytest.mark.parametrize(
    "name", ["gpt2", "alice/model", "own.Model", "runs/x/bundle", "runs/x/checkpoint-2", "a" * 300]
)
def test_any_other_name_stays_as_it_is(place, name):
    place("runs/x/bundle/config.json", "runs/x/checkpoint-2/config.json")
    assert find_bundle(name) == name


def test_a_run_that_has_not_ended_is_refused_and_its_checkpoints_named(place):
    place("runs/x/checkpoint-2/config.json", "runs/x/checkpoint-4/config.json")
    with pytest.raises(ValueError, match=r"runs/x left no bundle.*checkpoint-2 or checkpoint-4"):
        find_bundle("runs/x")
