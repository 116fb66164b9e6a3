"""Adapters of embeddings and head that share their weights, which cannot be merged."""

from transformers import PreTrainedModel


def refuse_tied_targets(adapted: PreTrainedModel):
    """
    Refuses an adapter of embeddings or head where these share their weights: merged into one, it would change both.

    Args:
        adapted ([`~peft.PeftModel`]): a model with an adapter on it.

    Raises:
        `ValueError`: it is one, and peft was not told to adapt the two alike (`ensure_weight_tying`).
    """
    model = adapted.get_base_model()
    tied = getattr(model.config.get_text_config(), "tie_word_embeddings", False)
    if not tied or getattr(adapted.peft_config[adapted.active_adapter], "ensure_weight_tying", False):
        return
    if any(hasattr(layer, "base_layer") for layer in (model.get_input_embeddings(), model.get_output_embeddings())):
        raise ValueError("embeddings and head of this model share their weights, and an adapter of one changes both")
