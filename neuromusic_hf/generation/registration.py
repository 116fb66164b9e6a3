"""Makes transformers know the midi-continuation pipeline."""

from transformers import PreTrainedConfig
from transformers.pipelines import PIPELINE_REGISTRY

from ..models.adapters import AutoMusicModel
from ..tokenization.pipeline_code import PIPELINE_TASK
from .pipeline import MidiContinuationPipeline


class CustomPipelines:
    """
    The attribute `custom_pipelines` of model configs, without the pipeline that is registered here.

    `pipeline()` asks for `trust_remote_code` wherever a config names a file for the task, even where the task is
    registered and the file would not be used. The config keeps what it holds, and saves it.
    """

    NAME = "custom_pipelines"

    def __get__(self, config, owner=None):
        if config is None:
            return self
        if self.NAME not in vars(config):
            raise AttributeError(f"{type(config).__name__} has no {self.NAME}.")
        return {task: code for task, code in vars(config)[self.NAME].items() if task != PIPELINE_TASK}

    def __set__(self, config, tasks: dict):
        vars(config)[self.NAME] = tasks

    def __delete__(self, config):
        del vars(config)[self.NAME]


def register_pipeline():
    """Registers `pipeline("midi-continuation")`, for bundles with their own copy of its code and without."""
    PIPELINE_REGISTRY.register_pipeline(
        PIPELINE_TASK, pipeline_class=MidiContinuationPipeline, pt_model=AutoMusicModel
    )
    PreTrainedConfig.custom_pipelines = CustomPipelines()
