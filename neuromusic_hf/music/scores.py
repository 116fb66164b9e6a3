"""What a score is: in ticks, as files are, but for functions that say that they take other units of time too."""

from typing import TypeAlias, cast

from symusic.core import ScoreQuarter, ScoreSecond, ScoreTick, TrackQuarter, TrackSecond, TrackTick

from .refusals import RefusedFile

AnyScore: TypeAlias = ScoreTick | ScoreQuarter | ScoreSecond
"""In ticks, quarter notes or seconds. What is said of `symusic.Score` alone is in ticks, and typed `ScoreTick`."""

AnyTrack: TypeAlias = TrackTick | TrackQuarter | TrackSecond
"""Of such a score."""


def in_ticks(score: AnyScore) -> ScoreTick:
    """The score in ticks: itself where it is, since symusic's conversion makes negative lengths 0."""
    return score if isinstance(score, ScoreTick) else cast(ScoreTick, score.to("tick"))


def in_seconds(score: AnyScore) -> ScoreSecond:
    """The score in seconds, of `float32`, as symusic converts it."""
    return cast(ScoreSecond, score.to("second"))


def check_score(score: AnyScore) -> None:
    """
    Refuses a score from elsewhere in which no time can be told, in the words that files are refused in.

    Raises:
        [`RefusedFile`]: `bad_time_division` if a quarter note has no ticks, `bad_time_signature` if a bar has none.
    """
    if score.ticks_per_quarter <= 0:
        raise RefusedFile("bad_time_division", f"{score.ticks_per_quarter} ticks per quarter note")
    for meter in score.time_signatures:
        if meter.numerator < 1 or meter.denominator < 1:
            raise RefusedFile("bad_time_signature", f"{meter.numerator}/{meter.denominator} at tick {meter.time}")
