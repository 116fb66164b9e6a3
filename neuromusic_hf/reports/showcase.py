"""The best, the median and the worst piece of a run, to look at and to listen to."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from symusic.core import ScoreTick

from ..music import load_score, new_music, onsets, seconds_at
from ..rendering import plot_piano_roll, read_audio, render_audio, save_audio
from ..runs import FinishedRun, PieceRecord
from .templates import png

MOST_SAMPLES = 22050
"""A second."""

MOST_SECONDS = 70
"""Of the sound of one piece: three of them take 9 MB, 12 as text in a page."""

LEAD_SECONDS = 10
"""Of the prompt, where there is no room for all of it."""

PLACES = ("best", "median", "worst")


@dataclass(frozen=True)
class Sound:
    """
    Part of a piece as sound.

    Args:
        wav (`bytes`): 16-bit mono.
        start (`float`): of the part in the piece, in seconds.
        seconds (`float`): how long it is.
        whole (`bool`): whether it is the whole piece.
        boundary (`float`): where the continuation begins in the part, in seconds.
    """

    wav: bytes
    start: float
    seconds: float
    whole: bool
    boundary: float


@dataclass(frozen=True)
class ShownPiece:
    """
    A continued piece as a page shows it.

    Args:
        picture (`bytes`, *optional*): piano roll, PNG; `None` where it cannot be drawn.
        sound ([`Sound`], *optional*): prompt and continuation to hear; `None` where they cannot be rendered.
        silence (`str`, *optional*): why there is no sound, or no picture either.
    """

    picture: bytes | None = None
    sound: Sound | None = None
    silence: str | None = None


@dataclass(frozen=True)
class Exhibit:
    """
    A piece that a report shows.

    Args:
        place (`str`): such as `"best"`, or `"best, median"` where there are few pieces.
        row (`dict`): of the table of pieces, by column; what is missing is `None`.
        piece ([`ShownPiece`]): the piece itself.
    """

    place: str
    row: dict
    piece: ShownPiece


def choose_exhibits(table: pd.DataFrame) -> list[tuple[str, int]]:
    """Place and row number of the best, the median and the worst piece by `mean_rank`, no piece twice."""
    ranked = table["mean_rank"].dropna().sort_values(kind="stable").index
    if ranked.empty:
        return []
    chosen = {}
    for place, number in zip(PLACES, (0, (len(ranked) - 1) // 2, len(ranked) - 1), strict=True):
        chosen.setdefault(ranked[number], []).append(place)
    return [(", ".join(places), number) for number, places in chosen.items()]


def make_exhibit(
    run: FinishedRun, table: pd.DataFrame, place: str, number: int, most_seconds: float = MOST_SECONDS
) -> Exhibit:
    """
    Draws and renders a piece, or takes the picture and the sound that the run has. What cannot be done is said there.

    Args:
        run ([`FinishedRun`]): a test run.
        table ([`pandas.DataFrame`]): from [`make_piece_table`].
        place (`str`): what the piece is shown for.
        number (`int`): its row in the table.
        most_seconds (`float`, *optional*, defaults to 70): of its sound; longer sound is cut around its continuation.
    """
    row = table.iloc[number].astype(object).where(table.iloc[number].notna(), None).to_dict()
    return Exhibit(place, row, show_piece(run, run.records[number], most_seconds))


def show_piece(run: FinishedRun, record: PieceRecord, most_seconds: float = MOST_SECONDS) -> ShownPiece:
    """
    Draws and renders a piece, or takes the picture and the sound that the run has. What cannot be done is said there.

    Args:
        run ([`FinishedRun`]): a test run.
        record ([`PieceRecord`]): of one of its pieces.
        most_seconds (`float`, *optional*, defaults to 70): of its sound; longer sound is cut around its continuation.
    """
    picture = sound = silence = None
    try:
        full, prompt = (load_score(run.path(name)) for name in (record.files.full, record.files.prompt))
        new = new_music(full, prompt, from_zero=False)
        picture = _picture(run, record, prompt, new)
        sound = _sound(run, record, full, new, most_seconds)
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        silence = str(error)
    return ShownPiece(picture, sound, silence)


def _picture(run: FinishedRun, record: PieceRecord, prompt: ScoreTick, new: ScoreTick) -> bytes:
    if (path := run.path(record.files.picture)) is not None:
        return path.read_bytes()
    return png(plot_piano_roll(prompt, new, title=record.name))


def _sound(run: FinishedRun, record: PieceRecord, full: ScoreTick, new: ScoreTick, most_seconds: float) -> Sound:
    if (path := run.path(record.files.audio)) is not None:
        audio, rate = _read_wav(path)
    else:
        audio, rate = render_audio(full, sample_rate=MOST_SAMPLES).mean(axis=0), MOST_SAMPLES
    total = len(audio) / rate
    boundary = float(seconds_at(full, onsets(new)[:1])[0]) if new.note_num() else total
    start = 0.0 if total <= most_seconds else max(0.0, min(boundary - LEAD_SECONDS, total - most_seconds))
    first = round(start * rate)
    part = audio[first : first + round(most_seconds * rate)]
    whole = len(part) == len(audio)
    return Sound(write_wav(part, rate), start, len(part) / rate, whole, boundary - start)


def _read_wav(path: Path) -> tuple[np.ndarray, int]:
    """Mono samples of what `save_audio` wrote, at [`MOST_SAMPLES`] a second or a little less, and how many."""
    audio, rate = read_audio(path)
    step = -(-rate // MOST_SAMPLES)
    whole = audio.shape[1] // step * step
    return audio.mean(axis=0)[:whole].reshape(-1, step).mean(axis=1), rate // step


def write_wav(audio: np.ndarray, rate: int) -> bytes:
    """A WAV file of samples of shape `(samples,)`, `rate` a second."""
    file = io.BytesIO()
    save_audio(file, audio, rate)
    return file.getvalue()
