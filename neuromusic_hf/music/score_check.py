"""Scores that come from elsewhere, refused in the words that files are."""

from symusic import Score

from .refusals import RefusedFile


def check_score(score: Score) -> None:
    """
    Refuses a score in which no time can be told.

    Raises:
        [`RefusedFile`]: `bad_time_division` if a quarter note has no ticks, `bad_time_signature` if a bar has none.
    """
    if score.ticks_per_quarter <= 0:
        raise RefusedFile("bad_time_division", f"{score.ticks_per_quarter} ticks per quarter note")
    for meter in score.time_signatures:
        if meter.numerator < 1 or meter.denominator < 1:
            raise RefusedFile("bad_time_signature", f"{meter.numerator}/{meter.denominator} at tick {meter.time}")
