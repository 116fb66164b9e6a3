"""Corpora of MIDI files as Hugging Face datasets."""

from .builder import MidiCorpusBuilder, MidiCorpusConfig, Piece
from .clean import twins_in_train
from .corpus import Corpus
from .embedded import BachCorpus, FolkCorpus
from .folder import FolderCorpus
from .lamd import LamdCorpus
from .load import load_corpus
from .maestro import MaestroCorpus
from .names import CORPORA
from .provenance import Provenance, provenance_of
from .quarantine import QuarantineReport
from .sanity import PieceFacts, inspect_midi
from .splits import DEFAULT_SPLIT_SHARES, SPLIT_NAMES, SPLIT_VERSION, SPLIT_VERSIONS, CorpusSplits, split_of

__all__ = [
    "CORPORA",
    "DEFAULT_SPLIT_SHARES",
    "SPLIT_NAMES",
    "SPLIT_VERSION",
    "SPLIT_VERSIONS",
    "BachCorpus",
    "Corpus",
    "CorpusSplits",
    "FolderCorpus",
    "FolkCorpus",
    "LamdCorpus",
    "MaestroCorpus",
    "MidiCorpusBuilder",
    "MidiCorpusConfig",
    "Piece",
    "PieceFacts",
    "Provenance",
    "QuarantineReport",
    "inspect_midi",
    "load_corpus",
    "provenance_of",
    "split_of",
    "twins_in_train",
]
