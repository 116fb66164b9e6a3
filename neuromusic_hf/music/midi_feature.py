"""The `Midi` feature: a column of MIDI files that decodes to `symusic.Score`."""

from __future__ import annotations

import os
import re
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
from datasets.features import Value
from datasets.features.features import register_feature
from datasets.table import array_cast
from datasets.utils.file_utils import xopen
from symusic.core import ScoreTick

from .formats import keep_scores
from .limits import AS_STORED
from .reading import read_unreported
from .scores import AnyScore, check_score
from .writing import midi_bytes

PLAIN_MIDI = {"bytes": Value("binary"), "path": Value("string")}


@dataclass(init=False, eq=False)
class Midi:
    """
    MIDI [`Feature`] that holds the bytes of a MIDI file and decodes them to a [`symusic.Score`] in ticks.

    Input: a `str` or `pathlib.Path` (path of a MIDI file), `bytes`, a `dict` with the keys `bytes` and `path`,
    or a `symusic.Score`. A path is read when it is stored, so that a dataset never depends on other files. A stored
    row is read from its own bytes alone: it may come from anyone, so its path is a name, and never opened.
    Output: a `symusic.Score`, or the `dict` where `decode=False`.

    The two dataclass fields are those of the stored struct, so the serialised form of this feature (in Arrow and
    Parquet metadata, `dataset_info.json`, dataset cards) is a plain struct, which loads where this package is
    absent. Turn such a column back with `dataset.cast_column("midi", Midi())`; [`load_corpus`] does so. A `map` that
    keeps the column needs the same (or `features=`) when `datasets` answers it from its cache.

    Args:
        decode (`bool`, *optional*, defaults to `True`):
            Whether reading a row gives a `symusic.Score` (`True`) or the `{"bytes", "path"}` dictionary (`False`).

    Example:
    ```py
    >>> from datasets import Dataset, Features
    >>> from neuromusic_hf.music import Midi
    >>> dataset = Dataset.from_dict({"midi": ["song.mid"]}, features=Features({"midi": Midi()}))
    >>> dataset[0]["midi"].note_num()
    218
    ```
    """

    bytes: Value
    path: Value
    # Automatically constructed
    dtype: ClassVar[str] = "symusic.Score"
    pa_type: ClassVar[Any] = pa.struct({"bytes": pa.binary(), "path": pa.string()})

    def __init__(self, decode: bool = True):
        self.decode = decode
        self.bytes, self.path = Value("binary"), Value("string")

    def __repr__(self) -> str:
        return f"Midi(decode={self.decode})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Midi) and self.decode == other.decode

    def __hash__(self) -> int:
        return hash((Midi, self.decode))

    def __call__(self) -> pa.DataType:
        """The type that is stored, as `datasets` asks for it."""
        return self.pa_type

    def encode_example(self, value: Any) -> dict:
        """
        Encodes a value into the stored `{"bytes", "path"}` form.

        Args:
            value (`str`, `pathlib.Path`, `bytes`, `bytearray`, `dict` or `symusic.Score`):
                The file of a path, or of a `dict` with nothing but a path, is read (also `hf://` and `https://`). A
                `dict` whose `bytes` are null is a stored row, and not.

        Returns:
            `dict` with the keys `bytes` and `path`.

        Raises:
            `ValueError`: a `dict` has no bytes, and not just a path, or no MIDI file can hold a score.
            `OSError`: the file of a path cannot be read.
            `TypeError`: the value is of another type.
        """
        if isinstance(value, str | Path):
            return {"bytes": _read_path(str(value)), "path": str(value)}
        if isinstance(value, (bytes_type, bytearray)):
            return {"bytes": bytes_type(value), "path": None}
        if isinstance(value, AnyScore):
            check_score(value)
            return {"bytes": midi_bytes(value), "path": None}
        if isinstance(value, dict):
            path = value.get("path")
            if path is not None and "bytes" not in value:
                return {"bytes": _read_path(path), "path": path}
            return {"bytes": own_bytes(value), "path": path}
        raise TypeError(
            f"Cannot store a {type(value).__name__} as MIDI: pass a path, bytes, a dict with 'bytes' and 'path', "
            "or a symusic.Score."
        )

    def decode_example(self, value: dict, token_per_repo_id: dict | None = None) -> ScoreTick:
        """
        Decodes a stored value into a score, its notes and tempos as long and as fast as they were stored.

        Args:
            value (`dict`):
                The stored `{"bytes", "path"}`. The path is never opened.
            token_per_repo_id (`dict`, *optional*):
                Not used: nothing is fetched.

        Returns:
            `symusic.Score` with times in ticks.

        Raises:
            [`RefusedFile`]: the bytes are not a MIDI file that can be read.
            `RuntimeError`: decoding is disabled.
            `ValueError`: there are no bytes.
        """
        if not self.decode:
            raise RuntimeError("Decoding is disabled for this feature. Please use Midi(decode=True) instead.")
        if not isinstance(value, dict):
            return value
        data = own_bytes(value)
        limits = replace(AS_STORED, max_file_bytes=max(len(data), AS_STORED.max_file_bytes or 0))
        return read_unreported(data, name_of(value), limits)

    def flatten(self) -> dict[str, Value]:
        """Gives the plain columns this feature flattens into; an error in the decodable state, as `Audio` does."""
        if self.decode:
            raise ValueError("Cannot flatten a decoded Midi feature. Cast the column to Midi(decode=False) first.")
        return {"bytes": Value("binary"), "path": Value("string")}

    def cast_storage(self, storage: pa.Array) -> pa.StructArray:
        """
        Casts an Arrow array to the storage type.

        Args:
            storage (`pa.Array`):
                Strings (paths), binary of any kind or lists of uint8 (MIDI bytes), or structs with `bytes`, `path` or
                both of these, in any order.

        Returns:
            `pa.StructArray` of type `pa.struct({"bytes": pa.binary(), "path": pa.string()})`.
        """
        kind, nothing = storage.type, pa.nulls(len(storage))
        if pa.types.is_struct(kind):
            data, path = (
                storage.field(name) if kind.get_field_index(name) >= 0 else nothing for name in ("bytes", "path")
            )
        elif pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
            data, path = nothing, storage
        else:
            data, path = storage, nothing
        children = [_as_binary(data), array_cast(path, pa.string())]
        return pa.StructArray.from_arrays(children, ["bytes", "path"], mask=storage.is_null())


# Inside the class, `bytes` is the dataclass field.
bytes_type = bytes

NO_BYTES = (
    "the row holds no bytes, and its path is not opened: rows are read from their own bytes alone. Store the files "
    "themselves, from their paths: Dataset.from_dict({'midi': paths}, features=Features({'midi': Midi()}))"
)


LOCAL_PATH = re.compile(r"^([/~\\]|[A-Za-z]:[/\\])|//|/~|(^|/)\.\.(/|$)")


def own_name(path: str) -> str:
    """A path within a corpus as it is; of one that leads through a machine, or out of the corpus, the last part."""
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1] if LOCAL_PATH.search(path) else path


def name_of(row: dict) -> str:
    """Gives the name of a stored `{"bytes", "path"}`, for messages."""
    return row.get("path") or "(bytes without a path)"


def own_bytes(row: dict) -> bytes_type:
    """
    Gives the bytes that a stored `{"bytes", "path"}` holds.

    Raises:
        `ValueError`: there are none, whatever its path says.
        `TypeError`: they are something else.
    """
    data = row.get("bytes")
    if data is None:
        raise ValueError(f"Cannot read the MIDI of {row.get('path')!r}: {NO_BYTES}.")
    if not isinstance(data, (bytes_type, bytearray)):
        raise TypeError(f"The 'bytes' of {row.get('path')!r} are a {type(data).__name__}, not bytes.")
    return bytes_type(data)


def _as_binary(data: pa.Array) -> pa.Array:
    """Bytes of any Arrow type, lists of uint8 too, in the type that is stored."""
    kind = data.type
    if (pa.types.is_list(kind) or pa.types.is_large_list(kind)) and kind.value_type == pa.uint8():
        return pa.array([each.values.to_numpy().tobytes() if each.is_valid else None for each in data], pa.binary())
    return array_cast(data, pa.binary())


def _read_path(path: str) -> bytes:
    with xopen(os.path.expanduser(path), "rb") as file:
        return file.read()


with warnings.catch_warnings():
    warnings.simplefilter("ignore", UserWarning)  # "register_feature is experimental", at every import
    register_feature(Midi, "Midi")

keep_scores()
