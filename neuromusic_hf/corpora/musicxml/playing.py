"""The sounds of a part as they are played: with repeats, and tied notes as one."""

from __future__ import annotations

from dataclasses import replace

from .notation import Bar, Sound
from .reading import BeyondReader


def unfold(bars: list[Bar]) -> list[Bar]:
    """
    Gives bars in the order of playing. A repeat goes back to where one begins, if none does to the very beginning.

    Raises:
        [`BeyondReader`]: repeats that do not match, or endings that are not a first and a second.
    """
    if not any(bar.opens or bar.closes for bar in bars):
        return bars
    _check_repeats(bars)
    played = _with_endings(bars) if any(bar.ending for bar in bars) else bars
    while (last := next((place for place, bar in enumerate(played) if bar.closes), None)) is not None:
        first = max((place for place, bar in enumerate(played[: last + 1]) if bar.opens), default=0)
        once = list(played[first : last + 1])
        once[0] = replace(once[0], opens=False)
        once[-1] = replace(once[-1], opens=once[-1].opens and len(once) > 1, closes=False)
        played = [*played[:first], *once, *once, *played[last + 1 :]]
    return _in_row(played)


def sounds_of(bars: list[Bar]) -> list[Sound]:
    """The sounds of bars by time, from the beginning of the part on; of one time, grace notes first."""
    sounds = [
        Sound(bar.start + sound.start, sound.length, sound.pitches, sound.tie, sound.lyric, velocity=sound.velocity)
        for bar in bars
        for sound in bar.sounds
    ]
    return sorted(sounds, key=lambda sound: (sound.start, sound.length > 0))


def join_ties(sounds: list[Sound]) -> list[Sound]:
    """
    Makes one sound of those that are tied, as music21 does.

    It looks at sounds one after the other, be they of one voice or of several: a sound of the same pitches goes on
    with the one before if that is tied, and the end of a tie goes on with whatever tie is open.

    Args:
        sounds (`list[Sound]`): of one part, by time; they are changed.
    """
    joined: set[int] = set()
    tied: list[Sound] = []
    before: Sound | None = None
    for sound in sounds:
        if not sound.length:
            continue
        goes_on = before is not None and any(before is one for one in tied)
        if sound.tie in ("start", "continue"):
            matches = goes_on if sound.tie == "start" else _ends(sound, before if goes_on else None)
            tied = [*tied, sound] if matches else [sound]
        elif _ends(sound, before if goes_on else None):
            if tied:
                tied[0].length += sum(one.length for one in [*tied[1:], sound])
                joined.update(map(id, [*tied[1:], sound]))
            tied = []
        before = sound
    return [sound for sound in sounds if id(sound) not in joined]


def _ends(sound: Sound, tied: Sound | None) -> bool:
    """Whether it goes on with a tied sound before it."""
    if len(sound.pitches) == 1:
        return sound.tie == "stop" or (tied is not None and sound.pitches == tied.pitches)
    return bool(sound.pitches) and tied is not None and _keys(sound) == _keys(tied)


def _keys(sound: Sound) -> list[tuple[str, int]]:
    """The pitches of a chord, with or without natural signs."""
    return [(pitch.step, pitch.midi) for pitch in sound.pitches]


def _check_repeats(bars: list[Bar]):
    open_repeats = 0
    for bar in bars:
        open_repeats += bar.opens
        if bar.closes:
            open_repeats = max(0, open_repeats - 1)
    if open_repeats:
        raise BeyondReader("a <repeat> that does not end")


def _with_endings(bars: list[Bar]) -> list[Bar]:
    """Plays the one repeat of a part with two endings, first with one, then with the other."""
    first = [place for place, bar in enumerate(bars) if bar.ending == 1]
    second = [place for place, bar in enumerate(bars) if bar.ending == 2]
    endings = [bar.ending for bar in bars if bar.ending]
    closing = [place for place, bar in enumerate(bars) if bar.closes]
    if endings != [1] * len(first) + [2] * len(second) or not first or not second or closing != first[-1:]:
        raise BeyondReader("<ending>s that are not the first and second of the only repeat")
    if second != list(range(first[-1] + 1, first[-1] + 1 + len(second))):
        raise BeyondReader("<ending>s apart")
    start = max((place for place, bar in enumerate(bars[: first[-1] + 1]) if bar.opens), default=0)
    plain = [replace(bar, opens=False, closes=False) for bar in bars]
    return [*plain[: first[-1] + 1], *plain[start : first[0]], *plain[second[0] :]]


def _in_row(bars: list[Bar]) -> list[Bar]:
    """Bars one after the other."""
    row, now = [], 0
    for bar in bars:
        row.append(replace(bar, start=now))
        now += bar.length
    return row
