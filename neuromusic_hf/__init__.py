"""Language models of symbolic music, native to Hugging Face: train, continue, fill in, judge, share."""

from typing import TYPE_CHECKING

from .import_watch import after_import
from .lazy import lazy_names

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .corpora import load_corpus as load_corpus
    from .generation import MidiContinuationPipeline as MidiContinuationPipeline
    from .generation import MidiInfillingPipeline as MidiInfillingPipeline
    from .generation import NoteStreamer as NoteStreamer
    from .generation import save_continuation as save_continuation
    from .models import build_model as build_model
    from .music import write_midi as write_midi
    from .tokenization import MidiProcessor as MidiProcessor
else:
    __getattr__, __dir__, __all__ = lazy_names(__name__)


def _tell_datasets():
    """Columns of MIDI are read as such, and their scores stay scores in every format."""
    from .music import midi_feature  # noqa: F401


def _tell_transformers():
    """Models, processors and pipelines are loaded by its own classes, know where they come from, and push whole."""
    from .bundles import register_pushing
    from .generation.registration import register_pipelines

    register_pipelines()
    register_pushing()


after_import("datasets", _tell_datasets)
after_import("transformers.configuration_utils", _tell_transformers)
