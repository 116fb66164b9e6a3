"""What is as it was in a file whose notes were replaced in a span: compared exactly, each thing by its name."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from symusic.core import ScoreTick, TrackTick

from neuromusic_hf.music.chunks import read_events
from neuromusic_hf.music.mends import Mends

OF_SCORES = ("ticks_per_quarter", "tempos", "time_signatures", "key_signatures", "markers")
OF_TRACKS = ("controls", "pitch_bends", "pedals", "lyrics")
NOTES, PROGRAM, META = (0x80, 0x90), 0xC0, 0xF0


@dataclass(frozen=True)
class ReplacedSpan:
    """
    Where notes were replaced.

    Args:
        start (`int`): in ticks of the file.
        end (`int`): in ticks of the file.
        programs (`frozenset[int]`, *optional*): whose notes, -1 for drums; all if `None`.
    """

    start: int
    end: int
    programs: frozenset[int] | None = None

    def holds(self, program: int, onset: int) -> bool:
        """Whether a note may have been replaced."""
        return self.start <= onset < self.end and (self.programs is None or program in self.programs)


def compare_scores(before: ScoreTick, after: ScoreTick, spans: Collection[ReplacedSpan]) -> dict[str, bool]:
    """Whether each thing is equal in two scores, track by track; notes outside the spans in their very order."""
    tracks = list(zip(before.tracks, after.tracks, strict=False))
    return {
        **{f"score: {name}": _values(getattr(before, name)) == _values(getattr(after, name)) for name in OF_SCORES},
        **{f"score: {name}": all(_values(getattr(old, name)) == _values(getattr(new, name)) for old, new in tracks)
           for name in OF_TRACKS},
        "score: tracks": len(after.tracks) >= len(before.tracks)
        and all((old.name, program_of(old)) == (new.name, program_of(new)) for old, new in tracks),
        "score: notes outside": all(_outside(old, spans) == _outside(new, spans) for old, new in tracks)
        and not any(_outside(new, spans) for new in after.tracks[len(tracks) :]),
    }  # fmt: skip


def compare_read(expected: ScoreTick, found: ScoreTick) -> dict[str, bool]:
    """Whether a file is read as it was written: notes by program, all else in all tracks together."""
    return {
        "read: notes": notes_of(expected) == notes_of(found),
        **{f"read: {name}": _values(getattr(expected, name)) == _values(getattr(found, name)) for name in OF_SCORES},
        **{f"read: {name}": _together(expected, name) == _together(found, name) for name in OF_TRACKS},
    }


def compare_files(before: bytes, after: bytes, removed: int, added: int) -> dict[str, bool]:
    """
    Whether the events of two files are equal, track by track, but for those of notes that came and went.

    Args:
        before (`bytes`): a file without anything to mend.
        after (`bytes`): the file with other notes.
        removed (`int`): how many notes it lacks.
        added (`int`): how many it has more.
    """
    old, new = _events_of(before), _events_of(after)
    pairs = list(zip(old, new, strict=False))
    gone = sum((Counter(events) - Counter(others) for events, others in pairs), Counter())
    more = [event for events in new[len(old) :] for event in events]
    more += sum((Counter(others) - Counter(events) for events, others in pairs), Counter()).elements()
    kinds = Counter(_kind(event) for event in more)
    return {
        "file: ticks a quarter": before[12:14] == after[12:14],
        "file: events that are no notes, in their order": all(
            _is_within([event for event in events if _kind(event) != "note"], others) for events, others in pairs
        ),
        "file: events of notes that stay": set(map(_kind, gone)) <= {"note"} and gone.total() <= 2 * removed,
        "file: no other events": kinds["note"] - gone.total() == 2 * (added - removed)
        and kinds["program"] <= 2 * added + len(new) - len(old)
        and kinds["other"] <= 2 * (len(new) - len(old)),
    }


def notes_of(score: ScoreTick) -> Counter:
    """Program, onset, duration, pitch and velocity of all notes, and how often each is there."""
    return Counter((track.program, track.is_drum, *note) for track in score.tracks for note in _notes(track))


def program_of(track: TrackTick) -> int:
    """-1 of drums."""
    return -1 if track.is_drum else track.program


def _notes(track: TrackTick) -> list[tuple[int, int, int, int]]:
    return [(note.time, note.duration, note.pitch, note.velocity) for note in track.notes]


def _outside(track: TrackTick, spans: Collection[ReplacedSpan]) -> list[tuple[int, int, int, int]]:
    program = program_of(track)
    return [note for note in _notes(track) if not any(span.holds(program, note[0]) for span in spans)]


def _values(events) -> list | int:
    return events if isinstance(events, int) else [repr(event) for event in events]


def _together(score: ScoreTick, name: str) -> Counter:
    """Of tracks that symusic reads: those without notes and lyrics are in the file alone."""
    tracks = [track for track in score.tracks if len(track.notes) or len(track.lyrics)]
    return Counter(value for track in tracks for value in _values(getattr(track, name)))


def _events_of(data: bytes) -> list[list[tuple]]:
    """Tick, three bytes and content of each event, by track."""
    file = read_events(data, Mends())
    tracks: list[list[tuple]] = [[] for _ in file.ends]
    for track, tick, message, body in zip(
        *(each.tolist() for each in (file.track, file.tick, file.message, file.body)), strict=True
    ):
        tracks[track].append((tick, *message, file.bodies[body] if body >= 0 else b""))
    return tracks


def _kind(event: tuple) -> str:
    status = event[1] & 0xF0
    return "note" if status in NOTES else "program" if status == PROGRAM else "other"


def _is_within(events: Iterable[tuple], others: Iterable[tuple]) -> bool:
    rest = iter(others)
    return all(event in rest for event in events)
