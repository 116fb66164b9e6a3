"""The Trainer of this project: transformers' own, with saves that are whole or not there."""

from transformers import Trainer


class MusicTrainer(Trainer):
    """[`~transformers.Trainer`] of a training run."""
