import pytest

from neuromusic_hf import MidiProcessor, build_model

TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
FAMILIES = ("gpt2", "llama", "music_transformer")


@pytest.fixture(scope="session")
def remi():
    return MidiProcessor.from_tokenization("REMI")


@pytest.fixture(scope="session")
def tiny_model(remi):
    """Builds a tiny model of a family, the same at every call, in evaluation mode."""
    import torch

    def build(family, **sizes):
        torch.manual_seed(0)
        return build_model(family, remi, context_length=64, **(TINY | sizes)).eval()

    return build


@pytest.fixture(params=FAMILIES)
def family(request):
    return request.param
