"""How a bundle tells of the midi-continuation pipeline a process that has not imported this package, and no other."""

import json
from pathlib import Path

from transformers.utils import CONFIG_NAME

from ..disk import write_whole
from ..hub import shipped_code

PIPELINE_TASK = "midi-continuation"

PIPELINE_FILE = "midi_continuation.py"

PIPELINE_CODE = shipped_code("neuromusic_hf.generation.pipeline", "MidiContinuationPipeline")

CUSTOM_PIPELINES = {
    PIPELINE_TASK: {"impl": "midi_continuation.MidiContinuationPipeline", "pt": ["AutoModelForCausalLM"]}
}
"""`custom_pipelines` of a config: which file of the bundle holds the class. transformers loads it where it is trusted
(`trust_remote_code=True`)."""


def add_pipeline_file(folder: str | Path):
    """
    Writes the pipeline's file into a folder with a model, and names it in the config there; into no other folder.

    Raises:
        `OSError`: it cannot be written.
    """
    config = Path(folder, CONFIG_NAME)
    if not config.exists():
        return
    said = json.loads(config.read_text(encoding="utf-8"))
    said["custom_pipelines"] = said.get("custom_pipelines", {}) | CUSTOM_PIPELINES
    write_whole(Path(folder, PIPELINE_FILE), PIPELINE_CODE)
    write_whole(config, json.dumps(said, indent=2, sort_keys=True) + "\n")


class CustomPipelines:
    """
    The attribute `custom_pipelines` of model configs, without the pipeline that is registered here.

    `pipeline()` asks for `trust_remote_code` wherever a config names a file for the task, even where the task is
    registered and the file would not be used. And a model that is saved alone must not name a file that is not there.
    """

    NAME = "custom_pipelines"

    def __get__(self, config, owner=None):
        if config is None:
            return self
        if not (tasks := _without_ours(vars(config).get(self.NAME, {}))):
            raise AttributeError(f"{type(config).__name__} has no {self.NAME}.")
        return tasks

    def __set__(self, config, tasks: dict):
        self.__delete__(config)
        if tasks := _without_ours(tasks):
            vars(config)[self.NAME] = tasks

    def __delete__(self, config):
        vars(config).pop(self.NAME, None)


def _without_ours(tasks: dict) -> dict:
    return {task: code for task, code in tasks.items() if task != PIPELINE_TASK}
