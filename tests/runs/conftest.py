"""Tensors this small; and a run of an earlier version."""

import json
import shutil
from pathlib import Path

import pytest
from generation.conftest import one_thread  # noqa: F401

EARLIER = Path(__file__).with_name("run_of_earlier")
"""The JSON files of a run of three pieces, as they were written before records were dataclasses."""


@pytest.fixture
def earlier(tmp_path):
    """A copy of that run, with other files under the names it gives."""
    folder = shutil.copytree(EARLIER, tmp_path / "run")
    for piece in json.loads((folder / "manifest.json").read_text())["pieces"]:
        for name in piece["files"].values():
            (folder / name).touch()
    return folder
