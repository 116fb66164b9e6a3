"""Corpora of MIDI files as Hugging Face datasets."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .builder import MidiCorpusBuilder as MidiCorpusBuilder
    from .builder import MidiCorpusConfig as MidiCorpusConfig
    from .builder import Piece as Piece
    from .clean import twins_in_train as twins_in_train
    from .corpus import Corpus as Corpus
    from .embedded import BachCorpus as BachCorpus
    from .embedded import FolkCorpus as FolkCorpus
    from .embedded import MonteverdiCorpus as MonteverdiCorpus
    from .folder import FolderCorpus as FolderCorpus
    from .lamd import LamdCorpus as LamdCorpus
    from .load import load_corpus as load_corpus
    from .maestro import MaestroCorpus as MaestroCorpus
    from .names import CORPORA as CORPORA
    from .provenance import Provenance as Provenance
    from .provenance import provenance_of as provenance_of
    from .quarantine import QuarantineReport as QuarantineReport
    from .sanity import PieceFacts as PieceFacts
    from .sanity import inspect_midi as inspect_midi
    from .splits import DEFAULT_SPLIT_SHARES as DEFAULT_SPLIT_SHARES
    from .splits import SPLIT_NAMES as SPLIT_NAMES
    from .splits import SPLIT_VERSION as SPLIT_VERSION
    from .splits import SPLIT_VERSIONS as SPLIT_VERSIONS
    from .splits import CorpusSplits as CorpusSplits
    from .splits import split_of as split_of
    from .streamed import StreamedCorpus as StreamedCorpus
else:
    __getattr__, __dir__, __all__ = lazy_names(__name__)
