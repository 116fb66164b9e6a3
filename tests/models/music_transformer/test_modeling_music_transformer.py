"""The Music Transformer against a model written out, and what it adds to transformers. Tolerance 1e-5 absolute."""

import json
import math

import pytest
import torch
from models.music_transformer import double_loop
from safetensors.torch import load_file, save_file
from torch.nn import functional
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

from neuromusic_hf.models.music_transformer import (
    MusicTransformerConfig,
    MusicTransformerForCausalLM,
    MusicTransformerModel,
    relative_attention,
)

VOCAB, DISTANCES, CONTEXT = 37, 7, 16
BELOW, AT, BEYOND, PAST_THE_CONTEXT = 5, 7, 13, 19


def make_model(**changes):
    """Tiny, with weights wide enough that a wrong distance shows."""
    sizes = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 40}
    lengths = {"max_position_embeddings": CONTEXT, "max_relative_distance": DISTANCES}
    torch.manual_seed(0)
    config = MusicTransformerConfig(**{"vocab_size": VOCAB, "initializer_range": 0.2} | sizes | lengths | changes)
    return MusicTransformerForCausalLM(config).eval()


def make_ids(length, batch=2):
    return torch.randint(3, VOCAB, (batch, length), generator=torch.Generator().manual_seed(length))


@pytest.fixture(autouse=True)
def blocks_of_four(monkeypatch):
    monkeypatch.setattr(relative_attention, "BLOCK_SIZE", 4)


def paper_positions(length, hidden_size):
    """Vaswani et al. 2017, section 3.5: PE(pos, 2i) = sin(pos / 10000^(2i / d)), PE(pos, 2i + 1) its cosine."""
    table = torch.empty(length, hidden_size)
    for position in range(length):
        for channel in range(hidden_size):
            angle = position / 10_000 ** ((channel - channel % 2) / hidden_size)
            table[position, channel] = math.cos(angle) if channel % 2 else math.sin(angle)
    return table


def written_out(model, ids):
    """Logits from the weights of `model` and none of its code."""
    config, decoder = model.config, model.model
    heads, head_dim = config.num_attention_heads, config.hidden_size // config.num_attention_heads

    def normed(x, norm):
        variance, mean = torch.var_mean(x, dim=-1, keepdim=True, correction=0)
        return (x - mean) / torch.sqrt(variance + config.layer_norm_eps) * norm.weight + norm.bias

    def linear(x, layer):
        return x @ layer.weight.T + layer.bias

    hidden = decoder.embed_tokens.weight[ids]
    if config.sinusoidal_positions:
        hidden = hidden * math.sqrt(config.hidden_size) + paper_positions(ids.shape[1], config.hidden_size)
    for layer in decoder.layers:
        attention, x = layer.self_attn, normed(hidden, layer.input_layernorm)
        query, key, value = (
            torch.stack(linear(x, projection).split(head_dim, dim=-1), dim=1)
            for projection in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        embeddings = attention.relative_positions.weight
        attended = double_loop.attend(query, key, value, embeddings, scaling=1 / math.sqrt(head_dim))
        hidden = hidden + linear(torch.cat([attended[:, head] for head in range(heads)], dim=-1), attention.o_proj)
        x = normed(hidden, layer.post_attention_layernorm)
        hidden = hidden + linear(
            functional.gelu(linear(x, layer.mlp.up_proj), approximate="tanh"), layer.mlp.down_proj
        )
    return normed(hidden, decoder.norm) @ decoder.embed_tokens.weight.T


@pytest.mark.parametrize("length", [BELOW, AT, BEYOND, PAST_THE_CONTEXT])
@pytest.mark.parametrize("shared_relative_embeddings", [False, True])
@pytest.mark.parametrize("sinusoidal_positions", [False, True])
@pytest.mark.parametrize("implementation", ["eager", "sdpa"])
def test_logits_and_gradients_equal_the_model_written_out(
    implementation, sinusoidal_positions, shared_relative_embeddings, length
):
    model = make_model(
        sinusoidal_positions=sinusoidal_positions, shared_relative_embeddings=shared_relative_embeddings
    )
    model.set_attn_implementation(implementation)
    ids = make_ids(length)
    found, expected = model(ids).logits, written_out(model, ids)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    names, parameters = zip(*model.named_parameters(), strict=True)
    losses = [functional.cross_entropy(logits[:, :-1].transpose(1, 2), ids[:, 1:]) for logits in (found, expected)]
    for name, ours, reference in zip(names, *(torch.autograd.grad(loss, parameters) for loss in losses), strict=True):
        torch.testing.assert_close(ours, reference, atol=1e-5, rtol=0, msg=lambda text, name=name: f"{name}: {text}")


@torch.no_grad()
def test_relative_embeddings_matter():
    model, ids = make_model(), make_ids(BEYOND)
    logits = model(ids).logits
    for layer in model.model.layers:
        layer.self_attn.relative_positions.weight.copy_(layer.self_attn.relative_positions.weight.roll(1, dims=1))
    assert (model(ids).logits - logits).abs().mean() > 0.05


@torch.no_grad()
def test_sinusoidal_positions_are_those_of_the_paper_wherever_the_tokens_lie():
    model = make_model(sinusoidal_positions=True)
    given = {}
    model.model.dropout.register_forward_pre_hook(lambda _, inputs: given.update(x=inputs[0]))
    ids = make_ids(12)
    tokens = model.model.embed_tokens(ids) * math.sqrt(model.config.hidden_size)
    table = paper_positions(40, model.config.hidden_size)
    model(ids)
    torch.testing.assert_close(given["x"] - tokens, table[:12].expand_as(tokens), atol=1e-5, rtol=0)
    positions = torch.stack([torch.arange(12) + 20, torch.arange(12).flip(0)])
    model(ids, position_ids=positions)
    torch.testing.assert_close(given["x"] - tokens, table[positions], atol=1e-5, rtol=0)


@torch.no_grad()
def test_without_sinusoidal_positions_the_logits_do_not_depend_on_where_a_piece_starts():
    model, ids = make_model(), make_ids(12, batch=1)
    moved = model(ids, position_ids=torch.arange(12)[None] + 5).logits
    torch.testing.assert_close(moved, model(ids).logits, atol=0, rtol=0)


@pytest.mark.parametrize("implementation", ["eager", "sdpa"])
def test_attention_dropout_is_used_in_training_and_its_mean_is_the_attention_without(implementation):
    model = make_model(attention_dropout=0.5)
    model.set_attn_implementation(implementation)
    attention = model.model.layers[0].self_attn
    hidden = torch.randn(1, 10, model.config.hidden_size, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(10, 10).masked_fill(torch.ones(10, 10).triu(1).bool(), float("-inf"))[None, None]
    without, _ = attention(hidden, attention_mask=mask)
    repeated, _ = attention.train()(hidden.expand(8000, -1, -1), attention_mask=mask)
    assert (repeated.std(0) > 0.01).all()
    error = (repeated.mean(0) - without[0]).abs()
    assert (error < 6 * repeated.std(0) / math.sqrt(8000)).all()


def test_a_model_with_attention_dropout_learns():
    model = make_model(attention_dropout=0.3, hidden_dropout=0.0).train()
    before = [layer.self_attn.relative_positions.weight.clone() for layer in model.model.layers]
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(20):
        loss = model(make_ids(BEYOND), labels=make_ids(BEYOND)).loss
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.5 * losses[0]
    for weight, layer in zip(before, model.model.layers, strict=True):
        assert (layer.self_attn.relative_positions.weight != weight).all()


@torch.no_grad()
def test_attention_weights_are_causal_and_sum_to_one():
    model, ids = make_model(), make_ids(BEYOND)
    model.set_attn_implementation("eager")
    mask = torch.ones_like(ids)
    mask[1, :4] = 0
    output = model(ids, attention_mask=mask, output_attentions=True, output_hidden_states=True)
    assert len(output.attentions) == 2 and len(output.hidden_states) == 3
    for weights in output.attentions:
        assert weights.shape == (2, 3, BEYOND, BEYOND)
        torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3, BEYOND), atol=1e-5, rtol=0)
        assert (weights[0].triu(1) == 0).all() and (weights[0][:, torch.ones(BEYOND, BEYOND).tril().bool()] > 0).all()
        assert (weights[1, :, 4:, :4] == 0).all()


@pytest.mark.parametrize(("name", "words"), [("flash_attention_2", "Flash Attention 2"), ("flex_attention", "flex")])
def test_implementations_without_relative_scores_are_refused(name, words, tmp_path):
    message = f"MusicTransformerForCausalLM does not support .*{words}"
    model = make_model()
    with pytest.raises(ValueError, match=message):
        model.set_attn_implementation(name)
    assert model.config._attn_implementation == "sdpa"
    model.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=message):
        MusicTransformerForCausalLM.from_pretrained(tmp_path, attn_implementation=name)
    with pytest.raises(ValueError, match=message):
        AutoModelForCausalLM.from_config(model.config, attn_implementation=name)


def test_heads_have_embeddings_of_their_own_unless_they_share_them():
    for shared, heads in ((False, 3), (True, 1)):
        model = make_model(shared_relative_embeddings=shared)
        shapes = [layer.self_attn.relative_positions.weight.shape for layer in model.model.layers]
        assert shapes == [(heads, DISTANCES, 8)] * 2


@pytest.mark.parametrize(
    ("changes", "millions"),
    [
        ({}, 57.7),
        ({"max_relative_distance": 1024}, 66.6),
        ({"max_relative_distance": 1024, "shared_relative_embeddings": True}, 57.9),
    ],
)
def test_number_of_parameters_of_the_full_size(changes, millions):
    with torch.device("meta"):
        model = MusicTransformerForCausalLM(MusicTransformerConfig(**changes))
    assert model.num_parameters() / 1e6 == pytest.approx(millions, abs=0.05)


@pytest.mark.parametrize(
    "name",
    [
        *("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"),
        *("max_position_embeddings", "max_relative_distance"),
    ],
)
@pytest.mark.parametrize("size", [0, -3])
def test_a_size_below_one_is_an_error_that_names_it(name, size):
    with pytest.raises(ValueError, match=f"{name} is {size}: it must be 1 or more|{name} .* positive"):
        MusicTransformerConfig(**{name: size})


def test_a_width_that_the_heads_cannot_share_is_an_error():
    with pytest.raises(ValueError, match=r"hidden_size \(30\) must be a multiple of num_attention_heads \(4\)"):
        MusicTransformerConfig(hidden_size=30, num_attention_heads=4)


def test_a_config_survives_json(tmp_path):
    changes = {"max_relative_distance": 9, "shared_relative_embeddings": True, "sinusoidal_positions": True}
    config = MusicTransformerConfig(hidden_size=48, attention_dropout=0.25, eos_token_id=[2, 7], **changes)
    config.save_pretrained(tmp_path)
    for loaded in (MusicTransformerConfig.from_pretrained(tmp_path), AutoConfig.from_pretrained(tmp_path)):
        assert type(loaded) is MusicTransformerConfig
        assert loaded.to_diff_dict() == config.to_diff_dict()
        assert {name: getattr(loaded, name) for name in changes} == changes


def test_exactly_one_of_ids_and_embeddings_is_taken():
    model, ids = make_model(), make_ids(4)
    for inputs in ({}, {"input_ids": ids, "inputs_embeds": model.get_input_embeddings()(ids)}):
        with pytest.raises(ValueError, match="exactly one of input_ids or inputs_embeds"):
            model(**inputs)


def test_a_paged_cache_is_refused():
    """Its attention functions leave out relative scores without a word."""
    with pytest.raises(ValueError, match="call generate, not generate_batch"):
        make_model()(make_ids(4), cache=object())


@torch.no_grad()
def test_only_the_logits_asked_for_are_computed():
    model, ids = make_model(), make_ids(9)
    logits = model(ids).logits
    torch.testing.assert_close(model(ids, logits_to_keep=2).logits, logits[:, -2:], atol=1e-5, rtol=0)
    chosen = torch.tensor([0, 3])
    torch.testing.assert_close(model(ids, logits_to_keep=chosen).logits, logits[:, chosen], atol=1e-5, rtol=0)


def test_initial_weights_have_the_spread_of_their_role():
    model = make_model(
        hidden_size=96, intermediate_size=192, num_hidden_layers=8, max_relative_distance=64, initializer_range=0.02
    )
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            assert (parameter == 0).all(), name
        elif "norm" in name:
            assert (parameter == 1).all(), name
        else:
            residual = name.endswith(("o_proj.weight", "down_proj.weight"))
            std = 0.02 / math.sqrt(2 * 8) if residual else 0.02
            assert parameter.std().item() == pytest.approx(std, rel=0.05), name
            assert abs(parameter.mean()) < 5 * std / math.sqrt(parameter.numel()), name
    assert (model.model.embed_tokens.weight[0] == 0).all()
    assert model.lm_head.weight is model.model.embed_tokens.weight


def test_loaded_weights_are_the_saved_ones_and_missing_ones_are_initialised(tmp_path):
    model = make_model()
    model.save_pretrained(tmp_path)
    saved = load_file(tmp_path / "model.safetensors")
    loaded = MusicTransformerForCausalLM.from_pretrained(tmp_path)
    assert loaded.state_dict().keys() == model.state_dict().keys()
    assert all(torch.equal(loaded.state_dict()[name], weight) for name, weight in model.state_dict().items())
    assert loaded.lm_head.weight is loaded.model.embed_tokens.weight

    kept = {name: weight for name, weight in saved.items() if "relative_positions" not in name}
    assert len(kept) == len(saved) - 2
    save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    partial = MusicTransformerForCausalLM.from_pretrained(tmp_path)
    assert all(torch.equal(partial.state_dict()[name], weight) for name, weight in kept.items())
    for layer in partial.model.layers:
        assert layer.self_attn.relative_positions.weight.std().item() == pytest.approx(0.2, rel=0.2)


def test_the_auto_classes_know_the_model(tmp_path):
    model = make_model()
    model.save_pretrained(tmp_path)
    config = AutoConfig.from_pretrained(tmp_path)
    assert type(config) is MusicTransformerConfig is type(AutoConfig.for_model("music_transformer"))
    assert type(AutoModelForCausalLM.from_config(config)) is MusicTransformerForCausalLM
    assert type(AutoModelForCausalLM.from_pretrained(tmp_path)) is MusicTransformerForCausalLM
    decoder = AutoModel.from_pretrained(tmp_path).eval()
    assert type(decoder) is MusicTransformerModel is type(AutoModel.from_config(config))
    ids = make_ids(9)
    expected = model(ids, output_hidden_states=True).hidden_states[-1]
    torch.testing.assert_close(decoder(ids).last_hidden_state, expected, atol=1e-5, rtol=0)


def test_a_saved_model_ships_its_code(tmp_path):
    make_model().save_pretrained(tmp_path)
    shipped = {"configuration_music_transformer.py", "modeling_music_transformer.py", "relative_attention.py"}
    assert {path.name for path in tmp_path.rglob("*.py")} == shipped
    assert json.loads((tmp_path / "config.json").read_text())["auto_map"] == {
        "AutoConfig": "configuration_music_transformer.MusicTransformerConfig",
        "AutoModelForCausalLM": "modeling_music_transformer.MusicTransformerForCausalLM",
    }
