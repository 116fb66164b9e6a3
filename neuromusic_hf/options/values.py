"""What each option of a training run may hold."""

import functools
import json
import math
from collections.abc import Mapping
from typing import Any

from ..corpora.splits import SPLIT_VERSIONS
from ..models.sampling import SAMPLING_RANGES
from ..ranges import PROCESSES, SEEDS, Range, check_ranges

STEPS = Range(1, "optimizer steps")
STEPS_OR_SHARE = Range(1, "optimizer steps", share_of="the run")

MODEL_RANGES = {
    "hidden_size": Range(1, "numbers in a vector", most=2**17),
    "num_hidden_layers": Range(1, "layers", most=2**14),
    "num_attention_heads": Range(1, "heads", most=2**14),
    "intermediate_size": Range(1, "numbers in a vector", most=2**20),
    "vocab_size": Range(1, "ids", most=2**20),
    "lora_rank": Range(1, "rank", most=2**14),
    "lora_alpha": Range(0, open=True),
    "lora_dropout": Range(0, "share", most=1, below=True),
    **SAMPLING_RANGES,
}

DATA_RANGES = {
    "shuffle_buffer": Range(1, "pieces"),
    "max_pieces": Range(1, "pieces"),
    "context_length": Range(2, "tokens"),
    "max_eval_blocks": Range(1, "blocks"),
    "num_proc": PROCESSES,
    "augmentation_variants": Range(0, "changed copies of a piece"),
    "max_pitch_shift": Range(0, "semitones", most=127),
    "max_velocity_shift": Range(0, "steps of velocity", most=127),
    "max_tempo_change": Range(0, "relative change of speed", most=1, below=True),
    "infill_share": Range(0, "share of the training tokens", most=1, below=True),
}

RUN_RANGES = {
    "per_device_train_batch_size": Range(1, "blocks"),
    "per_device_eval_batch_size": Range(1, "blocks"),
    "gradient_accumulation_steps": Range(1, "batches"),
    "num_train_epochs": Range(0, "passes over the train split", open=True),
    "max_steps": Range(1, "optimizer steps", besides=-1),
    "learning_rate": Range(),
    "warmup_steps": Range(0, "optimizer steps", share_of="the run"),
    "weight_decay": Range(),
    "adam_beta1": Range(most=1, below=True),
    "adam_beta2": Range(most=1, below=True),
    "adam_epsilon": Range(),
    "max_grad_norm": Range(),
    "label_smoothing_factor": Range(most=1, below=True),
    "neftune_noise_alpha": Range(open=True),
    "torch_empty_cache_steps": STEPS,
    "logging_steps": STEPS_OR_SHARE,
    "eval_steps": STEPS_OR_SHARE,
    "eval_delay": Range(0, "optimizer steps or epochs"),
    "eval_accumulation_steps": Range(1, "batches"),
    "save_steps": STEPS_OR_SHARE,
    "save_total_limit": Range(1, "checkpoints"),
    "seed": SEEDS,
    "data_seed": SEEDS,
    "dataloader_num_workers": Range(0, "processes"),
    "dataloader_prefetch_factor": Range(1, "batches"),
    "ddp_bucket_cap_mb": Range(1, "megabytes"),
    "ddp_timeout": Range(1, "seconds"),
    "local_rank": Range(0, besides=-1),
    "early_stopping_patience": Range(1, "evaluations"),
    "early_stopping_threshold": Range(0, "of the metric"),
    "eval_continuations_steps": STEPS_OR_SHARE,
    "eval_continuations": Range(1, "pieces"),
    "eval_shown_continuations": Range(0, "pieces"),
    "eval_infills": Range(0, "pieces"),
    "eval_prompt_length": Range(1, "tokens"),
    "eval_continue_length": Range(1, "tokens"),
}

RANGES = MODEL_RANGES | DATA_RANGES | RUN_RANGES

MUON = "muon"
"""The value of `optim` that asks for it; transformers has no name for it."""

ROUNDS_WEIGHTS = "the bundle would hold weights that were rounded for it; evaluations compute as training does"

PICKLING_STRATEGIES = ("checkpoint", "all_checkpoints")

DEMANDED = {
    "batch_eval_metrics": (True, "the metrics sum batch by batch, in flat memory"),
    "prediction_loss_only": (False, "perplexity, accuracy and nats per note would be missing"),
    "dataloader_drop_last": (False, "blocks would be left out, of evaluations too"),
    "label_names": (None, "the labels of blocks are called labels"),
    "do_predict": (False, "predictions are not written; --do_test evaluates on the test split"),
    "parallelism_config": (None, "a run parts no layers or sequences, and FSDP divides weights without it"),
    "bf16_full_eval": (False, ROUNDS_WEIGHTS),
    "fp16_full_eval": (False, ROUNDS_WEIGHTS),
}
"""Values that a run cannot do without, and why."""


def check_options(values: Mapping[str, Any]):
    """
    Refuses what an option cannot hold.

    That is a number out of its range, a word that is none of the choices, or a value that a run of this project cannot
    do with.

    Args:
        values (mapping): options by name, some or all.

    Raises:
        `ValueError`: naming the first such option, its value, and what it takes.
    """
    check_ranges(values, RANGES)
    for name, choices in _choices().items():
        value = values.get(name)
        if value is not None and value not in choices:
            words = ", ".join(getattr(choice, "value", choice) for choice in choices if isinstance(choice, str))
            raise ValueError(f"{name}={value!r} is unknown: choose one of {words}.")
    strategy = values.get("hub_strategy")
    if strategy in PICKLING_STRATEGIES:
        raise ValueError(
            f"hub_strategy={getattr(strategy, 'value', strategy)} would push the states of optimizer and random "
            "numbers, which are pickles: take every_save, whose every commit is a bundle, or end."
        )
    for name, (demanded, reason) in DEMANDED.items():
        if values.get(name, demanded) not in (demanded, None):
            raise ValueError(f"{name}={values[name]} cannot be: {reason}.")
    for name in _objects():
        if isinstance(value := values.get(name), dict) or (isinstance(value, str) and value.startswith("{")):
            json_object(value, name)
    for key in json_object(values.get("model_config"), "model_config"):
        if key.startswith("_") or key == "name_or_path":
            raise ValueError(f"model_config: {key} is no size of a model, but what transformers notes in a config.")
    for name, value in values.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{name}={value} must be a finite number.")


@functools.cache
def _choices() -> dict[str, tuple]:
    """The words that options take. Most are transformers' own, with which PyTorch is imported."""
    from transformers.trainer_utils import HubStrategy, IntervalStrategy, SaveStrategy, SchedulerType
    from transformers.training_args import OptimizerNames

    from ..tokenization.vocabulary_training import VOCABULARY_MODELS

    return {
        "vocabulary_model": VOCABULARY_MODELS,
        "split_version": SPLIT_VERSIONS,
        "eval_strategy": tuple(IntervalStrategy),
        "logging_strategy": tuple(IntervalStrategy),
        "save_strategy": tuple(SaveStrategy),
        "hub_strategy": tuple(HubStrategy),
        "lr_scheduler_type": tuple(SchedulerType),
        "optim": (*OptimizerNames, MUON),
        "include_num_input_tokens_seen": ("all", "non_padding", "no", True, False),
    }


def _objects() -> tuple[str, ...]:
    """Options that hold a JSON object."""
    from ..borders.trainer import DICT_FIELDS

    return ("model_config", "tokenization_config", *DICT_FIELDS)


def json_object(value: dict | str | None, name: str) -> dict:
    """
    An object of plain JSON, from its text or as it is. NaN and infinity are no JSON.

    Raises:
        `ValueError`: it is something else.
    """
    text = json.dumps(value or {}) if value is None or isinstance(value, dict) else value
    try:
        parsed = json.loads(text, parse_constant=_no_number)
    except ValueError as error:
        raise ValueError(f"{name} must be a JSON object, got {value!r} ({error}).") from error
    if not isinstance(parsed, dict):
        raise ValueError(f"{name} must be a JSON object, got {value!r}.")
    return parsed


def _no_number(constant: str):
    raise ValueError(f"{constant} is no number")
