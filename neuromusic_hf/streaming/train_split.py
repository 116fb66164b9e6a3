"""Runs that stream their train split: what they refuse, and what is kept all the same."""

from __future__ import annotations

import itertools
import logging

from datasets import Dataset, Features, IterableDataset

from ..corpora import SPLIT_NAMES, QuarantineReport, StreamedCorpus
from ..corpora.corpus import Corpus
from ..corpora.streamed import keep
from ..options.arguments import DataArguments, ModelArguments, RunArguments
from ..tokenization import MidiProcessor
from .blocks import StreamedBlocks
from .pieces import PieceStream, Place, Share
from .window import WindowMaker

logger = logging.getLogger(__name__)

SAMPLED_PASS = 1
"""In whose order they come: the first one also tells what was refused."""

LEARNED_FROM = 4096
"""Pieces that a vocabulary is learned from, at most; from as many tokens as without streaming."""

NO_END = "how long a pass over a stream is, is not known: give steps, and max_steps for the run"
NOT_AT_ONCE = "it needs the whole train split at hand, as a run without streaming has it"
IN_ORDER = "each process reads its own share of a stream, block after block"
REFUSED = {
    "eval_strategy": (("epoch",), NO_END),
    "save_strategy": (("epoch",), NO_END),
    "logging_strategy": (("epoch",), NO_END),
    "clean_test": ((True,), NOT_AT_ONCE),
    "eval_continuations_novelty": ((True,), NOT_AT_ONCE),
    "ignore_data_skip": ((True,), "a run goes on where its checkpoint was in the stream, and skips nothing"),
    "dataloader_in_order": ((False,), IN_ORDER),
    "train_sampling_strategy": (("sequential", "group_by_length", "batch_rebalance"), IN_ORDER),
}
"""Values of options that cannot be with streaming, and why."""

REFUSED_OF_ACCELERATE = ("split_batches", "dispatch_batches")
"""Of `accelerator_config`: the loader of a stream is ours."""


def check_streaming(data_args: DataArguments, args: RunArguments):
    """
    Refuses what a run that streams its train split cannot do.

    Raises:
        `ValueError`: naming the option, its value and what to do.
    """
    if not data_args.streaming:
        return
    if args.max_steps <= 0:
        raise ValueError(f"streaming=True needs max_steps: {NO_END}, in place of num_train_epochs.")
    for name, (refused, reason) in REFUSED.items():
        value = getattr(args, name)
        value = getattr(value, "value", value)
        if value in refused:
            raise ValueError(f"{name}={value} cannot be with streaming: {reason}.")
    for name in REFUSED_OF_ACCELERATE:
        if getattr(args.accelerator_config, name):
            raise ValueError(f"accelerator_config: {name} has no effect with streaming, as {IN_ORDER}. Leave it out.")


def select_splits(loaded: Corpus | StreamedCorpus, args: RunArguments) -> Corpus:
    """
    The splits of a run that are at hand, without the test split unless the run is to be tested.

    Of a stream they are laid down in the cache of `datasets`, but for the train split, which is not among them.

    Args:
        loaded ([`Corpus`] or [`StreamedCorpus`]): from [`load_corpus`].
        args ([`RunArguments`]): of the run.

    Raises:
        [`CacheError`]: the cache cannot be written.
        `ValueError`: of a stream one of them is empty.
    """
    wanted = [split for split in SPLIT_NAMES if split != "test" or args.do_test]
    if not isinstance(loaded, StreamedCorpus):
        return Corpus({split: loaded[split] for split in wanted}, loaded.quarantine, loaded.provenance)
    splits = {split: loaded.kept(split) for split in wanted if split != "train"}
    empty = [split for split, rows in splits.items() if not len(rows)]
    if not any(part.may_hold("train") for part in loaded.parts):
        empty.append("train")
    for split in empty:
        raise ValueError(
            f"Corpus '{loaded.name}': the {split} split of its stream is empty. Give it a larger share with "
            "split_shares, or add pieces."
        )
    counted = QuarantineReport(loaded.name, sum(map(len, splits.values())))
    return Corpus(splits, loaded.quarantine or counted, loaded.provenance)


def pieces_to_learn_from(loaded: Corpus | StreamedCorpus, model_args: ModelArguments, seed: int) -> Dataset | None:
    """
    The pieces that a vocabulary is learned from: the train split, or some of a stream, which are kept for it.

    Args:
        loaded ([`Corpus`] or [`StreamedCorpus`]): from [`load_corpus`].
        model_args ([`ModelArguments`]): say whether a vocabulary is learned; if not, nothing is read of a stream.
        seed (`int`): draws the stretches of the stream that they are from.
    """
    if not isinstance(loaded, StreamedCorpus):
        return loaded["train"]
    if model_args.vocab_size is None:
        return None
    pieces = PieceStream(loaded, "train", seed)
    names = ("midi", "content_hash")
    features = Features({name: pieces.stretches[0][0].rows.features[name] for name in names})

    def some():
        found = (each.row for each in pieces.read(Place(SAMPLED_PASS), Share()) if each.is_piece)
        yield from ({name: row[name] for name in names} for row in itertools.islice(found, LEARNED_FROM))

    logger.info("The vocabulary is learned from %d pieces of the stream, at most.", LEARNED_FROM)
    return keep(IterableDataset.from_generator(some, features), ["learned from", loaded.identity, seed])


def stream_blocks(
    stream: StreamedCorpus, processor: MidiProcessor, data_args: DataArguments, args: RunArguments
) -> StreamedBlocks:
    """
    The train split of a stream as blocks that this process trains on.

    Args:
        stream ([`StreamedCorpus`]): from [`load_corpus`].
        processor ([`MidiProcessor`]): makes ids of it.
        data_args ([`DataArguments`]): with the share of infilling settled.
        args ([`RunArguments`]): say the seeds, processes and workers.
    """
    pieces = PieceStream(stream, "train", args.seed if args.data_seed is None else args.data_seed)
    shares = args.world_size * max(1, args.dataloader_num_workers)
    if shares > 1:
        ways = "each reads all, and takes some rows" if pieces.takes_rows(shares) else "each has its own"
        logger.info("The train split is read in %d stretches by %d workers: %s.", len(pieces.stretches), shares, ways)
    logger.info("Before the first step up to %d pieces are read, tokenised and mixed.", data_args.shuffle_buffer)
    maker = WindowMaker(pieces, processor, data_args, args.seed)
    return StreamedBlocks(maker, args.process_index, args.world_size)
