"""A finished run of infills on disk, as scripts/infill_midi.py leaves it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from symusic.core import ScoreTick

from ..music import load_score
from .finished_run import RunOnDisk, read_manifest
from .infill_records import InfillRecord, InfillRunSettings, TakeRecord
from .kinds import INFILLS


@dataclass(frozen=True, eq=False)
class Infill:
    """
    One take of a piece, its music read from the folder of the run, all in the ticks of the file that was given.

    Args:
        record ([`InfillRecord`]): of the piece.
        take ([`TakeRecord`]): which of its takes; `take.spans` say where and which programs.
        label (`str`): how it is reported.
        original ([`symusic.Score`]): the piece as it was given.
        infilled ([`symusic.Score`]): with the new notes.
        removed ([`symusic.Score`]): the notes that were taken out, at their place.
        new ([`symusic.Score`]): the new ones, likewise.
    """

    record: InfillRecord
    take: TakeRecord
    label: str
    original: ScoreTick
    infilled: ScoreTick
    removed: ScoreTick
    new: ScoreTick


class FinishedInfillRun(RunOnDisk[InfillRunSettings, InfillRecord]):
    """A run of infills."""

    def infills(self) -> Iterator[Infill]:
        """
        Each take of each piece, in order, read when it is its turn.

        Raises:
            [`RefusedFile`]: a file of it is no MIDI file any more.
        """
        for record in self.records:
            original, removed = (
                load_score(self.folder / name) for name in (record.files.original, record.files.removed)
            )
            for number, take in enumerate(record.takes, 1):
                label = record.label if len(record.takes) == 1 else f"{record.label}, take {number}"
                infilled, new = (load_score(self.folder / name) for name in (take.files.infilled, take.files.new))
                yield Infill(record, take, label, original, infilled, removed, new)


def read_infill_run(manifest: str | Path) -> FinishedInfillRun:
    """
    Reads the manifest of a run of infills.

    Args:
        manifest (`str` or `Path`): `manifest.json`, or the folder that holds it.

    Raises:
        `FileNotFoundError`, `ValueError`: as of [`read_run`].
    """
    return FinishedInfillRun(*read_manifest(manifest, INFILLS))
