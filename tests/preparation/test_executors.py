"""Executors of datatrove, and what they are refused."""

import importlib
import os
import sys

import dill
import pytest
from datatrove.executor import LocalPipelineExecutor, SlurmPipelineExecutor

from neuromusic_hf.corpora import load_corpus
from neuromusic_hf.preparation import begin_preparation, engine, executors, prepare_corpus, read_options

SBATCH = """#!/bin/sh
for last; do :; done
echo "$@" >> {folder}/given
cat "$last" >> {folder}/given
echo "Submitted batch job $(wc -l < {folder}/given)"
"""


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A machine on which sbatch takes down what it is given, and runs nothing."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in {"sbatch": SBATCH.format(folder=folder), "scontrol": "#!/bin/sh\necho node\n"}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_NODELIST", "node")
    return folder / "given"


def test_slurm_is_given_the_stages_one_after_the_other(
    slurm, source, one_process, shares, rows_of, tmp_path, monkeypatch
):
    options = {"time": "1:00:00", "partition": "cpu", "mem_per_cpu_gb": 4}
    output = tmp_path / "prepared"
    done = prepare_corpus(
        source,
        output,
        tasks=2,
        split_shares=shares,
        executor="slurm",
        executor_options=options,
        joining_options={"mem_per_cpu_gb": 16},
    )
    given = slurm.read_text()
    assert not done and given.count("#SBATCH --partition=cpu") == 14  # one for the stage, one for its stats
    assert "#SBATCH --array=0-1" in given and "#SBATCH --job-name=prepared-read" in given
    assert "#SBATCH --mem-per-cpu=16G" in given and "--dependency=afterok:" in given
    for stage in ("list", "read", "candidates", "align", "split", "write", "finish"):
        with (output / ".preparation" / "logs" / stage / "executor.pik").open("rb") as file:
            executor = dill.load(file)  # noqa: S301
        for task in range(executor.tasks):  # as Slurm runs them, somewhere
            monkeypatch.setenv("SLURM_ARRAY_TASK_ID", str(task))
            executor.run()
    monkeypatch.delenv("SLURM_ARRAY_TASK_ID")
    assert rows_of(load_corpus(output, cache_dir=tmp_path / "cache")) == rows_of(one_process)
    slurm.write_text("")
    assert prepare_corpus(source, output, tasks=2, split_shares=shares, executor="slurm", executor_options=options)
    assert not slurm.read_text()


def test_datatroves_own_executor_runs_the_stages(source, one_process, shares, rows_of, tmp_path):
    preparation = begin_preparation(source, tmp_path / "prepared", tasks=2, split_shares=shares)
    executors(preparation, LocalPipelineExecutor, workers=1)[-1].run()
    assert rows_of(load_corpus(tmp_path / "prepared", cache_dir=tmp_path / "cache")) == rows_of(one_process)


def test_options_are_read_and_checked(source, tmp_path, monkeypatch):
    assert read_options(["time=4:00:00", "workers=8", "mem=1.5"], qos=None, tasks_per_job=3) == {
        "time": "4:00:00",
        "workers": 8,
        "mem": 1.5,
        "tasks_per_job": 3,
    }
    with pytest.raises(ValueError, match="written name=value, got 'partition'"):
        read_options(["partition"])
    preparation = begin_preparation(source, tmp_path / "prepared")
    with pytest.raises(ValueError, match="SlurmPipelineExecutor has no option partion. Its options are time"):
        executors(preparation, SlurmPipelineExecutor, partion="cpu")
    with pytest.raises(ValueError, match="SlurmPipelineExecutor needs partition"):
        executors(preparation, SlurmPipelineExecutor, time="1:00:00")
    with pytest.raises(ValueError, match="executor must be one of local, slurm, ray, got 'spark'"):
        prepare_corpus(source, tmp_path / "prepared", executor="spark")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match="sbatch, which is not on this machine"):
        prepare_corpus(source, tmp_path / "prepared", executor="slurm")


def test_the_missing_extra_is_named(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "datatrove"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"pip install neuromusic_hf\[prepare\]"):
        importlib.reload(engine)
