"""What the scripts of test runs share of their command lines."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from ..corpora.splits import SPLIT_NAMES, SPLIT_VERSIONS, CorpusSplits

if TYPE_CHECKING:
    from ..copying import CopyIndex
    from .piece_sources import PieceSource


def add_run_options(parser: argparse.ArgumentParser, verb: str) -> None:
    """
    Adds what a test run of any kind is asked: its model, its pieces, its sampling, and what it writes.

    Args:
        parser (`argparse.ArgumentParser`): of the script.
        verb (`str`): what is done with pieces, as a participle of the past.
    """
    parser.add_argument("model", type=os.path.expanduser, help="folder of a run or of a bundle, Hub id, or default")
    parser.add_argument("pieces", nargs="+", help="MIDI files, folders of them, or a corpus (its test split)")
    parser.add_argument("--revision", help="branch, tag or commit of the model on the Hub; main if not given")
    parser.add_argument("--output", type=os.path.expanduser, required=True, help="folder to write to")
    parser.add_argument("--overwrite", action="store_true", help="begin anew, whatever the folder holds of a run")
    parser.add_argument("--max_items", type=int, help="choose so many of the pieces, by --seed; all if not given")
    parser.add_argument("--batch_size", type=int, default=8, help=f"pieces {verb} together, by one process")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trust_remote_code", action="store_true", help="run code that a Hub repository ships")
    _add_sampling(parser)
    _add_output(parser)
    _add_corpus(parser)


def find_pieces_asked(args: argparse.Namespace) -> list[PieceSource]:
    """The pieces that a command line with these options names; as [`find_pieces`] and [`choose_pieces`]."""
    from .piece_sources import choose_pieces, find_pieces  # with datasets, which is slow to import

    pieces = find_pieces(
        args.pieces,
        split=args.split,
        clean_test=args.clean_test,
        data_dir=args.data_dir,
        revision=args.corpus_revision,
        num_proc=args.num_proc,
        splits=CorpusSplits.asked(args.split_version, args.split_shares),
        model=args.model,
        model_revision=args.revision,
    )
    return choose_pieces(pieces, args.max_items, args.seed)


def add_guard_options(parser: argparse.ArgumentParser) -> None:
    """Adds what keeps a model from copying its training pieces."""
    group = parser.add_argument_group("copy guard")
    group.add_argument(
        "--copy_guard",
        help="corpus whose train split is not copied: that which the model was trained on, split as it was then",
    )
    group.add_argument("--max_run", type=int, help="notes that may be shared with it in a row; 12 if not given")


def guard_asked(args: argparse.Namespace) -> dict[str, CopyIndex | int | None]:
    """
    Arguments of the midi-continuation pipeline that stand for the options of [`add_guard_options`].

    The corpus is split as the model was trained with. `--data_dir` and `--corpus_revision` are of the pieces, and of
    the corpus where it is named among them.

    Raises:
        `ValueError`: there is no such corpus, no note in it, or `--max_run` cannot be.
    """
    from ..bundles import splits_of_model
    from ..generation.copy_guard import GuardSettings, guard_index, load_training  # with datasets

    if not GuardSettings(args.copy_guard, args.max_run):
        return {}
    is_of_pieces = args.copy_guard in args.pieces
    training = load_training(
        args.copy_guard,
        splits_of_model(args.model, revision=args.revision),
        data_dir=args.data_dir if is_of_pieces else None,
        revision=args.corpus_revision if is_of_pieces else None,
        num_proc=args.num_proc,
    )
    return {"copy_guard": guard_index(training, name=args.copy_guard), "max_run": args.max_run}


def _add_sampling(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("sampling", "What is not given is as the bundle says.")
    group.add_argument("--temperature", type=float, help="0 always takes the likeliest token")
    group.add_argument("--top_k", type=int, help="sample among the k likeliest tokens; 0 for all")
    group.add_argument("--top_p", type=float, help="sample among the likeliest of this total share")
    group.add_argument(
        "--constrained",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="only tokens that the tokenizer's grammar allows",
    )


def _add_output(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("pictures and sound")
    group.add_argument(
        "--save_audio", type=int, nargs="?", const=None, default=0, help="render to WAV, all or so many pieces"
    )
    group.add_argument("--soundfont", type=os.path.expanduser, help="SoundFont 2 file for the audio")
    group.add_argument("--save_pictures", action=argparse.BooleanOptionalAction, default=True, help="draw piano rolls")


def _add_corpus(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("corpora", "Where the pieces are of one.")
    group.add_argument(
        "--split",
        choices=SPLIT_NAMES,
        help="which split of a corpus, test if not given; where it is given, a folder of MIDI files is a corpus, too",
    )
    group.add_argument(
        "--split_version",
        choices=SPLIT_VERSIONS,
        help="how a corpus is split; as the model was trained if not given",
    )
    group.add_argument(
        "--split_shares",
        type=float,
        nargs=3,
        help="shares of train, validation and test; as the model was trained with if not given",
    )
    group.add_argument(
        "--clean_test", action="store_true", help="leave out, and name, the pieces that have a twin in the train split"
    )
    group.add_argument("--data_dir", help="where a corpus lies, if it is here already")
    group.add_argument("--corpus_revision", help="branch, tag or commit of a corpus on the Hub; main if not given")
    group.add_argument("--num_proc", type=int, help="processes that read a corpus")
