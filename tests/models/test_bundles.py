"""Model and processor in one folder, read by a process that cannot import this package, miditok or symusic."""

import itertools
import json
import subprocess
import sys

import pytest
import torch
from models.conftest import FAMILIES
from music import make_score
from safetensors.torch import save_file
from tiny import ALL_DIFFERENT, TOKENIZATIONS
from transformers import AutoProcessor

from neuromusic_hf import MidiProcessor, build_model
from neuromusic_hf.tokenization import BlockCollator

CONTEXT = 96
NEW_TOKENS = 6
WITH_REMOTE_CODE = ("music_transformer",)

FRESH_PROCESS = """
import json, sys
from pathlib import Path

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("neuromusic_hf", "miditok", "symusic"):
            raise ImportError(f"this process must not import {name}")

sys.meta_path.insert(0, Refuse())
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, pipeline

for folder in sys.argv[1:]:
    trust_remote_code = folder.startswith("trusted")
    expected = load_file(Path(folder, "expected.safetensors"))
    case = json.loads(Path(folder, "expected.json").read_text())
    model = AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=trust_remote_code).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        logits = model(expected["input_ids"]).logits
    torch.testing.assert_close(logits, expected["logits"], rtol=0, atol=1e-6)
    assert tokenizer(case["prompt"], return_tensors="pt").input_ids.tolist() == [case["prompt_ids"]]

    generate = pipeline("text-generation", model=folder, trust_remote_code=trust_remote_code)
    (found,) = generate(case["prompt"], max_new_tokens=case["new_tokens"], do_sample=False, return_full_text=False)
    assert found["generated_text"].split() == case["continuation"].split(), (folder, found, case["continuation"])
    prompts = [case["prompt"], "BOS_None"]
    five = {"min_new_tokens": 5, "max_new_tokens": 5}
    for prompt, (found,) in zip(prompts, generate(prompts, do_sample=True, batch_size=2, **five)):
        new = found["generated_text"].removeprefix(prompt)
        assert new.startswith(" ") and tokenizer.decode(tokenizer(new).input_ids) == new, found
assert not {"neuromusic_hf", "miditok", "symusic"} & set(sys.modules)
print("equal")
"""


@pytest.fixture(scope="module")
def processors(processor_of):
    return {name: processor_of(name) for name in (*TOKENIZATIONS, *(f"{name} BPE" for name in TOKENIZATIONS))}


def train_two_steps(model, processor):
    """Returns the losses before, between and after the steps, on one batch."""
    blocks = [{"input_ids": processor.encode(make_score(seed), add_eos=True)[:CONTEXT]} for seed in range(4)]
    batch = BlockCollator(processor.tokenizer.pad_token_id, CONTEXT)(blocks)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(2):
        loss = model(**batch).loss
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        return [*losses, model(**batch).loss.item()]


def save_bundle(folder, model, processor):
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    ids = processor.encode(make_score(50))[:60]
    prompt_ids = ids[:20]
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits
        generated = model.generate(torch.tensor([prompt_ids]), max_new_tokens=NEW_TOKENS, do_sample=False)[0]
    save_file({"input_ids": torch.tensor([ids]), "logits": logits}, folder / "expected.safetensors")
    case = {
        "prompt": processor.tokenizer.decode(prompt_ids),
        "prompt_ids": prompt_ids,
        "new_tokens": NEW_TOKENS,
        "continuation": processor.tokenizer.decode(generated[20:], skip_special_tokens=True),
    }
    (folder / "expected.json").write_text(json.dumps(case))
    return logits


def test_bundles_work_without_this_package(processors, tmp_path):
    """Three tokenizers, plain and with learned groups: two steps, save, reload in a fresh process, equal logits."""
    folders = []
    for family, (name, processor) in itertools.product(FAMILIES, processors.items()):
        torch.manual_seed(0)
        model = build_model(family, processor, context_length=CONTEXT, **ALL_DIFFERENT)
        untrained = {key: value.clone() for key, value in model.state_dict().items()}
        first, second, third = train_two_steps(model.train(), processor)
        assert first > second > third
        assert all(not torch.equal(value, untrained[key]) for key, value in model.named_parameters())
        trust = "trusted" if family in WITH_REMOTE_CODE else "not trusted"
        folders.append(f"{trust} {family} {name}")
        folder = tmp_path / folders[-1]
        logits = save_bundle(folder, model.eval(), processor)
        assert torch.isfinite(logits).all()

        loaded = AutoProcessor.from_pretrained(folder)
        assert type(loaded) is MidiProcessor and loaded.to_dict() == processor.to_dict()
        assert loaded.encode(make_score(50)) == processor.encode(make_score(50))
    command = [sys.executable, "-c", FRESH_PROCESS, *folders]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("equal")
