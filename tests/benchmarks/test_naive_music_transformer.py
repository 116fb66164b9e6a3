"""benchmarks/naive_music_transformer.py is the model that it is timed beside."""

import torch
from tiny import ALL_DIFFERENT
from torch import nn

from neuromusic_hf.models import MusicTransformerConfig, MusicTransformerForCausalLM


def test_the_naive_model_has_the_loss_of_ours(load_benchmark):
    torch.manual_seed(0)
    length = 20
    naive = load_benchmark("naive_music_transformer").NaiveMusicTransformer(50, length, dropout=0.0, **ALL_DIFFERENT)
    config = MusicTransformerConfig(
        vocab_size=50,
        max_position_embeddings=length,
        hidden_act="relu",
        max_relative_distance=length,
        shared_relative_embeddings=True,
        **ALL_DIFFERENT,
    )
    ours = MusicTransformerForCausalLM(config)
    layers = zip(ours.model.layers, naive.layers, strict=True)
    kinds = (nn.Linear, nn.LayerNorm)
    with torch.no_grad():
        ours.model.embed_tokens.weight.copy_(naive.embedding.weight)
        for layer, peer in layers:
            layer.self_attn.relative_positions.weight.copy_(peer.attention.distances.flip(0))
            mine, theirs = ([part for part in module.modules() if isinstance(part, kinds)] for module in (layer, peer))
            for part, source in zip(mine, theirs, strict=True):
                part.load_state_dict(source.state_dict())
    assert sum(weight.numel() for weight in naive.parameters()) == ours.num_parameters()
    input_ids = torch.randint(3, 50, (2, length))
    found, expected = (model(input_ids=input_ids, labels=input_ids) for model in (naive, ours))
    torch.testing.assert_close(found.logits, expected.logits, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.loss, expected.loss, rtol=1e-4, atol=1e-4)
