"""YAML that may be a stranger's: plain values, none of which costs more than its own letters."""

import re
from typing import Any

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Of plain values alone; ten times as fast where libyaml is there."""

DEEPEST = 64
_LONG_NUMBER = re.compile(r"[-+.]?\d[\w.:+-]{1000,}")


def load_yaml(text: str, loader: type = LOADER, deepest: int = DEEPEST) -> Any:
    """
    Reads YAML in which no list or mapping is referred to again, as such references unfold without end.

    Args:
        text (`str`): one document.
        loader (`type`, *optional*): of PyYAML.
        deepest (`int`, *optional*): how many levels of lists and mappings there may be.

    Raises:
        `yaml.YAMLError`: it is none, is nested more deeply, has such a reference, or a number without end.
    """
    depth, values = 0, set()
    for event in yaml.parse(text, Loader=LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > deepest:
            raise _refused(f"there are lists within lists deeper than {deepest}", event)
        if isinstance(event, yaml.ScalarEvent):
            values.add(event.anchor)
            if event.implicit[0] and _LONG_NUMBER.match(event.value):
                raise _refused(f"a number has {len(event.value):,} digits", event)
        elif isinstance(event, yaml.CollectionStartEvent):
            values.discard(event.anchor)
        elif isinstance(event, yaml.AliasEvent) and event.anchor not in values:
            raise _refused(f"*{event.anchor} stands for a list or a mapping: write it out", event)
    return yaml.load(text, Loader=loader)  # noqa: S506


def _refused(problem: str, event: yaml.Event) -> yaml.YAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
