"""A pipeline as a whole bundle: how it is loaded, saved and pushed."""

from pathlib import Path
from typing import ClassVar, Self

from huggingface_hub import CommitInfo
from transformers import GenerationConfig, Pipeline, PreTrainedModel

from ..bundles.bundle import find_bundle, save_bundle
from ..bundles.push import push_bundle
from ..bundles.push_routes import SAVING_AND_PUSHING
from ..disk import user_path
from ..hub import check_revision
from ..models.adapters import AutoMusicModel, find_processor
from ..models.fit import check_match
from ..models.origin import remember_processor
from ..tokenization import MidiProcessor


class BundlePipeline(Pipeline):
    """
    A pipeline of a causal language model and its [`MidiProcessor`], which are a bundle.

    Args:
        model ([`~transformers.PreTrainedModel`]): a causal language model.
        processor ([`MidiProcessor`], `str` or `Path`, *optional*): its own, or where that lies; else found beside it.
        kwargs: of [`~transformers.Pipeline`].

    Raises:
        `ValueError`: there is no processor, or it has another vocabulary than the model.
    """

    TASK: ClassVar[str]
    """By which `pipeline()` knows it."""

    _load_processor = False
    _load_tokenizer = False
    _load_image_processor = False
    _load_feature_extractor = False
    _load_video_processor = False
    _pipeline_calls_generate = True

    def __init__(self, model: PreTrainedModel, processor: MidiProcessor | str | Path | None = None, **kwargs):
        if isinstance(processor, str | Path):
            processor = MidiProcessor.from_pretrained(processor)
        processor = processor or find_processor(model)
        check_match(model, processor, self.TASK)
        remember_processor(model, processor)
        if model.device.type == "meta":  # offloaded: its weights come from elsewhere, layer by layer
            kwargs["device"] = model.device
        super().__init__(model=model, processor=processor, **kwargs | {"tokenizer": processor.tokenizer})

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        trust_remote_code: bool = False,
        model_kwargs: dict | None = None,
        **kwargs,
    ) -> Self:
        """
        Loads a bundle, as `pipeline()` does with the task.

        It says more of what is wrong where one cannot be pulled, and `revision` may be an adapter's.

        Args:
            name (`str` or `Path`): folder or Hub id of a bundle or an adapter, or the folder of a training run.
            revision (`str`, *optional*): its branch, tag or commit on the Hub; main if not given.
            token (`str` or `bool`, *optional*): for the Hub; that of `HF_TOKEN` or `hf auth login` if not given.
            trust_remote_code (`bool`, *optional*, defaults to `False`): run code that the repository ships.
            model_kwargs (`dict`, *optional*): further arguments of `AutoModelForCausalLM.from_pretrained`.
            kwargs: of the pipeline.

        Raises:
            [`PullError`]: it cannot be pulled from the Hub.
            `ValueError`: it is no bundle, or its parts do not fit, or a folder is asked for a revision.
            `OSError`: there is no such folder, or a file is missing.
        """
        given = {"revision": revision, "token": token, "trust_remote_code": trust_remote_code, **(model_kwargs or {})}
        name = find_bundle(name)
        check_revision(name, revision)
        model = AutoMusicModel.from_pretrained(name, **given)
        return cls(model, task=cls.TASK, **kwargs)

    @property
    def generation_config(self) -> GenerationConfig:
        """The model's own."""
        return self.model.generation_config

    @generation_config.setter
    def generation_config(self, config: GenerationConfig):
        self.model.generation_config = config

    def save_pretrained(self, save_directory, **kwargs):
        """Saves a whole bundle, as [`save_bundle`]; `push_to_hub` pushes it to `repo_id`, as `push_to_hub()` does."""
        pushing = {name: kwargs.pop(name) for name in SAVING_AND_PUSHING if name in kwargs}
        pushes = kwargs.pop("push_to_hub", False)
        save_bundle(self.model, self.processor, save_directory, **kwargs)
        if pushes:
            self.push_to_hub(**{"repo_id": user_path(save_directory).name} | pushing)

    def push_to_hub(self, repo_id: str, **kwargs) -> CommitInfo:
        """Pushes a whole bundle, as [`push_bundle`]."""
        return push_bundle(self.model, repo_id, self.processor, **kwargs)
