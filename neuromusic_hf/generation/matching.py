"""Whether a model and a processor belong together."""

from transformers import PreTrainedModel

from ..models.adapters import load_processor
from ..models.fit import check_vocabulary
from ..tokenization import MidiProcessor


def check_match(model: PreTrainedModel, processor: MidiProcessor):
    """Raises `ValueError` where a model does not generate, or a processor is not its own."""
    if model.config.is_encoder_decoder or not model.can_generate():
        raise ValueError(
            f"{model.name_or_path!r} is a {type(model).__name__}, and midi-continuation needs a causal language "
            "model, as AutoModelForCausalLM loads them."
        )
    if not isinstance(processor, MidiProcessor):
        raise ValueError(
            f"{model.name_or_path!r} has a {type(processor).__name__}, and midi-continuation needs a MidiProcessor: "
            "save it beside the weights with MidiProcessor.save_pretrained, or give processor=."
        )
    adapter = getattr(model, "active_peft_config", None)
    if adapter is not None and adapter.is_prompt_learning:
        raise ValueError(
            f"{model.name_or_path!r} has an adapter ({adapter.peft_type.value}) that adds virtual tokens to what it "
            "reads, which midi-continuation does not: use one that changes weights, such as LoRA."
        )
    check_vocabulary(model, processor)


def find_processor(model: PreTrainedModel) -> MidiProcessor:
    """Loads the processor from where the weights lie. Raises `ValueError` where there is none, and says why."""
    folder, commit = model.name_or_path, getattr(model, "hub_commit", None)
    try:
        return load_processor(folder, **{"revision": commit} if commit else {})
    except (OSError, TypeError, ValueError) as error:
        raise ValueError(
            f"No MidiProcessor can be loaded from {folder!r}: save the one the model was trained with beside the "
            "weights (MidiProcessor.save_pretrained, or miditok's own tokenizer.json), or give processor=. "
            f"({error})"
        ) from error
