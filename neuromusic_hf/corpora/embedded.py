"""The embedded corpora: Bach and folk tunes that come in the music21 wheel. No network."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.metadata
import logging
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

from datasets import Value
from symusic.core import ScoreTick

from ..music import RefusedFile, midi_bytes
from .builder import MidiCorpusBuilder, Piece
from .musicxml import NEWEST_PROVED, BeyondReader, Work, read_work, refuse_rights
from .sources import UNREADABLE_MEMBER

logger = logging.getLogger(__name__)

FOLK_COLLECTIONS = {
    "airdsAirs": "Aird's Airs",
    "oneills1850": "O'Neill's Music of Ireland",
    "ryansMammoth": "Ryan's Mammoth Collection",
}
UNREADABLE_MUSIC = (
    *UNREADABLE_MEMBER,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    SyntaxError,
)
"""What music21 raises for a damaged file: of its zip, of its XML (a SyntaxError), or wherever it stumbles."""
MUSIC21 = """\
@inproceedings{cuthbert2010music21,
  title = {music21: A Toolkit for Computer-Aided Musicology and Symbolic Music Data},
  author = {Cuthbert, Michael Scott and Ariza, Christopher},
  booktitle = {Proceedings of the 11th International Society for Music Information Retrieval Conference},
  pages = {637--642},
  year = {2010},
}"""
REPLACED_MARK = "_old."
"""In the name of a file that is kept beside the newer one, which has the name without it."""
TUNE_START = re.compile(r"^(?=X:)", re.MULTILINE)


class EmbeddedCorpus(MidiCorpusBuilder):
    """
    Base of the corpora in the music21 wheel.

    The music is out of copyright; encodings come with the permission of those who made them, who may have set terms of
    their own (`music21/corpus/license.txt`): to the Hub that is another licence.
    """

    LICENCE = "other"
    SOURCE = "https://github.com/cuthbertLab/music21/tree/master/music21/corpus"
    CITATION = MUSIC21

    METADATA = {"title": Value("string"), "composer": Value("string"), "collection": Value("string")}

    @classmethod
    def source_fingerprint(cls, data_dir: str | None) -> str:
        """The version of music21."""
        if data_dir is not None:
            raise ValueError(f"{cls.__name__} comes in the music21 package; it takes no data_dir (got '{data_dir}').")
        return f"music21 {importlib.metadata.version('music21')}"

    def _folder(self) -> Path:
        # Found without importing music21, which takes a second.
        return Path(str(importlib.metadata.distribution("music21").locate_file("music21/corpus")))


class EmbeddedWorks(EmbeddedCorpus):
    """
    Base of the corpora of works in MusicXML: a folder of them, converted as music21 does, without chord symbols.

    A file that states rights of an edition is refused, and so is one that is kept beside the file that took its place.
    """

    FOLDER: ClassVar[str]
    COMPOSER: ClassVar[str]

    def list_pieces(self) -> list[str]:
        """Names of the MusicXML files."""
        return sorted(path.name for path in (self._folder() / self.FOLDER).glob("*.mxl"))

    def read_pieces(self, pieces: list[str]) -> Iterator[Piece]:
        """Converts them to MIDI, one after the other."""
        folder, read = self._folder() / self.FOLDER, _reader()
        for name in pieces:
            metadata = {"composer": self.COMPOSER, "collection": f"music21 {self.FOLDER.title()}"}
            try:
                _check_not_replaced(folder / name)
                work = read(folder / name)
            except RefusedFile as refused:
                yield Piece(f"{self.FOLDER}/{name}", refused=refused, metadata=metadata)
            else:
                metadata["title"] = self.title_of(work, Path(name).stem)
                yield Piece(f"{self.FOLDER}/{name}", work.midi, metadata=metadata)

    def title_of(self, work: Work, name: str) -> str:
        """A title in the file that is not the name of a file, or else the name."""
        return next((title for title in work.titles if not title.endswith((".mxl", ".xml"))), name)


class BachCorpus(EmbeddedWorks):
    """408 works of Johann Sebastian Bach, mostly four-part chorales, converted from MusicXML by music21."""

    FOLDER, COMPOSER = "bach", "Johann Sebastian Bach"


class MonteverdiCorpus(EmbeddedWorks):
    """42 madrigals of Claudio Monteverdi, in five or six voices, of his books III to V, converted from MusicXML."""

    FOLDER, COMPOSER = "monteverdi", "Claudio Monteverdi"

    def title_of(self, work: Work, name: str) -> str:
        """Book and number, where the name tells them: titles in the files are what a scanner read, such as `CANTO`."""
        told = re.fullmatch(r"madrigal\.(\w+)\.(\w+)", name)
        return f"Madrigals, book {told[1]}, number {told[2]}" if told else name


class FolkCorpus(EmbeddedCorpus):
    """
    4,248 public-domain tunes in ABC: Aird's Airs, O'Neill's Music of Ireland, Ryan's Mammoth Collection.

    music21's Essen and Palestrina collections are left out for their licence.
    """

    def list_pieces(self) -> list[tuple[str, int]]:
        """Each tune as its file and its place in there."""
        tunes = []
        for collection in FOLK_COLLECTIONS:
            for path in sorted((self._folder() / collection).glob("*.abc")):
                tunes += [(f"{collection}/{path.name}", number) for number in range(len(_tunes(path)))]
        return tunes

    @staticmethod
    def piece_from_json(value: Any) -> tuple[str, int]:
        """A file and a place."""
        return value[0], value[1]

    def read_pieces(self, pieces: list[tuple[str, int]]) -> Iterator[Piece]:
        """Converts them to MIDI, one after the other."""
        folder, open_file, tunes = self._folder(), None, []
        for file, number in pieces:
            if file != open_file:
                open_file, tunes = file, _tunes(folder / file)
            yield _read_tune(file, tunes[number])


def _reader() -> Callable[[Path], Work]:
    """What reads works: the fast reader, if it is known to be right for the music21 that is installed."""
    installed = importlib.metadata.version("music21")
    if tuple(map(int, re.findall(r"\d+", installed)[:3])) <= NEWEST_PROVED:
        return _read_work
    logger.warning(
        "music21 %s itself reads these works, which takes a minute: the fast reader is proved up to music21 %s.",
        installed,
        ".".join(map(str, NEWEST_PROVED)),
    )
    return _ask_music21


def _read_work(path: Path) -> Work:
    """
    Reads a work as music21 does: by rules of its reader that are known here, or else by itself, which takes a while.

    Raises:
        [`RefusedFile`]: neither can read it.
    """
    try:
        return read_work(path)
    except BeyondReader as unknown:
        logger.warning("music21 itself reads %s, as it has %s.", path, unknown)
    return _ask_music21(path)


def _ask_music21(path: Path) -> Work:
    from music21 import converter
    from music21.exceptions21 import Music21Exception
    from music21.midi.translate import music21ObjectToMidiFile

    try:
        # forceSource and storePickle keep music21 away from its cache of pickles.
        score = converter.parse(path, forceSource=True, storePickle=False)
        refuse_rights([None if score.metadata is None else score.metadata.copyright])
        # Played, chord symbols have no end: music21 gives them no length.
        score.remove(list(score.recurse().getElementsByClass("Harmony")), recurse=True)
        data = music21ObjectToMidiFile(score).writestr()
    except (Music21Exception, *UNREADABLE_MUSIC) as error:
        raise RefusedFile("unreadable", f"{type(error).__name__}: {error}") from error
    titles = () if score.metadata is None else (score.metadata.title, score.metadata.movementName)
    return Work(data, tuple(title for title in titles if title))


def _check_not_replaced(path: Path) -> None:
    newer = path.with_name(path.name.replace(REPLACED_MARK, "."))
    if newer != path and newer.exists():
        raise RefusedFile("replaced", f"{newer.name} took its place")


def _tunes(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8", errors="replace")
    return [tune for tune in TUNE_START.split(text) if tune.startswith("X:")]


def _read_tune(file: str, tune: str) -> Piece:
    number = _field(tune, "X")
    collection = FOLK_COLLECTIONS[file.split("/")[0]]
    metadata = {"title": _field(tune, "T"), "composer": _field(tune, "C"), "collection": collection}
    path = f"{file}#{number}"
    try:
        with silenced():
            data = midi_bytes(ScoreTick.from_abc(tune))
    except (RuntimeError, ValueError) as error:
        return Piece(path, refused=RefusedFile("unreadable", str(error)), metadata=metadata)
    return Piece(path, data, metadata=metadata)


def _field(tune: str, name: str) -> str | None:
    found = re.search(rf"^{name}:[ \t]*(\S.*?)\s*$", tune, re.MULTILINE)
    return found and found.group(1)


_silencing = threading.Lock()


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """
    Keeps what C code prints to stdout and stderr from the user, for the time of the `with` block.

    One thread does so at a time, as all share these streams.
    """
    libc = ctypes.CDLL(None) if os.name == "posix" else ctypes.cdll.msvcrt
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    with _silencing, open(os.devnull, "wb") as nowhere:
        saved = {fd: os.dup(fd) for fd in (1, 2)}
        try:
            for fd in saved:
                os.dup2(nowhere.fileno(), fd)
            yield
        finally:
            libc.fflush(None)
            for fd, copy in saved.items():
                os.dup2(copy, fd)
                os.close(copy)
