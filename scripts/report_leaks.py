"""Reports which pieces of a corpus have a twin in another split of it, or in another corpus.

    python scripts/report_leaks.py bach --output leaks/bach
    python scripts/report_leaks.py my_midi --against bach --output leaks/my_midi-bach
    python scripts/report_leaks.py maestro --data_dir maestro-v2.0.0-midi.zip --save_audio --output leaks/maestro

Open report.html in a browser. All pairs are in leaks.json; the worst are in pairs/ as pictures and MIDI.
"""

import argparse
import logging
import os

import neuromusic_hf
from neuromusic_hf import command_line, cores, corpora, disk, ranges, reports


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", help="name, folder or archive of a corpus, or several joined with +")
    parser.add_argument("--against", help="another corpus, in which twins are looked for; itself if not given")
    parser.add_argument("--output", type=os.path.expanduser, required=True, help="folder to write to")
    parser.add_argument("--max_pairs", type=int, default=12, help="pairs to show, one of each family")
    parser.add_argument("--save_audio", action="store_true", help="render their sound, 10 s of each piece at most")
    parser.add_argument("--num_proc", type=int, default=cores.usable_cores(), help="processes that read pieces")
    add_corpus_arguments(parser.add_argument_group("the corpus"), "")
    add_corpus_arguments(parser.add_argument_group("the other corpus"), "against_")
    args = parser.parse_args()
    if args.against is None and (given := command_line.given_options(args, "against_")):
        parser.error(f"Name another corpus with --against, or leave out {', '.join(given)}.")
    return args


def add_corpus_arguments(group, prefix: str):
    group.add_argument(f"--{prefix}data_dir", help="where it lies, if it is here already")
    group.add_argument(f"--{prefix}revision", help="branch, tag or commit of it on the Hub; main if not given")
    group.add_argument(
        f"--{prefix}split", action="append", choices=corpora.SPLIT_NAMES, help="look at this split alone"
    )
    group.add_argument(
        f"--{prefix}split_version", choices=corpora.SPLIT_VERSIONS, help="how it is split; the newest way if not given"
    )
    group.add_argument(f"--{prefix}split_shares", type=float, nargs=3, help="shares of train, validation and test")


def main():
    args = parse_arguments()
    ranges.check_ranges(args, reports.LEAK_RANGES)
    command_line.show_log()
    with disk.lock_folder(args.output):
        corpus = neuromusic_hf.load_corpus(
            args.corpus,
            args.data_dir,
            split_shares=args.split_shares,
            split_version=args.split_version,
            revision=args.revision,
            num_proc=args.num_proc,
        )
        against = None
        if args.against is not None:
            against = neuromusic_hf.load_corpus(
                args.against,
                args.against_data_dir,
                split_shares=args.against_split_shares,
                split_version=args.against_split_version,
                revision=args.against_revision,
                num_proc=args.num_proc,
            )
        report = reports.report_leaks(
            corpus, against, splits=args.split, against_splits=args.against_split, num_proc=args.num_proc
        )
        page = reports.write_leaks(
            report, args.output, corpus, against, max_pairs=args.max_pairs, audio=args.save_audio
        )
    logging.info("Open %s in a browser.", page)


if __name__ == "__main__":
    main()
