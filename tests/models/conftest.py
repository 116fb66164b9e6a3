import pytest
from tiny import ALL_DIFFERENT

from neuromusic_hf import build_model

FAMILIES = ("gpt2", "llama", "music_transformer")
LENGTHS = (13, 8, 3)
PAD = 0


@pytest.fixture(autouse=True)
def one_thread():
    """Tensors this small are computed before a second thread has started."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def remi(processor_of):
    return processor_of("REMI")


@pytest.fixture(scope="session")
def tiny_model(remi):
    """Builds a tiny model of a family, the same at every call, in evaluation mode."""
    import torch

    def build(family, **sizes):
        torch.manual_seed(0)
        return build_model(family, remi, context_length=64, **(ALL_DIFFERENT | sizes)).eval()

    return build


@pytest.fixture(params=FAMILIES)
def family(request):
    return request.param


@pytest.fixture
def model(family, tiny_model):
    """A tiny model with weights so wide that a token read at a wrong position changes logits by more than 0.1."""
    return tiny_model(family, initializer_range=0.3)


@pytest.fixture
def rows(remi):
    """Three pieces of different lengths."""
    import torch

    generator = torch.Generator().manual_seed(0)
    return [torch.randint(3, remi.vocab_size, (length,), generator=generator) for length in LENGTHS]


@pytest.fixture
def pad():
    """Makes rows one batch: ids, attention mask, and positions of the real tokens."""
    from torch.nn.utils.rnn import pad_sequence

    def pad(rows, side="left"):
        batch = pad_sequence(rows, batch_first=True, padding_value=PAD, padding_side=side)
        ones = [row.new_ones(row.shape) for row in rows]
        mask = pad_sequence(ones, batch_first=True, padding_value=0, padding_side=side)
        return batch, mask, (mask.cumsum(1) - 1).clamp(min=0)

    return pad
