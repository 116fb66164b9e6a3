"""Whether a model and a processor belong together."""

from transformers import PreTrainedModel

from ..tokenization import MidiProcessor


def check_match(model: PreTrainedModel, processor: MidiProcessor):
    """Raises `ValueError` where a processor is not that of a model, or the model does not go on from a prompt."""
    if not isinstance(processor, MidiProcessor):
        raise ValueError(
            f"{model.name_or_path!r} has a {type(processor).__name__}, and midi-continuation needs a MidiProcessor: "
            "save it beside the weights with MidiProcessor.save_pretrained, or give processor=."
        )
    if model.config.is_encoder_decoder:
        raise ValueError(f"{model.name_or_path!r} has an encoder: midi-continuation needs a causal language model.")
    sizes = {"config.vocab_size": model.config.vocab_size}
    if (embeddings := model.get_input_embeddings()) is not None:
        sizes["rows of embeddings"] = embeddings.weight.shape[0]
    for what, size in sizes.items():
        if size != processor.vocab_size:
            raise ValueError(
                f"{model.name_or_path!r} has {size} {what}, and the processor {processor.vocab_size} ids (vocabulary "
                f"{(processor.vocabulary_hash or 'without a hash')[:12]}): give the processor saved with the weights."
            )


def find_processor(model: PreTrainedModel) -> MidiProcessor:
    """Loads the processor from where the weights lie. Raises `ValueError` where there is none, and says why."""
    folder = model.name_or_path
    try:
        return MidiProcessor.from_pretrained(folder)
    except (OSError, TypeError, ValueError) as error:
        raise ValueError(
            f"No MidiProcessor can be loaded from {folder!r}: save the one the model was trained with beside the "
            f"weights (MidiProcessor.save_pretrained), or give processor=. ({error})"
        ) from error
