"""`StreamedCorpus`: a corpus that is read anew in each pass, and nowhere kept."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import datasets
from datasets import (
    BuilderConfig,
    Dataset,
    DatasetInfo,
    Features,
    IterableDataset,
    IterableDatasetDict,
    concatenate_datasets,
)
from datasets.fingerprint import Hasher

from ..music.midi_feature import PLAIN_MIDI, Midi
from .builder import HELPER_FEATURES, IGNORED
from .cache import CachedBuilder
from .code_identity import code_of_rooms
from .provenance import Provenance
from .quarantine import QuarantineReport
from .splits import SPLIT_NAMES, UNDECIDED, Member, assign_split

logger = logging.getLogger(__name__)

ROWS_AT_ONCE = 16


@dataclass(frozen=True)
class StreamedPart:
    """
    Rows of a corpus, accepted and refused ones, that have one official split or none.

    Args:
        name (`str`): of the corpus.
        official (`str`, *optional*): the split that all of them are in, as their file says; rows may say it, too.
        rows ([`~datasets.IterableDataset`]): with the columns of the builders.
        stretches (`int`): that can be read alone, one after the other, in the order of the rows.
        shares (sequence of `float`): of train, validation and test.
        carved (`tuple[str, ...]`): splits that its corpus lacks, which are carved out of train.
        decided (mapping of `str` to `str`): splits by content hash, of pieces that a family sends elsewhere.
    """

    name: str
    official: str | None
    rows: IterableDataset
    stretches: int
    shares: tuple[float, float, float]
    carved: tuple[str, ...] = ()
    decided: Mapping[str, str] = field(default_factory=lambda: UNDECIDED)

    def may_hold(self, split: str) -> bool:
        """Whether pieces of a split may be among the rows."""
        carved = self.official == SPLIT_NAMES[0] and split in self.carved
        return self.official in (None, split) or carved

    def read(self, stretch: int) -> Iterator[dict[str, Any]]:
        """All rows of a stretch; in a worker of PyTorch, too, in which a dataset by itself gives a part of them."""
        rows = self.rows.shard(self.stretches, stretch, contiguous=True)
        for batch in rows.iter(ROWS_AT_ONCE):
            yield from (dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True))

    def side(self, row: Mapping[str, Any]) -> str | None:
        """The split of a row; `None` of a refused one."""
        if row["refused_reason"] is not None:
            return None
        return assign_split(Member(row["content_hash"], row["official_split"], self.carved), self.shares, self.decided)

    def tell(self, row: Mapping[str, Any]) -> None:
        """Logs what became of a file that was refused or mended."""
        path = row["midi"]["path"]
        if row["refused_reason"] is None and row["mended"]:
            details = "; ".join(f"{mend['kind']}: {mend['detail']}" for mend in row["mended"])
            logger.warning("Corpus '%s': mended %s (%s)", self.name, path, details)
        elif row["refused_reason"] not in (None, IGNORED):
            reason, detail = row["refused_reason"], row["refused_detail"]
            logger.warning("Corpus '%s': refused %s (%s: %s)", self.name, path, reason, detail)

    def pieces_of(self, split: str) -> IterableDataset:
        """The pieces of a split, without our own columns; in passes over it what was refused or mended is logged."""
        pieces = self.rows.filter(_is_in, fn_kwargs={"part": self, "split": split})
        return pieces.remove_columns([name for name in HELPER_FEATURES if name in self.rows.features])


def _is_in(row: dict, part: StreamedPart, split: str) -> bool:
    side = part.side(row)
    if split == (side or row["official_split"] or SPLIT_NAMES[0]):
        part.tell(row)
    return side == split


class StreamedCorpus(IterableDatasetDict):
    """
    Train, validation and test of a corpus, each an `IterableDataset` that reads the source anew in each pass.

    Args:
        parts (sequence of [`StreamedPart`]): in the order of their rows.
        provenance (list of [`Provenance`]): where they come from, in the order in which corpora were joined.
        identity (`str`): changes when the content of the files may have changed.
        content (`str`): known by what the files say of themselves, wherever they lie.
        quarantine ([`QuarantineReport`], *optional*): what became of the files when the corpus was prepared.
    """

    def __init__(
        self,
        parts: Sequence[StreamedPart],
        provenance: list[Provenance],
        identity: str,
        content: str,
        quarantine: QuarantineReport | None = None,
    ):
        self.parts, self.provenance, self.quarantine = list(parts), provenance, quarantine
        self.identity, self.content = identity, content
        super().__init__({split: self._stream(split) for split in SPLIT_NAMES})

    def _stream(self, split: str) -> IterableDataset:
        """Where no part may hold the split, the first one is looked through, which has the columns."""
        holding = [part for part in self.parts if part.may_hold(split)] or self.parts[:1]
        return concatenate_datasets([part.pieces_of(split) for part in holding]).cast_column("midi", Midi())

    @property
    def name(self) -> str:
        """That of the corpora that are joined, each once."""
        return "+".join(dict.fromkeys(part.name for part in self.parts))

    def kept(self, split: str, most: int | None = None, cache_dir: str | None = None) -> Dataset:
        """
        Lays a split down in the cache of `datasets`, as it is without streaming.

        Args:
            split (`str`): which.
            most (`int`, *optional*): pieces, the first ones.
            cache_dir (`str`, *optional*): the cache of `datasets` if not given.

        Raises:
            [`CacheError`]: the cache cannot be written.
        """
        rows = self[split].cast_column("midi", Midi(decode=False))
        return keep(rows if most is None else rows.take(most), [self.identity, split, most], cache_dir)


@dataclass
class KeptConfig(BuilderConfig):
    """What is laid down."""

    rows: IterableDataset | None = None


class KeptBuilder(CachedBuilder, datasets.GeneratorBasedBuilder):
    """Writes the rows of a stream as Arrow arrays."""

    BUILDER_CONFIG_CLASS = KeptConfig
    DEFAULT_WRITER_BATCH_SIZE = 256

    def _info(self) -> DatasetInfo:
        return DatasetInfo(features=Features({**self.config.rows.features, "midi": PLAIN_MIDI}))

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        return [datasets.SplitGenerator("rows")]

    def _generate_examples(self) -> Iterator[tuple[int, dict]]:
        yield from enumerate(self.config.rows)


def keep(rows: IterableDataset, depends_on: list, cache_dir: str | None = None) -> Dataset:
    """
    Lays rows down in the cache of `datasets`.

    Args:
        rows ([`~datasets.IterableDataset`]): with a column `midi` that is not decoded.
        depends_on (`list`): all that they depend on beside the code.
        cache_dir (`str`, *optional*): the cache of `datasets` if not given.

    Returns:
        [`~datasets.Dataset`], whose `midi` is decoded.

    Raises:
        [`CacheError`]: the cache cannot be written.
    """
    fingerprint = Hasher.hash(["kept", *depends_on, *code_of_rooms("corpora", "music")])
    builder = KeptBuilder(cache_dir, rows=rows, config_id=f"default-fingerprint={fingerprint}")
    builder.download_and_prepare()
    return builder.as_dataset(split="rows").cast_column("midi", Midi())
