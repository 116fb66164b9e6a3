"""Bundles: folders and repositories that hold a model, its processor, and all that belongs to them."""

from .bundle import save_bundle
from .identity import files_hash, model_identity, weights_hash
from .pipeline_file import add_pipeline_file

__all__ = ["add_pipeline_file", "files_hash", "model_identity", "save_bundle", "weights_hash"]
