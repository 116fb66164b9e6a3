"""Options that depend on each other: which one holds, and which would do nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .values import MUON


def _given(value: Any) -> bool:
    return value is not None


def _on(value: Any) -> bool:
    return bool(value)


def _zero(value: Any) -> bool:
    return value == 0


def _positive(value: Any) -> bool:
    return value is not None and value > 0


RIVALS = (
    {"max_steps": _positive, "num_train_epochs": _given},
    {"bf16": _on, "fp16": _on},
    {"temperature": _zero, "top_k": _given},
    {"temperature": _zero, "top_p": _given},
    {"activation_checkpointing": _given, "gradient_checkpointing": _given},
    {"activation_checkpointing_kwargs": _given, "gradient_checkpointing_kwargs": _given},
)
"""Options of which one holds, each with the values by which it makes that claim."""


@dataclass(frozen=True)
class Need:
    """
    Options that do nothing but for some values of another one.

    Args:
        options (`tuple[str, ...]`): their names.
        other (`str`): the option they depend on.
        met (`Callable`): whether they have an effect, by the value of the other one.
        remedy (`str`): what to give beside them, or in their place.
    """

    options: tuple[str, ...]
    other: str
    met: Callable[[Any], bool]
    remedy: str


def _reports_to(*names: str) -> Callable[[Any], bool]:
    return lambda trackers: bool({*names, "all"} & set(trackers))


NEEDS = (
    Need(("eval_steps",), "eval_strategy", lambda value: value == "steps", "eval_strategy steps"),
    Need(("eval_delay",), "eval_strategy", lambda value: value != "no", "eval_strategy steps or epoch"),
    Need(("early_stopping_patience",), "eval_strategy", lambda value: value != "no", "eval_strategy steps or epoch"),
    Need(("early_stopping_threshold",), "early_stopping_patience", _given, "early_stopping_patience"),
    Need(("save_steps",), "save_strategy", lambda value: value == "steps", "save_strategy steps"),
    Need(("save_total_limit",), "save_strategy", lambda value: value != "no", "another save_strategy"),
    Need(("logging_steps",), "logging_strategy", lambda value: value == "steps", "logging_strategy steps"),
    Need(("vocabulary_model",), "vocab_size", _given, "vocab_size"),
    Need(
        ("max_pitch_shift", "max_velocity_shift", "max_tempo_change"),
        "augmentation_variants",
        _positive,
        "augmentation_variants",
    ),
    Need(
        (
            "eval_continuations",
            "eval_continuations_novelty",
            "eval_shown_continuations",
            "eval_infills",
            "eval_prompt_length",
            "eval_continue_length",
            "eval_comparisons",
            "eval_harmony_embedding",
        ),
        "eval_continuations_steps",
        _given,
        "eval_continuations_steps",
    ),
    Need(("eval_harmony_revision",), "eval_harmony_embedding", _given, "eval_harmony_embedding with the id of one"),
    Need(("warmup_steps",), "lr_scheduler_type", lambda value: value != "constant", "constant_with_warmup"),
    Need(
        ("lr_scheduler_kwargs",),
        "lr_scheduler_type",
        lambda value: value not in ("constant", "constant_with_warmup"),
        "an lr_scheduler_type that takes arguments",
    ),
    Need(
        ("dataloader_persistent_workers", "dataloader_prefetch_factor", "dataloader_multiprocessing_context"),
        "dataloader_num_workers",
        _positive,
        "dataloader_num_workers",
    ),
    Need(("hub_model_id", "hub_strategy", "hub_always_push", "hub_revision"), "push_to_hub", _on, "push_to_hub"),
    Need(
        ("project", "trackio_space_id", "trackio_bucket_id", "trackio_static_space_id"),
        "report_to",
        _reports_to("trackio"),
        "report_to trackio (other trackers read variables, as WANDB_PROJECT)",
    ),
    Need(("run_group",), "report_to", _reports_to("wandb", "trackio"), "report_to wandb or trackio"),
    Need(("lora_alpha", "lora_dropout", "lora_target_modules", "lora_merge"), "lora_rank", _given, "lora_rank"),
    Need(("optim_args",), "optim", lambda value: value != MUON, "an optim that takes arguments"),
    Need(("clean_test",), "do_test", _on, "do_test"),
    Need(("shuffle_buffer",), "streaming", _on, "streaming"),
    Need(("fsdp_config",), "fsdp", _on, "fsdp"),
    Need(("liger_kernel_config",), "use_liger_kernel", _on, "use_liger_kernel"),
    Need(("ignore_data_skip",), "resume_from_checkpoint", _given, "resume_from_checkpoint"),
)

ALWAYS_DONE = {
    "do_train": "a run trains",
    "do_eval": "a run ends with an evaluation, and eval_strategy says whether there are more",
}


def check_rivals(values: Mapping[str, Any]):
    """
    Refuses options that rule each other out where both were said in one place.

    Raises:
        `ValueError`: naming both.
    """
    for rivals in RIVALS:
        claims = [name for name, claims in rivals.items() if name in values and claims(values[name])]
        if len(claims) > 1:
            both = " and ".join(f"{name}={values[name]}" for name in claims)
            raise ValueError(f"{both} rule each other out: give one of them.")


def drop_rivals(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any]:
    """What was said earlier and still holds after what is said later."""
    dropped = set()
    for rivals in RIVALS:
        if any(claims(later.get(name)) for name, claims in rivals.items()):
            dropped |= {name for name, claims in rivals.items() if claims(earlier.get(name))}
    return {name: value for name, value in earlier.items() if name not in dropped}


def void_options(values: Mapping[str, Any]) -> dict[str, Need]:
    """
    Options that do nothing, each with what it needs.

    Args:
        values (mapping): what holds, defaults included.
    """
    return {name: need for need in NEEDS for name in need.options if not need.met(values[need.other])}


def check_effects(said: Mapping[str, Any], values: Mapping[str, Any], defaults: Mapping[str, Any], *, strictly: bool):
    """
    Refuses options that would do nothing.

    Args:
        said (mapping): what was said in one place.
        values (mapping): what holds, defaults included.
        defaults (mapping): what holds where nothing is said.
        strictly (`bool`): whatever the option says, and wherever its reason was said. Else only what is no default and
            has its reason in the same place, as a recipe may hold what another one or an option switches on.

    Raises:
        `ValueError`: naming the option, and what it needs.
    """
    for name, reason in ALWAYS_DONE.items():
        if said.get(name) is False:
            raise ValueError(f"{name}=False cannot be: {reason}.")
    for name, need in void_options(values).items():
        value = said.get(name)
        if value is not None and (strictly or (need.other in said and value != defaults[name])):
            raise ValueError(
                f"{name}={value} has no effect with {need.other}={values[need.other]}: give {need.remedy}, or leave "
                "it out."
            )
