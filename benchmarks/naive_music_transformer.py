"""A Music Transformer as one writes it first, with nothing of this project and no fused kernel: the reference of
`training_step.py` and `relative_attention.py`. The paper is Huang et al. 2018, https://arxiv.org/abs/1809.04281."""

from typing import NamedTuple

import torch
from torch import nn


class Output(NamedTuple):
    """Loss in nats, and logits of shape (batch, tokens, vocabulary)."""

    loss: torch.Tensor
    logits: torch.Tensor


def skew(by_distance: torch.Tensor) -> torch.Tensor:
    """
    Turns scores by distance into scores by key: a column of padding, a reshape, a row less (section 3.4.1).

    Args:
        by_distance (`torch.Tensor` of shape `(batch, heads, tokens, tokens)`):
            Products of the queries with the embeddings of all distances, the farthest first.

    Returns:
        `torch.Tensor` of the same shape; what is above the diagonal means nothing.
    """
    batch, heads, length, _ = by_distance.shape
    padded = nn.functional.pad(by_distance, (1, 0))
    return padded.reshape(batch, heads, length + 1, length)[:, :, 1:]


class RelativeAttention(nn.Module):
    """All scores written out; the heads share the embeddings of the distances, the farthest first."""

    def __init__(self, width: int, heads: int, length: int, dropout: float):
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)
        self.distances = nn.Parameter(torch.randn(length, width // heads) * 0.02)
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        batch, length, width = hidden.shape
        query, key, value = (
            layer(hidden).view(batch, length, self.heads, -1).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        relative = skew(query @ self.distances[-length:].transpose(0, 1))
        scores = (query @ key.transpose(2, 3) + relative) / (width // self.heads) ** 0.5
        future = torch.ones(length, length, dtype=torch.bool, device=hidden.device).triu(1)
        weights = self.dropout(scores.masked_fill(future, float("-inf")).softmax(-1))
        return self.out((weights @ value).transpose(1, 2).reshape(batch, length, width))


class Layer(nn.Module):
    """Attention and feed-forward network, each normalised before and added to the residual stream."""

    def __init__(self, width: int, heads: int, inner: int, length: int, dropout: float):
        super().__init__()
        self.attention = RelativeAttention(width, heads, length, dropout)
        self.feed_forward = nn.Sequential(nn.Linear(width, inner), nn.ReLU(), nn.Linear(inner, width))
        self.attention_norm = nn.LayerNorm(width)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        hidden = hidden + self.dropout(self.attention(self.attention_norm(hidden)))
        return hidden + self.dropout(self.feed_forward(self.feed_forward_norm(hidden)))


class NaiveMusicTransformer(nn.Module):
    """
    The decoder with an output layer, which is the transposed embedding.

    Args:
        vocab_size (`int`): number of token ids.
        length (`int`): tokens it reads at most.
        num_hidden_layers, hidden_size, num_attention_heads, intermediate_size (`int`): sizes by their common names.
        dropout (`float`, *optional*, defaults to 0.1): on attention weights, embeddings and residuals.
    """

    def __init__(
        self,
        vocab_size: int,
        length: int,
        *,
        num_hidden_layers: int,
        hidden_size: int,
        num_attention_heads: int,
        intermediate_size: int,
        dropout: float = 0.1,
    ):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, hidden_size)
        nn.init.normal_(self.embedding.weight, std=0.02)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(
            Layer(hidden_size, num_attention_heads, intermediate_size, length, dropout)
            for _ in range(num_hidden_layers)
        )
        self.norm = nn.LayerNorm(hidden_size)

    def forward(self, input_ids: torch.Tensor, labels: torch.Tensor) -> Output:
        hidden = self.dropout(self.embedding(input_ids))
        for layer in self.layers:
            hidden = layer(hidden)
        logits = self.norm(hidden) @ self.embedding.weight.transpose(0, 1)
        loss = nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
        return Output(loss, logits)
