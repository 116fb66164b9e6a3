"""MidiInfillingPipeline of the package neuromusic_hf, where transformers finds it."""

try:
    from neuromusic_hf.generation.infilling_pipeline import MidiInfillingPipeline
except ModuleNotFoundError as error:
    raise ImportError(
        "MidiInfillingPipeline is code of the package neuromusic_hf: install that in this environment (pip install . in a checkout "
        f"of it). {error}. Without it, AutoTokenizer, AutoModelForCausalLM and text-generation work on token text."
    ) from error

__all__ = ["MidiInfillingPipeline"]
