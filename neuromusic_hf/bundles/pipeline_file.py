"""How a bundle tells of the midi-continuation pipeline a process that has not imported this package, and no other."""

import json
from pathlib import Path
from weakref import WeakValueDictionary

from transformers import PreTrainedConfig
from transformers.utils import CONFIG_NAME

from ..disk import write_whole
from ..hub import shipped_code
from ..models.origin import PIPELINE_TASK

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


class RegisteredTask(dict):
    """
    The task of the pipeline that is registered here, and no file of it.

    By its one key, `pipeline()` without a task tells what a bundle is for. It asks for `trust_remote_code` wherever a
    task is in `custom_pipelines`, even where the file would not be used: this one is in there for its name alone.
    """

    def __init__(self):
        super().__init__(CUSTOM_PIPELINES)

    def __contains__(self, task) -> bool:
        return False


class CustomPipelines:
    """
    The attribute `custom_pipelines` of model configs, without the file of the pipeline that is registered here.

    A model that is saved alone must not name a file that is not there.
    """

    NAME = "custom_pipelines"

    def __init__(self):
        self._of_bundles: WeakValueDictionary[int, PreTrainedConfig] = WeakValueDictionary()

    def __get__(self, config, owner=None):
        if config is None:
            return self
        if tasks := _without_ours(vars(config).get(self.NAME, {})):
            return tasks
        if self._of_bundles.get(id(config)) is config:
            return RegisteredTask()
        raise AttributeError(f"{type(config).__name__} has no {self.NAME}.")

    def __set__(self, config, tasks: dict):
        self.__delete__(config)
        if PIPELINE_TASK in dict.keys(tasks):
            self._of_bundles[id(config)] = config
        if tasks := _without_ours(tasks):
            vars(config)[self.NAME] = tasks

    def __delete__(self, config):
        self._of_bundles.pop(id(config), None)
        vars(config).pop(self.NAME, None)


def _without_ours(tasks: dict) -> dict:
    return {task: code for task, code in tasks.items() if task != PIPELINE_TASK}
