import importlib.util
import io
import os
import shutil
import stat
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
from symusic import ControlChange, Note, Pedal, Score, Tempo, Track

from neuromusic_hf.rendering import RELEASE_SECONDS, read_audio, render_audio, save_audio
from neuromusic_hf.rendering import audio as audio_module

RATE = 22050
HAS_SOUNDFONT = importlib.util.find_spec("pretty_midi") is not None
HAS_MIDIRENDERER = importlib.util.find_spec("midirenderer") is not None and HAS_SOUNDFONT
HAS_FLUIDSYNTH = shutil.which("fluidsynth") is not None and HAS_SOUNDFONT
needs_midirenderer = pytest.mark.skipif(not HAS_MIDIRENDERER, reason="midirenderer or pretty_midi is not installed")
needs_program = pytest.mark.skipif(os.name != "posix", reason="the stand-in for fluidsynth is a POSIX script")
ENGINES = [
    pytest.param("midirenderer", marks=needs_midirenderer),
    pytest.param("fluidsynth", marks=pytest.mark.skipif(not HAS_FLUIDSYNTH, reason="fluidsynth is not on PATH")),
]


def make_score(*tracks, bpm=120.0):
    """Tracks are (program, is_drum, notes), notes are (onset in seconds at 120 bpm, duration, pitch, velocity)."""
    score = Score(480)
    score.tempos.append(Tempo(0, bpm))
    for program, is_drum, notes in tracks:
        track = Track("", program, is_drum)
        for onset, duration, pitch, velocity in notes:
            track.notes.append(Note(round(onset * 960), round(duration * 960), pitch, velocity))
        score.tracks.append(track)
    return score


def piano(*notes, **kwargs):
    return make_score((0, False, notes), **kwargs)


def seconds(audio, rate=RATE):
    return audio.shape[1] / rate


def rms(audio, start, end, rate=RATE):
    return float(np.sqrt(np.mean(audio[:, round(start * rate) : round(end * rate)] ** 2)))


def peak_frequency(audio, rate=RATE):
    spectrum = np.abs(np.fft.rfft(audio.mean(axis=0) * np.hanning(audio.shape[1])))
    return np.argmax(spectrum) * rate / audio.shape[1]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_late_note_sounds_at_its_time_and_pitch_and_then_rings_out(engine):
    audio = render_audio(piano((1.0, 1.0, 69, 100)), sample_rate=RATE, engine=engine)
    assert audio.dtype == np.float32 and audio.shape[0] == 2
    assert seconds(audio) == pytest.approx(2.0 + RELEASE_SECONDS, abs=0.01)
    assert rms(audio, 0, 0.95) < 1e-4
    assert rms(audio, 1.05, 1.9) > 0.003
    assert 0 < rms(audio, 2.02, 2.2) < rms(audio, 1.05, 1.9)
    assert abs(audio[:, -1]).max() < 1e-4
    assert peak_frequency(audio[:, round(1.1 * RATE) : round(1.9 * RATE)]) == pytest.approx(440, abs=4)


@pytest.mark.parametrize("engine", ENGINES)
def test_higher_velocity_is_louder(engine):
    soft, loud = (
        render_audio(piano((0, 0.5, 60, velocity)), sample_rate=RATE, engine=engine) for velocity in (30, 120)
    )
    assert rms(loud, 0, 0.5) > 2 * rms(soft, 0, 0.5)


@needs_midirenderer
@pytest.mark.parametrize("rate", [8000, 44100, 48000])
def test_sample_rate_changes_neither_duration_nor_pitch(rate):
    audio = render_audio(piano((0, 1.0, 69, 100)), sample_rate=rate)
    assert seconds(audio, rate) == pytest.approx(1.0 + RELEASE_SECONDS, abs=0.01)
    assert peak_frequency(audio[:, rate // 10 : rate], rate) == pytest.approx(440, abs=4)


@needs_midirenderer
@pytest.mark.parametrize("later_bpm, onset, end", [(None, 2.0, 3.0), (240.0, 1.25, 1.5)])
def test_tempo_sets_onset_and_duration(later_bpm, onset, end):
    score = piano((1.0, 0.5, 60, 100), bpm=60.0)
    if later_bpm is not None:
        score.tempos.append(Tempo(480, later_bpm))
    audio = render_audio(score, sample_rate=RATE)
    assert seconds(audio) == pytest.approx(end + RELEASE_SECONDS, abs=0.01)
    assert rms(audio, 0, onset - 0.02) < 1e-4
    assert rms(audio, onset, onset + 0.2) > 0.003


@needs_midirenderer
@pytest.mark.parametrize("unit", ["quarter", "second"])
def test_scores_in_other_units_sound_alike(unit):
    score = piano((0.5, 0.5, 60, 100))
    expected = render_audio(score, sample_rate=RATE)
    np.testing.assert_allclose(render_audio(score.to(unit), sample_rate=RATE), expected, atol=1e-3)


@needs_midirenderer
def test_drums_sound_as_drums():
    notes = [(0, 0.5, 42, 110)]
    hat = render_audio(make_score((0, True, notes)), sample_rate=RATE)
    tone = render_audio(make_score((0, False, notes)), sample_rate=RATE)
    assert rms(hat, 0, 0.1) > 0.001
    assert peak_frequency(hat) > 2000 > 300 > peak_frequency(tone)


@needs_midirenderer
def test_every_track_sounds_with_its_own_program_beyond_sixteen_channels():
    tracks = [(program, False, [(0.2 + program * 0.1, 0.1, 69, 100)]) for program in range(17)]
    audio = render_audio(make_score(*tracks), sample_rate=RATE)
    alone = render_audio(make_score(tracks[0]), sample_rate=RATE)
    before_second = round(0.29 * RATE)
    np.testing.assert_allclose(audio[:, :before_second], alone[:, :before_second], atol=1e-3)
    assert rms(audio, 1.8, 1.9) > 0.001, "the seventeenth track sounds"


@needs_midirenderer
def test_a_note_sounds_on_where_its_pitch_is_struck_within_it_and_where_a_pedal_holds_it():
    organ = make_score((19, False, [(0, 3.0, 60, 100), (0.5, 0.3, 60, 100)]))
    assert rms(render_audio(organ, sample_rate=RATE), 2.5, 2.9) > 0.003
    held = make_score((19, False, [(0, 0.3, 60, 100)]), (19, False, [(2.9, 0.1, 72, 1)]))
    assert rms(render_audio(held, sample_rate=RATE), 2.0, 2.8) < 0.001
    held.tracks[0].pedals.append(Pedal(10, 2880))
    assert rms(render_audio(held, sample_rate=RATE), 2.0, 2.8) > 0.003


@needs_midirenderer
def test_long_score_is_cut_with_a_warning_that_names_the_cut():
    score = piano(*[(second, 1.0, 60, 100) for second in range(20)])
    with pytest.warns(UserWarning, match=r"lasts 20\.0 s.*cut at 3\.5 s"):
        audio = render_audio(score, sample_rate=RATE, max_seconds=3.5)
    assert seconds(audio) == pytest.approx(3.5, abs=1e-3)
    assert rms(audio, 3.0, 3.2) > 0.001
    assert abs(audio[:, -10:]).max() < 1e-3 * abs(audio).max(), "the cut fades out"


@needs_midirenderer
def test_engine_is_never_asked_for_more_than_max_seconds(monkeypatch):
    import midirenderer

    asked = []
    render = midirenderer.render_wave_from
    monkeypatch.setattr(
        midirenderer, "render_wave_from", lambda soundfont, midi: asked.append(midi) or render(soundfont, midi)
    )
    score = piano((0, 900, 60, 100), (0, 0.5, 64, 100), (700, 1, 64, 100))
    score.tracks[0].pedals.append(Pedal(960, 960 * 900))
    with pytest.warns(UserWarning, match="lasts 900.0 s"):
        render_audio(score, sample_rate=48000, max_seconds=2)
    assert [Score.from_midi(midi).to("second").end() for midi in asked] == pytest.approx([2.0], abs=0.01)


@needs_midirenderer
def test_absurd_end_is_bounded_and_stray_events_add_no_silence(recwarn):
    score = piano((0, 0.5, 60, 100))
    score.tracks[0].controls.append(ControlChange(53_000_000, 7, 100))
    assert seconds(render_audio(score, sample_rate=RATE)) == pytest.approx(0.5 + RELEASE_SECONDS, abs=0.01)
    assert not recwarn
    score.tracks[0].notes.append(Note(1_000_000_000, 2_000_000_000, 60, 100))
    with pytest.warns(UserWarning, match="cut at 5.0 s"):
        assert seconds(render_audio(score, sample_rate=RATE, max_seconds=5)) == pytest.approx(5, abs=1e-3)


@needs_midirenderer
def test_score_is_left_unchanged():
    score = piano((0, 4.0, 60, 100))
    before = score.dumps_midi()
    with pytest.warns(UserWarning):
        render_audio(score, sample_rate=RATE, max_seconds=1)
    assert score.dumps_midi() == before


@needs_midirenderer
@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"sample_rate": 100}, "sample_rate"),
        ({"max_seconds": 0}, "max_seconds"),
        ({"max_seconds": float("nan")}, "max_seconds"),
        ({"engine": "timidity"}, "Unknown engine 'timidity'"),
    ],
)
def test_arguments_out_of_range_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        render_audio(piano((0, 1, 60, 100)), **arguments)


@needs_midirenderer
def test_score_without_notes_is_an_error():
    for score in (Score(480), make_score((0, False, []))):
        with pytest.raises(ValueError, match="no notes"):
            render_audio(score)


@needs_midirenderer
def test_missing_and_invalid_soundfonts_are_named(tmp_path, monkeypatch):
    score = piano((0, 0.1, 60, 100))
    with pytest.raises(FileNotFoundError, match="missing.sf2.*argument"):
        render_audio(score, soundfont=tmp_path / "missing.sf2")
    text = tmp_path / "text.sf2"
    text.write_bytes(b"this is no soundfont")
    monkeypatch.setenv("NEUROMUSIC_SOUNDFONT", str(text))
    with pytest.raises(ValueError, match="text.sf2.*NEUROMUSIC_SOUNDFONT.*not a SoundFont 2 file"):
        render_audio(score)
    cut = tmp_path / "cut.sf2"
    cut.write_bytes(b"RIFF\x10\x00\x00\x00sfbkLIST")
    with pytest.raises(ValueError, match="cannot use the soundfont .*cut.sf2"):
        render_audio(score, soundfont=cut)


@needs_midirenderer
def test_a_soundfont_at_which_the_engine_gives_up_is_named(tmp_path, monkeypatch):
    import midirenderer

    class PanicException(BaseException):
        """As pyo3's, which no program can import."""

    def panic(soundfont, midi):
        raise PanicException("index out of bounds: the len is 210 but the index is 210")

    monkeypatch.setattr(midirenderer, "render_wave_from", panic)
    (tmp_path / "odd.sf2").write_bytes(b"RIFF\x04\x00\x00\x00sfbk")
    with pytest.raises(ValueError, match="cannot use the soundfont .*odd.sf2: index out of bounds"):
        render_audio(piano((0, 0.1, 60, 100)), soundfont=tmp_path / "odd.sf2")


def test_without_any_engine_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(audio_module.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(audio_module.shutil, "which", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install neuromusic_hf\[audio\]"):
        render_audio(piano((0, 1, 60, 100)))
    with pytest.raises(ImportError, match="'fluidsynth' is not installed"):
        render_audio(piano((0, 1, 60, 100)), engine="fluidsynth")


FAKE_FLUIDSYNTH = """#!{python}
import json, os, sys, wave
json.dump(sys.argv[1:], open(os.path.join(os.path.dirname(__file__), "arguments.json"), "w"))
{action}
with wave.open(sys.argv[sys.argv.index("-F") + 1], "wb") as file:
    file.setparams((2, 2, int(sys.argv[sys.argv.index("-r") + 1]), 0, "NONE", ""))
    file.writeframes(b"\\x00\\x40" * 2000)
"""


@pytest.fixture
def fake_fluidsynth(tmp_path, monkeypatch):
    """Puts a program on PATH that keeps its arguments and writes 1,000 frames at half of full scale."""
    soundfont = tmp_path / "font with space.sf2"
    soundfont.write_bytes(b"RIFF\x04\x00\x00\x00sfbk")
    monkeypatch.setenv("NEUROMUSIC_SOUNDFONT", str(soundfont))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    def install(action=""):
        program = tmp_path / "fluidsynth"
        program.write_text(FAKE_FLUIDSYNTH.format(python=sys.executable, action=action))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return tmp_path / "arguments.json"

    return install


@needs_program
def test_fluidsynth_gets_options_then_soundfont_then_midi(fake_fluidsynth, tmp_path):
    import json

    arguments_file = fake_fluidsynth()
    audio = render_audio(piano((0, 1, 60, 100)), engine="fluidsynth", sample_rate=RATE)
    *options, soundfont, midi = json.loads(arguments_file.read_text())
    assert options[:3] == ["-n", "-i", "-F"] and options[4:] == ["-r", str(RATE)]
    assert soundfont == str(tmp_path / "font with space.sf2")
    assert midi.endswith(".mid") and not Path(midi).exists(), "temporary files are removed"
    assert audio.shape == (2, round((1 + RELEASE_SECONDS) * RATE)), "short output is padded to the score"
    np.testing.assert_allclose(audio[:, :1000], 0.5)
    assert not audio[:, 1000:].any()


@needs_program
def test_fluidsynth_is_chosen_when_midirenderer_is_absent(fake_fluidsynth, monkeypatch):
    arguments_file = fake_fluidsynth()
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        audio_module.importlib.util, "find_spec", lambda name: None if name == "midirenderer" else find_spec(name)
    )
    render_audio(piano((0, 1, 60, 100)))
    assert arguments_file.exists()


@needs_program
@pytest.mark.parametrize(
    "action, error, message",
    [
        ("sys.exit('no sound card')", RuntimeError, "exit status 1: no sound card"),
        ("sys.exit(0)", RuntimeError, "fluidsynth failed"),
        ("sys.stderr.write('fluidsynth: error: Failed to load SoundFont')", ValueError, "font with space.sf2"),
        ("import time; time.sleep(30)", RuntimeError, "did not finish within 2 s"),
    ],
    ids=["status", "no output", "bad soundfont", "hangs"],
)
def test_fluidsynth_failures_are_reported(fake_fluidsynth, monkeypatch, action, error, message):
    monkeypatch.setattr(audio_module, "FLUIDSYNTH_TIMEOUT_SECONDS", 2)
    fake_fluidsynth(action)
    with pytest.raises(error, match=message):
        render_audio(piano((0, 1, 60, 100)), engine="fluidsynth")


def read_wav(path):
    with wave.open(str(path), "rb") as file:
        assert file.getsampwidth() == 2
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, file.getnchannels()).T
        return samples / 32767, file.getframerate()


@pytest.mark.parametrize("shape", [(2, 500), (1, 500), (500,)])
def test_wav_round_trip_keeps_levels(tmp_path, shape):
    audio = np.random.default_rng(0).uniform(-0.9, 0.9, shape).astype(np.float32)
    save_audio(tmp_path / "a.wav", audio, 22050)
    samples, rate = read_wav(tmp_path / "a.wav")
    assert rate == 22050
    np.testing.assert_allclose(samples, np.atleast_2d(audio), atol=1 / 32767)
    found, rate = read_audio(tmp_path / "a.wav")
    assert (found.dtype, rate) == (np.float32, 22050)
    np.testing.assert_array_equal(found, np.rint(samples * 32767).astype(np.float32) / 32768)


def test_a_wav_in_memory_is_that_on_disk(tmp_path):
    audio, file = np.random.default_rng(0).uniform(-0.9, 0.9, (2, 500)), io.BytesIO()
    save_audio(tmp_path / "a.wav", audio, 22050)
    save_audio(file, audio, 22050)
    assert file.getvalue() == (tmp_path / "a.wav").read_bytes()
    file.seek(0)
    np.testing.assert_array_equal(read_audio(file)[0], read_audio(tmp_path / "a.wav")[0])


@pytest.mark.parametrize("content", [b"", b"no sound", b"RIFF\x04\x00\x00\x00WAVE"])
def test_what_is_no_wav_is_refused(tmp_path, content):
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(ValueError):
        read_audio(tmp_path / "a.wav")


def test_a_wav_of_other_samples_is_refused(tmp_path):
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8000)
        file.writeframes(bytes(20))
    with pytest.raises(ValueError, match="16 bits"):
        read_audio(tmp_path / "a.wav")


def test_only_audio_that_would_clip_is_scaled_to_its_peak(tmp_path):
    audio = np.array([[0.5, -2.0, 1.0], [0.0, 0.25, 2.0]], dtype=np.float32)
    save_audio(tmp_path / "a.wav", audio, 8000)
    np.testing.assert_allclose(read_wav(tmp_path / "a.wav")[0], audio / 2, atol=1 / 32767)


@pytest.mark.parametrize(
    "audio, message",
    [
        (np.zeros((500, 2), dtype=np.float32), "shape"),
        (np.zeros((1, 2, 500), dtype=np.float32), "shape"),
        (np.zeros((2, 500), dtype=np.int16), "floating point"),
        (np.full((2, 500), np.nan), "NaN"),
    ],
)
def test_wav_refuses_other_audio(tmp_path, audio, message):
    with pytest.raises(ValueError, match=message):
        save_audio(tmp_path / "a.wav", audio)
    assert not list(tmp_path.iterdir())
