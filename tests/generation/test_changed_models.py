"""Whatever somebody does to a model between two calls, the pipeline plays what generate() then plays."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from accelerate import cpu_offload, disk_offload, dispatch_model
from music import make_score
from tiny import TINY
from torch.nn.utils import parametrize, prune
from transformers import GenerationConfig

from neuromusic_hf import MidiContinuationPipeline, build_model
from neuromusic_hf.generation import decoding
from neuromusic_hf.generation.engine import layers_to_pack

peft = pytest.importorskip("peft", reason="peft is not installed (pip install neuromusic_hf[dev])")

PIECES = [make_score(1), make_score(2)]
PROMPT, NEW = 40, 12


@pytest.fixture(autouse=True)
def always_packed(monkeypatch):
    monkeypatch.setattr(decoding, "FEWEST_NEW_TOKENS", 1)


@pytest.fixture(params=["gpt2", "llama"])
def pipe(request, processor_of):
    torch.manual_seed(0)
    processor = processor_of("REMI")
    model = build_model(request.param, processor, context_length=64, initializer_range=0.3, **TINY).eval()
    model.generation_config.do_sample = False
    return MidiContinuationPipeline(model, processor, device="cpu")


def played(pipe, **arguments):
    settings = {"prompt_length": PROMPT, "max_new_tokens": NEW, "constrained": False, "batch_size": 2}
    return [result["token_ids"] for result in pipe(PIECES, **settings | arguments)]


def plain(pipe, pieces=PIECES, **arguments):
    """What generate() plays, without the EOS and PAD at the end of a row."""
    ids = torch.tensor([pipe.processor.encode(piece)[:PROMPT] for piece in pieces])
    settings = {"max_new_tokens": NEW, "pad_token_id": pipe.tokenizer.pad_token_id}
    rows = pipe.model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), **settings | arguments)
    rows = getattr(rows, "sequences", rows)[:, PROMPT:]
    return [ids_before_end(row, pipe.tokenizer) for row in rows.tolist()]


def ids_before_end(row, tokenizer):
    row = row[: row.index(tokenizer.eos_token_id)] if tokenizer.eos_token_id in row else row
    while row and row[-1] == tokenizer.pad_token_id:
        row.pop()
    return row


def lora(model):
    names = ["c_attn", "c_proj"] if model.config.model_type == "gpt2" else ["q_proj", "down_proj"]
    return peft.LoraConfig(target_modules=names, init_lora_weights=False, lora_alpha=64)


def two_adapters(model):
    model.add_adapter(lora(model), "a")
    model.add_adapter(lora(model), "b")
    model.set_adapter("a")


def blocks(model):
    return model.transformer.h if model.config.model_type == "gpt2" else model.model.layers


def a_linear(model):
    return layers_to_pack(blocks(model)[0])[-1]


def lora_layers(model):
    return [module for module in model.modules() if hasattr(module, "merge") and hasattr(module, "lora_A")]


def merge(model):
    for layer in lora_layers(model):
        layer.merge()


def negative(_, __, output):
    """A hook's change of an output."""
    return -output if isinstance(output, torch.Tensor) else output


def in_place(change):
    def function(model):
        with torch.no_grad():
            change(model)

    return function


def as_trained(model):
    """A fused step, the Trainer's default, does not raise PyTorch's version counter."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.3, fused=True)
    ids = torch.arange(3, 40)[None]
    model(ids, labels=ids).loss.backward()
    optimizer.step()


def loaded_state(model):
    torch.manual_seed(7)
    model.load_state_dict({name: torch.randn_like(value) for name, value in model.state_dict().items()})


def replaced_forward(module):
    original = module.forward

    def forward(*args, **kwargs):
        output = original(*args, **kwargs)
        if isinstance(output, torch.Tensor):
            return output.flip(-1)
        output.logits = output.logits.flip(-1)
        return output

    module.forward = forward


class Doubled(torch.nn.Module):
    def forward(self, weight):
        return -weight


CHANGES = {
    "nothing": lambda model: None,
    "a fused optimizer step": as_trained,
    "a weight changed in place": in_place(lambda model: a_linear(model).weight.mul_(-1)),
    "a weight changed behind autograd": lambda model: a_linear(model).weight.data.mul_(-1),
    "a new weight": lambda model: setattr(a_linear(model), "weight", torch.nn.Parameter(-a_linear(model).weight.data)),
    "load_state_dict": loaded_state,
    "a hook on a linear layer": lambda model: a_linear(model).register_forward_hook(negative),
    "a hook before a linear layer": lambda model: a_linear(model).register_forward_pre_hook(
        lambda _, args: (-args[0],)
    ),
    "a hook on a block": lambda model: blocks(model)[0].register_forward_hook(negative),
    "a replaced forward of the model": replaced_forward,
    "a replaced forward of a layer": lambda model: replaced_forward(a_linear(model)),
    "a parametrization": lambda model: parametrize.register_parametrization(a_linear(model), "weight", Doubled()),
    "pruning": lambda model: prune.ln_structured(a_linear(model), "weight", amount=0.9, n=2, dim=0),
    "another head": lambda model: model.set_output_embeddings(torch.nn.Linear(32, model.config.vocab_size)),
    "a block left out": lambda model: blocks(model).__delitem__(0),
    "no gradients": lambda model: model.requires_grad_(False),
    "eager attention": lambda model: model.set_attn_implementation("eager"),
    "half precision": lambda model: model.to(torch.bfloat16),
    "half precision and back": lambda model: model.to(torch.bfloat16).float(),
    "int8 by torch.ao": lambda model: torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, inplace=True),
    "offload to RAM": lambda model: cpu_offload(model, torch.device("cpu")),
    "suppress_tokens": lambda model: model.generation_config.update(suppress_tokens=list(range(3, 300))),
    "repetition_penalty": lambda model: model.generation_config.update(repetition_penalty=5.0),
    "no_repeat_ngram_size": lambda model: model.generation_config.update(no_repeat_ngram_size=1),
    "num_beams": lambda model: model.generation_config.update(num_beams=3),
    "eos_token_id": lambda model: model.generation_config.update(eos_token_id=list(range(3, 900, 5))),
    "use_cache": lambda model: model.generation_config.update(use_cache=False),
    "return_dict_in_generate": lambda model: model.generation_config.update(return_dict_in_generate=True),
    "a static cache": lambda model: model.generation_config.update(cache_implementation="static"),
    "a new generation config": lambda model: setattr(
        model, "generation_config", GenerationConfig(do_sample=False, bad_words_ids=[[n] for n in range(3, 300)])
    ),
}
WITH_ADAPTERS = {
    "set_adapter": lambda model: model.set_adapter("b"),
    "two at once": lambda model: model.set_adapter(["a", "b"]),
    "disable_adapters": lambda model: model.disable_adapters(),
    "merged adapters": merge,
    "a deleted adapter": lambda model: model.delete_adapter("a"),
    "merged, then disabled": lambda model: (merge(model), model.disable_adapters()),
    "a hook on an adapter": lambda model: lora_layers(model)[0].register_forward_hook(negative),
    "a hook under an adapter": lambda model: lora_layers(model)[0].base_layer.register_forward_hook(negative),
}  # fmt: skip
SOUND_THE_SAME = {"nothing", "no gradients", "eager attention", "offload to RAM"} | {
    "use_cache", "return_dict_in_generate", "a static cache", "num_beams", "half precision", "half precision and back",
    "int8 by torch.ao", "merged adapters",
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [*CHANGES, *WITH_ADAPTERS])
def test_what_plays_is_the_model_as_it_is_now(pipe, name):
    if name in WITH_ADAPTERS:
        two_adapters(pipe.model)
    before = played(pipe)
    assert before == plain(pipe)
    (CHANGES | WITH_ADAPTERS)[name](pipe.model)
    now = plain(pipe)
    assert played(pipe) == now
    assert name in SOUND_THE_SAME or now != before


@pytest.mark.filterwarnings("ignore")
def test_a_model_that_peft_has_wrapped(pipe, processor_of):
    model = peft.get_peft_model(pipe.model, lora(pipe.model))
    model.add_adapter("other", lora(pipe.model))
    wrapped = MidiContinuationPipeline(model.eval(), processor_of("REMI"), device="cpu")
    found = [played(wrapped)]
    assert found[0] == plain(wrapped)
    with model.disable_adapter():
        found.append(played(wrapped))
        assert found[1] == plain(wrapped)
    model.set_adapter("other")
    found.append(played(wrapped))
    assert found[2] == plain(wrapped)
    assert found[0] != found[1] != found[2] != found[0]


def test_dropout_plays_as_in_generate_until_it_is_switched_off(pipe):
    if pipe.model.config.model_type == "llama":
        pytest.skip("it has none")
    sober = played(pipe)
    pipe.model.train()
    torch.manual_seed(5)
    drunken = plain(pipe)
    torch.manual_seed(5)
    assert played(pipe) == drunken != sober
    assert pipe.model.training
    pipe.model.eval()
    assert played(pipe) == sober


def on_disk(model, folder):
    return disk_offload(model, folder, execution_device=torch.device("cpu"))


def one_block_on_disk(model, folder):
    name = next(name for name, module in model.named_modules() if module is blocks(model)[1])
    places = {"": "cpu", name: "disk"}
    return dispatch_model(model, places, main_device="cpu", offload_dir=folder, force_hooks=True)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("offload", [on_disk, one_block_on_disk])
def test_weights_on_disk(pipe, processor_of, tmp_path, offload):
    expected = played(pipe)
    model = offload(pipe.model, tmp_path)
    assert any(parameter.is_meta for parameter in model.parameters())
    assert played(pipe) == plain(pipe) == expected
    assert played(MidiContinuationPipeline(model, processor_of("REMI"), device=None)) == expected


class Int8(torch.Tensor):
    """A weight that is no array of numbers, as that of torchao's int8 layers."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func in (torch.Tensor.view, torch.Tensor.data_ptr, torch.Tensor.flatten):
            raise RuntimeError("Cannot set version_counter for inference tensor")
        result = super().__torch_function__(func, types, args, kwargs or {})
        return result.as_subclass(torch.Tensor) if func in (torch.nn.functional.linear, torch.addmm) else result


def test_weights_that_cannot_be_read(pipe):
    layer = a_linear(pipe.model)
    layer.weight = torch.nn.Parameter((-layer.weight.data).as_subclass(Int8))
    assert type(layer.weight) is Int8
    assert played(pipe) == plain(pipe)


def test_weights_read_from_their_file(pipe, processor_of, tmp_path):
    pipe.save_pretrained(tmp_path)
    loaded = type(pipe.model).from_pretrained(tmp_path)
    assert played(MidiContinuationPipeline(loaded, processor_of("REMI"), device="cpu")) == played(pipe)


def test_other_embeddings_than_the_tokenizer_has_are_refused(pipe):
    played(pipe)
    ids = pipe.model.config.vocab_size
    pipe.model.resize_token_embeddings(ids + 8)
    with pytest.raises(ValueError, match=f"{ids + 8} .*{ids} ids"):
        played(pipe)


def test_another_model_takes_the_place_of_the_first(pipe, processor_of, tiny_model):
    played(pipe)
    pipe.model = tiny_model("REMI", "music_transformer")
    pipe.model.generation_config.do_sample = False
    assert played(pipe) == plain(pipe)
    pipe.model.config.trained_programs = [40]
    with pytest.raises(ValueError, match=r"unknown_instruments.*\[40\]"):
        pipe(PIECES[0], max_new_tokens=4)
    pipe.model = tiny_model("TSD")
    with pytest.raises(ValueError, match="give the processor"):
        played(pipe)
    pipe.processor = pipe.tokenizer = processor_of("TSD")
    pipe.tokenizer = pipe.processor.tokenizer
    pipe.model.generation_config.do_sample = False
    assert played(pipe) == plain(pipe)
    assert pipe(PIECES[0], prompt_length=40, max_new_bars=1, max_new_tokens=10)["midi"].note_num()


def test_the_generation_config_of_the_pipeline_is_that_of_the_model(pipe):
    assert pipe.generation_config is pipe.model.generation_config
    before = played(pipe)
    pipe.generation_config = GenerationConfig(do_sample=False, suppress_tokens=list(range(3, 300)))
    assert played(pipe) == plain(pipe) != before


def test_a_generation_config_in_the_call_is_obeyed_whole(pipe):
    """The pipeline would sample where nobody says how; generate() takes the likeliest."""
    pipe.model.generation_config.do_sample = None
    config = GenerationConfig(max_new_tokens=9, repetition_penalty=5.0, return_dict_in_generate=True)
    settings = {"prompt_length": PROMPT, "constrained": False}
    expected = plain(pipe, generation_config=config, max_new_tokens=9)
    assert pipe(PIECES[0], **settings, generation_config=config)["token_ids"] == expected[0]
    assert config.do_sample is None and len(expected[0]) == 9
    assert played(pipe, seed=1) != played(pipe, seed=2)
    made_with = MidiContinuationPipeline(pipe.model, pipe.processor, device="cpu", generation_config=config)
    assert made_with(PIECES[0], **settings)["token_ids"] == expected[0]


def test_models_play_in_several_threads_at_once(pipe):
    pieces = [make_score(seed) for seed in range(4)]
    settings = {"prompt_length": PROMPT, "max_new_tokens": 20, "do_sample": True, "constrained": False}

    def play(piece, **arguments):
        return [result["token_ids"] for result in pipe([piece, piece], batch_size=2, **settings | arguments)]

    ways = [{"seed": 1}, {"seed": 2, "num_beams": 3}, {"seed": 3, "top_k": 5}, {"seed": 4, "num_beams": 2}]
    expected = [play(piece, **way) for piece, way in zip(pieces, ways, strict=True)]
    torch.manual_seed(0)
    state = torch.get_rng_state()
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            found = pool.map(lambda job: play(job[0], **job[1]), list(zip(pieces, ways, strict=True)))
            assert list(found) == expected
    assert torch.equal(state, torch.get_rng_state())
    assert not any("forward" in vars(module) for module in pipe.model.modules())
