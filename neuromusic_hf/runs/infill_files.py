"""The files of an infilled piece: MIDI, piano rolls, audio; and its record."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from symusic.core import ScoreTick

from ..disk import write_file
from ..music import edit_midi, gather_notes, midi_bytes, read_midi
from ..music.excerpts import are_among
from ..music.instruments import name_programs
from .infill_records import InfillRecord, OriginalFiles, SpanRecord, TakeFiles, TakeRecord
from .records import piece_stem
from .rendered_files import rendering
from .settings import OutputSettings


def write_infill(
    takes: Sequence[dict[str, Any]], content: bytes, index: int, name: str, folder: Path, output: OutputSettings
) -> InfillRecord:
    """
    Writes the files of an infilled piece.

    For the stem `003_name`: `003_name.original.mid` (as it was given), `.removed.mid`, `.original.wav`; and for its
    take `.infilled.mid`, `.new.mid`, `.tokens.txt`, `.png`, `.wav`. Where there are several takes, a number from 0
    stands before these: `003_name.0.infilled.mid`.

    Args:
        takes (sequence of `dict`): results of the midi-infilling pipeline for the piece.
        content (`bytes`): its file.
        index (`int`): of the piece in its run.
        name (`str`): of the piece.
        folder (`Path`): where to write.
        output ([`OutputSettings`]): pictures and sound.

    Returns:
        [`InfillRecord`]: what was written. Its own file is not: that is for the run, once it is finished.

    Raises:
        [`UnwritableScore`]: no MIDI file can hold a part of it; nothing is written.
    """
    stem = piece_stem(index, name)
    stems = [stem] if len(takes) == 1 else [f"{stem}.{number}" for number in range(len(takes))]
    infilled = [edit_midi(content, take["midi"]) for take in takes]
    new = [midi_bytes(take["infilled"]) for take in takes]
    removed = midi_bytes(takes[0]["removed"])  # all of them before one is written; the same in each take

    files = {"original": f"{stem}.original.mid", "removed": f"{stem}.removed.mid"}
    write_file(folder / files["original"], content)
    write_file(folder / files["removed"], removed)
    original = read_midi(content).score
    spans = [span["ticks"] for span in takes[0]["spans"]]
    failed: dict[str, str] = {}
    if output.wants_audio(index):
        with rendering("audio", folder / f"{stem}.original.wav", files, failed) as path:
            _save_sound(original, original, spans, path, output)
    records = []
    for take, own, midi, notes in zip(takes, stems, infilled, new, strict=True):
        named = {"infilled": f"{own}.infilled.mid", "new": f"{own}.new.mid", "tokens": f"{own}.tokens.txt"}
        write_file(folder / named["infilled"], midi)
        write_file(folder / named["new"], notes)
        write_file(folder / named["tokens"], _lines([span["token_ids"] for span in take["spans"]]))
        left_out: dict[str, str] = {}
        if output.pictures:
            with rendering("picture", folder / f"{own}.png", named, left_out) as path:
                title = f"{name_programs(take['spans'][0]['programs'])} of {name}"
                _save_picture(take, original, spans, title, path)
        if output.wants_audio(index):
            with rendering("audio", folder / f"{own}.wav", named, left_out) as path:
                _save_sound(take["midi"], original, spans, path, output)
        record = _take_record(take, TakeFiles(**named), _cut_when_read(take["midi"], midi))
        records.append(replace(record, not_rendered=left_out or None))
    return InfillRecord(
        index=index,
        name=name,
        files=OriginalFiles(**files),
        takes=records,
        changed=takes[0]["changed"],
        not_rendered=failed or None,
    )


def _cut_when_read(score: ScoreTick, midi: bytes) -> int:
    """How many notes of a score its file gives back otherwise."""
    return int((~are_among(gather_notes(score), read_midi(midi).notes)).sum())


def _lines(rows: Sequence[Sequence[int]]) -> bytes:
    return "".join(" ".join(map(str, row)) + "\n" for row in rows).encode()


def _save_picture(
    take: dict[str, Any], original: ScoreTick, spans: Sequence[tuple[int, int]], title: str, path: Path
) -> None:
    from ..rendering import plot_infill  # brings matplotlib, which is slow to import

    plot_infill(original, take["infilled"], take["removed"], spans, title=title).savefig(path)


def _save_sound(
    score: ScoreTick, original: ScoreTick, spans: Sequence[tuple[int, int]], path: Path, output: OutputSettings
) -> None:
    from ..rendering import Windows, render_windows, save_audio  # brings matplotlib, too

    windows = Windows.around(original, spans)
    waveform = render_windows(score, windows, soundfont=output.soundfont, max_seconds=output.max_audio_seconds)
    save_audio(path, waveform)


def _take_record(take: dict[str, Any], files: TakeFiles, cut_when_read: int) -> TakeRecord:
    return TakeRecord(
        files=files,
        spans=[_span_record(span) for span in take["spans"]],
        seed=take["seed"],
        seconds=round(take["seconds"], 3),
        cut_when_read=cut_when_read,
    )


def _span_record(span: dict[str, Any]) -> SpanRecord:
    start, end = span["seconds"]
    return SpanRecord(
        bars=span["bars"],
        ticks=span["ticks"],
        seconds=(round(start, 4), round(end, 4)),
        programs=span["programs"],
        kept=span["kept"],
        removed_notes=span["removed_notes"],
        new_notes=span["new_notes"],
        shortened=span["shortened"],
        moved=span["moved"],
        left_out=span["left_out"],
        prompt_tokens=len(span["prompt_token_ids"]),
        generated_tokens=len(span["token_ids"]),
        stopped_by=span["stopped_by"],
        entropy_nats=None if math.isnan(span["entropy"]) else round(span["entropy"], 4),
    )
