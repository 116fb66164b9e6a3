"""A corpus of MIDI as a dataset of tokens: every piece is tokenised once, in parallel, and cached."""

import contextlib
import gc
import json
import logging
import os
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
from datasets import Dataset, DatasetDict, Features, List, Value
from datasets.fingerprint import Hasher
from miditok import MusicTokenizer
from symusic.core import ScoreTick

from ..borders.datasets import fingerprint_of
from ..corpora.cache import cached_map
from ..corpora.code_identity import code_of_classes, code_of_rooms
from ..music.loading import load_score
from ..music.midi_feature import Midi
from ..ranges import PROCESSES, check_ranges
from .augmentation import Augmentation, OneVariant, Variant
from .corpus_tally import TALLY_FEATURES, CorpusTally
from .music_encoding import Written
from .music_tokenizer import what_ids_depend_on
from .processing_midi import MidiProcessor

logger = logging.getLogger(__name__)

TOKEN_FEATURES = Features(
    {
        "input_ids": List(Value("int32")),
        "num_notes": Value("int32"),
        "content_hash": Value("string"),
        "piece": Value("string"),
        "changed": TALLY_FEATURES,
        "pitch_shift": Value("int8"),
        "velocity_shift": Value("int16"),
        "tempo_factor": Value("float32"),
    }
)
"""Columns of a tokenised corpus. `input_ids` runs from BOS to EOS, `num_notes` counts the notes it stands for. `piece`
is the path of the piece in the corpus, or its content hash where it has none; `changed` holds the [`Tally`] of the
piece as it is, and nothing for its variants, of which the last three columns say what was done."""

FEWEST_OF_ARRAYS, FEWEST_OF_MIDITOK = 50, 2
"""Pieces of a process: to start one takes about as long as to encode so many."""


def tokenize_corpus(
    corpus: DatasetDict,
    processor: MidiProcessor,
    *,
    augmentation: Augmentation | None = None,
    num_proc: int | None = None,
    tally_path: str | Path | None = None,
) -> DatasetDict:
    """
    Tokenises every piece of a corpus, and says what the tokenizer changed in it.

    The result is cached by what it depends on: the corpus, the processor's vocabulary, config and code, the
    augmentation and the versions of miditok, symusic, tokenizers and numpy. Only the `train` split is augmented.

    Args:
        corpus ([`~datasets.DatasetDict`]):
            Splits with the columns `midi` and `content_hash`, as from [`load_corpus`].
        processor ([`MidiProcessor`]):
            The tokenizer.
        augmentation ([`Augmentation`], *optional*):
            Variants of the training pieces.
        num_proc (`int`, *optional*):
            Processes, at most: fewer for few pieces.
        tally_path (`str` or `Path`, *optional*):
            Where the tally (JSON) goes: what was changed in each piece, and in sum. Defaults to a file beside the
            cached tokens.

    Returns:
        [`~datasets.DatasetDict`] with the columns of `TOKEN_FEATURES`. Rows are in the order of [`evenly_mixed`] where
        the corpus has a column `num_notes`. A piece of which the tokenizer keeps no note stays, with `num_notes` 0 and
        `input_ids` that hold BOS and EOS alone. Its attribute `tally` is the [`CorpusTally`].

    Raises:
        `TypeError`: the corpus is streamed.
    """
    check_ranges({"num_proc": num_proc}, {"num_proc": PROCESSES})
    for split, pieces in corpus.items():
        if not isinstance(pieces, Dataset):
            raise TypeError(
                f"The tokens of a whole corpus are kept, and the {split} split of this one is a stream: load it "
                "without streaming. A run that streams makes tokens as it reads (prepare_data of "
                "neuromusic_hf.training)."
            )
    none = Augmentation()
    variants = {split: augmentation or none if split == "train" else none for split in corpus}
    tokens = DatasetDict(
        {
            split: _tokenize_split(pieces, processor, variants[split], num_proc, split)
            for split, pieces in corpus.items()
        }
    )
    tokens.tally = _tell_changes(corpus, processor, tokens, tally_path)
    return tokens


class TokenizePieces:
    """The function of the map: one row of MIDI to one row of tokens per variant."""

    def __init__(self, processor: MidiProcessor, augmentation: Augmentation | OneVariant):
        self.processor, self.encoder = processor, processor.encoder
        self.augmentation = augmentation

    def __call__(self, rows: dict[str, list]) -> pa.Table:
        """A table of `TOKEN_FEATURES`, of rows with the columns `midi` and `content_hash`."""
        pieces = []
        with collector_paused():
            for midi, content_hash in zip(rows["midi"], rows["content_hash"], strict=True):
                pieces += self.tokenize(load_score(midi), content_hash, _name(midi["path"]) or content_hash)
        ids = self.encoder.ids_of([written for written, _ in pieces])
        schema = TOKEN_FEATURES.arrow_schema
        facts = [pa.array([row[field.name] for _, row in pieces], field.type) for field in list(schema)[1:]]
        return pa.Table.from_arrays([self._between_borders(ids), *facts], schema=schema)

    def tokenize(self, score: ScoreTick, content_hash: str, name: str) -> Iterator[tuple[Written, dict]]:
        """Yields what is written of each variant of a piece, and its row but for `input_ids`."""
        pitch_range = self.processor.music_tokenizer.config.pitch_range
        variants = list(self.augmentation.draw(score, content_hash, pitch_range))
        for variant, written in zip(variants, self.encoder.write(score, variants), strict=True):
            is_piece = variant == Variant()
            changed = vars(self.encoder.tally(written.given, written.quantised)) if is_piece else None
            facts = {"content_hash": content_hash, "piece": name, "changed": changed}
            yield written, {"num_notes": len(written.quantised), **facts, **vars(variant)}

    def _between_borders(self, pieces: list[np.ndarray]) -> pa.ListArray:
        """The ids of each piece, between BOS and EOS."""
        begin, end = [self.processor.tokenizer.bos_token_id], [self.processor.tokenizer.eos_token_id]
        borders = np.cumsum([0, *(len(ids) + 2 for ids in pieces)], dtype=np.int32)
        values = np.concatenate([np.zeros(0, np.int32), *(part for ids in pieces for part in (begin, ids, end))])
        return pa.ListArray.from_arrays(borders, pa.array(values, pa.int32()))


def _name(path: str | None) -> str | None:
    """The path of a piece in its corpus. One that tells where a file lay on some machine is cut to the file's name."""
    return os.path.basename(path) if path and os.path.isabs(path) else path


def evenly_mixed(num_notes: np.ndarray) -> np.ndarray:
    """
    An order in which every stretch holds long and short pieces alike.

    Processes that take a stretch each so end together: ranks by length, spread by multiples of the golden ratio.

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
    Pauses Python's search for reference cycles.

    miditok, where it encodes itself, makes a small object for every event, none of them in a cycle, and the search
    among them takes a third of the time of tokenising.
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
    return map_pieces(
        pieces,
        TokenizePieces(processor, augmentation),
        TOKEN_FEATURES,
        depends_on=[list(TOKEN_FEATURES), vars(augmentation)],
        num_proc=num_proc,
        desc=f"Tokenising {split}",
    )


class PieceFunction(Protocol):
    """What [`map_pieces`] calls."""

    processor: MidiProcessor

    def __call__(self, rows: dict[str, list]) -> pa.Table:
        """From rows with the columns `midi` and `content_hash` to a table."""
        ...


def map_pieces(
    pieces: Dataset, function: PieceFunction, features: Features, *, depends_on: list, num_proc: int | None, desc: str
) -> Dataset:
    """
    What a function makes of the pieces of a split: in parallel, and cached by all that ids depend on.

    Args:
        pieces ([`~datasets.Dataset`]): with the columns `midi` and `content_hash`.
        function ([`PieceFunction`]): of a few of their rows.
        features ([`~datasets.Features`]): of its tables.
        depends_on (`list`): what the result depends on beside the pieces, the processor and how that makes ids.
        num_proc (`int`, *optional*): processes, at most: fewer for few pieces.
        desc (`str`): says what is done.
    """
    processor = function.processor
    fingerprint = Hasher.hash(
        [
            fingerprint_of(pieces),
            json.dumps(what_ids_depend_on(processor.music_tokenizer)),
            code_of_classes(type(processor.music_tokenizer), MusicTokenizer),
            code_of_rooms("borders", "music", "tokenization"),
            *(version(package) for package in ("miditok", "symusic", "tokenizers", "numpy")),
            *depends_on,
        ]
    )
    if "num_notes" in pieces.column_names:
        pieces = pieces.select(evenly_mixed(np.asarray(pieces["num_notes"][:])))
    return cached_map(
        pieces.select_columns(["midi", "content_hash"]).cast_column("midi", Midi(decode=False)),
        function,
        fingerprint,
        batched=True,
        batch_size=16,
        remove_columns=["midi", "content_hash"],
        features=features,
        num_proc=_num_processes(len(pieces), processor, num_proc),
        desc=desc,
    )


def _num_processes(num_pieces: int, processor: MidiProcessor, most: int | None) -> int | None:
    """How many processes to start, each for pieces enough; `None` for none beside this one."""
    fewest = FEWEST_OF_MIDITOK if processor.encoder.arrays is None else FEWEST_OF_ARRAYS
    worthwhile = min(most or 1, num_pieces // fewest)
    return worthwhile if worthwhile > 1 else None


def _tell_changes(
    corpus: DatasetDict, processor: MidiProcessor, tokens: DatasetDict, path: str | Path | None
) -> CorpusTally:
    """Logs and writes the tally of a tokenised corpus."""
    name = getattr(getattr(corpus, "quarantine", None), "corpus", "(unnamed)")
    tally = CorpusTally.of(name, processor.tokenization, tokens)
    saved = _save_tally(tally, tokens, path)
    logger.log(logging.WARNING if tally.total else logging.INFO, "%s. Tally: %s", tally.summary, saved)
    return tally


def _save_tally(tally: CorpusTally, tokens: DatasetDict, path: str | Path | None) -> str | Path:
    """Says where the tally is. A place nobody asked for may be read-only, or not be there: the tokens hold it."""
    if path is not None:
        return tally.save(Path(path), tokens)
    held = "it is the attribute `tally` of the tokens"
    cached = [file["filename"] for split in tokens.values() for file in split.cache_files]
    if not cached:
        return f"not written (the corpus is not cached); {held}"
    fingerprint = Hasher.hash([tally.corpus, *(fingerprint_of(split) for split in tokens.values())])
    path = Path(cached[0]).with_name(f"tally-{fingerprint}.json")
    try:
        return path if path.exists() else tally.save(path, tokens)
    except OSError as error:
        return f"not written ({error}); {held}"
