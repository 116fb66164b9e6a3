"""Searches for the options of a training run that serve it best, with Optuna.

    python scripts/search.py recipes/small.yaml --trials 20 --output_dir runs/small
    python scripts/search.py recipes/small.yaml --space space.yaml --trials 40 --output_dir runs/small

Recipes and options are those of scripts/train.py. A space is a YAML file that says which values are tried:
`learning_rate: {low: 1e-4, high: 1e-2, log: true}` or `hidden_size: [128, 256]`. The folder `search` in output_dir
gets best.yaml, which scripts/train.py runs, the best bundle, and all trials as search.json, trials.md and search.png.
The same command goes on with a search that was stopped.
"""

from __future__ import annotations

import argparse
import logging

from neuromusic_hf import command_line, disk, ranges, searching, threads

RANGES = {"trials": ranges.Range(1, "trials")}


def parse_arguments() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="search.py [RECIPE.yaml ...] [--key value ...] [--space SPACE.yaml] [--trials TRIALS]",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--space",
        help="YAML file of options and their values; if not given, of learning_rate, weight_decay and adam_beta2",
    )
    parser.add_argument("--trials", type=int, default=20, help="runs in all, those of an earlier call included")
    parser.add_argument("--no_pruning", action="store_true", help="let trials end that lie behind the others")
    parser.add_argument(
        "--keep_bundles", action="store_true", help="keep the weights of all trials, not the best alone"
    )
    return parser.parse_known_args()


def main():
    threads.wait_passively()
    args, arguments = parse_arguments()
    ranges.check_ranges(args, RANGES)
    plan = searching.plan_search(arguments, args.space)
    command_line.show_log()
    with disk.lock_folder(plan.folder):
        options = searching.SearchOptions(args.trials, prune=not args.no_pruning, keep_bundles=args.keep_bundles)
        searching.run_search(plan, options)
        print((plan.folder / "trials.md").read_text(encoding="utf-8"))
    logging.info("Train the best one by: python scripts/train.py %s", plan.folder / "best.yaml")


if __name__ == "__main__":
    main()
