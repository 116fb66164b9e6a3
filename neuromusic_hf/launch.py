"""What a launcher asks for, by its variables and its command line; refused where it is not what happens."""

import argparse
import os
from datetime import timedelta
from pathlib import Path

import psutil
import torch
from accelerate import PartialState
from accelerate.commands.config.config_args import default_config_file, load_config_from_file
from accelerate.utils import parse_flag_from_env
from accelerate.utils.environment import get_cpu_distributed_information

MULTI_CPU = "accelerate_configs/multi_cpu.yaml"
LAUNCHERS = ("accelerate-launch", "accelerate.commands.launch")
ENGINES = {
    "FSDP": "ACCELERATE_USE_FSDP",
    "DeepSpeed": "ACCELERATE_USE_DEEPSPEED",
    "Megatron-LM": "ACCELERATE_USE_MEGATRON_LM",
}
"""What divides a model among processes, and the variable by which `accelerate launch` hands it on."""


def launched_for_cpu() -> bool:
    """Whether `use_cpu` stands in the accelerate config, which TrainingArguments does not read."""
    asked = _asked_of_accelerate()  # which does not hand it on to several processes that it starts itself
    return parse_flag_from_env("ACCELERATE_USE_CPU") or (asked is not None and asked.cpu)


def asked_precision() -> str:
    """`mixed_precision` of the accelerate config: `no`, `bf16`, `fp16` or `fp8`."""
    return os.environ.get("ACCELERATE_MIXED_PRECISION", "no").lower()


def check_processes(use_cpu: bool):
    """
    Refuses to run in other processes than `accelerate launch` was asked for.

    Those are fewer than asked for, on a CPU where GPUs were asked for, or more than there are GPUs.

    Args:
        use_cpu (`bool`): Whether this process was told to compute on the CPU.

    Raises:
        `ValueError`: saying how to start what was asked for.
    """
    world = get_cpu_distributed_information()
    asked = _asked_of_accelerate()
    has_gpu = torch.accelerator.is_available()
    if asked is not None and asked.gpu and not (use_cpu or has_gpu):
        raise ValueError(
            "The accelerate config asks for GPUs (use_cpu: false), and this machine has none: take "
            "accelerate_configs/cpu.yaml, or train with it on CPUs, for a trial, by --use_cpu true."
        )
    if asked is not None and asked.num_processes > world.world_size:
        on_gpus = has_gpu and not use_cpu
        remedy = "set distributed_type: MULTI_GPU, as in accelerate_configs/multi_gpu.yaml"
        remedy = remedy if on_gpus else f"take {MULTI_CPU}, which starts them by itself"
        raise ValueError(
            f"accelerate launch was asked for num_processes {asked.num_processes} and started {world.world_size}, as "
            f"{'its config has distributed_type: NO' if on_gpus else 'it starts several on CPUs through MPI only'}: "
            f"{remedy}, or ask for 1."
        )
    if has_gpu and not use_cpu and world.local_world_size > torch.accelerator.device_count():
        raise ValueError(
            f"{world.local_world_size} processes were started on a machine with {torch.accelerator.device_count()} "
            "GPUs: set num_processes to their number, or less."
        )


def asks_for(engine: str, option: object = None) -> bool:
    """
    Whether a launcher asks for what divides a model among processes.

    Args:
        engine (`str`): a key of `ENGINES`.
        option (*optional*): what the run's own arguments say of it.
    """
    return bool(option) or parse_flag_from_env(ENGINES[engine])


def check_engine(fsdp: bool = False, deepspeed: bool = False):
    """
    Refuses what divides a model among processes where it cannot be, or would be left off without a word.

    Args:
        fsdp (`bool`, *optional*, defaults to `False`): FSDP is asked for beside what the launcher says.
        deepspeed (`bool`, *optional*, defaults to `False`): DeepSpeed is.

    Raises:
        `ValueError`: saying what to do.
    """
    if parse_flag_from_env("ACCELERATE_USE_PARALLELISM_CONFIG"):
        raise ValueError(
            "parallelism_config of the accelerate config cannot be: a run parts no layers or sequences, and FSDP "
            "divides weights without it. Leave it out."
        )
    if asks_for("Megatron-LM"):
        raise ValueError("The Trainer does not train with Megatron-LM: take FSDP or DeepSpeed in its place.")
    asked = [name for name, option in (("FSDP", fsdp), ("DeepSpeed", deepspeed)) if asks_for(name, option)]
    if len(asked) > 1:
        raise ValueError("FSDP and DeepSpeed both divide a model among processes: take one of them.")
    if asked and "LOCAL_RANK" not in os.environ:
        config = "fsdp2" if "FSDP" in asked else "deepspeed_zero2"
        raise ValueError(
            f"{asked[0]} needs processes to divide a model among: start with accelerate launch --config_file "
            f"accelerate_configs/{config}.yaml."
        )


def check_fsdp(plugin: dict | None, on_cpu: bool):
    """
    Refuses another FSDP than FSDP2, and one that has nowhere to move weights to, whoever asks for it.

    Args:
        plugin (`dict`, *optional*): arguments of the plugin of accelerate, where the run's own arguments make it.
        on_cpu (`bool`): whether the run computes on CPUs.

    Raises:
        `ValueError`: saying what to set.
    """
    version = str((plugin or {"fsdp_version": os.environ.get("FSDP_VERSION", "1")})["fsdp_version"])
    if version != "2":
        raise ValueError(
            f"fsdp_version {version} is not supported: set fsdp_version: 2, as in accelerate_configs/fsdp2.yaml."
        )
    offloads = parse_flag_from_env("FSDP_OFFLOAD_PARAMS") if plugin is None else plugin.get("cpu_offload")
    if on_cpu and offloads:
        raise ValueError(
            "fsdp_offload_params keeps weights on the CPU that a GPU computes with, and this run computes on CPUs: "
            "set fsdp_offload_params: false, as in accelerate_configs/fsdp2.yaml."
        )


class _Asked(argparse.Namespace):
    """What `accelerate launch` was asked for: `num_processes`, and whether on a `gpu` or a `cpu`, if it was said."""


def _asked_of_accelerate() -> _Asked | None:
    """Read from the command line of the parent process, as no variable tells how many processes were wanted."""
    options = _launch_options() if "ACCELERATE_MIXED_PRECISION" in os.environ else None
    if options is None:
        return None
    from accelerate.commands.launch import launch_command_parser

    launch = launch_command_parser().parse_args(options)
    path = launch.config_file or (default_config_file if Path(default_config_file).is_file() else None)
    config = load_config_from_file(path) if path and not (launch.cpu and not launch.config_file) else None
    num_processes = launch.num_processes or getattr(config, "num_processes", None) or 1
    cpu = launch.cpu or (config is not None and bool(getattr(config, "use_cpu", False)))
    gpu = launch.multi_gpu or (config is not None and not getattr(config, "use_cpu", True))
    return _Asked(num_processes=num_processes, gpu=bool(gpu) and not launch.cpu, cpu=cpu)


def _launch_options() -> list[str] | None:
    """The options of the `accelerate launch` that is the parent of this process."""
    try:
        parent = psutil.Process().parent()
        command = parent.cmdline() if parent else []
    except psutil.Error:
        return None
    for index, part in enumerate(command):
        name = Path(part).name
        if name in LAUNCHERS or (part == "launch" and "accelerate" in command[index - 1]):
            return command[index + 1 :]
    return None


def join_processes() -> PartialState:
    """
    Joins the processes that `accelerate launch` or torchrun started, on CPUs too; one process where nobody did.

    They wait for each other up to a week, as the last pieces of one may take hours more than those of another.

    Raises:
        `ValueError`: a launcher was asked for what did not happen, or for what divides a model that is trained.
    """
    for name in filter(asks_for, ENGINES):
        raise ValueError(
            f"{name} divides a model that is trained, and here each process holds all of it: take "
            "accelerate_configs/multi_gpu.yaml."
        )
    check_processes(launched_for_cpu())
    cpu = launched_for_cpu() or not torch.accelerator.is_available()
    return PartialState(cpu=cpu, timeout=timedelta(days=7))
