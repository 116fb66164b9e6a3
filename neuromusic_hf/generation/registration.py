"""How transformers learns of the pipelines."""

import logging

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
    logging.getLogger("transformers.pipelines").addFilter(_SaysWhichBundle())
    PreTrainedConfig.custom_pipelines = CustomPipelines()
    trace_loaded_models()


class _SaysWhichBundle(logging.Filter):
    """Says once that the bundle of this package plays, where transformers warns each time that no model was named."""

    def __init__(self):
        super().__init__()
        self._has_said_it = False

    def filter(self, record: logging.LogRecord) -> bool:
        if str(DEFAULT_BUNDLE) not in record.getMessage():
            return True
        if self._has_said_it:
            return False
        self._has_said_it = True
        record.levelno, record.levelname = logging.INFO, "INFO"
        record.msg, record.args = "No model was named: the bundle that comes with neuromusic_hf is used.", None
        return True
