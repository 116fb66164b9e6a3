"""What a launcher asks for happens, or is refused with the way to it."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import torch
from huggingface_hub import HfApi

from neuromusic_hf.command_line import show_log
from neuromusic_hf.launch import check_fsdp, join_processes, launched_for_cpu
from neuromusic_hf.training import RunArguments, parse_recipe, resolved_recipe

REPOSITORY = Path(__file__).parents[1]
CONFIGS = REPOSITORY / "accelerate_configs"


@pytest.fixture
def launched(monkeypatch):
    """As if `accelerate launch` with these options had started this process."""

    def launch(*options, command=("python", "/bin/accelerate", "launch"), **variables):
        environment = {"ACCELERATE_MIXED_PRECISION": "no", "ACCELERATE_USE_CPU": "false"} | variables
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(psutil.Process, "cmdline", lambda process: [*command, *map(str, options)])

    return launch


@pytest.fixture
def log_is_left_as_it_was():
    levels = {logger: logger.level for logger in map(logging.getLogger, (None, "httpx", "httpx2"))}
    yield
    for logger, level in levels.items():
        logger.setLevel(level)


def test_scripts_show_what_is_told_and_no_line_for_each_request(hub, log_is_left_as_it_was, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setattr(logging.root, "handlers", [])
        show_log()
        HfApi().create_repo("alice/x")
        logging.getLogger("neuromusic_hf.told").info("It is there.")
    assert hub.requests and capsys.readouterr().err == "It is there.\n"
    scripts = (CONFIGS.parent / "scripts").glob("*.py")
    assert not [path.name for path in scripts if "basicConfig" in path.read_text()]


@pytest.fixture
def arguments(tmp_path):
    return lambda **values: RunArguments(output_dir=str(tmp_path), **values)


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)


@pytest.fixture
def one_gpu(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 1)


ON_CPU = {"ACCELERATE_USE_CPU": "true"}
TWO_ON_CPU = [
    (("--config_file", CONFIGS / "cpu.yaml", "--num_processes", 2), ("python", "/bin/accelerate", "launch")),
    (("--cpu", "--num_processes", 2), ("python", "/bin/accelerate-launch")),
    (("--cpu", "--num_processes", 2), ("python", "-m", "accelerate.commands.launch")),
    (("--cpu", "--num_processes=2"), ("python", "-m", "accelerate.commands.accelerate_cli", "launch")),
    (
        ("--config_file", CONFIGS / "cpu.yaml", "--num_processes", 2, "--num_machines", 2, "--machine_rank", 0),
        ("python", "/bin/accelerate", "launch"),
    ),
]


@pytest.mark.parametrize(("options", "command"), TWO_ON_CPU)
def test_two_processes_that_became_one_are_refused_with_the_way_to_two(launched, arguments, options, command):
    launched(*options, "train.py", "--num_processes", 5, command=command, **ON_CPU)
    remedy = "asked for num_processes 2 and started 1.*take accelerate_configs/multi_cpu.yaml"
    with pytest.raises(ValueError, match=remedy):
        arguments()
    with pytest.raises(ValueError, match=remedy):
        join_processes()


def test_one_process_is_what_cpu_yaml_asks_for(launched, arguments):
    launched("--config_file", CONFIGS / "cpu.yaml", "train.py", **ON_CPU)
    assert arguments().world_size == 1
    launched("train.py")
    assert arguments().world_size == 1, "without a config nobody asked for more"
    launched("train.py", "--num_processes", 2, command=("bash", "run.sh"))
    assert arguments().world_size == 1, "started by something else"


@pytest.mark.parametrize("config", ["single_gpu", "multi_gpu", "multi_node", "fsdp2", "deepspeed_zero3"])
def test_a_gpu_that_is_not_there_is_not_replaced(launched, arguments, no_gpu, config):
    launched("--config_file", CONFIGS / f"{config}.yaml", "train.py")
    for start in (arguments, join_processes):
        with pytest.raises(ValueError, match="asks for GPUs.*has none: take accelerate_configs/cpu.yaml"):
            start()


def test_a_run_that_was_told_to_take_the_cpu_takes_it(launched, tmp_path, no_gpu):
    launched("--config_file", CONFIGS / "single_gpu.yaml", "train.py")
    parsed = parse_recipe(["--output_dir", str(tmp_path), "--use_cpu", "true"])
    assert "use_cpu" not in resolved_recipe(*parsed) and parsed[2].device.type == "cpu"


def test_a_config_that_starts_several_processes_on_cpus_is_believed_where_there_are_gpus(launched, monkeypatch):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    launched("--config_file", CONFIGS / "multi_cpu.yaml", "train.py")
    assert launched_for_cpu()
    launched("--config_file", CONFIGS / "multi_gpu.yaml", "train.py")
    assert not launched_for_cpu()


@pytest.mark.parametrize("name", ["FSDP", "DEEPSPEED", "MEGATRON_LM"])
def test_an_engine_that_would_be_left_off_is_refused(monkeypatch, arguments, name):
    """Where no process was started to divide a model among."""
    monkeypatch.setenv(f"ACCELERATE_USE_{name}", "true")
    said = "does not train" if name == "MEGATRON_LM" else rf"start with accelerate launch .*{name.lower()}\w*.yaml"
    with pytest.raises(ValueError, match=said):
        arguments(use_cpu=True)


@pytest.mark.parametrize("name", ["FSDP", "DEEPSPEED"])
def test_processes_that_do_not_train_divide_no_model(monkeypatch, name):
    monkeypatch.setenv(f"ACCELERATE_USE_{name}", "true")
    with pytest.raises(ValueError, match="(?i)divides a model that is trained.*multi_gpu.yaml"):
        join_processes()


def test_two_engines_at_once_are_refused(monkeypatch, arguments):
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(ValueError, match="both divide a model.*take one"):
        arguments(use_cpu=True, deepspeed={"zero_optimization": {"stage": 2}})


def test_parts_of_layers_and_sequences_are_refused(monkeypatch, arguments):
    monkeypatch.setenv("ACCELERATE_USE_PARALLELISM_CONFIG", "true")
    with pytest.raises(ValueError, match="parallelism_config .*Leave it out"):
        arguments(use_cpu=True)


@pytest.mark.parametrize(
    "options",
    [{"fsdp": True}, {"fsdp": "full_shard"}, {"fsdp": "full_shard auto_wrap", "fsdp_config": {"version": 2}},
     {"deepspeed": {"zero_optimization": {"stage": 2}}}],
)  # fmt: skip
def test_an_engine_asked_for_by_an_option_is_refused_in_one_process(arguments, options):
    with pytest.raises(ValueError, match="needs processes to divide a model among"):
        arguments(use_cpu=True, **options)


@pytest.mark.parametrize(
    ("variables", "options"),
    [
        ({"ACCELERATE_USE_FSDP": "true"}, {}),
        ({"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "1"}, {}),
        ({}, {"fsdp": True, "fsdp_config": {"version": 1}}),
    ],
)
def test_another_fsdp_than_fsdp2_is_refused(monkeypatch, variables, options):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    plugin = {"fsdp_version": options["fsdp_config"]["version"]} if options else None
    with pytest.raises(ValueError, match="fsdp_version 1 is not supported: set fsdp_version: 2"):
        check_fsdp(plugin, on_cpu=True)
    check_fsdp({"fsdp_version": 2}, on_cpu=True)
    monkeypatch.setenv("FSDP_VERSION", "2")
    check_fsdp(None, on_cpu=True)


def test_weights_are_not_kept_on_the_cpu_where_it_computes(monkeypatch):
    """PyTorch would fail on memory that it cannot pin."""
    monkeypatch.setenv("FSDP_VERSION", "2")
    monkeypatch.setenv("FSDP_OFFLOAD_PARAMS", "true")
    for plugin in (None, {"fsdp_version": 2, "cpu_offload": True}):
        check_fsdp(plugin, on_cpu=False)
        with pytest.raises(ValueError, match="this run computes on CPUs: set fsdp_offload_params: false"):
            check_fsdp(plugin, on_cpu=True)
    check_fsdp({"fsdp_version": 2}, on_cpu=True)


def test_fsdp_can_be_said_no_to(tmp_path):
    assert not parse_recipe(["--output_dir", str(tmp_path), "--fsdp", "false"])[2].fsdp


@pytest.mark.parametrize(
    ("launcher", "said", "holds"),
    [
        ("bf16", {}, (True, False)),
        ("fp16", {}, (False, True)),
        ("fp16", {"fp16": True}, (False, True)),
        ("bf16", {"bf16": True}, (True, False)),
        ("no", {"bf16": True}, (True, False)),
        ("no", {"bf16": False}, (False, False)),
    ],
)
def test_the_precision_of_the_launcher_holds_where_the_run_says_nothing(
    monkeypatch, arguments, one_gpu, launcher, said, holds
):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", launcher)
    args = arguments(use_cpu=launcher != "fp16", **said)
    assert (args.bf16, args.fp16) == holds
    assert args.mixed_precision == {(True, False): "bf16", (False, True): "fp16", (False, False): "no"}[holds]


@pytest.mark.parametrize(
    ("launcher", "said"), [("bf16", {"bf16": False}), ("fp16", {"bf16": True}), ("bf16", {"fp16": True})]
)
def test_precision_that_contradicts_the_launcher_is_refused(monkeypatch, arguments, launcher, said):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", launcher)
    with pytest.raises(ValueError, match=f"mixed_precision: {launcher} of the accelerate config"):
        arguments(use_cpu=True, **said)


def test_a_precision_that_would_not_be_is_refused(monkeypatch, arguments, no_gpu):
    """On a CPU accelerate lets fp16 go without a word."""
    with pytest.raises(ValueError, match="fp16=True needs a GPU.*Take bf16"):
        arguments(fp16=True)
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "fp16")
    with pytest.raises(ValueError, match="fp16=True needs a GPU"):
        arguments(use_cpu=True)
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "fp8")
    with pytest.raises(ValueError, match="mixed_precision: fp8 of the accelerate config: set it to 'no'"):
        arguments()


def test_the_precision_of_the_launcher_is_in_the_resolved_recipe(monkeypatch, tmp_path, one_gpu):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "fp16")
    resolved = resolved_recipe(*parse_recipe(["--output_dir", str(tmp_path)]))
    assert (resolved["bf16"], resolved["fp16"]) == (False, True)


def test_more_processes_than_gpus_are_refused(monkeypatch, one_gpu):
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="2 processes were started on a machine with 1 GPUs"):
        join_processes()


def test_the_launcher_itself(tmp_path):
    """`accelerate launch` starts one process where two were asked for."""
    config = ["--config_file", str(CONFIGS / "cpu.yaml"), "--num_processes", "2"]
    script = [str(REPOSITORY / "scripts" / "train.py"), "--output_dir", str(tmp_path / "run")]
    command = [sys.executable, "-m", "accelerate.commands.launch", *config, *script]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    finished = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert finished.returncode != 0
    assert "asked for num_processes 2 and started 1" in finished.stderr
    assert not (tmp_path / "run").exists()
