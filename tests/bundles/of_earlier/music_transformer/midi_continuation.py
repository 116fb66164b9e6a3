"""The midi-continuation pipeline, from the installed package: pip install neuromusic_hf."""

from neuromusic_hf.generation.pipeline import MidiContinuationPipeline

__all__ = ["MidiContinuationPipeline"]
