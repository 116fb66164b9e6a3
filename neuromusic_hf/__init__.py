"""Language models of symbolic music, native to Hugging Face: train, continue, judge, share."""

from .bundles import register_pushing
from .corpora import load_corpus
from .generation import MidiContinuationPipeline, NoteStreamer, save_continuation
from .generation.pipeline import register_pipeline
from .models import build_model
from .music import write_midi
from .tokenization import MidiProcessor

__version__ = "0.1.0"

__all__ = [
    "MidiContinuationPipeline",
    "MidiProcessor",
    "NoteStreamer",
    "build_model",
    "load_corpus",
    "save_continuation",
    "write_midi",
]

register_pipeline()
register_pushing()
