"""How transformers learns of the pipelines."""

from transformers import PreTrainedConfig
from transformers.pipelines import PIPELINE_REGISTRY

from ..bundles.pipeline_file import CustomPipelines
from ..default_bundle import DEFAULT_BUNDLE
from ..models.adapters import AutoMusicModel
from ..models.origin import trace_loaded_models
from .infilling_pipeline import MidiInfillingPipeline
from .pipeline import MidiContinuationPipeline


def register_pipelines():
    """
    Registers the tasks of `pipeline()`, for bundles with their own copy of the code and without.

    Models that are loaded from then on remember where they come from.
    """
    for pipeline_class in (MidiContinuationPipeline, MidiInfillingPipeline):
        PIPELINE_REGISTRY.register_pipeline(
            pipeline_class.TASK,
            pipeline_class=pipeline_class,
            pt_model=AutoMusicModel,
            default={"model": (str(DEFAULT_BUNDLE), "main")},
        )
    PreTrainedConfig.custom_pipelines = CustomPipelines()
    trace_loaded_models()
