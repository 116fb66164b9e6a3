"""The notebook is sound, ships without outputs, and runs from its first cell to its last."""

import json
from pathlib import Path

import pytest
from preloaded import run_script

NOTEBOOK = Path(__file__).parents[1] / "examples" / "first_steps.ipynb"
KEYS = {
    "markdown": {"cell_type", "id", "metadata", "source"},
    "code": {"cell_type", "id", "metadata", "source", "execution_count", "outputs"},
}


@pytest.fixture(scope="module")
def notebook() -> dict:
    return json.loads(NOTEBOOK.read_text(encoding="utf-8"))


def test_it_is_a_notebook_of_format_4_5(notebook):
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert notebook["metadata"]["kernelspec"]["language"] == "python"
    for cell in notebook["cells"]:
        assert set(cell) == KEYS[cell["cell_type"]]
        assert all(isinstance(line, str) for line in cell["source"])
    names = [cell["id"] for cell in notebook["cells"]]
    assert len(set(names)) == len(names)


def test_it_ships_as_it_was_written(notebook):
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert code and all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


def test_its_cells_run_in_order(notebook, tmp_path):
    """In one process, one after the other, as a kernel runs them; lines for the kernel itself are left out."""
    sources = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    lines = [line for source in sources for line in source.splitlines() if not line.startswith("%")]
    script = tmp_path / "first_steps.py"
    script.write_text("\n".join(lines))
    ended = run_script(script, folder=tmp_path, variables={"PYTHONPATH": str(NOTEBOOK.parent)})
    assert ended.returncode == 0, ended.stdout + ended.stderr[-3000:]
    assert "nats a note" in ended.stdout and "Open runs/first_steps/report/report.html" in ended.stdout
    assert (tmp_path / "runs/first_steps/report/report.html").stat().st_size > 0
