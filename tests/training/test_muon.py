"""`optim: muon`: which weights it takes, steps as PyTorch's own Muon and AdamW make them, and runs that go on."""

import json
import sys

import pytest
import torch
from models.conftest import FAMILIES
from tiny import ONE_LAYER

from neuromusic_hf import build_model
from neuromusic_hf.training import RunArguments, parse_recipe, resolved_recipe
from neuromusic_hf.training.muon import parted_weights
from neuromusic_hf.training.preflight import _check_training
from neuromusic_hf.training.trainer import MusicTrainer

REASON = "pytorch-optimizer is not installed (pip install neuromusic_hf[muon])"
TABLES = {
    "gpt2": {"transformer.wte.weight", "transformer.wpe.weight"},
    "llama": {"model.embed_tokens.weight", "lm_head.weight"},
    "music_transformer": {"model.embed_tokens.weight", "model.layers.0.self_attn.relative_positions.weight"},
}
MATRICES = {"gpt2": 4, "llama": 7, "music_transformer": 6}


@pytest.mark.parametrize("family", FAMILIES)
def test_it_takes_the_matrices_of_layers_and_no_table(family, processor):
    model = build_model(family, processor, context_length=64, **ONE_LAYER)
    names = {id(weight): name for name, weight in model.named_parameters()}
    matrices, tables, vectors = ([names[id(weight)] for weight in part] for part in parted_weights(model))
    assert set(tables) == TABLES[family]
    assert len(matrices) == MATRICES[family] and all(".0." in name for name in matrices)
    assert len(matrices) + len(tables) + len(vectors) == len(names)
    assert all(name.endswith("bias") or "norm" in name or "ln_" in name for name in vectors)


def test_steps_are_those_of_muon_and_adamw_of_pytorch(tmp_path, processor):
    pytest.importorskip("pytorch_optimizer", reason=REASON)
    args = RunArguments(str(tmp_path), optim="muon", learning_rate=0.03, weight_decay=0.1, adam_beta2=0.9, bf16=False)
    models = [build_model("llama", processor, context_length=64, **ONE_LAYER) for _ in range(2)]
    models[1].load_state_dict(models[0].state_dict())
    kind, arguments = MusicTrainer.get_optimizer_cls_and_kwargs(args, models[0])
    matrices, tables, vectors = parted_weights(models[1])
    muon = torch.optim.Muon(matrices, lr=0.03, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    groups = [{"params": tables, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    adamw = torch.optim.AdamW(groups, lr=0.03, betas=(0.9, 0.9), eps=args.adam_epsilon)
    ids = torch.randint(3, processor.vocab_size, (2, 20))
    for model, optimizers in zip(models, ([kind(**arguments)], [muon, adamw]), strict=True):
        for _ in range(3):
            model(ids, labels=ids).loss.backward()
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad()
    for (name, ours), (_, theirs) in zip(*(model.named_parameters() for model in models), strict=True):
        torch.testing.assert_close(ours, theirs, atol=2e-3, rtol=0, msg=lambda text, name=name: f"{name}: {text}")


def test_a_run_goes_on_to_what_an_unbroken_one_gives(make_trainer):
    pytest.importorskip("pytorch_optimizer", reason=REASON)
    whole, resumed = (make_trainer(name, optim="muon", max_steps=4) for name in ("whole", "resumed"))
    whole.train()
    resumed.train(resume_from_checkpoint=f"{whole.args.output_dir}/checkpoint-2")
    pairs = zip(whole.model.parameters(), resumed.model.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_states_whose_tuples_became_lists_are_gone_on_with(tmp_path, processor):
    """As PyTorch hands on the whole states of FSDP."""
    pytest.importorskip("pytorch_optimizer", reason=REASON)
    args = RunArguments(str(tmp_path), optim="muon", learning_rate=0.03, bf16=False)
    model = build_model("llama", processor, context_length=64, **ONE_LAYER)
    kind, arguments = MusicTrainer.get_optimizer_cls_and_kwargs(args, model)
    optimizer = kind(**arguments)
    states = json.loads(json.dumps(optimizer.state_dict()))
    assert isinstance(states["param_groups"][0]["ns_coeffs"][0], list)
    optimizer.load_state_dict(states)
    model(torch.ones(1, 4, dtype=torch.long), labels=torch.ones(1, 4, dtype=torch.long)).loss.backward()
    optimizer.step()


def test_it_is_an_option_that_stays_in_the_recipe_and_needs_its_package(tmp_path, monkeypatch):
    groups = parse_recipe(["--optim", "muon", "--output_dir", str(tmp_path)])
    assert resolved_recipe(*groups)["optim"] == "muon"
    monkeypatch.setitem(sys.modules, "pytorch_optimizer", None)
    with pytest.raises(ImportError, match="optim=muon needs a package .*pip install pytorch-optimizer"):
        _check_training(groups[2])
    with pytest.raises(ValueError, match="optim_args=a=1 has no effect with optim=muon"):
        parse_recipe(["--optim", "muon", "--optim_args", "a=1", "--output_dir", str(tmp_path)])
    with monkeypatch.context() as launched:
        for name, value in {"ACCELERATE_USE_DEEPSPEED": "true", "LOCAL_RANK": "0"}.items():
            launched.setenv(name, value)
        with pytest.raises(ValueError, match="optim=muon cannot be with DeepSpeed.*fsdp2.yaml"):
            RunArguments(str(tmp_path), optim="muon", use_cpu=True)
    with pytest.raises(ValueError, match="optim.*mouon"):
        parse_recipe(["--optim", "mouon", "--output_dir", str(tmp_path)])
