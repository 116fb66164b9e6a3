"""Checks written once and run on every family of models. Tiny random models, float32; tolerance 1e-5 absolute."""

import pytest
import torch

PAD = 0
LENGTHS = (13, 8, 3)


@pytest.fixture
def model(family, tiny_model):
    return tiny_model(family)


@pytest.fixture
def rows(remi):
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(3, remi.vocab_size, (length,), generator=generator) for length in LENGTHS]


def padded(rows, side):
    """Rows as one batch, with its attention mask and the positions of the real tokens."""
    batch = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PAD, padding_side=side)
    ones = [torch.ones_like(row) for row in rows]
    mask = torch.nn.utils.rnn.pad_sequence(ones, batch_first=True, padding_value=0, padding_side=side)
    return batch, mask, (mask.cumsum(1) - 1).clamp(min=0)


def alone(model, rows):
    """The naive reference: every row on its own, without padding or cache."""
    return [model(row[None], use_cache=False).logits[0] for row in rows]


def assert_same_where_real(logits, mask, expected):
    for row, real, reference in zip(logits, mask.bool(), expected, strict=True):
        torch.testing.assert_close(row[real], reference, atol=1e-5, rtol=0)


@torch.no_grad()
def test_logits_token_by_token_with_cache_and_left_padding_equal_one_pass(model, rows):
    batch, mask, positions = padded(rows, "left")
    cache, steps = None, []
    for step in range(batch.shape[1]):
        now = slice(step, step + 1)
        output = model(
            batch[:, now],
            attention_mask=mask[:, : step + 1],
            position_ids=positions[:, now],
            past_key_values=cache,
            use_cache=True,
        )
        cache = output.past_key_values
        steps.append(output.logits)
    assert cache.get_seq_length() == batch.shape[1]
    assert_same_where_real(torch.cat(steps, dim=1), mask, alone(model, rows))


@torch.no_grad()
@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_changes_no_logits_of_real_tokens(model, rows, side):
    batch, mask, positions = padded(rows, side)
    expected = alone(model, rows)
    for filler in (PAD, 7):
        filled = torch.where(mask.bool(), batch, filler)
        assert_same_where_real(model(filled, attention_mask=mask, position_ids=positions).logits, mask, expected)


@torch.no_grad()
def test_right_padding_needs_no_mask_to_leave_real_tokens_alone(model, rows):
    batch, mask, _ = padded(rows, "right")
    assert_same_where_real(model(batch).logits, mask, alone(model, rows))


@torch.no_grad()
def test_a_padded_batch_generates_what_each_row_generates_alone(model, rows):
    batch, mask, _ = padded(rows, "left")
    together = model.generate(batch, attention_mask=mask, max_new_tokens=12, do_sample=False, eos_token_id=None)
    for row, generated in zip(rows, together, strict=True):
        ids = row
        for _ in range(12):
            ids = torch.cat([ids, model(ids[None], use_cache=False).logits[0, -1].argmax()[None]])
        assert generated[-12:].tolist() == ids[-12:].tolist()


def test_no_gradient_comes_from_the_future(model, rows):
    embeddings = model.get_input_embeddings()(rows[0][None]).detach().requires_grad_()
    logits = model(inputs_embeds=embeddings).logits
    for position in (0, 5, len(rows[0]) - 1):
        (gradient,) = torch.autograd.grad(logits[0, position].square().sum(), embeddings, retain_graph=True)
        reach = gradient[0].abs().sum(-1)
        assert (reach[position + 1 :] == 0).all()
        assert (reach[: position + 1] > 0).all()


@torch.no_grad()
def test_labels_are_shifted_once_and_padding_never_counts(model, rows):
    batch, mask, _ = padded(rows, "right")
    loss = model(batch, attention_mask=mask, labels=torch.where(mask.bool(), batch, -100)).loss
    log_probabilities = [logits.log_softmax(-1) for logits in alone(model, rows)]
    nats = [
        -scores[t, row[t + 1]]
        for row, scores in zip(rows, log_probabilities, strict=True)
        for t in range(len(row) - 1)
    ]
    assert len(nats) == sum(LENGTHS) - len(LENGTHS)
    torch.testing.assert_close(loss, torch.stack(nats).mean(), atol=1e-5, rtol=0)


def test_every_parameter_learns(model, rows):
    model.train()
    model(rows[0][None], labels=rows[0][None]).loss.backward()
    still = [name for name, parameter in model.named_parameters() if not parameter.grad.abs().sum() > 0]
    assert not still
