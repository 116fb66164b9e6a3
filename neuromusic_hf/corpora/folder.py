"""A corpus from any folder, zip or tar of MIDI files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from ..music import RefusedFile
from .builder import IGNORED, MidiCorpusBuilder, Piece
from .sources import Entry, is_midi_name, list_source, read_source


class FolderCorpus(MidiCorpusBuilder):
    """
    MIDI files under `data_dir`: a folder (recursive), a zip or a tar, read in place.

    Files are `.mid`, `.midi`, `.kar`, `.rmi`, `.smf` or `.midi2`, in any case, also with `.gz` or `.bz2` behind. The
    quarantine report counts others by extension, and names them. Links to files and folders are followed; a folder is
    read once, and named where a second link leads to it. A subclass may add columns and official splits by overriding
    [`describe`], and pick files by overriding [`is_candidate`].
    """

    @classmethod
    def source_fingerprint(cls, data_dir: str | None) -> str:
        """That of `data_dir`, which must be given."""
        if data_dir is None:
            raise ValueError(f"{cls.__name__} needs data_dir: the path of a folder, a zip or a tar of MIDI files.")
        return super().source_fingerprint(data_dir)

    @property
    def source(self) -> str:
        """Path of the folder or archive that is read."""
        return self.config.data_dir

    def is_candidate(self, name: str) -> bool:
        """Whether a file of this name (path inside the source) belongs to the corpus."""
        return is_midi_name(name)

    def describe(self, name: str) -> tuple[str | None, dict[str, Any]]:
        """Gives the official split, or `None`, and the `METADATA` values of a file."""
        return None, {}

    def list_pieces(self) -> list:
        """Entries of the source, those that are no MIDI files last."""
        entries = list_source(self.source)
        if not any(self.is_candidate(entry.name) for entry in entries):
            raise ValueError(
                f"There is no MIDI file in '{self.source}': {len(entries)} files, none of which ends in .mid, .midi "
                "or .kar and belongs to the corpus."
            )
        return sorted(entries, key=lambda entry: not self._is_told(entry))

    @staticmethod
    def piece_from_json(value: Any) -> Any:
        """An entry."""
        return Entry.from_dict(value)

    def read_pieces(self, pieces: list) -> Iterator[Piece]:
        """Reads those that are MIDI files by their names, and then names the others."""
        candidates = (entry for entry in pieces if self._is_told(entry))
        for entry, data in read_source(self.source, candidates, self.config.limits):
            split, metadata = self.describe(entry.name)
            if isinstance(data, RefusedFile):
                yield Piece(entry.name, refused=data, split=split, metadata=metadata)
            else:
                yield Piece(entry.name, data, split=split, metadata=metadata)
        for entry in pieces:
            if not self._is_told(entry):
                extension = os.path.splitext(entry.name)[1].lower() or "(none)"
                yield Piece(entry.name, refused=RefusedFile(IGNORED, extension))

    def _is_told(self, entry: Entry) -> bool:
        """Whether it is a candidate, or may hold some and cannot be listed."""
        return entry.problem is not None or self.is_candidate(entry.name)
