"""Configuration of the Music Transformer."""

from transformers import PreTrainedConfig


class MusicTransformerConfig(PreTrainedConfig):
    r"""
    Configuration of a [`MusicTransformerModel`], a decoder with relative attention.

    It is that of Huang et al. 2018, [Music Transformer](https://arxiv.org/abs/1809.04281). The defaults give 58M
    parameters; those of the positions and of dropout are what learned best on the embedded corpus
    (benchmarks/README.md).

    Args:
        vocab_size (`int`, *optional*, defaults to 512):
            Number of token ids.
        hidden_size (`int`, *optional*, defaults to 768):
            Width of the residual stream; a multiple of `num_attention_heads`.
        num_hidden_layers (`int`, *optional*, defaults to 12):
            Number of decoder layers.
        num_attention_heads (`int`, *optional*, defaults to 12):
            Attention heads of a layer.
        intermediate_size (`int`, *optional*, defaults to 1536):
            Width inside the feed-forward network.
        hidden_act (`str`, *optional*, defaults to `"gelu_pytorch_tanh"`):
            Activation of the feed-forward network.
        max_position_embeddings (`int`, *optional*, defaults to 1024):
            Tokens of context the model is trained with. Attention is relative, so generation may run past it.
        max_relative_distance (`int`, *optional*, defaults to 64):
            Number of distances, in tokens, with an embedding: 0 to `max_relative_distance - 1`. Distances past it
            share the last.
        shared_relative_embeddings (`bool`, *optional*, defaults to `False`):
            Whether the heads of a layer share one embedding per distance.
        sinusoidal_positions (`bool`, *optional*, defaults to `False`):
            Whether sinusoidal absolute positions (Vaswani et al. 2017, section 3.5) are added to the embeddings.
        hidden_dropout (`float`, *optional*, defaults to 0.0):
            Dropout on the embeddings and on what attention and feed-forward network add to the residual stream.
        attention_dropout (`float`, *optional*, defaults to 0.0):
            Dropout on attention weights. Anything but 0 rules out the blockwise attention in training.
        layer_norm_eps (`float`, *optional*, defaults to 1e-5):
            Epsilon of the layer normalisations.
        initializer_range (`float`, *optional*, defaults to 0.02):
            Standard deviation of the initial weights.
        use_cache (`bool`, *optional*, defaults to `True`):
            Whether keys and values are returned for decoding.
        pad_token_id (`int`, *optional*, defaults to 0):
            Id of padding.
        bos_token_id (`int`, *optional*, defaults to 1):
            Id that begins a piece.
        eos_token_id (`int`, *optional*, defaults to 2):
            Id that ends a piece.
        tie_word_embeddings (`bool`, *optional*, defaults to `True`):
            Whether the output layer is the transposed token embedding.

    Raises:
        `ValueError`: `hidden_size` is no multiple of `num_attention_heads`, or a size is less than 1.
    """

    model_type = "music_transformer"
    keys_to_ignore_at_inference = ["past_key_values"]

    vocab_size: int = 512
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 1536
    hidden_act: str = "gelu_pytorch_tanh"
    max_position_embeddings: int = 1024
    max_relative_distance: int = 64
    shared_relative_embeddings: bool = False
    sinusoidal_positions: bool = False
    hidden_dropout: float = 0.0
    attention_dropout: float = 0.0
    layer_norm_eps: float = 1e-5
    initializer_range: float = 0.02
    use_cache: bool = True
    pad_token_id: int | None = 0
    bos_token_id: int | None = 1
    eos_token_id: int | list[int] | None = 2
    tie_word_embeddings: bool = True

    def __post_init__(self, **kwargs):
        sizes = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
        for name in (*sizes, "max_position_embeddings", "max_relative_distance"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be 1 or more.")
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size ({self.hidden_size}) must be a multiple of num_attention_heads "
                f"({self.num_attention_heads})."
            )
        super().__post_init__(**kwargs)


__all__ = ["MusicTransformerConfig"]
