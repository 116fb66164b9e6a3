"""The processor of a training run: saved, of the base tokens, or with a vocabulary that is learned once."""

import json
import logging
import os
import tempfile
from pathlib import Path

import datasets
from datasets import Dataset
from datasets.fingerprint import Hasher
from miditok import MusicTokenizer

from ..borders.datasets import fingerprint_of
from ..corpora.code_identity import code_of_classes, code_of_rooms
from ..hub import NotOnHubError
from ..models import adapters
from ..options.arguments import DEFAULT_TOKENIZATION, ModelArguments
from ..tokenization import MidiProcessor
from ..tokenization.music_tokenizer import music_tokenizer_class
from ..tokenization.vocabulary_training import tell_size

logger = logging.getLogger(__name__)


def load_processor(
    model_args: ModelArguments, resume_from_checkpoint: str | None = None, infill_share: float = 0.0
) -> MidiProcessor:
    """
    The processor that is saved somewhere, or the one of the base tokens, before a vocabulary is learned.

    Args:
        model_args ([`ModelArguments`]): Say the tokenization, or the model whose own it is.
        resume_from_checkpoint (`str`, *optional*): Folder of a checkpoint, whose processor is taken.
        infill_share (`float`, *optional*, defaults to 0.0): Above 0, a saved processor gets the tokens of infilling.

    Raises:
        `ValueError`: there is none, or ids that are saved are asked to change.
    """
    source = model_args.tokenization
    if resume_from_checkpoint:
        if source is not None and not _is_saved(source):
            music_tokenizer_class(source)  # imports it, as the user named it
        return MidiProcessor.from_pretrained(resume_from_checkpoint, trust_remote_code=model_args.trust_remote_code)
    saved = _saved_processor(model_args)
    if saved is not None and (model_args.tokenization_config or model_args.vocab_size):
        raise ValueError(
            f"{source or model_args.model!r} is a saved tokenizer: tokenization_config and vocab_size cannot change "
            "it; drop them."
        )
    if model_args.vocab_size and model_args.is_saved_model:
        raise ValueError(
            f"vocab_size={model_args.vocab_size} would learn other ids than the weights of {model_args.model!r} have: "
            "drop it, and tokenization, so that the tokenizer saved with them is taken."
        )
    if saved is None:
        return MidiProcessor.from_tokenization(source or DEFAULT_TOKENIZATION, **model_args.tokenization_config)
    if infill_share > 0:
        saved.add_infill_tokens()
    return saved


def _is_saved(tokenization: str) -> bool:
    is_name = "/" not in tokenization and not tokenization.endswith(".json")
    return os.path.exists(tokenization) or not is_name


def _saved_processor(model_args: ModelArguments) -> MidiProcessor | None:
    """The one that is named; where none is, the model's own; `None` of what is not saved."""
    source = model_args.tokenization
    where = {"revision": model_args.revision, "trust_remote_code": model_args.trust_remote_code}
    if source is not None:
        return MidiProcessor.from_pretrained(source, **where) if _is_saved(source) else None
    try:
        return adapters.load_processor(model_args.model, **where)
    except NotOnHubError:  # nor is there a model, which `check_model` says
        return None
    except FileNotFoundError:
        logger.warning("%s was saved without a processor: %s is taken.", model_args.model, DEFAULT_TOKENIZATION)
        return None


def prepare_processor(
    model_args: ModelArguments,
    train: Dataset | None,
    resume_from_checkpoint: str | None = None,
    seed: int = 0,
    infill_share: float = 0.0,
) -> MidiProcessor:
    """
    Creates or loads the processor of a run.

    A vocabulary is learned once and cached; a resumed run takes the processor of its checkpoint.

    Args:
        model_args ([`ModelArguments`]): Say the tokenization, its config, and the vocabulary to learn.
        train ([`~datasets.Dataset`], *optional*): Pieces to learn a vocabulary from, where one is learned.
        resume_from_checkpoint (`str`, *optional*): Folder of a checkpoint.
        seed (`int`, *optional*, defaults to 0): Draws the sample that a vocabulary is learned from.
        infill_share (`float`, *optional*, defaults to 0.0): Above 0, a saved processor gets the tokens of infilling.

    Raises:
        `ValueError`: ids that are saved are asked to change.
    """
    processor = load_processor(model_args, resume_from_checkpoint, infill_share)
    if resume_from_checkpoint or model_args.vocab_size is None or train is None:
        return processor
    cached = _cache_of_vocabulary(processor, model_args, train, seed)
    if cached.is_dir():
        learned = MidiProcessor.from_pretrained(cached)
        tell_size(learned.tokenization, learned.vocab_size, model_args.vocab_size)
    else:
        learned = processor.train_new_from_corpus(
            train, model_args.vocab_size, model=model_args.vocabulary_model, seed=seed
        )
        _save_at_once(learned, cached)
    return MidiProcessor.from_pretrained(cached)


def _cache_of_vocabulary(processor: MidiProcessor, model_args: ModelArguments, train: Dataset, seed: int) -> Path:
    """A folder that is named after all that the learned vocabulary depends on."""
    wanted = [json.dumps(processor.miditok), model_args.vocabulary_model, model_args.vocab_size, fingerprint_of(train)]
    wanted += code_of_classes(type(processor.music_tokenizer), MusicTokenizer)
    wanted.append(code_of_rooms("borders", "music", "tokenization"))
    return Path(datasets.config.HF_DATASETS_CACHE, "neuromusic_vocabularies", Hasher.hash([*wanted, seed]))


def _save_at_once(processor: MidiProcessor, folder: Path):
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="incomplete-") as partial:
        processor.save_pretrained(Path(partial, "processor"))
        _rename_unless_there(Path(partial, "processor"), folder)


def _rename_unless_there(folder: Path, target: Path):
    try:
        folder.rename(target)
    except OSError:
        if not target.is_dir():  # Another process that learned the same was faster.
            raise
