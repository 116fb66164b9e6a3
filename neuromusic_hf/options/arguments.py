"""What a training run is told."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import TrainingArguments
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.trainer_utils import IntervalStrategy
from transformers.training_args import OptimizerNames

from ..bundles import find_bundle
from ..bundles.shared_recipe import shareable_recipe
from ..corpora.names import split_names
from ..corpora.splits import SPLIT_VERSIONS, check_shares
from ..hub import is_hub_id
from ..imports import is_import_path
from ..launch import asked_precision, asks_for, check_engine, check_fsdp, check_processes, launched_for_cpu
from ..models.fit import DEFAULT_INFILL_SHARE
from ..models.sampling import SAMPLING_RANGES
from ..tokenization import Augmentation
from ..tokenization.vocabulary_training import VOCABULARY_MODELS
from ..tracking.trackers import check_trackers, default_project, default_run_name
from .best_model import settle_best_model, settle_scheduler_mode
from .lora_arguments import LoraArguments
from .values import MUON, check_options, json_object
from .watching_arguments import WatchingArguments

DEFAULT_TOKENIZATION = "REMI"
"""Of a new model, and of weights that were saved without a processor."""


@dataclass
class ModelArguments(LoraArguments):
    """
    The model and the tokens it reads.

    `tokenization` is `None` where none was said and the model is saved somewhere: then the processor saved with it is
    taken, if there is one. A bundle is named by its folder afterwards, that of this package too.
    """

    model: str = field(
        default="gpt2",
        metadata={
            "help": "gpt2, llama, music_transformer, another model type of transformers, the import path of a model "
            "class, a folder or Hub id with weights, or default, which comes with the package"
        },
    )
    hidden_size: int | None = field(default=None, metadata={"help": "width of the residual stream"})
    num_hidden_layers: int | None = field(default=None, metadata={"help": "layers"})
    num_attention_heads: int | None = field(default=None, metadata={"help": "attention heads of a layer"})
    intermediate_size: int | None = field(default=None, metadata={"help": "width inside the feed-forward part"})
    model_config: dict | str | None = field(
        default=None, metadata={"help": "JSON object: more arguments of the model's config"}
    )
    temperature: float | None = field(
        default=None, metadata={"help": "of the sampling that the bundle says; 0 always takes the likeliest token"}
    )
    top_k: int | None = field(default=None, metadata={"help": "as temperature: the k likeliest tokens; 0 for all"})
    top_p: float | None = field(default=None, metadata={"help": "as temperature: the likeliest of this total share"})
    revision: str | None = field(
        default=None, metadata={"help": "branch, tag or commit of the model and of the tokenization on the Hub"}
    )
    trust_remote_code: bool = field(
        default=False, metadata={"help": "run code that a Hub repository ships or a recipe names"}
    )
    tokenization: str | None = field(
        default=None,
        metadata={
            "help": "REMI, TSD, Structured, the import path of a miditok tokenizer, or a folder or Hub id of one "
            "saved; if not set, the one saved with the model, or REMI"
        },
    )
    tokenization_config: dict | str | None = field(
        default=None, metadata={"help": "JSON object: arguments of miditok.TokenizerConfig that replace the defaults"}
    )
    vocabulary_model: str = field(
        default="BPE", metadata={"help": "what is learned, if vocab_size is set", "choices": VOCABULARY_MODELS}
    )
    vocab_size: int | None = field(
        default=None,
        metadata={
            "help": "learn a vocabulary of so many ids from the train split, base tokens and the four of infilling "
            "included; if not set, there are no others"
        },
    )

    def __post_init__(self):
        check_options(vars(self))
        self.check_peft()
        self.model = self.model if self.model in CONFIG_MAPPING else find_bundle(self.model)
        if self.tokenization is not None:
            self.tokenization = find_bundle(self.tokenization)
        elif not self.is_saved_model:
            self.tokenization = DEFAULT_TOKENIZATION
        if self.revision is not None and not (is_hub_id(self.model) or is_hub_id(self.tokenization or "")):
            raise ValueError(
                f"revision={self.revision} has no effect: neither the model {self.model} nor the tokenization "
                f"{self.tokenization} is of the Hub. Leave it out."
            )
        self.model_config = json_object(self.model_config, "model_config")
        self.tokenization_config = json_object(self.tokenization_config, "tokenization_config")

    @property
    def is_saved_model(self) -> bool:
        """Whether the model has weights, in a folder or on the Hub."""
        return self.model not in CONFIG_MAPPING and not is_import_path(self.model)

    @property
    def sizes(self) -> dict:
        """Config arguments that were set, by name."""
        names = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None} | self.model_config

    @property
    def sampling(self) -> dict:
        """How the bundle samples, as far as it was set: arguments of [`sampling_arguments`]."""
        return {name: getattr(self, name) for name in SAMPLING_RANGES}


@dataclass
class DataArguments:
    """
    The corpus and how it becomes blocks of tokens.

    `infill_share` is `None` where none was said, until [`settle_infill_share`] has settled it.
    """

    corpus: str = field(
        default="bach+folk",
        metadata={
            "help": "bach, folk, monteverdi, maestro, lamd, a folder, archive, Parquet file or Hub dataset, the "
            "import path of a MidiCorpusBuilder, or several joined by +"
        },
    )
    corpus_revision: str | None = field(
        default=None, metadata={"help": "branch, tag or commit of the corpora on the Hub"}
    )
    data_dir: str | None = field(default=None, metadata={"help": "where the corpus lies, if it is here already"})
    split_shares: list[float] | None = field(
        default=None, metadata={"help": "shares of train, validation and test, if the corpus has no official splits"}
    )
    split_version: str | None = field(
        default=None,
        metadata={
            "help": "how a corpus without official splits is split; the newest way if not set",
            "choices": SPLIT_VERSIONS,
        },
    )
    streaming: bool = field(
        default=False,
        metadata={
            "help": "read and tokenise the train split as it is trained on, and keep it nowhere; with max_steps"
        },
    )
    shuffle_buffer: int = field(
        default=1024,
        metadata={"help": "with streaming: pieces that a process, or a worker of it, reads and mixes"},
    )
    max_pieces: int | None = field(default=None, metadata={"help": "read only so many pieces, for trials"})
    context_length: int = field(default=1024, metadata={"help": "length of a block, in tokens"})
    intra_document_masking: bool = field(
        default=False, metadata={"help": "pieces that share a block do not see each other; each has positions from 0"}
    )
    max_eval_blocks: int | None = field(
        default=None, metadata={"help": "evaluate on so many blocks, drawn once from the whole split"}
    )
    num_proc: int | None = field(default=None, metadata={"help": "processes that parse and tokenise"})
    augmentation_variants: int = field(default=0, metadata={"help": "changed copies of each training piece"})
    max_pitch_shift: int = field(default=5, metadata={"help": "largest transposition, in semitones"})
    max_velocity_shift: int = field(default=16, metadata={"help": "largest change of velocity, of 127"})
    max_tempo_change: float = field(default=0.1, metadata={"help": "largest relative change of speed"})
    infill_share: float | None = field(
        default=None,
        metadata={
            "help": "share of the training tokens that teach to fill in the middle of a piece; if not set, "
            f"{DEFAULT_INFILL_SHARE} of a new model, and of weights what they were trained with"
        },
    )

    def __post_init__(self):
        check_options(vars(self))
        self.data_dir = at_home(self.data_dir)
        if self.corpus_revision is not None and not any(map(is_hub_id, split_names(self.corpus))):
            raise ValueError(
                f"corpus_revision={self.corpus_revision} has no effect: no corpus of {self.corpus} is of the Hub. "
                "Leave it out."
            )
        if self.split_shares is not None:
            check_shares(self.split_shares)

    @property
    def corpus_arguments(self) -> dict:
        """Arguments of [`load_corpus`]."""
        pieces = {} if self.max_pieces is None else {"max_pieces": self.max_pieces}
        return {
            "name_or_path": self.corpus,
            "data_dir": self.data_dir,
            "revision": self.corpus_revision,
            "split_shares": self.split_shares,
            "split_version": self.split_version,
            "num_proc": self.num_proc,
            "streaming": self.streaming,
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
class RunArguments(WatchingArguments, TrainingArguments):
    """
    [`~transformers.TrainingArguments`] with the defaults of this project, a test split, and what is watched meanwhile.

    `resume_from_checkpoint` is a folder, or `last` for the last checkpoint in `output_dir` ([`begin_run`] finds it).
    """

    bf16: bool | None = field(
        default=None,
        metadata={
            "help": "train in bfloat16 autocast; where the machine computes in it if not set",
            "nargs": "?",
            "const": True,
        },
    )
    fp16: bool | None = field(
        default=None, metadata={"help": "train in float16 autocast", "nargs": "?", "const": True}
    )
    optim: str = field(
        default=TrainingArguments.optim,
        metadata={"help": "optimizer", "choices": [*(name.value for name in OptimizerNames), MUON]},
    )
    eval_strategy: str = field(
        default="steps",
        metadata={"help": "when to evaluate", "choices": [strategy.value for strategy in IntervalStrategy]},
    )
    report_to: list[str] = field(
        default_factory=lambda: ["none"], metadata={"help": "trackers: wandb, trackio, tensorboard, ..., all or none"}
    )
    project: str | None = field(
        default=None, metadata={"help": "Trackio's project; TRACKIO_PROJECT, or huggingface, if not set"}
    )
    run_group: str | None = field(
        default=None, metadata={"help": "group of the run in W&B and Trackio; the corpus if not set"}
    )
    logging_steps: float = field(default=50, metadata={"help": "optimizer steps between two logs"})
    save_total_limit: int | None = field(default=2, metadata={"help": "checkpoints kept"})
    include_num_input_tokens_seen: str = field(default="all", metadata={"help": "log tokens seen"})
    batch_eval_metrics: bool = field(default=True, metadata={"help": "sum metrics batch by batch, in flat memory"})
    remove_unused_columns: bool = field(default=False, metadata={"help": "blocks hold what is needed and no more"})
    do_test: bool = field(default=False, metadata={"help": "evaluate on the test split, once, after training"})
    clean_test: bool = field(
        default=False, metadata={"help": "with do_test: also on the test pieces that have no twin in train"}
    )

    def __post_init__(self):
        check_options(vars(self))
        self.output_dir, self.eval_harmony_embedding = at_home(self.output_dir), at_home(self.eval_harmony_embedding)
        self.resume_from_checkpoint = at_home(self.resume_from_checkpoint)
        trackers = [self.report_to] if isinstance(self.report_to, str) else self.report_to or []
        check_trackers(trackers)
        self.run_name = self.run_name or default_run_name(self.output_dir, trackers)
        self.project = self.project or default_project()
        if self.trackio_static_space_id is None:
            self.trackio_static_space_id = False  # transformers would make a public Space wherever a model is pushed
        self.fsdp = None if str(self.fsdp).lower() == "false" else self.fsdp
        wants_cpu = self.use_cpu or launched_for_cpu()
        self.use_cpu = wants_cpu or not torch.accelerator.is_available()
        check_engine(bool(self.fsdp), bool(self.deepspeed))
        check_processes(wants_cpu)
        self._settle_precision()
        settle_best_model(self)
        self._settle_optimizer(super().__post_init__)
        if asks_for("FSDP", self.fsdp):
            check_fsdp(self.fsdp_plugin_args, self.use_cpu)
        settle_scheduler_mode(self)

    def to_dict(self) -> dict:
        """
        What trackers are told of a run: its arguments, as far as others may see them, and what makes it the one it is.

        Nothing of it is of this machine or of an account. `told` holds the latter, from [`MusicTrainer`].
        """
        arguments = {name: value for name, value in super().to_dict().items() if not name.startswith("hub_")}
        arguments |= {"resume_from_checkpoint": None}
        return shareable_recipe(arguments) | getattr(self, "told", {})

    def __getstate__(self) -> dict:
        """What a pickle holds: no token. transformers writes one of these arguments beside each model it saves."""
        return vars(self) | {"hub_token": None}

    def _settle_optimizer(self, check_others: Callable[[], None]):
        """transformers, which checks all options, knows no Muon."""
        asked = self.optim
        if asked == MUON and asks_for("DeepSpeed", self.deepspeed):
            raise ValueError(
                "optim=muon cannot be with DeepSpeed, which shows an optimizer stretches of weights and no matrices: "
                "take accelerate_configs/fsdp2.yaml or multi_gpu.yaml, or another optim."
            )
        self.optim = OptimizerNames.ADAMW_TORCH if asked == MUON else asked
        check_others()
        self.optim = MUON if asked == MUON else self.optim

    def _settle_precision(self):
        precision = asked_precision()
        if precision not in ("no", "bf16", "fp16"):
            raise ValueError(
                f"A run does not train in mixed_precision: {precision} of the accelerate config: set it to 'no', and "
                "say bf16 in the recipe."
            )
        for name in ("bf16", "fp16") if precision != "no" else ():
            said = getattr(self, name)
            if said not in (None, precision == name):
                raise ValueError(
                    f"{name}={said} and mixed_precision: {precision} of the accelerate config rule each other out: "
                    "set the latter to 'no', as precision belongs to the recipe."
                )
            setattr(self, name, precision == name)
        if self.fp16 is None:
            self.fp16 = False
        if self.fp16 and self.use_cpu:
            raise ValueError(
                "fp16=True needs a GPU: on a CPU accelerate would compute in float32 all the same. Take bf16, or "
                "leave it out."
            )
        if self.bf16 is None:
            self.bf16 = not self.fp16 and has_fast_bfloat16(self.use_cpu)


GROUPS = (ModelArguments, DataArguments, RunArguments)


def at_home(place: Any) -> Any:
    """A path whose `~` is the user's own folder; anything else as it is."""
    return os.path.expanduser(place) if isinstance(place, str) else place


def has_fast_bfloat16(use_cpu: bool = False) -> bool:
    """Whether the machine multiplies bfloat16 matrices in hardware."""
    if torch.cuda.is_available() and not use_cpu:
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
