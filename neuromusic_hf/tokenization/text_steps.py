"""What a stranger's tokenizer may do with text: looked at before the library `tokenizers` makes it and runs it."""

import re
from collections.abc import Iterator
from typing import Any

from transformers import PreTrainedTokenizerFast

from ..hub.bounds import shown
from ..ranges import Range

PLAIN_STEPS = {
    "normalizer": ("Replace",),
    "pre_tokenizer": ("WhitespaceSplit", "Split", "Metaspace"),
    "post_processor": ("TemplateProcessing",),
    "decoder": ("Replace", "Fuse"),
}
"""Of the plain tokenizers of processors."""

LEARNED_STEPS = {"normalizer": (), "pre_tokenizer": ("Metaspace",), "post_processor": (), "decoder": ("Metaspace",)}
"""Of vocabularies that miditok has learned."""

MOST_ADDED = 4096
LONGEST_ADDED = 1024
LENGTHS = Range(most=2**20)
"""Of texts that are filled up or cut."""

_PRIVATE = "[\U000f0000-\U000ffffd]"
_PATTERNS = re.compile(rf"\\s\+|\^|\^\(\?=\[\^{_PRIVATE}-{_PRIVATE}\]\)|{_PRIVATE}(?:\|{_PRIVATE})*")
"""Regular expressions that ours have."""

_COMPARED = ("model", "normalizer", "pre_tokenizer", "decoder")


def check_text_steps(content: dict[str, Any], steps: dict[str, tuple[str, ...]], source: str):
    """
    Checks what of a `tokenizer.json` is run when it is loaded, or takes memory whatever the text.

    Args:
        content (`dict`): of that file.
        steps (`dict`): kinds of steps that each part may have.
        source (`str`): what errors call it.

    Raises:
        `ValueError`: a step of it is of another kind, or too much.
    """
    for part, kinds in steps.items():
        for step in _steps(content.get(part)):
            if not isinstance(step, dict) or step.get("type") not in kinds:
                raise ValueError(f"{source}: its {part} has a step that no tokenizer of music has: {shown(step)}.")
            _check_step(step, part, source)
    added = content.get("added_tokens") or []
    if not isinstance(added, list) or len(added) > MOST_ADDED:
        raise ValueError(f"{source}: added_tokens={shown(added)} must be a list of {MOST_ADDED:,} tokens at most.")
    for token in added:
        if len(str(token)) > LONGEST_ADDED:
            raise ValueError(
                f"{source}: one of added_tokens has more than {LONGEST_ADDED} characters: {shown(token)}."
            )
    for part in ("padding", "truncation"):
        for number in _numbers(content.get(part)):
            if number not in LENGTHS:
                raise ValueError(f"{source}: {part} to {number:,} tokens must be {LENGTHS}.")


def check_same_steps(tokenizer: PreTrainedTokenizerFast, rebuilt: PreTrainedTokenizerFast):
    """
    Checks that a plain tokenizer reads and writes text as the one that is made of its miditok tokenizer here.

    One without a decoder, as the first ones were saved, writes the same tokens.

    Raises:
        `ValueError`: it does not.
    """
    found, needed = (each.backend_tokenizer for each in (tokenizer, rebuilt))
    for part in _COMPARED:
        state = _state(getattr(found, part))
        if state != _state(getattr(needed, part)) and not (part == "decoder" and state is None):
            raise ValueError(
                f"tokenizer.json has another {part} than processor_config.json makes: its text would mean other "
                "tokens. Take both files from one save_pretrained."
            )


def _steps(part: Any) -> Iterator[Any]:
    if isinstance(part, dict) and part.get("type") == "Sequence":
        for steps in part.values():
            for step in steps if isinstance(steps, list) else ():
                yield from _steps(step)
    elif part is not None:
        yield part


def _check_step(step: dict, part: str, source: str):
    pattern = step.get("pattern")
    expression = pattern.get("Regex") if isinstance(pattern, dict) else None
    if expression is not None and _PATTERNS.fullmatch(str(expression)) is None:
        raise ValueError(f"{source}: its {part} has a regular expression of its own: {shown(expression)}.")
    if part == "normalizer" and len(str(step.get("content"))) > 1:
        raise ValueError(f"{source}: its {part} makes text longer: {shown(step)}.")
    if step.get("special_tokens"):
        raise ValueError(f"{source}: its {part} adds tokens of its own: {shown(step['special_tokens'])}.")


def _numbers(value: Any) -> Iterator[int]:
    for item in value.values() if isinstance(value, dict) else ():
        yield from _numbers(item)
    if isinstance(value, int) and not isinstance(value, bool):
        yield value


def _state(step: Any) -> bytes | None:
    return None if step is None else step.__getstate__()
