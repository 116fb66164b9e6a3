"""Prepares a corpus of any size in tasks, on this machine or on many, and goes on where it was stopped.

    python scripts/prepare_corpus.py my_midi --output prepared/my_midi --tasks 16
    python scripts/prepare_corpus.py lamd --output /shared/lamd --tasks 400 --tokenization REMI --executor slurm \\
        --options time=4:00:00 partition=cpu workers=100 --joining mem_per_cpu_gb=16
    python scripts/prepare_corpus.py my_midi --output prepared/my_midi --tasks 16 --push_to me/songs

The folder loads as the corpus does: load_corpus("prepared/my_midi"). docs/scaling.md tells the rest.
"""

import argparse
import logging

from neuromusic_hf import command_line, corpora, preparation


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", help="name, folder or archive of a corpus")
    parser.add_argument("--output", required=True, help="folder to write to, which all machines see under this path")
    parser.add_argument("--data_dir", help="where the corpus lies, if it is here already")
    parser.add_argument("--tasks", type=int, default=16, help="parts of the work; the result does not depend on them")
    parser.add_argument("--executor", choices=preparation.EXECUTORS, default="local", help="what runs the tasks")
    parser.add_argument("--workers", type=int, help="tasks at a time; here, if not given, one a core")
    parser.add_argument("--options", nargs="*", default=[], metavar="NAME=VALUE", help="of datatrove's executor")
    parser.add_argument("--joining", nargs="*", default=[], metavar="NAME=VALUE", help="others where one task runs")
    parser.add_argument("--split_shares", type=float, nargs=3, help="shares of train, validation and test")
    parser.add_argument(
        "--split_version", choices=corpora.SPLIT_VERSIONS, help="how it is split; the newest if not given"
    )
    parser.add_argument("--max_pieces", type=int, help="pieces to read, for a trial")
    parser.add_argument("--tokenization", help="write its tokens, too: REMI, or a saved processor")
    parser.add_argument("--tokenization_revision", help="its branch, tag or commit on the Hub; main if not given")
    parser.add_argument("--push_to", help="dataset on the Hub to push it to in the end, owner/name")
    parser.add_argument("--private", action="store_true", default=None, help="make a new dataset a private one")
    return parser.parse_args()


def main():
    args = parse_arguments()
    command_line.show_log()
    kind = preparation.executor_class(args.executor)
    done = preparation.prepare_corpus(
        args.corpus,
        args.output,
        args.data_dir,
        tasks=args.tasks,
        executor=args.executor,
        executor_options=preparation.read_options(args.options, kind, workers=args.workers),
        joining_options=preparation.read_options(args.joining, kind),
        split_shares=args.split_shares,
        split_version=args.split_version,
        max_pieces=args.max_pieces,
        tokenization=args.tokenization,
        tokenization_revision=args.tokenization_revision,
    )
    if done and args.push_to is not None:
        pushed = preparation.push_prepared(args.output, args.push_to, private=args.private)
        logging.info("The corpus is at %s.", pushed.repo_url)


if __name__ == "__main__":
    main()
