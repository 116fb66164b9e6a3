"""The model of a test run: what is known of it, and how often its tokens broke the rules."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transformers.utils import CONFIG_NAME

from ..bundles import splits_of_model
from ..bundles.trained_splits import TrainedSplits
from ..hub import find_file, is_hub_id
from ..hub.bounds import read_object
from ..metrics import count_token_errors
from ..models.adapters import Adapter, load_processor
from ..runs import FinishedRun
from ..tokenization import MidiProcessor


class NotAvailable(Exception):
    """Something that a run does not allow to tell, and why."""


@dataclass(frozen=True)
class RunModel:
    """
    Of the model that continued.

    Args:
        model_type (`str`, *optional*): as transformers names it.
        processor ([`MidiProcessor`]): that its ids are read with.
        place (`dict`, *optional*): folder or Hub id of its files, arguments of [`splits_of_model`].
    """

    model_type: str | None
    processor: MidiProcessor
    place: dict[str, Any] | None = field(default=None, repr=False)

    @property
    def splits(self) -> TrainedSplits | None:
        """How the corpora were split that it was trained on, as far as its files tell; they are read for it."""
        return None if self.place is None else splits_of_model(**self.place)


def load_run_model(run: FinishedRun, trust_remote_code: bool = False, token: str | bool | None = None) -> RunModel:
    """
    Reads config and processor of the model that continued.

    Args:
        run ([`FinishedRun`]): its record names the folder, or the Hub id and commit.
        trust_remote_code (`bool`, *optional*, defaults to `False`): import the class that its processor names.
        token (`str` or `bool`, *optional*): for the Hub; that of `HF_TOKEN` or `hf auth login` if not given.

    Raises:
        [`NotAvailable`]: they cannot be read, or there are other weights or files under that name by now.
    """
    name, in_folder = run.model.place, run.model.is_of_folder
    if in_folder and not Path(name).is_dir():
        raise NotAvailable(f"there is no folder {name} here: score the run where it was made")
    if not in_folder and not (is_hub_id(name) and re.fullmatch("[0-9a-f]{40}", run.model.revision)):
        raise NotAvailable(f"{name} at {run.model.revision!r} is no repository of the Hub at a commit of it")
    where = {} if in_folder else {"revision": run.model.revision, "token": token}
    try:
        if in_folder and run.model.is_changed():  # nothing else is read of a folder that is not the model's
            raise NotAvailable(
                f"{name} holds other weights by now, or other files beside them, than those that continued"
            )
        adapter = Adapter.find(name, **where)
        source, of_source = (adapter.base, adapter.base_arguments) if adapter else (name, where)
        config = find_file(source, CONFIG_NAME, **of_source)
        model_type = None if config is None else read_object(config).get("model_type")
        processor = load_processor(name, trust_remote_code=trust_remote_code, **where)
        return RunModel(model_type, processor, {"model": name, **where})
    except (OSError, ValueError) as error:
        raise NotAvailable(f"the processor of {name} cannot be loaded: {str(error).splitlines()[0]}") from error


def count_run_token_errors(run: FinishedRun, model: RunModel | None) -> dict:
    """
    Counts errors of syntax in the ids that the model wrote.

    Notes read back from MIDI have none, whatever they were.

    Raises:
        [`NotAvailable`]: there is no model to ask, or the run has not recorded its ids.
    """
    if model is None:
        raise NotAvailable("the model is not available")
    paths = [run.path(record.files.tokens) for record in run.records]
    if None in paths:
        raise NotAvailable("the run has not recorded the generated ids: continue again with --overwrite")
    return count_token_errors(model.processor, [_read_ids(path, model.processor) for path in paths]).to_dict()


def _read_ids(path: Path, processor: MidiProcessor) -> list[int]:
    try:
        ids = [int(word) for word in path.read_text(encoding="utf-8").split()]
        outside = [index for index in ids if not 0 <= index < processor.vocab_size]
    except ValueError as error:
        raise NotAvailable(f"{path.name} holds something else than ids: {error}") from error
    if outside:
        raise NotAvailable(f"{path.name} holds {outside[0]}, which is no id of the model's vocabulary")
    return ids


def model_facts(model: RunModel | None) -> dict:
    """Type of the model, tokenization, and size of the vocabulary; `None` where there is no model to ask."""
    if model is None:
        return dict.fromkeys(("model_type", "tokenization", "vocab_size"))
    return {
        "model_type": model.model_type,
        "tokenization": type(model.processor.music_tokenizer).__name__,
        "vocab_size": model.processor.vocab_size,
    }
