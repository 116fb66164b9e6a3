"""Results as MIDI files."""

import re
from pathlib import Path

from ..disk import user_path, write_file
from ..music import midi_bytes


def save_continuation(result: dict | list[dict], folder: str | Path, stem: str | None = None) -> list[Path]:
    """
    Writes a result of the midi-continuation pipeline as MIDI files.

    They are `stem.full.mid` (what is in `midi`), `stem.continuation.mid` and `stem.prompt.mid`. Files of the
    same names are overwritten.

    Args:
        result (`dict` or `list[dict]`): one result, or the several of one prompt, which are numbered.
        folder (`str` or `Path`): where to write; made if missing.
        stem (`str`, *optional*): how the names begin; the name of the piece if not given.

    Returns:
        `list[Path]`: the files.

    Raises:
        `ValueError`: the input was skipped, so that there is nothing to save.
        [`UnwritableScore`]: no MIDI file can hold one of the scores.
    """
    if isinstance(result, list):
        stems = [f"{stem or file_stem(each['name'])}.{number}" for number, each in enumerate(result)]
        return [path for each, own in zip(result, stems, strict=True) for path in save_continuation(each, folder, own)]
    if result["midi"] is None:
        raise ValueError(f"{result['name']!r} was skipped, there is nothing to save: {result['skipped']}.")
    folder = user_path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    scores = {"full": result["midi"], "continuation": result["continuation"], "prompt": result["prompt"]}
    contents = {
        folder / f"{stem or file_stem(result['name'])}.{part}.mid": midi_bytes(score) for part, score in scores.items()
    }
    for path, content in contents.items():
        write_file(path, content)
    return list(contents)


def file_stem(name: str) -> str:
    """What of a name every file system takes."""
    return re.sub(r"[^\w\-]+", "_", name).strip("_")[:50] or "piece"
