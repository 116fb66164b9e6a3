"""The share of infilling in a train split, and what it is measured on."""

import json

import numpy as np
import pytest
from datasets import Dataset, DatasetDict
from infilling.naive_samples import parted, unpacked
from music import make_score, make_song
from transformers import AutoModelForCausalLM

from neuromusic_hf.checkpoints.folders import PROGRESS_NAME
from neuromusic_hf.checkpoints.resuming import refuse_other_blocks
from neuromusic_hf.infilling.sample_dataset import part_for
from neuromusic_hf.music import Midi
from neuromusic_hf.tokenization import tokenize_corpus
from neuromusic_hf.training import DataArguments, TrainingBlocks, record_infill_share


@pytest.fixture(scope="module")
def corpus():
    """14 duets."""
    return corpus_of(make_score)


def corpus_of(make):
    """10 pieces to train on and 4 to validate on, each made of its seed."""
    splits = {}
    for split, seeds in {"train": range(10), "validation": range(20, 24)}.items():
        midi = [{"bytes": make(seed).dumps_midi(), "path": f"{seed}.mid"} for seed in seeds]
        rows = Dataset.from_dict({"midi": midi, "content_hash": [f"{seed:064d}" for seed in seeds]})
        splits[split] = rows.cast_column("midi", Midi())
    return DatasetDict(splits)


def solo(seed):
    score = make_score(seed)
    score.tracks.pop()
    return score


@pytest.fixture(scope="module")
def blocks_of(corpus, processor):
    def make(share, seed=0, corpus=corpus, **changed):
        data_args = DataArguments(infill_share=share, **({"context_length": 128} | changed))
        tokens = tokenize_corpus(corpus, processor, augmentation=data_args.augmentation(seed))
        blocks = TrainingBlocks.from_tokens(tokens, data_args, seed)
        ordinary = len(blocks.splits["train"])
        blocks.add_infill(corpus, processor, data_args, seed)
        return blocks, list(blocks.splits["train"])[ordinary:]

    return make


@pytest.mark.parametrize("share", [0.1, 0.5, 0.75])
def test_so_many_of_the_training_tokens_are_samples_beside_all_pieces(blocks_of, processor, share):
    (blocks, packed), (plain, _) = blocks_of(share), blocks_of(0.0)
    samples = unpacked(packed, processor)
    tokens, ordinary = sum(map(len, samples)), plain.facts["train"]["tokens"]
    assert share <= tokens / (tokens + ordinary) < share + 0.02
    first = blocks.splits["train"].select(range(len(plain.splits["train"])))
    assert [ids.tolist() for ids in first["input_ids"]] == [ids.tolist() for ids in plain.splits["train"]["input_ids"]]
    facts, others = blocks.facts["train"]["infill"], {**blocks.facts["train"]}
    assert others.pop("infill") and others == plain.facts["train"]
    assert facts["share"] == pytest.approx(tokens / (tokens + ordinary))
    assert (facts["samples"], facts["tokens"], facts["blocks"]) == (len(samples), tokens, len(packed))
    assert facts["padding_share"] == pytest.approx(1 - tokens / (128 * len(packed)))
    middles = [parted(ids, processor)["middle"] for ids in samples]
    assert facts["asked_tokens"] == sum(len(middle) + 1 for middle in middles)
    assert facts["samples"] <= facts["samples_drawn"]
    assert 0.3 * len(samples) < facts["samples_of_one_program"] < 0.7 * len(samples)  # of duets, half of the time
    assert facts["samples_of_several_programs"] == 0
    assert (facts["covers"] > 1) == (share > 0.5)
    assert len({tuple(ids) for ids in samples}) > 0.9 * len(samples)


def test_of_one_instrument_no_sample_is_by_program_and_the_facts_say_so(blocks_of):
    (alone, _), (together, _) = (
        blocks_of(0.5, corpus=corpus_of(make), context_length=512) for make in (solo, make_song)
    )
    for split in ("train", "validation"):
        facts = alone.facts[split]["infill"]
        assert facts["samples"] > 0
        assert (facts["samples_of_one_program"], facts["samples_of_several_programs"]) == (0, 0)
    facts = together.facts["train"]["infill"]
    assert facts["samples_of_one_program"] > facts["samples_of_several_programs"] > 0


def test_without_a_share_a_run_is_what_it_was(blocks_of):
    blocks, packed = blocks_of(0.0)
    assert len(packed) == 0 and not blocks.infill
    assert all("infill" not in facts for facts in blocks.facts.values())


def test_variants_give_samples_too(blocks_of):
    (plain, _), (varied, _) = blocks_of(0.5), blocks_of(0.5, augmentation_variants=2)
    assert varied.facts["train"]["infill"]["covers"] == 1
    assert varied.facts["train"]["infill"]["tokens"] > 2.5 * plain.facts["train"]["infill"]["tokens"]
    assert varied.facts["validation"] == plain.facts["validation"]


def test_seeds_draw_other_samples_to_train_on_and_the_same_to_measure_on(blocks_of):
    (first, one), (second, two), (again, same) = (blocks_of(0.3, seed) for seed in (0, 1, 0))
    assert first.facts["train"]["infill"]["ids"] == again.facts["train"]["infill"]["ids"]
    assert [row["input_ids"].tolist() for row in one] == [row["input_ids"].tolist() for row in same]
    assert first.facts["train"]["infill"]["ids"] != second.facts["train"]["infill"]["ids"]
    rows = [[row["labels"].tolist() for row in blocks.infill["validation"].rows] for blocks in (first, second)]
    assert rows[0] == rows[1]


def test_of_what_is_measured_on_the_middle_and_its_end_count_alone(blocks_of, processor):
    blocks, _ = blocks_of(0.3, max_eval_blocks=5)
    split, facts = blocks.infill["validation"], blocks.facts["validation"]["infill"]
    assert len(split.rows) == facts["samples"] == 5
    counted = 0
    for row in split.rows:
        middle = parted(row["input_ids"], processor)["middle"]
        assert row["labels"].tolist() == [-100] * (len(row["input_ids"]) - len(middle) - 1) + [
            *middle,
            processor.infill_ids.end,
        ]
        counted += len(middle) + 1
    assert facts["asked_tokens"] == counted and split.tokens_per_note == counted / facts["notes"]


def test_a_context_that_hardly_holds_a_bar_is_refused(blocks_of):
    with pytest.raises(ValueError, match="infill_share=0.5 cannot be: hardly a bar .* of 16 tokens"):
        blocks_of(0.5, context_length=16)


def test_where_nobody_asked_there_are_none_then(corpus, processor, caplog):
    data_args = DataArguments(infill_share=0.25, context_length=16)
    blocks = TrainingBlocks.from_tokens(tokenize_corpus(corpus, processor), data_args, 0)
    before = len(blocks.splits["train"])
    blocks.add_infill(corpus, processor, data_args, 0, asked=False)
    assert (data_args.infill_share, len(blocks.splits["train"]), blocks.infill) == (0, before, {})
    assert "hardly a bar of the train split fits into a context of 16 tokens" in caplog.text


@pytest.mark.parametrize("share", [0.001, 0.02, 0.3, 1.5])
def test_a_little_more_is_drawn_than_is_needed(share):
    parts = [part_for(share, pieces) for pieces in (1, 10, 1000, 10**6)]
    assert parts == sorted(parts, reverse=True) and all(min(share, 1) <= part <= 1 for part in parts)
    assert parts[-1] < 1.1 * share or share > 1


def test_of_a_small_share_few_samples_are_made(blocks_of):
    made = [blocks_of(share)[0].facts["train"]["infill"]["samples_drawn"] for share in (0.01, 0.1, 0.5)]
    assert made == sorted(made) and made[0] < made[2] / 2


def test_bars_that_do_not_fit_are_counted(blocks_of):
    assert blocks_of(0.2, context_length=40)[0].facts["train"]["infill"]["left_out"]["bar_longer_than_context"] > 0


def test_a_run_does_not_go_on_with_other_samples(tmp_path):
    facts = {"pieces": 1, "blocks": 1, "content": "the same", "ids": "the same"}
    first, other = ({**facts, "infill": {"ids": ids}} for ids in ("first", "other"))
    for recorded, now in ((first, other), (first, facts), (facts, first)):
        (tmp_path / PROGRESS_NAME).write_text(json.dumps({"train": recorded}))
        refuse_other_blocks(str(tmp_path), recorded)
        with pytest.raises(ValueError, match="samples of infilling are not those"):
            refuse_other_blocks(str(tmp_path), now)


def test_a_config_keeps_what_a_model_was_trained_for(tiny_model, tmp_path):
    model = tiny_model("REMI")
    record_infill_share(model, 0.0)
    assert not hasattr(model.config, "infill_share")
    record_infill_share(model, 0.3)
    model.save_pretrained(tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path)
    record_infill_share(loaded, 0.0)
    assert loaded.config.infill_share == 0.3


def test_all_blocks_are_batched_alike(blocks_of):
    blocks, packed = blocks_of(0.4)
    train = blocks.splits["train"]
    assert train.column_names == ["input_ids"] and len(packed)
    assert {type(train[index]["input_ids"]) for index in (0, len(train) - 1)} == {np.ndarray}
