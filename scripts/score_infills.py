"""Judges finished runs of scripts/infill_midi.py of the same bars, and writes a report of them.

    python scripts/score_infills.py runs/x/infilled --output runs/x/infill_report
    python scripts/score_infills.py runs/x/infilled runs/untrained/infilled --labels trained untrained \
        --continue_with runs/x --output runs/x/infill_report

Open report.html in a browser. The numbers are in infill_scores.json, those of each span in infill_spans.csv.
"""

import argparse
import logging
import os

from neuromusic_hf import command_line, disk, reports


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "runs", nargs="+", help="folders that scripts/infill_midi.py wrote, of the same pieces and bars"
    )
    parser.add_argument("--output", type=os.path.expanduser, required=True, help="folder to write to")
    parser.add_argument("--labels", nargs="+", help="what to call the runs, in order; by their models if not given")
    parser.add_argument(
        "--continue_with",
        help="bundle that goes on from what precedes each span, as one more baseline; without it, there is none",
    )
    parser.add_argument("--continue_revision", help="its branch, tag or commit on the Hub; main if not given")
    parser.add_argument("--batch_size", type=int, default=8, help="spans that it continues together")
    parser.add_argument("--seed", type=int, default=0, help="of bars drawn from other pieces, and of continuations")
    parser.add_argument(
        "--harmony_embedding", help="folder or Hub id; the one that comes with the package if not given"
    )
    parser.add_argument("--harmony_revision", help="its branch, tag or commit on the Hub; main if not given")
    parser.add_argument(
        "--comparison",
        action="append",
        default=[],
        help="import path of a comparison to judge by beside those of this package, such as my_module.LOUDNESS; "
        "may be given several times",
    )
    parser.add_argument(
        "--trust_remote_code",
        action="store_true",
        help="run code that the repository of --continue_with ships or names",
    )
    return parser.parse_args()


def main():
    args = parse_arguments()
    command_line.show_log()
    options = reports.InfillScoringOptions(
        labels=args.labels,
        continue_with=args.continue_with,
        continue_revision=args.continue_revision,
        batch_size=args.batch_size,
        seed=args.seed,
        comparisons=args.comparison,
        harmony_embedding=args.harmony_embedding,
        harmony_revision=args.harmony_revision,
        trust_remote_code=args.trust_remote_code,
    )
    with disk.lock_folder(args.output):
        scores = reports.score_infill_runs(args.runs, options)
        page = reports.write_infill_report(scores, args.output)
    logging.info("Open %s in a browser.", page)


if __name__ == "__main__":
    main()
