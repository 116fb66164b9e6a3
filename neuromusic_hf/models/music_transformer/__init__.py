"""Music Transformer (Huang et al. 2018), registered with the Auto classes on import."""

from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

from .configuration_music_transformer import MusicTransformerConfig
from .modeling_music_transformer import (
    MusicTransformerForCausalLM,
    MusicTransformerModel,
    MusicTransformerPreTrainedModel,
)

AutoConfig.register(MusicTransformerConfig.model_type, MusicTransformerConfig)
AutoModel.register(MusicTransformerConfig, MusicTransformerModel)
AutoModelForCausalLM.register(MusicTransformerConfig, MusicTransformerForCausalLM)

MusicTransformerConfig.register_for_auto_class()
MusicTransformerModel.register_for_auto_class("AutoModel")
MusicTransformerForCausalLM.register_for_auto_class("AutoModelForCausalLM")

__all__ = [
    "MusicTransformerConfig",
    "MusicTransformerForCausalLM",
    "MusicTransformerModel",
    "MusicTransformerPreTrainedModel",
]
