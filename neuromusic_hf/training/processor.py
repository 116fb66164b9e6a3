"""The processor of a training run: saved somewhere, of the base tokens, or with a vocabulary that is learned once."""

import json
import os
import tempfile
from pathlib import Path

import datasets
from datasets import Dataset
from datasets.fingerprint import Hasher
from miditok import MusicTokenizer

from ..borders.datasets import fingerprint_of
from ..corpora.code_identity import code_of_classes, code_of_rooms
from ..tokenization import MidiProcessor
from ..tokenization.music_tokenizer import music_tokenizer_class
from ..tokenization.vocabulary_training import tell_size
from .arguments import ModelArguments


def load_processor(model_args: ModelArguments, resume_from_checkpoint: str | None = None) -> MidiProcessor:
    """
    The processor that is saved somewhere, or the one of the base tokens, before a vocabulary is learned.

    Raises:
        `ValueError`: there is none, or a saved processor is asked to change.
    """
    source = model_args.tokenization
    is_saved = os.path.exists(source) or "/" in source or source.endswith(".json")
    if resume_from_checkpoint:
        if not is_saved:
            music_tokenizer_class(source)  # imports it, as the user named it
        return MidiProcessor.from_pretrained(resume_from_checkpoint, trust_remote_code=model_args.trust_remote_code)
    if not is_saved:
        return MidiProcessor.from_tokenization(source, **model_args.tokenization_config)
    if model_args.tokenization_config or model_args.vocab_size:
        raise ValueError(
            f"{source!r} is a saved tokenizer: tokenization_config and vocab_size cannot change it; drop them."
        )
    trust = model_args.trust_remote_code
    return MidiProcessor.from_pretrained(source, revision=model_args.revision, trust_remote_code=trust)


def prepare_processor(
    model_args: ModelArguments, train: Dataset, resume_from_checkpoint: str | None = None, seed: int = 0
) -> MidiProcessor:
    """
    Creates or loads the processor of a run.

    A vocabulary is learned once and cached; a resumed run takes the processor of its checkpoint.

    Args:
        model_args ([`ModelArguments`]): Say the tokenization, its config, and the vocabulary to learn.
        train ([`~datasets.Dataset`]): Pieces to learn a vocabulary from.
        resume_from_checkpoint (`str`, *optional*): Folder of a checkpoint.
        seed (`int`, *optional*, defaults to 0): Draws the sample that a vocabulary is learned from.

    Raises:
        `ValueError`: a saved processor is asked to change.
    """
    processor = load_processor(model_args, resume_from_checkpoint)
    if resume_from_checkpoint or model_args.vocab_size is None:
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
