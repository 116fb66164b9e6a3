"""Whether a model that exists fits a processor: its kind, its vocabulary, how much it can read, what it was taught."""

from transformers import PreTrainedConfig, PreTrainedModel

from ..tokenization import MidiProcessor
from ..tokenization.infill_tokens import INFILL_TOKENS
from .origin import PIPELINE_TASK

DEFAULT_INFILL_SHARE = 0.25
"""Of the training tokens of a new model, to teach it to fill in. It costs nothing that could be told from noise in
continuing, -0.01 nats per note on validation in the mean of two models and two vocabularies, and a share of 0.5 hardly
teaches more (benchmarks/infill_cost.py)."""

LARGEST_PADDING = 1024
"""Vocabularies are rounded up to multiples of powers of two, up to this one, as hardware likes them."""

CONTEXT_NAMES = ("max_position_embeddings", "max_seq_len", "seq_length", "n_ctx")
"""How configs call the number of tokens a model reads."""


def check_match(model: PreTrainedModel, processor: MidiProcessor, task: str = PIPELINE_TASK):
    """Raises `ValueError` where a model does not generate, or a processor is not its own, for a task of a pipeline."""
    if model.config.is_encoder_decoder or not model.can_generate():
        raise ValueError(
            f"{model.name_or_path!r} is a {type(model).__name__}, and {task} needs a causal language "
            "model, as AutoModelForCausalLM loads them."
        )
    if not isinstance(processor, MidiProcessor):
        raise ValueError(
            f"{model.name_or_path!r} has a {type(processor).__name__}, and {task} needs a MidiProcessor: "
            "save it beside the weights with MidiProcessor.save_pretrained, or give processor=."
        )
    adapter = getattr(model, "active_peft_config", None)
    if adapter is not None and adapter.is_prompt_learning:
        raise ValueError(
            f"{model.name_or_path!r} has an adapter ({adapter.peft_type.value}) that adds virtual tokens to what it "
            f"reads, which {task} does not: use one that changes weights, such as LoRA."
        )
    check_vocabulary(model, processor)


def check_vocabulary(model: PreTrainedModel, processor: MidiProcessor):
    """
    Checks that a model has the ids of a processor.

    There may be a few more where they round its vocabulary up, as `resize_token_embeddings(pad_to_multiple_of=64)`
    does.

    Raises:
        `ValueError`: it has others.
    """
    sizes = [model.config.get_text_config().vocab_size]
    if (embeddings := model.get_input_embeddings()) is not None:
        sizes.append(embeddings.weight.shape[0])
    for size in sizes:
        check_vocabulary_size(model.name_or_path, size, processor.vocab_size)


def check_vocabulary_size(name: str, size: int, vocab_size: int):
    """Raises `ValueError` where the `size` ids of a model are not the `vocab_size` ids of a processor, rounded up."""
    if not _rounded_up(size, vocab_size):
        raise ValueError(
            f"{name!r} has {size} ids and the processor {vocab_size} ids: give the processor saved with the weights. "
            f"If it is this one, save the model anew after model.resize_token_embeddings({vocab_size})."
        )


def lacks_infill_tokens(size: int, processor: MidiProcessor) -> bool:
    """Whether the `size` ids of a model are those of a processor, rounded up, but for its last, those of infilling."""
    others = processor.vocab_size - len(INFILL_TOKENS)
    are_last = processor.infill_ids == tuple(range(others, processor.vocab_size))
    return are_last and size < processor.vocab_size and _rounded_up(size, others)


def trained_infill_share(config: PreTrainedConfig) -> float:
    """
    The share of infilling in what a model was trained on, as its config tells it; 0 where that tells of none.

    Args:
        config ([`~transformers.PreTrainedConfig`]): of a model; it may be a stranger's.
    """
    share = getattr(config, "infill_share", None)
    is_number = isinstance(share, (int, float)) and not isinstance(share, bool)
    return float(share) if is_number and 0 < share <= 1 else 0.0


def _rounded_up(size: int, vocab_size: int) -> bool:
    largest_factor = size & -size  # of powers of two
    return 0 <= size - vocab_size < min(largest_factor, LARGEST_PADDING)


def longest_context(config: PreTrainedConfig) -> int | None:
    """How many tokens a model can read; `None` where its config sets no bound."""
    return next((length for name in CONTEXT_NAMES if (length := getattr(config, name, None)) is not None), None)
