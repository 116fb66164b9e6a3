"""Blockwise relative attention against a double loop over queries and keys. Float32; tolerance 1e-5 absolute."""

import pytest
import torch
from models.music_transformer import double_loop
from torch.profiler import profile

from neuromusic_hf.models.music_transformer import relative_attention as module
from neuromusic_hf.models.music_transformer.relative_attention import (
    _distance_table,
    attend_in_blocks,
    attend_in_blocks_backward,
    relative_attention,
)

BATCH, HEADS, DIM = 3, 2, 6
SCALING = DIM**-0.5
BELOW, AT, BEYOND, FAR_BEYOND = 20, 13, 5, 1
ONE_ROW, TWO_ROWS, ALL_ROWS = 1, 2 * HEADS * 4 * 13, 2**21


@pytest.fixture(autouse=True)
def blocks_of_four(monkeypatch):
    monkeypatch.setattr(module, "BLOCK_SIZE", 4)


def make_tensors(num_queries, num_keys, num_distances, embedding_heads=HEADS, dtype=torch.float32, batch=BATCH):
    """Query, key, value and embeddings that require gradients."""
    generator = torch.Generator().manual_seed(num_queries)
    shapes = [(batch, HEADS, length, DIM) for length in (num_queries, num_keys, num_keys)]
    shapes.append((embedding_heads, num_distances, DIM))
    return [torch.randn(shape, generator=generator).to(dtype).requires_grad_() for shape in shapes]


def make_mask(shape, kind):
    """A mask that leaves every query the key at its own position."""
    keep = torch.rand(shape, generator=torch.Generator().manual_seed(1)) < 0.6
    keep |= torch.eye(shape[-1], dtype=torch.bool)[-shape[-2] :]
    if kind == "bool":
        return keep
    bias = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    return bias if kind == "bias" else bias.masked_fill(~keep, torch.finfo(torch.float32).min)


def left_padding(lengths, length):
    positions = torch.arange(length)
    real = torch.stack([positions >= length - row for row in lengths])
    return real[:, None, None, :] & (positions <= positions[:, None])


def with_gradients(function, tensors, *arguments):
    output = function(*tensors, *arguments)
    weight = torch.randn(output.shape, generator=torch.Generator().manual_seed(3)).to(output.dtype)
    return output, *torch.autograd.grad(output, tensors, weight)


def assert_equals_double_loop(tensors, mask=None):
    for found, expected in zip(
        with_gradients(relative_attention, tensors, mask, SCALING),
        with_gradients(double_loop.attend, tensors, mask, SCALING),
        strict=True,
    ):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("embedding_heads", [HEADS, 1])
@pytest.mark.parametrize("num_distances", [BELOW, AT, BEYOND, FAR_BEYOND])
@pytest.mark.parametrize("num_queries", [13, 12, 4, 3, 1])
def test_output_and_gradients_equal_a_double_loop(num_queries, num_distances, embedding_heads):
    for num_keys in {num_queries, 13}:
        assert_equals_double_loop(make_tensors(num_queries, num_keys, num_distances, embedding_heads))


@pytest.mark.parametrize("kind", ["bool", "bias", "bias with padding"])
@pytest.mark.parametrize("num_queries", [13, 5])
def test_masks_equal_a_double_loop(num_queries, kind):
    for batch, heads in ((BATCH, 1), (1, 1), (1, HEADS), (BATCH, HEADS)):
        mask = make_mask((batch, heads, num_queries, 13), kind)
        assert_equals_double_loop(make_tensors(num_queries, 13, BEYOND), mask)


@pytest.mark.parametrize("scores_in_memory", [ONE_ROW, TWO_ROWS, ALL_ROWS])
@pytest.mark.parametrize("block_size", [1, 4, 5, 13, 128])
def test_the_result_does_not_depend_on_the_size_of_the_blocks(monkeypatch, block_size, scores_in_memory):
    monkeypatch.setattr(module, "BLOCK_SIZE", block_size)
    monkeypatch.setitem(module.SCORES_IN_MEMORY, "cpu", scores_in_memory)
    mask = make_mask((BATCH, 1, 13, 13), "bool")
    assert_equals_double_loop(make_tensors(13, 13, BEYOND), mask)
    assert_equals_double_loop(make_tensors(7, 13, BEYOND, embedding_heads=1), mask[:, :, -7:])


def test_the_blocks_that_are_shipped_equal_a_double_loop(monkeypatch):
    monkeypatch.undo()
    length = module.BLOCK_SIZE + 2
    assert_equals_double_loop(make_tensors(length, length, 50, batch=1))


def test_tensors_need_not_be_contiguous():
    tensors = make_tensors(13, 13, BEYOND)
    strided = [tensor.detach().transpose(1, 2).contiguous().transpose(1, 2).requires_grad_() for tensor in tensors]
    assert not any(tensor.is_contiguous() for tensor in strided)
    grads = torch.autograd.grad(relative_attention(*strided, None, SCALING).sum(), strided)
    expected = torch.autograd.grad(double_loop.attend(*tensors, None, SCALING).sum(), tensors)
    torch.testing.assert_close(grads, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("embedding_heads", [HEADS, 1])
@pytest.mark.parametrize(("num_queries", "kind"), [(5, None), (5, "bool"), (3, "bias")])
def test_gradients_equal_finite_differences_in_float64(num_queries, kind, embedding_heads):
    tensors = make_tensors(num_queries, 5, 4, embedding_heads, dtype=torch.float64, batch=1)
    mask = None if kind is None else make_mask((1, 1, num_queries, 5), kind)
    assert torch.autograd.gradcheck(lambda *inputs: relative_attention(*inputs, mask, SCALING), tensors)


@pytest.mark.parametrize("kind", [None, "bool", "bias"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_operators_keep_the_rules_of_torch(kind, dtype):
    mask = None if kind is None else make_mask((BATCH, 1, 5, 13), kind)
    query, key, value, embeddings = make_tensors(5, 13, BEYOND, dtype=dtype)
    table = _distance_table(embeddings, block_size=4, num_keys=13).detach().requires_grad_()
    arguments = (query, key, value, table, mask, 4, SCALING)
    torch.library.opcheck(attend_in_blocks, arguments)
    detached = [tensor.detach() for tensor in arguments[:4]]
    torch.library.opcheck(attend_in_blocks_backward, (torch.ones_like(query), *detached, mask, 4, SCALING))


@pytest.mark.parametrize("length", [13, 12])
def test_nothing_comes_from_the_future(length):
    query, key, value, embeddings = make_tensors(length, length, length)
    padded = left_padding([length, length - 3, 2], length)
    for mask in (None, padded):
        output = relative_attention(query, key, value, embeddings, mask, SCALING)
        for position in (0, 4, length - 2):
            grads = torch.autograd.grad(output[:, :, position].sum(), (key, value, embeddings), retain_graph=True)
            assert all((grad[..., position + 1 :, :] == 0).all() for grad in grads)
            assert (grads[1][0, :, : position + 1] != 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_rows_without_any_real_key_are_finite_and_count_for_nothing(dtype):
    """Also where scores are so large that a float16 sum with its lowest number overflows."""
    lengths = (13, 6, 1)
    mask = left_padding(lengths, 13)
    real = mask[:, 0, -1]
    for scale in (1, 30):
        query, key, value, embeddings = make_tensors(13, 13, BEYOND, dtype=dtype)
        with torch.no_grad():
            query *= scale
            key *= scale
        tensors = (query, key, value, embeddings)
        everywhere = with_gradients(relative_attention, tensors, mask, SCALING)
        assert all(tensor.isfinite().all() for tensor in everywhere)

        output = relative_attention(*tensors, mask, SCALING)
        grads = torch.autograd.grad(output, tensors, torch.randn_like(output) * real[:, None, :, None])
        assert all((grad.transpose(1, 2)[~real] == 0).all() for grad in grads[:3])
        for row, length in enumerate(lengths):
            alone = [tensor[row : row + 1, :, -length:] for tensor in tensors[:3]]
            expected = relative_attention(*alone, embeddings, None, SCALING)[0]
            torch.testing.assert_close(output[row, :, -length:], expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", [None, "bool", "bias"])
def test_bfloat16_is_close_to_float32(kind):
    """Within 0.03 of tensors of order 1, gradients of float32 embeddings in float32."""
    mask = None if kind is None else make_mask((BATCH, 1, 13, 13), kind)
    half = make_tensors(13, 13, BEYOND, dtype=torch.bfloat16)
    full = [tensor.detach().float().requires_grad_() for tensor in half]
    half[3] = full[3].detach().requires_grad_()
    found = with_gradients(relative_attention, half, mask, SCALING)
    expected = with_gradients(relative_attention, full, mask, SCALING)
    assert [tensor.dtype for tensor in found] == [*[torch.bfloat16] * 4, torch.float32]
    for ours, reference in zip(found, expected, strict=True):
        assert (ours.float() - reference).abs().max() < 0.03 * max(1, reference.abs().max())


def test_bfloat16_gradients_are_as_precise_from_many_blocks_as_from_one(monkeypatch):
    half = make_tensors(200, 200, 50, embedding_heads=1, dtype=torch.bfloat16)
    full = [tensor.detach().float().requires_grad_() for tensor in half]
    expected = with_gradients(relative_attention, full, None, SCALING)
    errors = []
    for block_size, scores_in_memory in ((200, ALL_ROWS), (4, ONE_ROW)):
        monkeypatch.setattr(module, "BLOCK_SIZE", block_size)
        monkeypatch.setitem(module.SCORES_IN_MEMORY, "cpu", scores_in_memory)
        found = with_gradients(relative_attention, half, None, SCALING)
        errors.append([(ours.float() - exact).norm() for ours, exact in zip(found, expected, strict=True)])
    assert all(many < 1.2 * one for one, many in zip(*errors, strict=True)), errors


def largest_allocations(length):
    """Bytes of the largest allocation of the forward and of the backward pass, and of what is kept in between."""
    query, key, value, embeddings = make_tensors(length, length, 64, embedding_heads=1, batch=2)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor.nbytes) or tensor, lambda x: x):
        with profile(profile_memory=True) as forward:
            output = relative_attention(query, key, value, embeddings, None, SCALING)
    with profile(profile_memory=True) as backward:
        output.sum().backward()
    largest = [max(event.self_cpu_memory_usage for event in run.events()) for run in (forward, backward)]
    return *largest, max(kept)


def test_memory_grows_with_the_number_of_keys_and_not_with_its_square(monkeypatch):
    monkeypatch.setattr(module, "BLOCK_SIZE", 16)
    monkeypatch.setitem(module.SCORES_IN_MEMORY, "cpu", 1)
    short, long = largest_allocations(128), largest_allocations(512)
    assert all(size < 4.5 * quarter for size, quarter in zip(long, short, strict=True))
    assert max(long) < HEADS * 512 * 512 * 4 / 4
