"""Tensors this small."""

from generation.conftest import one_thread  # noqa: F401
