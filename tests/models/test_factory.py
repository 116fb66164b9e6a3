import pytest
import torch
from tiny import ALL_DIFFERENT
from transformers import GPT2Config, GPT2LMHeadModel, LlamaForCausalLM
from transformers.activations import NewGELUActivation

from neuromusic_hf import MidiProcessor, build_model

OWN_MODEL = """
import torch
from transformers import PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutput


class BigramConfig(PretrainedConfig):
    model_type = "bigram_of_a_user"

    def __init__(self, vocab_size=10, hidden_size=8, max_position_embeddings=128, **kwargs):
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.max_position_embeddings = max_position_embeddings
        super().__init__(**kwargs)


class BigramForCausalLM(PreTrainedModel):
    config_class = BigramConfig

    def __init__(self, config):
        super().__init__(config)
        self.embedding = torch.nn.Embedding(config.vocab_size, config.hidden_size)
        self.head = torch.nn.Linear(config.hidden_size, config.vocab_size)
        self.post_init()

    def forward(self, input_ids, labels=None, **kwargs):
        return CausalLMOutput(logits=self.head(self.embedding(input_ids)))


class NoModel:
    pass
"""


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    (tmp_path / "model_of_a_user.py").write_text(OWN_MODEL)
    monkeypatch.syspath_prepend(tmp_path)
    return "model_of_a_user"


def equal_weights(one, other):
    one, other = one.state_dict(), other.state_dict()
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_new_model_is_of_the_class_of_transformers_and_has_the_sizes_asked_for(remi):
    gpt2 = build_model("gpt2", remi, context_length=96, **ALL_DIFFERENT)
    assert type(gpt2) is GPT2LMHeadModel
    assert gpt2.transformer.wte.weight.shape == (remi.vocab_size, 32)
    assert gpt2.transformer.wpe.weight.shape == (96, 32)
    assert len(gpt2.transformer.h) == 2 and gpt2.transformer.h[0].attn.num_heads == 4
    assert gpt2.transformer.h[0].mlp.c_fc.weight.shape == (32, 48)
    llama = build_model("llama", remi, context_length=96, num_key_value_heads=2, **ALL_DIFFERENT)
    assert type(llama) is LlamaForCausalLM
    assert llama.model.embed_tokens.weight.shape == (remi.vocab_size, 32) == llama.lm_head.weight.shape
    assert llama.config.max_position_embeddings == 96 and len(llama.model.layers) == 2
    assert llama.model.layers[0].mlp.up_proj.weight.shape == (48, 32)
    assert llama.model.layers[0].self_attn.k_proj.weight.shape == (16, 32)


def test_the_config_s_own_names_work_as_well(remi):
    own = build_model("gpt2", remi, n_embd=32, n_layer=2, n_head=4, n_inner=48, n_positions=96)
    common = build_model("gpt2", remi, context_length=96, **ALL_DIFFERENT)
    assert own.config.to_dict() == common.config.to_dict()


@pytest.mark.parametrize("tokenization", ["REMI", "TSD", "Structured"])
def test_special_tokens_are_set_in_both_configs(family, tokenization, tmp_path):
    processor = MidiProcessor.from_tokenization(tokenization)
    model = build_model(family, processor, **ALL_DIFFERENT)
    model.save_pretrained(tmp_path)
    for found in (model, type(model).from_pretrained(tmp_path), build_model(str(tmp_path), processor)):
        for config in (found.config, found.generation_config):
            assert (config.pad_token_id, config.bos_token_id, config.eos_token_id) == (0, 1, 2)
        assert found.config.vocab_size == processor.vocab_size


def test_special_tokens_are_set_where_a_saved_model_has_others(remi, tmp_path):
    config = GPT2Config(vocab_size=remi.vocab_size, n_embd=32, n_layer=1, n_head=2, bos_token_id=9, eos_token_id=9)
    GPT2LMHeadModel(config).save_pretrained(tmp_path)
    model = build_model(str(tmp_path), remi)
    for config in (model.config, model.generation_config):
        assert (config.pad_token_id, config.bos_token_id, config.eos_token_id) == (0, 1, 2)


def test_generation_ends_at_eos_and_pads_with_pad(family, tiny_model):
    model = tiny_model(family)
    original = model.forward

    def eos_for_the_first_row(*args, **kwargs):
        output = original(*args, **kwargs)
        output.logits[0, :, 2] = 1e4
        output.logits[1, :, :3] = -1e4
        return output

    model.forward = eos_for_the_first_row
    ids = model.generate(torch.tensor([[1, 5], [1, 6]]), max_new_tokens=4, do_sample=False)
    assert ids[0].tolist() == [1, 5, 2, 0, 0, 0] and ids.shape == (2, 6) and ids[1].min() > 0


@pytest.mark.parametrize("name", ["gpt2", "llama", "own"])
def test_an_argument_the_config_does_not_have_is_an_error_that_lists_them(remi, name, own_module):
    name = f"{own_module}.BigramForCausalLM" if name == "own" else name
    with pytest.raises(ValueError, match="has no number_of_layers.*hidden_size|has no number_of_layers.*n_embd"):
        build_model(name, remi, number_of_layers=2)


def test_an_unknown_argument_is_an_error_for_saved_weights_too(remi, tiny_model, tmp_path):
    tiny_model("llama").save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="has no number_of_layers.*hidden_size"):
        build_model(str(tmp_path), remi, number_of_layers=2)


def test_gpt2_has_the_fast_defaults_in_force(remi):
    model = build_model("gpt2", remi, **ALL_DIFFERENT).train()
    assert model.config._attn_implementation == "sdpa"
    x = torch.linspace(-6, 6, 1001)
    for layer in model.transformer.h:
        assert layer.attn.attn_dropout.p == 0
        assert layer.attn.resid_dropout.p == 0.1
        assert (layer.mlp.act(x) - NewGELUActivation()(x)).abs().max() < 1e-6
        assert not isinstance(layer.mlp.act, NewGELUActivation)


def test_gpt2_computes_what_the_defaults_of_transformers_compute(remi, tiny_model):
    fast = tiny_model("gpt2")
    config = GPT2Config(**(fast.config.to_dict() | {"activation_function": "gelu_new", "attn_pdrop": 0.1}))
    slow = GPT2LMHeadModel(config).eval()
    slow.load_state_dict(fast.state_dict())
    ids = torch.randint(3, remi.vocab_size, (2, 64), generator=torch.Generator().manual_seed(0))
    assert (fast(ids).logits - slow(ids).logits).abs().max() < 1e-5


def test_the_fast_defaults_give_way_to_what_is_asked_for(remi):
    model = build_model("gpt2", remi, activation_function="gelu_new", attn_pdrop=0.2, **ALL_DIFFERENT)
    assert isinstance(model.transformer.h[0].mlp.act, NewGELUActivation)
    assert model.transformer.h[1].attn.attn_dropout.p == 0.2


def test_import_path_of_a_class_of_transformers(remi):
    model = build_model("transformers.GPT2LMHeadModel", remi, context_length=64, **ALL_DIFFERENT)
    assert type(model) is GPT2LMHeadModel
    assert model.config.to_dict() == build_model("gpt2", remi, context_length=64, **ALL_DIFFERENT).config.to_dict()


def test_import_path_of_a_user_s_own_class(remi, own_module, tmp_path):
    model = build_model(f"{own_module}.BigramForCausalLM", remi, context_length=77, hidden_size=16)
    assert type(model).__name__ == "BigramForCausalLM"
    assert model.embedding.weight.shape == (remi.vocab_size, 16)
    assert model.config.max_position_embeddings == 77
    assert model.generation_config.eos_token_id == 2
    assert (model.config.pad_token_id, model.config.bos_token_id, model.config.eos_token_id) == (0, 1, 2)
    assert model(torch.tensor([[1, 2, 3]])).logits.shape == (1, 3, remi.vocab_size)
    model.save_pretrained(tmp_path / "saved")
    assert equal_weights(model, type(model).from_pretrained(tmp_path / "saved"))


def test_an_import_path_that_leads_nowhere_or_to_no_model_is_an_error(remi, own_module):
    for name in (f"{own_module}.NoSuchModel", f"{own_module}.NoModel", "no_such_module.Model"):
        with pytest.raises(ValueError, match=f"No model '{name}'"):
            build_model(name, remi)


@pytest.mark.parametrize("name", ["gpt3000", "no/such-model", "./no_such_folder"])
def test_a_name_that_is_nothing_is_an_error_that_says_what_is_possible(remi, name):
    with pytest.raises(ValueError, match="(?s)No model.*gpt2, llama.*import path.*folder or Hub id"):
        build_model(name, remi)


def test_a_type_that_is_no_causal_model_is_an_error(remi):
    with pytest.raises(ValueError):
        build_model("clip", remi)


def test_a_saved_model_is_loaded_with_its_weights(family, tiny_model, remi, tmp_path):
    model = tiny_model(family)
    model.save_pretrained(tmp_path)
    loaded = build_model(str(tmp_path), remi, context_length=64)
    assert type(loaded) is type(model) and equal_weights(model, loaded)
    assert not equal_weights(model, tiny_model(family, hidden_size=16))


def test_a_folder_may_have_a_dot_in_its_name(tiny_model, remi, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny_model("gpt2").save_pretrained("checkpoint.final")
    assert equal_weights(build_model("checkpoint.final", remi), tiny_model("gpt2"))


def test_sizes_override_the_config_of_a_saved_model(tiny_model, remi, tmp_path):
    tiny_model("gpt2").save_pretrained(tmp_path)
    loaded = build_model(str(tmp_path), remi, resid_pdrop=0.3)
    assert loaded.transformer.h[0].attn.resid_dropout.p == 0.3


def test_a_saved_model_takes_the_sizes_it_was_made_with(family, tiny_model, remi, tmp_path):
    tiny_model(family).save_pretrained(tmp_path)
    assert equal_weights(build_model(str(tmp_path), remi, context_length=64, **ALL_DIFFERENT), tiny_model(family))


def test_a_saved_model_keeps_its_own_way_to_generate(tiny_model, remi, tmp_path):
    model = tiny_model("gpt2")
    model.generation_config.update(do_sample=True, temperature=0.8, top_p=0.9)
    model.save_pretrained(tmp_path)
    loaded = build_model(str(tmp_path), remi).generation_config
    assert (loaded.do_sample, loaded.temperature, loaded.top_p) == (True, 0.8, 0.9)
    assert (loaded.pad_token_id, loaded.bos_token_id, loaded.eos_token_id) == (0, 1, 2)


def test_saved_weights_of_another_vocabulary_are_refused(family, tiny_model, remi, tmp_path):
    tiny_model(family).save_pretrained(tmp_path)
    other = MidiProcessor.from_tokenization("TSD")
    with pytest.raises(ValueError, match=f"{remi.vocab_size} ids and the processor {other.vocab_size}"):
        build_model(str(tmp_path), other)


def test_a_context_longer_than_the_saved_model_reads_is_refused(family, tiny_model, remi, tmp_path):
    tiny_model(family).save_pretrained(tmp_path)
    build_model(str(tmp_path), remi, context_length=64)
    with pytest.raises(ValueError, match="reads 64 tokens at most"):
        build_model(str(tmp_path), remi, context_length=65)
