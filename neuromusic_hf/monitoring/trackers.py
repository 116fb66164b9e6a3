"""Pictures, sounds, histograms and tables to the trackers of a Trainer, which carry scalars themselves."""

import math
from collections.abc import Callable

import pandas as pd
from matplotlib.image import imread
from transformers import Trainer, TrainerCallback
from transformers.integrations import TensorBoardCallback, TrackioCallback, WandbCallback

from ..hub import markdown
from ..rendering import read_audio
from ..tracking.failures import TRACKERS, TrackerFailures, tracker_name
from ..tracking.memory import MEMORY_NAME, TrackerMemory
from .media import Media

STEP_NAME = "train/global_step"
"""What transformers' callbacks plot everything against."""


LogMedia = Callable[[TrainerCallback, Media, int], None]
"""Logs media to the tracker of a callback at an optimizer step."""


def register_tracker(callback_class: type[TrainerCallback], log: LogMedia):
    """
    Makes known how media get to a tracker. Scalars it gets from the Trainer, as `on_log` of its callback takes them.

    One that fails in either does not stop a [`MusicTrainer`], which tells it nothing twice of a run that goes on.

    Args:
        callback_class (`type`):
            The [`~transformers.TrainerCallback`] of the tracker. Its subclasses are logged to in the same way, unless
            they are registered themselves. What was registered for it before is replaced.
        log (`Callable`): takes the callback, [`Media`] and the optimizer step, on the main process, during training.

    Raises:
        `TypeError`: `callback_class` is no class of callbacks, or `log` cannot be called.

    Example:
    ```py
    >>> from neuromusic_hf.monitoring import register_tracker
    >>> def log(callback, media, step):
    ...     for name, path in media.pictures.items():
    ...         callback.notebook.attach(f"{name} at step {step}", path)
    >>> register_tracker(NotebookCallback, log)
    ```
    """
    if not (isinstance(callback_class, type) and issubclass(callback_class, TrainerCallback)):
        raise TypeError(
            f"{callback_class!r} is no class of transformers.TrainerCallback: register the class of the tracker."
        )
    if not callable(log):
        raise TypeError(f"{log!r} cannot be called: give a function of callback, media and step.")
    _TRACKERS[callback_class] = log
    TRACKERS.add(callback_class)


def log_media(trainer: Trainer, media: Media) -> list[str]:
    """
    Logs to every tracker of the Trainer that can show media.

    These are Weights & Biases, Trackio, TensorBoard, and those of [`register_tracker`]. It is called on the main
    process, during training. One that fails is told and counted with the other failures of the Trainer, if it counts
    them, and the others get theirs.

    Args:
        trainer ([`~transformers.Trainer`]): whose callbacks are the trackers.
        media ([`Media`]): what to log, at the Trainer's current step.

    Returns:
        `list[str]`: the trackers that it was logged to.
    """
    logged = []
    failures = getattr(trainer, "tracker_failures", None) or TrackerFailures()
    memory = getattr(trainer, "tracker_memory", None) or TrackerMemory()
    step = trainer.state.global_step
    for callback in trainer.callback_handler.callbacks:
        kind = next((kind for kind in type(callback).__mro__ if kind in _TRACKERS), None)
        name = tracker_name(callback)
        if kind is None or failures.leaves_out(name) or memory.was_told(name, step, media.names):
            continue
        with failures.watching(name):
            _TRACKERS[kind](callback, media, step)
            failures.worked(name)
            logged.append(name)
            with failures.watching(MEMORY_NAME):
                memory.note(name, step, media.names)
    return logged


def _log_to_wandb(callback: TrainerCallback, media: Media, step: int):
    import wandb

    _log_values(wandb, media, step)


def _log_to_trackio(callback: TrainerCallback, media: Media, step: int):
    import trackio

    _log_values(trackio, media, step)


def _log_values(tracker, media: Media, step: int):
    """For wandb and Trackio, which took over its names."""
    pictures = {name: tracker.Image(str(path)) for name, path in media.pictures.items()}
    sounds = {f"{name}.sound": tracker.Audio(str(path)) for name, path in media.sounds.items()}
    histograms = {name: tracker.Histogram(values) for name, values in media.histograms.items()}
    tables = {name: tracker.Table(dataframe=table) for name, table in media.tables.items()}
    tracker.log({**pictures, **sounds, **histograms, **tables, STEP_NAME: step})


def _log_to_tensorboard(callback: TensorBoardCallback, media: Media, step: int):
    writer = callback.tb_writer
    for name, path in media.pictures.items():
        writer.add_image(name, imread(path)[..., :3], step, dataformats="HWC")
    for name, path in media.sounds.items():
        audio, rate = read_audio(path)
        writer.add_audio(name, audio.mean(axis=0, keepdims=True), step, sample_rate=rate)
    for name, values in media.histograms.items():
        writer.add_histogram(name, values, step)
    for name, table in media.tables.items():
        writer.add_text(name, markdown_table(table), step)
    writer.flush()


def markdown_table(table: pd.DataFrame) -> str:
    """A table as Markdown that shows its texts as they are."""
    rows = [[_cell(value) for value in row] for row in table.itertuples(index=False)]
    return markdown.table(list(map(markdown.escape, table.columns)), rows)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.4g}"
    return "" if value is None else markdown.escape(str(value))


_TRACKERS: dict[type[TrainerCallback], LogMedia] = {
    WandbCallback: _log_to_wandb,
    TrackioCallback: _log_to_trackio,
    TensorBoardCallback: _log_to_tensorboard,
}
