"""Puts the scores of several runs side by side, as a Markdown table and a picture.

python scripts/compare_runs.py runs/maestro-gpt2/report runs/maestro-llama/report --output runs/comparison
"""

import argparse
import os

from neuromusic_hf import disk, reports


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", help="folders that scripts/score_continuations.py wrote, or scores.json")
    parser.add_argument("--output", type=os.path.expanduser, required=True, help="folder to write to")
    return parser.parse_args()


def main():
    args = parse_arguments()
    with disk.lock_folder(args.output):
        table = reports.compare_runs(args.runs, args.output)
    print(table.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
