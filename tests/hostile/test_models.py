"""Models and adapters of a stranger: refused by file and reason before memory is taken for them."""

import json
import os
import shutil
import struct

import pytest
import torch
from hostile.conftest import change
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, LlamaConfig, pipeline

from neuromusic_hf import MidiContinuationPipeline, MidiProcessor, build_model
from neuromusic_hf.models.adapters import AutoMusicModel
from neuromusic_hf.models.checked import check_adapter_config, check_configs, check_sizes, read_weights


def short(value):
    """How pytest calls a value."""
    return str(value)[:40]


def loads(folder):
    """Every way that a model of a folder is loaded by, which have one check in common."""
    folder = str(folder)
    return [
        lambda: AutoMusicModel.from_pretrained(folder),
        lambda: build_model(folder, MidiProcessor.from_pretrained(folder)),
        lambda: MidiContinuationPipeline.from_pretrained(folder),
        lambda: pipeline("midi-continuation", model=folder, device="cpu"),
    ]


@pytest.fixture
def never_built(monkeypatch):
    """No weights are loaded."""
    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", lambda *args, **kwargs: pytest.fail("loaded"))


def test_the_honest_one_passes(evil):
    for load in loads(evil):
        load()


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("n_layer", 10**9, "n_layer"),
        ("n_head", 10**9, "n_head"),
        ("num_experts", 10**9, "num_experts"),
        ("n_embd", 2**41, "n_embd"),
        ("anything", {"num_hidden_layers": [10**9]}, "num_hidden_layers"),
        ("num_labels", 10**9, "num_labels"),
        ("id2label", {str(index): "x" for index in range(20_000)}, "id2label"),
        ("anything", {"_attn_implementation": "stranger/kernel"}, "another repository"),
        ("to_dict", "x", "to_dict"),
        ("attn_implementation", "stranger/kernel", "another repository"),
        ("quantization_config", {"quant_method": "gptq", "bits": 4}, "quantization_config"),
        ("_attn_implementation", "stranger/kernel@main:flash", "another repository"),
        ("transformers_weights", "../other.safetensors", "../other.safetensors"),
        ("auto_map", {"AutoModelForCausalLM": "other/place--modeling.Model"}, "other/place"),
        ("trained_programs", [10**9], "trained_programs"),
        ("trained_programs", "x", "trained_programs"),
        ("trained_programs", {"0": 1}, "trained_programs"),
        ("infill_share", 1e308, "infill_share"),
        ("infill_share", "x", "infill_share"),
    ],
    ids=short,
)
def test_a_config_is_measured_first(name, value, reason, evil, never_built, refused):
    change(evil / "config.json", **{name: value})
    for load in loads(evil):
        with refused(str(evil / "config.json"), reason):
            load()


@pytest.mark.parametrize(
    ("name", "value"),
    [("n_embd", 2**20), ("n_positions", 2**32), ("n_layer", 4096), ("n_inner", 2**30), ("vocab_size", 10**9)],
)
def test_a_config_does_not_ask_for_more_than_there_is(name, value, evil, never_built, refused):
    change(evil / "config.json", **{name: value})
    for load in [loads(evil)[0], *loads(evil)[2:]]:
        with refused("config.json", "weights"):
            load()


@pytest.mark.parametrize(
    "values",
    [
        {"n_embd": "big"},
        {"n_head": 7},
        {"model_type": "stranger"},
        {"model_type": 7},
        {"n_embd": -32},
        {"n_layer": None},
        {"dtype": "hub"},
        {"id2label": [1]},
    ],
    ids=short,
)
def test_a_config_that_makes_no_model_is_refused(values, evil, never_built, refused):
    change(evil / "config.json", **values)
    for load in [loads(evil)[0], *loads(evil)[2:]]:
        with refused(str(evil / "config.json")):
            load()


def test_weights_of_another_shape_are_named(evil, never_built, refused):
    change(evil / "config.json", n_inner=None)
    with refused(str(evil / "config.json"), "transformer.h.0.mlp.c_fc"):
        AutoMusicModel.from_pretrained(str(evil))


def test_tables_that_are_computed_are_measured(evil, refused, never_built):
    config = AutoConfig.for_model(
        "gptj", n_embd=32, n_layer=1, n_head=2, rotary_dim=16, n_positions=2**28, vocab_size=9
    )
    with refused("config.json", "tables"):
        check_sizes(config, {"all": (10**9,)}, evil / "config.json")


def test_missing_and_extra_weights_are_no_model(evil, refused):
    weights = load_file(evil / "model.safetensors")
    name = "transformer.h.0.mlp.c_fc.weight"
    kept = weights.pop(name)
    save_file(weights, evil / "model.safetensors", {"format": "pt"})
    for load in loads(evil):
        with refused("lack", name):
            load()
    save_file({**weights, name: kept, "stranger": torch.zeros(3)}, evil / "model.safetensors", {"format": "pt"})
    for load in loads(evil):
        with refused("hold more", "stranger"):
            load()


def header_of(evil, **changes):
    """The weights' file, with another header."""
    data = (evil / "model.safetensors").read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size]) | changes
    text = json.dumps({name: value for name, value in header.items() if value is not None}).encode()
    return struct.pack("<Q", len(text)) + text + data[8 + size :]


TENSOR = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}


@pytest.mark.parametrize(
    "content",
    [
        lambda evil: b"",
        lambda evil: b"\x01",
        lambda evil: b"\xff" * 8 + b"{}",
        lambda evil: struct.pack("<Q", 40 * 2**20) + b"{" * 100,
        lambda evil: struct.pack("<Q", 2) + b"{}" + b"more",
        lambda evil: struct.pack("<Q", 100_000) + b"[" * 100_000,
        lambda evil: header_of(evil, overlapping=TENSOR),
        lambda evil: header_of(evil, behind=TENSOR | {"data_offsets": [10**12, 10**12 + 16]}),
        lambda evil: header_of(evil, odd=TENSOR | {"dtype": "OBJECT"}),
        lambda evil: header_of(evil, huge=TENSOR | {"shape": [2**62, 4]}),
        lambda evil: header_of(evil, negative=TENSOR | {"shape": [-4]}),
        lambda evil: (evil / "model.safetensors").read_bytes()[:-100],
        lambda evil: b"\x80\x04\x95" + b"pickle",
    ],
)
def test_weights_are_what_their_header_says(content, evil, never_built, refused):
    (evil / "model.safetensors").write_bytes(content(evil))
    for load in [loads(evil)[0], loads(evil)[2], loads(evil)[3]]:
        with refused(str(evil / "model.safetensors")):
            load()


def test_a_pickle_is_never_read(evil, stranger, refused, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (os.system, (f"touch {tmp_path}/it_ran",))

    (evil / "model.safetensors").unlink()
    torch.save({"weight": Bomb()}, evil / "pytorch_model.bin")
    for load in loads(evil):
        with refused("model.safetensors", "pickle"):
            load()
    change(evil / "config.json", transformers_weights="pytorch_model.bin")
    for load in loads(evil):
        with refused("config.json", "pytorch_model.bin"):
            load()


@pytest.mark.parametrize(
    "shard",
    ["../model.safetensors", "/etc/passwd", "pytorch_model.bin", "..\\x.safetensors", "gone.safetensors", 7, ""],
)
def test_an_index_names_files_beside_it(shard, evil, never_built, refused):
    shutil.move(evil / "model.safetensors", evil.parent / "model.safetensors")
    index = {"metadata": {}, "weight_map": {"lm_head.weight": shard}}
    (evil / "model.safetensors.index.json").write_text(json.dumps(index))
    with refused("model.safetensors.index.json", str(shard).replace("\\", "\\\\")):
        AutoMusicModel.from_pretrained(str(evil))


@pytest.mark.parametrize("content", ["[]", "{}", '{"weight_map": {}}', '{"weight_map": 7}', "[" * 9999])
def test_a_damaged_index_is_refused(content, evil, never_built, refused):
    (evil / "model.safetensors").unlink()
    (evil / "model.safetensors.index.json").write_text(content)
    with refused(str(evil / "model.safetensors.index.json")):
        AutoMusicModel.from_pretrained(str(evil))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_length", 10**9),
        ("max_new_tokens", 10**9),
        ("num_return_sequences", 10**6),
        ("num_beams", 10**6),
        ("top_k", 10**30),
        ("max_length", "many"),
        ("pad_token_id", "os.system"),
        ("eos_token_id", [[1]]),
        ("num_return_sequences", [1]),
        ("num_return_sequences", 2),
        ("num_beam_groups", 2),
        ("forced_eos_token_id", [10**12]),
        ("forced_bos_token_id", 5000),
        ("exponential_decay_length_penalty", [1, 1e308]),
        ("exponential_decay_length_penalty", ["x"]),
        ("dola_layers", "high"),
        ("penalty_alpha", 0.5),
        ("validate", "x"),
        ("__class__", "x"),
        ("compile_config", {"backend": "inductor", "options": {"cpp.cxx": ["/tmp/stranger"]}}),
        ("stop_strings", ["x"] * 1000),
        ("temperature", 1e-300),
        ("temperature", "x"),
        ("temperature", -1),
        ("top_k", 2**31),
        ("top_p", 7),
        ("min_p", -1),
        ("repetition_penalty", 1e308),
        ("no_repeat_ngram_size", 10**12),
        ("max_time", -1),
        ("eos_token_id", list(range(100_000))),
        ("suppress_tokens", [10**12]),
        ("suppress_tokens", 7),
        ("begin_suppress_tokens", ["x"]),
        ("bad_words_ids", [[10**12]]),
        ("bad_words_ids", [[]]),
        ("bad_words_ids", [3]),
        ("bad_words_ids", "x"),
        ("sequence_bias", [[[1], "x"]]),
        ("sequence_bias", [[[10**12], 1.0]]),
        ("sequence_bias", {"x": 1}),
    ],
    ids=short,
)
def test_how_it_samples_is_measured(name, value, evil, never_built, refused):
    change(evil / "generation_config.json", **{name: value})
    for load in loads(evil):
        with refused(str(evil / "generation_config.json"), name):
            load()


def test_what_music_is_sampled_with_is_taken(evil):
    changes = {"temperature": 0.9, "top_k": 50, "top_p": 0.95, "repetition_penalty": 1.1, "suppress_tokens": [5]}
    change(evil / "generation_config.json", **changes, bad_words_ids=[[5], [6, 7]], sequence_bias=[[[5, 6], -1.5]])
    change(evil / "config.json", trained_programs=[0, -1, 127], infill_share=0.25)
    for load in loads(evil):
        load()
    change(evil / "config.json", trained_programs=None, infill_share=None)
    change(evil / "generation_config.json", do_sample=False, temperature=0.0, bad_words_ids=None, max_time=None)
    for load in loads(evil):
        load()


@pytest.mark.parametrize("name", ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json"])
def test_a_link_leads_to_no_file_elsewhere(name, evil, secret, never_built, refused):
    (evil / name).unlink()
    (evil / name).symlink_to(secret)
    with refused(str(evil / name), "link"):
        build_model(str(evil), MidiProcessor.from_pretrained(evil))


def test_files_of_a_cache_are_links_and_welcome(honest, tmp_path):
    snapshot, blobs = tmp_path / "models--a--b" / "snapshots" / ("0" * 40), tmp_path / "models--a--b" / "blobs"
    shutil.copytree(honest, blobs)
    snapshot.mkdir(parents=True)
    for path in blobs.iterdir():
        (snapshot / path.name).symlink_to(path)
    assert MidiContinuationPipeline.from_pretrained(snapshot).model.num_parameters()


def test_a_folder_called_snapshots_is_no_key_to_those_above(honest, tmp_path, secret, refused):
    snapshot = shutil.copytree(honest, tmp_path / "snapshots" / "evil")
    (snapshot / "config.json").unlink()
    (snapshot / "config.json").symlink_to(secret)
    with refused("config.json", "link"):
        check_configs(snapshot)


def test_code_of_the_repository_is_not_run(evil, stranger, refused, tmp_path):
    for folder in (evil, evil / "custom_generate"):
        folder.mkdir(exist_ok=True)
    for path in (evil / "modeling.py", evil / "midi_continuation.py", evil / "custom_generate" / "generate.py"):
        path.write_text((tmp_path / "stranger.py").read_text())
    references = {"AutoConfig": "modeling.Model", "AutoModelForCausalLM": "modeling.Model"}
    change(evil / "config.json", auto_map=references)
    for load in loads(evil):
        load()
    assert not list(tmp_path.rglob("it_ran"))
    change(evil / "config.json", model_type="stranger")
    for load in loads(evil):
        with refused("trust_remote_code=True"):
            load()


LLAMA_7B = {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32}


def test_honest_large_models_pass(tmp_path):
    config = LlamaConfig(**LLAMA_7B, vocab_size=32000, max_position_embeddings=131072)
    config.save_pretrained(tmp_path)
    with torch.device("meta"):
        shapes = {
            name: tuple(weight.shape) for name, weight in AutoModelForCausalLM.from_config(config).state_dict().items()
        }
    shards, place = {"0": {}, "1": {}}, {}
    for index, (name, shape) in enumerate(shapes.items()):
        shards[str(index % 2)][name] = shape
        place[name] = f"model-0000{index % 2 + 1}-of-00002.safetensors"
    for file in sorted(set(place.values())):  # as large as they say, and empty
        header, end = {}, 0
        for name in (name for name in shapes if place[name] == file):
            size = 2 * torch.Size(shapes[name]).numel()
            header[name] = {"dtype": "BF16", "shape": list(shapes[name]), "data_offsets": [end, end + size]}
            end += size
        text = json.dumps(header).encode()
        with open(tmp_path / file, "wb") as out:
            out.write(struct.pack("<Q", len(text)) + text)
            out.truncate(8 + len(text) + end)
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": place}))
    path = check_configs(tmp_path)
    assert read_weights(tmp_path) == shapes
    check_sizes(AutoConfig.from_pretrained(tmp_path), shapes, path)


@pytest.fixture
def adapter(honest_adapter, tmp_path):
    return shutil.copytree(honest_adapter, tmp_path / "lora")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("r", 10**9),
        ("r", 8000),
        ("rank_pattern", {"c_attn": 10**9}),
        ("layer_replication", [[0, 10**9]]),
        ("layer_replication", [[0, 1]] * 100_000),
        ("r", 1e9),
        ("rank_pattern", {"c_attn": 1e9}),
        ("alpha_pattern", 7),
        ("exclude_modules", "(" + "[a-z]?" * 40 + ")Z"),
        ("trainable_token_indices", {"wte.nothing": [1]}),
        ("target_modules", "(a+)+$"),
        ("target_modules", ".*.*.*.*.*.*x"),
        ("rank_pattern", {"(.*)*x": 2}),
        ("megatron_core", "stranger"),
        ("megatron_config", {"x": 1}),
        ("base_model_name_or_path", ["x"]),
        ("peft_type", 7),
    ],
    ids=short,
)
def test_an_adapter_is_measured_first(name, value, adapter, stranger, processor_of, refused):
    change(adapter / "adapter_config.json", **{name: value})
    for load in (
        lambda: AutoMusicModel.from_pretrained(str(adapter)),
        lambda: build_model(str(adapter), processor_of("REMI")),
    ):
        with refused("adapter_config.json"):
            load()


def test_an_adapter_s_pickle_is_not_read(adapter, refused):
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    with refused("adapter_model.safetensors", "pickle"):
        AutoMusicModel.from_pretrained(str(adapter))


def without(part):
    return lambda weights: {name: value for name, value in weights.items() if part not in name}


@pytest.mark.parametrize(
    ("settings", "changed", "reason"),
    [
        ({}, without("lora_A"), "lack"),
        ({}, without("lora_B"), "lack"),
        ({}, lambda weights: {"x": torch.zeros(4, 96)}, "lack"),
        ({}, lambda weights: weights | {"base_model.model.stranger.lora_A.weight": torch.zeros(2, 2)}, "hold more"),
        ({}, lambda weights: weights | {"x": torch.zeros(2, 2)}, "hold more"),
        ({"use_dora": True}, dict, "lack"),
        ({"lora_bias": True}, dict, "lack"),
        ({"target_modules": "all-linear"}, dict, "lack"),
        ({"modules_to_save": ["lm_head"]}, dict, "lack"),
        ({"trainable_token_indices": [1]}, dict, "lack"),
    ],
    ids=["no A", "no B", "foreign", "an extra layer", "an extra", "dora", "bias", "all", "saved", "tokens"],
)
def test_an_adapter_s_weights_are_those_of_its_config(settings, changed, reason, adapter, processor_of, refused):
    weights = changed(load_file(adapter / "adapter_model.safetensors"))
    save_file(weights, adapter / "adapter_model.safetensors", {"format": "pt"})
    change(adapter / "adapter_config.json", **settings)
    for load in (
        lambda: AutoMusicModel.from_pretrained(str(adapter)),
        lambda: build_model(str(adapter), processor_of("REMI")),
    ):
        with refused(str(adapter), reason):
            load()


def test_an_adapter_of_adapters_fetches_none(adapter, processor_of, refused):
    change(adapter / "adapter_config.json", peft_type="XLORA", adapters={"0": "mallory/other"}, hidden_size=32)
    for load in (
        lambda: AutoMusicModel.from_pretrained(str(adapter)),
        lambda: build_model(str(adapter), processor_of("REMI")),
    ):
        with refused(str(adapter / "adapter_config.json"), "mallory/other"):
            load()


def test_the_base_of_an_adapter_is_checked_as_any_model(adapter, evil, refused):
    change(adapter / "adapter_config.json", base_model_name_or_path=str(evil))
    change(evil / "config.json", n_layer=4096)
    with refused(str(evil / "config.json"), "weights"):
        AutoMusicModel.from_pretrained(str(adapter))


def test_the_base_on_this_machine_is_not_opened_for_an_adapter_of_the_hub(adapter, evil, secret, hub, refused):
    (evil / "config.json").unlink()
    (evil / "config.json").symlink_to(secret)
    change(adapter / "adapter_config.json", base_model_name_or_path=str(evil))
    hub.put("bob/lora", {path.name: path.read_bytes() for path in adapter.iterdir()})
    for load in (loads("bob/lora")[0], *loads("bob/lora")[2:]):
        with refused("adapter_config.json", "on this machine"):
            load()


@pytest.mark.parametrize("base", ["/etc", "../secret", "~/models", "runs", ""])
def test_an_adapter_of_the_hub_names_no_place_on_this_machine(base, tmp_path, monkeypatch, refused):
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(tmp_path)
    config = {"base_model_name_or_path": base, "peft_type": "LORA"}
    with refused("adapter_config.json", "on this machine", repr(base)):
        check_adapter_config(config, tmp_path / "adapter_config.json", from_hub=True)
