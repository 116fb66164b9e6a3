"""Learns word vectors of harmony from a corpus, which the harmony score compares pieces by.

python scripts/train_harmony_embedding.py maestro --output runs/maestro-harmony
python scripts/train_harmony_embedding.py bach+folk --output runs/harmony --push_to_hub me/harmony
"""

import argparse
import logging
import os

import neuromusic_hf
from neuromusic_hf import command_line, cores, corpora, disk, metrics


def parse_arguments() -> argparse.Namespace:
    defaults = metrics.EmbeddingSettings()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", help="name, folder or archive of a corpus, or several joined with +")
    parser.add_argument("--revision", help="branch, tag or commit of a corpus on the Hub; main if not given")
    parser.add_argument("--output", type=os.path.expanduser, required=True, help="folder to write to")
    parser.add_argument("--split", default="train", choices=corpora.SPLIT_NAMES, help="which split of the corpus")
    parser.add_argument(
        "--split_version", choices=corpora.SPLIT_VERSIONS, help="how it is split; the newest if not given"
    )
    parser.add_argument("--data_dir", help="where the corpus lies, if it is here already")
    parser.add_argument(
        "--num_proc",
        type=int,
        default=cores.usable_cores(),
        help="processes that read the corpus and reduce the pieces",
    )
    parser.add_argument("--vector_size", type=int, default=defaults.vector_size, help="numbers in a vector")
    parser.add_argument("--window", type=int, default=defaults.window, help="bars on either side that are context")
    parser.add_argument("--min_count", type=int, default=defaults.min_count, help="rarer words are the unknown word")
    parser.add_argument("--sample", type=float, default=defaults.sample, help="share from which words are thinned out")
    parser.add_argument("--epochs", type=int, default=defaults.epochs, help="passes over the pieces")
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument("--push_to_hub", metavar="REPOSITORY", help="upload to this repository of the Hub")
    parser.add_argument("--private", action="store_true", default=None, help="make a new repository there private")
    parser.add_argument("--push_revision", help="branch to push to, made if missing; main if not given")
    parser.add_argument("--push_tag", help="tag the commit there")
    args = parser.parse_args()
    if args.push_to_hub is None and (args.push_revision or args.push_tag):
        parser.error("--push_revision and --push_tag go with --push_to_hub.")
    return args


def main():
    args = parse_arguments()
    command_line.show_log()
    logging.getLogger("gensim").setLevel(logging.WARNING)
    settings = metrics.EmbeddingSettings(
        args.vector_size, args.window, args.min_count, args.sample, epochs=args.epochs, seed=args.seed
    )
    with disk.lock_folder(args.output):
        corpus = neuromusic_hf.load_corpus(
            args.corpus,
            args.data_dir,
            split_version=args.split_version,
            num_proc=args.num_proc,
            revision=args.revision,
        )
        pieces = corpus[args.split]
        reductions, dropped = metrics.reduce_corpus(pieces, args.num_proc)
        source = {"corpora": disk.to_json(corpus.provenance), "split": args.split, "dropped": dropped}
        embedding = metrics.train_harmony_embedding(reductions, settings, source)
        embedding.save_pretrained(args.output)
        if args.push_to_hub:
            embedding.push_to_hub(
                args.push_to_hub, private=args.private, revision=args.push_revision, tag=args.push_tag
            )
    logging.info(
        "%d words from %d bars of %d pieces are in %s; %d pieces without harmony: %s.",
        len(embedding.words),
        embedding.training["bars"],
        len(reductions),
        args.output,
        sum(dropped.values()),
        dropped or "none",
    )


if __name__ == "__main__":
    main()
