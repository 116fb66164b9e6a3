import gc
import io
import sys
import weakref

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PolyCollection
from symusic import Note, Score, Tempo, Track

from neuromusic_hf.rendering import plot_piano_roll


def make_score(notes=(), drums=(), bpm=120.0, ticks_per_quarter=480):
    """Notes are (onset in ticks, duration in ticks, pitch, velocity)."""
    score = Score(ticks_per_quarter)
    if bpm is not None:
        score.tempos.append(Tempo(0, bpm))
    for events, is_drum in ((notes, False), (drums, True)):
        if events:
            track = Track("", 0, is_drum)
            track.notes.extend([Note(*event) for event in events])
            score.tracks.append(track)
    return score


def random_notes(count, first=0, last=9600, seed=0):
    rng = np.random.default_rng(seed)
    columns = (rng.integers(first, last, count), rng.integers(1, 960, count), rng.integers(21, 109, count))
    return [tuple(int(x) for x in row) for row in zip(*columns, rng.integers(1, 128, count), strict=True)]


def bars(axes):
    """(left, right, bottom, top) of each bar of the axes, in the order of drawing."""
    collections = [c for c in axes.collections if isinstance(c, PolyCollection)]
    corners = np.array([path.vertices[:4] for c in collections for path in c.get_paths()])
    lower, upper = corners.min(axis=1), corners.max(axis=1)
    return np.stack([lower[:, 0], upper[:, 0], lower[:, 1], upper[:, 1]], axis=1)


def hits(axes):
    """(onset, row) of each drum hit of the axes, in the order of drawing."""
    lines = [c for c in axes.collections if isinstance(c, LineCollection)]
    segments = np.array([segment for c in lines for segment in c.get_segments()])
    return segments.mean(axis=1)


def pixels(figure):
    """RGB values in 0..1 of the picture as rendered."""
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3] / 255.0


def pixel_at(figure, axes, x, y):
    image = pixels(figure)
    column, row = axes.transData.transform((x, y))
    return image[image.shape[0] - 1 - int(row), int(column)]


def test_prompt_and_continuation_are_painted_in_clearly_different_colours():
    prompt = make_score([(0, 960, 60, 100)])
    continuation = make_score([(960, 960, 72, 100)])
    figure = plot_piano_roll(prompt, continuation)
    axes = figure.axes[0]
    first, second = pixel_at(figure, axes, 0.5, 60), pixel_at(figure, axes, 1.5, 72)
    assert first[2] > first[0] + 0.3, "the prompt is blue"
    assert second[0] > second[2] + 0.3, "the continuation is orange"
    background = pixel_at(figure, axes, 0.5, 72)
    for colour in (first, second):
        assert np.abs(colour - background).max() > 0.5
    grey = np.array([0.299, 0.587, 0.114])
    assert abs(first @ grey - second @ grey) > 0.05, "they differ in grey too"


def test_both_colours_stay_on_a_dense_piece():
    figure = plot_piano_roll(
        make_score(random_notes(2500, 0, 50000)), make_score(random_notes(2500, 50000, 100000, seed=1))
    )
    image = pixels(figure)
    left, right = figure.axes[0].get_position().x0, figure.axes[0].get_position().x1
    middle = int((left + right) / 2 * image.shape[1])
    blue = image[..., 2] > image[..., 0] + 0.2
    orange = image[..., 0] > image[..., 2] + 0.2
    below = slice(int(0.15 * image.shape[0]), None)
    assert blue[below, :middle].mean() > 0.05 and orange[below, middle + 20 :].mean() > 0.05
    assert orange[below, : middle - 40].sum() == 0


def test_bars_equal_onset_duration_and_pitch_of_every_note():
    notes, later = random_notes(40), random_notes(30, 9600, 19200, seed=1)
    figure = plot_piano_roll(make_score(notes, bpm=90.0), make_score(later, bpm=90.0))
    seconds_per_tick = 60 / 90 / 480
    drawn = bars(figure.axes[0])
    assert len(drawn) == len(notes) + len(later)
    for (left, right, bottom, top), (onset, duration, pitch, _) in zip(drawn, notes + later, strict=True):
        assert left == pytest.approx(onset * seconds_per_tick, abs=1e-4)
        assert right == pytest.approx((onset + duration) * seconds_per_tick, abs=1e-4)
        assert (bottom + top) / 2 == pytest.approx(pitch) and top - bottom < 1


def test_softer_notes_are_paler():
    figure = plot_piano_roll(make_score([(0, 480, 60, 120), (480, 480, 60, 20)]))
    loud, soft = (pixel_at(figure, figure.axes[0], x, 60) for x in (0.25, 0.75))
    assert soft.mean() > loud.mean() + 0.1


def test_drums_are_ticks_in_a_strip_of_their_own():
    drums = [(0, 10, 36, 100), (480, 10, 38, 100), (960, 10, 36, 100), (1440, 10, 90, 100)]
    figure = plot_piano_roll(make_score([(0, 480, 36, 100)], drums[:2]), make_score([(960, 480, 36, 100)], drums[2:]))
    roll, strip = figure.axes
    assert len(bars(roll)) == 2
    np.testing.assert_allclose(hits(strip), [(0, 0), (0.5, 1), (1, 0), (1.5, 2)], atol=1e-5)
    assert [label.get_text() for label in strip.get_yticklabels()] == ["Kick", "Snare", "Drum 90"]
    assert strip.get_position().y1 < roll.get_position().y0
    assert strip.get_xlim() == roll.get_xlim()


def test_drums_alone_have_no_pitched_axes():
    figure = plot_piano_roll(make_score(drums=[(0, 10, 36, 100), (480, 10, 38, 100)]))
    assert len(figure.axes) == 1
    assert len(hits(figure.axes[0])) == 2


def test_octaves_are_labelled_with_middle_c_as_c4():
    axes = plot_piano_roll(make_score([(0, 480, 48, 90), (0, 480, 84, 90)])).axes[0]
    labels = {text.get_text(): y for text, y in zip(axes.get_yticklabels(), axes.get_yticks(), strict=True)}
    assert labels == {"C3": 48, "C4": 60, "C5": 72, "C6": 84}


def boundary_of(figure):
    (line,) = figure.axes[0].get_lines()[-1:]
    assert line.get_linestyle() == "--"
    return line.get_xdata()[0]


def test_dashed_line_is_where_the_continuation_begins():
    prompt = make_score([(0, 4800, 60, 100)])
    continuation = make_score([(1920, 480, 60, 100)], [(960, 10, 36, 100)])
    assert boundary_of(plot_piano_roll(prompt, continuation)) == pytest.approx(1.0)
    assert boundary_of(plot_piano_roll(prompt, continuation, boundary=1.75)) == 1.75


def test_without_continuation_there_is_no_line_but_a_legend():
    figure = plot_piano_roll(make_score([(0, 480, 61, 100)]))
    assert not [line for line in figure.axes[0].get_lines() if line.get_linestyle() == "--"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["prompt (1 note)"]


def test_continuation_without_notes_is_named_in_the_legend():
    figure = plot_piano_roll(make_score([(0, 480, 60, 100)]), Score(480))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["prompt (1 note)", "continuation (0 notes)"]


@pytest.mark.parametrize("bpm", [None, 120.0, 60.0], ids=["no tempo", "default at zero", "same"])
def test_continuation_follows_the_tempo_of_the_prompt(bpm):
    prompt = make_score([(0, 480, 60, 100)], bpm=60.0)
    continuation = make_score([(480, 480, 60, 100)], bpm=bpm)
    np.testing.assert_allclose(bars(plot_piano_roll(prompt, continuation).axes[0])[:, :2], [(0, 1), (1, 2)], atol=1e-5)


def test_later_tempo_of_the_continuation_takes_over():
    continuation = make_score([(960, 480, 60, 100)], bpm=None)
    continuation.tempos.append(Tempo(480, 120.0))
    drawn = bars(plot_piano_roll(make_score([(0, 480, 60, 100)], bpm=60.0), continuation).axes[0])
    np.testing.assert_allclose(drawn[:, :2], [(0, 1), (1.5, 2)], atol=1e-5)


@pytest.mark.parametrize("unit", ["second", "quarter"])
def test_scores_in_other_units_and_resolutions_are_drawn_alike(unit):
    prompt = make_score([(0, 480, 60, 100)], bpm=100.0)
    continuation = make_score([(96, 96, 62, 100)], bpm=100.0, ticks_per_quarter=96)
    expected = bars(plot_piano_roll(prompt, continuation).axes[0])
    np.testing.assert_allclose(expected[:, :2], [(0, 0.6), (0.6, 1.2)], atol=1e-5)
    drawn = bars(plot_piano_roll(prompt.to(unit), continuation).axes[0])
    np.testing.assert_allclose(drawn, expected, atol=1e-5)


def test_title_is_plain_text():
    figure = plot_piano_roll(make_score([(0, 480, 60, 100)]), title="Études $1^^2$ \\alpha {")
    pixels(figure)
    assert [text.get_text() for text in figure.texts] == ["Études $1^^2$ \\alpha {"]


@pytest.mark.parametrize("word", ["MIDI-Unprocessed_", "ШИРОКАЯ ", "illi", "سلام "])
@pytest.mark.parametrize("times", [40, 5000])
def test_long_title_ends_just_before_the_legend(word, times):
    figure = plot_piano_roll(make_score([(0, 480, 60, 100)]), Score(480), title=word * times)
    pixels(figure)
    (title,) = figure.texts
    assert title.get_text().startswith(word) and title.get_text().endswith("…")
    room = figure.legends[0].get_window_extent().x0 - title.get_window_extent().x1
    assert 0 < room < 60


def test_png_has_the_size_of_the_figure():
    buffer = io.BytesIO()
    figure = plot_piano_roll(make_score(random_notes(10)))
    figure.savefig(buffer)
    data = buffer.getvalue()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(data[16:20], "big") == int(figure.get_figwidth() * 100)


def test_no_notes_is_an_error():
    with pytest.raises(ValueError, match="no note to draw"):
        plot_piano_roll(Score(480), Score(480))


def test_scores_are_left_unchanged():
    prompt, continuation = make_score(random_notes(5), bpm=60.0), make_score(random_notes(5), bpm=None)
    before = prompt.dumps_midi(), continuation.dumps_midi()
    plot_piano_roll(prompt, continuation)
    assert (prompt.dumps_midi(), continuation.dumps_midi()) == before


def test_figures_are_freed_and_pyplot_never_holds_them():
    references = [weakref.ref(plot_piano_roll(make_score(random_notes(20)))) for _ in range(20)]
    gc.collect()
    assert not [reference for reference in references if reference() is not None]
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or not pyplot.get_fignums()
