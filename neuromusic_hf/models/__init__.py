"""Causal language models sized to a vocabulary of music."""

from .factory import build_model

__all__ = ["build_model"]
