"""Bundles of the Hub in processes that have not this package, with trust in their code and without."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import peft
import pytest
import torch
from music import make_score
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoProcessor, AutoTokenizer

from neuromusic_hf import MidiProcessor
from neuromusic_hf.bundles import push_bundle, save_bundle, write_card

FAMILIES = ("gpt2", "llama", "music_transformer")
PROMPT_TOKENS, NEW_TOKENS = 12, 8
INSTALL = r"code of the package neuromusic_hf: install that in this environment \(pip install \. in a checkout"
TRUST = "trust_remote_code=True"

STRANGER = """
import json, sys

class Block:
    missing = ()

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in self.missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Block())
from transformers import AutoConfig, AutoModelForCausalLM, AutoProcessor, AutoTokenizer, pipeline

def seen(call):
    try:
        return call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"

def model(name, **trust):
    loaded = AutoModelForCausalLM.from_pretrained(name, **trust)
    return [AutoConfig.from_pretrained(name, **trust).model_type, type(loaded).__name__]

def text(name, **trust):
    generate = pipeline("text-generation", model=name, device="cpu", **trust)
    return generate(prompt, max_new_tokens=new_tokens, do_sample=False, return_full_text=False)[0]["generated_text"]

def met(name, **trust):
    return {
        "model": seen(lambda: model(name, **trust)),
        "text": seen(lambda: text(name, **trust)),
        "tokenizer": seen(lambda: AutoTokenizer.from_pretrained(name, **trust)(prompt).input_ids),
        "processor": seen(lambda: type(AutoProcessor.from_pretrained(name, **trust)).__name__),
        "music": seen(lambda: type(pipeline("midi-continuation", model=name, **trust)).__name__),
        "no task": seen(lambda: type(pipeline(model=name, **trust)).__name__),
    }

def run(snippet):
    names = {}
    return seen(lambda: exec(snippet, names)) or names["result"]["generated_text"]

prompt, new_tokens, cases, snippets = json.loads(sys.argv[1])
Block.missing = cases[0][0]
found = [[run(snippet) for snippet in snippets]]
for Block.missing, names in cases:
    found.append({name: [met(name), met(name, trust_remote_code=True)] for name in names})
print()
print(json.dumps(found))
"""


ADAPTED = {"gpt2": "c_attn", "music_transformer": "q_proj"}
"""Layers of those that have adapters here."""


@pytest.fixture
def pushed(hub, tiny_model, processor_of, tmp_path) -> dict[str, str]:
    """Repository ids of bundles, by family."""
    for family in FAMILIES:
        folder = tmp_path / family
        save_bundle(tiny_model("REMI", family), processor_of("REMI"), folder)
        write_card(folder, f"alice/{family}")
        hub.put(f"alice/{family}", {path.name: path.read_bytes() for path in folder.iterdir()})
    return {family: f"alice/{family}" for family in FAMILIES}


@pytest.fixture
def snippets(hub, pushed) -> list[str]:
    """What cards say to run without this package, those of adapters among them."""
    for family, layer in ADAPTED.items():
        base = AutoModelForCausalLM.from_pretrained(pushed[family])
        config = peft.LoraConfig(r=2, target_modules=[layer], fan_in_fan_out=family == "gpt2")
        push_bundle(peft.get_peft_model(base, config), f"alice/{family}-lora")
    names = [*pushed.values(), *(f"alice/{family}-lora" for family in ADAPTED)]
    cards = [hub.files(name)["README.md"].decode() for name in names]
    assert all("No code of this repository runs" in card or "runs code of this repository" in card for card in cards)
    return [card.split("```python\n")[2].split("```")[0] for card in cards]


def expected_text(model, processor, ids) -> list[str]:
    inputs = torch.tensor([ids])
    new = model.generate(inputs, max_new_tokens=NEW_TOKENS, do_sample=False)[0, len(ids) :]
    return processor.tokenizer.decode(new, skip_special_tokens=True).split()


def test_what_a_process_without_this_package_meets(pushed, snippets, tiny_model, processor_of, tmp_path):
    """All that it could need is missing; then this package alone; then it is there, and not imported."""
    processor = processor_of("REMI")
    ids = processor.encode(make_score(3))[:PROMPT_TOKENS]
    cases = [
        (["neuromusic_hf", "miditok", "symusic"], list(pushed.values())),
        (["neuromusic_hf"], [pushed["music_transformer"]]),
        ([], [pushed["llama"]]),
    ]
    told = json.dumps([processor.tokenizer.decode(ids), NEW_TOKENS, cases, snippets])
    done = subprocess.run(
        [sys.executable, "-c", STRANGER, told],
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    written, *without, at_hand = json.loads(done.stdout.splitlines()[-1])
    assert len(written) == 5 and all(text.startswith("BOS_None ") for text in written)
    for name, (doubted, trusted) in [pair for case in without for pair in case.items()]:
        model = tiny_model("REMI", name.split("/")[1])
        for said in (doubted, trusted):
            assert said["tokenizer"] == ids
            if said is doubted and name == pushed["music_transformer"]:
                assert TRUST in said["model"] and TRUST in said["text"]
            else:
                assert said["model"] == [model.config.model_type, type(model).__name__]
                assert said["text"].split() == expected_text(model, processor, ids)
        for asked in ("processor", "music", "no task"):
            assert TRUST in doubted[asked]
        assert trusted["no task"] == trusted["music"]
        assert re.match(f"ImportError: MidiProcessor is {INSTALL}", trusted["processor"])
        assert re.match(f"ImportError: MidiContinuationPipeline is {INSTALL}", trusted["music"])
    doubted, trusted = at_hand[pushed["llama"]]
    assert TRUST in doubted["processor"] and TRUST in doubted["music"]
    assert (trusted["processor"], trusted["music"]) == ("MidiProcessor", "MidiContinuationPipeline")
    assert trusted["no task"] == trusted["music"]


@pytest.mark.parametrize("trust", [{}, {"trust_remote_code": True}])
def test_with_this_package_its_own_code_is_run(pushed, monkeypatch, trust):
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("nobody is to be asked for trust"))
    for name in pushed.values():
        assert type(AutoProcessor.from_pretrained(name, **trust)) is MidiProcessor
        assert (
            type(AutoTokenizer.from_pretrained(name, **trust)).__module__
            == "neuromusic_hf.tokenization.text_tokenizer"
        )
        classes = AutoConfig, AutoModel, AutoModelForCausalLM
        for loaded in (auto.from_pretrained(name, **trust) for auto in classes):
            assert type(loaded).__module__.startswith(("transformers.models", "neuromusic_hf.models"))
    assert not [module for module in sys.modules if module.startswith("transformers_modules.alice")]


def test_no_config_names_a_file_that_is_not_there(tiny_model, processor_of, tmp_path):
    model, processor = tiny_model("REMI", "music_transformer"), processor_of("REMI")
    model.save_pretrained(tmp_path / "model")
    processor.save_pretrained(tmp_path / "processor")
    save_bundle(model, processor, tmp_path / "bundle")
    named = {folder.name: named_files(folder) for folder in tmp_path.iterdir()}
    assert named["processor"] == {"processing_midi.py"}
    assert named["bundle"] == named["model"] | named["processor"] | {"midi_continuation.py"}
    for name, files in named.items():
        assert files <= set(os.listdir(tmp_path / name))


def named_files(folder: Path) -> set[str]:
    """Of all code that the configs of a folder name."""
    said = [json.loads(path.read_text()) for path in folder.glob("*config.json")]
    maps = [value for config in said for value in config.get("auto_map", {}).values()]
    pipelines = [task["impl"] for config in said for task in config.get("custom_pipelines", {}).values()]
    return {f"{path.rpartition('.')[0]}.py" for path in [*maps, *pipelines]}
