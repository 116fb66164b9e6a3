"""Bundles: folders and repositories that hold a model, its processor, and all that belongs to them."""

from .identity import files_hash, model_identity, weights_hash

__all__ = ["files_hash", "model_identity", "weights_hash"]
