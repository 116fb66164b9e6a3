"""Measures what options of a training run do: to tokens/s, to memory, and to what is learned.

    python benchmarks/training_options.py --parts cost
    python benchmarks/training_options.py --parts learning
    python benchmarks/training_options.py --parts optimizers

Every run is a fresh process, a Trainer on blocks of folk tunes. One that is in the folder of runs is not repeated.
README.md says what each figure means.
"""

import argparse
import json
from pathlib import Path
from statistics import mean

from measuring import RESULTS, alternating, answer_task, run_fresh, save_result, spread
from option_pictures import plot_learning
from option_runs import run_task

from neuromusic_hf.options.arguments import has_fast_bfloat16

PLAIN = "plain"
OPTIONS = {
    PLAIN: {},
    "bf16": {"bf16": True},
    "torch_compile": {"torch_compile": True},
    "activation_checkpointing": {"activation_checkpointing": True},
    "optim adamw_torch": {"optim": "adamw_torch"},
    "gradient_accumulation_steps 2": {"gradient_accumulation_steps": 2},
    "intra_document_masking": {"intra_document_masking": True},
}
"""Beside `plain`: float32, fused AdamW, as transformers has it. A batch has as many blocks in all of them."""
OTHER_SUMS = (PLAIN, "bf16", "intra_document_masking")
"""Those that may learn otherwise than plain; the others do the same sums, which tests hold."""
OPTIMIZERS = {
    "AdamW": {},
    "Muon": {"optim": "muon"},
    "Adafactor": {"optim": "adafactor"},
    "schedule-free AdamW": {"optim": "schedule_free_adamw", "lr_scheduler_type": "constant_with_warmup"},
    "StableAdamW": {"optim": "stable_adamw"},
}
PARTS = ("cost", "learning", "optimizers")
ENVIRONMENT_OF_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "65536"}
"""Has the GNU C library take back pages that are free."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", default=",".join(PARTS), help=f"of {', '.join(PARTS)}, joined by commas")
    parser.add_argument("--models", default="llama,music_transformer", help="joined by commas")
    parser.add_argument("--options", default=",".join(OPTIONS), help="of cost and learning, joined by commas")
    parser.add_argument("--optimizers", default=",".join(OPTIMIZERS), help="joined by commas")
    parser.add_argument("--size", default="small", help="of the model and its batches, as in option_runs.py")
    parser.add_argument("--learning_size", default="smaller", help="likewise, where they learn")
    parser.add_argument(
        "--timed_steps", type=int, default=4, help="of a run whose time is taken, after 2 that are not"
    )
    parser.add_argument("--repetitions", type=int, default=5, help="of these")
    parser.add_argument("--steps", type=int, default=300, help="of a run that learns")
    parser.add_argument("--seeds", default="1,2", help="of runs that learn; learning rates are tried with the first")
    parser.add_argument("--learning_rates", default="1e-3,2e-3,4e-3,8e-3", help="tried with each optimizer")
    parser.add_argument("--max_pieces", type=int, default=1000, help="folk tunes")
    parser.add_argument("--work", type=Path, default=Path("runs/training_options"), help="folder of the runs")
    parser.add_argument("--output", type=Path, default=RESULTS / "training_options.json", help="of all parts so far")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.task:
        return answer_task(run_task, args.task)
    wanted = args.parts.split(",")
    for name, known, given in (("parts", PARTS, wanted), ("options", OPTIONS, args.options.split(","))):
        if unknown := set(given) - set(known):
            parser.error(f"--{name} knows no {', '.join(unknown)}: give some of {', '.join(known)}")
    if PLAIN not in args.options.split(","):
        parser.error(f"--options needs {PLAIN}, which the others are held against")
    measured = json.loads(args.output.read_text())["parts"] if args.output.exists() else {}
    for part in wanted:
        models = measured.setdefault(part, {})
        for model in args.models.split(","):
            models[model] = joined(models.get(model, {}), MEASURE[part](model, args))
        if part == "optimizers":
            plot_learning(measured[part]).savefig(args.output.with_suffix(".png"))
        save_result(args.output, "training_options", {"parts": measured})
    print_tables(measured)


def joined(before: dict, found: dict) -> dict:
    """A model's figures of a part with those of earlier calls: of other options, of other optimizers."""
    [table] = {"options", "optimizers"} & found.keys()
    rows = before.get(table, {}) | found[table]
    first = next(iter(rows.values()))
    for row in rows.values() if table == "optimizers" else ():
        row |= speeds(first, row, "first")
    return found | {table: rows}


def speeds(other: dict, row: dict, name: str, by: str = "median") -> dict[str, float]:
    """How many times as many steps a row does in a second as another one, by the `median` or the `min` of steps."""
    units = {"speed": "seconds", "speed_by_processor_time": "cpu_seconds"}
    return {f"{kind}_to_{name}": other[unit][by] / row[unit][by] for kind, unit in units.items()}


def cost(model: str, args: argparse.Namespace) -> dict:
    """Time of a step and memory of a training, with each option."""
    names = args.options.split(",")
    found = {name: [] for name in names}
    for repetition, name in alternating(names, args.repetitions):
        run = run_once(f"time-{repetition}", model, name, OPTIONS[name], args, steps=args.timed_steps)
        found[name].append(run)
    rows = {}
    for name, runs in found.items():
        memory = run_once("memory", model, name, OPTIONS[name], args, steps=1, environment=ENVIRONMENT_OF_MEMORY)
        rows[name] = {
            **{unit: spread([value for run in runs for value in run[unit]]) for unit in ("seconds", "cpu_seconds")},
            "seconds_before": spread([run["seconds_before"] for run in runs]),
            "memory_mib": memory["memory_mib"],
            "loss": runs[0]["loss"],
        }
    for row in rows.values():
        row |= speeds(rows[PLAIN], row, PLAIN, by="min")  # other work makes a step slower and never faster
        row["memory_to_plain"] = row["memory_mib"] / rows[PLAIN]["memory_mib"]
    settings = {"size": args.size, "batch_tokens": run["batch_tokens"], "parameters": run["parameters"]}
    return {**settings, "options": rows}


def learning(model: str, args: argparse.Namespace) -> dict:
    """Nats per note after so many steps with each option; of two kinds of evaluation."""
    rows = {}
    for name in filter(OTHER_SUMS.__contains__, args.options.split(",")):
        how = {"size": args.learning_size, "steps": args.steps}
        runs = {
            seed: run_once(f"learning-{seed}", model, name, OPTIONS[name], args, **how, seed=int(seed))
            for seed in args.seeds.split(",")
        }
        rows[name] = {
            kind: {"mean": mean([run[kind] for run in runs.values()]), "seeds": {s: r[kind] for s, r in runs.items()}}
            for kind in ("nats_per_note", "nats_per_note_alone")
        }
    return {"size": args.learning_size, "steps": args.steps, "options": rows}


def optimizers(model: str, args: argparse.Namespace) -> dict:
    """Each optimizer at the learning rate that is best for it with the first seed; its curves, with all seeds."""
    first, *_ = seeds = args.seeds.split(",")
    rows = {}
    for name in args.optimizers.split(","):

        def run(rate: str, seed: str, name: str = name) -> dict:
            options = OPTIMIZERS[name] | {"learning_rate": float(rate), "bf16": has_fast_bfloat16()}
            how = {"size": args.learning_size, "steps": args.steps, "seed": int(seed), "evaluations": 8}
            return run_once(f"learning-{seed}-{rate}", model, name, options, args, **how)

        tried = {rate: run(rate, first)["nats_per_note"] for rate in args.learning_rates.split(",")}
        best = min(tried, key=tried.get)
        runs = {seed: run(best, seed) for seed in seeds}
        rows[name] = {
            "tried": tried,
            "learning_rate": best,
            "nats_per_note": mean([each["nats_per_note"] for each in runs.values()]),
            "seeds": {seed: each["nats_per_note"] for seed, each in runs.items()},
            "curves": {seed: each["curve"] for seed, each in runs.items()},
            **{unit: spread([v for each in runs.values() for v in each[unit]]) for unit in ("seconds", "cpu_seconds")},
        }
    settings = {"size": args.learning_size, "steps": args.steps, "batch_tokens": runs[first]["batch_tokens"]}
    return {**settings, "optimizers": rows}


MEASURE = {"cost": cost, "learning": learning, "optimizers": optimizers}


def run_once(kind: str, model: str, name: str, options: dict, args, *, environment: dict | None = None, **how) -> dict:
    """A run, or what it gave when it was made before with the same arguments."""
    how["measure"] = kind.partition("-")[0]
    task = {"model": model, "options": options, "size": args.size, "max_pieces": args.max_pieces} | how
    path = args.work / f"{model}-{name.replace(' ', '_')}-{kind}.json"
    kept = json.loads(path.read_text()) if path.exists() else {}
    if kept.get("task") != task:
        path.parent.mkdir(parents=True, exist_ok=True)
        cache = str((args.work / "cache").resolve())
        offline = {"HF_HOME": cache, "HF_HUB_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
        run = run_fresh(__file__, task, offline | (environment or {}))
        kept = {"task": task, "result": run.result}
        path.write_text(json.dumps(kept))
        print(f"{path.stem}: {told(run.result)}", flush=True)
    return kept["result"]


def told(result: dict) -> str:
    """A run in a line."""
    parts = [f"{result[name]:.4g} {name}" for name in ("memory_mib", "nats_per_note") if name in result]
    parts += [f"{spread(result[unit])['median']:.3g} {unit} a step" for unit in ("seconds", "cpu_seconds")]
    return ", ".join(parts)


def print_tables(measured: dict):
    """As Markdown."""
    for part, models in measured.items():
        for model, found in models.items():
            print(f"\n{part}, {model}")
            for name, row in (found.get("options") or found["optimizers"]).items():
                cells = [f"{key} {value:.4g}" for key, value in row.items() if isinstance(value, float)]
                cells += [f"{key} {value['mean']:.4g}" for key, value in row.items() if "mean" in dict_of(value)]
                print(f"| {name} | {' | '.join(cells)} |")


def dict_of(value) -> dict:
    return value if isinstance(value, dict) else {}


if __name__ == "__main__":
    main()
