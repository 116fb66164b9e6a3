"""Corpora of MIDI files as Hugging Face datasets."""

from .builder import MidiCorpusBuilder, MidiCorpusConfig, Piece
from .embedded import BachCorpus, FolkCorpus
from .folder import FolderCorpus
from .lamd import LamdCorpus
from .load import load_corpus
from .maestro import MaestroCorpus
from .names import CORPORA
from .quarantine import QuarantineReport
from .sanity import PieceFacts, inspect_midi
from .splits import DEFAULT_SPLIT_SHARES, SPLIT_NAMES, split_of

__all__ = [
    "CORPORA",
    "DEFAULT_SPLIT_SHARES",
    "SPLIT_NAMES",
    "BachCorpus",
    "FolderCorpus",
    "FolkCorpus",
    "LamdCorpus",
    "MaestroCorpus",
    "MidiCorpusBuilder",
    "MidiCorpusConfig",
    "Piece",
    "PieceFacts",
    "QuarantineReport",
    "inspect_midi",
    "load_corpus",
    "split_of",
]
