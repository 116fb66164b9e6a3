"""A window of a stream: so many pieces, mixed and cut into blocks. What it is depends on where it begins alone."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..models.instruments import programs_of_ids
from ..music.midi_feature import own_name
from ..options.arguments import DataArguments
from ..tokenization import MidiProcessor
from ..tokenization.augmentation import OneVariant
from ..tokenization.corpus_tally import TALLY_FEATURES
from ..tokenization.tally import CHANGES
from ..tokenization.token_dataset import TokenizePieces
from .counts import NAMES_KEPT, FirstPass, StreamCounts, counted
from .infill import DrawnBlocks, InfillDrawer
from .pieces import PieceStream, Place, ReadRow, Share

PIECES_AT_ONCE = 16
"""That are tokenised together."""


@dataclass(frozen=True)
class WindowStart:
    """
    Where a window begins.

    Args:
        place (`Place`): of its first piece.
        rest (`list[int]`): ids of the pieces before it that filled no block.
        counts (`StreamCounts`): of all windows before it.
    """

    place: Place = field(default_factory=Place)
    rest: list[int] = field(default_factory=list)
    counts: StreamCounts = field(default_factory=StreamCounts)


@dataclass(frozen=True, eq=False)
class Window:
    """
    Blocks of a window.

    Args:
        blocks (`list[np.ndarray]`): ids (int32) of each, in the order in which a model reads them.
        following (`WindowStart`): of the window behind it, whose counts have this one's.
        digest (`str`): known by all ids of it.
    """

    blocks: list[np.ndarray]
    following: WindowStart
    digest: str


def mixed(count: int, random: np.random.Generator) -> np.ndarray:
    """An order of so many things."""
    return random.permutation(count)


class WindowMaker:
    """
    Makes windows.

    Args:
        stream ([`PieceStream`]): of pieces.
        processor ([`MidiProcessor`]): makes ids of them.
        data_args ([`DataArguments`]): say lengths, the number of pieces, variants and the share of infilling.
        seed (`int`): of variants and samples of infilling.
    """

    def __init__(self, stream: PieceStream, processor: MidiProcessor, data_args: DataArguments, seed: int):
        self.stream, self.processor = stream, processor
        self.num_pieces, self.block_size = data_args.shuffle_buffer, data_args.context_length
        self.augmentation = data_args.augmentation(seed)
        share = data_args.infill_share or 0.0
        self.infill = InfillDrawer(processor, self.block_size, share, seed) if share else None

    def make(self, start: WindowStart, share: Share) -> Generator[float, None, Window]:
        """
        Makes the window of a share that begins somewhere. It ends after so many pieces, or with the pass.

        Yields:
            `float`: about how much of the work is done, between 0 and 1, so that it can be done bit by bit.

        Returns:
            [`Window`]
        """
        passes, halves = start.place.passes, 1 if self.infill is None else 2
        variant = OneVariant(self.augmentation, passes)
        tokenize = TokenizePieces(self.processor, variant)
        rows: list[ReadRow] = []
        batches: list[dict[str, list]] = [{"midi": [], "content_hash": []}]
        tables = [tokenize(batches[0])]
        for some in self._some_rows(start.place, share):
            rows += some
            pieces = [each.row for each in some if each.is_piece]
            batches.append({name: [piece[name] for piece in pieces] for name in batches[0]})
            tables.append(tokenize(batches[-1]))
            yield min(1.0, len(rows) / self.num_pieces) / halves
        tokens = pa.concat_tables(tables)
        random = np.random.default_rng([self.stream.seed, share.number, *vars(start.place).values()])
        blocks, rest = self._cut(tokens, start.rest, random)
        drawn = DrawnBlocks()
        if self.infill is not None:
            ordinary = int(_lengths(tokens)[_has_notes(tokens)].sum())
            drawn = yield from _later(self.infill.draw(batches, variant, ordinary, passes, random))
        everything = [*blocks, *drawn.blocks]
        everything = [everything[number] for number in mixed(len(everything), random)]
        is_whole = tokens.num_rows < self.num_pieces
        counts = start.counts + self._counts(rows, tokens, drawn, len(everything), passes, is_whole)
        place = Place(passes + 1) if is_whole else rows[-1].place
        digest = hashlib.sha256(b"".join(map(bytes, [*everything, rest]))).hexdigest()[:16]
        return Window(everything, WindowStart(place, rest.tolist(), counts), digest)

    def _some_rows(self, place: Place, share: Share) -> Iterator[list[ReadRow]]:
        """Rows with a few pieces among them, until the window has its pieces, or the pass ends."""
        left, rows, pieces = self.num_pieces, [], 0
        for row in self.stream.read(place, share):
            rows.append(row)
            pieces += row.is_piece
            if pieces in (PIECES_AT_ONCE, left):
                yield rows
                left, rows, pieces = left - pieces, [], 0
                if not left:
                    return
        if rows:
            yield rows

    def _cut(
        self, tokens: pa.Table, rest: list[int], random: np.random.Generator
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """Blocks of the pieces in a random order, behind the rest of others; and the rest of these."""
        texts = tokens.column("input_ids").to_numpy()[_has_notes(tokens)]
        order = mixed(len(texts), random)
        ids = np.concatenate([np.array(rest, np.int32), *(texts[number] for number in order)]).astype(np.int32)
        end = len(ids) // self.block_size * self.block_size
        return list(ids[:end].reshape(-1, self.block_size)), ids[end:]

    def _counts(
        self, rows: list[ReadRow], tokens: pa.Table, drawn: DrawnBlocks, num_blocks: int, passes: int, is_whole: bool
    ) -> StreamCounts:
        has_notes = _has_notes(tokens)
        ids = tokens.column("input_ids").combine_chunks().flatten()
        return StreamCounts(
            passes=int(is_whole),
            pieces=int(has_notes.sum()),
            tokens=int(_lengths(tokens)[has_notes].sum()),
            blocks=num_blocks,
            infill_samples=drawn.samples,
            infill_tokens=drawn.tokens,
            infill_left_out=drawn.left_out,
            programs=programs_of_ids(pc.unique(ids).to_pylist(), self.processor),
            first=FirstPass() if passes else _first_pass(rows, tokens),
        )


def _later(work: Generator[float, None, DrawnBlocks]) -> Generator[float, None, DrawnBlocks]:
    """Work that is the second half of all."""
    while True:
        try:
            done = next(work)
        except StopIteration as end:
            return end.value
        yield (1 + done) / 2


def _has_notes(tokens: pa.Table) -> np.ndarray:
    return tokens.column("num_notes").to_numpy() > 0


def _lengths(tokens: pa.Table) -> np.ndarray:
    return pc.list_value_length(tokens.column("input_ids")).to_numpy()


def _first_pass(rows: list[ReadRow], tokens: pa.Table) -> FirstPass:
    has_notes, changed = _has_notes(tokens), tokens.column("changed").combine_chunks()
    fields = {name: pc.struct_field(changed, name).to_numpy(zero_copy_only=False) for name in TALLY_FEATURES}
    sums = {name: values.sum().item() for name, values in fields.items()}
    silent = tokens.column("piece").filter(pa.array(~has_notes)).to_pylist()
    refused = [each for each in rows if not each.is_piece]
    return FirstPass(
        pieces=int(has_notes.sum()),
        notes=int(tokens.column("num_notes").to_numpy().sum()),
        tokens=int(_lengths(tokens)[has_notes].sum()),
        without_notes=len(silent),
        names_without_notes=silent[:NAMES_KEPT],
        refused=counted([each.row["refused_reason"] for each in refused]),
        names_refused=[own_name(each.row["midi"]["path"]) for each in refused][:NAMES_KEPT],
        mended=counted([mend["kind"] for each in rows for mend in each.row["mended"] or []]),
        changed_pieces=int(np.count_nonzero(sum(fields[name] for name in CHANGES))),
        changed={name: value for name, value in sums.items() if value},
    )
