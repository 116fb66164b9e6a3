"""The files of a continued piece: MIDI, a piano roll, audio; and its record."""

import math
from pathlib import Path

from ..disk import write_file
from ..music import midi_bytes
from ..music.excerpts import new_music
from ..generation.results import file_stem
from .settings import OutputSettings


def piece_stem(index: int, name: str) -> str:
    """How the names of a piece's files begin: its index in the run, and what of its name every file system takes."""
    return f"{index:03d}_{file_stem(name)}"


def write_piece(result: dict, name: str, folder: Path, stem: str, output: OutputSettings, *, audio: bool) -> dict:
    """
    Writes the files of a continued piece.

    For the stem `003_name`: `003_name.prompt.mid`, `.generated.mid` and `.original.mid` (the continuations alone, from
    the bar they begin in), `.full.mid` (prompt and generated), `.tokens.txt` (the generated ids), `.png`, `.wav`.

    Args:
        result (`dict`): of the midi-continuation pipeline.
        name (`str`): of the piece.
        folder (`Path`): where to write.
        stem (`str`): how the names of the files begin.
        output ([`OutputSettings`]): pictures and sound.
        audio (`bool`): render this piece.

    Returns:
        `dict`: name, files, lengths in tokens and in notes, `ended_with_eos`, mean entropy in nats, what the tokenizer
        changed in the whole piece, seed, and seconds.

    Raises:
        [`UnwritableScore`]: no MIDI file can hold a part of it; nothing is written.
    """
    from ..rendering import plot_piano_roll, render_audio, save_audio  # brings matplotlib, which is slow to import

    scores = {
        "prompt": result["prompt"],
        "generated": result["continuation"],
        "original": result["original"],
        "full": result["midi"],
    }
    contents = {part: midi_bytes(score) for part, score in scores.items()}  # all of them before one is written
    files = {part: f"{stem}.{part}.mid" for part in contents}
    for part, content in contents.items():
        write_file(folder / files[part], content)
    files["tokens"] = f"{stem}.tokens.txt"
    write_file(folder / files["tokens"], (" ".join(map(str, result["token_ids"])) + "\n").encode())
    sounds = scores["full"].note_num() > 0
    if output.pictures and sounds:
        files["picture"] = f"{stem}.png"
        new = new_music(scores["full"], scores["prompt"], from_zero=False)
        plot_piano_roll(scores["prompt"], new, title=name).savefig(folder / files["picture"])
    if audio and sounds:
        files["audio"] = f"{stem}.wav"
        waveform = render_audio(scores["full"], soundfont=output.soundfont, max_seconds=output.max_audio_seconds)
        save_audio(folder / files["audio"], waveform)
    return {
        "name": name,
        "files": files,
        "prompt_tokens": len(result["prompt_token_ids"]),
        "generated_tokens": len(result["token_ids"]),
        "original_tokens": len(result["original_token_ids"]),
        "notes": {part: score.note_num() for part, score in scores.items()},
        "ended_with_eos": result["ended_with_eos"],
        "entropy_nats": None if math.isnan(result["entropy"]) else round(result["entropy"], 4),
        "changed": result["changed"].to_dict(),
        "seed": result["seed"],
        "seconds": round(result["seconds"], 3),
    }
