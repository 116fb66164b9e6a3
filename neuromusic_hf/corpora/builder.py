"""`MidiCorpusBuilder`: the `GeneratorBasedBuilder` under every corpus. Subclass it to add one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

import datasets
import pyarrow as pa
import symusic
from datasets import Features, List, Value
from datasets.fingerprint import Hasher

from ..music import RefusedFile, SanityLimits
from ..music.midi_feature import PLAIN_MIDI
from ..twins import NO_MELODY, melody_of
from ..twins.detectors import Detector
from .cache import CachedBuilder
from .code_identity import code_of, code_of_classes, code_of_rooms
from .families import MELODY, MELODY_FEATURE, melody_row
from .sanity import inspect_midi
from .sources import source_fingerprint
from .splits import DEFAULT_SPLIT_SHARES, SPLIT_NAMES

ROWS_SPLIT = "files"
FACT_FEATURES = {
    "duration": Value("float32"),
    "num_notes": Value("int32"),
    "instruments": List(Value("string")),
    "content_hash": Value("string"),
}
HELPER_FEATURES = {
    "official_split": Value("string"),
    "refused_reason": Value("string"),
    "refused_detail": Value("string"),
    "mended": List({"kind": Value("string"), "count": Value("int64"), "detail": Value("string")}),
    MELODY: MELODY_FEATURE,
}
TEXT = Value("string")
IGNORED = "ignored"
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass
class Piece:
    """
    One file before it is parsed.

    Args:
        path (`str`): names the piece in the rows and in the quarantine report; its path inside the corpus, or a name.
        data (`bytes`, *optional*): the MIDI file.
        refused ([`RefusedFile`], *optional*): why there is no `data`.
        split (`str`, *optional*): the official split; `None` has [`load_corpus`] assign one.
        metadata (`dict`, *optional*): values of the builder's `METADATA` columns; missing ones are null.
    """

    path: str
    data: bytes | None = None
    refused: RefusedFile | None = None
    split: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass
class MidiCorpusConfig(datasets.BuilderConfig):
    """
    Configuration of a corpus.

    Args:
        limits ([`SanityLimits`], *optional*, defaults to `SanityLimits()`): what a file may be.
        max_pieces (`int`, *optional*): pieces to read, the first of the corpus, for trials.
        fingerprint (`str`, *optional*): changes when the source changes, so that the cache does too; the builder's.
    """

    limits: SanityLimits | None = None
    max_pieces: int | None = None
    fingerprint: str | None = None

    def __post_init__(self):
        super().__post_init__()
        self.limits = self.limits or SanityLimits()
        if self.max_pieces is not None and self.max_pieces < 1:
            raise ValueError(f"max_pieces must be at least 1, got {self.max_pieces}.")


class MidiCorpusBuilder(CachedBuilder, datasets.GeneratorBasedBuilder):
    """
    Base class of the corpora.

    A new corpus overrides [`list_pieces`] and [`read_pieces`], and nothing else of ours. [`load_corpus`] takes its
    class, and as the scripts do its import path (`"my_package.my_module.Scales"`):

    ```py
    >>> class Scales(MidiCorpusBuilder):
    ...     METADATA = {"title": Value("string")}
    ...
    ...     def list_pieces(self):
    ...         return ["c_major", "d_major"]
    ...
    ...     def read_pieces(self, pieces):
    ...         for name in pieces:
    ...             yield Piece(path=name, data=write_scale(name), metadata={"title": name})
    >>> corpus = load_corpus(Scales)
    ```

    The builder makes one native split, [`ROWS_SPLIT`], with a row for every file: accepted ones with their MIDI bytes,
    refused ones with a reason instead. [`load_corpus`] makes train, validation and test of it.

    Attributes:
        METADATA (`dict[str, Value]`): more columns, of other names than ours, filled from [`Piece.metadata`].
        OFFICIAL_SPLITS (`bool`): every piece comes with its split.
        SPLIT_SHARES (`tuple[float, float, float]`): default shares of train, validation and test.
        DEFAULT_LIMITS (`SanityLimits`): limits if none are given.
        LICENCE (`str`, *optional*): of the music, as the Hub names it (`"cc-by-4.0"`); cards tell it.
        DATASET (`str`, *optional*): id of the corpus on the Hub.
        SOURCE (`str`, *optional*): address of the corpus.
        CITATION (`str`, *optional*): BibTeX of whom to cite.
    """

    BUILDER_CONFIG_CLASS = MidiCorpusConfig
    VERSION = datasets.Version("1.0.0")
    DEFAULT_WRITER_BATCH_SIZE = 256
    METADATA: ClassVar[dict[str, Value]] = {}
    OFFICIAL_SPLITS: ClassVar[bool] = False
    SPLIT_SHARES: ClassVar[tuple[float, float, float]] = DEFAULT_SPLIT_SHARES
    DEFAULT_LIMITS: ClassVar[SanityLimits] = SanityLimits()
    LICENCE: ClassVar[str | None] = None
    DATASET: ClassVar[str | None] = None
    SOURCE: ClassVar[str | None] = None
    CITATION: ClassVar[str | None] = None

    def __init__(self, cache_dir=None, *, data_dir=None, limits=None, hash=None, **kwargs):
        data_dir = None if data_dir is None else os.path.expanduser(data_dir)
        if "fingerprint" not in kwargs:
            kwargs["fingerprint"] = self.source_fingerprint(data_dir)
        kwargs.setdefault("dataset_name", f"neuromusic_{type(self).__name__}")
        super().__init__(
            cache_dir,
            data_dir=data_dir,
            limits=limits or self.DEFAULT_LIMITS,
            hash=hash or self._code_hash(),
            **kwargs,
        )

    @classmethod
    def source_fingerprint(cls, data_dir: str | None) -> str:
        """
        Gives a string that changes when what the corpus is read from changes; it is part of the cache key.

        Here: names, sizes, times and inodes of the files in `data_dir`, see [`source_fingerprint`]. It is
        overridden for a corpus that is read from elsewhere.
        """
        return "" if data_dir is None else source_fingerprint(data_dir)

    def list_pieces(self) -> list:
        """
        Lists what there is to read, in a fixed order; any picklable items. It is cut into shares for `num_proc`.

        What is prepared on several machines is handed to them as JSON: items are texts, numbers or lists of these, or
        [`piece_from_json`] makes them of it.
        """
        raise NotImplementedError(f"{type(self).__name__} must define list_pieces().")

    def read_pieces(self, pieces: list) -> Iterator[Piece]:
        """Reads items of [`list_pieces`], in order, one [`Piece`] each."""
        raise NotImplementedError(f"{type(self).__name__} must define read_pieces().")

    @staticmethod
    def piece_from_json(value: Any) -> Any:
        """
        Gives back an item of [`list_pieces`], when a corpus is prepared in several processes.

        Overridden where items are no plain JSON values: a dataclass comes as a `dict` of its fields, a tuple as a
        list.
        """
        return value

    @classmethod
    def _code_hash(cls) -> str:
        """Part of the cache key: the code of the builder and of what reads files, and the MIDI reader's version."""
        sources = code_of_classes(cls, MidiCorpusBuilder)
        ours = [*code_of_rooms("corpora", "music"), code_of(melody_of), code_of(Detector)]
        return Hasher.hash([sources, ours, symusic.__version__])

    def _info(self) -> datasets.DatasetInfo:
        ours = {"midi": PLAIN_MIDI, **FACT_FEATURES, **HELPER_FEATURES}
        if taken := sorted(ours.keys() & self.METADATA.keys()):
            raise ValueError(
                f"{type(self).__name__}.METADATA has columns of the names of ours: {', '.join(taken)}. Rename them."
            )
        return datasets.DatasetInfo(
            features=Features({"midi": PLAIN_MIDI, **FACT_FEATURES, **self.METADATA, **HELPER_FEATURES})
        )

    def _split_generators(self, dl_manager) -> list[datasets.SplitGenerator]:
        return [datasets.SplitGenerator(name=ROWS_SPLIT, gen_kwargs={"pieces": self.wanted_pieces()})]

    def wanted_pieces(self) -> list:
        """
        Lists the pieces to read: those of [`list_pieces`], up to `max_pieces`.

        Raises:
            `ValueError`: there are none.
        """
        pieces = self.list_pieces()[: self.config.max_pieces]
        if not pieces:
            raise ValueError(f"The corpus {self._described()} has no pieces.")
        return pieces

    def count_unread(self) -> int:
        """Counts the pieces beyond `max_pieces`."""
        most = self.config.max_pieces
        return 0 if most is None else max(0, len(self.list_pieces()) - most)

    def _generate_examples(self, pieces: list) -> Iterator[tuple[int, dict]]:
        for key, piece in enumerate(self.read_pieces(pieces)):
            yield key, self.make_row(piece)

    def make_row(self, piece: Piece) -> dict:
        """
        Reads, mends and checks a piece, and makes its row: the columns of `info.features`.

        Raises:
            `ValueError`: the piece has a split or metadata that a row of this corpus cannot have.
        """
        unknown = set(piece.metadata) - set(self.METADATA)
        if unknown or piece.split not in (None, *SPLIT_NAMES):
            raise ValueError(
                f"'{piece.path}': split is {piece.split!r} (must be None or one of {SPLIT_NAMES}), metadata columns "
                f"not in {type(self).__name__}.METADATA: {sorted(unknown) or 'none'}."
            )
        if not isinstance(piece.data, bytes | None):
            raise TypeError(f"'{piece.path}': its data is a {type(piece.data).__name__}, not bytes.")
        row = dict.fromkeys(self.info.features)
        row.update({name: self._value(piece, name) for name in piece.metadata}, official_split=piece.split)
        row.update(inspect_row(piece.path, piece.refused or piece.data, self.config.limits))
        return row

    def _value(self, piece: Piece, name: str) -> Any:
        """The value of a metadata column, as Arrow can store it."""
        value, feature = piece.metadata[name], self.METADATA[name]
        value = storable(value) if isinstance(value, str) else value
        if isinstance(value, str) and feature == TEXT:
            return value
        column = Features({name: feature})
        try:
            pa.array([column.encode_example({name: value})], column.type)
        except (ValueError, TypeError, OverflowError) as error:
            raise ValueError(
                f"'{piece.path}': its value of {type(self).__name__}.METADATA column {name!r} is {value!r}, which "
                f"{feature} does not hold: {error}."
            ) from error
        return value

    def _described(self) -> str:
        return f"{type(self).__name__}" + (f" at '{self.config.data_dir}'" if self.config.data_dir else "")


def printable(name: str) -> str:
    """Replaces what is no UTF-8 in a file name, so that Arrow can store it, and what would break a line of a log."""
    return UNPRINTABLE.sub("\ufffd", name)


def storable(text: str) -> str:
    """Replaces what is no UTF-8, so that Arrow can store it."""
    return text.encode("utf-8", "replace").decode("utf-8")


def inspect_row(path: str, data: bytes | RefusedFile | None, limits: SanityLimits) -> dict[str, Any]:
    """
    Makes the columns of a row that come from the file itself.

    Args:
        path (`str`): names the file; stored so that it can be printed.
        data (`bytes` or [`RefusedFile`], *optional*): the file, or why it could not be read.
        limits ([`SanityLimits`]): what a file may be.

    Returns:
        `dict` with `midi`, the facts (null if refused), `refused_reason` and `refused_detail` (null if accepted), and
        `mended`: what was mended, each with `kind`, `count` and `detail` (null if refused), and its melody.
    """
    path = printable(path)
    try:
        if isinstance(data, RefusedFile):
            raise data
        facts = inspect_midi(data or b"", limits)
    except RefusedFile as refused:
        return {
            "midi": {"bytes": None, "path": path},
            **dict.fromkeys(FACT_FEATURES),
            "refused_reason": refused.reason,
            "refused_detail": storable(refused.detail),
            "mended": None,
            MELODY: melody_row(NO_MELODY),
        }
    return {
        "midi": {"bytes": facts.data, "path": path},
        **{name: getattr(facts, name) for name in FACT_FEATURES},
        "refused_reason": None,
        "refused_detail": None,
        "mended": [asdict(mend) for mend in facts.mends],
        MELODY: melody_row(melody_of(facts.score)),
    }
