"""What a call of the pipeline asks for, and what that makes of each prompt."""

import hashlib
from dataclasses import dataclass, field, fields

from transformers import GenerationConfig

from ..music import RefusedFile
from .control import Control
from .limits import MusicLimit
from .prompts import Prompt, PromptSettings
from .randomness import check_seed

DEFAULT_NEW_TOKENS = 512
ROOM_STEP = 64


@dataclass(frozen=True)
class Request:
    """
    What one call of the pipeline asks for.

    Args:
        prompt ([`PromptSettings`]): how much of each piece is the prompt.
        limit ([`MusicLimit`]): how much music to add.
        control ([`Control`]): what it may be.
        seed (`int`, *optional*): drawn anew for every prompt if not given.
        generation (`dict`): arguments of `model.generate()`.

    Raises:
        `ValueError`: a value is out of range.
    """

    prompt: PromptSettings
    limit: MusicLimit
    control: Control
    seed: int | None = None
    generation: dict = field(default_factory=dict)

    def __post_init__(self):
        if self.seed is not None:
            check_seed(self.seed)

    @classmethod
    def from_parameters(cls, parameters: dict) -> "Request":
        """Sorts the arguments of a call: what this package does not know is for `generate()`."""
        rest = dict(parameters)

        def take(settings):
            known = [entry.name for entry in fields(settings) if entry.name in rest]
            return settings(**{name: rest.pop(name) for name in known})

        return cls(take(PromptSettings), take(MusicLimit), take(Control), rest.pop("seed", None), rest)

    def room(self, length: int, settings: GenerationConfig, context: int | None) -> int:
        """
        How many tokens may follow a prompt.

        Args:
            length (`int`): tokens of the prompt.
            settings ([`~transformers.GenerationConfig`]): in force for the request.
            context (`int`, *optional*): tokens the model reads; `None` for any number.

        Raises:
            [`RefusedFile`]: so many as are asked for do not fit in the context (`prompt_too_long`).
        """
        wanted = settings.max_new_tokens
        if wanted is None and settings.max_length is not None:
            wanted = max(1, settings.max_length - length)
        if wanted is None:
            rest = DEFAULT_NEW_TOKENS if context is None else max(1, context - length)
            # Music decides where it ends: round, so that prompts of nearly the same length go through together.
            wanted = rest - rest % ROOM_STEP if self.limit and rest > ROOM_STEP else rest
            wanted = wanted if self.limit else min(DEFAULT_NEW_TOKENS, rest)
        if context is not None and length + wanted > context:
            raise RefusedFile(
                "prompt_too_long",
                f"{length} tokens of prompt and {wanted} new ones are {length + wanted}; the model reads {context}: "
                f"set prompt_length={max(1, context - wanted)} or less (prompt_from='end' takes the last ones), or a "
                "smaller max_new_tokens",
            )
        return wanted


@dataclass(frozen=True)
class Job:
    """A prompt on its way through the model: what to continue, by how many tokens at most, and from which seed."""

    prompt: Prompt
    max_new_tokens: int
    seed: int

    def row_seed(self, number: int) -> int:
        """The seed of a continuation by its number. It depends on the prompt and `seed`, not on the batch."""
        text = f"{self.seed}:{number}:{','.join(map(str, self.prompt.ids))}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
