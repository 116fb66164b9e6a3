"""Versions of a piece one under another: the same times and pitches in each, and nothing but what is there."""

import numpy as np
import pytest
from symusic import Note, Score, Tempo, Track

from neuromusic_hf.rendering import plot_versions


def melody(*onsets, pitch=60, drums=False, tempo=120) -> Score:
    """Quarters at these beats."""
    score = Score(480)
    score.tempos.append(Tempo(0, tempo))
    score.tracks.append(Track(is_drum=drums))
    for onset in onsets:
        score.tracks[0].notes.append(Note(480 * onset, 480, pitch, 90))
    return score


def bars(axes) -> list[tuple[float, float]]:
    """Left edge and pitch of the notes that are drawn."""
    found = []
    for collection in axes.collections:
        for path in collection.get_paths():
            corners = path.vertices
            found.append((round(float(corners[:, 0].min()), 3), round(float(corners[:, 1].mean()))))
    return sorted(set(found))


@pytest.fixture
def prompt():
    return melody(*range(16), tempo=60)


def test_versions_share_their_axis_and_their_pitches(prompt):
    versions = {"target": melody(16, 17, 18, 19), "other": melody(16, pitch=72), "empty": Score(480)}
    figure = plot_versions(prompt, versions, title="A $title$")
    assert len(figure.axes) == 3
    assert len({axes.get_xlim() for axes in figure.axes}) == len({axes.get_ylim() for axes in figure.axes}) == 1
    low, high = figure.axes[0].get_xlim()
    assert low == pytest.approx(10 - 0.05) and high == pytest.approx(16 + 1.25 * 4)
    assert (16.0, 60) in bars(figure.axes[0]) and (16.0, 72) in bars(figure.axes[1])
    given = [bar for bar in bars(figure.axes[2]) if bar[0] >= 16]
    assert not given and (15.0, 60) in bars(figure.axes[2])
    texts = [text.get_text() for text in figure.texts]
    assert texts[:3] == ["target: 4 notes", "other: 1 note", "empty: 0 notes"] and texts[3] == "A $title$"


def test_what_comes_long_after_the_target_is_counted_and_not_shown(prompt):
    figure = plot_versions(prompt, {"target": melody(16), "long": melody(16, 200, pitch=90)})
    assert figure.axes[1].get_xlim()[1] < 30
    assert figure.texts[1].get_text() == "long: 2 notes"


def test_drums_have_a_strip_in_each_version(prompt):
    figure = plot_versions(prompt, {"target": melody(16), "drums": melody(16, pitch=38, drums=True)})
    assert len(figure.axes) == 4
    labels = [[label.get_text() for label in axes.get_yticklabels()] for axes in figure.axes]
    assert labels[1] == labels[3] == ["Snare"]


def test_the_same_picture_each_time(prompt):
    versions = {"target": melody(16, 18), "other": melody(17, pitch=50)}
    pictures = []
    for _ in range(2):
        figure = plot_versions(prompt, versions, title="Same")
        figure.canvas.draw()
        pictures.append(np.asarray(figure.canvas.buffer_rgba()))
    np.testing.assert_array_equal(*pictures)


def test_no_note_at_all_is_refused():
    with pytest.raises(ValueError, match="no note to draw"):
        plot_versions(Score(480), {"target": Score(480)})
