"""Corpora of any size, prepared in tasks on any number of machines, by the executors of datatrove."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .beginning import begin_preparation as begin_preparation
    from .configuration import Preparation as Preparation
    from .finishing import push_prepared as push_prepared
    from .local import LocalExecutor as LocalExecutor
    from .options import EXECUTORS as EXECUTORS
    from .options import read_options as read_options
    from .preparing import executor_class as executor_class
    from .preparing import prepare_corpus as prepare_corpus
    from .running import Stage as Stage
    from .running import executors as executors
    from .running import stages as stages
else:
    __getattr__, __dir__, __all__ = lazy_names(__name__)
