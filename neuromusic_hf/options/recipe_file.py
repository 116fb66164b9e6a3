"""Reads a recipe: a YAML file of plain `key: value` lines, in which nothing is said twice."""

from pathlib import Path
from typing import Any

import yaml

from ..hub.plain_yaml import load_yaml

LARGEST_RECIPE = 2**20
"""In bytes. A recipe is written by hand."""


class RecipeLoader(yaml.SafeLoader):
    """Plain YAML. Refuses keys that stand twice."""

    def construct_mapping(self, node, deep=False):
        """A mapping whose keys are all different."""
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                problem = f"the key {key.value!r} stands twice"
                raise yaml.constructor.ConstructorError(problem=problem, problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_recipe(path: Path, kind: str = "recipe") -> dict[str, Any]:
    """
    Returns what a recipe says, by key.

    Args:
        path (`Path`): of the file.
        kind (`str`, *optional*, defaults to `"recipe"`): what errors call it.

    Raises:
        `ValueError`: it cannot be read, or is no mapping of keys to values.
    """
    try:
        if path.is_file() and path.stat().st_size > LARGEST_RECIPE:
            raise ValueError(f"{path} has {path.stat().st_size} bytes: that is no {kind}.")
        recipe = load_yaml(path.read_text(encoding="utf-8"), RecipeLoader)
    except OSError as error:
        raise ValueError(f"Cannot read the {kind} {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"The {kind} {path} is no text in UTF-8: is it another file?") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"The {kind} {path} is not valid YAML: {error}.") from error
    if not isinstance(recipe, dict):
        raise ValueError(f"The {kind} {path} must be a list of 'key: value' lines.")
    return recipe
