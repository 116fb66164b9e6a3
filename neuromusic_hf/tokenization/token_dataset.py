"""A corpus of MIDI as a dataset of tokens: every piece is tokenised once, in parallel, and cached."""

import contextlib
import gc
import json
from importlib.metadata import version

import numpy as np
from datasets import Dataset, DatasetDict, Features, List, Value
from datasets.fingerprint import Hasher

from ..corpora.cache import cached_map
from ..corpora.code_identity import code_of, code_of_rooms
from ..ranges import PROCESSES, check_ranges
from .augmentation import Augmentation
from .processing_midi import MidiProcessor

TOKEN_FEATURES = Features(
    {
        "input_ids": List(Value("int32")),
        "num_notes": Value("int32"),
        "content_hash": Value("string"),
        "pitch_shift": Value("int8"),
        "velocity_shift": Value("int16"),
        "tempo_factor": Value("float32"),
    }
)
"""Columns of a tokenised corpus. `input_ids` runs from BOS to EOS, `num_notes` counts the notes it stands for, and the
last three columns say which variant of the piece it is."""


def tokenize_corpus(
    corpus: DatasetDict,
    processor: MidiProcessor,
    *,
    augmentation: Augmentation | None = None,
    num_proc: int | None = None,
) -> DatasetDict:
    """
    Tokenises every piece of a corpus.

    The result is cached by what it depends on: the corpus, the processor's vocabulary, config and code, the
    augmentation and the versions of miditok and symusic. Only the `train` split is augmented.

    Args:
        corpus ([`~datasets.DatasetDict`]):
            Splits with the columns `midi` and `content_hash`, as from [`load_corpus`].
        processor ([`MidiProcessor`]):
            The tokenizer.
        augmentation ([`Augmentation`], *optional*):
            Variants of the training pieces.
        num_proc (`int`, *optional*):
            Processes.

    Returns:
        [`~datasets.DatasetDict`] with the columns of `TOKEN_FEATURES`. `content_hash` names the piece: rows are in the
        order of [`evenly_mixed`] where the corpus has a column `num_notes`. A piece of which the tokenizer keeps no
        note stays, with `num_notes` 0 and `input_ids` that hold BOS and EOS alone.
    """
    check_ranges({"num_proc": num_proc}, {"num_proc": PROCESSES})
    none = Augmentation()
    variants = {split: augmentation or none if split == "train" else none for split in corpus}
    return DatasetDict(
        {
            split: _tokenize_split(pieces, processor, variants[split], num_proc, split)
            for split, pieces in corpus.items()
        }
    )


class TokenizePieces:
    """The function of the map: one row of MIDI to one row of tokens per variant."""

    def __init__(self, processor: MidiProcessor, augmentation: Augmentation):
        self.processor = processor
        self.augmentation = augmentation

    def __call__(self, rows: dict[str, list]) -> dict[str, list]:
        result = {name: [] for name in TOKEN_FEATURES}
        with collector_paused():
            for score, content_hash in zip(rows["midi"], rows["content_hash"], strict=True):
                for row in self.tokenize(score, content_hash):
                    for name, value in row.items():
                        result[name].append(value)
        return result

    def tokenize(self, score, content_hash: str):
        """Yields the rows of one piece."""
        tokenizer = self.processor.tokenizer
        pitch_range = self.processor.music_tokenizer.config.pitch_range
        for variant in self.augmentation.draw(score, content_hash, pitch_range):
            ids, num_notes = self.processor.encode_score(variant.apply(score))
            yield {
                "input_ids": [tokenizer.bos_token_id, *ids, tokenizer.eos_token_id],
                "num_notes": num_notes,
                "content_hash": content_hash,
                **vars(variant),
            }


def evenly_mixed(num_notes: np.ndarray) -> np.ndarray:
    """
    An order in which every stretch holds long and short pieces alike, so that processes that take a stretch each end
    together: ranks by length, spread by multiples of the golden ratio.

    Args:
        num_notes (`np.ndarray` of shape `(pieces,)`): notes of each piece.

    Returns:
        `np.ndarray` of shape `(pieces,)`: indices of the pieces.
    """
    by_length = np.argsort(num_notes, kind="stable")
    golden_ratio = (1 + 5**0.5) / 2
    return by_length[np.argsort(np.arange(len(num_notes)) * golden_ratio % 1, kind="stable")]


@contextlib.contextmanager
def collector_paused():
    """
    Pauses Python's search for reference cycles. miditok makes a small object for every event, none of them in a cycle,
    and the search among them takes a third of the time of tokenising.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _tokenize_split(
    pieces: Dataset, processor: MidiProcessor, augmentation: Augmentation, num_proc: int | None, split: str
) -> Dataset:
    fingerprint = Hasher.hash(
        [
            pieces._fingerprint,
            json.dumps(processor.miditok),
            vars(augmentation),
            code_of(type(processor.music_tokenizer)),
            code_of_rooms("music", "tokenization"),
            *(version(package) for package in ("miditok", "symusic", "tokenizers")),
        ]
    )
    if "num_notes" in pieces.column_names:
        pieces = pieces.select(evenly_mixed(np.asarray(pieces["num_notes"][:])))
    return cached_map(
        pieces.select_columns(["midi", "content_hash"]),
        TokenizePieces(processor, augmentation),
        fingerprint,
        batched=True,
        batch_size=16,
        remove_columns=["midi", "content_hash"],
        features=TOKEN_FEATURES,
        num_proc=num_proc if num_proc and num_proc > 1 and len(pieces) >= 2 * num_proc else None,
        desc=f"Tokenising {split}",
    )
