"""Relative attention as the paper defines it, one pair of a query and a key at a time."""

import torch


def attend(query, key, value, embeddings, attention_mask=None, scaling=1.0):
    """Arguments and result are those of `relative_attention`."""
    queries, keys, values = (tensor.unbind(2) for tensor in (query, key, value))
    embeddings = embeddings.unbind(1)
    outputs = []
    for i, q in enumerate(queries):
        position = len(keys) - len(queries) + i
        scores = []
        for j in range(position + 1):
            score = (q * (keys[j] + embeddings[min(position - j, len(embeddings) - 1)])).sum(-1) * scaling
            if attention_mask is not None:
                mask = attention_mask[:, :, i, j]
                score = score.masked_fill(~mask, float("-inf")) if mask.dtype == torch.bool else score + mask
            scores.append(score)
        weights = torch.stack(scores, dim=-1).softmax(-1).unbind(-1)
        outputs.append(sum(weights[j][..., None] * values[j] for j in range(position + 1)))
    return torch.stack(outputs, dim=2)
