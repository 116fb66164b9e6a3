"""Where pieces to continue come from: files, folders, or the split of a corpus."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from symusic.core import ScoreTick

from ..corpora import Midi, RefusedFile, inspect_midi, load_corpus
from ..corpora.sources import is_midi_name
from ..tokenization import load_score


@dataclass(frozen=True)
class PieceSource:
    """A piece to continue: a name fit for a file, and its content or why it cannot be read."""

    name: str
    content: bytes | RefusedFile

    def score(self) -> ScoreTick:
        """
        Reads the piece.

        Raises:
            [`RefusedFile`]: it is not sound MIDI.
        """
        if isinstance(self.content, RefusedFile):
            raise self.content
        return load_score(inspect_midi(self.content).data)


def find_pieces(
    sources: list[str], *, split: str = "test", data_dir: str | None = None, num_proc: int | None = None
) -> Iterator[PieceSource]:
    """
    Yields the pieces that `sources` name: files in order of their names, those of a corpus in a fixed random order, so
    that the first ones are a fair sample.

    Args:
        sources (`list[str]`):
            MIDI files, folders of them (searched deeply), or names of corpora as for [`load_corpus`].
        split (`str`, *optional*, defaults to `"test"`): which split of a corpus.
        data_dir (`str`, *optional*): where a corpus lies, if it is here already.
        num_proc (`int`, *optional*): processes that read a corpus.

    Raises:
        `FileNotFoundError`: a MIDI file does not exist.
        `ValueError`: a folder holds no MIDI file, or there is no such corpus.
    """
    for source in sources:
        path = Path(source)
        if path.is_dir() and (files := sorted(file for file in path.rglob("*") if is_midi_name(file.name))):
            yield from map(_from_file, files)
        elif path.is_file() and is_midi_name(path.name):
            yield _from_file(path)
        elif is_midi_name(path.name):
            raise FileNotFoundError(f"There is no MIDI file {source!r}.")
        else:
            yield from _from_corpus(source, split, data_dir, num_proc)


def _from_file(path: Path) -> PieceSource:
    try:
        return PieceSource(path.stem, path.read_bytes())
    except OSError as error:
        return PieceSource(path.stem, RefusedFile("unreadable", error.strerror or str(error)))


def _from_corpus(name: str, split: str, data_dir: str | None, num_proc: int | None) -> Iterator[PieceSource]:
    pieces = load_corpus(name, data_dir=data_dir, num_proc=num_proc)[split]
    for row in pieces.cast_column("midi", Midi(decode=False)).shuffle(seed=0):
        name = row.get("title") or Path(row["midi"]["path"] or row["content_hash"][:12]).stem
        yield PieceSource(name, row["midi"]["bytes"])
