"""What a comparison of two pieces is: all that scoring, tables, pictures and pages have to know of it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from symusic.core import ScoreTick

from .embedding import HarmonyEmbedding, load_harmony_embedding

NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
OTHER_COLUMNS = ("novelty",)
"""Names that the table of pieces has already."""


@dataclass(frozen=True)
class Comparison:
    """
    How far what follows lies from its prompt in one feature of music.

    Where several processes compare, its functions are sent to them by their import paths: they are functions of a
    module then, no lambdas.

    Args:
        name (`str`):
            In snake_case: `"pitch"` makes the columns `pitch_original`, `pitch_generated`, and the score `pitch_kl`.
        title (`str`): for headings.
        unit (`str`): what distances are in, such as `"nats"` or `"steps of velocity"`.
        feature (`Callable`):
            From a [`symusic.Score`] to what is compared; raises [`RefusedFile`] where the score has no such feature.
        distance (`Callable`): from the feature of the prompt and that of what follows to a finite `float`.
        higher_is_nearer (`bool`, *optional*, defaults to `False`): whether the distance is a similarity.
        decimals (`int`, *optional*, defaults to 3): that distances are shown with.
        count (`Callable`, *optional*): from a feature to what is summed over all pieces, as `dict[str, int]`.
        needs_embedding (`bool`, *optional*, defaults to `False`):
            Whether `distance` and `count` take a [`HarmonyEmbedding`] first. [`Comparison.bind`] gives it to them.
        import_path (`str`, *optional*): where [`all_comparisons`] found it.

    Raises:
        `ValueError`: `name` is not in snake_case, or that of another column; `title` is no line of text.

    Example:
    ```py
    >>> import numpy as np
    >>> from neuromusic_hf.metrics import Comparison
    >>> def mean_velocity(score):
    ...     return np.concatenate([track.notes.numpy()["velocity"] for track in score.tracks]).mean()
    >>> def difference(prompt, other):
    ...     return abs(prompt - other)
    >>> LOUDNESS = Comparison("loudness", "Loudness", "steps of velocity", mean_velocity, difference, decimals=1)
    >>> LOUDNESS.score_name
    'loudness_kl'
    ```
    """

    name: str
    title: str
    unit: str
    feature: Callable[[ScoreTick], Any]
    distance: Callable[..., float]
    higher_is_nearer: bool = False
    decimals: int = 3
    count: Callable[..., Mapping[str, int]] | None = None
    needs_embedding: bool = False
    import_path: str | None = None

    def __post_init__(self):
        if not NAME.fullmatch(self.name) or self.name in OTHER_COLUMNS:
            raise ValueError(
                f"A comparison cannot be named {self.name!r}: give another name in snake_case, such as note_density."
            )
        if not self.title.strip() or len(self.title.splitlines()) > 1:
            raise ValueError(f"The title of the comparison {self.name} must be one line of text, not {self.title!r}.")

    @property
    def score_name(self) -> str:
        """Name of its score, which is a Kullback-Leibler divergence (KL) of distances."""
        return f"{self.name}_kl"

    @property
    def axis(self) -> str:
        """What its distances are, with their unit."""
        return f"{'similarity to' if self.higher_is_nearer else 'distance from'} the prompt ({self.unit})"

    def bind(
        self,
        embedding: HarmonyEmbedding | str | Path | None = None,
        revision: str | None = None,
        token: str | bool | None = None,
    ) -> "Comparison":
        """
        Makes it ready to compare: with an embedding, if it needs one and has none.

        Args:
            embedding ([`HarmonyEmbedding`], `str` or `Path`, *optional*):
                An embedding, its folder or Hub repository; the one that comes with the package if not given.
            revision (`str`, *optional*): branch, tag or commit of that repository; main if not given.
            token (`str` or `bool`, *optional*): for the Hub; that of `HF_TOKEN` or `hf auth login` if not given.

        Raises:
            `OSError`: the embedding cannot be read.
        """
        if not self.needs_embedding:
            return self
        embedding = load_harmony_embedding(embedding, revision, token)
        count = None if self.count is None else partial(self.count, embedding)
        return replace(self, distance=partial(self.distance, embedding), count=count, needs_embedding=False)

    def describe(self) -> dict[str, Any]:
        """Plain JSON values: how it is shown, and which functions compare."""
        shown = {name: getattr(self, name) for name in ("title", "unit", "higher_is_nearer", "decimals")}
        functions = {name: _path_of(getattr(self, name)) for name in ("feature", "distance")}
        return {**shown, **functions, "import_path": self.import_path}


def _path_of(function: Callable) -> str:
    """Where a function lies, whatever is bound to it."""
    while isinstance(function, partial):
        function = function.func
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}.{named.__qualname__}"
