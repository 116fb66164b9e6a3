"""Pushes a corpus to the Hub as a dataset, with a card that tells what it is.

python scripts/push_corpus.py bach me/bach
python scripts/push_corpus.py my_midi me/songs --config_name songs --private
python scripts/push_corpus.py maestro me/maestro --data_dir maestro-v2.0.0-midi.zip --tokenization REMI

Pushes as the user of `hf auth login`, or of HF_TOKEN. Stopped and started again, it goes on where it was.
"""

import argparse
import logging

import neuromusic_hf
from neuromusic_hf import command_line, cores, corpora, tokenization


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", help="name, folder or archive of a corpus, or several joined with +")
    parser.add_argument("repository", help="dataset on the Hub, owner/name; made if missing")
    parser.add_argument("--config_name", default="default", help="which configuration of the dataset it is to be")
    parser.add_argument("--corpus_revision", help="branch, tag or commit of a corpus on the Hub; main if not given")
    parser.add_argument("--revision", help="branch to push to; made from main if missing")
    parser.add_argument("--tag", help="tag the commit")
    parser.add_argument("--create_pr", action="store_true", help="open a pull request in place of committing")
    parser.add_argument("--commit_message", help="of the commit with the rows")
    parser.add_argument("--private", action="store_true", default=None, help="make a new dataset a private one")
    parser.add_argument("--data_dir", help="where the corpus lies, if it is here already")
    parser.add_argument("--split_shares", type=float, nargs=3, help="shares of train, validation and test")
    parser.add_argument(
        "--split_version", choices=corpora.SPLIT_VERSIONS, help="how it is split; the newest if not given"
    )
    parser.add_argument("--tokenization", help="tell in the card what this tokenizer changes, such as REMI")
    parser.add_argument("--num_proc", type=int, default=cores.usable_cores(), help="processes that read the corpus")
    return parser.parse_args()


def main():
    args = parse_arguments()
    command_line.show_log()
    corpus = neuromusic_hf.load_corpus(
        args.corpus,
        args.data_dir,
        split_shares=args.split_shares,
        split_version=args.split_version,
        num_proc=args.num_proc,
        revision=args.corpus_revision,
    )
    tally = None
    if args.tokenization is not None:
        processor = neuromusic_hf.MidiProcessor.from_tokenization(args.tokenization)
        tally = tokenization.tokenize_corpus(corpus, processor, num_proc=args.num_proc).tally
    pushed = corpus.push_to_hub(
        args.repository,
        args.config_name,
        tally=tally,
        private=args.private,
        revision=args.revision,
        create_pr=args.create_pr,
        tag=args.tag,
        commit_message=args.commit_message,
    )
    logging.info("The corpus is at %s.", pushed.repo_url)


if __name__ == "__main__":
    main()
