"""Trains models with and without samples of infilling, at equal budget, and measures what that costs.

    python benchmarks/infill_cost.py --steps 300 --shares 0,0.5 --models music_transformer --vocabularies base
    python benchmarks/infill_cost.py --parallel 12 -- --per_device_train_batch_size 16 --warmup_steps 100

What follows -- goes to scripts/train.py. README.md says what each figure means.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from matplotlib.figure import Figure
from measuring import RESULTS, save_result

ROOT = Path(__file__).resolve().parents[1]
VOCABULARIES = {"base": [], "BPE": ["--vocab_size", "2000"]}
FIGURES = (
    "eval_nats_per_note", "eval_infill_nats_per_note", "test_nats_per_note", "test_infill_nats_per_note",
    "eval_infill_token_accuracy", "train_runtime", "num_input_tokens_seen",
)  # fmt: skip
"""Of the record of a run."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", default="bach+folk", help="as of scripts/train.py")
    parser.add_argument("--models", default="music_transformer,llama", help="joined by commas")
    parser.add_argument("--vocabularies", default="base,BPE", help=f"of {', '.join(VOCABULARIES)}, joined by commas")
    parser.add_argument("--shares", default="0,0.25,0.5", help="of infilling, joined by commas")
    parser.add_argument("--steps", type=int, default=3000, help="of each run")
    parser.add_argument("--parallel", type=int, default=1, help="runs at once")
    parser.add_argument("--work", type=Path, default=Path("runs/infill_cost"), help="folder of the runs")
    parser.add_argument("--output", type=Path, default=RESULTS / "infill_cost.json", help="result file")
    parser.add_argument("more", nargs="*", help="options of scripts/train.py")
    args = parser.parse_args()
    shares = [float(share) for share in args.shares.split(",")]
    cases = list(itertools.product(args.models.split(","), args.vocabularies.split(","), shares))
    with ThreadPoolExecutor(args.parallel) as pool:
        run = pool.map if args.parallel > 1 else map
        found = list(run(lambda case: train(*case, args), cases))
    runs = [
        dict(zip(("model", "vocabulary", "share"), case, strict=True)) | run
        for case, run in zip(cases, found, strict=True)
    ]
    figures = {"settings": {"corpus": args.corpus, "steps": args.steps, "more": args.more}, "runs": runs}
    for run in runs:
        print(f"{run['model']}, {run['vocabulary']}, {run['share']:g}: {told(run)}")
    figures["cost_in_nats_per_note"] = costs(runs)
    plot(runs).savefig(args.output.with_suffix(".png"))
    save_result(args.output, "infill_cost", figures)


def train(model: str, vocabulary: str, share: float, args: argparse.Namespace) -> dict:
    """What the record of a run says of its evaluations."""
    folder = args.work / f"{model}-{vocabulary}-{share:g}"
    options = {
        "model": model,
        "corpus": args.corpus,
        "infill_share": share,
        "output_dir": folder,
        "max_steps": args.steps,
        "eval_steps": max(1, args.steps // 8),
        "save_steps": args.steps,
        "do_test": True,
    }
    command = [sys.executable, str(ROOT / "scripts" / "train.py"), str(ROOT / "recipes" / "small.yaml")]
    command += [text for name, value in options.items() for text in (f"--{name}", str(value))]
    command += [*VOCABULARIES[vocabulary], *args.more]
    folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    with open(folder / "log.txt", "w") as log:
        subprocess.run(command, env=environment, stdout=log, stderr=subprocess.STDOUT, check=True)
    record = json.loads((folder / "bundle" / "run.json").read_text())
    history = json.loads((folder / f"checkpoint-{args.steps}" / "trainer_state.json").read_text())["log_history"]
    curve = {entry["step"]: entry["eval_nats_per_note"] for entry in history if "eval_nats_per_note" in entry}
    found = {name: record["metrics"].get(name) for name in FIGURES}
    return found | {"curve": curve, "infill": record["splits"]["train"].get("infill")}


def costs(runs: list[dict]) -> dict[str, float]:
    """Nats per note of validation that a share costs, against the run without."""
    plain = {(run["model"], run["vocabulary"]): run["eval_nats_per_note"] for run in runs if not run["share"]}
    return {
        f"{run['model']}, {run['vocabulary']}, {run['share']:g}": run["eval_nats_per_note"] - plain[key]
        for run in runs
        if run["share"] and (key := (run["model"], run["vocabulary"])) in plain
    }


def told(run: dict) -> str:
    """A run in one line."""
    return ", ".join(f"{name} {run[name]:.4g}" for name in FIGURES if run[name] is not None)


def plot(runs: list[dict]) -> Figure:
    """Curves of validation, one picture for each model and vocabulary."""
    kinds = sorted({(run["model"], run["vocabulary"]) for run in runs})
    figure = Figure(figsize=(4.2 * len(kinds), 3.4), dpi=110, layout="constrained")
    for axes, kind in zip(figure.subplots(1, len(kinds), squeeze=False, sharey=True)[0], kinds, strict=True):
        for run in runs:
            if (run["model"], run["vocabulary"]) == kind:
                axes.plot(
                    [*run["curve"]], [*run["curve"].values()], marker=".", label=f"infill_share {run['share']:g}"
                )
        axes.set(title=", ".join(kind), xlabel="optimizer steps")
        axes.legend()
    figure.axes[0].set_ylabel("nats per note, validation")
    return figure


if __name__ == "__main__":
    main()
