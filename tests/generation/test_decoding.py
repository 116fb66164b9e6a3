"""generate_rows writes what generate() writes, and sampled rows do not depend on their batch."""

import pytest
import torch
from tiny import ALL_DIFFERENT

from neuromusic_hf import MidiProcessor, build_model
from neuromusic_hf.generation.decoding import generate_rows

PAD, EOS = 0, 2
LENGTHS = (13, 8, 3)


@pytest.fixture(scope="module", params=("gpt2", "llama", "music_transformer"))
def model(request):
    torch.manual_seed(0)
    processor = MidiProcessor.from_tokenization("REMI")
    return build_model(request.param, processor, context_length=64, initializer_range=0.3, **ALL_DIFFERENT).eval()


@pytest.fixture(scope="module")
def batch():
    """Three prompts of different lengths, padded on the left: ids and mask."""
    torch.manual_seed(0)
    ids = torch.randint(3, 500, (3, max(LENGTHS)))
    mask = torch.arange(max(LENGTHS)) >= max(LENGTHS) - torch.tensor(LENGTHS)[:, None]
    return ids.masked_fill(~mask, PAD), mask.long()


@pytest.mark.parametrize(
    "arguments",
    [
        {"do_sample": False},
        {"do_sample": False, "eos_token_id": list(range(20, 60))},
        {"do_sample": False, "max_new_tokens": 5},
        {"do_sample": False, "repetition_penalty": 1.5},
        {"num_beams": 3, "do_sample": False},
        {"num_beams": 3, "do_sample": False, "num_return_sequences": 2},
        {"do_sample": False, "cache_implementation": "static"},
        {"do_sample": False, "use_cache": False},
    ],
    ids=str,
)
def test_without_chance_it_is_generate(model, batch, arguments):
    ids, mask = batch
    arguments = {"max_new_tokens": 20} | arguments
    expected = model.generate(input_ids=ids, attention_mask=mask, **arguments)
    rows = 3 * arguments.get("num_return_sequences", 1)
    found = generate_rows(model, ids, mask, seeds=[0] * rows, **arguments)
    assert torch.equal(found.sequences, expected)
    assert found.entropies.shape == (rows, expected.shape[1] - ids.shape[1])


def test_assisted_generation_is_generate(model, batch):
    ids, mask = (tensor[:1] for tensor in batch)
    arguments = {"max_new_tokens": 20, "do_sample": False, "prompt_lookup_num_tokens": 2}
    expected = model.generate(input_ids=ids, attention_mask=mask, **arguments)
    assert torch.equal(generate_rows(model, ids, mask, seeds=[0], **arguments).sequences, expected)


@pytest.mark.parametrize("sampling", [{"top_k": 0}, {"top_p": 0.9, "top_k": 0}, {"temperature": 0.7, "top_k": 20}])
def test_a_row_is_the_same_alone_and_among_others(model, batch, sampling):
    ids, mask = batch
    arguments = {"max_new_tokens": 20, "do_sample": True, "eos_token_id": None, **sampling}
    together = generate_rows(model, ids, mask, seeds=[5, 6, 7], **arguments)
    for row, length in enumerate(LENGTHS):
        prompt = ids[row : row + 1, -length:], mask[row : row + 1, -length:]
        alone = generate_rows(model, *prompt, seeds=[5 + row], **arguments)
        assert torch.equal(alone.sequences[0], together.sequences[row, -length - 20 :])
        assert torch.allclose(alone.entropies[0], together.entropies[row], atol=1e-4)


def test_seeds_make_the_difference(model, batch):
    ids, mask = (tensor[:1].expand(3, -1) for tensor in batch)
    rows = generate_rows(model, ids, mask, seeds=[1, 1, 2], max_new_tokens=20, do_sample=True, top_k=0).sequences
    assert torch.equal(rows[0], rows[1])
    assert not torch.equal(rows[0], rows[2])


def test_sampling_leaves_the_global_random_stream_alone(model, batch):
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    generate_rows(model, *batch, seeds=[0, 1, 2], max_new_tokens=3, do_sample=True)
    generate_rows(model, *batch, seeds=[0, 1, 2], max_new_tokens=3, do_sample=True, num_beams=2)
    assert torch.equal(torch.rand(2), expected)


def test_samples_follow_the_distribution_of_the_model(model, batch):
    """The first token, drawn 4,000 times, against the softmax of the logits."""
    ids, mask = (tensor[:1].expand(4000, -1) for tensor in batch)
    ids, mask = ids[:, :4], mask[:, :4]
    arguments = {"max_new_tokens": 1, "do_sample": True, "top_k": 5}
    drawn = generate_rows(model, ids, mask, seeds=list(range(4000)), **arguments).sequences[:, -1]
    logits = model(ids[:1]).logits[0, -1]
    top = logits.topk(5)
    expected = top.values.softmax(0)
    shares = torch.stack([(drawn == index).float().mean() for index in top.indices])
    assert shares.sum() == 1
    assert (shares - expected).abs().max() < 4 * 0.5 / 4000**0.5


def test_a_step_reads_one_token_whatever_training_left_in_the_config(model, batch, monkeypatch):
    lengths = []
    monkeypatch.setattr(model.generation_config, "use_cache", False)
    monkeypatch.setattr(model.config, "use_cache", False)
    prepare = type(model).prepare_inputs_for_generation

    def spy(self, *args, **kwargs):
        inputs = prepare(self, *args, **kwargs)
        lengths.append(inputs["input_ids"].shape[1])
        return inputs

    monkeypatch.setattr(type(model), "prepare_inputs_for_generation", spy)
    generate_rows(model, *batch, seeds=[0, 1, 2], max_new_tokens=4, do_sample=False, eos_token_id=None)
    assert lengths == [max(LENGTHS), 1, 1, 1]


def test_entropies_are_of_the_model_alone(model, batch):
    """In nats, and the same whatever is left out by top-k."""
    ids, mask = batch
    found = generate_rows(model, ids, mask, seeds=[0, 1, 2], max_new_tokens=6, do_sample=True, top_k=2)
    with torch.inference_mode():
        for row, length in enumerate(LENGTHS):
            sequence = found.sequences[row : row + 1, -length - 6 :]
            log_probs = model(sequence).logits[0, length - 1 : -1].log_softmax(-1)
            assert torch.allclose(found.entropies[row], -(log_probs.exp() * log_probs).sum(-1), atol=1e-4)


def test_rows_end_with_eos_and_padding(model, batch):
    ids, mask = batch
    arguments = {"max_new_tokens": 20, "do_sample": True, "top_k": 0}
    free = generate_rows(model, ids, mask, seeds=[0, 1, 2], eos_token_id=None, **arguments).sequences
    stop = int(free[0, 13 + 4])
    rows = generate_rows(model, ids, mask, seeds=[0, 1, 2], eos_token_id=stop, **arguments).sequences
    for row, unbroken in zip(rows[:, 13:].tolist(), free[:, 13:].tolist(), strict=True):
        length = unbroken.index(stop) + 1 if stop in unbroken else 20
        assert row[:length] == unbroken[:length]
        assert set(row[length:]) <= {PAD}


class Recorder:
    """A streamer."""

    def __init__(self):
        self.given, self.ended = [], False

    def put(self, ids):
        self.given += ids.flatten().tolist()

    def end(self):
        self.ended = True


def test_a_streamer_gets_prompt_and_new_ids(model, batch):
    ids, mask = (tensor[:1] for tensor in batch)
    streamer = Recorder()
    arguments = {"max_new_tokens": 9, "do_sample": True, "eos_token_id": None}
    rows = generate_rows(model, ids, mask, seeds=[4], streamer=streamer, **arguments).sequences
    assert streamer.given == rows[0].tolist()
    assert streamer.ended
