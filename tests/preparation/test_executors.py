"""Executors of datatrove, and what they are refused."""

import importlib
import multiprocessing
import os
import sys
from argparse import Namespace

import pytest
from datatrove.executor import LocalPipelineExecutor, RayPipelineExecutor, SlurmPipelineExecutor
from datatrove.tools import launch_pickled_pipeline

from neuromusic_hf.corpora import load_corpus
from neuromusic_hf.preparation import LocalExecutor, begin_preparation, engine, executors, prepare_corpus, read_options
from neuromusic_hf.preparation.local import worker_context

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
    stages = {"list": 1, "read": 2, "candidates": 1, "align": 2, "split": 1, "write": 2, "finish": 1}
    for stage, tasks in stages.items():
        pickle = str(output / ".preparation" / "logs" / stage / "executor.pik")
        assert f"launch_pickled_pipeline {pickle}" in given
        monkeypatch.setattr(launch_pickled_pipeline.parser, "parse_args", lambda path=pickle: Namespace(path=path))
        for task in range(tasks):  # as Slurm runs them, somewhere
            monkeypatch.setenv("SLURM_ARRAY_TASK_ID", str(task))
            launch_pickled_pipeline.main()
    monkeypatch.delenv("SLURM_ARRAY_TASK_ID")
    assert rows_of(load_corpus(output, cache_dir=tmp_path / "cache")) == rows_of(one_process)
    slurm.write_text("")
    assert prepare_corpus(source, output, tasks=2, split_shares=shares, executor="slurm", executor_options=options)
    assert not slurm.read_text()


def test_datatroves_own_executor_runs_the_stages(source, one_process, shares, rows_of, tmp_path):
    preparation = begin_preparation(source, tmp_path / "prepared", tasks=2, split_shares=shares)
    executors(preparation, LocalPipelineExecutor, workers=1)[-1].run()
    assert rows_of(load_corpus(tmp_path / "prepared", cache_dir=tmp_path / "cache")) == rows_of(one_process)


@pytest.mark.parametrize(("methods", "taken"), [(["spawn"], "spawn"), (["spawn", "forkserver"], "forkserver")])
def test_workers_start_where_there_is_no_forkserver(monkeypatch, methods, taken):
    """As on Windows."""
    monkeypatch.setattr(multiprocessing, "get_all_start_methods", lambda: methods)
    assert worker_context().get_start_method() == taken


def test_workers_are_as_many_as_the_cores_that_this_process_may_use(source, tmp_path, shares, monkeypatch):
    asked = []
    monkeypatch.setattr("neuromusic_hf.preparation.preparing.usable_cores", lambda: 1)
    monkeypatch.setattr(
        LocalExecutor, "_results", lambda self, alone, *others: asked.append(alone.workers) or iter(())
    )
    with pytest.raises(RuntimeError, match="is not prepared to its end"):
        prepare_corpus(source, tmp_path / "prepared", split_shares=shares)
    assert set(asked) == {1}


def test_options_are_read_and_checked(source, tmp_path, monkeypatch):
    texts = [
        "time=4:00:00",
        "workers=8",
        "requeue=False",
        "partition=inf",
        "qos=1e3",
        "condaenv=007",
        "mail_user=None",
    ]
    assert read_options(texts, SlurmPipelineExecutor, qos=None, tasks_per_job=3) == {
        "time": "4:00:00",
        "workers": 8,
        "requeue": False,
        "partition": "inf",
        "qos": "1e3",
        "condaenv": "007",
        "mail_user": None,
        "tasks_per_job": 3,
    }
    structured = ['sbatch_args={"account": "007"}', 'requeue_signals=["SIGUSR2"]']
    assert read_options(structured, SlurmPipelineExecutor) == {
        "sbatch_args": {"account": "007"},
        "requeue_signals": ["SIGUSR2"],
    }
    assert read_options(["mem_per_cpu_gb=1.5"], RayPipelineExecutor) == {"mem_per_cpu_gb": 1.5}
    for text, told in {
        "partition": "written name=value, got 'partition'",
        "account=007": "SlurmPipelineExecutor has no option account",
        "requeue=no": "requeue=no: write true or false",
        "mem_per_cpu_gb=1.5": "mem_per_cpu_gb=1.5: invalid literal for int",
        "srun_args=[]": "srun_args=.*: write JSON, such as",
        "job_id_retriever=x": "job_id_retriever cannot stand on a command line",
    }.items():
        with pytest.raises(ValueError, match=told):
            read_options([text], SlurmPipelineExecutor)
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
