"""What a MIDI file may be."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SanityLimits:
    """
    What a MIDI file may be.

    A file outside these limits is refused with the reason named here, unless it is brought within them and counted,
    where that is said here and `mend` is on. `None` switches a limit off. The defaults keep every file of MAESTRO
    2.0.0 (longest piece 2,628 s, 25,076 notes, longest note 61 s) and of the OpenScore Lieder, and refuse what only
    damage produces.

    Args:
        max_file_bytes (`int`, *optional*, defaults to 16 MiB):
            Size of the file in bytes, unpacked; `too_large` beyond it.
        min_notes (`int`, *optional*, defaults to 4):
            Notes in all tracks; `no_notes` where there is none, else `too_few_notes`.
        max_notes (`int`, *optional*, defaults to 200,000):
            Notes in all tracks; `too_many_notes` beyond it.
        min_seconds (`float`, *optional*, defaults to 0.5):
            From the start of the file to the end of its last note; `too_short` below it.
        max_seconds (`float`, *optional*, defaults to 7,200):
            From the start of the file to the end of its last event, notes or not; `too_long` beyond it.
        max_bars (`int`, *optional*, defaults to 65,536):
            Bars until then, by the meters of the file; `too_many_bars` beyond it.
        max_tracks (`int`, *optional*, defaults to 1,024):
            Track chunks, empty ones too; `too_many_tracks` beyond it.
        max_meters (`int`, *optional*, defaults to 10,000):
            Time signatures; `too_many_meters` beyond it.
        max_system_events (`int`, *optional*, defaults to 200,000):
            Bytes that begin or end events of no channel: tempos, meters, texts, system exclusive messages;
            `too_many_events` beyond it.
        max_note_seconds (`float`, *optional*, defaults to 120):
            Length of the longest note; longer ones are cut, or `note_too_long`.
        max_note_quarters (`float`, *optional*, defaults to 512):
            The same in quarter notes; longer ones are cut, or `note_too_long`.
        min_tempo (`float`, *optional*, defaults to 5):
            Slowest tempo in quarter notes per minute; `tempo_out_of_range` below it. Tempos below 5 become 5 first.
        max_tempo (`float`, *optional*, defaults to 1,000):
            Fastest tempo in quarter notes per minute; `tempo_out_of_range` beyond it. Tempos above 1,000 become 1,000
            first.
        max_bad_durations (`float`, *optional*, defaults to 0.1):
            Share (0 to 1) of notes of no length, if nothing is mended; `bad_durations` beyond it.
        allow_drums_only (`bool`, *optional*, defaults to `True`):
            Whether a file whose notes are all on the drum channel is kept; `drums_only` if not.
        mend (`bool`, *optional*, defaults to `True`):
            Whether damage that players take in their stride is mended: data bytes above 127, notes that are stuck or
            have no length, wrong chunk lengths, other bytes around the file, and the like. If not, it is refused.
            What each file means is read alike in both cases: tracks share channels, and a note that is never switched
            off lasts until its key is struck again or its track ends.
    """

    max_file_bytes: int | None = 16 * 2**20
    min_notes: int | None = 4
    max_notes: int | None = 200_000
    min_seconds: float | None = 0.5
    max_seconds: float | None = 7_200.0
    max_bars: int | None = 2**16
    max_tracks: int | None = 1_024
    max_meters: int | None = 10_000
    max_system_events: int | None = 200_000
    max_note_seconds: float | None = 120.0
    max_note_quarters: float | None = 512.0
    min_tempo: float | None = 5.0
    max_tempo: float | None = 1_000.0
    max_bad_durations: float | None = 0.1
    allow_drums_only: bool = True
    mend: bool = True

    def __post_init__(self):
        for low, high in (("min_notes", "max_notes"), ("min_seconds", "max_seconds"), ("min_tempo", "max_tempo")):
            if exceeds(getattr(self, low), getattr(self, high)):
                raise ValueError(
                    f"SanityLimits refuses every file: {low}={getattr(self, low)} is above "
                    f"{high}={getattr(self, high)}."
                )


def exceeds(value: float | None, limit: float | None) -> bool:
    """Whether a value is above a limit, of which either may be off."""
    return value is not None and limit is not None and value > limit


AS_STORED = SanityLimits(
    max_notes=None, max_seconds=None, max_note_seconds=None, max_note_quarters=None, min_tempo=None, max_tempo=None
)
"""Of rows, whose lengths and tempos were within the limits of their corpus."""
