"""What a stranger's model may ask for: configs and headers of weights, looked at before anything is built of them."""

import contextlib
import copy
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from transformers import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    AutoConfig,
    AutoModelForCausalLM,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.utils import (
    ADAPTER_CONFIG_NAME,
    CONFIG_NAME,
    GENERATION_CONFIG_NAME,
    SAFE_WEIGHTS_INDEX_NAME,
    SAFE_WEIGHTS_NAME,
    logging,
)

from ..hub import find_file
from ..hub.bounds import MOST_BYTES_OF_VOCABULARIES, read_object, read_shapes, shown
from ..hub.pull import OF_FILES, given
from ..ranges import Range
from .checked_generation import check_generation, vocabulary_of
from .taught import check_taught

COUNTS = re.compile(r".*(layer|head|expert|block|stage|group|label)s?", re.IGNORECASE)
"""Names of numbers in a config of which each is at least an object in memory."""

MOST_PARTS = Range(-1, most=16_384)
SIZES = Range(-(2**40), most=2**40)
LABELS = Range(most=16_384)
BUFFERS = Range(most=2**28)
"""Numbers that a model computes when it is made, and that no file holds."""

SPARE = 2**20
"""Weights that a model makes itself, beside those in a file."""

MOST_TOLD = 600
"""Characters of what another library says."""

HUB_ID = re.compile(r"\w[\w.\-]*(/\w[\w.\-]*)?")
IMPORTED_BY_PEFT = ("megatron_core", "megatron_config")
LONGEST_PATTERN = 1000
MOST_REPEATS = 4
REPEATS = re.compile(r"[*+?]|\{")
SLOW_PATTERN = re.compile(r"\)[*+{]|\\\d")
"""A repeated group, or a group that is looked for again."""

KINDS_OF_ATTENTION = ("attn_implementation", "_attn_implementation", "experts_implementation")


def check_configs(name: str | Path, **hub_arguments: Any) -> Path | None:
    """
    Checks how a model of a folder or Hub repository is made, and how it samples.

    Args:
        name (`str` or `Path`): folder or Hub id.
        hub_arguments: of [`find_file`].

    Returns:
        `Path`: of `config.json`; `None` where there is none.

    Raises:
        `ValueError`: a file is damaged or too large, a number of it is out of its range, or it names what it may not;
            or there is an adapter, whose base transformers would load in place of the model.
        [`PullError`]: a file cannot be pulled.
    """
    if find_file(name, ADAPTER_CONFIG_NAME, **hub_arguments) is not None:
        raise ValueError(f"{str(name)!r} is an adapter itself: give a whole model, into which it is merged.")
    config, generation = (find_file(name, file, **hub_arguments) for file in (CONFIG_NAME, GENERATION_CONFIG_NAME))
    if config is not None:
        _check_config(read_object(config), config, str(name))
    if generation is not None:
        check_generation(read_object(generation), generation, vocabulary_of(config))
    return config


def read_weights(name: str | Path, **hub_arguments: Any) -> dict[str, tuple[int, ...]]:
    """
    The shapes of a model's weights, of all its files.

    Raises:
        `ValueError`: there are none as safetensors, a file is damaged, or the index names one of another place.
        [`PullError`]: a file cannot be pulled.
    """
    if (whole := find_file(name, SAFE_WEIGHTS_NAME, **hub_arguments)) is not None:
        return read_shapes(whole)
    if (index := find_file(name, SAFE_WEIGHTS_INDEX_NAME, **hub_arguments)) is None:
        raise ValueError(f"{str(name)!r} has no {SAFE_WEIGHTS_NAME}: save it with save_pretrained. No pickle is read.")
    shards = read_object(index, MOST_BYTES_OF_VOCABULARIES).get("weight_map")
    if not (isinstance(shards, dict) and shards):
        raise ValueError(f"{index} names no file of weights: {shown(shards)}.")
    shapes = {}
    for shard in sorted(set(map(str, shards.values()))):
        if re.fullmatch(r"[\w.\-]+\.safetensors", shard) is None:
            raise ValueError(f"{index} names {shown(shard)}, which is no safetensors file beside it.")
        if (path := find_file(name, shard, **hub_arguments)) is None:
            raise ValueError(f"{index} names {shard}, which is not there: get it again.")
        shapes |= read_shapes(path)
    return shapes


def check_sizes(config: PreTrainedConfig, shapes: dict[str, tuple[int, ...]], path: Path):
    """
    Checks that the weights there are make up the model that a config asks for, before memory is taken for it.

    Args:
        config ([`~transformers.PreTrainedConfig`]): of a causal language model; others are let be.
        shapes (`dict`): of the weights, by name.
        path (`Path`): of the config, for errors.

    Raises:
        `ValueError`: it asks for more, or for a model that cannot be built.
    """
    if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        return
    if (layers := getattr(config.get_text_config(), "num_hidden_layers", 0)) > len(shapes):
        raise ValueError(f"{path} asks for the weights of {layers:,} layers, and the files hold {len(shapes)} in all.")
    try:
        with torch.device("meta"), _quiet():
            model = AutoModelForCausalLM.from_config(config)
    except Exception as error:  # whatever a model's code makes of numbers that it does not expect
        raise ValueError(f"{path} describes no model that can be built: {shown(error)}.") from error
    asked = sum(weight.numel() for weight in model.parameters())
    there = sum(math.prod(shape) for shape in shapes.values())
    for key, weight in model.state_dict().items():
        if math.prod(shapes.get(key, weight.shape)) != weight.numel():
            raise ValueError(
                f"{path} asks for {key} of {tuple(weight.shape)}, and the weights there are {shapes[key]}."
            )
    if asked > there + SPARE:
        raise ValueError(
            f"{path} asks for {asked:,} weights, and the files hold {there:,}: they do not fit each other."
        )
    if (computed := sum(buffer.numel() for buffer in model.buffers())) not in BUFFERS:
        raise ValueError(f"{path} asks for tables of {computed:,} numbers; {BUFFERS.most:,} at most.")


def load_checked(name: str, **kwargs: Any) -> PreTrainedModel:
    """
    As `AutoModelForCausalLM.from_pretrained`, after all that can be known before, and without pickles.

    Args:
        name (`str`): folder or Hub id.
        kwargs: of `AutoModelForCausalLM.from_pretrained`.

    Raises:
        `ValueError`: as of [`check_configs`], [`read_weights`] and [`check_sizes`]; or weights are missing, or left.
        [`PullError`]: a file cannot be pulled.
    """
    where = given(kwargs, OF_FILES)
    kwargs |= {"trust_remote_code": bool(kwargs.get("trust_remote_code")), "use_safetensors": True}
    path, shapes = check_configs(name, **where), read_weights(name, **where)
    if path is not None:
        config = kwargs.get("config") or load_config(name, trust_remote_code=kwargs["trust_remote_code"], **where)
        check_sizes(copy.deepcopy(config), shapes, path)
    try:
        model, info = AutoModelForCausalLM.from_pretrained(name, **kwargs | {"output_loading_info": True})
    except (AttributeError, KeyError, TypeError) as error:  # of values that transformers does not expect
        raise ValueError(f"{name!r} cannot be loaded: {shown(error)}. Save the model again.") from error
    check_keys(info, name)
    return model


def load_config(name: str, *, trust_remote_code: bool = False, **hub_arguments: Any) -> PreTrainedConfig:
    """
    As `AutoConfig.from_pretrained`, after [`check_configs`].

    Raises:
        `ValueError`: it is refused, or transformers can make nothing of it.
        `OSError`: there is none.
    """
    path = check_configs(name, **hub_arguments)
    try:
        return AutoConfig.from_pretrained(name, trust_remote_code=trust_remote_code, **hub_arguments)
    except OSError:
        raise
    except Exception as error:  # whatever a config's code makes of values that it does not expect
        raise ValueError(f"{path} is no config of a model: {str(error)[:MOST_TOLD]}") from error


def check_adapter_config(config: dict, path: Path, from_hub: bool):
    """
    Checks how an adapter is made, before peft reads it.

    Args:
        config (`dict`): of `adapter_config.json`.
        path (`Path`): of that file.
        from_hub (`bool`): whether it was pulled.

    Raises:
        `ValueError`: a number is out of its range, it names what it may not, or a pattern of it may take for ever.
    """
    base = config.get("base_model_name_or_path")
    if not isinstance(base, str):
        raise ValueError(f"{path} names no base model: write its folder or Hub id as base_model_name_or_path.")
    if from_hub and (HUB_ID.fullmatch(base) is None or Path(base).exists()):
        raise ValueError(f"{path} was pulled, and names a base on this machine ({shown(base)}): a Hub id is needed.")
    for key, value in _numbers(config):
        if value not in MOST_PARTS:
            raise ValueError(f"{path}: {shown(key)}={shown(value)} must be {MOST_PARTS}.")
    for rank in (config.get("r"), *_values(config, "rank_pattern", path)):
        if rank is not None and type(rank) is not int:
            raise ValueError(f"{path}: a rank is {shown(rank)}, and no whole number.")
    if config.get("layer_replication"):
        raise ValueError(f"{path}: layer_replication builds a larger model than its base, which is not done.")
    if config.get("adapters"):
        raise ValueError(f"{path}: adapters={shown(config['adapters'])} lie elsewhere, and are not read.")
    for key in IMPORTED_BY_PEFT:
        if config.get(key) not in (None, "megatron.core"):
            raise ValueError(f"{path}: {key}={shown(config[key])} is code to be imported, which is not done.")
    patterns = [config.get(name) for name in ("target_modules", "exclude_modules", "layers_pattern")]
    _values(config, "alpha_pattern", path)
    patterns += [name for key in ("rank_pattern", "alpha_pattern") for name in config.get(key) or ()]
    for pattern in patterns:
        if isinstance(pattern, str) and _may_be_slow(pattern):
            raise ValueError(f"{path}: the pattern {shown(pattern)} may take for ever: list the modules' names.")


def _values(config: dict, key: str, path: Path) -> list:
    found = config.get(key) or {}
    if not isinstance(found, dict):
        raise ValueError(f"{path}: {key}={shown(found)} must be an object of numbers by pattern.")
    return list(found.values())


def _may_be_slow(pattern: str) -> bool:
    many = len(REPEATS.findall(pattern)) > MOST_REPEATS
    return many or len(pattern) > LONGEST_PATTERN or SLOW_PATTERN.search(pattern) is not None


def check_adapter_weights(shapes: dict[str, tuple[int, ...]], config: dict, path: Path):
    """
    Checks that an adapter's rank is one of its weights.

    Raises:
        `ValueError`: it is larger than all of them.
    """
    largest = max((size for shape in shapes.values() for size in shape), default=0)
    for rank in [config.get("r"), *(config.get("rank_pattern") or {}).values()]:
        if rank is not None and rank > largest:
            raise ValueError(f"{path} says a rank of {rank}, and its weights have none above {largest}.")


def check_keys(info: dict[str, Any], name: str):
    """
    Checks that all weights of a model came from its files, and all in the files went into it.

    Args:
        info (`dict`): what `from_pretrained(..., output_loading_info=True)` gives.
        name (`str`): folder or Hub id.

    Raises:
        `ValueError`: some did not.
    """
    for kind, text in (("missing_keys", "lack"), ("unexpected_keys", "hold more than its config describes:")):
        if keys := sorted(map(str, info[kind])):
            more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
            raise ValueError(
                f"The weights of {name!r} {text} {', '.join(keys[:3])}{more}: they are another model's, or damaged. "
                "Save the model again with save_pretrained."
            )


def check_numbers(config: dict, source: str | Path):
    """
    Checks that no number of a config asks for more parts than any model has.

    Args:
        config (`dict`): whole, or some of it.
        source (`str` or `Path`): what errors call it.

    Raises:
        `ValueError`: one does.
    """
    for key, value in _numbers(config):
        numbers = MOST_PARTS if COUNTS.fullmatch(key) else SIZES
        if value not in numbers:
            raise ValueError(f"{source}: {shown(key)}={shown(value)} must be {numbers}.")


def _check_config(config: dict, path: Path, name: str):
    check_numbers(config, path)
    for key in config:
        if callable(getattr(PreTrainedConfig, key, None)):
            raise ValueError(f"{path}: {shown(key)} is no setting of a model.")
    for part in _objects(config):
        for key in KINDS_OF_ATTENTION:
            if "/" in str(part.get(key)):
                raise ValueError(f"{path}: {key}={shown(part[key])} is code of another repository, which is not run.")
        if part.get("quantization_config"):
            raise ValueError(f"{path}: quantised weights (quantization_config) are not read: save the model without.")
        if (labels := part.get("id2label")) is not None and not (isinstance(labels, dict) and len(labels) in LABELS):
            raise ValueError(f"{path}: id2label={shown(labels)} must be names by number, {LABELS.most:,} at most.")
    check_taught(config, path)
    if "transformers_weights" in config:
        raise ValueError(f"{path} may not choose transformers_weights={shown(config['transformers_weights'])}.")
    for reference in _texts(config.get("auto_map")):
        repository, dashes, _ = reference.rpartition("--")
        if dashes and repository != name:
            raise ValueError(
                f"{path} takes its code from another repository ({shown(repository)}), which you did not name: copy "
                "that code into this one, if you trust it."
            )


def _numbers(value: Any, key: str = "") -> Iterator[tuple[str, int | float]]:
    """All whole numbers of a config, however deep, with the name they stand under."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _numbers(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from _numbers(item, key)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield key, value


def _objects(value: Any) -> Iterator[dict]:
    """A config and all objects in it."""
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _objects(item)


def _texts(value: Any) -> Iterator[str]:
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]:
        if isinstance(item, (dict, list)):
            yield from _texts(item)
        elif item is not None:
            yield str(item)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """What is built to be counted alone has nothing to say."""
    level = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
