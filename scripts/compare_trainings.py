"""Puts training runs side by side: how validation went in each, and what each is, as a picture and a Markdown table.

python scripts/compare_trainings.py runs/folk-gpt2-REMI runs/folk-llama-TSD --output runs/board
"""

import argparse
import os

from neuromusic_hf import disk, reports


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", help="folders of training runs that have ended")
    parser.add_argument("--output", type=os.path.expanduser, required=True, help="folder to write to")
    return parser.parse_args()


def main():
    args = parse_arguments()
    with disk.lock_folder(args.output):
        table = reports.compare_trainings(args.runs, args.output)
    print(table.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
