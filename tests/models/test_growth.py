"""Weights of a vocabulary without the tokens of infilling get them, and compute what they computed."""

import peft
import pytest
import torch
from tiny import ALL_DIFFERENT
from transformers import AutoModelForCausalLM, GPT2LMHeadModel, PreTrainedConfig

from neuromusic_hf import MidiProcessor, build_model
from neuromusic_hf.models import check_model, trained_infill_share
from neuromusic_hf.models.fit import check_match


@pytest.fixture(scope="module")
def bare():
    """A processor as earlier versions made it."""
    return MidiProcessor.from_music_tokenizer(MidiProcessor.from_tokenization("TSD").music_tokenizer)


@pytest.fixture(scope="module")
def grown(bare):
    processor = MidiProcessor.from_music_tokenizer(bare.music_tokenizer)
    processor.add_infill_tokens()
    return processor


def logits(model, size, ids):
    with torch.no_grad():
        return model.eval()(ids).logits[..., :size]


def old_model(family, processor, folder, multiple=None, **changes):
    """Saves a tiny model with weights so wide that the ids are told apart."""
    torch.manual_seed(0)
    sizes = ALL_DIFFERENT | {"initializer_range": 0.3} | changes
    model = build_model(family, processor, context_length=64, **sizes).eval()
    if multiple:
        model.resize_token_embeddings(processor.vocab_size, pad_to_multiple_of=multiple)
    model.save_pretrained(folder)
    return model


def ids_of(processor):
    return torch.randint(3, processor.vocab_size, (2, 24), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("tied", [True, False])
def test_what_it_says_of_the_ids_it_had_stays(family, tied, bare, grown, tmp_path):
    before = old_model(family, bare, tmp_path / "old", tie_word_embeddings=tied)
    check_model(str(tmp_path / "old"), grown, context_length=64)
    model = build_model(str(tmp_path / "old"), grown, context_length=64)
    check_match(model, grown)
    ids, size = ids_of(bare), bare.vocab_size
    expected = logits(before, size, ids)
    torch.testing.assert_close(logits(model, size, ids), expected, atol=1e-5, rtol=1e-5)
    assert model.config.vocab_size == size + 4 and model(ids).logits.shape[-1] == size + 4
    embeddings, output = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    assert (embeddings is output) == tied and embeddings.shape == output.shape == (size + 4, 32)
    model.save_pretrained(tmp_path / "grown")
    for saved in (
        AutoModelForCausalLM.from_pretrained(tmp_path / "grown"),
        build_model(str(tmp_path / "grown"), grown),
    ):
        assert torch.equal(logits(saved, size + 4, ids), logits(model, size + 4, ids))


def test_it_learns_the_ids_that_it_got(family, bare, grown, tmp_path):
    old_model(family, bare, tmp_path)
    model = build_model(str(tmp_path), grown).train()
    ids = torch.tensor([[grown.infill_ids.suffix, 9, 8, grown.infill_ids.middle, 7, grown.infill_ids.end]])
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(12):
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2


@pytest.mark.parametrize(
    ("added", "multiple", "size"),
    [(0, 64, 896), (0, 8, 844), (1, 4, 845), (5, 8, 849), (0, 32, 864)],
)
def test_what_was_rounded_up_grows_where_the_rounding_has_no_room(added, multiple, size, bare, tmp_path):
    mine = MidiProcessor.from_music_tokenizer(bare.music_tokenizer)
    mine.tokenizer.add_tokens([f"Genre_{number}" for number in range(added)])
    before = old_model("gpt2", mine, tmp_path, multiple)
    ids, had = ids_of(mine), mine.vocab_size
    assert had == 840 + added
    mine.add_infill_tokens()
    check_model(str(tmp_path), mine)
    model = build_model(str(tmp_path), mine)
    assert model.config.vocab_size == size
    torch.testing.assert_close(logits(model, had, ids), logits(before, had, ids), atol=1e-5, rtol=1e-5)


def test_an_adapter_s_base_grows(bare, grown, tmp_path):
    old_model("llama", bare, tmp_path / "base")
    base = AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    torch.manual_seed(1)
    config = peft.LoraConfig(r=4, target_modules=["q_proj"], task_type="CAUSAL_LM", init_lora_weights=False)
    adapted = peft.get_peft_model(base, config)
    adapted.save_pretrained(tmp_path / "adapter")
    check_model(str(tmp_path / "adapter"), grown)
    model = build_model(str(tmp_path / "adapter"), grown)
    ids, size = ids_of(bare), bare.vocab_size
    torch.testing.assert_close(logits(model, size, ids), logits(adapted, size, ids), atol=1e-4, rtol=1e-4)
    assert model.config.vocab_size == grown.vocab_size


@pytest.mark.parametrize("fewer", [1, 2, 3, 5])
def test_weights_that_lack_other_ids_are_refused(fewer, bare, grown, tmp_path):
    model = old_model("gpt2", bare, tmp_path)
    model.resize_token_embeddings(grown.vocab_size - fewer)
    model.save_pretrained(tmp_path)
    for call in (check_model, build_model):
        with pytest.raises(ValueError, match=f"{grown.vocab_size - fewer} ids and the processor {grown.vocab_size}"):
            call(str(tmp_path), grown)


def test_tokens_behind_those_of_infilling_are_not_made_up_for(bare, grown, tmp_path):
    old_model("gpt2", bare, tmp_path)
    mine = MidiProcessor.from_music_tokenizer(grown.music_tokenizer)
    mine.add_infill_tokens()
    mine.tokenizer.add_tokens(["Genre_Jazz"])
    with pytest.raises(ValueError, match="840 ids and the processor 845"):
        build_model(str(tmp_path), mine)


def test_a_class_that_does_not_tell_its_output_is_refused(bare, grown, tmp_path, monkeypatch):
    old_model("gpt2", bare, tmp_path)
    monkeypatch.setattr(GPT2LMHeadModel, "get_output_embeddings", lambda self: None)
    with pytest.raises(ValueError, match="cannot be given the four of infilling.*GPT2LMHeadModel needs"):
        build_model(str(tmp_path), grown)


@pytest.mark.parametrize(
    ("said", "share"),
    [(0.5, 0.5), (1, 1.0), (0.0, 0.0), (None, 0.0), (True, 0.0), ("0.5", 0.0), (-1, 0.0), (7.5, 0.0), ([0.5], 0.0)],
)
def test_what_a_config_tells_of_infilling(said, share, tmp_path):
    config = PreTrainedConfig()
    assert trained_infill_share(config) == 0.0
    config.infill_share = said
    config.save_pretrained(tmp_path)
    assert trained_infill_share(PreTrainedConfig.from_pretrained(tmp_path)) == share
