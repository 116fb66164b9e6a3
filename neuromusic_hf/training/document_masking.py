"""Whether a model keeps documents apart where their positions tell it to."""

import torch
from transformers import PreTrainedModel

DOCUMENT_LENGTH = 4
LARGEST_LEAK = 1e-3
"""Of what a document does to the next one where nothing keeps them apart."""


def check_separation(model: PreTrainedModel):
    """
    Refuses a model in which a document changes the logits of the next one, although its positions begin anew.

    Args:
        model ([`~transformers.PreTrainedModel`]): as it is trained. One with a cache (`use_cache`) mixes them, as one
            does whose layers carry something on.

    Raises:
        `ValueError`: it does, or it takes no `position_ids`.
    """
    places = torch.arange(2 * DOCUMENT_LENGTH)
    apart, joined = (_leak(model, positions) for positions in (places % DOCUMENT_LENGTH, places))
    if apart > LARGEST_LEAK * joined:
        raise ValueError(
            f"intra_document_masking cannot be: {type(model).__name__} lets the pieces of a block see each other all "
            "the same. Leave it out, or take gpt2, llama, music_transformer or another model whose attention reads "
            "position_ids (without use_cache)."
        )


@torch.no_grad()
def _leak(model: PreTrainedModel, positions: torch.Tensor) -> float:
    """The largest change of a logit of the second document by another first one."""
    device, vocab_size = next(model.parameters()).device, model.config.get_text_config().vocab_size
    first, second = torch.arange(1, 1 + 2 * DOCUMENT_LENGTH).split(DOCUMENT_LENGTH)
    ids = torch.stack([torch.cat([row, second]) for row in (first, first + 1)]) % vocab_size
    was_training = model.training
    try:
        logits = model.eval()(input_ids=ids.to(device), position_ids=positions.expand(2, -1).to(device)).logits
    except TypeError as error:
        raise ValueError(f"intra_document_masking needs position_ids: {error}. Leave it out.") from error
    finally:
        model.train(was_training)
    one, other = logits[:, DOCUMENT_LENGTH:].float()
    return (one - other).abs().max().item()
