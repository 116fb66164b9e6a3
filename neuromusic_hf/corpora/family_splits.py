"""From the twins among rows to the splits of their families."""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from datasets import Dataset, Features, IterableDataset, Value
from datasets.utils import tqdm

from ..twins import Twin, families
from ..twins.detectors import NEWEST, Detector
from .families import COPY_FEATURES, MELODY, MELODY_FEATURE, melody_of_row, twins_of
from .filling import fill_empty_splits
from .splits import SPLIT_NAMES, Member, assign_split, splits_of_families

SPOOLED = {MELODY: MELODY_FEATURE, **COPY_FEATURES, "official_split": Value("string")}
BATCH_ROWS, HELD_ROWS = 64, 50_000


def family_splits(
    parts: Sequence[Dataset],
    carved: Sequence[tuple[str, ...]],
    shares: Sequence[float],
    cache_dir: str | None = None,
    num_proc: int | None = None,
    detector: Detector = NEWEST,
) -> dict[str, str]:
    """
    Finds the pieces that go elsewhere than their own hash says: to their family, or to a split that would be empty.

    Args:
        parts (sequence of [`~datasets.Dataset`]): rows of corpora that are loaded together, refused ones among them.
        carved (sequence of `tuple[str, ...]`): of each, the splits that are carved out of its train split.
        shares (sequence of `float`): shares of train, validation and test.
        cache_dir (`str`, *optional*): cache of `datasets`.
        num_proc (`int`, *optional*): processes.
        detector ([`Detector`], *optional*): of the version of the splits; the newest if not given.

    Returns:
        `dict[str, str]`: their splits by content hash.
    """
    return splits_by_twins(parts, carved, shares, twins_of(parts, cache_dir, num_proc, detector=detector))


def splits_by_twins(
    parts: Sequence[Dataset], carved: Sequence[tuple[str, ...]], shares: Sequence[float], twins: Sequence[Twin]
) -> dict[str, str]:
    """As [`family_splits`], of twins that are known: of all rows, as from [`twins_of`]."""
    facts = [part.select_columns(["content_hash", "official_split"]).with_format("arrow")[:] for part in parts]
    found, ends = families(sum(map(len, parts)), twins), np.cumsum(list(map(len, parts)))
    rows = np.flatnonzero(np.bincount(found)[found] > 1)  # others go by their hash, whatever it is
    rows = rows[np.argsort(found[rows], kind="stable")]
    columns = pa.concat_tables(facts).take(rows)
    decided: dict[str, str] = {}
    for held in _some_families(found[rows]):
        told = (column.to_pylist() for column in columns[held].columns)
        lacking = (carved[number] for number in np.searchsorted(ends, rows[held], side="right"))
        members = [Member(*each) for each in zip(*told, lacking, strict=True)]
        known = [index for index, member in enumerate(members) if member.content_hash is not None]
        numbers = found[rows[held]].tolist()
        decided |= splits_of_families([members[index] for index in known], [numbers[index] for index in known], shares)
    return decided | _filled(facts, carved, found, shares, decided)


def _filled(
    facts: Sequence[pa.Table],
    carved: Sequence[tuple[str, ...]],
    found: np.ndarray,
    shares: Sequence[float],
    decided: dict[str, str],
) -> dict[str, str]:
    """What [`fill_empty_splits`] finds; rows are looked at until a piece of each split is seen."""
    members, numbers, seen = [], [], set[str]()
    for number, member in zip(found.tolist(), _members(facts, carved), strict=True):
        if member.content_hash is not None:
            members.append(member)
            numbers.append(number)
            seen.add(assign_split(member, shares, decided))
        if seen.issuperset(SPLIT_NAMES):
            return {}
    return fill_empty_splits(members, numbers, shares, decided)


def _members(facts: Sequence[pa.Table], carved: Sequence[tuple[str, ...]]) -> Iterator[Member]:
    for part, lacking in zip(facts, carved, strict=True):
        for batch in part.to_batches(max_chunksize=BATCH_ROWS):
            for content_hash, official in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                yield Member(content_hash, official, lacking)


def _some_families(numbers: np.ndarray) -> Iterator[slice]:
    """Stretches of rows, sorted by the number of their family, that hold whole families and few rows."""
    firsts = np.flatnonzero(np.diff(numbers, prepend=-1))
    places = np.searchsorted(firsts, np.arange(0, len(numbers), HELD_ROWS)).clip(max=len(firsts) - 1)
    yield from itertools.starmap(slice, itertools.pairwise([*np.unique(firsts[places]).tolist(), len(numbers)]))


@contextlib.contextmanager
def spooled(parts: Sequence[IterableDataset], detector: Detector = NEWEST) -> Iterator[tuple[list[Dataset], str]]:
    """
    Lays the melodies of streamed rows in a temporary folder, for the time of the `with` block.

    Args:
        parts (sequence of [`~datasets.IterableDataset`]): rows with their files.
        detector ([`Detector`], *optional*): that the melodies are for; the newest if not given.

    Yields:
        The rows of each, and the folder.
    """
    with tempfile.TemporaryDirectory(prefix="neuromusic_twins_") as folder:
        rows = []
        with tqdm(desc="Finding twins", unit="piece") as bar:
            for number, part in enumerate(parts):
                path = Path(folder, f"{number}.arrow")
                _write(part, path, bar, detector)
                rows.append(Dataset.from_file(str(path)))
        yield rows, folder


def _write(stream: IterableDataset, path: Path, bar: tqdm, detector: Detector) -> None:
    schema = Features(SPOOLED).arrow_schema
    known = detector == NEWEST
    rows = ({**row, MELODY: known and row[MELODY] or melody_of_row(row, detector)} for row in stream)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, schema) as writer:
        while batch := list(itertools.islice(rows, BATCH_ROWS)):
            writer.write_table(pa.Table.from_pylist(batch, schema))
            bar.update(len(batch))
