"""Pieces that share a block do not see each other, where a run says so; and nothing else changes."""

import math

import pytest
import torch
from datasets import Dataset, DatasetDict
from infilling.naive_samples import unpacked
from models.conftest import FAMILIES
from music import make_score
from tiny import TINY
from transformers import BloomConfig, BloomForCausalLM

from neuromusic_hf import build_model
from neuromusic_hf.music import Midi
from neuromusic_hf.tokenization import BlockCollator, Documents, tokenize_corpus
from neuromusic_hf.training import DataArguments, RunArguments, TrainingBlocks, create_trainer
from neuromusic_hf.training.document_masking import check_separation
from neuromusic_hf.training.run_record import run_record

CONTEXT = 160


@pytest.fixture(scope="module")
def corpus():
    splits = {}
    for split, seeds in {"train": range(12), "validation": range(20, 24)}.items():
        midi = [{"bytes": make_score(seed, num_notes=12).dumps_midi(), "path": f"{seed}.mid"} for seed in seeds]
        rows = Dataset.from_dict({"midi": midi, "content_hash": [f"{seed:064d}" for seed in seeds]})
        splits[split] = rows.cast_column("midi", Midi())
    return DatasetDict(splits)


@pytest.fixture(scope="module", params=("REMI", "REMI BPE"))
def case(request, corpus, processor_of):
    """Processor, arguments and blocks: with variants of pieces, and samples of infilling."""
    processor = processor_of(request.param)
    data_args = DataArguments(
        context_length=CONTEXT, infill_share=0.4, augmentation_variants=1, intra_document_masking=True
    )
    tokens = tokenize_corpus(corpus, processor, augmentation=data_args.augmentation(0))
    blocks = TrainingBlocks.from_tokens(tokens, data_args, seed=0)
    blocks.add_infill(corpus, processor, data_args, seed=0)
    return processor, data_args, blocks


def documents_of(block: list[int], processor) -> list[list[int]]:
    """The pieces, parts of pieces and samples of a block, found one id after the other."""
    if block[0] == processor.infill_ids.suffix:
        return [list(ids) for ids in unpacked([{"input_ids": block}], processor)]
    bos, found = processor.tokenizer.bos_token_id, [[]]
    for token in block:
        if token == bos and found[-1]:
            found.append([])
        found[-1].append(token)
    return found


@torch.no_grad()
@pytest.mark.parametrize("implementation", ["eager", "sdpa"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_logits_of_a_document_are_those_of_it_alone(family, implementation, case):
    processor, _, blocks = case
    torch.manual_seed(0)
    model = build_model(family, processor, context_length=CONTEXT, initializer_range=0.3, **TINY).eval()
    model.set_attn_implementation(implementation)
    rows = [row for row in blocks.splits["train"] if len(documents_of(row["input_ids"].tolist(), processor)) > 1]
    rows = [*rows[:3], *rows[-3:]]
    batch = BlockCollator(0, CONTEXT, Documents.of(processor))(rows)
    logits, mixed = (
        model(batch["input_ids"], position_ids=positions, use_cache=False).logits
        for positions in (batch["position_ids"], None)
    )
    largest = 0.0
    for row, found, seen in zip(rows, logits, mixed, strict=True):
        documents = documents_of(row["input_ids"].tolist(), processor)
        assert sum(map(len, documents)) == len(row["input_ids"])
        start = 0
        for ids in documents:
            alone = model(torch.tensor([ids])).logits[0]
            torch.testing.assert_close(found[start : start + len(ids)], alone, atol=1e-4, rtol=0)
            largest = max(largest, (seen[start : start + len(ids)] - alone).abs().max().item())
            start += len(ids)
    assert [row["input_ids"][0] == processor.infill_ids.suffix for row in rows] == 3 * [False] + 3 * [True]
    assert rows[1]["input_ids"][0] != processor.tokenizer.bos_token_id, "a piece that goes on"
    assert largest > 0.1


def trained(family, case, folder, **changed):
    processor, data_args, blocks = case
    torch.manual_seed(0)
    model = build_model(family, processor, context_length=CONTEXT, **TINY)
    batches = {"per_device_train_batch_size": 3, "per_device_eval_batch_size": 2}
    lengths = {"max_steps": 3, "eval_strategy": "no", "save_strategy": "no", "logging_steps": 1}
    args = RunArguments(
        output_dir=str(folder), bf16=False, disable_tqdm=True, learning_rate=1e-2, **batches, **lengths
    )
    data_args = DataArguments(context_length=CONTEXT, **changed)
    trainer = create_trainer(model, processor, blocks, data_args, args, recipe=vars(data_args))
    trainer.train()
    return trainer


@pytest.mark.parametrize("case", ["REMI BPE"], indirect=True)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_run_is_evaluated_as_it_is_trained(family, case, tmp_path):
    """On validation and its samples of infilling: nats of each document alone."""
    processor, _, blocks = case
    trainer = trained(family, case, tmp_path, intra_document_masking=True)
    mixed = trained(family, case, tmp_path, intra_document_masking=False)
    losses = [[entry["loss"] for entry in each.state.log_history if "loss" in entry] for each in (trainer, mixed)]
    assert losses[0] != losses[1]
    metrics, model = trainer.evaluate(), trainer.model.eval()
    nats = predicted = 0
    with torch.no_grad():
        for row in blocks.splits["validation"]:
            block, logits = row["input_ids"].tolist(), []
            for ids in documents_of(block, processor):
                logits.append(model(torch.tensor([ids]), use_cache=False).logits[0])
            scores = torch.cat(logits).log_softmax(-1)
            nats -= sum(scores[place, token].item() for place, token in enumerate(block[1:]))
            predicted += len(block) - 1
    assert metrics["eval_loss"] == pytest.approx(nats / predicted, rel=1e-5)
    assert math.isfinite(metrics["eval_infill_loss"])
    assert [run_record(each)["intra_document_masking"] for each in (trainer, mixed)] == [True, False]


@pytest.mark.parametrize("case", ["REMI"], indirect=True)
def test_models_that_cannot_keep_pieces_apart_are_refused(case):
    processor = case[0]
    model = build_model("llama", processor, context_length=CONTEXT, **TINY)
    model.config.use_cache = True
    with pytest.raises(ValueError, match="intra_document_masking cannot be: LlamaForCausalLM lets the pieces"):
        check_separation(model)
    model.config.use_cache = False
    assert model.training
    check_separation(model)
    assert model.training
    with pytest.raises(ValueError, match="BloomForCausalLM lets the pieces"):
        check_separation(BloomForCausalLM(BloomConfig(vocab_size=9, hidden_size=8, n_layer=1, n_head=2)))


class WithoutPositions(torch.nn.Module):
    """Takes ids alone."""

    config = BloomConfig(vocab_size=5)

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self, input_ids):
        raise NotImplementedError


def test_a_model_that_takes_no_positions_is_refused():
    with pytest.raises(ValueError, match="intra_document_masking needs position_ids: .*Leave it out"):
        check_separation(WithoutPositions())
