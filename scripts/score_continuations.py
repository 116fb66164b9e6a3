"""Scores a finished run of scripts/continue_midi.py, and writes a report of it.

    python scripts/score_continuations.py runs/quickstart/continuations --output runs/quickstart/report
    python scripts/score_continuations.py runs/maestro/test --train_corpus maestro --output runs/maestro/report

Open report.html in a browser. The numbers are in scores.json, those of each piece in pieces.csv and pieces.parquet.
"""

import argparse
import logging
import os

from neuromusic_hf import command_line, corpora, disk, reports, runs


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", help="manifest.json of a run, or the folder that holds it")
    parser.add_argument("--output", type=os.path.expanduser, required=True, help="folder to write to")
    parser.add_argument("--train_corpus", help="corpus that the model was trained on; needed for novelty")
    parser.add_argument("--revision", help="branch, tag or commit of that corpus on the Hub; main if not given")
    parser.add_argument("--data_dir", help="where that corpus lies, if it is here already")
    parser.add_argument(
        "--split_version",
        choices=corpora.SPLIT_VERSIONS,
        help="how that corpus is split; as the model was trained with if not given",
    )
    parser.add_argument(
        "--split_shares",
        type=float,
        nargs=3,
        help="shares of train, validation and test; as the model was trained with if not given",
    )
    parser.add_argument(
        "--clean_test",
        action="store_true",
        help="leave out, and name, pieces whose prompt or original has a twin in the train split of that corpus",
    )
    parser.add_argument(
        "--harmony_embedding", help="folder or Hub id; the one that comes with the package if not given"
    )
    parser.add_argument("--harmony_revision", help="its branch, tag or commit on the Hub; main if not given")
    parser.add_argument(
        "--comparison",
        action="append",
        default=[],
        help="import path of a comparison to score by beside those of this package, such as my_module.LOUDNESS; "
        "may be given several times",
    )
    parser.add_argument("--num_proc", type=int, help="processes; as many as there are cores if not given")
    parser.add_argument(
        "--trust_remote_code", action="store_true", help="run code that the model's repository ships or names"
    )
    return parser.parse_args()


def main():
    args = parse_arguments()
    command_line.show_log()
    options = reports.ScoringOptions(
        comparisons=args.comparison,
        harmony_embedding=args.harmony_embedding,
        harmony_revision=args.harmony_revision,
        train_corpus=args.train_corpus,
        revision=args.revision,
        data_dir=args.data_dir,
        split_version=args.split_version,
        split_shares=args.split_shares,
        clean_test=args.clean_test,
        num_proc=args.num_proc,
        trust_remote_code=args.trust_remote_code,
    )
    with disk.lock_folder(args.output):
        run = runs.read_run(args.manifest)
        scores = reports.score_run(run, options)
        page = reports.write_report(run, scores, args.output)
    logging.info("Open %s in a browser.", page)


if __name__ == "__main__":
    main()
