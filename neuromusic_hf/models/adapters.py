"""Adapters (LoRA and its relatives) as people share them: a folder or Hub repository that names its base model."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from transformers import AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel
from transformers.utils import CONFIG_NAME, cached_file, find_adapter_config_file, is_peft_available
from transformers.utils.hub import extract_commit_hash

from ..tokenization import MidiProcessor


@dataclass(frozen=True)
class Adapter:
    """
    An adapter that exists.

    Args:
        name (`str`): folder or Hub id.
        base (`str`): folder or Hub id of the model that it changes.
        kind (`str`): as peft calls it, such as `"LORA"`.
        commit (`str`, *optional*): of a Hub repository.
    """

    name: str
    base: str
    kind: str
    commit: str | None

    @classmethod
    def find(cls, name: str, **hub_arguments) -> "Adapter | None":
        """
        Reads the adapter of a folder or Hub repository; `None` where there is none.

        Raises:
            `ImportError`: there is one, and peft is not installed.
            `ValueError`: its config is damaged, or names no base; or the folder holds a whole model as well.
        """
        path = find_adapter_config_file(name, **hub_arguments)
        if path is None:
            return None
        if not is_peft_available():
            raise ImportError(f"{name} is an adapter, which peft loads: pip install peft.")
        try:
            config = json.loads(Path(path).read_text(encoding="utf-8"))
            base, kind = config["base_model_name_or_path"], config["peft_type"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is no adapter's config ({error!r}): save the adapter again.") from error
        if not base:
            raise ValueError(f"{path} names no base model: write its folder or Hub id as base_model_name_or_path.")
        if os.path.isfile(os.path.join(name, "config.json")):
            raise ValueError(f"{name} holds a whole model and an adapter: move the adapter's files to another folder.")
        return cls(str(name), base, kind, extract_commit_hash(path, None))

    def explain(self, error: Exception) -> ValueError:
        """An error for what keeps it from being loaded."""
        return ValueError(
            f"{self.name} is an adapter ({self.kind}) of {self.base}, and cannot be loaded on it: {error}\nIf its "
            "base is elsewhere, write that folder or Hub id as base_model_name_or_path in "
            f"{self.name}/adapter_config.json."
        )

    def name_model(self, model: PreTrainedModel) -> PreTrainedModel:
        """Makes a model with this adapter tell where it comes from."""
        model.name_or_path = model.config.name_or_path = self.name
        model.hub_commit = self.commit
        return model

    def merge_into(self, base: PreTrainedModel) -> PreTrainedModel:
        """
        A plain model: `base`, its weights changed as the adapter says.

        Raises:
            `ValueError`: it does not fit, or is of a kind that is no change of weights.
        """
        from peft import PeftConfig, PeftModel

        try:
            if PeftConfig.from_pretrained(self.name).is_prompt_learning:
                raise ValueError("it adds to what the model reads, and changes no weights that could be trained on")
            merged = PeftModel.from_pretrained(base, self.name).merge_and_unload()
        except (OSError, RuntimeError, ValueError) as error:
            raise self.explain(error) from error
        return self.name_model(merged.requires_grad_(True))  # peft froze the base


class AutoMusicModel(AutoModelForCausalLM):
    """
    `AutoModelForCausalLM`, which loads adapters on their base as well.

    Its models tell where they come from: by `name_or_path` and, from the Hub, `hub_commit`.
    """

    @classmethod
    def from_pretrained(cls, name: str, **kwargs) -> PreTrainedModel:
        """As `AutoModelForCausalLM.from_pretrained`."""
        where = {key: kwargs[key] for key in ("revision", "token", "cache_dir") if kwargs.get(key) is not None}
        adapter = Adapter.find(name, **where)
        if adapter is None:
            model = AutoModelForCausalLM.from_pretrained(name, **kwargs)
            model.hub_commit = extract_commit_hash(cached_file(name, CONFIG_NAME, **where), None)
            return model
        try:
            return adapter.name_model(AutoModelForCausalLM.from_pretrained(name, **kwargs))
        except (OSError, RuntimeError, ValueError) as error:
            raise adapter.explain(error) from error


def check_base(name: str):
    """
    Checks that the base of an adapter can be found, before anything is loaded. Other models are not looked at.

    Raises:
        `ImportError`: `name` is an adapter, and peft is not installed.
        `ValueError`: its base cannot be found, or its config is damaged.
    """
    if adapter := Adapter.find(name):
        try:
            PreTrainedConfig.get_config_dict(adapter.base)
        except (OSError, ValueError) as error:
            raise adapter.explain(error) from error


def load_processor(name: str, **hub_arguments) -> MidiProcessor:
    """
    Loads the processor from where a model lies; that of an adapter's base where the adapter has none beside it.

    Args:
        name (`str`): folder or Hub id of a model or an adapter.
        hub_arguments: of `MidiProcessor.from_pretrained`.

    Raises:
        as `MidiProcessor.from_pretrained`.
    """
    try:
        return MidiProcessor.from_pretrained(name, **hub_arguments)
    except FileNotFoundError:
        if (adapter := Adapter.find(name, **hub_arguments)) is None:
            raise
        return MidiProcessor.from_pretrained(adapter.base)


def find_processor(model: PreTrainedModel) -> MidiProcessor:
    """Loads the processor from where the weights lie. Raises `ValueError` where there is none, and says why."""
    folder, commit = model.name_or_path, getattr(model, "hub_commit", None)
    try:
        return load_processor(folder, **{"revision": commit} if commit else {})
    except (OSError, TypeError, ValueError) as error:
        raise ValueError(
            f"No MidiProcessor can be loaded from {folder!r}: save the one the model was trained with beside the "
            "weights (MidiProcessor.save_pretrained, or miditok's own tokenizer.json), or give processor=. "
            f"({error})"
        ) from error
