"""What a run and its report leave in a bundle, made up."""

import json
from pathlib import Path

import yaml

CITATION = "@inproceedings{hawthorne2019, title = {MAESTRO}}"
RUN = {
    "model": "MusicTransformerForCausalLM",
    "parameters": 123456,
    "optimizer_steps": 3000,
    "processes": 2,
    "hardware": {"cpu": "AMD EPYC", "cpu_cores": 2, "gpus": []},
    "versions": {"python": "3.11.7", "neuromusic_hf": "0.1.0", "torch": "2.13.0+cpu"},
    "corpora": [
        {
            "name": "maestro",
            "licence": "cc-by-nc-sa-4.0",
            "dataset": None,
            "source": "https://magenta.tensorflow.org/datasets/maestro",
            "citation": CITATION,
            "splits": "official",
            "revision": None,
        }
    ],
    "splits": {
        "train": {"pieces": 962, "notes": 5659329, "tokens": 20000000, "left_out": {"no_notes_in_vocabulary": []}},
        "test": {"pieces": 177, "notes": 741410, "tokens": 2500000},
    },
    "metrics": {"eval_loss": 1.2345, "eval_nats_per_note": 4.5678, "test_loss": 1.3, "train_runtime": 10.0},
}
RECIPE = {"model": "music_transformer", "corpus": "maestro", "max_steps": 3000, "seed": 42}
SCORE = {"p_value": 0.02, "noise_floor": 0.05, "num_pieces": 177, "dropped": {}, "counts": {}, "num_dropped": 0}
SCORES = {
    "model": {"name": "alice/bach", "model_type": "music_transformer"},
    "pieces": {"continued": 177, "left_out": {}},
    "scores": {
        "pitch_kl": SCORE
        | {
            "score": 0.123456,
            "interval": [0.1, 0.15],
            "noise_floor_95": 0.08,
            "mean_original": 0.4,
            "mean_generated": 0.5,
        },
        "own_kl": SCORE | {"score": None, "interval": None, "noise_floor_95": None},
    },
    "token_errors": {"token_error_rate": 0.0125, "errors": 5, "tokens": 400, "rows": 177, "empty_rows": 0},
    "novelty": {"share_beyond_originals": 0.062, "longest_generated": 31, "longest_original": 12, "num_pieces": 177},
    "settings": {
        "run": {
            "pieces": {"sources": ["maestro"], "split": "test"},
            "continuation": {"prompt_length": 512, "continue_length": 256},
        },
        "comparisons": {"pitch_kl": {"title": "Pitch classes"}, "own_kl": {"title": "Own"}},
    },
}


def add_records(folder: Path, run=RUN, recipe=RECIPE, scores=SCORES, examples=("1-prompt_and_continuation",)):
    """Writes records and examples into a bundle."""
    (folder / "run.json").write_text(json.dumps(run))
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    (folder / "scores.json").write_text(json.dumps(scores))
    (folder / "examples").mkdir()
    for name in examples:
        for kind in ("png", "wav", "mid"):
            (folder / "examples" / f"{name}.{kind}").write_bytes(b"\0")
