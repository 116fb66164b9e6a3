"""Builds a causal language model for the vocabulary of a processor."""

import os

import torch
from huggingface_hub.errors import StrictDataclassError
from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig, PreTrainedConfig, PreTrainedModel
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from ..default_bundle import place_of
from ..hub import NotOnHubError, PullError, telling_faults
from ..hub.pull import given
from ..imports import import_class, is_import_path
from ..tokenization import MidiProcessor
from .adapters import Adapter, AutoMusicModel
from .checked import check_numbers, load_config
from .fit import check_vocabulary, check_vocabulary_size, lacks_infill_tokens, longest_context
from .growth import add_infill_embeddings
from .origin import remember_processor
from .sampling import write_sampling

GPT2_DEFAULTS = {"activation_function": "gelu_pytorch_tanh", "attn_pdrop": 0.0}
"""Same functions and expressiveness as transformers' defaults, several times faster: `gelu_new` is the same tanh
approximation in five kernels, and dropout on attention weights rules out fused attention."""

GPT2_NAMES = {"intermediate_size": "n_inner"}
"""Names used across models here that GPT2Config does not translate itself."""

WEIGHT_SIZES = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
"""Sizes that saved weights have, by their common names."""


def build_model(
    name: str,
    processor: MidiProcessor,
    *,
    context_length: int | None = None,
    sampling: dict | None = None,
    revision: str | None = None,
    token: str | bool | None = None,
    trust_remote_code: bool = False,
    **sizes,
) -> PreTrainedModel:
    """
    Creates a randomly initialised model for `processor`, or loads a pretrained one.

    Args:
        name (`str`):
            `"gpt2"`, `"llama"`, `"music_transformer"` or another model type (a new model); the import path of a
            `PreTrainedModel` class (`"my_package.my_module.MyForCausalLM"`, a new model); or a folder or Hub id with
            weights (`"user/model"`, `"runs/quickstart/bundle"`, `"default"`, which comes with this package; they are
            loaded, and `sizes` override their config).
            A LoRA adapter is merged into the base that it names: what is trained and saved is a whole model.
        processor ([`MidiProcessor`]):
            Gives the vocabulary size and the ids of PAD, BOS and EOS. Weights that have all of its ids but the last
            four, those of infilling, get embeddings for these.
        context_length (`int`, *optional*):
            Tokens a new model can read (`max_position_embeddings`), or a loaded one must be able to.
        sampling (`dict`, *optional*):
            `temperature` (0 always takes the likeliest token), `top_k` and `top_p` that `generate()` and pipelines use
            where a call says nothing. By default a loaded model keeps its own; what it does not say, as all of a new
            model, is sampled from its own distribution over all tokens.
        revision (`str`, *optional*):
            Branch, tag or commit of a Hub id; main if not given.
        token (`str` or `bool`, *optional*):
            For the Hub; that of `HF_TOKEN` or `hf auth login` if not given.
        trust_remote_code (`bool`, *optional*, defaults to `False`):
            Run code that a Hub repository ships.
        sizes:
            Arguments of the model's config, by their common names: `hidden_size`, `num_hidden_layers`,
            `num_attention_heads`, `intermediate_size`, or any of its own.

    Returns:
        [`~transformers.PreTrainedModel`] with the special tokens set in `config` and `generation_config`, and how it
        samples in the latter.

    Raises:
        `ValueError`: there is no such model, the config has no such argument, or loaded weights have another
            vocabulary or too short a context, or belong to an adapter that cannot be merged into its base; or a value
            of `sampling` is out of range.
        [`PullError`]: weights of a Hub id cannot be pulled.
        `ImportError`: they are an adapter's, and peft is not installed.
    """
    name = str(place_of(os.path.expanduser(name)))
    check_numbers(sizes, f"The sizes of {name}")
    new_sizes = sizes if context_length is None else {"max_position_embeddings": context_length, **sizes}
    if name in CONFIG_MAPPING:
        config = AutoConfig.for_model(name, **_config_arguments(name, processor, new_sizes))
        _check_known(CONFIG_MAPPING[name], sizes)
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=trust_remote_code)
    elif (model_class := _imported_class(name)) is not None:
        _check_known(model_class.config_class, sizes)
        model_type = model_class.config_class.model_type
        model = model_class(model_class.config_class(**_config_arguments(model_type, processor, new_sizes)))
    else:
        where = {"revision": revision, "token": token, "trust_remote_code": trust_remote_code}
        model = _load_pretrained(name, processor, context_length or 0, sizes, where)
    if getattr(model, "generation_config", None) is None:
        model.generation_config = GenerationConfig.from_model_config(model.config)
    model.generation_config.update(**_special_token_ids(processor))
    write_sampling(model.generation_config, **(sampling or {}))
    remember_processor(model, processor)
    return model


def check_model(
    name: str,
    processor: MidiProcessor,
    *,
    context_length: int | None = None,
    revision: str | None = None,
    token: str | bool | None = None,
    trust_remote_code: bool = False,
    **sizes,
):
    """
    Refuses what [`build_model`] would refuse: a model of impossible sizes, saved weights that do not fit.

    No weights are made or loaded.

    Args:
        name (`str`): as for [`build_model`].
        processor ([`MidiProcessor`]): as for [`build_model`].
        context_length (`int`, *optional*): as for [`build_model`].
        revision (`str`, *optional*): as for [`build_model`].
        token (`str` or `bool`, *optional*): as for [`build_model`].
        trust_remote_code (`bool`, *optional*, defaults to `False`): as for [`build_model`].
        sizes: as for [`build_model`].

    Raises:
        `ValueError`: there is no such model, its sizes make none, or the saved weights have another vocabulary or too
            short a context.
        [`PullError`]: the config of a Hub id cannot be pulled.
    """
    name = str(place_of(os.path.expanduser(name)))
    check_numbers(sizes, f"The sizes of {name}")
    if name in CONFIG_MAPPING or _imported_class(name) is not None:
        try:
            with torch.device("meta"):
                build_model(name, processor, context_length=context_length, **sizes)
        except (TypeError, KeyError, ArithmeticError, RuntimeError, StrictDataclassError) as error:
            raise ValueError(f"No {name} can be made with {sizes}: {error}") from error
    else:
        where = {"revision": revision, "token": token, "trust_remote_code": trust_remote_code}
        _pretrained_config(name, processor, context_length or 0, sizes, where)


def saved_config(
    name: str, *, revision: str | None = None, token: str | bool | None = None, trust_remote_code: bool = False
) -> PreTrainedConfig:
    """
    The config of weights that exist; of an adapter, that of its base.

    Args:
        name (`str`): folder or Hub id.
        revision (`str`, *optional*): as for [`build_model`].
        token (`str` or `bool`, *optional*): as for [`build_model`].
        trust_remote_code (`bool`, *optional*, defaults to `False`): as for [`build_model`].

    Raises:
        `ValueError`: there is no such model, or its config is damaged.
        [`PullError`]: it cannot be pulled.
    """
    where = {"revision": revision, "token": token, "trust_remote_code": trust_remote_code}
    return _find_config(str(place_of(os.path.expanduser(name))), where)[1]


def _config_arguments(model_type: str, processor: MidiProcessor, sizes: dict) -> dict:
    arguments = {"vocab_size": processor.vocab_size, **_special_token_ids(processor)}
    if model_type == "gpt2":
        arguments |= GPT2_DEFAULTS
    return arguments | _own_names(model_type, sizes)


def _own_names(model_type: str, sizes: dict) -> dict:
    names = GPT2_NAMES if model_type == "gpt2" else {}
    return {names.get(key, key): value for key, value in sizes.items()}


def _special_token_ids(processor: MidiProcessor) -> dict[str, int]:
    return {f"{role}_token_id": getattr(processor.tokenizer, f"{role}_token_id") for role in ("pad", "bos", "eos")}


def _check_known(config_class, sizes: dict):
    config = config_class()
    names = set(GPT2_NAMES) if config.model_type == "gpt2" else set()
    unknown = [key for key in sizes if key not in names and not hasattr(config, key)]
    if unknown:
        raise ValueError(f"{config_class.__name__} has no {', '.join(unknown)}; it has {', '.join(config.to_dict())}.")


def _imported_class(name: str) -> type[PreTrainedModel] | None:
    """The class, where the name is an import path, and not a model type, a file, a folder or a repository."""
    return import_class(name, PreTrainedModel, "model") if is_import_path(name) else None


def _load_pretrained(
    name: str, processor: MidiProcessor, context_length: int, sizes: dict, where: dict
) -> PreTrainedModel:
    adapter, config = _pretrained_config(name, processor, context_length, sizes, where)
    source, of_source = _source(name, adapter, where)
    sizes = _own_names(config.model_type, sizes)
    try:
        model = AutoMusicModel.from_pretrained(source, **of_source, **sizes)
    except OSError as error:
        raise (adapter.explain(error) if adapter else _no_model(name, error)) from error
    if adapter:
        model = adapter.merge_into(model)
    if lacks_infill_tokens(config.get_text_config().vocab_size, processor):
        add_infill_embeddings(model, processor)
    check_vocabulary(model, processor)
    for key, value in _special_token_ids(processor).items():
        setattr(model.config, key, value)
    return model


def _pretrained_config(
    name: str, processor: MidiProcessor, context_length: int, sizes: dict, where: dict
) -> tuple[Adapter | None, PreTrainedConfig]:
    """What [`_find_config`] finds, after all that tells whether the weights fit."""
    adapter, config = _find_config(name, where)
    name = f"{name} on its base {adapter.base}" if adapter else name
    _check_known(type(config), sizes)
    if changed := _changed_sizes(config, sizes):
        raise ValueError(f"{name!r} has weights of other sizes than {changed}: leave these out, or train a new model.")
    size = config.get_text_config().vocab_size
    if not lacks_infill_tokens(size, processor):
        check_vocabulary_size(name, size, processor.vocab_size)
    longest = longest_context(config)
    if longest is not None and longest < context_length:
        raise ValueError(f"{name!r} reads {longest} tokens at most: set context_length to {longest} or less.")
    return adapter, config


def _find_config(name: str, where: dict) -> tuple[Adapter | None, PreTrainedConfig]:
    """The adapter of that name, if it is one, and the config of its weights."""
    adapter = None
    try:
        adapter = Adapter.find(name, where["revision"], token=where["token"])
        source, of_source = _source(name, adapter, where)
        with telling_faults(source, **of_source):
            config = load_config(source, **given(of_source))
        if adapter:
            adapter.restore_config(config)
        return adapter, config
    except (OSError, ValueError) as error:
        if adapter is None and isinstance(error, ValueError):
            raise
        raise (adapter.explain(error) if adapter else _no_model(name, error)) from error


def _source(name: str, adapter: Adapter | None, where: dict) -> tuple[str, dict]:
    """Where the whole weights are, and arguments of `from_pretrained` for them."""
    if adapter is None:
        return name, where
    return adapter.base, adapter.of_base(where["trust_remote_code"])


def _changed_sizes(config: PreTrainedConfig, sizes: dict) -> dict:
    own = {config.attribute_map.get(name, name) for name in _own_names(config.model_type, dict.fromkeys(WEIGHT_SIZES))}
    asked = _own_names(config.model_type, sizes)
    asked = {config.attribute_map.get(key, key): value for key, value in asked.items()}
    return {key: value for key, value in asked.items() if key in own and getattr(config, key) not in (None, value)}


def _no_model(name: str, error: OSError) -> Exception:
    if isinstance(error, PullError) and not isinstance(error, NotOnHubError):
        return error
    return ValueError(
        f"No model {name!r}: give gpt2, llama, music_transformer or another model type, the import path of a model "
        f"class, or a folder or Hub id with weights ({error})."
    )
