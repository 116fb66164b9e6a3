"""
The options of a run as plain data: arguments of argparse, as transformers makes them of the dataclasses of a run.

To declare them takes PyTorch, which takes seconds to import: they are read from a file, and from the classes wherever
that was made of other code, or with other libraries. `python -m neuromusic_hf.options.listing` makes it anew.
"""

import hashlib
import json
import typing
from enum import Enum
from importlib.metadata import version
from pathlib import Path
from typing import Any

LIST = Path(__file__).with_name("options.json")
PACKAGE = Path(__file__).parents[1]
DECLARATIONS = (
    "options/arguments.py",
    "options/lora_arguments.py",
    "options/watching_arguments.py",
    "options/values.py",
    "corpora/splits.py",
    "models/fit.py",
    "tokenization/vocabulary_training.py",
)
"""Files of this package that declare options, or the words and numbers that they tell."""
LIBRARIES = ("torch", "transformers")


def list_options() -> dict[str, Any]:
    """
    All options.

    Returns:
        `dict`: `arguments`, the flags and the keyword arguments of `add_argument` of each, in which a type is a name;
        `switches` and `mappings`, the names of options that may be true or false, and of those that may be a mapping.
    """
    listed = json.loads(LIST.read_text(encoding="utf-8"))
    return listed if listed["made_of"] == made_of() else declared_options()


def made_of() -> dict[str, str]:
    """What decides about the options: versions of libraries, and hashes of our own declarations."""
    versions = {name: version(name).partition("+")[0] for name in LIBRARIES}
    hashes = {name: hashlib.sha256((PACKAGE / name).read_bytes()).hexdigest() for name in DECLARATIONS}
    return versions | hashes


def declared_options() -> dict[str, Any]:
    """The options by the fields of the dataclasses, as [`list_options`]."""
    from transformers import HfArgumentParser

    from .arguments import GROUPS

    arguments: list[tuple[tuple[str, ...], dict[str, Any]]] = []

    class Recorder(HfArgumentParser):
        def add_argument(self, *flags, **settings):
            arguments.append((flags, settings))
            return super().add_argument(*flags, **settings)

    Recorder(GROUPS, add_help=False)
    hints = {name: hint for group in GROUPS for name, hint in typing.get_type_hints(group).items()}
    names = [flags[0].lstrip("-") for flags, settings in arguments if "dest" not in settings]
    return {
        "made_of": made_of(),
        "switches": [name for name in names if bool in _kinds(hints[name])],
        "mappings": [name for name in names if dict in _kinds(hints[name])],
        "arguments": [[list(flags), _plain(settings)] for flags, settings in arguments],
    }


def _kinds(hint: Any) -> set[Any]:
    parts = typing.get_args(hint) or (hint,)
    return {typing.get_origin(part) or part for part in parts}


def _plain(settings: dict[str, Any]) -> dict[str, Any]:
    kind, choices = settings.get("type"), settings.get("choices")
    if isinstance(kind, type) and issubclass(kind, Enum):
        kind, choices = str, [each.value for each in kind]
    plain = dict(settings)
    if choices is not None:
        plain["choices"] = list(choices)
    if kind is not None:
        plain["type"] = _name(kind, choices)
    return plain


def _name(kind: Any, choices: Any) -> str:
    if kind in (int, float, str):
        return kind.__name__
    if choices is not None:
        return "str"
    return "bool" if kind.__name__ == "string_to_bool" else "dict"


def write_list():
    """Writes the file of the options that the dataclasses declare."""
    LIST.write_text(json.dumps(declared_options(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_list()
