"""Causal language models sized to a vocabulary of music."""

from .factory import build_model, check_model
from .music_transformer import MusicTransformerConfig, MusicTransformerForCausalLM, MusicTransformerModel

__all__ = [
    "MusicTransformerConfig",
    "MusicTransformerForCausalLM",
    "MusicTransformerModel",
    "build_model",
    "check_model",
]
