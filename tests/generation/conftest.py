"""Tensors this small."""

import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    """Tensors this small are computed before a second thread has started."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
