"""Arguments of `generate()`: those in force for a call, and those that do not go together with what is done here."""

import copy
import inspect
import numbers
from collections.abc import Sequence

from transformers import GenerationConfig, GenerationMixin, PreTrainedModel
from transformers.generation import GenerationMode

from ..borders.transformers import refuse_unknown_arguments

GENERATE_ARGUMENTS = {
    *vars(GenerationConfig()),
    *inspect.signature(GenerationMixin.generate).parameters,
    "tokenizer",
    "assistant_tokenizer",
    "trust_remote_code",
}
"""What `generate()` takes itself; it hands anything else to the model."""
OF_THE_PROMPT = {
    "self", "kwargs", "inputs", "input_ids", "inputs_embeds", "attention_mask", "position_ids", "token_type_ids",
    "decoder_input_ids", "past_key_values",
}  # fmt: skip
"""What the pipeline makes of a piece."""
RECORDS = ("output_scores", "output_logits", "output_attentions", "output_hidden_states")
WHOLE_NUMBERS = ("max_new_tokens", "max_length", "num_return_sequences", "num_beams")
LOOP_MODES = (GenerationMode.SAMPLE, GenerationMode.GREEDY_SEARCH)
"""Those with one row for each that comes back."""


def settings_in_force(model: PreTrainedModel, arguments: dict) -> GenerationConfig:
    """
    What a call of `generate()` obeys.

    Its arguments go above those of their `generation_config`, and these above the model's own as it is now. What none
    of them sets is `None`. Nothing is checked.
    """
    settings = copy.deepcopy(arguments.get("generation_config")) or GenerationConfig()
    for name, value in vars(model.generation_config).items():
        if getattr(settings, name, None) is None:
            setattr(settings, name, value)
    for name, value in arguments.items():
        if hasattr(settings, name):
            setattr(settings, name, value)
    return settings


def generation_mode(settings: GenerationConfig, arguments: dict) -> GenerationMode:
    """How `generate()` searches."""
    return settings.get_generation_mode(arguments.get("assistant_model"))


def with_eos(ends: int | Sequence[int] | None, eos: int) -> list[int]:
    """The ids that end a piece, with that of the tokenizer among them."""
    return sorted({eos, *(ends if isinstance(ends, Sequence) else [ends])} - {None})


def check_arguments(model: PreTrainedModel, arguments: dict):
    """
    Refuses arguments for `generate()`.

    Raises:
        `ValueError`: they are unknown, contradict each other, or ask for what the midi-continuation pipeline does not
            do.
    """
    unknown = {name: value for name, value in arguments.items() if name not in GENERATE_ARGUMENTS | OF_THE_PROMPT}
    refuse_unknown_arguments(model, unknown)
    if of_prompt := [name for name in arguments if name in OF_THE_PROMPT]:
        raise ValueError(f"{', '.join(of_prompt)} cannot be given: the pipeline makes them of the piece.")
    settings = settings_in_force(model, arguments)
    _check_whole_numbers(settings)
    check_supported(settings)
    _check_rows(settings)
    if arguments.get("streamer") is not None:
        _check_streamed(settings, arguments)


def check_supported(settings: GenerationConfig):
    """Raises `ValueError` where settings ask for more than rows, or would not hold rows to what is asked."""
    if wanted := [name for name in RECORDS if getattr(settings, name, None)]:
        raise ValueError(
            f"{wanted[0]}=True asks for what is not handed out here, only notes are: leave it out, or call "
            "model.generate() yourself."
        )
    if settings.cache_implementation == "paged":
        raise ValueError("cache_implementation='paged' obeys no logits processor: choose another, or leave it out.")
    if settings.token_healing:
        raise ValueError("token_healing=True mends prompts of text, and these are music: leave it out.")


def _check_whole_numbers(settings: GenerationConfig):
    for name in WHOLE_NUMBERS:
        value = getattr(settings, name)
        if value is None:
            continue
        if not isinstance(value, numbers.Integral) or isinstance(value, bool):
            raise ValueError(f"{name}={value!r} must be a whole number.")
        if value < 1:
            raise ValueError(f"{name}={value} must be at least 1.")


def _check_rows(settings: GenerationConfig):
    rows = settings.num_return_sequences or 1
    if rows > 1 and not settings.do_sample and rows > (settings.num_beams or 1):
        raise ValueError(f"num_return_sequences={rows} would be equal: set do_sample=True, or as many beams.")


def _check_streamed(settings: GenerationConfig, arguments: dict):
    if (rows := settings.num_return_sequences or 1) > 1:
        raise ValueError(f"A streamer follows one continuation, and num_return_sequences is {rows}.")
    if (beams := settings.num_beams or 1) > 1:
        raise ValueError(f"A streamer follows one row as it grows, and num_beams={beams} choose it last: set 1.")
    if callable(arguments.get("custom_generate")):
        raise ValueError("generate() hands no streamer on to a function given as custom_generate: give either.")
