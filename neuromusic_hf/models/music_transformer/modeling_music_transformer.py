"""Music Transformer: a decoder whose attention sees distances (Huang et al. 2018, https://arxiv.org/abs/1809.04281)."""

import math
from collections.abc import Callable

import torch
from torch import nn
from transformers import DynamicCache, GenerationMixin, PreTrainedModel
from transformers import initialization as init
from transformers.activations import ACT2FN
from transformers.cache_utils import Cache
from transformers.masking_utils import create_causal_mask
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import BaseModelOutputWithPast, CausalLMOutputWithPast
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.utils import can_return_tuple
from transformers.utils.generic import merge_with_config_defaults
from transformers.utils.output_capturing import capture_outputs

from .configuration_music_transformer import MusicTransformerConfig
from .relative_attention import relative_attention


class MusicTransformerRelativePositions(nn.Module):
    """One learned embedding per distance, for each head or shared: `weight` is (heads or 1, distances, head_dim)."""

    def __init__(self, config: MusicTransformerConfig):
        super().__init__()
        heads = 1 if config.shared_relative_embeddings else config.num_attention_heads
        head_dim = config.hidden_size // config.num_attention_heads
        self.weight = nn.Parameter(torch.empty(heads, config.max_relative_distance, head_dim))

    def forward(self, query: torch.Tensor, offset: int | torch.Tensor, num_keys: int) -> torch.Tensor:
        """
        Scores of all keys by their distance; a key after its query gets that of distance 0.

        Args:
            query (`torch.Tensor` of shape `(batch, heads, queries, head_dim)`):
                The first one is at position `offset`.
            offset (`int` or `torch.Tensor`):
                Tokens before the first query.
            num_keys (`int`):
                Keys, from position 0 on.

        Returns:
            `torch.Tensor` of shape `(batch, heads, queries, keys)`.
        """
        batch, heads, num_queries, head_dim = query.shape
        weight = self.weight.to(query.dtype)
        groups = query.transpose(0, 1).reshape(weight.shape[0], -1, head_dim)
        by_distance = torch.bmm(groups, weight.transpose(1, 2))
        by_distance = by_distance.view(heads, batch, num_queries, -1).transpose(0, 1)
        positions = torch.arange(num_queries, device=query.device) + offset
        distances = positions[:, None] - torch.arange(num_keys, device=query.device)
        distances = distances.clamp(0, weight.shape[1] - 1)
        return by_distance.gather(-1, distances.expand(batch, heads, -1, -1))


def eager_attention_forward(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    position_bias: torch.Tensor | None = None,
    **kwargs,
) -> tuple[torch.Tensor, torch.Tensor]:
    """
    Attention written out, as the paper has it. The mask is boolean (`True`: attend) or added to the scores.

    Returns:
        `tuple` of the output of shape `(batch, queries, heads, head_dim)` and the weights of shape
        `(batch, heads, queries, keys)`.
    """
    if query.shape[2] == 1:  # the same product; in this order a CPU takes a quarter less time
        scores = torch.matmul(key, query.transpose(2, 3)).transpose(2, 3) * scaling
    else:
        scores = torch.matmul(query, key.transpose(2, 3)) * scaling
    if position_bias is not None:
        scores = scores + position_bias
    if attention_mask is not None and attention_mask.dtype == torch.bool:
        scores = scores.masked_fill(~attention_mask, torch.finfo(scores.dtype).min)
    elif attention_mask is not None:
        scores = scores + attention_mask
    weights = nn.functional.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype)
    weights = nn.functional.dropout(weights, p=dropout, training=module.training)
    return torch.matmul(weights, value).transpose(1, 2).contiguous(), weights


class MusicTransformerAttention(nn.Module):
    """Multi-head causal attention with logits (Q K^T + S_rel) / sqrt(head_dim), the paper's equation 3."""

    def __init__(self, config: MusicTransformerConfig, layer_idx: int):
        super().__init__()
        self.config = config
        self.layer_idx = layer_idx
        self.head_dim = config.hidden_size // config.num_attention_heads
        self.scaling = self.head_dim**-0.5
        self.is_causal = True

        self.q_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.k_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.v_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.o_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.o_proj.adds_to_residual = True
        self.relative_positions = MusicTransformerRelativePositions(config)

    def forward(
        self,
        hidden_states: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        past_key_values: Cache | None = None,
        **kwargs,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        input_shape = hidden_states.shape[:-1]
        hidden_shape = (*input_shape, -1, self.head_dim)
        query = self.q_proj(hidden_states).view(hidden_shape).transpose(1, 2)
        key = self.k_proj(hidden_states).view(hidden_shape).transpose(1, 2)
        value = self.v_proj(hidden_states).view(hidden_shape).transpose(1, 2)

        offset = 0
        if past_key_values is not None:
            key, value = past_key_values.update(key, value, self.layer_idx)
            # A static cache has it as a tensor, which every update moves in place: a difference is one of our own.
            offset = past_key_values.get_seq_length(self.layer_idx) - query.shape[2]

        dropout = self.config.attention_dropout if self.training else 0.0
        if self._attends_in_blocks(query, offset, dropout):
            output, weights = self._attend_in_blocks(query, key, value, attention_mask, int(offset)), None
        else:
            output, weights = self._attention_interface(query)(
                self,
                query,
                key,
                value,
                attention_mask,
                dropout=dropout,
                scaling=self.scaling,
                position_bias=self.relative_positions(query * self.scaling, offset, key.shape[2]),
                **kwargs,
            )
        return self.o_proj(output.reshape(*input_shape, -1)), weights

    def _attends_in_blocks(self, query: torch.Tensor, offset: int | torch.Tensor, dropout: float) -> bool:
        known_offset = isinstance(offset, int) or not torch.compiler.is_compiling()
        return self.config._attn_implementation == "sdpa" and query.shape[2] > 1 and not dropout and known_offset

    def _attention_interface(self, query: torch.Tensor) -> Callable:
        # For one query on a CPU, SDPA with a bias takes up to five times as long as the products written out.
        if query.shape[2] == 1 and query.device.type == "cpu":
            return eager_attention_forward
        return ALL_ATTENTION_FUNCTIONS.get_interface(self.config._attn_implementation, eager_attention_forward)

    def _attend_in_blocks(self, query, key, value, attention_mask, offset: int) -> torch.Tensor:
        num_keys = offset + query.shape[2]
        if attention_mask is not None:
            attention_mask = attention_mask[..., :num_keys]
        output = relative_attention(
            query,
            key[:, :, :num_keys],
            value[:, :, :num_keys],
            self.relative_positions.weight,
            attention_mask,
            self.scaling,
        )
        return output.transpose(1, 2)


class MusicTransformerMLP(nn.Module):
    """Feed-forward network of a layer."""

    def __init__(self, config: MusicTransformerConfig):
        super().__init__()
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size)
        self.down_proj.adds_to_residual = True
        self.act_fn = ACT2FN[config.hidden_act]

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        return self.down_proj(self.act_fn(self.up_proj(hidden_states)))


class MusicTransformerDecoderLayer(GradientCheckpointingLayer):
    """Attention and feed-forward network, each normalised before and added to the residual stream."""

    def __init__(self, config: MusicTransformerConfig, layer_idx: int):
        super().__init__()
        self.self_attn = MusicTransformerAttention(config, layer_idx)
        self.mlp = MusicTransformerMLP(config)
        self.input_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.post_attention_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout)

    def forward(
        self,
        hidden_states: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        past_key_values: Cache | None = None,
        **kwargs,
    ) -> torch.Tensor:
        attended, _ = self.self_attn(
            self.input_layernorm(hidden_states),
            attention_mask=attention_mask,
            past_key_values=past_key_values,
            **kwargs,
        )
        hidden_states = hidden_states + self.dropout(attended)
        return hidden_states + self.dropout(self.mlp(self.post_attention_layernorm(hidden_states)))


class MusicTransformerPreTrainedModel(PreTrainedModel):
    """Weight initialisation, and what transformers may do with the models below."""

    config_class = MusicTransformerConfig
    base_model_prefix = "model"
    supports_gradient_checkpointing = True
    _no_split_modules = ["MusicTransformerDecoderLayer"]
    _skip_keys_device_placement = ["past_key_values"]
    _supports_sdpa = True
    # No flash kernel adds scores that depend on query and distance.
    _supports_flash_attn = False
    _supports_flex_attn = False
    _can_compile_fullgraph = True
    _can_record_outputs = {
        "hidden_states": MusicTransformerDecoderLayer,
        "attentions": MusicTransformerAttention,
    }

    @torch.no_grad()
    def _init_weights(self, module: nn.Module):
        super()._init_weights(module)
        std = self.config.initializer_range
        if isinstance(module, MusicTransformerRelativePositions):
            init.normal_(module.weight, mean=0.0, std=std)
        # What is added to the residual stream is scaled down by its number of additions (GPT-2, section 2.3). Known by
        # a mark on the layer: in code that is not its own, transformers skips modules without parameters of their own.
        if getattr(module, "adds_to_residual", False):
            init.normal_(module.weight, mean=0.0, std=std / math.sqrt(2 * self.config.num_hidden_layers))


class MusicTransformerModel(MusicTransformerPreTrainedModel):
    """The decoder without an output layer."""

    def __init__(self, config: MusicTransformerConfig):
        super().__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size, config.pad_token_id)
        self.dropout = nn.Dropout(config.hidden_dropout)
        self.layers = nn.ModuleList(
            MusicTransformerDecoderLayer(config, layer_idx) for layer_idx in range(config.num_hidden_layers)
        )
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.gradient_checkpointing = False
        self.post_init()

    @merge_with_config_defaults
    @capture_outputs
    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.LongTensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: torch.FloatTensor | None = None,
        use_cache: bool | None = None,
        **kwargs,
    ) -> BaseModelOutputWithPast:
        """
        Reads tokens.

        Args:
            input_ids (`torch.LongTensor` of shape `(batch, tokens)`):
                Token ids; or give `inputs_embeds`.
            attention_mask (`torch.Tensor` of shape `(batch, cached + tokens)`, *optional*):
                0 where there is padding, on either side.
            position_ids (`torch.LongTensor` of shape `(batch, tokens)`, *optional*):
                Sinusoidal positions read them. Without mask and cache, tokens attend to their own document alone,
                and one begins where a position is not that of the token before plus 1.
            past_key_values ([`~transformers.Cache`], *optional*):
                Keys and values of the tokens before.
            inputs_embeds (`torch.FloatTensor` of shape `(batch, tokens, hidden_size)`, *optional*):
                In place of `input_ids`.
            use_cache (`bool`, *optional*):
                Whether to return `past_key_values`.
            kwargs:
                Of transformers' attention functions.

        Raises:
            `ValueError`: not exactly one of `input_ids` and `inputs_embeds` is given, or a paged cache is.
        """
        if (input_ids is None) ^ (inputs_embeds is not None):
            raise ValueError("You must specify exactly one of input_ids or inputs_embeds")
        if kwargs.get("cache") is not None:
            raise ValueError("A paged cache hides the distances of its keys: call generate, not generate_batch.")
        if inputs_embeds is None:
            inputs_embeds = self.embed_tokens(input_ids)
        if use_cache and past_key_values is None:
            past_key_values = DynamicCache(config=self.config)
        if position_ids is None:
            seen = past_key_values.get_seq_length() if past_key_values is not None else 0
            position_ids = (torch.arange(inputs_embeds.shape[1], device=inputs_embeds.device) + seen).unsqueeze(0)

        causal_mask = create_causal_mask(
            config=self.config,
            inputs_embeds=inputs_embeds,
            attention_mask=attention_mask,
            past_key_values=past_key_values,
            position_ids=position_ids,
        )
        hidden_states = inputs_embeds
        if self.config.sinusoidal_positions:
            scaled = hidden_states * math.sqrt(self.config.hidden_size)
            hidden_states = scaled + sinusoidal_positions(position_ids, self.config.hidden_size).to(scaled.dtype)
        hidden_states = self.dropout(hidden_states)
        for layer in self.layers:
            hidden_states = layer(hidden_states, attention_mask=causal_mask, past_key_values=past_key_values, **kwargs)
        return BaseModelOutputWithPast(last_hidden_state=self.norm(hidden_states), past_key_values=past_key_values)


def sinusoidal_positions(position_ids: torch.LongTensor, hidden_size: int) -> torch.Tensor:
    """
    Sines and cosines of wavelengths from 2 pi to 20,000 pi tokens (Vaswani et al. 2017, section 3.5).

    Args:
        position_ids (`torch.LongTensor` of shape `(batch, tokens)`): positions.
        hidden_size (`int`): number of values a position.

    Returns:
        `torch.Tensor` of shape `(batch, tokens, hidden_size)`, float32.
    """
    channels = torch.arange(0, hidden_size, 2, device=position_ids.device)
    angles = position_ids[..., None] * torch.exp(channels * (-math.log(10_000) / hidden_size))
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)[..., :hidden_size]


class MusicTransformerForCausalLM(MusicTransformerPreTrainedModel, GenerationMixin):
    """The decoder with an output layer: a language model of tokens."""

    _tied_weights_keys = {"lm_head.weight": "model.embed_tokens.weight"}

    def __init__(self, config: MusicTransformerConfig):
        super().__init__(config)
        self.model = MusicTransformerModel(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.LongTensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: torch.FloatTensor | None = None,
        labels: torch.LongTensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        **kwargs,
    ) -> CausalLMOutputWithPast:
        """
        Reads tokens, and gives the logits of those that follow.

        Args:
            input_ids (`torch.LongTensor` of shape `(batch, tokens)`, *optional*):
                As in [`MusicTransformerModel`], as are the next four.
            attention_mask (`torch.Tensor`, *optional*):
                Of shape `(batch, cached + tokens)`.
            position_ids (`torch.LongTensor` of shape `(batch, tokens)`, *optional*):
                Positions of the tokens.
            past_key_values ([`~transformers.Cache`], *optional*):
                Keys and values of the tokens before.
            inputs_embeds (`torch.FloatTensor` of shape `(batch, tokens, hidden_size)`, *optional*):
                In place of `input_ids`.
            labels (`torch.LongTensor` of shape `(batch, tokens)`, *optional*):
                `input_ids`, with -100 where nothing is to be learned; they are shifted here. The loss is in nats.
            logits_to_keep (`int` or `torch.Tensor`, *optional*, defaults to 0):
                Logits of the last so many tokens only (0: all), or of the tokens at these indices.
            use_cache (`bool`, *optional*):
                Whether to return `past_key_values`.
            kwargs:
                As in [`MusicTransformerModel`], and of the loss.
        """
        outputs = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            **kwargs,
        )
        kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        logits = self.lm_head(outputs.last_hidden_state[:, kept, :])
        loss = None
        if labels is not None:
            loss = self.loss_function(logits=logits, labels=labels, vocab_size=self.config.vocab_size, **kwargs)
        return CausalLMOutputWithPast(
            loss=loss,
            logits=logits,
            past_key_values=outputs.past_key_values,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )


__all__ = ["MusicTransformerForCausalLM", "MusicTransformerModel", "MusicTransformerPreTrainedModel"]
