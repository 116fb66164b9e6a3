"""Pictures, sounds and histograms to the trackers of a Trainer, which carry scalars themselves."""

from matplotlib.image import imread
from scipy.io import wavfile
from transformers import Trainer, TrainerCallback
from transformers.integrations import TensorBoardCallback, TrackioCallback, WandbCallback

from .media import Media

STEP_NAME = "train/global_step"
"""What transformers' callbacks plot everything against."""


def log_media(trainer: Trainer, media: Media) -> list[str]:
    """
    Logs to every tracker of the Trainer that can show media: Weights & Biases, Trackio, TensorBoard. Call it on the
    main process, during training.

    Args:
        trainer ([`~transformers.Trainer`]): whose `report_to` chose the trackers.
        media ([`Media`]): what to log, at the Trainer's current step.

    Returns:
        `list[str]`: the trackers that it was logged to.
    """
    logged = []
    for callback in trainer.callback_handler.callbacks:
        for kind, log in _LOGS.items():
            if isinstance(callback, kind):
                log(callback, media, trainer.state.global_step)
                logged.append(kind.__name__.removesuffix("Callback").lower())
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
    tracker.log({**pictures, **sounds, **histograms, STEP_NAME: step})


def _log_to_tensorboard(callback: TensorBoardCallback, media: Media, step: int):
    writer = callback.tb_writer
    for name, path in media.pictures.items():
        writer.add_image(name, imread(path)[..., :3], step, dataformats="HWC")
    for name, path in media.sounds.items():
        rate, samples = wavfile.read(path)
        mono = samples.reshape(len(samples), -1).mean(axis=1) / 2**15
        writer.add_audio(name, mono[None], step, sample_rate=rate)
    for name, values in media.histograms.items():
        writer.add_histogram(name, values, step)
    writer.flush()


_LOGS = {
    WandbCallback: _log_to_wandb,
    TrackioCallback: _log_to_trackio,
    TensorBoardCallback: _log_to_tensorboard,
}
