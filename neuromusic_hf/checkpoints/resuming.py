"""How a run begins in its folder: alone, from the right checkpoint, with what the checkpoint was made with."""

import contextlib
import logging
import os
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import yaml
from transformers import TrainerState

from ..bundles import BUNDLE_NAME, settle_training_splits, splits_of_model
from ..bundles.files import RECIPE_NAME, RUN_NAME
from ..bundles.shared_recipe import PLACES
from ..corpora.names import split_names
from ..corpora.splits import NOTES_HASH, CorpusSplits
from ..disk import by_main_process, lock_folder
from ..hub import is_hub_id
from ..models.sampling import SAMPLING_RANGES
from ..options.arguments import DataArguments, ModelArguments, RunArguments
from .divided_states import refuse_other_states
from .folders import (
    TRAINER_STATE_NAME,
    given_checkpoint,
    has_optimizer,
    last_checkpoint,
    number_of_processes,
    read_progress,
)
from .saving import refuse_foreign, set_aside_later, tidy

logger = logging.getLogger(__name__)

MAY_CHANGE = ("trust_remote_code", "data_dir", "num_proc", "max_eval_blocks", *SAMPLING_RANGES)
"""Of the arguments of model and data, on resume. All others decide about weights, ids or blocks."""

ORDER_FIELDS = ("seed", "data_seed", "train_sampling_strategy", "dataloader_drop_last")
"""Arguments that decide which block comes when."""

OPTIMIZER_FIELDS = ("optim", "optim_args", "learning_rate", "weight_decay", "adam_beta1", "adam_beta2", "adam_epsilon")
"""Arguments that the saved states of optimizer and schedule override."""


@contextlib.contextmanager
def begin_run(args: RunArguments, recipe: dict) -> Iterator[None]:
    """
    Holds the output folder of a run against other processes, and finds what the run goes on from.

    Afterwards `args.resume_from_checkpoint` is the folder of a whole checkpoint that the recipe agrees with, or none.

    Args:
        args ([`RunArguments`]): `resume_from_checkpoint` may be `last`, which begins at the first step where there is
            no checkpoint, so that one command line starts a run and goes on with it.
        recipe (`dict`): from [`resolved_recipe`].

    Raises:
        `RuntimeError`: another process writes to the folder.
        `ValueError`: the checkpoint is not there, incomplete, damaged, or was made with other values.
        `OSError`: the folder cannot be written to.
    """
    with lock_folder(args.output_dir):
        args.resume_from_checkpoint = by_main_process(lambda: _starting_point(args, recipe))
        yield


def _starting_point(args: RunArguments, recipe: dict) -> str | None:
    output_dir = Path(args.output_dir)
    refuse_foreign(output_dir / BUNDLE_NAME)
    tidy(output_dir)
    checkpoint = _wanted_checkpoint(args)
    if checkpoint is not None:
        refuse_differences(checkpoint, recipe, args)
        refuse_other_states(checkpoint, args)
        _tell_about(checkpoint)
    elif (output_dir / BUNDLE_NAME / RUN_NAME).exists():
        logger.warning("%s holds the model of an earlier run, which this one replaces at its end.", output_dir)
    if (output_dir / RUN_NAME).exists():
        logger.warning(
            "The files of a model lie in %s itself, as earlier versions saved it. They stay; the model of this run "
            "will be in %s.",
            output_dir,
            output_dir / BUNDLE_NAME,
        )
    set_aside_later(output_dir, checkpoint, in_use=[str(recipe.get(name)) for name in ("model", "tokenization")])
    return None if checkpoint is None else str(checkpoint)


def _wanted_checkpoint(args: RunArguments) -> Path | None:
    wanted = args.resume_from_checkpoint
    if wanted is None or wanted is False:
        return None
    if str(wanted).lower() not in ("last", "true"):
        return given_checkpoint(wanted)
    checkpoint = last_checkpoint(args.output_dir)
    if checkpoint is None:
        logger.warning("There is no whole checkpoint in %s: the run begins at its first step.", args.output_dir)
    return checkpoint


def _tell_about(checkpoint: Path):
    step = TrainerState.load_from_json(str(checkpoint / TRAINER_STATE_NAME)).global_step
    logger.info("The run goes on from step %d, %s.", step, checkpoint)
    if not has_optimizer(checkpoint):
        logger.warning(
            "%s holds no optimizer (save_only_model): its weights are trained further, but the moments of the "
            "optimizer begin at zero, and the learning rate at the start of its schedule, warmup included.",
            checkpoint,
        )


def settle_run_splits(model_args: ModelArguments, data_args: DataArguments, checkpoint: str | None):
    """
    Settles how the corpora of a run are split, as of [`settle_training_splits`].

    Afterwards `data_args.split_version` is set, and `data_args.split_shares` where the checkpoint or the base model
    says them; both stay as they are where all splits are official.

    Args:
        model_args ([`ModelArguments`]): of the run.
        data_args ([`DataArguments`]): of the run.
        checkpoint (`str`, *optional*): the folder of what it goes on from.
    """
    base = None
    if model_args.is_saved_model:
        revision = model_args.revision if is_hub_id(model_args.model) else None
        base = splits_of_model(model_args.model, revision=revision)
    splits = settle_training_splits(
        data_args.corpus,
        CorpusSplits.asked(data_args.split_version, data_args.split_shares),
        base,
        splits_of_model(checkpoint) if checkpoint else None,
        data_args.data_dir,
        revision=data_args.corpus_revision,
    )
    data_args.split_version = splits.version
    data_args.split_shares = None if splits.shares is None else list(splits.shares)


def refuse_differences(checkpoint: Path, recipe: dict, args: RunArguments):
    """
    Compares the recipe of a checkpoint with that of the run that is to go on from it.

    Raises:
        `ValueError`: they differ in what the checkpoint has decided.
    """
    if not (there := recipe_of(checkpoint)):
        logger.warning("%s has no %s: whether it fits what is asked cannot be checked.", checkpoint, RECIPE_NAME)
        return
    now = yaml.safe_load(yaml.safe_dump(recipe))
    differences = [
        f"  {name}: {_shown(there.get(name))} there, {_shown(now.get(name))} now"
        for name in _fixed_names(checkpoint)
        if not is_same_value(name, there.get(name), now.get(name))
    ]
    differences += _different_batches(checkpoint, there, args)
    differences += _different_shares(checkpoint, there, args) if there.get("streaming") else []
    if differences:
        raise ValueError(
            f"{checkpoint} was made with other values, which cannot change on the way:\n"
            + "\n".join(differences)
            + f"\nLeave these options out to go on with it; or begin a new run from its weights, in another "
            f"output_dir, with --model {checkpoint}."
        )


def recipe_of(checkpoint: Path) -> dict:
    """The recipe of the run that made a checkpoint; empty where there is none."""
    path = checkpoint / RECIPE_NAME
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}


def _fixed_names(checkpoint: Path) -> list[str]:
    names = [item.name for group in (ModelArguments, DataArguments) for item in fields(group)]
    names = [name for name in names if name not in MAY_CHANGE]
    return [*names, *ORDER_FIELDS, *(OPTIMIZER_FIELDS if has_optimizer(checkpoint) else ())]


def is_same_value(name: str, there, now) -> bool:
    """Whether two values of an option mean the same: of paths, whether they lead to the same place."""
    if name == "split_version":
        return now in (None, there or NOTES_HASH)  # what is not asked is taken from the checkpoint
    if name == "split_shares":
        return now in (None, there)
    if name == "infill_share":
        return now in (None, there or 0.0)  # what is not asked is taken from it; earlier versions had no infilling
    if name == "streaming":
        return bool(there) == now  # earlier versions had none
    if name == "shuffle_buffer":
        return there in (None, now)
    if name == "intra_document_masking":
        return bool(there) == bool(now)  # earlier versions had none
    if name in PLACES and isinstance(there, str) and isinstance(now, str):
        there, now = split_names(there), split_names(now)
        return len(there) == len(now) and all(map(_is_same_place, there, now))
    return there == now


def _is_same_place(there: str, now: str) -> bool:
    """One name or folder; or a folder that is gone, and may have moved: what is in it is compared later."""
    there, now = os.path.expanduser(there), os.path.expanduser(now)
    moved = os.sep in there and not os.path.exists(there) and os.path.exists(now)
    return there == now or os.path.realpath(there) == os.path.realpath(now) or moved


def _different_batches(checkpoint: Path, there: dict, args: RunArguments) -> list[str]:
    processes = read_progress(checkpoint).get("processes") or number_of_processes(checkpoint)
    if processes is None or args.auto_find_batch_size:
        return []
    names = ("per_device_train_batch_size", "gradient_accumulation_steps")
    defaults = {item.name: item.default for item in fields(RunArguments)}
    before = [*(there.get(name, defaults[name]) for name in names), processes]
    now = [*(getattr(args, name) for name in names), args.world_size]
    if _product(before) == _product(now):
        return []
    return [
        "  blocks of an optimizer step (per_device_train_batch_size × gradient_accumulation_steps × processes): "
        f"{_shown_product(before)} there, {_shown_product(now)} now"
    ]


def _different_shares(checkpoint: Path, there: dict, args: RunArguments) -> list[str]:
    """What parts a stream, and decides whose block comes when."""
    defaults = {item.name: item.default for item in fields(RunArguments)}
    names = ["dataloader_num_workers", *([] if args.auto_find_batch_size else ["per_device_train_batch_size"])]
    before = {name: there.get(name, defaults[name]) for name in names} | {
        "processes": read_progress(checkpoint).get("processes")
    }
    now = {name: getattr(args, name) for name in names} | {"processes": args.world_size}
    return [f"  {name}: {before[name]} there, {now[name]} now" for name in now if before[name] != now[name]]


def _product(factors: list[int]) -> int:
    return factors[0] * factors[1] * factors[2]


def _shown_product(factors: list[int]) -> str:
    return f"{' × '.join(map(str, factors))} = {_product(factors)}"


def _shown(value) -> str:
    return "not set" if value is None else repr(value)


def refuse_other_blocks(checkpoint: str | None, train: dict):
    """
    Refuses to go on from a checkpoint with another train split than it was made with.

    Args:
        checkpoint (`str`, *optional*): The folder of what the run goes on from.
        train (`dict`): From [`split_facts`], of the train split now.

    Raises:
        `ValueError`: the corpus has changed since, so that other blocks would be skipped than those seen.
    """
    recorded = read_progress(Path(checkpoint)).get("train") if checkpoint else None
    if not recorded:
        return
    if train.get("streamed"):
        _refuse_other_stream(checkpoint, recorded, train)
        return
    infill = [facts.get("infill", {}).get("ids") for facts in (recorded, train)]
    changed = any(recorded.get(name, train[name]) != train[name] for name in ("content", "ids"))
    if not changed and infill[0] != infill[1]:
        raise ValueError(
            f"The samples of infilling are not those that {checkpoint} was made with, as other code draws others. Go "
            "on with the version of neuromusic_hf that made it, which run.json or the log of the run tells; or begin "
            f"a new run from its weights with --model {checkpoint}."
        )
    if changed:
        raise ValueError(
            f"The train split is not the one that {checkpoint} was made with: {recorded['pieces']} pieces in "
            f"{recorded['blocks']} blocks there, {train['pieces']} in {train['blocks']} now. Give the same corpus, or "
            f"begin a new run from its weights with --model {checkpoint}."
        )


def _refuse_other_stream(checkpoint: str | None, recorded: dict, train: dict):
    """The pieces themselves are looked at when they are read."""
    if any(recorded.get(name) != train[name] for name in ("content", "ids")):
        raise ValueError(
            f"The corpus is not the one that {checkpoint} was made with: its files have other names or other numbers "
            "of rows, or its pieces other splits. Give the same corpus (of the Hub, the same corpus_revision), or "
            f"begin a new run from its weights with --model {checkpoint}."
        )
