"""Sheets of piano rolls: continuations of a run beside how the pieces really go on."""

import io
import random
from pathlib import Path

from bundle_continuations import Continuing
from matplotlib.figure import Figure
from PIL import Image

from neuromusic_hf import MidiProcessor
from neuromusic_hf.generation import PromptMaker, PromptSettings
from neuromusic_hf.music import load_score, new_music
from neuromusic_hf.rendering import plot_piano_roll
from neuromusic_hf.runs import PieceRecord, RowPiece, read_run

SHEETS, WIDTH = 2, 900
"""Pictures, and pixels that one piano roll is wide in them."""


def draw_sheets(continuing: Continuing, counts: dict[str, int], path: Path) -> dict[str, list[str]]:
    """
    Draws some pieces of a finished run, chosen by its seed: on the left the continuation, on the right the original.

    Args:
        continuing ([`Continuing`]): that made the run of the bundle.
        counts (`dict[str, int]`): pieces of each corpus.
        path (`Path`): `name.png` gives `name_1.png` and `name_2.png`.

    Returns:
        `dict[str, list[str]]`: by the name of a sheet, what its pieces are called, from the top.
    """
    run, pieces = read_run(continuing.run_of("bundle")), continuing.chosen()
    by_corpus = {name: [] for name in counts}
    for record in run.records:
        by_corpus[continuing.pieces.corpus_of_piece(pieces[record.index])].append(record)
    draw = random.Random(continuing.seed)
    chosen = [
        record
        for name, records in by_corpus.items()
        for record in sorted(draw.sample(records, min(counts[name], len(records))), key=lambda record: record.index)
    ]
    told = {}
    for number in range(SHEETS):
        shown = chosen[number::SHEETS]
        rows = [_row(continuing, run.path(record.files.full), record, pieces[record.index]) for record in shown]
        sheet = path.with_name(f"{path.stem}_{number + 1}.png")
        _tiled(rows).save(sheet, optimize=True)
        told[sheet.name] = [record.label for record in shown]
    return told


def _row(continuing: Continuing, full: Path, record: PieceRecord, piece: RowPiece) -> list[Image.Image]:
    """A piece, continued and as it is, up to the same number of tokens."""
    processor = MidiProcessor.from_pretrained(continuing.bundle)
    settings = PromptSettings(continuing.length, original_length=continuing.length)
    prompt = PromptMaker(processor, settings).make(record.name, load_score(piece.read()))
    original = prompt.tempo.decode(prompt.ids + prompt.original_ids, processor)
    return [
        _picture(plot_piano_roll(prompt.score, new_music(whole, prompt.score, from_zero=False), title=title))
        for title, whole in ((record.label, load_score(full.read_bytes())), ("how it really goes on", original))
    ]


def _picture(figure: Figure) -> Image.Image:
    file = io.BytesIO()
    figure.savefig(file, format="png")
    picture = Image.open(file).convert("RGB")
    return picture.resize((WIDTH, round(picture.height * WIDTH / picture.width)), Image.Resampling.LANCZOS)


def _tiled(rows: list[list[Image.Image]]) -> Image.Image:
    heights = [max(picture.height for picture in row) for row in rows]
    sheet = Image.new("RGB", (WIDTH * max(map(len, rows)), sum(heights)), "white")
    for place, row in enumerate(rows):
        for column, picture in enumerate(row):
            sheet.paste(picture, (column * WIDTH, sum(heights[:place])))
    return sheet.quantize(64)
