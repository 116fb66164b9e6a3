"""Bundles are pulled by id, revision and token; what keeps one from coming is said, each fault in its own words."""

import builtins
import errno
import io
import json
import os
import sys
import time

import huggingface_hub
import pytest
import torch
from loopback_hub import Status
from music import make_score
from transformers import AutoModelForCausalLM, AutoProcessor, GPT2LMHeadModel, pipeline

from neuromusic_hf import MidiContinuationPipeline, MidiProcessor, build_model
from neuromusic_hf.bundles import save_bundle
from neuromusic_hf.hub import PullError, resolve_commit
from neuromusic_hf.metrics import load_harmony_embedding
from neuromusic_hf.metrics.embedding import SHIPPED_EMBEDDING
from neuromusic_hf.models.adapters import AutoMusicModel, find_processor

SETTINGS = {"prompt_length": 16, "max_new_tokens": 8, "seed": 1}
NAME = "alice/music"
NOBODY = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def bundle_files(tmp_path_factory, tiny_model, processor_of):
    """Files of a bundle, by the name of its processor."""
    made = {}

    def get(name):
        if name not in made:
            folder = tmp_path_factory.mktemp("bundle")
            save_bundle(tiny_model(name), processor_of(name), folder)
            made[name] = {path.name: path.read_bytes() for path in folder.iterdir()}
        return made[name]

    return get


@pytest.fixture
def two_versions(hub, bundle_files) -> dict[str, str]:
    """Commits of a repository: v1 holds a model of REMI, main one of TSD."""
    first = hub.put(NAME, bundle_files("REMI"))
    hub.store.repositories["model", NAME].tags["v1"] = first
    return {"v1": first, "main": hub.put(NAME, bundle_files("TSD"))}


LOADERS = {
    "auto class": AutoModelForCausalLM.from_pretrained,
    "its own class": GPT2LMHeadModel.from_pretrained,
    "of this package": AutoMusicModel.from_pretrained,
}


@pytest.mark.parametrize("load", LOADERS.values(), ids=LOADERS)
def test_a_model_knows_its_commit_however_it_was_loaded_and_has_its_processor(two_versions, load):
    for revision, tokenization in (("v1", "REMI"), ("main", "TSD"), (two_versions["v1"], "REMI"), (None, "TSD")):
        model = load(NAME, **{"revision": revision} if revision else {})
        assert model.hub_commit == two_versions.get(revision, revision or two_versions["main"])
        assert MidiContinuationPipeline(model).processor.tokenization == tokenization


def test_the_pipeline_pulls_by_revision_and_token(two_versions, hub, monkeypatch):
    hub.store.repositories["model", NAME].private = True
    monkeypatch.setenv("HF_TOKEN", "")
    with pytest.raises(OSError, match=NAME):
        pipeline("midi-continuation", model=NAME)
    made = pipeline("midi-continuation", model=NAME, revision="v1", token="hf_alice")
    assert made.processor.tokenization == "REMI" and made.model.hub_commit == two_versions["v1"]
    loaded = AutoModelForCausalLM.from_pretrained(NAME, token="hf_alice")
    assert MidiContinuationPipeline(loaded)(make_score(1), **SETTINGS)["token_ids"]
    assert "hf_alice" not in repr(vars(loaded)) + str(loaded.config)


def test_a_model_answers_with_the_processor_it_was_made_with(tiny_model, processor_of, hub):
    model = tiny_model("REMI")
    assert find_processor(model) is processor_of("REMI")


def test_each_fault_has_its_own_words(two_versions, hub, bundle_files, offline, monkeypatch):
    def fault(name=NAME, **arguments):
        with pytest.raises(PullError) as raised:
            MidiProcessor.from_pretrained(name, **arguments)
        return str(raised.value)

    assert "no model 'alice/musik'" in fault("alice/musik")
    assert "no revision 'v9' (it has main, v1)" in fault(revision="v9")
    hub.put("alice/studio", {"app.py": b""}, kind="space")
    assert "'alice/studio' is a space of the Hub, and no model" in fault("alice/studio")
    hub.put("alice/corpus", {"README.md": b""}, kind="dataset")
    assert "'alice/corpus' is a data set of the Hub, and no model" in fault("alice/corpus")
    assert "no Hub id" in fault("alice/music/model")
    hub.expired.add("hf_mallory")
    assert "refuses the token" in fault(token="hf_mallory")
    hub.put("alice/empty", {"README.md": b""})
    with pytest.raises(FileNotFoundError, match="alice/empty holds no tokenizer.json"):
        MidiProcessor.from_pretrained("alice/empty")
    hub.faults.append(Status("/resolve/", "HEAD", 9, status=403))
    assert "The token may not read 'alice/music'" in fault()
    hub.faults.clear()
    with monkeypatch.context() as changed:
        template = huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(hub.url, NOBODY)
        changed.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        changed.setattr(huggingface_hub.constants, "ENDPOINT", NOBODY)
        changed.setattr(time, "sleep", lambda seconds: None)
        assert f"The Hub ({NOBODY}) cannot be reached" in fault()
    offline()
    assert "switched off (HF_HUB_OFFLINE=1)" in fault()


def test_a_bundle_tells_its_task(two_versions, bundle_files, tmp_path):
    for name, content in bundle_files("REMI").items():
        (tmp_path / name).write_bytes(content)
    for place in (NAME, str(tmp_path)):
        made = pipeline(model=place)
        assert isinstance(made, MidiContinuationPipeline) and made.task == "midi-continuation"
        assert "custom_pipelines" not in made.model.config.to_dict()


def test_no_pickle_is_read(hub, bundle_files, tiny_model):
    files = dict(bundle_files("REMI"))
    buffer = io.BytesIO()
    torch.save(tiny_model("REMI").state_dict(), buffer)
    del files["model.safetensors"]
    hub.put(NAME, files | {"pytorch_model.bin": buffer.getvalue()})
    for load in (MidiContinuationPipeline.from_pretrained, lambda name: pipeline("midi-continuation", model=name)):
        with pytest.raises((OSError, ValueError), match="model.safetensors"):
            load(NAME)
    assert not any("pytorch_model.bin" in path for method, path, _ in hub.requests if method == "GET")


@pytest.fixture
def make_read_only(monkeypatch):
    """Makes a folder one that nothing can be written to, also for root."""

    def make(folder):
        def refusing(function, writes):
            def call(path, *args, **kwargs):
                if str(path).startswith(str(folder)) and writes(*args, **kwargs):
                    raise PermissionError(errno.EACCES, "read-only", str(path))
                return function(path, *args, **kwargs)

            return call

        def opens_to_write(mode="r", *_, **kwargs):
            return bool(set(kwargs.get("mode", mode)) & set("wax+"))

        for module in (builtins, io):
            monkeypatch.setattr(module, "open", refusing(open, opens_to_write))
        flags = os.O_WRONLY | os.O_RDWR | os.O_CREAT
        monkeypatch.setattr(os, "open", refusing(os.open, lambda given=0, *_, **kwargs: given & flags))
        for name in ("mkdir", "rename", "replace", "remove", "unlink", "symlink", "link", "utime", "chmod"):
            monkeypatch.setattr(os, name, refusing(getattr(os, name), lambda *_, **__: True))

    return make


def test_a_bundle_is_pulled_once_and_comes_from_a_cache_that_cannot_be_written(
    two_versions, hub, offline, tmp_path, make_read_only, processor_of
):
    hub.put("alice/harmony", {path.name: path.read_bytes() for path in SHIPPED_EMBEDDING.iterdir()})
    routes = {
        "pipeline": lambda: pipeline("midi-continuation", model=NAME, revision="v1").processor.vocabulary_hash,
        "ours": lambda: MidiContinuationPipeline.from_pretrained(NAME, revision="v1").processor.vocabulary_hash,
        "processor": lambda: MidiProcessor.from_pretrained(NAME).vocabulary_hash,
        "auto processor": lambda: AutoProcessor.from_pretrained(NAME).vocabulary_hash,
        "model": lambda: build_model(NAME, processor_of("REMI"), revision="v1").hub_commit,
        "auto model": lambda: find_processor(AutoModelForCausalLM.from_pretrained(NAME)).vocabulary_hash,
        "embedding": lambda: load_harmony_embedding("alice/harmony").sha256,
    }
    first = {name: route() for name, route in routes.items()}
    cache = tmp_path / "hub_cache"
    before = {path: path.lstat().st_mtime_ns for path in cache.rglob("*")}
    make_read_only(cache)
    with pytest.raises(PermissionError):
        (cache / "x").write_text("x")
    assert {name: route() for name, route in routes.items()} == first
    offline()
    hub.requests.clear()
    assert {name: route() for name, route in routes.items()} == first and not hub.requests
    assert {path: path.lstat().st_mtime_ns for path in cache.rglob("*")} == before


@pytest.mark.parametrize("file", ["config.json", "generation_config.json"])
def test_what_training_leaves_about_the_cache_makes_nothing_slow(bundle_files, tmp_path, file):
    for name, content in bundle_files("REMI").items():
        (tmp_path / name).write_bytes(content)
    said = json.loads((tmp_path / file).read_text())
    (tmp_path / file).write_text(json.dumps(said | {"use_cache": False}))
    made = MidiContinuationPipeline.from_pretrained(tmp_path)
    widths = []
    made.model.register_forward_pre_hook(
        lambda model, args, kwargs: widths.append(kwargs["input_ids"].shape[1]), with_kwargs=True
    )
    found = made(make_score(1), **SETTINGS)["token_ids"]
    assert widths == [16, 1, 1, 1, 1, 1, 1, 1]
    (tmp_path / file).write_text(json.dumps(said))
    assert MidiContinuationPipeline.from_pretrained(tmp_path)(make_score(1), **SETTINGS)["token_ids"] == found


def test_a_bundle_may_lie_in_a_folder_of_a_repository(hub, bundle_files):
    hub.put(NAME, {f"bundle/{name}": content for name, content in bundle_files("REMI").items()})
    made = MidiContinuationPipeline.from_pretrained(NAME, model_kwargs={"subfolder": "bundle"})
    assert made(make_score(1), **SETTINGS)["token_ids"]


def test_a_token_that_is_not_to_be_used_is_not(two_versions, hub):
    hub.requests.clear()
    MidiContinuationPipeline.from_pretrained(NAME, token=False)
    assert not [path for _, path, user in hub.requests if user and "/resolve/" in path]


def test_trust_goes_with_a_model_to_its_processor(hub, tmp_path, tiny_model, monkeypatch):
    (tmp_path / "strange_words.py").write_text("from miditok import REMI\n\n\nclass Strange(REMI):\n    pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    processor = MidiProcessor.from_tokenization("strange_words.Strange")
    save_bundle(tiny_model("REMI"), processor, tmp_path / "bundle")
    hub.put(NAME, {path.name: path.read_bytes() for path in (tmp_path / "bundle").iterdir()})
    routes = (
        lambda **trust: MidiContinuationPipeline.from_pretrained(NAME, **trust),
        lambda **trust: pipeline("midi-continuation", model=NAME, **trust),
        lambda **trust: MidiContinuationPipeline(AutoModelForCausalLM.from_pretrained(NAME, **trust)),
        lambda **trust: MidiContinuationPipeline(
            model := AutoModelForCausalLM.from_pretrained(NAME), find_processor(model, **trust)
        ),
    )
    for route in routes:
        monkeypatch.delitem(sys.modules, "strange_words", raising=False)
        with pytest.raises(ValueError, match="strange_words.Strange"):
            route()
        assert "strange_words" not in sys.modules
        assert route(trust_remote_code=True).processor.tokenization == "strange_words.Strange"


def test_an_argument_that_there_is_not_is_no_fault_of_the_hub(two_versions):
    with pytest.raises(TypeError, match="timeout"):
        resolve_commit(NAME, timeout=1)
