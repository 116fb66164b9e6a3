"""The splits of a training run as blocks of tokens, and the facts about them."""

import hashlib
import logging
from dataclasses import dataclass

import pyarrow.compute
from datasets import Dataset, DatasetDict

from ..tokenization import PiecesTally, make_blocks
from ..tokenization.corpus_tally import is_piece
from .arguments import DataArguments
from .language_modeling import tokens_per_note

logger = logging.getLogger(__name__)


@dataclass
class TrainingBlocks:
    """
    The splits of a run as blocks, and the facts about them that the run record keeps.

    Attributes:
        splits (`dict[str, Dataset]`): Blocks of `context_length` tokens, by split.
        tokens_per_note (`dict[str, float]`): Of all pieces of a split.
        facts (`dict[str, dict]`): From [`split_facts`].
    """

    splits: dict[str, Dataset]
    tokens_per_note: dict[str, float]
    facts: dict[str, dict]

    @classmethod
    def from_tokens(cls, tokens: DatasetDict, data_args: DataArguments, seed: int) -> "TrainingBlocks":
        """Cuts each split into blocks of `data_args.context_length` tokens; evaluation splits to `max_eval_blocks`."""
        blocks = {split: make_blocks(pieces, data_args.context_length, seed=seed) for split, pieces in tokens.items()}
        facts = {split: split_facts(tokens[split], len(blocks[split]), data_args.context_length) for split in blocks}
        for left_out in (facts[split]["left_out"]["no_notes_in_vocabulary"] for split in facts):
            if left_out:
                logger.warning(
                    "%d pieces hold no note the tokenizer keeps and are left out; run.json names them.", len(left_out)
                )
        limit = data_args.max_eval_blocks
        for split in blocks:
            if split != "train" and limit is not None and len(blocks[split]) > limit:
                blocks[split] = blocks[split].select(range(limit))
        ratios = {split: tokens_per_note(pieces) for split, pieces in tokens.items()}
        return cls(blocks, tokens_per_note=ratios, facts=facts)


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
        "content": hashlib.sha256(repr(tokens["content_hash"][:]).encode() + lengths.tobytes()).hexdigest()[:16],
        "ids": hash_ids(tokens),
        "left_out": {"no_notes_in_vocabulary": empty},
        "changed_by_tokenizer": PiecesTally.of_tokens(tokens).to_dict(),
    }


def hash_ids(tokens: Dataset) -> str:
    """Hash of the ids of all pieces of a tokenised split, in their order."""
    digest = hashlib.sha256()
    for chunk in tokens.data.column("input_ids").chunks:
        digest.update(chunk.flatten().to_numpy().tobytes())
    return digest.hexdigest()[:16]
