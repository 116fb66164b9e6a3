"""The files of continued pieces: MIDI, piano rolls, audio, and a manifest that names every piece."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from symusic.core import ScoreTick

from ..rendering import plot_piano_roll, render_audio, save_audio
from ..tokenization import MidiProcessor
from .continuation import Continuation, ContinuationSettings
from .music import new_music

MANIFEST_NAME = "manifest.json"


@dataclass(frozen=True)
class OutputSettings:
    """
    What is written of each piece beside its four MIDI files.

    Args:
        pictures (`bool`, *optional*, defaults to `True`): a piano roll of prompt and continuation.
        audio (`int`, *optional*, defaults to 0): render so many pieces, the first ones.
        soundfont (`str`, *optional*): of the audio.
    """

    pictures: bool = True
    audio: int = 0
    soundfont: str | None = None


def write_continuations(
    continuations: Iterable[Continuation],
    processor: MidiProcessor,
    folder: str | Path,
    settings: ContinuationSettings,
    *,
    output: OutputSettings | None = None,
    left_out: list[dict] | None = None,
) -> dict:
    """
    Writes each continued piece as it comes, then the manifest.

    For a piece `003_name`: `003_name.prompt.mid`, `.generated.mid` and `.original.mid` (the continuations alone, from
    the bar they begin in), `.full.mid` (prompt and generated), `.png`, `.wav`.

    Args:
        continuations (iterable of [`Continuation`]): from [`continue_prompts`].
        processor ([`MidiProcessor`]): decodes them.
        folder (`str` or `Path`): where to write; made if missing.
        settings ([`ContinuationSettings`]): recorded in the manifest.
        output ([`OutputSettings`], *optional*): pictures and audio.
        left_out (`list[dict]`, *optional*):
            Pieces that were not continued: `name`, `reason` and `detail`. Read after the last continuation, so that
            it may grow meanwhile.

    Returns:
        `dict`: the manifest.
    """
    output = output or OutputSettings()
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    pieces = []
    for index, continuation in enumerate(continuations):
        stem = f"{index:03d}_{_file_name(continuation.prompt.name)}"
        pieces.append(_write_piece(continuation, processor, folder, stem, output, with_audio=index < output.audio))
    left_out = left_out or []
    manifest = {
        "settings": asdict(settings),
        "continued": len(pieces),
        "left_out": dict(Counter(piece["reason"] for piece in left_out)),
        "pieces": pieces,
        "pieces_left_out": left_out,
    }
    (folder / MANIFEST_NAME).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return manifest


def _write_piece(
    continuation: Continuation,
    processor: MidiProcessor,
    folder: Path,
    stem: str,
    output: OutputSettings,
    with_audio: bool,
) -> dict:
    scores = continuation_scores(continuation, processor)
    files = {}
    for part, score in scores.items():
        files[part] = f"{stem}.{part}.mid"
        score.dump_midi(folder / files[part])
    if output.pictures and scores["full"].note_num():
        files["picture"] = f"{stem}.png"
        new = new_music(scores["full"], scores["prompt"], from_zero=False)
        plot_piano_roll(scores["prompt"], new, title=continuation.prompt.name).savefig(folder / files["picture"])
    if with_audio and scores["full"].note_num():
        files["audio"] = f"{stem}.wav"
        save_audio(folder / files["audio"], render_audio(scores["full"], soundfont=output.soundfont))
    return {
        "name": continuation.prompt.name,
        "files": files,
        "prompt_tokens": len(continuation.prompt.prompt_ids),
        "generated_tokens": len(continuation.generated_ids),
        "original_tokens": len(continuation.prompt.original_ids),
        "notes": {part: score.note_num() for part, score in scores.items()},
        "ended_with_eos": continuation.ended_with_eos,
        "entropy_nats": round(continuation.entropy, 4),
        "seed": continuation.seed,
        "seconds": round(continuation.seconds, 3),
    }


def continuation_scores(continuation: Continuation, processor: MidiProcessor) -> dict[str, ScoreTick]:
    """The four scores of a continuation, by name: prompt, generated, original, and full (prompt and generated)."""
    prompt_ids = continuation.prompt.prompt_ids
    prompt, full, original = (
        processor.decode(prompt_ids + ids, default_tempo=continuation.prompt.tempo)
        for ids in ([], continuation.generated_ids, continuation.prompt.original_ids)
    )
    return {
        "prompt": prompt,
        "generated": new_music(full, prompt),
        "original": new_music(original, prompt),
        "full": full,
    }


def _file_name(name: str) -> str:
    return re.sub(r"[^\w\-]+", "_", name).strip("_")[:60] or "piece"
