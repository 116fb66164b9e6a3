"""How a bundle tells of the pipelines of music a process that has not imported this package, and no other."""

import json
from pathlib import Path
from weakref import WeakValueDictionary

from transformers import PreTrainedConfig
from transformers.utils import CONFIG_NAME

from ..disk import write_whole
from ..hub import shipped_code
from ..models.origin import INFILLING_TASK, PIPELINE_TASK, TASKS

PIPELINE_FILES = {PIPELINE_TASK: "midi_continuation.py", INFILLING_TASK: "midi_infilling.py"}
"""The file of a bundle that gives the class of a task."""
CLASSES = {
    PIPELINE_TASK: ("neuromusic_hf.generation.pipeline", "MidiContinuationPipeline"),
    INFILLING_TASK: ("neuromusic_hf.generation.infilling_pipeline", "MidiInfillingPipeline"),
}
"""Module and name of the class of a task."""
CUSTOM_PIPELINES = {
    task: {"impl": f"{file.removesuffix('.py')}.{CLASSES[task][1]}", "pt": ["AutoModelForCausalLM"]}
    for task, file in PIPELINE_FILES.items()
}
"""`custom_pipelines` of a config: which file of the bundle holds the class. transformers loads it where it is trusted
(`trust_remote_code=True`)."""


def add_pipeline_files(folder: str | Path):
    """
    Writes the files of pipelines into a folder with a model, and names them in the config there; into no other folder.

    That of infilling is for a model that was trained for it.

    Raises:
        `OSError`: they cannot be written.
    """
    config = Path(folder, CONFIG_NAME)
    if not config.exists():
        return
    said = json.loads(config.read_text(encoding="utf-8"))
    tasks = _tasks_of(said)
    others = _without_ours(said.get("custom_pipelines", {}))
    said["custom_pipelines"] = others | {task: CUSTOM_PIPELINES[task] for task in tasks}
    for task in tasks:
        write_whole(Path(folder, PIPELINE_FILES[task]), shipped_code(*CLASSES[task]))
    write_whole(config, json.dumps(said, indent=2, sort_keys=True) + "\n")


def pipeline_files(folder: str | Path) -> list[str]:
    """Names of the files that [`add_pipeline_files`] writes into a folder."""
    config = Path(folder, CONFIG_NAME)
    if not config.exists():
        return []
    return [PIPELINE_FILES[task] for task in _tasks_of(json.loads(config.read_text(encoding="utf-8")))]


def _tasks_of(config: dict) -> list[str]:
    """The tasks of a model, by its config as JSON."""
    return [task for task in TASKS if task != INFILLING_TASK or config.get("infill_share")]


class RegisteredTask(dict):
    """
    The task of the pipeline that is registered here, and no file of it.

    By its one key, `pipeline()` without a task tells what a bundle is for. It asks for `trust_remote_code` wherever a
    task is in `custom_pipelines`, even where the file would not be used: this one is in there for its name alone.
    """

    def __init__(self):
        super().__init__({PIPELINE_TASK: CUSTOM_PIPELINES[PIPELINE_TASK]})

    def __contains__(self, task) -> bool:
        return False


class CustomPipelines:
    """
    The attribute `custom_pipelines` of model configs, without the files of the pipelines that are registered here.

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
        if not dict.keys(tasks).isdisjoint(TASKS):
            self._of_bundles[id(config)] = config
        if tasks := _without_ours(tasks):
            vars(config)[self.NAME] = tasks

    def __delete__(self, config):
        self._of_bundles.pop(id(config), None)
        vars(config).pop(self.NAME, None)


def _without_ours(tasks: dict) -> dict:
    return {task: code for task, code in tasks.items() if task not in TASKS}
