"""Gathers what the choices of the bundle that ships rest on: nats per note of the validation split, choice by choice.

    python benchmarks/default_choices.py
    python benchmarks/default_choices.py --only dropout

Distances, tokenizer and share of infilling are read from the results of other benchmarks. For the rest, short runs of
scripts/train.py are made, of which a finished one is not repeated. README.md says what each figure means.
"""

import argparse
import dataclasses
import json
import tempfile
from pathlib import Path

import yaml
from compare_models import command, read_comparison, summary, train
from measuring import RESULTS, save_result
from torch.optim.swa_utils import AveragedModel
from transformers import AutoModelForCausalLM, PreTrainedModel

from neuromusic_hf import MidiProcessor, load_corpus
from neuromusic_hf.bundles import find_bundle
from neuromusic_hf.tokenization import tokenize_corpus
from neuromusic_hf.training import DataArguments, RunArguments, TrainingBlocks, create_trainer

ROOT = Path(__file__).resolve().parents[1]
COMPARISON = Path(__file__).with_name("comparisons") / "default_choices.yaml"
AVERAGING = "averaging"
"""The choice whose runs are evaluated with the mean of their last checkpoints, too."""
METRIC = "eval_nats_per_note"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", help="of the choices that need training; all if not given")
    parser.add_argument("--comparison", type=Path, default=COMPARISON, help="YAML with the runs, and choices of them")
    parser.add_argument("--threads", type=int, default=2, help="of a run")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs/default_choices", help="folder for the runs")
    parser.add_argument("--output", type=Path, default=RESULTS / "default_choices.json", help="result file")
    args = parser.parse_args()
    comparison = read_comparison(args.comparison, parser)
    trained = comparison["choices"]
    if unknown := sorted({*(args.only or [])} - {*trained}):
        parser.error(f"{args.comparison} has no choice {', '.join(unknown)}; it has {', '.join(trained)}")
    choices = known_choices()
    for choice in args.only or trained:
        choices[choice] = {}
        for name in trained[choice]:
            choices[choice] |= measure(name, comparison, args, averaged=choice == AVERAGING)
    if args.output.exists():  # what was trained before
        choices = json.loads(args.output.read_text())["choices"] | choices
    print_table(choices)
    settings = {key: comparison[key] for key in ("recipe", "options", "seeds", "models")}
    save_result(args.output, "default_choices", {"settings": settings, "choices": choices})


def known_choices() -> dict[str, dict[str, dict]]:
    """By choice and option, what the results of other benchmarks say."""
    costs = read("infill_cost.json")["runs"]
    shown = {"music_transformer": "Music Transformer, relative distances", "llama": "Llama, rotary distances"}
    plain = [run for run in costs if run["vocabulary"] == "base" and not run["share"]]
    of_llama = [run for run in costs if run["model"] == "llama"]
    choices = {
        "distances": {shown[run["model"]]: run for run in plain},
        "learned vocabulary": {run["vocabulary"]: run for run in of_llama if not run["share"]},
        "share of infilling": {f"{run['share']:g}": run for run in of_llama if run["vocabulary"] == "base"},
    }
    found = {
        choice: {option: {**figures_of_cost(run), "from": "infill_cost.json"} for option, run in options.items()}
        for choice, options in choices.items()
    }
    found["reach of relative distances"] = {
        name: {"nats_per_note": entry["nats_per_note"], "from": "positions.json"}
        for name, entry in read("positions.json")["models"].items()
    }
    for tokenizer, settings in read("vocabularies.json")["tokenizers"].items():
        for corpus, entry in settings["default"]["corpora"].items():
            kept = {name: entry[name] for name in ("nats_per_note", "tokens_a_note")}
            found.setdefault(f"tokenizer, {corpus}", {})[tokenizer] = {**kept, "from": "vocabularies.json"}
    return found


def read(name: str) -> dict:
    """The committed result of another benchmark."""
    return json.loads((RESULTS / name).read_text())


def figures_of_cost(run: dict) -> dict:
    """Of a run of infill_cost.py."""
    filling = {} if run["infill"] is None else {"infill_nats_per_note": run["eval_infill_nats_per_note"]}
    return {"nats_per_note": run[METRIC], **filling, "tokens": run["num_input_tokens_seen"]}


def measure(name: str, comparison: dict, args: argparse.Namespace, averaged: bool) -> dict[str, dict]:
    """Trains what is not trained yet: figures of the models as they ended, and as the mean of their checkpoints."""
    by_seed, means = {}, {}
    for seed in comparison["seeds"]:
        folder = args.runs / f"{name}-{seed}"
        by_seed[str(seed)] = train(folder, command(comparison, name, seed, None), args.threads)
        if averaged:
            means[str(seed)] = mean_of_checkpoints(folder)
    figures = {name: summary(by_seed) | {"tokens": by_seed[str(seed)]["tokens"][-1]}}
    if averaged:
        count = next(iter(means.values()))["checkpoints"]
        figures[f"{name}, mean of the last {count} checkpoints"] = {
            "nats_per_note": sum(mean["nats_per_note"] for mean in means.values()) / len(means)
        }
    for option, found in figures.items():
        print(f"{option}: {found['nats_per_note']:.3f} nats per note", flush=True)
    return figures


def mean_of_checkpoints(folder: Path) -> dict:
    """Nats per note of the mean of the weights that a run has kept, on the blocks that it was evaluated on."""
    record = folder / "mean.json"
    if not record.exists():
        checkpoints = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
        mean = AveragedModel(AutoModelForCausalLM.from_pretrained(checkpoints[0]))
        for checkpoint in checkpoints:
            mean.update_parameters(AutoModelForCausalLM.from_pretrained(checkpoint))
        found = {"checkpoints": len(checkpoints), "nats_per_note": evaluate(mean.module, folder)}
        record.write_text(json.dumps(found))
    return json.loads(record.read_text())


def evaluate(model: PreTrainedModel, folder: Path) -> float:
    """Nats per note of a model on the validation blocks of a run, as that computed them."""
    bundle = find_bundle(folder)
    recipe = yaml.safe_load((Path(bundle) / "recipe.yaml").read_text())
    names = {field.name for field in dataclasses.fields(DataArguments)}
    data_args = DataArguments(**{name: value for name, value in recipe.items() if name in names})
    told = {name: recipe[name] for name in ("seed", "per_device_eval_batch_size") if name in recipe}
    processor = MidiProcessor.from_pretrained(bundle)
    tokens = tokenize_corpus(load_corpus(**data_args.corpus_arguments), processor, num_proc=data_args.num_proc)
    with tempfile.TemporaryDirectory() as output:
        run_args = RunArguments(output_dir=output, disable_tqdm=True, **told)
        blocks = TrainingBlocks.from_tokens(tokens, data_args, run_args.seed)
        return create_trainer(model, processor, blocks, data_args, run_args, recipe={}).evaluate()[METRIC]


def print_table(choices: dict[str, dict[str, dict]]):
    """Markdown, the best of each choice first."""
    print("| choice | option | nats per note |\n|---|---|---|")
    for choice, options in choices.items():
        for option, found in sorted(options.items(), key=lambda item: item[1]["nats_per_note"]):
            print(f"| {choice} | {option} | {found['nats_per_note']:.3f} |")


if __name__ == "__main__":
    main()
