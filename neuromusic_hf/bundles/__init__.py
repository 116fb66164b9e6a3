"""Bundles: folders and repositories that hold a model, its processor, and all that belongs to them."""

from .bundle import BUNDLE_NAME, find_bundle, public_name, save_bundle
from .card import bundle_card, write_card
from .files import BUNDLE_FILES, bundle_files
from .identity import ModelIdentity, files_hash, weights_hash
from .pipeline_file import add_pipeline_file
from .push import push_bundle, push_processor
from .push_routes import register_pushing
from .trained_splits import settle_splits, splits_of_model

__all__ = [
    "BUNDLE_FILES",
    "BUNDLE_NAME",
    "ModelIdentity",
    "add_pipeline_file",
    "bundle_card",
    "bundle_files",
    "files_hash",
    "find_bundle",
    "public_name",
    "push_bundle",
    "push_processor",
    "register_pushing",
    "save_bundle",
    "settle_splits",
    "splits_of_model",
    "weights_hash",
    "write_card",
]
