"""Checks written once and run on every family of models. Tiny random models, float32; tolerance 1e-4 absolute."""

import pytest
import torch
from transformers import DynamicCache, StaticCache

PAD = 0
CHUNKS = {"token by token": [1] * 13, "in chunks": [5, 1, 4, 3], "a prompt, then token by token": [9, 1, 1, 1, 1]}


def new_cache(kind, model):
    return DynamicCache(config=model.config) if kind == "dynamic" else StaticCache(model.config, max_cache_len=17)


def alone(model, rows):
    """The naive reference: every row on its own, without padding or cache."""
    return [model(row[None], use_cache=False).logits[0] for row in rows]


def with_cache(model, batch, mask, positions, cache, sizes):
    """Logits of a batch that is read in pieces of `sizes` tokens."""
    logits, start = [], cache.get_seq_length()
    for size in sizes:
        stop = start + size
        output = model(
            batch[:, start:stop],
            attention_mask=mask[:, :stop],
            position_ids=positions[:, start:stop],
            past_key_values=cache,
            use_cache=True,
        )
        logits.append(output.logits)
        start = stop
    assert output.past_key_values is cache and cache.get_seq_length() == stop
    return torch.cat(logits, dim=1)


def assert_same_where_real(logits, mask, expected, tolerance=1e-4):
    for row, real, reference in zip(logits, mask.bool(), expected, strict=True):
        torch.testing.assert_close(row[real], reference, atol=tolerance, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("implementation", ["eager", "sdpa"])
@pytest.mark.parametrize("cache", ["dynamic", "static"])
@pytest.mark.parametrize("sizes", CHUNKS.values(), ids=CHUNKS)
def test_logits_with_cache_and_left_padding_equal_one_pass(model, rows, pad, sizes, cache, implementation):
    model.set_attn_implementation(implementation)
    batch, mask, positions = pad(rows)
    logits = with_cache(model, batch, mask, positions, new_cache(cache, model), sizes)
    assert_same_where_real(logits, mask, alone(model, rows))


@torch.no_grad()
@pytest.mark.parametrize("cache", ["dynamic", "static"])
@pytest.mark.parametrize("sizes", CHUNKS.values(), ids=CHUNKS)
def test_logits_with_cache_and_no_mask_equal_one_pass(model, rows, sizes, cache):
    expected, cache, logits = alone(model, rows[:1])[0], new_cache(cache, model), []
    for piece in rows[0][None].split(sizes, dim=1):
        logits.append(model(piece, past_key_values=cache).logits[0])
    torch.testing.assert_close(torch.cat(logits), expected, atol=1e-4, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("cache", ["dynamic", "static"])
def test_logits_after_the_cache_is_reordered_equal_those_of_the_reordered_rows(model, rows, pad, cache):
    batch, mask, positions = pad(rows)
    cache, order = new_cache(cache, model), torch.tensor([1, 1, 0])
    with_cache(model, batch[:, :9], mask, positions, cache, [6, 3])
    cache.reorder_cache(order)
    mask, positions = mask[order], positions[order]
    rest = torch.stack([batch[1], batch[2], batch[0]])
    reordered = torch.cat([batch[order, :9], rest[:, 9:]], dim=1)
    logits = with_cache(model, reordered, mask, positions, cache, [1, 3])
    expected = alone(model, [row[real] for row, real in zip(reordered, mask.bool(), strict=True)])
    assert_same_where_real(logits, mask[:, 9:], [row[-4:] for row in expected])


@torch.no_grad()
@pytest.mark.parametrize("cache", ["dynamic", "static"])
def test_bfloat16_logits_with_cache_are_close_to_one_pass(model, rows, pad, cache):
    """Logits of standard deviation 2: within 0.2 of one pass on any CPU, on average as far from float32 as it."""
    batch, mask, positions = pad(rows)
    exact = torch.cat(alone(model, rows))
    model.to(torch.bfloat16)
    expected = alone(model, rows)
    logits = with_cache(model, batch, mask, positions, new_cache(cache, model), CHUNKS["in chunks"])
    assert logits.dtype == torch.bfloat16
    assert_same_where_real(logits, mask, expected, tolerance=0.2)
    errors = [(found - exact).abs().mean() for found in (torch.cat(expected), logits[mask.bool()])]
    assert errors[1] < 1.2 * errors[0]


@torch.no_grad()
@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_changes_no_logits_of_real_tokens(model, rows, pad, side):
    batch, mask, positions = pad(rows, side)
    expected = alone(model, rows)
    for filler in (PAD, 7):
        filled = torch.where(mask.bool(), batch, filler)
        assert_same_where_real(model(filled, attention_mask=mask, position_ids=positions).logits, mask, expected)


@torch.no_grad()
def test_right_padding_needs_no_mask_to_leave_real_tokens_alone(model, rows, pad):
    batch, mask, _ = pad(rows, "right")
    assert_same_where_real(model(batch).logits, mask, alone(model, rows))


def test_sdpa_equals_eager(model, rows, pad):
    batch, mask, positions = pad(rows)
    labels = torch.where(positions > 0, batch, -100)
    logits, grads = {}, {}
    for implementation in ("eager", "sdpa"):
        model.set_attn_implementation(implementation)
        model.zero_grad()
        output = model(batch, attention_mask=mask, position_ids=positions, labels=labels)
        output.loss.backward()
        logits[implementation] = output.logits[mask.bool()]
        grads[implementation] = {name: parameter.grad for name, parameter in model.named_parameters()}
    torch.testing.assert_close(logits["sdpa"], logits["eager"], atol=1e-4, rtol=0)
    torch.testing.assert_close(grads["sdpa"], grads["eager"], atol=1e-4, rtol=0)


@pytest.mark.parametrize("implementation", ["eager", "sdpa"])
def test_no_gradient_comes_from_the_future(model, rows, implementation):
    model.set_attn_implementation(implementation)
    embeddings = model.get_input_embeddings()(rows[0][None]).detach().requires_grad_()
    logits = model(inputs_embeds=embeddings).logits
    for position in (0, 5, len(rows[0]) - 1):
        (gradient,) = torch.autograd.grad(logits[0, position].square().sum(), embeddings, retain_graph=True)
        reach = gradient[0].abs().sum(-1)
        assert (reach[position + 1 :] == 0).all()
        assert (reach[: position + 1] > 0).all()


def test_no_gradient_comes_from_padding(model, rows, pad):
    batch, mask, positions = pad(rows)
    embeddings = model.get_input_embeddings()(batch).detach().requires_grad_()
    logits = model(inputs_embeds=embeddings, attention_mask=mask, position_ids=positions).logits
    (gradient,) = torch.autograd.grad(logits[mask.bool()].square().sum(), embeddings)
    reach = gradient.abs().sum(-1)
    assert (reach[~mask.bool()] == 0).all() and (reach[mask.bool()] > 0).all()


@torch.no_grad()
def test_labels_are_shifted_once_and_padding_never_counts(model, rows, pad):
    batch, mask, _ = pad(rows, "right")
    loss = model(batch, attention_mask=mask, labels=torch.where(mask.bool(), batch, -100)).loss
    log_probabilities = [logits.log_softmax(-1) for logits in alone(model, rows)]
    nats = [
        -scores[t, row[t + 1]]
        for row, scores in zip(rows, log_probabilities, strict=True)
        for t in range(len(row) - 1)
    ]
    assert len(nats) == sum(map(len, rows)) - len(rows)
    torch.testing.assert_close(loss, torch.stack(nats).mean(), atol=1e-5, rtol=0)


def test_every_parameter_learns(model, rows):
    model.train()
    model(rows[0][None], labels=rows[0][None]).loss.backward()
    still = [name for name, parameter in model.named_parameters() if not parameter.grad.abs().sum() > 0]
    assert not still
