"""miditok tokenizers as this project sets them up: by name or import path, with the settings the field used."""

import json
import tempfile
from importlib.metadata import version
from pathlib import Path

import miditok
from miditok import MusicTokenizer, TokenizerConfig

from ..hub.bounds import MOST_SHOWN, shown, telling_damage
from ..imports import import_class, imported_class
from .bounds import check_bounds
from .checks import check_usable


def _sparse(first: int, last: int, step: int) -> dict[tuple[int, int], int]:
    """Of `beat_res`: lengths from `first` up to `last` beats (exclusive), `step` beats apart."""
    return {(beat, beat + 1): 1 for beat in range(first, last, step)}


FIELD_SETTINGS = {
    "pitch_range": (0, 127),
    "drums_pitch_range": (0, 127),
    # 16 onsets a beat: a beat is the meter's denominator, so that in 2/2 it is 8 onsets a quarter note. Lengths of
    # notes and shifts up to 256 beats, which are 64 quarter notes in x/16, in steps of about 3% of them.
    "beat_res": {(0, 2): 16, (2, 6): 8, (6, 12): 4, (12, 32): 1}
    | (_sparse(32, 64, 2) | _sparse(64, 128, 4) | _sparse(128, 255, 8) | {(255, 256): 1}),
    "num_velocities": 16,
    "use_chords": True,
    "use_programs": True,
    "use_tempos": True,
    "num_tempos": 57,
    "tempo_range": (20, 300),
    "use_time_signatures": True,
    # Every numerator, as bars that a change of meter cuts short get a meter of their own.
    "time_signature_range": {2: [*range(1, 7)], 4: [*range(1, 16)], 8: [*range(1, 16)], 16: [*range(1, 16)]},
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

STRUCTURED_SETTINGS = {
    "beat_res": {(0, 4): 16, (4, 12): 8, (12, 16): 4, (16, 32): 2, (32, 64): 1}
    | (_sparse(64, 128, 2) | _sparse(128, 255, 4) | {(255, 256): 1})
}
"""Structured writes every onset as one time shift, which cannot be put together from a long and a short one: its long
shifts are finer."""


def music_tokenizer_class(name: str) -> type[MusicTokenizer]:
    """
    Finds a miditok tokenizer class that a user named.

    Args:
        name (`str`):
            A class of miditok (`"REMI"`, `"TSD"`, `"Structured"`, ...) or the import path of a `MusicTokenizer`
            subclass (`"my_package.my_module.MyTokenizer"`).

    Raises:
        `ValueError`: nothing of that name exists, or it is not a `MusicTokenizer`.
    """
    if "." in name:
        return import_class(name, MusicTokenizer, "tokenization")
    if (found := _class_of_miditok(name)) is None:
        raise ValueError(
            f"No tokenization {name!r}: give a class of miditok such as REMI, TSD or Structured, or the import path "
            "of a subclass of miditok.MusicTokenizer."
        )
    return found


def saved_tokenizer_class(name: str, source: str, trust_remote_code: bool = False) -> type[MusicTokenizer]:
    """
    Finds a miditok tokenizer class that a file names.

    Args:
        name (`str`):
            As of [`music_tokenizer_class`]. An import path counts where its module is imported already, as the user
            did that.
        source (`str`): what errors call the file.
        trust_remote_code (`bool`, *optional*, defaults to `False`): import it where it is not.

    Raises:
        `ValueError`: there is none, or it would have to be imported.
    """
    found = imported_class(name, MusicTokenizer) if "." in name else _class_of_miditok(name)
    if found is not None:
        return found
    if "." not in name:
        raise ValueError(
            f"{source} was saved by {shown(name)}, which is no class of miditok {version('miditok')}. If it is yours, "
            f"wrap it and save the processor: MidiProcessor.from_music_tokenizer({name[:MOST_SHOWN]}(params=...))."
        )
    if trust_remote_code:
        return music_tokenizer_class(name)
    raise ValueError(
        f"{source} was saved by {shown(name)}, and code that a file names is not imported. If you know it, import it "
        "first, or allow it with trust_remote_code=True (of scripts: --trust_remote_code)."
    )


def _class_of_miditok(name: str) -> type[MusicTokenizer] | None:
    found = getattr(miditok, name, None)
    return found if isinstance(found, type) and issubclass(found, MusicTokenizer) else None


def create_music_tokenizer(name: str = "REMI", **overrides) -> MusicTokenizer:
    """
    Creates an untrained miditok tokenizer with `FIELD_SETTINGS`.

    Args:
        name (`str`, *optional*, defaults to `"REMI"`):
            As for [`music_tokenizer_class`].
        overrides:
            Arguments of `miditok.TokenizerConfig` that replace the field's settings.

    Raises:
        `ValueError`: the class is unknown, a setting is out of its range, or it does not fit, as [`check_usable`]
            says.
    """
    cls = music_tokenizer_class(name)
    settings = FIELD_SETTINGS | (STRUCTURED_SETTINGS if issubclass(cls, miditok.Structured) else {}) | overrides
    config = TokenizerConfig(**settings)
    # As it would be saved, so that what can be made can be loaded.
    check_bounds({"config": json.loads(json.dumps(config.to_dict(serialize=True)))}, cls, f"The settings of {name}")
    tokenizer = cls(config)
    check_usable(tokenizer)
    return tokenizer


def music_tokenizer_to_dict(tokenizer: MusicTokenizer) -> dict:
    """Everything that rebuilds `tokenizer`, as JSON values: class, whole config, versions and trained model."""
    cls = type(tokenizer)
    name = cls.__name__ if getattr(miditok, cls.__name__, None) is cls else f"{cls.__module__}.{cls.__qualname__}"
    # miditok keeps tuples and integer keys in its dict; what is saved is what JSON reads back.
    return json.loads(json.dumps({"class": name, **tokenizer.to_dict()}))


def what_ids_depend_on(tokenizer: MusicTokenizer) -> tuple[dict, dict]:
    """Everything that rebuilds `tokenizer` as it is now, and its vocabulary."""
    return music_tokenizer_to_dict(tokenizer), dict(tokenizer.vocab)


def music_tokenizer_from_dict(saved: dict, source: str = "This processor") -> MusicTokenizer:
    """
    Inverse of [`music_tokenizer_to_dict`].

    Args:
        saved (`dict`): class, whole config, and trained model.
        source (`str`, *optional*): what errors call it, such as its file.

    Raises:
        `ValueError`: its class is not at hand, it is too large, or miditok cannot read it.
    """
    if not (isinstance(saved, dict) and isinstance(saved.get("class"), str)):
        raise ValueError(f"{source} names no class of miditok: {shown(saved)}. Save the processor again.")
    tokenizer_class = saved_tokenizer_class(saved["class"], source)
    check_bounds(saved, tokenizer_class, source)
    params = {key: value for key, value in saved.items() if key != "class"}
    with tempfile.TemporaryDirectory() as folder:  # miditok reads its parameters from a file only
        path = Path(folder, "miditok.json")
        path.write_text(json.dumps(params))
        return rebuild(tokenizer_class, path, saved.get("miditok_version"), source)


def rebuild(tokenizer_class: type[MusicTokenizer], path: Path, saved_version: str | None, source: str):
    """
    Has miditok read a file, after all checks.

    Raises:
        `ValueError`: it cannot.
    """
    installed = version("miditok")
    with telling_damage(f"miditok {installed} cannot read {source}, which miditok {saved_version} saved"):
        return tokenizer_class(params=path)
