"""Which options of a training run a search may try values of."""

from fnmatch import fnmatch

from ..options.parser import OptionParser

REFUSED = {
    "it says what trials are judged by, which has to be the same for all": (
        *("corpus", "corpus_revision", "data_dir", "split_*", "max_pieces", "max_eval_blocks", "eval_*"),
        *("metric_for_best_model", "greater_is_better", "do_*", "clean_test", "*_full_eval", "batch_eval_metrics"),
    ),
    "it says where a run writes, and who is told": (
        *("output_dir", "run_name", "report_to", "project", "trackio_*", "push_to_hub", "hub_*", "save_*", "log*"),
        *("resume_from_checkpoint", "ignore_data_skip", "disable_tqdm"),
    ),
    "it belongs to the process, which all trials share": (
        *("bf16", "fp16", "tf32", "use_cpu", "local_rank", "ddp_*", "fsdp*", "deepspeed", "accelerator_config"),
        *("parallelism_config", "full_determinism", "num_proc", "trust_remote_code"),
    ),
}
"""Options of which every trial has the value of the recipe, by the reason."""

OF_TOKENS = ("tokenization", "tokenization_config", "vocabulary_model", "vocab_size")
"""What decides about the tokens that a model reads."""


def split_name(name: str) -> tuple[str, str]:
    """The option that a name of a space means, and the key where it is one of an object: `model_config.dropout`."""
    option, _, key = name.partition(".")
    return option, key


def check_searchable(name: str, parser: OptionParser):
    """
    Refuses what is no option of a run, or none that trials may differ in.

    Args:
        name (`str`): of an option, or of a key of an option that holds an object.
        parser ([`OptionParser`]): which knows all options.

    Raises:
        `ValueError`: naming it, and the reason or the nearest name.
    """
    option, key = split_name(name)
    if option not in parser.options:
        raise ValueError(f"unknown option {option!r}{parser.suggestion(option)}")
    for reason, patterns in REFUSED.items():
        if any(fnmatch(option, pattern) for pattern in patterns):
            raise ValueError(f"{option} cannot be searched, as {reason}: say it in the recipe.")
    if (option in parser.mappings) != bool(key):
        hint = f"it holds an object: search {option}.KEY" if not key else f"{option} holds no object"
        raise ValueError(f"{name} cannot be searched, as {hint}.")
    if parser.options[option].nargs == "+":
        raise ValueError(f"{option} cannot be searched, as it is a list of values.")


def check_comparable(names: list[str], metric: str, max_eval_blocks: int | None):
    """
    Refuses a search whose trials would be judged by figures that do not compare.

    Args:
        names (`list[str]`): of the options that it tries values of.
        metric (`str`): that it searches by.
        max_eval_blocks (`int`, *optional*): of its recipe.

    Raises:
        `ValueError`: naming the option, and what to do.
    """
    options = [split_name(name)[0] for name in names]
    of_tokens = [option for option in options if option in OF_TOKENS]
    of_blocks = [*of_tokens, *(option for option in options if option == "context_length")]
    if of_tokens and metric.removeprefix("eval_") != "nats_per_note":
        raise ValueError(
            f"{of_tokens[0]} cannot be searched by {metric}, which compares no two tokenizers: search by "
            "nats_per_note, and leave metric_for_best_model out."
        )
    if of_blocks and metric.removeprefix("eval_") not in ("nats_per_note", "loss", "perplexity", "token_accuracy"):
        raise ValueError(
            f"{of_blocks[0]} cannot be searched by {metric}, whose samples differ with it: search by nats_per_note."
        )
    if of_blocks and max_eval_blocks is not None:
        raise ValueError(
            f"{of_blocks[0]} cannot be searched with max_eval_blocks={max_eval_blocks}: so many blocks of each trial "
            "would hold other music. Add --max_eval_blocks null."
        )
