"""miditok tokenizers as this project sets them up: by name or import path, with the settings the field used."""

import importlib
import json
import tempfile
from pathlib import Path

import miditok
from miditok import MusicTokenizer, TokenizerConfig

from .checks import check_usable

FIELD_SETTINGS = {
    "num_velocities": 16,
    "use_chords": True,
    "use_programs": True,
    "use_tempos": True,
    "num_tempos": 57,
    "tempo_range": (20, 300),
    "use_time_signatures": True,
    "time_signature_range": {4: [1, 2, 3, 4, 5, 6, 7], 8: [3, 5, 6, 7, 9, 12]},
    "remove_duplicated_notes": True,
    "delete_equal_successive_tempo_changes": True,
    "delete_equal_successive_time_sig_changes": True,
    "special_tokens": ["PAD", "BOS", "EOS"],
    # The whole piece is one word to the trained model, so that its ids depend on the tokens alone, not on where
    # bars fall in ticks, and a plain text tokenizer gives the same ids.
    "encode_ids_split": "no",
}
"""Arguments of `miditok.TokenizerConfig` in force unless overridden. Tempos are 5 quarter notes a minute apart, so
that usual metronome marks (60, 90, 120, ...) are kept exactly."""

STRUCTURED_SETTINGS = {"beat_res": {(0, 12): 8}}
"""Structured writes every onset as one rounded time shift: with miditok's coarser grid past 4 beats the rounding
errors add up to a drift of the whole piece, so all shifts share the fine grid."""


def music_tokenizer_class(name: str) -> type[MusicTokenizer]:
    """
    Finds a miditok tokenizer class.

    Args:
        name (`str`):
            A class of miditok (`"REMI"`, `"TSD"`, `"Structured"`, ...) or the import path of a `MusicTokenizer`
            subclass (`"my_package.my_module.MyTokenizer"`).

    Raises:
        `ValueError`: nothing of that name exists, or it is not a `MusicTokenizer`.
    """
    module_name, _, class_name = name.rpartition(".")
    try:
        module = importlib.import_module(module_name) if module_name else miditok
        found = getattr(module, class_name)
    except (ImportError, AttributeError) as error:
        raise ValueError(
            f"No tokenization {name!r}: give a miditok class such as REMI, TSD or Structured, or the import path of "
            f"a subclass of miditok.MusicTokenizer ({error})."
        ) from error
    if not (isinstance(found, type) and issubclass(found, MusicTokenizer)):
        raise ValueError(f"{name!r} is not a subclass of miditok.MusicTokenizer.")
    return found


def create_music_tokenizer(name: str = "REMI", **overrides) -> MusicTokenizer:
    """
    Creates an untrained miditok tokenizer with `FIELD_SETTINGS`.

    Args:
        name (`str`, *optional*, defaults to `"REMI"`):
            As for [`music_tokenizer_class`].
        overrides:
            Arguments of `miditok.TokenizerConfig` that replace the field's settings.

    Raises:
        `ValueError`: the class is unknown, or it does not fit, as [`check_usable`] says.
    """
    cls = music_tokenizer_class(name)
    settings = FIELD_SETTINGS | (STRUCTURED_SETTINGS if issubclass(cls, miditok.Structured) else {}) | overrides
    tokenizer = cls(TokenizerConfig(**settings))
    check_usable(tokenizer)
    return tokenizer


def music_tokenizer_to_dict(tokenizer: MusicTokenizer) -> dict:
    """Everything that rebuilds `tokenizer`, as JSON values: class, whole config, versions and trained model."""
    cls = type(tokenizer)
    name = cls.__name__ if getattr(miditok, cls.__name__, None) is cls else f"{cls.__module__}.{cls.__qualname__}"
    # miditok keeps tuples and integer keys in its dict; what is saved is what JSON reads back.
    return json.loads(json.dumps({"class": name, **tokenizer.to_dict()}))


def music_tokenizer_from_dict(saved: dict) -> MusicTokenizer:
    """Inverse of [`music_tokenizer_to_dict`]. miditok reads its parameters from a file only."""
    params = {key: value for key, value in saved.items() if key != "class"}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "miditok.json")
        path.write_text(json.dumps(params))
        return music_tokenizer_class(saved["class"])(params=path)
