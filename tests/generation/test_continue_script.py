"""scripts/continue_midi.py as a user runs it, on files, folders and corpora."""

import json
import runpy
import shutil
import sys
import wave
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from symusic import Score
from transformers import set_seed

from neuromusic_hf import MidiProcessor, build_model, load_corpus

REPOSITORY = Path(__file__).parents[2]
SCRIPT = str(REPOSITORY / "scripts" / "continue_midi.py")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle")
    set_seed(0)
    processor = MidiProcessor.from_tokenization("TSD")
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    build_model("llama", processor, context_length=128, **sizes).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture
def continue_midi(monkeypatch, bundle, tmp_path):
    def run(*arguments):
        lengths = ["--prompt_length", "64", "--continue_length", "32"]
        command = [SCRIPT, bundle, *arguments, *lengths, "--output", tmp_path / "out"]
        monkeypatch.setattr(sys, "argv", [str(part) for part in command])
        runpy.run_path(SCRIPT, run_name="__main__")
        return tmp_path / "out", json.loads((tmp_path / "out" / "manifest.json").read_text())

    return run


def test_a_folder_with_a_broken_file(continue_midi, midi_folder, tmp_path):
    folder = tmp_path / "prompts"
    folder.mkdir()
    for name in ("piece_00.mid", "piece_01.mid"):
        (folder / name).write_bytes((midi_folder / name).read_bytes())
    (folder / "broken.MID").write_bytes(b"MThd")
    output, manifest = continue_midi(folder)
    assert manifest["continued"] == 2
    assert [piece["name"] for piece in manifest["pieces_left_out"]] == ["broken"]
    assert sum(manifest["left_out"].values()) == 1
    for piece in manifest["pieces"]:
        assert piece["prompt_tokens"] == 64 and piece["generated_tokens"] <= 32
        for part in ("prompt", "generated", "original", "full"):
            assert Score(output / piece["files"][part]).note_num() == piece["notes"][part]
        assert piece["notes"]["full"] == piece["notes"]["prompt"] + piece["notes"]["generated"]
        picture = matplotlib.image.imread(output / piece["files"]["picture"])
        assert min(picture.shape[:2]) > 100 and picture[..., :3].std() > 0.01
        assert set(piece) >= {"ended_with_eos", "entropy_nats", "seed", "seconds"}


def test_a_corpus_and_audio(continue_midi, midi_folder):
    pytest.importorskip("midirenderer", reason="midirenderer is not installed (pip install neuromusic_hf[audio])")
    output, manifest = continue_midi(midi_folder / "piece_03.mid", "--audio", "1", "--no_pictures")
    (piece,) = manifest["pieces"]
    assert "picture" not in piece["files"]
    with wave.open(str(output / piece["files"]["audio"])) as sound:
        samples = np.frombuffer(sound.readframes(sound.getnframes()), dtype=np.int16)
    assert np.abs(samples.astype(int)).max() > 1000


def test_the_test_split_of_a_corpus(continue_midi, midi_folder, tmp_path):
    archive = shutil.make_archive(tmp_path / "corpus", "zip", midi_folder)
    in_test = load_corpus(archive)["test"]["content_hash"]
    _, manifest = continue_midi(archive, "--no_pictures")
    assert manifest["continued"] == len(in_test) > 0


def test_the_same_seed_writes_the_same_music(continue_midi, midi_folder):
    source = midi_folder / "piece_05.mid"
    written = []
    for seed in ("3", "3", "4"):
        output, manifest = continue_midi(source, "--seed", seed, "--no_pictures")
        written.append((output / manifest["pieces"][0]["files"]["full"]).read_bytes())
    assert written[0] == written[1] != written[2]


def test_a_file_that_is_not_there_is_named(continue_midi):
    with pytest.raises(FileNotFoundError, match="nowhere.mid"):
        continue_midi("nowhere.mid")
