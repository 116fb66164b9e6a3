"""What lies beside the weights of an adapter, which a model has in its configs: how it samples, what it was taught."""

from pathlib import Path
from typing import Any

from transformers import GenerationConfig, PreTrainedConfig, PreTrainedModel
from transformers.utils import ADAPTER_CONFIG_NAME, GENERATION_CONFIG_NAME

from ..disk import write_json
from ..hub import find_file
from ..hub.bounds import read_object
from ..ranges import Range
from .adapter_base import name_default_base
from .checked_generation import check_generation
from .taught import TAUGHT, check_taught

MUSIC_CONFIG_NAME = "music_config.json"
"""What training notes in the config of a model; an adapter has none."""

TOKEN_ROLES = ("pad", "bos", "eos")


def complete_adapter(model: PreTrainedModel, folder: str | Path):
    """
    Writes beside an adapter, which peft has saved, how its model samples and what it was taught.

    A base that comes with this package is named as such, and not by its folder on this machine.

    Args:
        model ([`~peft.PeftModel`]): with the adapter.
        folder (`str` or `Path`): of the adapter.
    """
    model.generation_config.save_pretrained(folder)
    save_music_config(model, folder)
    name_default_base(Path(folder))


def save_music_config(model: PreTrainedModel, folder: str | Path):
    """Writes what a model was taught beside its adapter, into no folder of a whole model, whose config tells it."""
    taught = {name: getattr(model.config, name) for name in TAUGHT if getattr(model.config, name, None) is not None}
    if taught and Path(folder, ADAPTER_CONFIG_NAME).exists():
        write_json(Path(folder, MUSIC_CONFIG_NAME), taught)


def restore_music_config(config: PreTrainedConfig, name: str, **where: Any):
    """
    Has the config of an adapter's base tell what the adapter was taught, if that lies beside it.

    Args:
        config ([`~transformers.PreTrainedConfig`]): changed in place.
        name (`str`): folder or Hub id of the adapter.
        where: of [`find_file`].

    Raises:
        `ValueError`: the file is damaged, or a value of it cannot be.
        [`PullError`]: it cannot be pulled.
    """
    path = find_file(name, MUSIC_CONFIG_NAME, **where)
    if path is None:
        return
    said = read_object(path)
    check_taught(said, path)
    for key in TAUGHT:
        if key in said:
            setattr(config, key, said[key])


def restore_sampling(model: PreTrainedModel, name: str, **where: Any):
    """
    Has an adapter's base sample as the adapter says, if that lies beside it.

    Args:
        model ([`~transformers.PreTrainedModel`]): the base, changed in place.
        name (`str`): folder or Hub id of the adapter.
        where: of [`find_file`].

    Raises:
        `ValueError`: the file is damaged, or a value of it cannot be.
        [`PullError`]: it cannot be pulled.
    """
    path = find_file(name, GENERATION_CONFIG_NAME, **where)
    if path is None:
        return
    check_generation(read_object(path), path, Range(most=model.config.get_text_config().vocab_size - 1))
    said = GenerationConfig.from_pretrained(str(path.parent))
    for key in (f"{role}_token_id" for role in TOKEN_ROLES):
        if getattr(said, key) is None:
            setattr(said, key, getattr(model.generation_config, key))
    model.generation_config = said
