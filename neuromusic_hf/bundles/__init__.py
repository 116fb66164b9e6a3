"""Bundles: folders and repositories that hold a model, its processor, and all that belongs to them."""

from .bundle import BUNDLE_NAME, find_bundle, save_bundle
from .identity import ModelIdentity, files_hash, weights_hash
from .pipeline_file import add_pipeline_file

__all__ = [
    "BUNDLE_NAME",
    "ModelIdentity",
    "add_pipeline_file",
    "files_hash",
    "find_bundle",
    "save_bundle",
    "weights_hash",
]
