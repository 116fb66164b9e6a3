"""Trains models one beside the other on one budget and compares them in nats per note.

    python benchmarks/compare_models.py benchmarks/comparisons/positions.yaml
    python benchmarks/compare_models.py benchmarks/comparisons/maestro.yaml --data_dir maestro-v2.0.0-midi.zip

A comparison is a recipe, options that every model gets, seeds, and a name with further options for each model. Each
run is a process of scripts/train.py; a finished run is not repeated. README.md says what each figure means.
"""

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml
from matplotlib.figure import Figure
from measuring import RESULTS, save_result
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[1]
METRIC = "eval_nats_per_note"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("comparison", type=Path, help="YAML with recipe, options, seeds and models")
    parser.add_argument("--data_dir", help="where the corpus lies, if it is here already")
    parser.add_argument("--models", help="of the comparison, joined by commas; all if not given")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time, which share the cores")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs/comparisons", help="folder for the runs")
    parser.add_argument("--output", type=Path, help="result file; results/<comparison>.json if not given")
    args = parser.parse_args()
    comparison = read_comparison(args.comparison, parser)
    chosen = args.models.split(",") if args.models else list(comparison["models"])
    unknown = [name for name in chosen if name not in comparison["models"]]
    if unknown:
        parser.error(f"{args.comparison} has no model {', '.join(unknown)}; it has {', '.join(comparison['models'])}")
    tasks = [(name, seed) for seed in comparison["seeds"] for name in chosen]
    folder = args.runs / args.comparison.stem
    threads = max(1, len(os.sched_getaffinity(0)) // args.jobs) if hasattr(os, "sched_getaffinity") else 1

    def run(task: tuple[str, int]) -> dict:
        name, seed = task
        return train(folder / f"{name}-{seed}", command(comparison, name, seed, args.data_dir), threads)

    with ThreadPoolExecutor(args.jobs) as pool:
        running = pool.map(run, tasks) if args.jobs > 1 else map(run, tasks)
        done = list(tqdm(running, total=len(tasks), desc="runs", unit="run"))
    runs = {name: {} for name in chosen}
    for (name, seed), figures in zip(tasks, done, strict=True):
        runs[name][str(seed)] = figures
    figures = {name: summary(by_seed) for name, by_seed in runs.items()}
    output = args.output or RESULTS / f"{args.comparison.stem}.json"
    print_table(figures)
    save_result(output, "compare_models", {"comparison": comparison, "jobs": args.jobs, "models": figures})
    plot_curves(figures, comparison["title"], output.with_suffix(".png"))


def read_comparison(path: Path, parser: argparse.ArgumentParser) -> dict:
    """The comparison, or an error that names what it lacks."""
    comparison = yaml.safe_load(path.read_text(encoding="utf-8"))
    missing = [key for key in ("title", "recipe", "options", "seeds", "models") if key not in comparison]
    if missing:
        parser.error(f"{path} has no {', '.join(missing)}")
    return comparison


def command(comparison: dict, name: str, seed: int, data_dir: str | None) -> list[str]:
    """Command line of one run, without its output folder."""
    options = {**comparison["options"], **comparison["models"][name], "seed": seed}
    if data_dir:
        options["data_dir"] = str(Path(data_dir).resolve())
    shown = {key: json.dumps(value) if isinstance(value, dict) else str(value) for key, value in options.items()}
    pairs = [part for key, value in shown.items() for part in (f"--{key}", value)]
    return [sys.executable, str(ROOT / "scripts/train.py"), str(ROOT / comparison["recipe"]), *pairs]


def train(folder: Path, arguments: list[str], threads: int) -> dict:
    """Trains, unless `folder` holds the finished run, and reads the curve and the facts of the run."""
    folder.mkdir(parents=True, exist_ok=True)
    record = folder / "bundle/run.json"
    if not record.exists():
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
        options = ["--output_dir", str(folder), "--disable_tqdm", "true"]
        if "--save_total_limit" not in arguments:
            options += ["--save_total_limit", "1"]
        with open(folder / "log.txt", "w", encoding="utf-8") as log:
            done = subprocess.run([*arguments, *options], stdout=log, stderr=log, env=environment, check=False)
        if done.returncode:
            raise RuntimeError(f"{folder.name} ended with status {done.returncode}: see {folder / 'log.txt'}.")
    facts = json.loads(record.read_text())
    state = folder / f"checkpoint-{facts['optimizer_steps']}" / "trainer_state.json"
    history = json.loads(state.read_text())["log_history"]
    points = {entry["num_input_tokens_seen"]: entry[METRIC] for entry in history if METRIC in entry}
    metrics = facts["metrics"]
    return {
        "parameters": facts["parameters"],
        "optimizer_steps": facts["optimizer_steps"],
        "train_seconds": metrics["train_runtime"],
        "nats_per_note": metrics[METRIC],
        "token_accuracy": metrics["eval_token_accuracy"],
        "tokens": list(points),
        "curve": list(points.values()),
    }


def summary(by_seed: dict[str, dict]) -> dict:
    """Mean over the seeds, and every run."""
    final = [run["nats_per_note"] for run in by_seed.values()]
    return {
        "parameters": next(iter(by_seed.values()))["parameters"],
        "nats_per_note": sum(final) / len(final),
        "runs": by_seed,
    }


def print_table(figures: dict[str, dict]):
    """Markdown, best first."""
    print("| model | parameters | nats per note | of each seed |\n|---|---|---|---|")
    for name, entry in sorted(figures.items(), key=lambda item: item[1]["nats_per_note"]):
        each = ", ".join(f"{run['nats_per_note']:.3f}" for run in entry["runs"].values())
        print(f"| {name} | {entry['parameters'] / 1e6:.2f}M | {entry['nats_per_note']:.3f} | {each} |")


def plot_curves(figures: dict[str, dict], title: str, path: Path):
    """Nats per note of the validation split over tokens trained on: a line a model, a band from seed to seed."""
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    for name, entry in sorted(figures.items(), key=lambda item: -item[1]["nats_per_note"]):
        runs = list(entry["runs"].values())
        tokens = [count / 1e6 for count in runs[0]["tokens"]]
        columns = list(zip(*(run["curve"] for run in runs), strict=True))
        means = [sum(column) / len(column) for column in columns]
        (line,) = axes.plot(tokens, means, marker="o", markersize=3, label=f"{name}: {means[-1]:.2f}")
        if len(runs) > 1:
            lows, highs = [min(column) for column in columns], [max(column) for column in columns]
            axes.fill_between(tokens, lows, highs, color=line.get_color(), alpha=0.15, linewidth=0)
    axes.set(title=title, xlabel="tokens trained on (millions)", ylabel="validation, nats per note", yscale="log")
    axes.yaxis.set_major_formatter("{x:.3g}")
    axes.yaxis.set_minor_formatter("{x:.3g}")
    axes.grid(alpha=0.3, which="both")
    figure.legend(loc="outside right upper")
    figure.savefig(path, dpi=150)
    print(f"Written: {path}")


if __name__ == "__main__":
    main()
