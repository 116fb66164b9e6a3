"""What a test run is asked to do: impossible wishes are refused."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

from neuromusic_hf.runs import ContinuationSettings, OutputSettings


@pytest.mark.parametrize("name", ["prompt_length", "continue_length", "batch_size"])
def test_a_length_of_zero_is_refused(name):
    with pytest.raises(ValueError, match=f"{name}=0"):
        ContinuationSettings(**{name: 0})


@pytest.mark.parametrize("seed", [-1, 2**70, 1.5, True, "1", None])
def test_a_seed_out_of_range_is_refused(seed):
    with pytest.raises(ValueError, match=f"seed={re.escape(repr(seed))}"):
        ContinuationSettings(seed=seed)
    assert ContinuationSettings(seed=np.int64(3)) and ContinuationSettings(seed=2**64 - 1)


def test_more_tokens_than_the_model_reads_are_refused():
    model = SimpleNamespace(config=SimpleNamespace(max_position_embeddings=96))
    ContinuationSettings(prompt_length=80, continue_length=16).check(model)
    with pytest.raises(ValueError, match="97 tokens.*96"):
        ContinuationSettings(prompt_length=80, continue_length=17).check(model)
    ContinuationSettings().check(SimpleNamespace(config=SimpleNamespace()))


def test_audio_that_cannot_be_rendered_is_refused_before_it_is_needed(tmp_path):
    pytest.importorskip("midirenderer", reason="midirenderer is not installed (pip install neuromusic_hf[audio])")
    OutputSettings(audio=None).check()
    missing = str(tmp_path / "missing.sf2")
    OutputSettings(soundfont=missing).check()
    with pytest.raises(FileNotFoundError, match="missing.sf2"):
        OutputSettings(audio=1, soundfont=missing).check()


def test_the_first_pieces_or_all_are_rendered():
    assert [OutputSettings(audio=2).wants_audio(index) for index in range(4)] == [True, True, False, False]
    assert OutputSettings(audio=None).wants_audio(10_000)


def test_a_soundfont_is_known_by_its_content_where_it_is_heard(tmp_path):
    path = tmp_path / "own.sf2"
    records = []
    for content in (b"first", b"other"):
        path.write_bytes(content)
        records += [OutputSettings(audio=audio, soundfont=str(path)).as_record() for audio in (0, None)]
    assert records[0] == records[2] and records[1] != records[3]
    OutputSettings(audio=0, soundfont="nowhere.sf2").as_record()
