"""How the trackers of a run begin: under one name and id however often it goes on, in a group, with tags."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from transformers import PreTrainedModel, TrainerCallback
from transformers.integrations import TensorBoardCallback, TrackioCallback, WandbCallback

from ..borders.trackers import has_begun, note_begun
from ..bundles.bundle import public_name

TENSORBOARD_FOLDER = "tensorboard"
"""In the folder of a run, with one for each time that it began anew."""


@dataclass(frozen=True)
class Session:
    """
    How a run is called by its trackers.

    Args:
        id (`str`): of the run.
        group (`str`, *optional*): of runs that belong together.
        tags (`tuple[str, ...]`): what it is: its model, its tokenizer, and so on.
        goes_on (`bool`): whether the tracker knows it already.
    """

    id: str
    group: str | None
    tags: tuple[str, ...]
    goes_on: bool


def prepare_session(callback: TrainerCallback, session: Callable[[], Session]):
    """
    Has a tracker that transformers knows begin as a session says; others begin as they do.

    A subclass that begins in a way of its own, and a W&B run that is there already, are left alone.

    Args:
        callback ([`~transformers.TrainerCallback`]): of the tracker.
        session (callable): gives the [`Session`] when the tracker begins.
    """
    if isinstance(callback, WandbCallback):
        callback.setup = functools.partial(_begin_wandb, callback.setup, session)
    elif isinstance(callback, TrackioCallback) and type(callback).setup is TrackioCallback.setup:
        callback.setup = functools.partial(_begin_trackio, callback, session)
    elif isinstance(callback, TensorBoardCallback):
        callback.on_train_begin = functools.partial(_begin_tensorboard, callback, callback.on_train_begin, session)


def finish_session(callback: TrainerCallback, *, failed: bool):
    """
    Ends what a tracker keeps open, and what the next run of the process would fall into.

    Trackio and TensorBoard end with the training, and begin again where something is logged after it.

    Args:
        callback ([`~transformers.TrainerCallback`]): of the tracker.
        failed (`bool`): whether the run broke off, which W&B shows.
    """
    if isinstance(callback, WandbCallback):
        import wandb

        if wandb.run is not None:
            wandb.finish(exit_code=int(failed))
    elif isinstance(callback, TrackioCallback) and has_begun(callback):
        import trackio

        note_begun(callback, None, begun=False)
        trackio.finish()
    elif isinstance(callback, TensorBoardCallback) and callback.tb_writer is not None:
        callback.tb_writer.close()


def _begin_wandb(set_up: Callable, session: Callable[[], Session], args, state, model, **kwargs):
    """Variables of W&B go before what the run says; its callback takes over the run that is there."""
    import wandb

    if state.is_world_process_zero and not state.is_hyper_param_search and wandb.run is None:
        said = session()
        wandb.init(
            project=os.getenv("WANDB_PROJECT") or "huggingface",
            name=args.run_name,
            id=os.getenv("WANDB_RUN_ID") or said.id,
            group=os.getenv("WANDB_RUN_GROUP") or said.group,
            tags=None if os.getenv("WANDB_TAGS") else said.tags,
            resume=os.getenv("WANDB_RESUME") or ("allow" if said.goes_on else None),
        )
    set_up(args, state, model, **kwargs)


def _begin_trackio(callback: TrackioCallback, session: Callable[[], Session], args, state, model, **kwargs):
    """As [`~transformers.integrations.TrackioCallback.setup`], in a group, and anew where the run begins anew."""
    import trackio

    space = None
    if state.is_world_process_zero:
        said = session()
        trackio.init(
            project=args.project,
            name=args.run_name,
            group=said.group,
            space_id=args.trackio_space_id,
            bucket_id=args.trackio_bucket_id,
            private=args.hub_private_repo,
            resume="allow" if said.goes_on else "never",
        )
        sizes = {"model/num_parameters": model.num_parameters()} if hasattr(model, "num_parameters") else {}
        trackio.config.update({**config_of(model), **args.to_dict(), **sizes})
        space = trackio.context_vars.current_space_id.get()
    note_begun(callback, space)


def _begin_tensorboard(
    callback: TensorBoardCallback, begin: Callable, session: Callable[[], Session], args, state, control, **kwargs
):
    """In one folder, so that a run that goes on is one run there; what it was is written once."""
    said = session()
    if callback.logging_dir is None:
        callback.logging_dir = str(Path(args.output_dir, TENSORBOARD_FOLDER, said.id))
    if not said.goes_on:
        begin(args, state, control, **kwargs)
    elif state.is_world_process_zero and callback.tb_writer is None:
        from torch.utils.tensorboard import SummaryWriter

        callback.tb_writer = SummaryWriter(callback.logging_dir)


def config_of(model: PreTrainedModel) -> dict:
    """The config of a model, and that of its adapter if it has one."""
    adapters = {name: config.to_dict() for name, config in getattr(model, "peft_config", {}).items()}
    return {**model.config.to_dict(), **({"peft_config": adapters} if adapters else {})}


@contextlib.contextmanager
def named_publicly(model: PreTrainedModel | None) -> Iterator[None]:
    """Configs that a tracker reads meanwhile name no folder of this machine."""
    kept = []
    for config, name in _places(model):
        if (place := getattr(config, name, None)) and os.path.isdir(place):
            kept.append((config, name, place))
            setattr(config, name, public_name(place))
    try:
        yield
    finally:
        for config, name, place in kept:
            setattr(config, name, place)


def _places(model: PreTrainedModel | None) -> list[tuple[object, str]]:
    """Configs of a model, each with the name of what says where it comes from."""
    own = [(model.config, "name_or_path")] if getattr(model, "config", None) is not None else []
    return [*own, *((config, "base_model_name_or_path") for config in getattr(model, "peft_config", {}).values())]
