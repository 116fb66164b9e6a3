"""MidiContinuationPipeline of the package neuromusic_hf, where transformers finds it."""

try:
    from neuromusic_hf.generation.pipeline import MidiContinuationPipeline
except ModuleNotFoundError as error:
    raise ImportError(
        "MidiContinuationPipeline is code of the package neuromusic_hf: install that in this environment (pip install . in a checkout "
        f"of it). {error}. Without it, AutoTokenizer, AutoModelForCausalLM and text-generation work on token text."
    ) from error

__all__ = ["MidiContinuationPipeline"]
