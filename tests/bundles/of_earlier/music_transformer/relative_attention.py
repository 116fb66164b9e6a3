"""
Causal attention with relative scores, in blocks of queries that never touch the keys after them.

Written out, softmax((Q K^T + S_rel) scaling) V needs several (queries x keys) tensors per head, half of each above the
diagonal. Here one block of queries is in memory at a time, and the backward pass computes its weights again.

The scores of a block against the embeddings of all distances, farthest first, need only be read with one element less
per row to be aligned with the keys: skewing (Huang et al. 2018, section 3.4.1) is a view, in both directions.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.nn import functional

BLOCK_SIZE = 128
"""Queries of a block."""
SCORES_IN_MEMORY = {"cpu": 2**21}
"""Attention scores computed at a time, by device, as far as one block of one row of the batch allows: small enough for
the caches of a CPU, large enough to keep a GPU busy."""
SCORES_IN_MEMORY_ELSEWHERE = 2**26


def relative_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    embeddings: torch.Tensor,
    attention_mask: torch.Tensor | None = None,
    scaling: float = 1.0,
) -> torch.Tensor:
    """
    Computes `softmax((Q K^T + S_rel) * scaling) V`, where `S_rel[i, j] = Q[i] . embeddings[i - j]`.

    The softmax is over the keys that are not after the query (Huang et al. 2018, equation 3). Memory grows linearly
    with the number of keys.

    Args:
        query (`torch.Tensor` of shape `(batch, heads, queries, head_dim)`):
            The last query is at the position of the last key.
        key (`torch.Tensor` of shape `(batch, heads, keys, head_dim)`):
            As many as queries, or more: those before the first query come first.
        value (`torch.Tensor` of shape `(batch, heads, keys, head_dim)`):
            One per key.
        embeddings (`torch.Tensor` of shape `(heads or 1, distances, head_dim)`):
            One per distance from 0 on; distances past the last share it.
        attention_mask (`torch.Tensor` of shape `(batch or 1, heads or 1, queries, keys)`, *optional*):
            Boolean (`True`: attend) or added to the scaled scores. What is after the query stays hidden.
        scaling (`float`, *optional*, defaults to 1.0):
            Multiplies the scores.

    Returns:
        `torch.Tensor` of shape `(batch, heads, queries, head_dim)`.
    """
    block_size = min(BLOCK_SIZE, query.shape[2])
    table = _distance_table(embeddings.to(query.dtype), block_size, num_keys=key.shape[2])
    query, key, value = query.contiguous(), key.contiguous(), value.contiguous()
    return attend_in_blocks(query, key, value, table, attention_mask, block_size, scaling)


def _distance_table(embeddings: torch.Tensor, block_size: int, num_keys: int) -> torch.Tensor:
    """
    Embeddings of the distances within reach of a block, of shape (heads or 1, reach + block_size - 1, head_dim).

    The farthest comes first and 0 last, then rows of zeros for the keys that come after a query of its block. Out of
    reach are keys whose distance to all queries of a block has the last embedding. If there are any, the first row of
    the table is that embedding.
    """
    num_distances = embeddings.shape[1]
    reach = min(num_keys, block_size + num_distances - 1)
    table = embeddings[:, :reach].flip(1)
    if reach > num_distances:
        table = torch.cat([table[:, :1].expand(-1, reach - num_distances, -1), table], dim=1)
    return functional.pad(table, (0, 0, 0, block_size - 1))


@torch.library.custom_op("neuromusic_hf::relative_attention", mutates_args=())
def attend_in_blocks(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    table: torch.Tensor,
    attention_mask: torch.Tensor | None,
    block_size: int,
    scaling: float,
) -> torch.Tensor:
    """Forward pass; `table` is that of [`relative_attention`]. A custom operator, which compilers leave whole."""
    query = query * scaling
    output = torch.empty_like(query)
    for block in _blocks(query, key, table, block_size):
        attended = torch.bmm(block.weights(query, key, table, attention_mask), block.keys_of(value))
        output[block.rows, :, block.positions] = block.by_head(attended)
    return output


@torch.library.custom_op("neuromusic_hf::relative_attention_backward", mutates_args=())
def attend_in_blocks_backward(
    grad_output: torch.Tensor,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    table: torch.Tensor,
    attention_mask: torch.Tensor | None,
    block_size: int,
    scaling: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Gradients of query, key, value and table. What adds up over blocks does so in float32 or better."""
    query = query * scaling
    wide = torch.promote_types(query.dtype, torch.float32)
    grad_query = torch.empty_like(query)
    grad_key, grad_value = torch.zeros_like(key, dtype=wide), torch.zeros_like(value, dtype=wide)
    grad_table = torch.zeros_like(table, dtype=wide)
    for block in _blocks(query, key, table, block_size):
        q, grad = block.queries_of(query), block.queries_of(grad_output)
        weights = block.weights(query, key, table, attention_mask)
        seen = (block.rows, slice(None), slice(block.visible))
        grad_value[seen] += block.by_head(torch.bmm(weights.transpose(1, 2), grad))
        grad_weights = torch.bmm(grad, block.keys_of(value).transpose(1, 2))
        grad_scores = torch._softmax_backward_data(grad_weights, weights, -1, weights.dtype)
        grad_relative = block.unskewed(grad_scores)
        grad_key[seen] += block.by_head(torch.bmm(grad_scores.transpose(1, 2), q))
        grad_q = torch.baddbmm(torch.bmm(grad_scores, block.keys_of(key)), grad_relative, block.embeddings_of(table))
        grad_query[block.rows, :, block.positions] = block.by_head(grad_q)
        grad_embeddings = block.by_head(torch.bmm(grad_relative.transpose(1, 2), q)).sum(0, dtype=wide)
        grad_table[:, block.distances] += grad_embeddings.sum_to_size(grad_table[:, block.distances].shape)
    return grad_query * scaling, grad_key.to(key.dtype), grad_value.to(value.dtype), grad_table.to(table.dtype)


@attend_in_blocks.register_fake
def _(query, key, value, table, attention_mask, block_size, scaling):
    return torch.empty_like(query)


@attend_in_blocks_backward.register_fake
def _(grad_output, query, key, value, table, attention_mask, block_size, scaling):
    return tuple(torch.empty_like(tensor) for tensor in (query, key, value, table))


def _setup_context(ctx, inputs, output):
    *tensors, ctx.block_size, ctx.scaling = inputs
    ctx.save_for_backward(*tensors)


def _backward(ctx, grad_output):
    gradients = attend_in_blocks_backward(grad_output.contiguous(), *ctx.saved_tensors, ctx.block_size, ctx.scaling)
    return *gradients, None, None, None


attend_in_blocks.register_autograd(_backward, setup_context=_setup_context)


def _blocks(query: torch.Tensor, key: torch.Tensor, table: torch.Tensor, block_size: int) -> Iterator["_Block"]:
    batch, heads, num_queries, _ = query.shape
    num_keys = key.shape[2]
    reach = table.shape[1] - block_size + 1
    limit = SCORES_IN_MEMORY.get(query.device.type, SCORES_IN_MEMORY_ELSEWHERE)
    num_rows = max(1, limit // (heads * block_size * num_keys))
    for row in range(0, batch, num_rows):
        rows = slice(row, min(row + num_rows, batch))
        for start in range(0, num_queries, block_size):
            stop = min(start + block_size, num_queries)
            yield _Block(rows, slice(start, stop), heads, num_keys - num_queries + stop, reach)


@dataclass
class _Block:
    """
    Some rows of the batch, and some queries.

    Keys are those `visible` to the last of the queries; those in `reach` of the table are the last ones. Tensors of a
    block are of shape (rows * heads, ...). A row of relative scores holds a query's products with the embeddings of
    `distances`: near key `j` of query `i`, both counted in the block, is at column `size - 1 - i + j`.
    """

    rows: slice
    positions: slice
    heads: int
    visible: int
    reach: int

    def __post_init__(self):
        self.size = self.positions.stop - self.positions.start
        self.num_near = min(self.visible, self.reach)
        self.distances = slice(self.reach - self.num_near, self.reach + self.size - 1)

    def queries_of(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor[self.rows, :, self.positions].flatten(0, 1)

    def keys_of(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor[self.rows, :, : self.visible].flatten(0, 1)

    def embeddings_of(self, table: torch.Tensor) -> torch.Tensor:
        num_rows = self.rows.stop - self.rows.start
        return table[:, self.distances].expand(num_rows, self.heads, -1, -1).flatten(0, 1)

    def by_head(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.unflatten(0, (-1, self.heads))

    def weights(self, query, key, table, attention_mask) -> torch.Tensor:
        """Attention weights of scaled queries: (rows * heads, queries, visible keys)."""
        q = self.queries_of(query)
        relative = torch.bmm(q, self.embeddings_of(table).transpose(1, 2))
        relative[:, :, self.num_near :] = float("-inf")
        scores = torch.bmm(q, self.keys_of(key).transpose(1, 2))
        scores[:, :, -self.num_near :] += self.skewed(relative)
        scores[:, :, : -self.num_near] += relative[:, :, :1]
        if attention_mask is not None:
            self.by_head(scores).add_(self.additive(attention_mask, scores.dtype))
        return scores.softmax(-1)

    def skewed(self, relative: torch.Tensor) -> torch.Tensor:
        """A view of relative scores aligned with the near keys: (rows * heads, queries, near keys)."""
        batch_stride, row_stride, _ = relative.stride()
        return relative.as_strided(
            (len(relative), self.size, self.num_near), (batch_stride, row_stride - 1, 1), self.size - 1
        )

    def unskewed(self, scores: torch.Tensor) -> torch.Tensor:
        """Sums of scores by distance, from scores by key that are 0 after the query."""
        relative = scores.new_zeros((len(scores), self.size, self.num_near + self.size - 1))
        self.skewed(relative).copy_(scores[:, :, -self.num_near :])
        relative[:, :, :1] += scores[:, :, : -self.num_near].sum(-1, keepdim=True)
        return relative

    def additive(self, attention_mask: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        rows = self.rows if attention_mask.shape[0] > 1 else slice(None)
        mask = attention_mask[rows, :, self.positions, : self.visible]
        if mask.dtype != torch.bool:
            return mask.to(dtype)
        # A row without any real key gets finite weights: they count for nothing, but nan would spread. Half of the
        # lowest number, so that float16 does not overflow where scores are added to it.
        return torch.zeros_like(mask, dtype=dtype).masked_fill_(~mask, torch.finfo(dtype).min / 2)
