"""The splits of a training run as blocks of tokens, and the facts about them."""

import hashlib
import logging
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow.compute
from datasets import Dataset, DatasetDict, concatenate_datasets

from ..corpora import Corpus
from ..corpora.clean import TWIN_IN_TRAIN, piece_name, twins_in_train
from ..evaluation.language_modeling import tokens_per_note
from ..music import Midi
from ..options.arguments import DataArguments
from ..streaming.blocks import StreamedBlocks
from ..streaming.counts import facts_of_stream
from ..tokenization import MidiProcessor, PiecesTally, make_blocks
from ..tokenization.corpus_tally import is_piece
from .infill_blocks import evaluation_samples, train_blocks
from .infill_trainer import InfillSplit

logger = logging.getLogger(__name__)

CLEAN_TEST = "clean_test"
"""The split of the test pieces without a twin in train."""

NAMES_RECORDED = 20
"""Of the pieces with one."""


@dataclass
class TrainingBlocks:
    """
    The splits of a run as blocks, and the facts about them that the run record keeps.

    Attributes:
        splits (`dict[str, Dataset]`): Blocks of `context_length` tokens, by split; [`StreamedBlocks`] of a stream.
        tokens_per_note (`dict[str, float]`): Of all pieces of a split.
        facts (`dict[str, dict]`): From [`split_facts`].
        infill (`dict[str, InfillSplit]`): Samples of infilling to evaluate on, by split.
    """

    splits: dict[str, Any] = field(default_factory=dict)
    tokens_per_note: dict[str, float] = field(default_factory=dict)
    facts: dict[str, dict] = field(default_factory=dict)
    infill: dict[str, InfillSplit] = field(default_factory=dict)

    @classmethod
    def from_tokens(
        cls, tokens: DatasetDict, data_args: DataArguments, seed: int, corpus: DatasetDict | None = None
    ) -> "TrainingBlocks":
        """
        Cuts each split into blocks of `data_args.context_length` tokens; evaluation splits to `max_eval_blocks`.

        Args:
            tokens ([`~datasets.DatasetDict`]): from [`tokenize_corpus`].
            data_args ([`DataArguments`]): of the run.
            seed (`int`): of the order of the blocks.
            corpus ([`~datasets.DatasetDict`], *optional*):
                That was tokenised, with a column `duration`: the facts tell how long its pieces are, too.
        """
        blocks = cls()
        for split, pieces in tokens.items():
            blocks._add(split, pieces, data_args, seed)
            if corpus is not None:
                blocks.facts[split]["mean_seconds"] = float(np.mean(corpus[split]["duration"][:]))
            if left_out := blocks.facts[split]["left_out"]["no_notes_in_vocabulary"]:
                logger.warning(
                    "%d pieces hold no note the tokenizer keeps and are left out; run.json names them.", len(left_out)
                )
        return blocks

    def add_clean_test(self, corpus: Corpus, tokens: Dataset, data_args: DataArguments, seed: int):
        """
        Adds the split `clean_test`: the pieces of the test split that have no twin in train.

        Its facts count the others under `left_out`, as `twin_in_train`, and name the first of them with their twins.

        Args:
            corpus ([`Corpus`]): with the splits `train` and `test`.
            tokens ([`~datasets.Dataset`]): the test split, from [`tokenize_corpus`].
            data_args ([`DataArguments`]): as of `from_tokens`.
            seed (`int`): likewise.

        Raises:
            `ValueError`: every test piece has a twin in train.
        """
        twins = twins_in_train(corpus["test"], corpus["train"], num_proc=data_args.num_proc)
        test = corpus["test"].cast_column("midi", Midi(decode=False))
        if len(twins) == len(test):
            raise ValueError(
                f"Each of the {len(test)} test pieces has a twin in train: there is no clean test. Leave clean_test "
                "out, or take a corpus whose splits go by family."
            )
        logger.info("%d of %d test pieces have a twin in train: clean_test leaves them out.", len(twins), len(test))
        unclean = pyarrow.array({test[row]["content_hash"] for row in twins}, pyarrow.string())
        clean = pyarrow.compute.invert(pyarrow.compute.is_in(tokens.data.column("content_hash"), unclean))
        rows = tokens.select(clean.to_numpy().nonzero()[0]).flatten_indices()  # facts are read from the table beneath
        self._add(CLEAN_TEST, rows, data_args, seed)
        named = [{"piece": piece_name(test[row]), "twin": twins[row]} for row in list(twins)[:NAMES_RECORDED]]
        self.facts[CLEAN_TEST]["left_out"][TWIN_IN_TRAIN] = {"pieces": len(twins), "first": named}

    def add_infill(
        self, corpus: Corpus, processor: MidiProcessor, data_args: DataArguments, seed: int, *, asked: bool = True
    ):
        """
        Adds blocks of samples of infilling to the train split, and samples to evaluate on to the others.

        Nothing is added where `data_args.infill_share` is 0. It becomes 0 where hardly a bar fits into the context and
        nobody asked; of a streamed train split, validation tells. The facts of each split tell of its samples under
        `infill`.

        Args:
            corpus ([`Corpus`]): with the splits of the run.
            processor ([`MidiProcessor`]): with the tokens of infilling.
            data_args ([`DataArguments`]): as of `from_tokens`.
            seed (`int`): likewise.
            asked (`bool`, *optional*, defaults to `True`): whether infilling was asked for.

        Raises:
            `ValueError`: the vocabulary has no tokens of infilling; or it was asked for, and hardly a bar fits.
        """
        if not data_args.infill_share:
            return
        if "train" in corpus and not self._train_on_infill(corpus["train"], processor, data_args, seed, asked):
            return
        for split in (split for split in corpus if split != "train"):
            samples, facts = evaluation_samples(corpus[split], processor, data_args, self.facts[split]["tokens"])
            self.facts[split]["infill"] = facts
            if samples is not None:
                self.infill[split] = InfillSplit(samples, facts["asked_tokens"] / facts["notes"])
            elif split == "validation" and "train" not in corpus:
                self._leave_infill_out(split, data_args, asked)
                return
            else:
                logger.warning("No bar of %s fits into the context: infilling is not measured on it.", split)

    def add_stream(self, blocks: StreamedBlocks, content: str):
        """
        Adds the train split of a run that streams it, of which nothing is read yet.

        Args:
            blocks ([`StreamedBlocks`]): from [`stream_blocks`].
            content (`str`): what the corpus is known by.
        """
        vocabulary = blocks.maker.processor.vocabulary_hash
        self.splits["train"], self.facts["train"] = blocks, facts_of_stream([], content, vocabulary, 1)

    def _train_on_infill(
        self, pieces: Dataset, processor: MidiProcessor, data_args: DataArguments, seed: int, asked: bool
    ) -> bool:
        blocks, facts = train_blocks(pieces, processor, data_args, seed, self.facts["train"]["tokens"])
        if blocks is None:
            self._leave_infill_out("train", data_args, asked)
            return False
        self.splits["train"] = concatenate_datasets([self.splits["train"], blocks])
        self.facts["train"]["infill"] = facts | {"ids": hash_ids(blocks)}
        return True

    def _leave_infill_out(self, split: str, data_args: DataArguments, asked: bool):
        reason = f"hardly a bar of the {split} split fits into a context of {data_args.context_length} tokens"
        if asked:
            raise ValueError(
                f"infill_share={data_args.infill_share:g} cannot be: {reason}. Make context_length longer, or set "
                "infill_share to 0."
            )
        logger.warning("The model does not learn to fill in bars: %s.", reason)
        data_args.infill_share = 0.0

    def _add(self, split: str, tokens: Dataset, data_args: DataArguments, seed: int):
        if not tokens.data.column("num_notes").to_numpy().any():
            raise ValueError(
                f"The {split} split would be empty: the tokenizer keeps no note of its {len(tokens)} rows. "
                "Take another tokenization, or add pieces."
            )
        blocks, limit = make_blocks(tokens, data_args.context_length, seed=seed), data_args.max_eval_blocks
        self.facts[split] = split_facts(tokens, len(blocks), data_args.context_length)
        self.tokens_per_note[split] = tokens_per_note(tokens)
        is_cut = split != "train" and limit is not None and len(blocks) > limit
        self.splits[split] = blocks.select(range(limit)) if is_cut else blocks


def split_facts(tokens: Dataset, num_blocks: int, block_size: int) -> dict:
    """
    What a tokenised split holds, as JSON values for the record of a run.

    It counts the pieces, and the rows, notes, tokens and blocks of them and of their variants; and says what the
    tokenizer changed in the pieces, and of which it keeps no note.

    Args:
        tokens ([`~datasets.Dataset`]): From [`tokenize_corpus`].
        num_blocks (`int`): Blocks that its tokens fill.
        block_size (`int`): Tokens of a block.
    """
    num_notes = tokens.data.column("num_notes").to_numpy()
    lengths = pyarrow.compute.list_value_length(tokens.data.column("input_ids")).to_numpy()
    num_tokens = int(lengths[num_notes > 0].sum())
    piece_notes = num_notes[is_piece(tokens)]
    empty = tokens.select((is_piece(tokens) & (num_notes == 0)).nonzero()[0])["piece"][:]
    return {
        "pieces": int((piece_notes > 0).sum()),
        "rows": int((num_notes > 0).sum()),
        "notes": int(num_notes.sum()),
        "tokens": num_tokens,
        "blocks": num_blocks,
        "padding_share": 1 - num_tokens / (num_blocks * block_size),
        "music": hash_music(tokens),
        "content": hashlib.sha256(repr(tokens["content_hash"][:]).encode() + lengths.tobytes()).hexdigest()[:16],
        "ids": hash_ids(tokens),
        "left_out": {"no_notes_in_vocabulary": empty},
        "changed_by_tokenizer": PiecesTally.of_tokens(tokens).to_dict(),
    }


def hash_music(tokens: Dataset) -> str:
    """Hash of the pieces of a tokenised split, in whatever order: the same by any tokenizer."""
    return hashlib.sha256("\n".join(sorted(set(tokens["content_hash"][:]))).encode()).hexdigest()[:16]


def hash_ids(tokens: Dataset) -> str:
    """Hash of the ids of all pieces of a tokenised split, in their order."""
    digest = hashlib.sha256()
    for chunk in tokens.data.column("input_ids").chunks:
        digest.update(chunk.flatten().to_numpy().tobytes())
    return digest.hexdigest()[:16]
