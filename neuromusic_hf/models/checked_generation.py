"""How a stranger's model may sample: its `generation_config.json`, looked at before `generate()` is told."""

from pathlib import Path
from typing import Any

from transformers import GenerationConfig

from ..hub.bounds import read_object, shown
from ..ranges import Range

LENGTHS = Range(-1, most=2**20)
DECAYS = Range(0, most=2)
GENERATION_RANGES = {
    "max_length": LENGTHS,
    "max_new_tokens": LENGTHS,
    "min_length": LENGTHS,
    "min_new_tokens": LENGTHS,
    "max_cache_len": LENGTHS,
    "num_return_sequences": Range(1, most=1),
    "num_beams": Range(1, most=1024),
    "num_beam_groups": Range(1, most=1),
    "prompt_lookup_num_tokens": Range(most=1024),
    "num_assistant_tokens": Range(most=1024),
    "top_k": Range(),
    "temperature": Range(1e-3, most=1e3, besides=0),
    "top_p": Range(most=1),
    "min_p": Range(most=1),
    "typical_p": Range(most=1),
    "epsilon_cutoff": Range(most=1),
    "eta_cutoff": Range(most=1),
    "repetition_penalty": Range(1e-3, most=1e3),
    "no_repeat_ngram_size": LENGTHS,
    "max_time": Range(),
}
LISTS_OF_IDS = ("suppress_tokens", "begin_suppress_tokens")
LISTS_OF_WORDS = ("bad_words_ids", "sequence_bias")
"""Settings that hold lists of ids; a bias has a number beside each."""

MOST_ITEMS = 4096
MODES_OF_OTHERS = ("constraints", "dola_layers", "force_words_ids", "penalty_alpha")
"""Settings that choose a loop of sampling whose code transformers pulls from the Hub."""

MOST_STOP_STRINGS = Range(most=64)


def vocabulary_of(config: Path | None) -> Range:
    """Ids of tokens, as far as the config says how many there are."""
    size = None if config is None else read_object(config).get("vocab_size")
    return Range(most=size - 1 if type(size) is int and size > 0 else LENGTHS.most)


def check_generation(config: dict, path: Path, vocabulary: Range):
    """
    Checks how a model samples.

    Args:
        config (`dict`): of `generation_config.json`.
        path (`Path`): of that file.
        vocabulary ([`Range`]): of the model's ids.

    Raises:
        `ValueError`: a value of it cannot be.
    """
    for key, value in config.items():
        if hasattr(GenerationConfig, key) or key.startswith("__"):
            raise ValueError(f"{path}: {shown(key)} is no setting of generate().")
        numbers = GENERATION_RANGES.get(key)
        if numbers and value is not None and not (type(value) in (int, float) and value in numbers):
            raise ValueError(f"{path}: {key}={shown(value)} must be {numbers.told_of(value)}.")
        if key.endswith("_token_id") and not all(type(each) is int for each in _listed(value)):
            raise ValueError(f"{path}: {key}={shown(value)} must be a token's number, or a list of these.")
        if key.startswith("forced_") and any(each not in vocabulary for each in _listed(value)):
            raise ValueError(f"{path}: {key}={shown(value)} must be {vocabulary}.")
        if isinstance(value, list) and len(value) > MOST_ITEMS:
            raise ValueError(f"{path}: {key} has {len(value):,} items; {MOST_ITEMS:,} at most.")
        if key in (*LISTS_OF_IDS, *LISTS_OF_WORDS) and value is not None and not _are_ids(key, value, vocabulary):
            raise ValueError(f"{path}: {key}={shown(value)} must hold ids {vocabulary}.")
        if key in MODES_OF_OTHERS and value is not None:
            raise ValueError(f"{path}: {key}={shown(value)} needs code of another repository, which is not run.")
    decay = config.get("exponential_decay_length_penalty")
    if decay is not None and not (
        type(decay) is list and [type(each) for each in decay] in ([int, int], [int, float]) and _decays(*decay)
    ):
        raise ValueError(
            f"{path}: exponential_decay_length_penalty={shown(decay)} must be a number of tokens and a factor that is "
            f"{DECAYS}."
        )
    if config.get("compile_config") is not None:
        raise ValueError(f"{path}: compile_config chooses how code is compiled here, which is for you to say.")
    strings = _listed(config.get("stop_strings"))
    if len(strings) not in MOST_STOP_STRINGS:
        raise ValueError(f"{path}: stop_strings has {len(strings):,} items; {MOST_STOP_STRINGS.most} at most.")


def _are_ids(key: str, value: Any, vocabulary: Range) -> bool:
    """Whether it is a list of ids, or of words of these, each with its bias."""
    if not isinstance(value, list):
        return False
    words = [value] if key in LISTS_OF_IDS else value
    if key == "sequence_bias":
        if not all(isinstance(each, list) and len(each) == 2 and type(each[1]) in (int, float) for each in value):
            return False
        words = [word for word, _ in value]
    is_word = key in LISTS_OF_WORDS
    return all(
        isinstance(word, list)
        and len(word) >= is_word
        and all(type(each) is int and each in vocabulary for each in word)
        for word in words
    )


def _decays(start: int, factor: float) -> bool:
    return start in LENGTHS and factor in DECAYS


def _listed(value: Any) -> list:
    return [] if value is None else value if isinstance(value, list) else [value]
