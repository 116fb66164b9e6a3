"""Bundles: folders and repositories that hold a model, its processor, and all that belongs to them."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .bundle import BUNDLE_NAME as BUNDLE_NAME
    from .bundle import find_bundle as find_bundle
    from .bundle import public_name as public_name
    from .bundle import save_bundle as save_bundle
    from .card import bundle_card as bundle_card
    from .card import write_card as write_card
    from .files import BUNDLE_FILES as BUNDLE_FILES
    from .files import bundle_files as bundle_files
    from .identity import ModelIdentity as ModelIdentity
    from .identity import files_hash as files_hash
    from .identity import weights_hash as weights_hash
    from .narrowed import save_narrowed as save_narrowed
    from .pipeline_file import add_pipeline_files as add_pipeline_files
    from .push import push_bundle as push_bundle
    from .push import push_processor as push_processor
    from .push_routes import register_pushing as register_pushing
    from .settled_splits import settle_splits as settle_splits
    from .settled_splits import settle_training_splits as settle_training_splits
    from .trained_splits import splits_of_model as splits_of_model
else:
    __getattr__, __dir__, __all__ = lazy_names(__name__)
