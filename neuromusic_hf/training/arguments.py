"""What a training run is told, and how a recipe and a command line tell it."""

import difflib
import json
import os
from dataclasses import dataclass, field, fields
from pathlib import Path

import torch
import yaml
from transformers import HfArgumentParser, TrainingArguments

from ..tokenization import Augmentation

LEFT_OUT_FIELDS = ("hub_token", "use_cpu", "resume_from_checkpoint")
"""Of a resolved recipe: a secret, a fact of the machine, and a fact of one launch."""


@dataclass
class ModelArguments:
    """The model and the tokens it reads."""

    model: str = field(
        default="gpt2",
        metadata={
            "help": "gpt2, llama, music_transformer, another model type of transformers, the import path of a model "
            "class, or a folder or Hub id with weights"
        },
    )
    hidden_size: int | None = field(default=None, metadata={"help": "width of the residual stream"})
    num_hidden_layers: int | None = field(default=None, metadata={"help": "layers"})
    num_attention_heads: int | None = field(default=None, metadata={"help": "attention heads of a layer"})
    intermediate_size: int | None = field(default=None, metadata={"help": "width inside the feed-forward part"})
    model_config: dict | str | None = field(
        default=None, metadata={"help": "JSON object: more arguments of the model's config"}
    )
    trust_remote_code: bool = field(default=False, metadata={"help": "run code that a Hub repository ships"})
    tokenization: str = field(
        default="REMI",
        metadata={
            "help": "REMI, TSD, Structured, the import path of a miditok tokenizer, or a folder or Hub id of one saved"
        },
    )
    tokenization_config: dict | str | None = field(
        default=None, metadata={"help": "JSON object: arguments of miditok.TokenizerConfig that replace the defaults"}
    )
    vocabulary_model: str = field(default="BPE", metadata={"help": "BPE, Unigram or WordPiece, if vocab_size is set"})
    vocab_size: int | None = field(
        default=None, metadata={"help": "ids to learn from the train split; the base tokens alone if not set"}
    )

    def __post_init__(self):
        self.model_config = _json_object(self.model_config, "model_config")
        self.tokenization_config = _json_object(self.tokenization_config, "tokenization_config")

    @property
    def sizes(self) -> dict:
        """Config arguments that were set, by name."""
        names = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None} | self.model_config


@dataclass
class DataArguments:
    """The corpus and how it becomes blocks of tokens."""

    corpus: str = field(
        default="bach+folk",
        metadata={
            "help": "bach, folk, maestro, lamd, a folder, archive, Parquet file or Hub dataset, or several joined by +"
        },
    )
    data_dir: str | None = field(default=None, metadata={"help": "where the corpus lies, if it is here already"})
    split_shares: list[float] | None = field(
        default=None, metadata={"help": "shares of train, validation and test, if the corpus has no official splits"}
    )
    max_pieces: int | None = field(default=None, metadata={"help": "read only so many pieces, for trials"})
    context_length: int = field(default=1024, metadata={"help": "length of a block, in tokens"})
    max_eval_blocks: int | None = field(
        default=None, metadata={"help": "evaluate on so many blocks, drawn once from the whole split"}
    )
    num_proc: int | None = field(default=None, metadata={"help": "processes that parse and tokenise"})
    augmentation_variants: int = field(default=0, metadata={"help": "changed copies of each training piece"})
    max_pitch_shift: int = field(default=5, metadata={"help": "largest transposition, in semitones"})
    max_velocity_shift: int = field(default=16, metadata={"help": "largest change of velocity, of 127"})
    max_tempo_change: float = field(default=0.1, metadata={"help": "largest relative change of speed"})

    def __post_init__(self):
        if self.context_length < 2:
            raise ValueError(f"context_length={self.context_length} tokens leaves nothing to predict.")

    @property
    def corpus_arguments(self) -> dict:
        """Arguments of [`load_corpus`]."""
        pieces = {} if self.max_pieces is None else {"max_pieces": self.max_pieces}
        return {
            "name_or_path": self.corpus,
            "data_dir": self.data_dir,
            "split_shares": self.split_shares,
            "num_proc": self.num_proc,
            **pieces,
        }

    def augmentation(self, seed: int) -> Augmentation:
        """The variants of the training pieces, drawn from `seed`."""
        return Augmentation(
            variants=self.augmentation_variants,
            max_pitch_shift=self.max_pitch_shift,
            max_velocity_shift=self.max_velocity_shift,
            max_tempo_change=self.max_tempo_change,
            seed=seed,
        )


@dataclass
class RunArguments(TrainingArguments):
    """[`~transformers.TrainingArguments`] with the defaults of this project, and `do_test`. `resume_from_checkpoint`
    is a folder, or `last` for the last checkpoint in `output_dir` ([`begin_run`] finds it)."""

    bf16: bool | None = field(
        default=None, metadata={"help": "train in bfloat16 autocast; where the machine computes in it if not set"}
    )
    eval_strategy: str = field(default="steps", metadata={"help": "no, steps or epoch"})
    report_to: list[str] = field(
        default_factory=lambda: ["none"], metadata={"help": "trackers: wandb, trackio, tensorboard, ..., all or none"}
    )
    logging_steps: float = field(default=50, metadata={"help": "optimizer steps between two logs"})
    save_total_limit: int | None = field(default=2, metadata={"help": "checkpoints kept"})
    include_num_input_tokens_seen: str = field(default="all", metadata={"help": "log tokens seen"})
    batch_eval_metrics: bool = field(default=True, metadata={"help": "sum metrics batch by batch, in flat memory"})
    remove_unused_columns: bool = field(default=False, metadata={"help": "blocks hold what is needed and no more"})
    do_test: bool = field(default=False, metadata={"help": "evaluate on the test split, once, after training"})
    eval_continuations_steps: int | None = field(
        default=None, metadata={"help": "optimizer steps between two tests of continuations; no tests if not set"}
    )
    eval_continuations: int = field(default=16, metadata={"help": "validation pieces continued in each of them"})
    eval_shown_continuations: int = field(
        default=4, metadata={"help": "so many of these are logged as pictures and sound"}
    )
    eval_prompt_length: int | None = field(
        default=None, metadata={"help": "tokens of each prompt; by default half of the context or of a usual piece"}
    )
    eval_continue_length: int | None = field(
        default=None, metadata={"help": "most tokens to add; by default half of the context or of a usual piece"}
    )
    eval_harmony_embedding: str | None = field(
        default=None, metadata={"help": "folder or Hub id; the one that comes with the package if not set"}
    )

    def __post_init__(self):
        least_values = {"eval_continuations_steps": 1, "eval_continuations": 1, "eval_shown_continuations": 0}
        least_values |= {"eval_prompt_length": 1, "eval_continue_length": 1}
        for name, least in least_values.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name}={value} must be at least {least}.")
        # Trackers go on with a run by its name when the Trainer evaluates after training.
        self.run_name = self.run_name or Path(self.output_dir or ".").resolve().name
        self.use_cpu = self.use_cpu or not torch.accelerator.is_available() or _launched_for_cpu()
        if self.bf16 is None:
            self.bf16 = not self.fp16 and has_fast_bfloat16(self.use_cpu)
        super().__post_init__()


def _launched_for_cpu() -> bool:
    # How `accelerate launch` hands on `use_cpu` of its config, which TrainingArguments does not read.
    return os.environ.get("ACCELERATE_USE_CPU", "false").lower() in ("1", "true", "yes")


def has_fast_bfloat16(use_cpu: bool = False) -> bool:
    """Whether the machine multiplies bfloat16 matrices in hardware."""
    if torch.cuda.is_available() and not use_cpu:
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def parse_recipe(arguments: list[str]) -> tuple[ModelArguments, DataArguments, RunArguments]:
    """
    Reads recipes and command-line options.

    Args:
        arguments (`list[str]`):
            Paths of YAML recipes, later ones overriding earlier ones, then `--key value` options that override them.
            YAML values are parsed as on the command line, so that `3e-4` is a number.

    Raises:
        `ValueError`: a recipe cannot be read or holds an unknown key, or an option is unknown.
    """
    paths = []
    while len(paths) < len(arguments) and not arguments[len(paths)].startswith("-"):
        paths.append(arguments[len(paths)])
    parser = HfArgumentParser(
        (ModelArguments, DataArguments, RunArguments),
        usage="train.py [RECIPE.yaml ...] [--key value ...]",
        allow_abbrev=False,
    )
    known = {action.dest for action in parser._actions}
    from_recipes = [option for path in paths for option in _recipe_options(Path(path), known)]
    *parsed, remaining = parser.parse_args_into_dataclasses(
        from_recipes + arguments[len(paths) :], return_remaining_strings=True
    )
    if remaining:
        raise ValueError(f"Unknown option {remaining[0]}{_suggestion(remaining[0].lstrip('-'), known)}")
    return tuple(parsed)


def resolved_recipe(model_args: ModelArguments, data_args: DataArguments, args: RunArguments) -> dict:
    """
    Every value of model and data, and every one of the training that is not a default: a recipe that gives the same
    run. Secrets and facts of the machine are left out.
    """
    recipe = {name: value for group in (model_args, data_args) for name, value in vars(group).items()}
    defaults = RunArguments(output_dir=args.output_dir)
    always = ("output_dir", "seed", "bf16")
    for item in fields(args):
        value = getattr(args, item.name)
        changed = item.init and value != getattr(defaults, item.name)
        if item.name in always or (changed and item.name not in LEFT_OUT_FIELDS):
            recipe[item.name] = value.value if hasattr(value, "value") else value
    return {key: value for key, value in recipe.items() if value not in (None, {}) and _is_plain(value)}


def _is_plain(value) -> bool:
    return isinstance(value, (str, int, float, bool, list, dict))


def _recipe_options(path: Path, known: set[str]) -> list[str]:
    try:
        recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"Cannot read the recipe {path}: {error.strerror}.") from error
    except yaml.YAMLError as error:
        raise ValueError(f"The recipe {path} is not valid YAML: {error}") from error
    if not isinstance(recipe, dict):
        raise ValueError(f"The recipe {path} must be a list of 'key: value' lines.")
    options = []
    for key, value in recipe.items():
        if key not in known:
            raise ValueError(f"Unknown key {key!r} in the recipe {path}{_suggestion(str(key), known)}")
        options += _as_options(key, value)
    return options


def _as_options(key: str, value) -> list[str]:
    if value is None:
        return []
    if isinstance(value, list):
        return [f"--{key}", *map(str, value)]
    return [f"--{key}", json.dumps(value) if isinstance(value, dict) else str(value)]


def _suggestion(key: str, known: set[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    return f": did you mean {near[0]!r}?" if near else "."


def _json_object(value: dict | str | None, name: str) -> dict:
    if value is None or isinstance(value, dict):
        return value or {}
    try:
        parsed = json.loads(value)
    except json.JSONDecodeError as error:
        raise ValueError(f"{name} must be a JSON object, got {value!r} ({error}).") from error
    if not isinstance(parsed, dict):
        raise ValueError(f"{name} must be a JSON object, got {value!r}.")
    return parsed
