"""Pictures of infilled pieces: three colours around the spans, on one time axis that leaves out what is between."""

import numpy as np
import pytest
from matplotlib.collections import PathCollection, PolyCollection
from symusic import Note, Score, Tempo, TimeSignature, Track

from neuromusic_hf.rendering import Windows, plot_infill
from neuromusic_hf.rendering.infill_roll import REMOVED_COLOR
from neuromusic_hf.rendering.rolls import GIVEN_COLOR, NEW_COLOR
from neuromusic_hf.rendering.windows import PAUSE_SECONDS

BAR = 1920


def make_piece(notes, drums=(), bpm=120.0):
    """Notes are (onset, duration, pitch)."""
    score = Score(480)
    score.tempos.append(Tempo(0, bpm))
    for events, is_drum in ((notes, False), (drums, True)):
        if events:
            track = Track("", 0, is_drum)
            track.notes.extend([Note(*event, 110) for event in events])
            score.tracks.append(track)
    return score


def quarters(bars, pitch=60):
    return [(time, 480, pitch) for bar in bars for time in range(bar * BAR, (bar + 1) * BAR, 480)]


def colour_of(collection):
    colours = collection.get_facecolors() if len(collection.get_facecolors()) else collection.get_edgecolors()
    return "#" + "".join(f"{round(255 * part):02X}" for part in colours[0][:3])


def drawn(axes):
    """(left, right, pitch) of the bars of notes in each colour."""
    found = {}
    for collection in axes.collections:
        if isinstance(collection, PolyCollection):
            corners = np.array([path.vertices[:4] for path in collection.get_paths()])
            low, high = corners.min(axis=1), corners.max(axis=1)
            rows = np.stack([low[:, 0], high[:, 0], (low[:, 1] + high[:, 1]) / 2], axis=1)
            found[colour_of(collection)] = [tuple(np.round(row, 3).tolist()) for row in rows]
    return found


def bar_numbers(figure):
    return [text.get_text() for text in figure.axes[-1].get_xticklabels()]


def dashed(axes):
    return [round(line.get_xdata()[0], 3) for line in axes.get_lines() if line.get_linestyle() == "--"]


def test_three_colours_around_the_span():
    removed, new = make_piece(quarters([5])), make_piece([(5 * BAR + 240, 960, 72)])
    figure = plot_infill(make_piece(quarters(range(10))), new, removed, [(5 * BAR, 6 * BAR)])
    (axes,) = figure.axes
    found = drawn(axes)
    # Two bars of two seconds each stand before it.
    assert found[NEW_COLOR] == [(4.25, 5.25, 72.0)]
    assert found[REMOVED_COLOR] == [(4 + beat / 2, 4.5 + beat / 2, 60.0) for beat in range(4)]
    assert [left for left, _, _ in found[GIVEN_COLOR]] == [beat / 2 for beat in (*range(8), *range(12, 20))]
    assert dashed(axes) == [4.0, 6.0]
    assert bar_numbers(figure) == ["4", "5", "6", "7", "8"]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["stays (16 notes)", "new (1 note)", "removed (4 notes)"]


def test_what_lies_between_spans_is_left_out():
    spans = [(2 * BAR, 3 * BAR), (20 * BAR, 21 * BAR)]
    removed = make_piece(quarters([2, 20]))
    figure = plot_infill(make_piece(quarters(range(30))), Score(480), removed, spans, bars=1)
    second = 3 * 2 + PAUSE_SECONDS
    assert dashed(figure.axes[0]) == [2.0, 4.0, second + 2, second + 4]
    assert bar_numbers(figure) == ["2", "3", "4", "20", "21", "22"]
    found = drawn(figure.axes[0])
    assert [left for left, _, _ in found[REMOVED_COLOR]] == [
        start + beat / 2 for start in (2, second + 2) for beat in range(4)
    ]
    assert len(found[GIVEN_COLOR]) == 16


def test_a_note_that_sounds_in_two_windows_is_one():
    new = make_piece([(2 * BAR, 30 * BAR, 72)])
    spans = [(2 * BAR, 3 * BAR), (20 * BAR, 21 * BAR)]
    figure = plot_infill(make_piece(quarters(range(30))), new, Score(480), spans, bars=1)
    assert drawn(figure.axes[0])[NEW_COLOR] == [(2, 6, 72), (6 + PAUSE_SECONDS, 12 + PAUSE_SECONDS, 72)]
    assert figure.legends[0].get_texts()[1].get_text() == "new (1 note)"


def test_drums_that_were_removed_are_rings():
    piece = make_piece(quarters(range(4)), [(bar * BAR, 10, 38) for bar in range(4)])
    removed = make_piece([], [(BAR, 10, 38)])
    figure = plot_infill(piece, make_piece([], [(BAR + 480, 10, 36)]), removed, [(BAR, 2 * BAR)], bars=1)
    strip = figure.axes[1]
    (rings,) = [each for each in strip.collections if isinstance(each, PathCollection)]
    np.testing.assert_allclose(rings.get_offsets(), [(2.0, 1)])
    assert [label.get_text() for label in strip.get_yticklabels()] == ["Kick", "Snare"]


def test_a_span_without_a_note_around_it_is_drawn_empty():
    figure = plot_infill(make_piece(quarters([0, 20])), Score(480), Score(480), [(10 * BAR, 11 * BAR)], title="$a^b^c")
    assert drawn(figure.axes[0]) == {}
    assert figure.legends[0].get_texts()[0].get_text() == "stays (0 notes)"
    figure.canvas.draw()


@pytest.mark.parametrize("bars", [30, 200])
def test_at_most_a_few_bars_are_numbered(bars):
    figure = plot_infill(make_piece(quarters(range(bars))), Score(480), Score(480), [(0, bars * BAR)])
    figure.canvas.draw()
    assert 10 <= len(bar_numbers(figure)) <= 24
    boxes = [label.get_window_extent() for label in figure.axes[-1].get_xticklabels()]
    assert all(one.x1 < other.x0 for one, other in zip(boxes, boxes[1:], strict=False))


def naive_notes(score, start, end):
    """What of the notes sounds from one tick to another."""
    return [
        (max(note.time, start), min(note.time + max(note.duration, 1), end), note.pitch)
        for track in score.tracks
        for note in track.notes
        if note.time < end and (note.time >= start or (note.time + note.duration > start and not track.is_drum))
    ]


def test_windows_follow_each_other_and_hold_what_sounds_in_them():
    random = np.random.default_rng(0)
    notes = [(int(time), int(random.integers(0, 3000)), 60) for time in random.integers(0, 40 * BAR, 200)]
    piece = make_piece(notes, [(int(time), 400, 40) for time in random.integers(0, 40 * BAR, 50)])
    piece.tempos.extend([Tempo(4 * BAR, 60), Tempo(21 * BAR, 200)])
    piece.time_signatures.append(TimeSignature(10 * BAR, 3, 4))
    spans = [(10 * BAR + 20 * 1440, 10 * BAR + 21 * 1440), (3 * BAR, 5 * BAR), (9 * BAR, 10 * BAR)]
    windows = Windows.around(piece, spans)
    covered = windows.ticks
    assert all(one[1] < other[0] for one, other in zip(covered, covered[1:], strict=False))
    assert all(any(start <= first and last <= end for start, end in covered) for first, last in spans)
    for (start, end), found in zip(windows.ticks, windows.notes(piece), strict=True):
        rows = zip(found.onset.tolist(), found.end.tolist(), found.pitch.tolist(), strict=True)
        assert sorted(rows) == sorted(naive_notes(piece, start, end))
    ends = windows.begins + windows.seconds
    np.testing.assert_allclose(windows.begins[1:] - ends[:-1], PAUSE_SECONDS)
    assert windows.total_seconds == pytest.approx(ends[-1])


@pytest.mark.parametrize(
    ("spans", "windows"),
    [
        ([(4, 6)], [(2, 8)]),
        ([(0, 1)], [(0, 3)]),
        ([(8, 10)], [(6, 10)]),
        ([(0, 1), (5, 6)], [(0, 8)]),
        ([(7, 8), (0, 1)], [(0, 3), (5, 10)]),
        ([(0, 10)], [(0, 10)]),
    ],
)
def test_windows_reach_two_bars_as_far_as_the_piece_goes(spans, windows):
    def ticks(pairs):
        return [(first * BAR, end * BAR) for first, end in pairs]

    assert Windows.around(make_piece(quarters(range(10))), ticks(spans)).ticks == ticks(windows)
