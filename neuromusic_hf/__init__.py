"""Language models of symbolic music, native to Hugging Face: train, continue, judge, share."""

from .corpora import load_corpus
from .models import build_model
from .tokenization import MidiProcessor

__version__ = "0.1.0"

__all__ = ["MidiProcessor", "build_model", "load_corpus"]
