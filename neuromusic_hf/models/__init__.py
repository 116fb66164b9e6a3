"""Causal language models sized to a vocabulary of music."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .adapters import check_base as check_base
    from .factory import build_model as build_model
    from .factory import check_model as check_model
    from .factory import saved_config as saved_config
    from .fit import longest_context as longest_context
    from .fit import trained_infill_share as trained_infill_share
    from .music_transformer import MusicTransformerConfig as MusicTransformerConfig
    from .music_transformer import MusicTransformerForCausalLM as MusicTransformerForCausalLM
    from .music_transformer import MusicTransformerModel as MusicTransformerModel
    from .narrowing import calibration_blocks as calibration_blocks
    from .narrowing import narrow_feed_forward as narrow_feed_forward
    from .sampling import sampling_arguments as sampling_arguments
else:
    __getattr__, __dir__, __all__ = lazy_names(__name__)
