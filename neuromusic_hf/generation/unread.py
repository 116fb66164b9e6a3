"""The beginning of a piece of which only the end fits into what a model reads: it stays before the prompt."""

from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from symusic.core import ScoreTick, TempoTickList, TimeSignatureTickList, TrackTick, TrackTickList

from ..music import TempoMap, bar_starts


@dataclass(frozen=True)
class Unread:
    """
    The notes of a piece before the prompt that was cut from its end.

    Args:
        score ([`symusic.Score`]): these notes, in ticks of what the tokenizer decodes.
        end (`int`): the tick of it at which the prompt begins.
    """

    score: ScoreTick
    end: int

    @property
    def seconds(self) -> float:
        """From the beginning of the piece to that of the prompt."""
        return float(TempoMap.of(self.score).to_seconds(self.end))

    def counts(self) -> dict[str, int]:
        """How many `bars` and `notes` it holds; a bar that the prompt begins within counts."""
        return {"bars": len(bar_starts(self.score, self.end)), "notes": self.score.note_num()}

    def followed_by(self, rest: ScoreTick) -> ScoreTick:
        """The whole piece: these notes, and from the prompt on those of `rest`, in the same ticks."""
        later, whole = rest.shift_time(self.end), self.score.copy()
        tracks = {_player(track): track for track in whole.tracks}
        for track in later.tracks:
            if (player := _player(track)) in tracks:
                tracks[player].notes.extend(track.notes)
            else:
                tracks[player] = track
        whole.tracks = TrackTickList(list(tracks.values()))
        tempos = groupby([*whole.tempos, *later.tempos], key=attrgetter("mspq"))
        whole.tempos = TempoTickList([next(same) for _, same in tempos])
        # One that is said again begins a bar where it stands.
        whole.time_signatures = TimeSignatureTickList([*whole.time_signatures, *later.time_signatures])
        return whole


def _player(track: TrackTick) -> tuple[bool, int]:
    return track.is_drum, 0 if track.is_drum else track.program
