"""Nats per note of a bundle on clean test pieces, beside models that count."""

import json
from pathlib import Path

import numpy as np
from judged_pieces import SPLITS, JudgedPieces
from leaky_splits import LONGEST_NGRAM, Texts, choose_counting, compare, network_nats
from ngrams import count_and_predict
from transformers import AutoModelForCausalLM

from neuromusic_hf import MidiProcessor

BUNDLE = "bundle"


def measure_nats(bundle: str, pieces: JudgedPieces, work: Path, max_pieces: int | None, variants: list[int]) -> dict:
    """
    Nats per note of each corpus, of the first two together, and so on.

    Args:
        bundle (`str`): folder of the bundle.
        pieces ([`JudgedPieces`]): whose test pieces without a twin in train are read.
        work (`Path`): folder where what is done is kept.
        max_pieces (`int`, *optional*): so many of each corpus and split, the first ones.
        variants (`list[int]`):
            Numbers of variants of the training pieces in other keys that models count beside them; for each corpus and
            model, the best is chosen on validation, as is n.

    Returns:
        `dict` with `test`, what [`compare`] says of each set of pieces, `tokens_per_note`, and what was chosen.
    """
    processor = MidiProcessor.from_pretrained(bundle)
    texts = pieces.held_out(processor, max_pieces)
    tests = {name: each["test"] for name, each in texts.items()}
    nats = {name: {BUNDLE: _of_bundle(bundle, name, test, work)} for name, test in tests.items()}
    counted = _of_counting(texts, pieces, processor, work, variants)
    for name, models in counted.items():
        nats[name] |= {model: facts.pop("nats") for model, facts in models.items()}
    names = list(tests)
    sets = [[name] for name in names] + [names[:end] for end in range(2, len(names) + 1)]
    return {
        "test": {
            "+".join(each): compare(
                {model: np.concatenate([nats[name][model] for name in each]) for model in nats[names[0]]},
                np.concatenate([tests[name].notes for name in each]),
            )
            for each in sets
        },
        "tokens_per_note": {
            name: sum(len(ids) - 1 for ids in test.ids) / int(test.notes.sum()) for name, test in tests.items()
        },
        "counting": counted,
    }


def _of_bundle(bundle: str, name: str, test: Texts, work: Path) -> list[float]:
    record = work / f"nats-{name}-{len(test.ids)}.json"
    if not record.exists():
        model = AutoModelForCausalLM.from_pretrained(bundle).eval()
        record.write_text(json.dumps(network_nats(model, test.ids).tolist()))
    return json.loads(record.read_text())


def _of_counting(
    texts: dict[str, dict[str, Texts]], pieces: JudgedPieces, processor: MidiProcessor, work: Path, variants: list[int]
) -> dict[str, dict[str, dict]]:
    """By corpus and model that counts, `nats` of each test piece, and what was chosen on validation."""
    found = {name: {} for name in texts}
    lengths = "-".join(str(len(each["test"].ids)) for each in texts.values())
    for number in variants:
        record = work / f"counting-{number}-{lengths}.json"
        if not record.exists():
            record.write_text(json.dumps(_count(texts, pieces.train(processor, number), processor.vocab_size)))
        for name, models in json.loads(record.read_text()).items():
            for model, facts in models.items():
                if model not in found[name] or facts["validation"] < found[name][model]["validation"]:
                    found[name][model] = facts | {"variants": number}
    return found


def _count(texts: dict[str, dict[str, Texts]], train: list[np.ndarray], vocab_size: int) -> dict[str, dict[str, dict]]:
    """As [`_of_counting`], of one number of variants."""
    held_out = [ids for each in texts.values() for split in SPLITS for ids in each[split].ids]
    counted = count_and_predict(train, held_out, vocab_size, longest=LONGEST_NGRAM)
    found = {}
    for name, each in texts.items():
        parts = []
        for split in SPLITS:
            part, counted = counted.split(sum(len(ids) - 1 for ids in each[split].ids))
            parts.append(part)
        nats, facts = choose_counting(*(each[split] for split in SPLITS), *parts)
        found[name] = {model: facts[model] | {"nats": nats[model].tolist()} for model in nats}
    return found
