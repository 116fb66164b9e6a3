"""generate() in its modes, on every family of models, against loops that read every row alone and without a cache."""

import pytest
import torch
from transformers import StoppingCriteria, StoppingCriteriaList

NEW_TOKENS = 12


@pytest.fixture
def generate(model, rows, pad):
    """Generates from the left-padded batch of `rows`; returns the new ids, or all of the output."""
    batch, mask, _ = pad(rows)

    def generate(**options):
        options = {"max_new_tokens": NEW_TOKENS, "eos_token_id": None, "do_sample": False} | options
        output = model.generate(batch, attention_mask=mask, **options)
        assert torch.equal(output[:, : batch.shape[1]], batch.repeat_interleave(len(output) // len(batch), dim=0))
        return output[:, batch.shape[1] :]

    return generate


@pytest.fixture
def greedy(model, rows):
    """The most probable continuation of every row, found with one forward pass a token."""
    continuations = []
    with torch.no_grad():
        for row in rows:
            ids = row
            for _ in range(NEW_TOKENS):
                ids = torch.cat([ids, model(ids[None], use_cache=False).logits[0, -1].argmax()[None]])
            continuations.append(ids[len(row) :])
    return torch.stack(continuations)


def sampled(generate, seed, **options):
    torch.manual_seed(seed)
    return generate(do_sample=True, top_k=0, **options)


@torch.no_grad()
def mean_log_probability(model, row, new):
    log_probabilities = model(torch.cat([row, new])[None], use_cache=False).logits[0].log_softmax(-1)
    return log_probabilities[len(row) - 1 : -1].gather(1, new[:, None]).mean()


CACHES = {"dynamic": {}, "static": {"cache_implementation": "static"}, "no cache": {"use_cache": False}}


@pytest.mark.parametrize("cache", CACHES.values(), ids=CACHES)
def test_a_padded_batch_generates_what_each_row_generates_alone(generate, greedy, cache):
    assert torch.equal(generate(**cache), greedy)


def test_chunked_prefill_generates_the_same(generate, greedy):
    assert torch.equal(generate(prefill_chunk_size=4), greedy)


def test_a_smaller_model_s_guesses_change_nothing(family, tiny_model, model, rows, greedy):
    """Guesses are read several at a time, and taken out of the cache where they were wrong."""
    guesser = tiny_model(family, initializer_range=0.3)
    with torch.no_grad():
        for parameter in guesser.parameters():
            parameter += 0.03 * torch.randn_like(parameter)
    guesser.generation_config.update(num_assistant_tokens=4, num_assistant_tokens_schedule="constant")
    guesser.generation_config.assistant_confidence_threshold = 0
    lengths = []
    model.get_input_embeddings().register_forward_pre_hook(lambda _, inputs: lengths.append(inputs[0].shape[1]))
    for row, expected in zip(rows, greedy, strict=True):
        options = {"max_new_tokens": NEW_TOKENS, "do_sample": False, "eos_token_id": None}
        found = model.generate(row[None], assistant_model=guesser, **options)
        assert torch.equal(found[0, len(row) :], expected)
    assert 5 in lengths and len(lengths) < greedy.numel()


def test_sampling_is_repeated_by_its_seed_with_and_without_a_cache(generate, greedy):
    first = sampled(generate, 0)
    for cache in CACHES.values():
        assert torch.equal(sampled(generate, 0, **cache), first)
    assert not torch.equal(sampled(generate, 1), first)
    assert not torch.equal(first, greedy)
    assert torch.equal(sampled(generate, 0, temperature=1e-4), greedy)


def test_sampling_follows_the_probabilities_of_the_model(model, rows):
    model.lm_head.weight.data *= 0.5
    with torch.no_grad():
        probabilities = model(rows[2][None]).logits[0, -1].softmax(-1)
    torch.manual_seed(0)
    new = model.generate(rows[2][None], max_new_tokens=1, do_sample=True, top_k=0, num_return_sequences=4000)[:, -1]
    found = torch.bincount(new, minlength=len(probabilities)) / 4000
    spread = (probabilities * (1 - probabilities) / 4000).sqrt()
    assert ((found - probabilities).abs() < 5 * spread + 1e-3).all()


def test_several_sequences_are_returned_for_every_row(generate):
    new = sampled(generate, 0, num_return_sequences=3)
    assert new.shape == (9, NEW_TOKENS)
    assert len({tuple(row.tolist()) for row in new}) == 9


@pytest.mark.parametrize("options", [{"do_sample": False}, {"do_sample": True, "top_k": 0}], ids=["best", "sampled"])
def test_beams_are_the_same_with_every_cache_and_have_the_scores_of_one_pass(model, rows, pad, options):
    batch, mask, _ = pad(rows)
    options |= {"num_beams": 4, "num_return_sequences": 3, "max_new_tokens": 6, "eos_token_id": None}
    found = []
    for cache in CACHES.values():
        torch.manual_seed(0)
        output = model.generate(
            batch, attention_mask=mask, return_dict_in_generate=True, output_scores=True, **options, **cache
        )
        found.append(output.sequences)
        scores = output.sequences_scores
        news = output.sequences[:, batch.shape[1] :]
        expected = [mean_log_probability(model, rows[place // 3], new) for place, new in enumerate(news)]
        torch.testing.assert_close(scores, torch.stack(expected), atol=1e-4, rtol=0)
        assert len({tuple(new.tolist()) for new in news}) == 9
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])


@torch.no_grad()
def test_as_many_beams_as_continuations_find_the_best_ones(model, rows, remi):
    """Two tokens from a beam that holds every first token: compared with all pairs of tokens."""
    row, size = rows[1], remi.vocab_size
    first = model(row[None]).logits[0, -1].log_softmax(-1)
    pairs = torch.cat([row.expand(size, -1), torch.arange(size)[:, None]], dim=1)
    totals = first[:, None] + model(pairs).logits[:, -1].log_softmax(-1)
    best = [divmod(place, size) for place in totals.flatten().topk(5).indices.tolist()]
    options = {"num_beams": size, "num_return_sequences": 5, "max_new_tokens": 2}
    found = model.generate(row[None], do_sample=False, eos_token_id=None, **options)
    assert [tuple(new) for new in found[:, len(row) :].tolist()] == best


class StopAt(StoppingCriteria):
    """Stops a row once it holds a token anywhere after the prompt."""

    def __init__(self, token, prompt_length):
        self.token, self.prompt_length = token, prompt_length

    def __call__(self, input_ids, scores, **kwargs):
        return (input_ids[:, self.prompt_length :] == self.token).any(1)


def up_to(token, continuation):
    return continuation[: continuation.index(token) + 1] if token in continuation else continuation


@pytest.mark.parametrize("place", [0, 3])
def test_rows_end_at_eos_or_where_a_criterion_says_and_are_padded(generate, greedy, rows, place):
    token = greedy[1, place].item()
    expected = [up_to(token, row) for row in greedy.tolist()]
    length = max(map(len, expected))
    expected = [row + [0] * (length - len(row)) for row in expected]
    assert 0 in expected[1] and token != 0
    criteria = StoppingCriteriaList([StopAt(token, len(rows[0]))])
    assert generate(eos_token_id=token).tolist() == expected
    assert generate(stopping_criteria=criteria, pad_token_id=0, eos_token_id=-1).tolist() == expected


def test_generation_runs_past_the_length_of_training(tiny_model, rows):
    """64 tokens in training; positions of GPT-2 are a table and end there."""
    for family in ("llama", "music_transformer"):
        model = tiny_model(family, initializer_range=0.3)
        ids = model.generate(rows[0][None], max_new_tokens=70, do_sample=False, eos_token_id=None)
        with torch.no_grad():
            logits = model(ids, use_cache=False).logits[0]
        assert ids.shape == (1, 83)
        assert torch.equal(logits[12:-1].argmax(-1), ids[0, 13:])
