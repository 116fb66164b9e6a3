"""`pipeline("midi-continuation")` on saved bundles, with this package imported and without."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from music import make_score
from transformers import AutoConfig, AutoModelForCausalLM, pipeline

from neuromusic_hf import MidiContinuationPipeline, MidiInfillingPipeline, MidiProcessor
from neuromusic_hf.bundles import save_bundle
from neuromusic_hf.bundles.card_metadata import card_metadata
from neuromusic_hf.bundles.facts import BundleFacts
from neuromusic_hf.bundles.pipeline_file import CUSTOM_PIPELINES

SETTINGS = {"prompt_length": 40, "max_new_tokens": 16, "seed": 3}

WITHOUT_THE_IMPORT = """
import json, sys
from transformers import pipeline

settings, pieces = json.loads(sys.argv[1]), {}
for folder in sys.argv[3:]:
    if "neuromusic_hf" not in sys.modules:
        try:
            pipeline("midi-continuation", model=folder)
        except ValueError as error:
            assert "trust_remote_code=True" in str(error)
        else:
            raise AssertionError("code was run that nobody trusted")
    pipe = pipeline("midi-continuation", model=folder, trust_remote_code=True, device="cpu")
    pieces[folder] = pipe(sys.argv[2], **settings)["token_ids"]
    pipe.save_pretrained(folder + ".again")
    again = pipeline("midi-continuation", model=folder + ".again", trust_remote_code=True, device="cpu")
    assert again(sys.argv[2], **settings)["token_ids"] == pieces[folder]
print(json.dumps(pieces))
"""


@pytest.fixture(scope="module")
def bundles(tiny_model, processor_of, tmp_path_factory):
    """A folder for each family, the first one without a file of ours."""
    folders = {}
    for family in ("gpt2", "llama", "music_transformer"):
        folders[family] = tmp_path_factory.mktemp("bundles") / family
        save_bundle(tiny_model("REMI", family), processor_of("REMI"), folders[family])
    return folders


def custom_pipelines(folder):
    return sorted(json.loads((folder / "config.json").read_text()).get("custom_pipelines", []))


@pytest.mark.parametrize("family", ["gpt2", "llama", "music_transformer"])
def test_after_the_import_no_trust_is_asked_for(bundles, pipeline_of, family):
    pipe = pipeline("midi-continuation", model=str(bundles[family]), device="cpu")
    assert type(pipe) is MidiContinuationPipeline
    expected = pipeline_of("REMI", family)(make_score(1), **SETTINGS)["token_ids"]
    assert pipe(make_score(1), **SETTINGS)["token_ids"] == expected


def test_without_the_import_the_bundle_names_its_pipeline(bundles, pipeline_of, tmp_path):
    make_score(1).dump_midi(tmp_path / "song.mid")
    folders = [shutil.copytree(bundles[family], tmp_path / family) for family in ("gpt2", "music_transformer")]
    command = [sys.executable, "-c", WITHOUT_THE_IMPORT, json.dumps(SETTINGS), tmp_path / "song.mid", *folders]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False, env=os.environ)
    assert done.returncode == 0, done.stderr
    for folder, ids in json.loads(done.stdout.splitlines()[-1]).items():
        family = os.path.basename(folder)
        assert ids == pipeline_of("REMI", family)(make_score(1), **SETTINGS)["token_ids"]


def test_a_bundle_from_before_the_pipeline_works(bundles, pipeline_of, tmp_path):
    folder = shutil.copytree(bundles["llama"], tmp_path / "old")
    (folder / "midi_continuation.py").unlink()
    config = json.loads((folder / "config.json").read_text())
    del config["custom_pipelines"]
    (folder / "config.json").write_text(json.dumps(config))
    pipe = pipeline("midi-continuation", model=str(folder), device="cpu")
    expected = pipeline_of("REMI", "llama")(make_score(1), **SETTINGS)["token_ids"]
    assert pipe(make_score(1), **SETTINGS)["token_ids"] == expected
    pipe.save_pretrained(tmp_path / "new")
    assert "midi-continuation" in json.loads((tmp_path / "new" / "config.json").read_text())["custom_pipelines"]


def test_a_saved_pipeline_is_a_whole_bundle(bundles, tmp_path):
    pipeline("midi-continuation", model=str(bundles["gpt2"]), device="cpu").save_pretrained(tmp_path)
    assert sorted(os.listdir(tmp_path)) == sorted(os.listdir(bundles["gpt2"]))
    assert (tmp_path / "config.json").read_text() == (bundles["gpt2"] / "config.json").read_text()


def test_text_generation_is_as_it_was(bundles):
    generator = pipeline("text-generation", model=str(bundles["gpt2"]), device="cpu")
    assert generator("BOS_None Bar_None", max_new_tokens=4)[0]["generated_text"]


def test_pipelines_of_others_are_kept(bundles, processor_of, tmp_path):
    config = AutoConfig.from_pretrained(bundles["gpt2"])
    assert "custom_pipelines" not in config.to_dict()
    config.custom_pipelines = CUSTOM_PIPELINES | {"other-task": {"impl": "other.Pipeline"}}
    assert list(config.custom_pipelines) == ["other-task"]
    config.save_pretrained(tmp_path)
    assert custom_pipelines(tmp_path) == ["other-task"]
    model = AutoModelForCausalLM.from_pretrained(bundles["gpt2"], config=config)
    save_bundle(model, processor_of("REMI"), tmp_path)
    assert custom_pipelines(tmp_path) == ["midi-continuation", "other-task"]
    del config.custom_pipelines
    assert not hasattr(config, "custom_pipelines")


def test_a_config_names_the_pipeline_where_its_file_is(bundles, processor_of, tmp_path):
    for family, folder in bundles.items():
        assert custom_pipelines(folder) == ["midi-continuation"] and (folder / "midi_continuation.py").is_file()
        model, alone = AutoModelForCausalLM.from_pretrained(folder), tmp_path / family
        MidiContinuationPipeline(model, processor_of("REMI"), device="cpu")
        model.save_pretrained(alone)
        assert custom_pipelines(alone) == [] and not (alone / "midi_continuation.py").exists()


def test_a_model_and_a_processor_saved_alone_make_a_bundle(bundles, pipeline_of, processor_of, tmp_path):
    AutoModelForCausalLM.from_pretrained(bundles["llama"]).save_pretrained(tmp_path)
    processor_of("REMI").save_pretrained(tmp_path)
    pipe = pipeline("midi-continuation", model=str(tmp_path), device="cpu")
    expected = pipeline_of("REMI", "llama")(make_score(1), **SETTINGS)["token_ids"]
    assert pipe(make_score(1), **SETTINGS)["token_ids"] == expected


def test_a_model_without_its_processor_is_refused(bundles, tmp_path):
    for gone in ("processor_config.json", "tokenizer.json"):
        folder = shutil.copytree(bundles["llama"], tmp_path / gone)
        (folder / gone).unlink()
        with pytest.raises(ValueError, match="save_pretrained") as error:
            pipeline("midi-continuation", model=str(folder), device="cpu")
        assert str(folder) in str(error.value)


def test_a_processor_of_another_vocabulary_is_refused(bundles):
    model = AutoModelForCausalLM.from_pretrained(bundles["gpt2"])
    other = MidiProcessor.from_tokenization("Structured")
    sizes = f"{model.config.vocab_size}.*{other.vocab_size} ids"
    with pytest.raises(ValueError, match=sizes):
        pipeline("midi-continuation", model=model, processor=other, device="cpu")
    with pytest.raises(ValueError, match="needs a MidiProcessor"):
        MidiContinuationPipeline(model, other.tokenizer, device="cpu")


def test_a_processor_is_taken_from_where_it_is_said_to_be(bundles, processor_of, tmp_path):
    model = str(bundles["gpt2"])
    assert pipeline("midi-continuation", model=model, processor=model, device="cpu").processor.vocab_size
    processor_of("TSD").save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="ids and the processor"):
        pipeline("midi-continuation", model=model, processor=str(tmp_path), device="cpu")


WITHOUT_THE_IMPORT_TOO = """
import json, sys
from transformers import pipeline

infill = pipeline("midi-infilling", model=sys.argv[1], trust_remote_code=True, device="cpu")
print(json.dumps(infill(sys.argv[2], bars=(1, 2), instruments=[32], seed=3)["spans"][0]["token_ids"]))
"""


def test_a_bundle_that_was_trained_to_fill_in_names_both_tasks(tiny_model, processor_of, tmp_path):
    model, song = tiny_model("REMI", "llama"), tmp_path / "song.mid"
    model.config.infill_share = 0.5
    save_bundle(model, processor_of("REMI"), tmp_path / "bundle")
    make_score(1, num_notes=40).dump_midi(song)
    assert custom_pipelines(tmp_path / "bundle") == ["midi-continuation", "midi-infilling"]
    assert (tmp_path / "bundle" / "midi_infilling.py").is_file()
    facts = BundleFacts.read(tmp_path / "bundle")
    assert {"midi-continuation", "midi-infilling"} <= {*card_metadata(facts, "bundle", [])["tags"]}
    infill = pipeline("midi-infilling", model=str(tmp_path / "bundle"), device="cpu")
    assert type(infill) is MidiInfillingPipeline
    assert type(pipeline(model=str(tmp_path / "bundle"), device="cpu")) is MidiContinuationPipeline
    command = [sys.executable, "-c", WITHOUT_THE_IMPORT_TOO, tmp_path / "bundle", song]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False, env=os.environ)
    assert done.returncode == 0, done.stderr
    expected = infill(song, bars=(1, 2), instruments=[32], seed=3)["spans"][0]["token_ids"]
    assert json.loads(done.stdout.splitlines()[-1]) == expected
    AutoConfig.from_pretrained(tmp_path / "bundle").save_pretrained(tmp_path / "alone")
    assert custom_pipelines(tmp_path / "alone") == []
