"""States of an optimizer as engines write them: a run goes on with those of its own engine alone."""

from pathlib import Path

from accelerate.utils import FullyShardedDataParallelPlugin

from ..launch import asks_for
from ..options.arguments import RunArguments
from .folders import DEEPSPEED_NAME, FSDP_NAMES, OPTIMIZER_NAME, number_of_processes, read_progress

ORDINARY = "processes that hold all weights (DDP, or one)"
WHOLE = "FSDP, whole (FULL_STATE_DICT)"
SHARDS = "FSDP, in shards (SHARDED_STATE_DICT)"
DEEPSPEED = "DeepSpeed"


def refuse_other_states(checkpoint: Path, args: RunArguments):
    """
    Refuses to go on with states that another engine wrote: the Trainer would fail late, or begin with none.

    Raises:
        `ValueError`: saying which accelerate config to take.
    """
    there, now = states_of(checkpoint), states_wanted(args)
    if there is None and now != ORDINARY:
        raise ValueError(f"{checkpoint} holds weights alone, with which {now} cannot go on{_way_out(checkpoint)}")
    if there not in (None, now):
        raise ValueError(
            f"{checkpoint} holds states of {there}, and this run writes those of {now}: take the accelerate config "
            f"that it was made with{_way_out(checkpoint)}"
        )
    processes = read_progress(checkpoint).get("processes") or number_of_processes(checkpoint)
    if there == DEEPSPEED and processes not in (None, args.world_size):
        raise ValueError(
            f"{checkpoint} holds states of {processes} processes of DeepSpeed, and these are {args.world_size}: start "
            f"as many{_way_out(checkpoint)}"
        )


def _way_out(checkpoint: Path) -> str:
    return f"; or begin a new run from its weights, in another output_dir, with --model {checkpoint}."


def states_of(checkpoint: Path) -> str | None:
    """Which engine wrote the states in a checkpoint; `None` where it holds none."""
    whole, shards = (names[0] for names in FSDP_NAMES)
    kinds = {DEEPSPEED_NAME: DEEPSPEED, shards: SHARDS, whole: WHOLE, OPTIMIZER_NAME: ORDINARY}
    return next((kind for name, kind in kinds.items() if (checkpoint / name).exists()), None)


def states_wanted(args: RunArguments) -> str:
    """Which a run reads and writes, by its launcher and its arguments."""
    if asks_for("DeepSpeed", args.deepspeed):
        return DEEPSPEED
    if not asks_for("FSDP", args.fsdp):
        return ORDINARY
    plugin = FullyShardedDataParallelPlugin(**(args.fsdp_plugin_args or {}))
    return SHARDS if plugin.state_dict_type.name == "SHARDED_STATE_DICT" else WHOLE
