"""Where the bars of a file end: with its last event, or the end of a track behind it."""

import pytest
from midi_bytes import melody, meta, midi_file, program, track_chunk
from symusic import ControlChange, Score, TextMeta, TimeSignature, Track
from tokenization.sample_scores import build_score

from neuromusic_hf.generation.infill_prompts import quantised
from neuromusic_hf.generation.piece_bars import PieceBars
from neuromusic_hf.generation.pieces import PieceInput
from neuromusic_hf.music import RefusedFile

BAR = 4 * 96
LINES = [0, 1920, 3840]


@pytest.fixture(params=["REMI", "TSD", "Structured"])
def bars_of(request, processor_of):
    processor = processor_of(request.param)

    def get(piece):
        score, end = PieceInput(piece).load_with_end()
        return PieceBars.of(score, end, quantised(score, processor), processor)

    return get


@pytest.mark.parametrize("rest, bars", [(0, 2), (48, 2), (49, 3), (10 * BAR, 12), (10 * BAR + 49, 13)])
def test_the_end_of_a_track_is_that_of_a_file(bars_of, rest, bars):
    """Two bars of a scale, whose last note ends 48 ticks before the bar line."""
    events = [(0, program(0)), *melody()]
    found = bars_of(midi_file(track_chunk(events, end=rest)))
    assert len(found) == bars
    assert found.lines.tolist() == [BAR * line for line in range(bars + 1)]
    assert found.ticks((0, bars)) == (0, BAR * bars)
    with pytest.raises(RefusedFile, match=f"it has {bars} bars.*end at {bars}. midi-continuation adds bars"):
        found.ticks((0, bars + 1))
    other = track_chunk([(0, meta(3, b"title"))], end=rest)
    assert len(bars_of(midi_file(other, track_chunk(events)))) == max(2, -(-rest // BAR))


def two_bars(**events):
    score = build_score(480, [(0, [(beat, 0.5, 60 + beat, 80) for beat in range(8)])])
    for name, found in events.items():
        getattr(score, name).extend(found)
    return score


def with_pedal(tick):
    score = two_bars()
    score.tracks.append(Track("pedal"))
    score.tracks[-1].controls.append(ControlChange(tick, 64, 0))
    return score


@pytest.mark.parametrize(
    "score, lines",
    [
        (two_bars(), LINES),
        (with_pedal(1920 * 4 + 1), [*LINES, 5760, 7680, 9600]),
        (two_bars(markers=[TextMeta(1920 * 3, "end")]), [*LINES, 5760]),
        (two_bars(time_signatures=[TimeSignature(3840 + 960, 3, 4)]), [*LINES, 4800]),
        (two_bars(time_signatures=[TimeSignature(3840, 3, 4), TimeSignature(6000, 6, 8)]), [*LINES, 5280, 6000]),
    ],
)
def test_so_is_the_last_event_of_a_score(bars_of, score, lines):
    found = bars_of(score)
    assert found.lines.tolist() == lines
    assert all(found.ticks((line, line + 1)) == tuple(lines[line : line + 2]) for line in range(len(found)))


def test_what_lies_further_than_a_piece_may_last_is_no_end(bars_of):
    for tick, bars in ((1920 * 3599 + 1, 3600), (1920 * 3600 + 1, 2), (2**31 - 1, 2)):  # 2 s a bar, 7,200 at most
        assert len(bars_of(with_pedal(tick))) == bars
    endless = midi_file(track_chunk([(0, program(0)), *melody()], end=2**28 - 1))
    assert len(bars_of(endless)) == 2


def test_the_end_of_a_score_is_that_of_its_last_note_or_event():
    score = Score(480)
    assert PieceInput(score).load_with_end()[1] == 0
    assert PieceInput(two_bars()).load_with_end()[1] == 7 * 480 + 240
    assert PieceInput(with_pedal(9000)).load_with_end()[1] == 9000
