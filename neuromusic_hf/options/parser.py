"""The options of a command line, and of recipes, which are read in the same way."""

import argparse
import difflib
from typing import Any

from .listing import list_options

TRUE, FALSE = ("yes", "true", "t", "y", "1"), ("no", "false", "f", "n", "0")


def switch(text: str) -> bool:
    """Whether a switch is on, by the words that transformers takes for it."""
    if text.lower() not in TRUE + FALSE:
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return text.lower() in TRUE


def mapping(text: str):
    """Of what only a recipe can hold."""
    raise argparse.ArgumentTypeError(f"{text!r} is no mapping, which a recipe may hold")


NULL = "null"
"""Takes back what a recipe says."""

TYPES = {"int": int, "float": float, "str": str, "bool": switch, "dict": mapping}


class OptionParser(argparse.ArgumentParser):
    """Options of a run. Tells which of them were given, and raises what is wrong."""

    def __init__(self):
        self.options: dict[str, argparse.Action] = {}
        super().__init__(
            usage="train.py [RECIPE.yaml ...] [--key value ...]",
            allow_abbrev=False,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )
        listed = list_options()
        self.switches, self.mappings = set(listed["switches"]), set(listed["mappings"])
        for flags, settings in listed["arguments"]:
            kind = {"type": TYPES[settings["type"]]} if "type" in settings else {}
            action = self.add_argument(*flags, **settings | kind)
            self.options[action.dest] = action

    def error(self, message: str):
        """Called by argparse."""
        raise ValueError(f"{message}.")

    def given(self, arguments: list[str]) -> dict[str, Any]:
        """The options that the arguments give, with their types."""
        nothing = object()
        values = argparse.Namespace(**dict.fromkeys(self.options, nothing))
        values, unknown = self.parse_known_args(arguments, values)
        if unknown:
            raise ValueError(f"Unknown option {unknown[0]}{self.suggestion(unknown[0].lstrip('-'))}")
        return {name: value for name, value in vars(values).items() if value is not nothing}

    def typed_by_hand(self, arguments: list[str]) -> dict[str, Any]:
        """The options of a command line, on which the word null is `None`, as it is in a recipe."""
        names = {flag: name for name, option in self.options.items() for flag in option.option_strings}
        kept: list[str] = []
        taken_back: dict[str, None] = {}
        for words in _by_option(arguments):
            flag, *values = [*words[0].split("=", 1), *words[1:]]
            if flag in names and values == [NULL]:
                taken_back[names[flag]] = None
            else:
                taken_back.pop(names.get(flag, ""), None)  # the last counts
                kept += words
        return self.given(kept) | taken_back

    def suggestion(self, key: str) -> str:
        """The end of a sentence about an unknown key."""
        near = difflib.get_close_matches(key, self.options, n=1)
        return f": did you mean {near[0]!r}?" if near else "."

    def typed(self, key: str, value: Any) -> Any:
        """A value of a recipe with the type of its option."""
        if value is None or (isinstance(value, dict) and key in self.mappings):
            return value
        if isinstance(value, list) and self.options[key].nargs == "+":
            _check_scalars(key, value)
            return self.given([f"--{key}", *map(str, value)])[key]
        if isinstance(value, bool) and (key in self.switches or self.options[key].const is True):
            return value
        _check_scalars(key, [value])
        if isinstance(value, bool):
            raise ValueError(f"{key} is not a switch, and YAML reads a bare yes, no, on and off as one: use quotes.")
        return self.given([f"--{key}={value}"])[key]


def _by_option(arguments: list[str]) -> list[list[str]]:
    """Each option with its values."""
    groups: list[list[str]] = []
    for word in arguments:
        if word.startswith("--") or not groups:
            groups.append([])
        groups[-1].append(word)
    return groups


def _check_scalars(key: str, values: list):
    for value in values:
        if isinstance(value, dict | list):
            raise ValueError(f"{key} is a single value, got {value!r}.")
        if not isinstance(value, str | int | float):
            raise ValueError(f"YAML reads {key}: {value} as a {type(value).__name__}: use quotes.")
