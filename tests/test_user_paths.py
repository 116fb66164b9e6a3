"""A `~` is the user's home wherever a path is taken."""

import runpy
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from music import make_score
from tiny import ONE_LAYER

from neuromusic_hf import MidiProcessor, build_model
from neuromusic_hf.bundles import ModelIdentity
from neuromusic_hf.disk import lock_folder, user_path
from neuromusic_hf.generation import save_continuation
from neuromusic_hf.metrics import HarmonyEmbedding, load_harmony_embedding
from neuromusic_hf.metrics.embedding import SHIPPED_EMBEDDING
from neuromusic_hf.rendering import save_audio
from neuromusic_hf.reports import compare_runs
from neuromusic_hf.runs import RunFolder, RunSettings, find_pieces, read_run
from neuromusic_hf.training import parse_recipe

SCRIPTS = Path(__file__).parents[1] / "scripts"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (tmp_path / "home").mkdir()
    yield tmp_path / "home"
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_tilde_without_a_user_is_a_name(home):
    assert user_path("~/a") == home / "a" and user_path("~") == home
    assert [str(user_path(name)) for name in ("~song.mid", "a~", "./~", "b/~/c")] == ["~song.mid", "a~", "~", "b/~/c"]


def test_music_is_read_and_written_there(home):
    score = make_score(1)
    score.dump_midi(home / "song.mid")
    processor = MidiProcessor.from_tokenization("TSD")
    assert processor("~/song.mid") == processor(home / "song.mid")
    for source in ("~", "~/song.mid"):
        assert [piece.path for piece in find_pieces([source])] == [home / "song.mid"]
    with pytest.raises(FileNotFoundError, match=str(home)):
        find_pieces(["~/other.mid"])
    result = {"name": "song", "midi": score, "continuation": score, "prompt": score}
    assert {path.parent for path in save_continuation(result, "~/out")} == {home / "out"}
    save_audio("~/sound.wav", np.zeros(100))
    assert (home / "sound.wav").is_file()


def test_bundles_and_embeddings_are_saved_and_found_there(home):
    processor = MidiProcessor.from_tokenization("TSD")
    processor.save_pretrained("~/bundle")
    assert MidiProcessor.from_pretrained("~/bundle").vocabulary_hash == processor.vocabulary_hash
    model = build_model("gpt2", processor, **ONE_LAYER)
    model.save_pretrained(home / "bundle")
    assert build_model("~/bundle", processor).config.hidden_size == 32
    shutil.copytree(SHIPPED_EMBEDDING, home / "harmony")
    load_harmony_embedding("~/harmony").save_pretrained("~/copy")
    assert HarmonyEmbedding.from_pretrained("~/copy").words == HarmonyEmbedding.from_pretrained(home / "harmony").words


def test_runs_are_found_and_written_there(home):
    RunFolder("~/run").open(RunSettings(ModelIdentity("~/bundle", "0" * 64)))
    with lock_folder("~/locked") as folder:
        assert folder == home / "locked"
    with pytest.raises(FileNotFoundError, match=str(home)):
        read_run("~/run")
    with pytest.raises(FileNotFoundError, match=str(home)):
        compare_runs(["~/run"], "~/comparison")


def test_recipes_and_their_values_may_name_it(home):
    (home / "recipe.yaml").write_text("output_dir: ~/run\nmodel: ~/bundle\ndata_dir: ~/data\nuse_cpu: true\n")
    model, data, run = parse_recipe(["~/recipe.yaml", "--tokenization=~/tokenizer", "--resume_from_checkpoint=~/run"])
    found = [model.model, data.data_dir, run.output_dir, model.tokenization, run.resume_from_checkpoint]
    assert found == [str(home / name) for name in ("bundle", "data", "run", "tokenizer", "run")]


CONTINUING = ("continue_midi", "infill_midi")


@pytest.mark.parametrize("script", [*CONTINUING, "score_continuations", "compare_runs", "train_harmony_embedding"])
def test_scripts_write_there(home, script, monkeypatch):
    given = ["~/bundle", "song.mid"] if script in CONTINUING else ["~/run"]
    monkeypatch.setattr(sys, "argv", [script, *given, "--output=~/out"])
    parse = runpy.run_path(str(SCRIPTS / f"{script}.py"))["parse_arguments"]
    assert parse().output == str(home / "out")
