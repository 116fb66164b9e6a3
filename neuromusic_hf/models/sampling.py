"""How a bundle samples: its `generation_config` says it, and here stands what a new one says."""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..ranges import Range, check_ranges

if TYPE_CHECKING:
    from transformers import GenerationConfig, PreTrainedModel

SAMPLING = {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0}
"""From the model's own distribution over all tokens; to transformers, `top_k=0` is all of them."""

SAMPLING_RANGES = {
    "temperature": Range(),
    "top_k": Range(0, "tokens"),
    "top_p": Range(0, "total share of the likeliest tokens", most=1, open=True),
}

_CHOOSES_NOTHING = re.compile(r"_|max_|output_|return_|use_cache|cache_|transformers_version|.*_token_id")
"""Names of what a generation config says beside how tokens are chosen."""


def sampling_arguments(temperature: float | None = None, top_k: int | None = None, top_p: float | None = None) -> dict:
    """
    What of `generate()`'s arguments a wish for sampling gives, and no more than was wished for.

    Args:
        temperature (`float`, *optional*): of the distribution; 0 always takes the likeliest token.
        top_k (`int`, *optional*): sample among so many of the likeliest tokens; 0 for all.
        top_p (`float`, *optional*): sample among the likeliest tokens of this total share.

    Returns:
        `dict`: what was given, with `do_sample`; empty where nothing was.

    Raises:
        `ValueError`: a value is out of range, or would do nothing.
    """
    wished = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
    given = {name: value for name, value in wished.items() if value is not None}
    check_ranges(given, SAMPLING_RANGES)
    if given.get("temperature") != 0:
        return {"do_sample": True, **given} if given else {}
    if void := [f"{name}={value}" for name, value in given.items() if name != "temperature"]:
        raise ValueError(f"temperature=0 always takes the likeliest token, so that {' and '.join(void)} does nothing.")
    return {"do_sample": False}


def unsaid_sampling(config: GenerationConfig) -> dict:
    """What of [`SAMPLING`] holds because a generation config does not say it; nothing where it does not sample."""
    if config.do_sample is False:
        return {}
    return {name: value for name, value in SAMPLING.items() if getattr(config, name) is None}


def write_sampling(config: GenerationConfig, **wished):
    """
    Makes a generation config say how its model samples: as wished, else as it says already, else as [`SAMPLING`] does.

    Args:
        config ([`~transformers.GenerationConfig`]): changed in place.
        wished: as of [`sampling_arguments`].

    Raises:
        `ValueError`: as of [`sampling_arguments`].
    """
    arguments = sampling_arguments(**wished)
    config.update(**arguments)
    _drop_void(config)
    config.update(**unsaid_sampling(config))


@contextlib.contextmanager
def savable_sampling(model: PreTrainedModel) -> Iterator[None]:
    """
    While this lasts, a model that takes the likeliest tokens does not say how it would sample.

    transformers refuses to save that.
    """
    own = model.generation_config
    if own.do_sample is not False:
        yield
        return
    model.generation_config = copy.deepcopy(own)
    _drop_void(model.generation_config)
    try:
        yield
    finally:
        model.generation_config = own


def _drop_void(config: GenerationConfig):
    if config.do_sample is False:
        config.update(**dict.fromkeys(SAMPLING) | {"do_sample": False})


def read_sampling(config: GenerationConfig) -> dict:
    """
    How a generation config chooses tokens, in plain JSON values.

    Returns:
        `dict`: all that it sets but lengths, ids of special tokens, caches and forms of output. What is not named is
            as in transformers.
    """
    said = {name: value for name, value in config.to_diff_dict().items() if not _CHOOSES_NOTHING.match(name)}
    if config.do_sample:
        return said
    return {"do_sample": False, **{name: value for name, value in said.items() if name not in SAMPLING}}
