"""The files of a continued piece: MIDI, a piano roll, audio; and its record."""

import math
from pathlib import Path
from typing import Any

from ..copying import GuardCounts
from ..disk import write_file
from ..music import midi_bytes
from ..music.excerpts import new_music
from .records import NoteCounts, PieceFiles, PieceRecord, piece_stem
from .rendered_files import rendering
from .settings import OutputSettings


def write_piece(result: dict[str, Any], index: int, name: str, folder: Path, output: OutputSettings) -> PieceRecord:
    """
    Writes the files of a continued piece.

    For the stem `003_name`: `003_name.prompt.mid`, `.generated.mid` and `.original.mid` (the continuations alone, from
    the bar they begin in), `.full.mid` (prompt and generated), `.tokens.txt` (the generated ids), `.png`, `.wav`.

    Args:
        result (`dict`): of the midi-continuation pipeline.
        index (`int`): of the piece in its run.
        name (`str`): of the piece.
        folder (`Path`): where to write.
        output ([`OutputSettings`]): pictures and sound.

    Returns:
        [`PieceRecord`]: what was written. Its own file is not: that is for the run, once it is finished.

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
    stem = piece_stem(index, name)
    contents = {part: midi_bytes(score) for part, score in scores.items()}  # all of them before one is written
    files = {part: f"{stem}.{part}.mid" for part in contents}
    for part, content in contents.items():
        write_file(folder / files[part], content)
    files["tokens"] = f"{stem}.tokens.txt"
    write_file(folder / files["tokens"], (" ".join(map(str, result["token_ids"])) + "\n").encode())
    has_notes = scores["full"].note_num() > 0
    failed: dict[str, str] = {}
    if output.pictures and has_notes:
        with rendering("picture", folder / f"{stem}.png", files, failed) as path:
            new = new_music(scores["full"], scores["prompt"], from_zero=False)
            plot_piano_roll(scores["prompt"], new, title=name).savefig(path)
    if output.wants_audio(index) and has_notes:
        with rendering("audio", folder / f"{stem}.wav", files, failed) as path:
            waveform = render_audio(scores["full"], soundfont=output.soundfont, max_seconds=output.max_audio_seconds)
            save_audio(path, waveform)
    return PieceRecord(
        index=index,
        name=name,
        files=PieceFiles(**files),
        prompt_tokens=len(result["prompt_token_ids"]),
        generated_tokens=len(result["token_ids"]),
        original_tokens=len(result["original_token_ids"]),
        notes=NoteCounts(**{part: score.note_num() for part, score in scores.items()}),
        ended_with_eos=result["ended_with_eos"],
        entropy_nats=None if math.isnan(result["entropy"]) else round(result["entropy"], 4),
        changed=result["changed"],
        seed=result["seed"],
        seconds=round(result["seconds"], 3),
        copy_guard=_guarded(result.get("copy_guard")),
        not_rendered=failed or None,
    )


def _guarded(counts: dict[str, int] | None) -> GuardCounts | None:
    """Of each piece its counts; how long a run may be is a setting of the run."""
    return None if counts is None else GuardCounts(counts["masked"], counts["likeliest"], counts["let_through"])
