"""Pieces with a middle cut out, as a dataset: drawn in parallel, and cached."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute
from datasets import Dataset, Features, List, Value

from ..corpora.code_identity import code_of_rooms
from ..music.loading import load_score
from ..tokenization import Augmentation, MidiProcessor
from ..tokenization.augmentation import OneVariant
from ..tokenization.token_dataset import collector_paused, map_pieces
from .drawing import PieceInBars, Window, draw_windows
from .encoding import CutEncoder
from .layout import InfillSample

SAMPLE_FEATURES = Features(
    {
        "input_ids": List(Value("int32")),
        "asked": Value("int32"),
        "num_notes": Value("int32"),
        "num_programs": Value("int32"),
        "content_hash": Value("string"),
        "left_out": Value("string"),
    }
)
"""Columns of drawn samples. `input_ids` is a whole [`InfillSample`], of which the last `asked` ids are its middle and
EOM, with `num_notes` notes; `num_programs` are asked for, 0 where all tracks are. Where none could be made it is
empty, and `left_out` says why."""

BAR_TOO_LONG = "bar_longer_than_context"
"""Why there is no sample: a single bar, with what is told beside it, does not fit."""

FEWEST = 0.02
"""Of the tokens of a split, those that a cover must have: with fewer, a share would be the same few again."""

SPARE = 3
"""Standard deviations of what is drawn, that more is drawn than is needed."""


def draw_samples(
    pieces: Dataset,
    processor: MidiProcessor,
    context_length: int,
    *,
    cover: int = 0,
    part: float = 1.0,
    seed: int = 0,
    augmentation: Augmentation | None = None,
    num_proc: int | None = None,
) -> Dataset:
    """
    Samples that cover the pieces of a split once, and their variants; or a part of these samples.

    What is drawn depends on the content of a piece, the variant, `cover`, `part` and `seed` alone: not on the place of
    the piece in the corpus, nor on the number of processes. The result is cached by all that it depends on.

    Args:
        pieces ([`~datasets.Dataset`]):
            A split with the columns `midi` and `content_hash`, as from [`load_corpus`].
        processor ([`MidiProcessor`]):
            The tokenizer, with the tokens of infilling.
        context_length (`int`):
            Ids of a sample, at most.
        cover (`int`, *optional*, defaults to 0):
            Another one has other windows and middles.
        part (`float`, *optional*, defaults to 1.0):
            About how many of the samples are made: some of the pieces are not read, of the others some windows are
            left out, and the samples that are made are those of the whole cover.
        seed (`int`, *optional*, defaults to 0):
            Of the draw.
        augmentation ([`Augmentation`], *optional*):
            Variants of the pieces.
        num_proc (`int`, *optional*):
            Processes, at most: fewer for few pieces.

    Returns:
        [`~datasets.Dataset`] with the columns of `SAMPLE_FEATURES`.

    Raises:
        `ValueError`: the vocabulary has no tokens of infilling.
    """
    draw = DrawSamples(processor, augmentation or Augmentation(), context_length, cover, part, seed)
    return map_pieces(
        pieces,
        draw,
        SAMPLE_FEATURES,
        depends_on=[
            *("infill samples", context_length, cover, part, seed, vars(draw.augmentation), list(draw.infill_ids)),
            code_of_rooms("infilling"),
        ],
        num_proc=num_proc,
        desc="Drawing samples of infilling",
    )


def part_for(share: float, num_pieces: int) -> float:
    """
    The part of a cover to draw, so that most likely a share of its tokens is among it: a little more than that share.

    Args:
        share (`float`): of the tokens of the cover; above 1 where one is not enough.
        num_pieces (`int`): that are covered.
    """
    return min(1.0, share + SPARE * (share / num_pieces) ** 0.5)


def lengths_of(samples: Dataset) -> np.ndarray:
    """Ids of each sample of [`draw_samples`], 0 where there is none: shape `(rows,)`. No row may be selected."""
    return pyarrow.compute.list_value_length(samples.data.column("input_ids")).to_numpy()


@dataclass(frozen=True, eq=False)
class Drawn:
    """A window of a piece, whose content hash is known."""

    content_hash: str
    bars: PieceInBars
    window: Window


class DrawSamples:
    """The function of the map: rows of MIDI to rows of samples."""

    def __init__(
        self,
        processor: MidiProcessor,
        augmentation: Augmentation | OneVariant,
        context_length: int,
        cover: int,
        part: float,
        seed: int,
    ):
        if processor.infill_ids is None:
            raise ValueError(
                "This vocabulary has no tokens of infilling: processor.add_infill_tokens() adds them, and the "
                "embeddings of a model have to grow with it."
            )
        self.processor, self.augmentation = processor, augmentation
        self.encoder, self.cut_encoder = processor.encoder, CutEncoder(processor)
        self.infill_ids, self.context_length = processor.infill_ids, context_length
        self.cover, self.seed = cover, seed
        self.kept = part**0.5  # of the pieces, and of the windows of each

    def __call__(self, rows: dict[str, list]) -> pa.Table:
        """A table of `SAMPLE_FEATURES`, of rows with the columns `midi` and `content_hash`."""
        with collector_paused():
            drawn = [
                window
                for midi, content_hash in zip(rows["midi"], rows["content_hash"], strict=True)
                for window in self._drawn(midi, content_hash)
            ]
            samples = self._fitting(drawn)
        whole = [np.zeros(0, np.int32) if sample is None else sample.whole(self.infill_ids) for sample in samples]
        borders = np.cumsum([0, *map(len, whole)], dtype=np.int32)
        columns = [
            pa.ListArray.from_arrays(borders, pa.array(np.concatenate([np.zeros(0, np.int32), *whole]), pa.int32())),
            pa.array([0 if sample is None else len(sample.middle) + 1 for sample in samples], pa.int32()),
            pa.array([0 if sample is None else sample.num_notes for sample in samples], pa.int32()),
            pa.array([len(each.window.programs or ()) for each in drawn], pa.int32()),
            pa.array([window.content_hash for window in drawn], pa.string()),
            pa.array([BAR_TOO_LONG if sample is None else None for sample in samples], pa.string()),
        ]
        return pa.Table.from_arrays(columns, schema=SAMPLE_FEATURES.arrow_schema)

    def _drawn(self, midi: dict, content_hash: str) -> Iterator[Drawn]:
        if self._random(content_hash, "whether").random() >= self.kept:
            return
        score, config = load_score(midi), self.processor.music_tokenizer.config
        variants = self.augmentation.draw(score, content_hash, config.pitch_range)
        written = [each for each in self.encoder.write(score, variants) if len(each.quantised)]
        for variant, (each, ids) in enumerate(zip(written, self.encoder.ids_of(written), strict=True)):
            bars = PieceInBars.of(each.quantised, len(ids))
            random = self._random(content_hash, variant)
            windows = draw_windows(bars, self.context_length, by_program=config.use_programs, random=random)
            for window, chance in zip(windows, random.random(len(windows)), strict=True):
                if chance < self.kept:
                    yield Drawn(content_hash, bars, window)

    def _random(self, content_hash: str, variant: int | str) -> np.random.Generator:
        said = f"infill:{self.seed}:{content_hash}:{variant}:{self.cover}"
        return np.random.default_rng(int.from_bytes(hashlib.sha256(said.encode()).digest()[:8], "big"))

    def _fitting(self, drawn: list[Drawn]) -> list[InfillSample | None]:
        """The sample of each window, which is narrowed until it fits; `None` where a single bar does not."""
        found: list[InfillSample | None] = [None] * len(drawn)
        windows: dict[int, Window] = {index: each.window for index, each in enumerate(drawn)}
        while windows:
            pieces = [drawn[index].bars for index in windows]
            cuts = [(bars.piece, window.cut(bars)) for bars, window in zip(pieces, windows.values(), strict=True)]
            narrowed = {}
            for (index, window), sample in zip(windows.items(), self.cut_encoder.samples(cuts), strict=True):
                surplus = len(sample) - self.context_length
                if surplus <= 0:
                    found[index] = sample
                elif smaller := window.narrowed(drawn[index].bars, surplus / len(sample)):
                    narrowed[index] = smaller
            windows = narrowed
        return found
