"""Adapters (LoRA and its relatives) as people share them: a folder or Hub repository that names its base model."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transformers import AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel
from transformers.utils import ADAPTER_CONFIG_NAME, ADAPTER_SAFE_WEIGHTS_NAME, CONFIG_NAME, is_peft_available

from ..default_bundle import place_of
from ..hub import NotOnHubError, PullError, check_revision, find_file, pulled_from, resolve_commit, telling_faults
from ..hub.bounds import read_object, read_shapes
from ..hub.pull import OF_REPOSITORY, given
from ..tokenization import MidiProcessor
from .adapter_base import base_of
from .adapter_files import restore_music_config, restore_sampling
from .checked import check_adapter_config, check_adapter_weights, check_configs, check_keys, load_checked
from .origin import pulled_with, remember_origin, remember_processor
from .tied_targets import refuse_tied_targets

UNFIT = (AttributeError, IndexError, KeyError, OSError, RuntimeError, TypeError, ValueError)
"""Errors of peft and transformers, of what does not fit, or of values that they do not expect."""


@dataclass(frozen=True)
class Adapter:
    """
    An adapter that exists.

    Args:
        name (`str`): folder or Hub id.
        base (`str`): folder or Hub id of the model that it changes.
        kind (`str`): as peft calls it, such as `"LORA"`.
        folder (`Path`): where its files are on this machine.
        commit (`str`, *optional*): of a Hub repository.
        where (`dict`): arguments of `from_pretrained` with which it was found, `revision` among them.
        base_arguments (`dict`): those for its base, which has its own revision.
    """

    name: str
    base: str
    kind: str
    folder: Path
    commit: str | None = None
    where: dict[str, Any] = field(default_factory=dict, repr=False)
    base_arguments: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def find(cls, name: str, revision: str | None = None, **where) -> "Adapter | None":
        """
        Reads the adapter of a folder or Hub repository; `None` where there is none.

        Args:
            name (`str`): folder or Hub id.
            revision (`str`, *optional*): of the adapter; its base has the revision that its config names, or main.
            where: `token`, `cache_dir` and `local_files_only`, for both.

        Raises:
            [`PullError`]: there is no such repository, or it cannot be pulled.
            `ImportError`: there is one, and peft is not installed.
            `ValueError`: its config is damaged, or names no base; or the folder holds a whole model as well.
        """
        commit = resolve_commit(name, revision, **where)
        pinned = where | {"revision": commit or revision}
        path = find_file(name, ADAPTER_CONFIG_NAME, **pinned)
        if path is None:
            return None
        if not is_peft_available():
            raise ImportError(f"{name} is an adapter, which peft loads: pip install peft.")
        config = read_object(path)
        if not isinstance(config.get("peft_type"), str):
            raise ValueError(f"{path} is no adapter's config: it says no peft_type. Save the adapter again.")
        check_adapter_config(config, path, from_hub=_repository(name) is not None)
        if os.path.isfile(os.path.join(name, CONFIG_NAME)):
            raise ValueError(f"{name} holds a whole model and an adapter: move the adapter's files to another folder.")
        base, of_base = base_of(config, path)
        of_base = where | ({"revision": of_base} if of_base else {})
        return cls(str(name), base, config["peft_type"], path.parent, commit and commit.resolved, pinned, of_base)

    @property
    def _is_one_owners(self) -> bool:
        """Whether it and its base are one owner's on the Hub, or both folders here."""
        own, base_is_here = _repository(self.name), os.path.isdir(self.base)
        if own is None or base_is_here:
            return own is None and base_is_here
        return own.rpartition("/")[0] == self.base.rpartition("/")[0]

    def of_base(self, trust_remote_code: bool | None) -> dict[str, Any]:
        """Arguments of `from_pretrained` for its base, which trust in the adapter reaches if both are one owner's."""
        return self.base_arguments | {"trust_remote_code": bool(trust_remote_code) and self._is_one_owners}

    def explain(self, error: Exception | str) -> ValueError:
        """An error for what keeps it from being loaded."""
        if "trust_remote_code" in str(error) and not self._is_one_owners:
            error = (
                f"that needs code of its own to be run, and trust in {self.name} is none in {self.base}. If you trust "
                f"both, load {self.base} yourself with trust_remote_code=True, model and processor, and put the "
                "adapter on it with peft; or merge it into it, and save that."
            )
        return ValueError(
            f"{self.name} is an adapter ({self.kind}) of {self.base}, and cannot be loaded on it: {error}\nIf its "
            "base is elsewhere, write that folder or Hub id as base_model_name_or_path in "
            f"{self.name}/adapter_config.json."
        )

    def load(self, **kwargs) -> PreTrainedModel:
        """
        Its base with the adapter on it.

        Args:
            kwargs: of `AutoModelForCausalLM.from_pretrained`, for the base.

        Raises:
            `ValueError`: the base cannot be loaded, or the adapter does not fit it, or is no safetensors file.
        """
        try:
            self._pull_weights()
            model = load_checked(self.base, **kwargs | self.of_base(kwargs.get("trust_remote_code")))
            check_keys(vars(model.load_adapter(str(self.folder))), self.name)
            self._restore(model)
        except UNFIT as error:
            raise self.explain(error) from error
        return self._name(model, kwargs.get("trust_remote_code"))

    def merge_into(self, base: PreTrainedModel) -> PreTrainedModel:
        """
        A plain model: `base`, its weights changed as the adapter says.

        Raises:
            `ValueError`: it does not fit, or is of a kind that is no change of weights.
        """
        from peft import PeftConfig, PeftModel

        try:
            shapes = self._pull_weights()
            config = PeftConfig.from_pretrained(str(self.folder))
            if config.is_prompt_learning:
                raise ValueError("it adds to what the model reads, and changes no weights that could be trained on")
            adapted = PeftModel(base, config)
            self._fill(adapted, shapes)
            refuse_tied_targets(adapted)
            merged = adapted.merge_and_unload()
            self._restore(merged)
        except UNFIT as error:
            raise self.explain(error) from error
        return self._name(merged.requires_grad_(True))  # which peft froze

    def restore_config(self, config: PreTrainedConfig):
        """Has the config of its base tell what the adapter was taught."""
        restore_music_config(config, self.name, **self.where)

    def _restore(self, model: PreTrainedModel):
        self.restore_config(model.config)
        restore_sampling(model, self.name, **self.where)

    def _fill(self, adapted: PreTrainedModel, shapes: dict[str, tuple[int, ...]]):
        """Loads the weights there, which have to be those that peft would save of it."""
        from peft import get_peft_model_state_dict

        needed = get_peft_model_state_dict(adapted, save_embedding_layers=False).keys()
        check_keys({"missing_keys": needed - shapes.keys(), "unexpected_keys": ()}, self.name)
        loaded = adapted.load_adapter(str(self.folder), adapted.active_adapter)
        check_keys({"missing_keys": loaded.missing_keys, "unexpected_keys": loaded.unexpected_keys}, self.name)

    def _pull_weights(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the weights, by name."""
        weights = find_file(self.name, ADAPTER_SAFE_WEIGHTS_NAME, **self.where)
        if weights is None:
            raise ValueError(f"it has no {ADAPTER_SAFE_WEIGHTS_NAME} (a pickle is not read)")
        config = self.folder / ADAPTER_CONFIG_NAME
        shapes = read_shapes(weights)
        check_adapter_weights(shapes, read_object(config), config)
        return shapes

    def _name(self, model: PreTrainedModel, trust_remote_code: bool | None = None) -> PreTrainedModel:
        """Makes a model with this adapter tell where it comes from."""
        model.hub_base = f"{self.base}@{model.hub_commit}" if model.hub_commit else None
        model.name_or_path = model.config.name_or_path = self.name
        remember_origin(model, self.commit, **self.where, trust_remote_code=trust_remote_code)
        return model


def _repository(name: str) -> str | None:
    """The Hub id of what is pulled, or was; `None` of a folder of the user's."""
    if (pulled := pulled_from(name)) is not None:
        return pulled[0]
    return None if os.path.isdir(name) else str(name)


class AutoMusicModel(AutoModelForCausalLM):
    """
    `AutoModelForCausalLM`, which loads adapters on their base as well, and no pickles.

    Its models tell where they come from: by `name_or_path` and, from the Hub, `hub_commit`.
    """

    @classmethod
    def from_pretrained(cls, name: str, *, revision: str | None = None, **kwargs) -> PreTrainedModel:
        """
        As `AutoModelForCausalLM.from_pretrained`; `"default"` is the bundle that comes with this package.

        A `revision` is that of the repository named: of an adapter's base, its config tells it.

        Raises:
            [`PullError`]: there is no such repository, or it cannot be pulled, whole.
            `ValueError`: there are no weights as safetensors, an adapter cannot be loaded on its base, or a folder is
                asked for a revision.
            `FileNotFoundError`: the bundle that comes with this package is missing.
        """
        name, where = str(place_of(name)), given(kwargs, OF_REPOSITORY)
        check_revision(name, None if revision == "main" else revision)  # as transformers calls none
        pinned = {"revision": resolve_commit(name, revision, **where) or revision or "main"}
        if adapter := Adapter.find(name, **pinned, **where):
            return adapter.load(**kwargs)
        with telling_faults(name, **pinned, **where):
            return load_checked(name, **kwargs, **pinned)


def check_base(name: str, revision: str | None = None, token: str | bool | None = None):
    """
    Checks that the base of an adapter can be found, before anything is loaded. Other models are not looked at.

    Args:
        name (`str`): folder or Hub id of a model.
        revision (`str`, *optional*): branch, tag or commit; main if not given.
        token (`str` or `bool`, *optional*): for the Hub; that of `HF_TOKEN` or `hf auth login` if not given.

    Raises:
        `ImportError`: `name` is an adapter, and peft is not installed.
        `ValueError`: its base cannot be found, or its config is damaged.
    """
    if adapter := Adapter.find(str(place_of(name)), revision, token=token):
        try:
            with telling_faults(adapter.base, **adapter.base_arguments):
                check_configs(adapter.base, **adapter.base_arguments)
        except (OSError, ValueError) as error:
            raise adapter.explain(error) from error


def load_processor(name: str, *, trust_remote_code: bool = False, **hub_arguments) -> MidiProcessor:
    """
    Loads the processor from where a model lies; that of an adapter's base where the adapter has none beside it.

    Args:
        name (`str`): folder or Hub id of a model or an adapter.
        trust_remote_code (`bool`, *optional*, defaults to `False`): as of `MidiProcessor.from_pretrained`.
        hub_arguments: of `MidiProcessor.from_pretrained`: `revision`, `token` and the like.

    Raises:
        as `MidiProcessor.from_pretrained`.
    """
    try:
        return MidiProcessor.from_pretrained(name, trust_remote_code=trust_remote_code, **hub_arguments)
    except FileNotFoundError:
        hub_arguments.pop("subfolder", None)
        if (adapter := Adapter.find(name, **hub_arguments)) is None:
            raise
        try:
            return MidiProcessor.from_pretrained(adapter.base, **adapter.of_base(trust_remote_code))
        except ValueError as error:
            raise adapter.explain(error) from error


def find_processor(model: PreTrainedModel, **hub_arguments) -> MidiProcessor:
    """
    The processor that a model was built or loaded with; else that which lies beside its weights.

    Args:
        model ([`~transformers.PreTrainedModel`]): as it was loaded; it remembers what is found.
        hub_arguments: of [`load_processor`], in place of those that the model was pulled with: `token`, `revision`,
            `trust_remote_code`, `cache_dir`, `local_files_only`.

    Raises:
        [`PullError`]: it cannot be pulled from the Hub.
        `ValueError`: there is none.
    """
    if (known := getattr(model, "midi_processor", None)) is not None and hub_arguments.get("revision") is None:
        return known
    if not (name := model.name_or_path):
        raise ValueError("This model was not loaded from anywhere, so that it has no MidiProcessor: give processor=.")
    try:
        return remember_processor(model, load_processor(name, **pulled_with(model) | given(hub_arguments)))
    except (OSError, TypeError, ValueError) as error:
        if isinstance(error, PullError) and not isinstance(error, NotOnHubError):
            raise
        raise ValueError(
            f"No MidiProcessor can be loaded from {name!r}: save the one the model was trained with beside the "
            "weights (MidiProcessor.save_pretrained, or miditok's own tokenizer.json), or give processor=. "
            f"({error})"
        ) from error
