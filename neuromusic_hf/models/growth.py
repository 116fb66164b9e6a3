"""A model that gets ids which its vocabulary did not have."""

import logging

from transformers import PreTrainedModel

from ..tokenization import MidiProcessor

logger = logging.getLogger(__name__)


def add_infill_embeddings(model: PreTrainedModel, processor: MidiProcessor):
    """
    Gives a model embeddings for the ids of infilling, which are the last of its processor's.

    They are drawn about the mean of those there are (`resize_token_embeddings`), which stay as they are.

    Args:
        model ([`~transformers.PreTrainedModel`]): changed in place, its config with it.
        processor ([`MidiProcessor`]): with ids that the model lacks.

    Raises:
        `ValueError`: the class of the model does not tell where its embeddings are.
    """
    before = model.config.get_text_config().vocab_size
    try:
        model.resize_token_embeddings(processor.vocab_size)
        output = model.get_output_embeddings()
        if output is None or output.weight.shape[0] != processor.vocab_size:
            raise ValueError("what gives its logits stays as it is")
    except (AttributeError, NotImplementedError, ValueError) as error:
        raise ValueError(
            f"{model.name_or_path!r} has {before} ids and cannot be given the four of infilling ({error}): its class "
            f"{type(model).__name__} needs get_input_embeddings, get_output_embeddings and their setters. Or train "
            "it without infilling, with the processor saved with the weights."
        ) from error
    logger.info(
        "%s has %d ids of the four tokens of infilling now, %d in all.",
        model.name_or_path,
        processor.vocab_size - before,
        processor.vocab_size,
    )
