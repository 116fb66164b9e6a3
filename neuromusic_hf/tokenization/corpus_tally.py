"""What a tokenizer changed in a corpus: each split in sum, and the pieces by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
from datasets import Dataset, Value

from ..disk import read_json, to_json, write_json
from .tally import CHANGES, FIELDS, Tally

TALLY_FEATURES = {each.name: Value("float64" if isinstance(each.default, float) else "int32") for each in FIELDS}
"""A [`Tally`] as a column of a dataset."""

WORST_NAMED = 5


@dataclass(frozen=True)
class ChangedPiece:
    """
    A piece that was changed.

    Args:
        piece (`str`): its path in the corpus, or its content hash where it has none.
        lost_share (`float`): of its sounding time.
        changes (`dict[str, float]`): as of [`Tally`].
    """

    piece: str
    lost_share: float
    changes: dict[str, float]


@dataclass(frozen=True)
class PiecesTally:
    """
    What was changed in many pieces.

    Args:
        pieces (`int`): how many there are.
        changed (`int`): how many of them were changed.
        total (`Tally`): the sum.
        worst (`list[ChangedPiece]`): those that lost the largest share of sounding time, the worst first.
    """

    pieces: int = 0
    changed: int = 0
    total: Tally = field(default_factory=Tally)
    worst: list[ChangedPiece] = field(default_factory=list)

    @classmethod
    def of(cls, tallies: Mapping[str, Tally]) -> PiecesTally:
        """That of pieces by name."""
        changed = [ChangedPiece(name, tally.lost_share, tally.changes) for name, tally in tallies.items() if tally]
        worst = sorted(changed, key=lambda piece: (-piece.lost_share, -sum(piece.changes.values())))
        return cls(len(tallies), len(changed), sum(tallies.values(), Tally()), worst[:WORST_NAMED])

    @classmethod
    def of_tokens(cls, tokens: Dataset) -> PiecesTally:
        """
        That of a tokenised split, whose variants do not count.

        Args:
            tokens ([`~datasets.Dataset`]): a split of [`tokenize_corpus`].
        """
        columns = _tally_columns(tokens)
        total = Tally(**{name: values.sum().item() for name, values in columns.items()})
        order = _worst_first(columns)
        return cls(len(columns["notes"]), len(order), total, _changed_pieces(tokens, order[:WORST_NAMED]))

    def to_dict(self) -> dict:
        """As JSON, with the share of sounding time lost and the line that says it all."""
        total = {"total": self.total.to_dict(), "lost_share": self.total.lost_share, "summary": str(self.total)}
        return asdict(self) | total


@dataclass(frozen=True)
class CorpusTally:
    """
    What a tokenizer changed in a corpus.

    Args:
        corpus (`str`): name or path of the corpus.
        tokenization (`str`): class of the tokenizer.
        splits (`dict[str, PiecesTally]`): of its splits.
    """

    corpus: str
    tokenization: str
    splits: dict[str, PiecesTally]

    @classmethod
    def of(cls, corpus: str, tokenization: str, tokens: Mapping[str, Dataset]) -> CorpusTally:
        """That of a tokenised corpus, by split."""
        return cls(corpus, tokenization, {split: PiecesTally.of_tokens(rows) for split, rows in tokens.items()})

    @property
    def total(self) -> Tally:
        """The sum over the splits."""
        return sum((split.total for split in self.splits.values()), Tally())

    @property
    def summary(self) -> str:
        """One line for the log."""
        splits = self.splits.values()
        pieces, changed = sum(split.pieces for split in splits), sum(split.changed for split in splits)
        worst = sorted((each for split in splits for each in split.worst), key=lambda each: -each.lost_share)
        named = ", ".join(f"{each.piece} ({each.lost_share:.2%})" for each in worst[:WORST_NAMED])
        line = f"{self.tokenization} changes {changed:,} of {pieces:,} pieces of corpus '{self.corpus}': {self.total}"
        return f"{line}; worst: {named}" if named else line

    def save(self, path: Path, tokens: Mapping[str, Dataset]) -> Path:
        """Writes it as JSON, with every changed piece of the tokenised splits; whole or not at all."""
        files = [
            {"split": split, **to_json(piece)}
            for split, rows in tokens.items()
            for piece in _changed_pieces(rows, _worst_first(_tally_columns(rows)))
        ]
        write_json(path, {**to_json(self), "total": self.total, "files": files}, ascii_only=False)
        return path

    @classmethod
    def load(cls, path: str | Path) -> CorpusTally:
        """
        Reads what [`save`] wrote, without the pieces.

        Raises:
            `ValueError`: it is none.
        """
        return read_json(path, cls, "is no tally of a corpus", "Tokenise the corpus again, and it is written anew.")


def is_piece(tokens: Dataset) -> np.ndarray:
    """Which rows of a tokenised split are pieces as they are, and not variants: shape `(rows,)`."""
    return pc.struct_field(tokens.data.column("changed"), "notes").is_valid().to_numpy()


def _tally_columns(tokens: Dataset) -> dict[str, np.ndarray]:
    """The fields of the tallies of all pieces, each of shape `(pieces,)`. Variants have no tally."""
    column = tokens.data.column("changed").combine_chunks()
    return {name: pc.struct_field(column, name).drop_null().to_numpy() for name in TALLY_FEATURES}


def _worst_first(columns: dict[str, np.ndarray]) -> np.ndarray:
    """Indices of the pieces that were changed: by the share of sounding time lost, then by the number of changes."""
    num_changes = sum(columns[name] for name in CHANGES)
    changed = np.flatnonzero(num_changes)
    share = columns["sounding_time_lost"][changed] / np.maximum(columns["sounding_time"][changed], 1e-9)
    return changed[np.lexsort((-num_changes[changed], -share))]


def _changed_pieces(tokens: Dataset, indices: np.ndarray) -> list[ChangedPiece]:
    """Those of the pieces, variants not counted."""
    rows = tokens.data.table.select(["piece", "changed"])
    rows = rows.take(np.flatnonzero(is_piece(tokens))[indices])
    pairs = zip(rows["piece"].to_pylist(), map(Tally.from_dict, rows["changed"].to_pylist()), strict=True)
    return [ChangedPiece(piece, tally.lost_share, tally.changes) for piece, tally in pairs]
