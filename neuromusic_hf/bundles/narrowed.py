"""The bundle of a model whose feed-forward layers were narrowed: what is still true of it goes with it."""

from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from ..disk import user_path, write_json, write_whole
from ..hub import find_file
from ..hub.bounds import read_object
from ..tokenization import MidiProcessor
from .bundle import save_bundle
from .card import write_card
from .files import RECIPE_NAME, RUN_NAME

OF_OTHER_WEIGHTS = ("metrics", "course", "parameters", "failed_pushes", "failed_trackers")
"""What the record of a run says that is not true of narrowed weights."""


def save_narrowed(
    model: PreTrainedModel, processor: MidiProcessor, folder: str | Path, narrowing: dict[str, Any], **where: Any
):
    """
    Writes the bundle of a narrowed model, to be trained on from, with the record and the recipe of the wide one.

    Args:
        model ([`~transformers.PreTrainedModel`]): after [`narrow_feed_forward`].
        processor ([`MidiProcessor`]): of both.
        folder (`str` or `Path`): where to; made if missing.
        narrowing (`dict`): what that gave, for the record.
        where: arguments of [`find_file`] with which the wide model was found: `source`, `revision`.

    Raises:
        `OSError`: it cannot be read or written.
    """
    folder = user_path(folder)
    save_bundle(model, processor, folder)
    run, recipe = (find_file(name=name, **where) for name in (RUN_NAME, RECIPE_NAME))
    said = read_object(run) if run else {}
    said = {key: value for key, value in said.items() if key not in OF_OTHER_WEIGHTS}
    write_json(folder / RUN_NAME, said | {"parameters": model.num_parameters(), "narrowed": narrowing})
    if recipe:
        write_whole(folder / RECIPE_NAME, recipe.read_text(encoding="utf-8"))
    write_card(folder)
