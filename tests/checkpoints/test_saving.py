"""What a run puts in its folder, and what it deletes there."""

import pytest

from neuromusic_hf.checkpoints.resuming import begin_run
from neuromusic_hf.training import RunArguments


@pytest.mark.parametrize(
    "name", ["site.py", "app_config.json", "pytorch_model.bin", "examples/mine.txt", "recipe.yaml"]
)
def test_files_that_are_no_bundle_s_are_not_deleted(name, tmp_path):
    args = RunArguments(output_dir=str(tmp_path), use_cpu=True, bf16=False)
    path = tmp_path / "bundle" / name
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    with pytest.raises(ValueError, match=f"bundle/{name.partition('/')[0]} is no part of a model.*output_dir"):
        with begin_run(args, {}):
            pass
    assert path.read_text() == "mine"
    (tmp_path / "bundle" / "config.json").write_text("{}")
    with begin_run(args, {}):
        pass


def test_what_a_run_leaves_alone_stands_in_no_way(tmp_path):
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "README.md").write_text("mine")
    with begin_run(RunArguments(output_dir=str(tmp_path), use_cpu=True, bf16=False), {}):
        pass
