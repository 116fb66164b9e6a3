"""Parts of a piece sound as they do in the whole."""

import importlib.util

import numpy as np
import pytest
from symusic import ControlChange, Note, Score, Tempo, TimeSignature, Track

from neuromusic_hf.rendering import Windows, render_audio, render_windows
from neuromusic_hf.rendering.windows import PAUSE_SECONDS

BAR, RATE = 1920, 16000
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("midirenderer") is None or importlib.util.find_spec("pretty_midi") is None,
    reason="midirenderer or pretty_midi is not installed (pip install neuromusic_hf[audio])",
)


@pytest.fixture
def piece():
    """A short note on each beat, first loud, from bar 4 on soft and twice as fast; and a long one under bar 9."""
    score = Score(480)
    score.tempos.extend([Tempo(0, 120), Tempo(4 * BAR, 240)])
    score.time_signatures.append(TimeSignature(0, 4, 4))
    for program, notes in ((0, [(beat * 480, 120, 60) for beat in range(64)]), (48, [(8 * BAR, 2 * BAR, 48)])):
        track = Track("", program)
        track.notes.extend([Note(*note, 100) for note in notes])
        score.tracks.append(track)
    score.tracks[0].controls.extend(
        [ControlChange(0, 7, 127), ControlChange(4 * BAR, 7, 64), ControlChange(0, 10, 30)]
    )
    return score


def loudness(audio):
    return float(np.sqrt((audio**2).mean()))


def test_a_part_sounds_as_in_the_whole(piece):
    windows = Windows.around(piece, [(5 * BAR, 6 * BAR)], bars=1)
    found = render_windows(piece, windows, sample_rate=RATE)
    assert found.shape == (2, round((3 * 1 + PAUSE_SECONDS) * RATE))
    start = windows.clock.to_seconds(4 * BAR)
    whole = render_audio(piece, sample_rate=RATE)[:, round(start * RATE) :][:, : 3 * RATE]
    for channel, expected in zip(found[:, : 3 * RATE], whole, strict=True):
        assert loudness(channel) == pytest.approx(loudness(expected), rel=0.1, abs=1e-4)
    loud = render_windows(piece, Windows.around(piece, [(BAR, 2 * BAR)], bars=1), sample_rate=RATE)
    assert loudness(loud[:, : 2 * RATE]) > 2 * loudness(found[:, : 2 * RATE])


def test_what_sounds_on_from_before_is_heard_and_nothing_after_the_end(piece):
    piece.tracks.pop(0)
    windows = Windows.around(piece, [(9 * BAR, 10 * BAR)], bars=0)
    sound = render_windows(piece, windows, sample_rate=RATE)
    assert loudness(sound[:, : RATE // 2]) > 0.005
    before = Windows.around(piece, [(2 * BAR, 3 * BAR)], bars=0)
    assert not render_windows(piece, before, sample_rate=RATE).any()


def test_parts_stand_where_the_windows_say(piece):
    windows = Windows.around(piece, [(0, BAR), (10 * BAR, 11 * BAR)], bars=0)
    sound = render_windows(piece, windows, sample_rate=RATE)
    begin = round(windows.begins[1] * RATE)
    assert windows.begins[1] == 2 + PAUSE_SECONDS and sound.shape[1] == begin + round((1 + PAUSE_SECONDS) * RATE)
    second = render_windows(piece, Windows(windows.ticks[1:], windows.bars, windows.clock), sample_rate=RATE)
    np.testing.assert_array_equal(sound[:, begin:], second)
    with pytest.warns(UserWarning, match="cut at 2.5 s"):
        short = render_windows(piece, windows, sample_rate=RATE, max_seconds=2.5)
    np.testing.assert_array_equal(short, sound[:, : round(2.5 * RATE)])
