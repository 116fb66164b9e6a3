"""What a bundle says of the midi-continuation pipeline to a process that has not imported this package."""

from pathlib import Path

PIPELINE_TASK = "midi-continuation"

CUSTOM_PIPELINES = {
    PIPELINE_TASK: {"impl": "midi_continuation.MidiContinuationPipeline", "pt": ["AutoModelForCausalLM"]}
}
"""`custom_pipelines` of a model's config: which file of the bundle holds the class. transformers loads it where it is
trusted (`trust_remote_code=True`)."""

PIPELINE_CODE_NAME = "midi_continuation.py"

PIPELINE_CODE = '''\
"""The midi-continuation pipeline, from the installed package: pip install neuromusic_hf."""

from neuromusic_hf.generation.pipeline import MidiContinuationPipeline

__all__ = ["MidiContinuationPipeline"]
'''


def write_pipeline_code(folder: str | Path):
    """Writes the file that `CUSTOM_PIPELINES` names."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    Path(folder, PIPELINE_CODE_NAME).write_text(PIPELINE_CODE, encoding="utf-8")
