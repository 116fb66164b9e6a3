"""The files of a saved `MidiProcessor`, in a folder or a Hub repository: read within bounds, and refused by name."""

import re
from typing import Any

from transformers.utils import PROCESSOR_NAME

from ..hub import find_file
from ..hub.bounds import MOST_BYTES_OF_VOCABULARIES, read_object, shown, telling_damage
from .bounds import check_bounds
from .miditok_file import FILE_NAME
from .music_tokenizer import saved_tokenizer_class
from .text_steps import PLAIN_STEPS, check_text_steps
from .text_tokenizer import MusicTextTokenizer

TEXT_TOKENIZER_FILES = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
NAMES_A_FILE = re.compile(r".*_files?|.*_object|slow_tokenizer|init_inputs")
"""Of what in `tokenizer_config.json` would have transformers open what is named, whatever it is."""


def read_saved_processor(source: str, trust_remote_code: bool, **hub_arguments: Any) -> dict[str, Any]:
    """
    Reads what a processor is made of, and imports the class of its tokenizer where that is allowed.

    Args:
        source (`str`): folder or Hub id.
        trust_remote_code (`bool`): whether it is.
        hub_arguments: of [`find_file`].

    Returns:
        `dict`: arguments of [`MidiProcessor`] beside the tokenizer.

    Raises:
        `ValueError`: there is none; or it is damaged, too large, or names a class that would have to be imported.
        `OSError`: there is no such folder or repository.
    """
    path = find_file(source, PROCESSOR_NAME, **hub_arguments)
    saved = {} if path is None else read_object(path, MOST_BYTES_OF_VOCABULARIES)
    if "miditok" not in saved:
        raise ValueError(
            f"{source!r} is no MidiProcessor: it has neither the {PROCESSOR_NAME} of one, nor a tokenizer.json of "
            "miditok's own."
        )
    miditok, vocabulary_hash = saved["miditok"], saved.get("vocabulary_hash")
    if not (isinstance(miditok, dict) and isinstance(miditok.get("class"), str)):
        raise ValueError(f"{path} names no class of miditok: {shown(miditok)}. Save the processor again.")
    tokenizer_class = saved_tokenizer_class(miditok["class"], str(path), trust_remote_code)
    check_bounds(miditok, tokenizer_class, str(path))
    return {"miditok": miditok, "vocabulary_hash": vocabulary_hash}


def load_text_tokenizer(source: str, **hub_arguments: Any) -> MusicTextTokenizer:
    """
    Loads the plain tokenizer of a processor.

    No class that its config names is looked for, and no file beside its own is opened.

    Raises:
        `ValueError`: a file is damaged or too large, names another one, or does with text what ours does not.
        `OSError`: there is no such folder or repository.
    """
    for name in TEXT_TOKENIZER_FILES:
        path = find_file(source, name, **hub_arguments)
        content = {} if path is None else read_object(path, MOST_BYTES_OF_VOCABULARIES)
        if names := [key for key in content if NAMES_A_FILE.fullmatch(key)]:
            raise ValueError(f"{path} names a file of its own choice ({names[0]}={shown(content[names[0]])}).")
    path = find_file(source, FILE_NAME, **hub_arguments)
    if path is not None:
        check_text_steps(read_object(path, MOST_BYTES_OF_VOCABULARIES), PLAIN_STEPS, str(path))
    with telling_damage(f"The tokenizer.json of {source} cannot be read"):
        return MusicTextTokenizer.from_pretrained(source, **hub_arguments)
