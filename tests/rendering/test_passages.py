"""Two passages in one picture: what they share is in colour, and stands at the same place."""

import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from symusic import Note, Score, Tempo, Track

from neuromusic_hf.rendering import Passage, plot_passages
from neuromusic_hf.rendering.passages import OTHER_COLOR, SHARED_COLOR

MELODY = [(0, 60), (480, 64), (720, 67), (960, 65), (1440, 72)]


def make_passage(transposition, bpm, extra, title="piece"):
    """The melody in some key and tempo, with other notes and a drum."""
    score = Score(480)
    score.tempos.append(Tempo(0, bpm))
    shared = np.array(MELODY) + (0, transposition)
    for notes, is_drum in (([*shared.tolist(), *extra], False), ([(240, 38)], True)):
        score.tracks.append(Track("", 0, is_drum))
        score.tracks[-1].notes.extend([Note(time, 240, pitch, 64) for time, pitch in notes])
    return Passage(score, shared, title)


def bars(axes):
    """Corners of the bars by colour: left edge, as a share of the width of the axes, and middle of the height."""
    found = {}
    for collection in axes.collections:
        assert isinstance(collection, PolyCollection)
        for path, color in zip(collection.get_paths(), collection.get_facecolors(), strict=True):
            corner, height = path.vertices[0], path.vertices[:4, 1].mean()
            place = axes.transAxes.inverted().transform(axes.transData.transform((corner[0], height)))
            found.setdefault("#" + "".join(f"{round(255 * part):02X}" for part in color[:3]), []).append(tuple(place))
    return found


def test_shared_notes_are_in_colour_and_at_the_same_place():
    first = make_passage(0, 120, [(0, 48), (480, 50)])
    second = make_passage(-5, 60, [(960, 40)])
    figure = plot_passages(first, second, -5)
    figure.canvas.draw()
    upper, lower = map(bars, figure.axes)
    assert set(upper) == set(lower) == {SHARED_COLOR, OTHER_COLOR}
    assert len(upper[SHARED_COLOR]) == len(MELODY)
    np.testing.assert_allclose(upper[SHARED_COLOR], lower[SHARED_COLOR])
    assert (len(upper[OTHER_COLOR]), len(lower[OTHER_COLOR])) == (2, 1)
    ends = [axes.get_xlim()[1] for axes in figure.axes]
    assert ends[1] == pytest.approx(2 * ends[0])  # at half the tempo


def test_a_note_at_the_time_or_the_pitch_of_a_shared_one_is_another_note():
    first = make_passage(0, 120, [(240, 60), (0, 61)])
    upper = bars(plot_passages(first, make_passage(0, 120, [])).axes[0])
    assert (len(upper[SHARED_COLOR]), len(upper[OTHER_COLOR])) == (len(MELODY), 2)


def test_titles_are_plain_text_in_one_line_that_leaves_the_legend_alone():
    figure = plot_passages(make_passage(0, 120, [], "$x^^2$\nline " + "long " * 60), make_passage(0, 120, []))
    figure.canvas.draw()
    title = next(text for text in figure.texts if text.get_text().startswith("$x^^2$ line"))
    assert title.get_text().endswith("…")
    assert title.get_window_extent().x1 < figure.legends[0].get_window_extent().x0


def test_nothing_shared_is_nothing_to_draw():
    passage = make_passage(0, 120, [])
    with pytest.raises(ValueError, match="no shared note"):
        plot_passages(passage, Passage(passage.score, np.zeros((0, 2), np.int64), "piece"))
