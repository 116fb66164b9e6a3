"""Scores to sound: stereo audio from a SoundFont synthesiser, and WAV files."""

from __future__ import annotations

import importlib.util
import io
import math
import os
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from scipy.io import wavfile
from symusic.core import ScoreTick, TextMetaTick, TrackTick, TrackTickList

from ..borders.rust import is_panic
from ..disk import user_path
from ..music import AnyScore, TempoMap, check_score, gather_notes, midi_bytes
from ..music.channels import MELODIC_CHANNELS

RELEASE_SECONDS = 2.0
FADE_SECONDS = 0.25
SOUNDFONT_VARIABLE = "NEUROMUSIC_SOUNDFONT"
ENGINES = ("midirenderer", "fluidsynth")
FLUIDSYNTH_TIMEOUT_SECONDS = 600
FULL_SCALE = 2**15 - 1


def render_audio(
    score: AnyScore,
    *,
    soundfont: str | os.PathLike | None = None,
    sample_rate: int = 44100,
    engine: str | None = None,
    max_seconds: float = 600.0,
) -> np.ndarray:
    """
    Renders a score to stereo audio.

    The audio starts at the score's time zero and ends `RELEASE_SECONDS` (2 s) after its last note, so that the last
    chord may ring. Events after that (a stray controller, an end-of-track far away) add no silence.

    Args:
        score (`symusic.Score`):
            The piece. In ticks, quarters or seconds; without a tempo it plays at MIDI's default of 120 bpm.
        soundfont (`str` or `os.PathLike`, *optional*):
            A SoundFont 2 file. Defaults to the file that the environment variable `NEUROMUSIC_SOUNDFONT` names, else
            to the General MIDI soundfont that the `pretty_midi` package carries.
        sample_rate (`int`, *optional*, defaults to 44100):
            Samples per second of the result, 8000 to 96000. `midirenderer` synthesises at 48000 and is resampled to
            other rates.
        engine (`str`, *optional*):
            `"midirenderer"` (a wheel) or `"fluidsynth"` (the program, found on `PATH`). Defaults to the first of the
            two that is installed.
        max_seconds (`float`, *optional*, defaults to 600.0):
            Longest audio to make, in seconds, release included. A longer score is cut there, with a warning. Peak
            memory is under 2 MB per second of audio.

    Returns:
        `np.ndarray` of `float32` and shape `(channels, samples)`, with two channels and full scale at ±1.

    Raises:
        [`RefusedFile`]: The score has no ticks per quarter note, or a bar without length.
        `ValueError`: The score has no notes, an argument is out of range, or the soundfont is not a usable one.
        `FileNotFoundError`: The soundfont does not exist, or none is given and `pretty_midi` is not installed.
        `ImportError`: The engine is not installed.
        `RuntimeError`: The engine failed.

    Example:
    ```python
    >>> audio = render_audio(Score("piece.mid"))
    >>> save_audio("piece.wav", audio, 44100)
    ```
    """
    if not 8000 <= sample_rate <= 96000:
        raise ValueError(f"sample_rate must be between 8000 and 96000 samples per second, not {sample_rate}.")
    if not max_seconds > 0:
        raise ValueError(f"max_seconds must be greater than 0, not {max_seconds}.")
    engine = _choose_engine(engine)
    soundfont = _find_soundfont(soundfont)
    synthesise = _run_midirenderer if engine == "midirenderer" else _run_fluidsynth

    check_score(score)
    piece = cast(ScoreTick, score.to("tick"))  # a copy, whatever its unit
    tempos = TempoMap.of(piece)
    seconds = _length_in_seconds(piece, tempos, max_seconds)
    audio = np.zeros((2, round(seconds * sample_rate)), dtype=np.float32)
    for part in _split_by_channels(_cut(piece, int(tempos.to_ticks(seconds)))):
        sound = synthesise(midi_bytes(part), soundfont, sample_rate)[:, : audio.shape[1]]
        audio[:, : sound.shape[1]] += sound
    fade = min(round(FADE_SECONDS * sample_rate), audio.shape[1])
    audio[:, audio.shape[1] - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    return audio


def save_audio(file: str | os.PathLike | BinaryIO, audio: np.ndarray, sample_rate: int = 44100) -> None:
    """
    Writes audio as a 16-bit WAV file.

    Levels are kept as they are. Only audio that goes beyond full scale, and would clip, is scaled down so that its
    peak is at full scale.

    Args:
        file (`str`, `os.PathLike` or a binary file):
            Path of the file to write, whose folder must exist, or what is written to.
        audio (`np.ndarray` of shape `(channels, samples)` or `(samples,)`):
            Floating-point samples with full scale at ±1.
        sample_rate (`int`, *optional*, defaults to 44100):
            Samples per second.

    Raises:
        `ValueError`: The audio has another shape or type, or holds NaN or infinity.
    """
    audio = np.atleast_2d(np.asarray(audio))
    if audio.ndim != 2 or audio.shape[0] > audio.shape[1] > 0:
        raise ValueError(f"Audio must have shape (channels, samples) or (samples,), not {audio.shape}.")
    if not np.issubdtype(audio.dtype, np.floating):
        raise ValueError(f"Audio must be floating point with full scale at 1, not {audio.dtype}.")
    peak = float(np.max(np.abs(audio), initial=0.0))
    if not np.isfinite(peak):
        raise ValueError("Audio holds NaN or infinity.")
    samples = np.rint(audio.T * (FULL_SCALE / max(peak, 1.0))).astype(np.int16)
    wavfile.write(file if hasattr(file, "write") else user_path(file), sample_rate, samples)


def read_audio(file: str | os.PathLike | BinaryIO) -> tuple[np.ndarray, int]:
    """
    Reads a WAV file of 16 bits, such as [`save_audio`] writes.

    Args:
        file (`str`, `os.PathLike` or a binary file): path or content.

    Returns:
        `np.ndarray` of `float32` and shape `(channels, samples)`, with full scale at ±1, and the samples per second.

    Raises:
        `ValueError`: It is no WAV file, or one of other samples.
    """
    try:
        sample_rate, samples = wavfile.read(file if hasattr(file, "read") else user_path(file))
    except UnboundLocalError as error:  # what scipy raises where there is no chunk at all
        raise ValueError(f"{file} is a WAV file without sound.") from error
    if samples.dtype != np.int16:
        raise ValueError(f"{file} has samples of {samples.dtype}: give a WAV file of 16 bits.")
    return samples.reshape(len(samples), -1).T.astype(np.float32) / (FULL_SCALE + 1), sample_rate


def _choose_engine(engine: str | None) -> str:
    if engine is not None and engine not in ENGINES:
        raise ValueError(f"Unknown engine {engine!r}; the engines are {' and '.join(ENGINES)}.")
    installed = {
        "midirenderer": importlib.util.find_spec("midirenderer") is not None,
        "fluidsynth": shutil.which("fluidsynth") is not None,
    }
    for candidate in ENGINES if engine is None else (engine,):
        if installed[candidate]:
            return candidate
    missing = "No audio engine is installed" if engine is None else f"The audio engine {engine!r} is not installed"
    raise ImportError(
        f"{missing}. `pip install neuromusic_hf[audio]` brings midirenderer; fluidsynth is a program to put on PATH."
    )


def _find_soundfont(soundfont: str | os.PathLike | None) -> Path:
    """Path of the soundfont to use, after a look at its header: FluidSynth renders silence from a wrong file."""
    source = "the argument soundfont"
    if soundfont is None:
        soundfont, source = os.environ.get(SOUNDFONT_VARIABLE), f"the environment variable {SOUNDFONT_VARIABLE}"
    if not soundfont:
        soundfont, source = _packaged_soundfont(), "the pretty_midi package"
    path = user_path(soundfont)
    if not path.is_file():
        raise FileNotFoundError(f"No soundfont file at {path} (named by {source}).")
    with path.open("rb") as file:
        header = file.read(12)
    if header[:4] != b"RIFF" or header[8:] != b"sfbk":
        raise ValueError(f"{path} (named by {source}) is not a SoundFont 2 file.")
    return path


def _packaged_soundfont() -> Path:
    spec = importlib.util.find_spec("pretty_midi")
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            "No soundfont. `pip install neuromusic_hf[audio]` brings one; or give a .sf2 file as the argument "
            f"soundfont or in the environment variable {SOUNDFONT_VARIABLE}."
        )
    return Path(spec.origin).with_name("TimGM6mb.sf2")


def _length_in_seconds(score: ScoreTick, tempos: TempoMap, max_seconds: float) -> float:
    notes = gather_notes(score)
    if not len(notes):
        raise ValueError("The score has no notes, so there is nothing to render.")
    end = float(tempos.to_seconds(notes.end.max()))
    if end > max_seconds:
        warnings.warn(
            f"The score lasts {end:.1f} s; its audio is cut at {max_seconds:.1f} s (max_seconds).", stacklevel=3
        )
    return min(end + RELEASE_SECONDS, max_seconds)


def _cut(score: ScoreTick, end: int) -> ScoreTick:
    """The sounding events of a score before the tick `end`, with a marker there for the engine to play up to."""
    result = ScoreTick(score.ticks_per_quarter)
    result.tempos = score.tempos.filter(lambda tempo: tempo.time < end, inplace=False)
    for track in score.tracks:
        part = TrackTick(track.name, track.program, track.is_drum)
        for events in ("notes", "controls", "pitch_bends", "pedals"):
            setattr(part, events, getattr(track, events).filter(lambda event: event.time < end, inplace=False))
        for event in (*part.notes, *part.pedals):
            event.duration = min(event.duration, end - event.time)
        result.tracks.append(part)
    result.markers.append(TextMetaTick(end, "end"))
    return result


def _split_by_channels(score: ScoreTick) -> Iterator[ScoreTick]:
    """Scores with at most as many melodic tracks as there are channels, so that none shares one; usually just one."""
    drums = [track for track in score.tracks if track.is_drum]
    melodic = [track for track in score.tracks if not track.is_drum]
    for first in range(0, max(len(melodic), 1), len(MELODIC_CHANNELS)):
        part = score.copy()
        part.tracks = TrackTickList(melodic[first : first + len(MELODIC_CHANNELS)] + (drums if first == 0 else []))
        yield part


def _run_midirenderer(midi: bytes, soundfont: Path, sample_rate: int) -> np.ndarray:
    from midirenderer import render_wave_from

    try:
        wav = render_wave_from(soundfont.read_bytes(), midi)
    except BaseException as error:
        if is_panic(error) or (isinstance(error, RuntimeError) and "SoundFont" in str(error)):
            raise ValueError(f"midirenderer cannot use the soundfont {soundfont}: {error}") from error
        raise
    audio, rate = read_audio(io.BytesIO(wav))
    if rate == sample_rate:
        return audio
    from scipy.signal import resample_poly  # slow to import

    divisor = math.gcd(rate, sample_rate)
    return resample_poly(audio, sample_rate // divisor, rate // divisor, axis=1)


def _run_fluidsynth(midi: bytes, soundfont: Path, sample_rate: int) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        midi_path, wav_path = Path(folder, "score.mid"), Path(folder, "score.wav")
        midi_path.write_bytes(midi)
        command = ["fluidsynth", "-n", "-i", "-F", str(wav_path), "-r", str(sample_rate)]
        command += [str(soundfont.absolute()), str(midi_path)]
        try:
            result = subprocess.run(
                command, capture_output=True, text=True, errors="replace", timeout=FLUIDSYNTH_TIMEOUT_SECONDS
            )
        except subprocess.TimeoutExpired as error:
            raise RuntimeError(f"fluidsynth did not finish within {FLUIDSYNTH_TIMEOUT_SECONDS} s.") from error
        log = result.stderr.strip()[-500:]
        # FluidSynth exits with 0 and renders silence when it cannot load the soundfont.
        if "Failed to load SoundFont" in result.stderr:
            raise ValueError(f"fluidsynth cannot use the soundfont {soundfont}: {log}")
        if result.returncode != 0 or not wav_path.is_file():
            raise RuntimeError(f"fluidsynth failed with exit status {result.returncode}: {log}")
        return read_audio(wav_path)[0]
