"""
miditok's own `tokenizer.json`: in a file, a folder or a Hub repository, and known by what it holds.

Hugging Face's tokenizers have a file of the same name, which says nothing of miditok.
"""

import logging
from importlib.metadata import version
from pathlib import Path

from huggingface_hub.constants import is_offline_mode
from miditok import MusicTokenizer

from ..hub import find_file
from ..hub.bounds import MOST_BYTES_OF_VOCABULARIES, read_content, read_object
from ..hub.pull import OF_FILES
from .bounds import check_bounds
from .music_tokenizer import rebuild, saved_tokenizer_class

logger = logging.getLogger(__name__)

FILE_NAME = "tokenizer.json"
HUB_ARGUMENTS = (*OF_FILES, "force_download")
"""Arguments of `from_pretrained` that say where a repository's files come from."""


def find_miditok_file(source: str | Path, **hub_arguments) -> Path | None:
    """
    Finds miditok's file.

    Args:
        source (`str` or `Path`): the file itself, whatever its name; or a folder or Hub repository that has it.
        hub_arguments: of [`find_file`], those of `HUB_ARGUMENTS`.

    Returns:
        `Path`, or `None` where a folder or repository has Hugging Face's file of this name.

    Raises:
        `ValueError`: `source` is a file of another kind, or the file found is no JSON.
        `OSError`: there is no such folder or repository, it cannot be pulled, or has no file of this name.
    """
    path = Path(source)
    if path.is_file():
        if not _is_miditok(path):
            raise ValueError(
                f"{path} is no tokenizer of miditok, as MusicTokenizer.save_pretrained writes it: give that file, or "
                "the folder or Hub id of a saved MidiProcessor."
            )
        return path
    if path.suffix == ".json" and not path.is_dir():
        raise FileNotFoundError(f"There is no file {path}.")
    found = find_file(source, FILE_NAME, **hub_arguments)
    if found is None:
        where = " in the cache, and the Hub is switched off" if is_offline_mode() else ""
        raise FileNotFoundError(f"{source} holds no {FILE_NAME}, neither of a MidiProcessor nor of miditok{where}.")
    return found if _is_miditok(found) else None


def load_miditok_file(path: Path, trust_remote_code: bool = False) -> MusicTokenizer:
    """
    Loads the tokenizer of a file found by [`find_miditok_file`].

    Args:
        path (`Path`): of the file.
        trust_remote_code (`bool`, *optional*, defaults to `False`): import the class that it names.

    Raises:
        `ValueError`: its class would have to be imported, it is too large, or miditok cannot read it.
    """
    saved = read_object(path, MOST_BYTES_OF_VOCABULARIES)
    saved_version, installed = saved.get("miditok_version"), version("miditok")
    tokenizer_class = saved_tokenizer_class(saved["tokenization"], str(path), trust_remote_code)
    check_bounds(saved, tokenizer_class, str(path))
    tokenizer = rebuild(tokenizer_class, path, saved_version, str(path))
    if saved_version != installed and not tokenizer.is_trained:
        logger.warning(
            "%s was saved by miditok %s, which does not save what ids mean; here miditok %s makes the vocabulary.",
            path,
            saved_version,
            installed,
        )
    return tokenizer


def _is_miditok(path: Path) -> bool:
    saved = read_content(path, MOST_BYTES_OF_VOCABULARIES)
    return isinstance(saved, dict) and isinstance(saved.get("tokenization"), str)
