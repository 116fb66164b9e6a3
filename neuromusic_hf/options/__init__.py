"""What a training run is told: arguments and recipes, and what each option may hold."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .arguments import DataArguments as DataArguments
    from .arguments import ModelArguments as ModelArguments
    from .arguments import RunArguments as RunArguments
    from .recipes import parse_recipe as parse_recipe
    from .resolving import resolved_recipe as resolved_recipe
else:
    __getattr__, __dir__, __all__ = lazy_names(__name__)
