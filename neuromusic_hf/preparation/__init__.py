"""Corpora of any size, prepared in tasks on any number of machines, by the executors of datatrove."""

from .configuration import Preparation, begin_preparation
from .executors import EXECUTORS, Stage, executors, prepare_corpus, read_options, stages
from .finishing import push_prepared
from .local import LocalExecutor

__all__ = [
    "EXECUTORS",
    "LocalExecutor",
    "Preparation",
    "Stage",
    "begin_preparation",
    "executors",
    "prepare_corpus",
    "push_prepared",
    "read_options",
    "stages",
]
