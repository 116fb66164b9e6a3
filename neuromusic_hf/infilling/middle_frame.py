"""What a middle has to fill."""

from __future__ import annotations

from dataclasses import dataclass

from ..music.bars import bar_lines, meters_that_count
from ..music.score_arrays import ScoreArrays
from .cuts import Cut
from .encoding import CutEncoder


@dataclass(frozen=True)
class MiddleFrame:
    """
    What a middle has to fill: its bars, with the meters and the tempo that the piece has there.

    Args:
        ticks (`int`): how long it is, in ticks of the quantised piece.
        lead (`int`): ticks from the beginning of the prefix to its own.
        ticks_per_quarter (`int`): of all ticks here.
        bars (`tuple[int, ...]`): tick from its beginning of each Bar; none for a tokenizer that writes no Bars.
        meters (`tuple[tuple[int, int], ...]`): tick and base token of each TimeSig that is written if it stands alone.
        tempo (`int`, *optional*): base token of the tempo in force at its beginning, if the tokenizer writes tempos.
    """

    ticks: int
    lead: int
    ticks_per_quarter: int
    bars: tuple[int, ...]
    meters: tuple[tuple[int, int], ...]
    tempo: int | None

    @classmethod
    def of(cls, encoder: CutEncoder, piece: ScoreArrays, cut: Cut) -> MiddleFrame:
        """
        The span of a cut.

        Args:
            encoder ([`CutEncoder`]): of the tokenizer.
            piece ([`ScoreArrays`]): quantised, with a note.
            cut ([`Cut`]): of the piece.

        Raises:
            `ValueError`: the tokenizer writes Bars, and the cut does not begin and end at bar lines.
        """
        tokens = encoder.silent_middle(piece, cut)
        words = {index: word for word, index in encoder.tokenizer.vocab.items()}
        timed = zip(tokens.written.tolist(), tokens.ids.tolist(), strict=True)
        said = [(tick, index, words[index]) for tick, index in timed]
        bars = tuple(tick for tick, _, word in said if word == "Bar_None")
        if bars:
            _check_bar_lines(encoder, piece, cut)
        return cls(
            ticks=cut.end - cut.start,
            lead=cut.start - cut.begin,
            ticks_per_quarter=piece.ticks_per_quarter,
            bars=bars,
            meters=tuple((tick, index) for tick, index, word in said if word.startswith("TimeSig_")),
            tempo=next((index for tick, index, word in said if tick == 0 and word.startswith("Tempo_")), None),
        )


def _check_bar_lines(encoder: CutEncoder, piece: ScoreArrays, cut: Cut):
    meters = piece.meters if encoder.tokenizer.config.use_time_signatures else piece.meters[:, :0]
    lines = set(bar_lines(meters_that_count(meters), piece.ticks_per_quarter, cut.end + 1).tolist())
    if wrong := [tick for tick in (cut.begin, cut.start, cut.end) if tick not in lines]:
        raise ValueError(f"{cut} must be at bar lines of the quantised piece, where ticks {wrong} are none.")
