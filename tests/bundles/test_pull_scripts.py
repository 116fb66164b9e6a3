"""Scripts take the id and the revision of a bundle on the Hub, and runs name it by id and commit."""

import io
import json

import evaluate
import huggingface_hub
import pytest
import torch
from datasets import Dataset
from safetensors.torch import load_file

from neuromusic_hf import MidiProcessor
from neuromusic_hf.bundles import save_bundle
from neuromusic_hf.metrics import HARMONY, load_harmony_embedding, load_metrics, metric_path
from neuromusic_hf.metrics.embedding import SHIPPED_EMBEDDING
from neuromusic_hf.models.adapters import check_base
from neuromusic_hf.preparation import begin_preparation
from neuromusic_hf.reports import InfillScoringOptions, ScoringOptions, score_run
from neuromusic_hf.reports.infill_runs import continuing
from neuromusic_hf.reports.run_model import NotAvailable, load_run_model
from neuromusic_hf.runs import find_pieces, read_run

NAME = "alice/music"
LENGTHS = ("--prompt_length", 16, "--continue_length", 8, "--max_items", 2, "--no-save_pictures")


@pytest.fixture
def commits(hub, tmp_path, tiny_model, processor_of) -> dict[str, str]:
    """Of a repository whose branches hold models of two tokenizers."""
    made = {}
    for revision, name in (("v1", "REMI"), ("main", "TSD")):
        save_bundle(tiny_model(name), processor_of(name), tmp_path / name)
        files = {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        made[revision] = hub.put(NAME, files)
        hub.store.repositories["model", NAME].tags[revision] = made[revision]
    return made


@pytest.fixture
def corpus(hub, midi_folder) -> str:
    """A data set whose revision v1 has one piece in each split, and main three."""

    def rows(files):
        buffer = io.BytesIO()
        midi = [{"bytes": file.read_bytes(), "path": file.name} for file in files]
        Dataset.from_dict({"midi": midi}).to_parquet(buffer)
        return buffer.getvalue()

    files = sorted(midi_folder.glob("*.mid"))
    for revision, size in (("v1", 1), ("main", 3)):
        parts = {split: files[3 * part :][:size] for part, split in enumerate(("train", "validation", "test"))}
        shards = {f"data/{split}-00000-of-00001.parquet": rows(part) for split, part in parts.items()}
        commit = hub.put("alice/corpus", shards, kind="dataset")
        hub.store.repositories["dataset", "alice/corpus"].tags[revision] = commit
    return "alice/corpus"


def test_a_run_with_what_is_on_the_hub_is_made_scored_and_made_again_offline(
    hub, commits, corpus, offline, tmp_path, call_script
):
    def run(name):
        arguments = ("--revision", "v1", "--corpus_revision", "v1", *LENGTHS, "--output", tmp_path / name)
        call_script("continue_midi", NAME, corpus, *arguments)
        settings = json.loads((tmp_path / name / "settings.json").read_text())
        assert settings["model"] == {"name": NAME, "revision": commits["v1"], "files": None}
        return [path.read_bytes() for path in sorted((tmp_path / name).glob("*.mid"))]

    call_script(
        "train_harmony_embedding", corpus, "--revision", "main", "--vector_size", 8, "--output", tmp_path / "harmony"
    )
    embedding = load_harmony_embedding(tmp_path / "harmony")
    assert embedding.training["pieces"] == 3
    first = hub.put("alice/harmony", {path.name: path.read_bytes() for path in (tmp_path / "harmony").iterdir()})
    hub.store.repositories["model", "alice/harmony"].tags["v1"] = first
    hub.put("alice/harmony", {path.name: path.read_bytes() for path in SHIPPED_EMBEDDING.iterdir()})

    written = run("run")
    call_script(
        "score_continuations", tmp_path / "run", "--output", tmp_path / "report", "--num_proc", 1, "--train_corpus",
        corpus, "--revision", "v1", "--harmony_embedding", "alice/harmony", "--harmony_revision", "v1",
    )  # fmt: skip
    scores = json.loads((tmp_path / "report" / "scores.json").read_text())
    assert scores["settings"]["harmony_embedding"]["sha256"] == embedding.sha256
    assert scores["pieces"]["continued"] == 1 and scores["settings"]["train_corpus"] == corpus
    assert scores["model"]["tokenization"] == "REMI" and scores["token_errors"]

    before = {path: path.lstat().st_mtime_ns for path in (tmp_path / "hub_cache").rglob("*")}
    offline()
    hub.requests.clear()
    assert len(written) == 4 and run("again") == written
    assert load_run_model(read_run(tmp_path / "again")).processor.tokenization == "REMI"
    assert not hub.requests
    assert {path: path.lstat().st_mtime_ns for path in (tmp_path / "hub_cache").rglob("*")} == before


def test_what_is_private_is_found_with_a_token(hub, commits, corpus, tmp_path, call_script, monkeypatch):
    call_script("continue_midi", NAME, corpus, *LENGTHS, "--output", tmp_path / "run")
    run = read_run(tmp_path / "run")
    adapter = {"peft_type": "LORA", "base_model_name_or_path": NAME, "task_type": "CAUSAL_LM"}
    hub.put("alice/lora", {"adapter_config.json": json.dumps(adapter).encode()})
    commit = hub.put("alice/harmony", {path.name: path.read_bytes() for path in SHIPPED_EMBEDDING.iterdir()})
    for repository in hub.store.repositories.values():
        repository.private = True
    monkeypatch.setenv("HF_TOKEN", "hf_bob")
    path = metric_path("harmony_kl")

    def score(**token):
        options = ScoringOptions(train_corpus=corpus, harmony_embedding="alice/harmony", num_proc=1, **token)
        record = score_run(run, options).record
        assert record["token_errors"] and record["novelty"] and "hf_alice" not in json.dumps(record) + repr(options)

    for number, pulled in enumerate(
        (
            lambda **token: find_pieces([corpus], **token),
            lambda **token: check_base("alice/lora", **token),
            lambda **token: HARMONY.bind("alice/harmony", revision=commit, **token),
            lambda **token: load_metrics("alice/harmony", revision=commit, **token),
            lambda **token: evaluate.load(path, embedding="alice/harmony", embedding_revision=commit, **token),
            score,
        )
    ):
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / f"cache {number}"))
        with pytest.raises((OSError, ValueError), match="[Nn]o (model|data set|harmony embedding) 'alice/"):
            pulled()
        pulled(token="hf_alice_read")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    with pytest.raises(NotAvailable, match="cannot be loaded"):
        load_run_model(run)
    assert load_run_model(run, token="hf_alice_read").processor.tokenization == "TSD"


def test_infills_are_judged_beside_a_bundle_of_a_revision(commits):
    for revision, tokenization in (("v1", "REMI"), (commits["v1"], "REMI"), (None, "TSD")):
        options = InfillScoringOptions(continue_with=NAME, continue_revision=revision)
        assert continuing(options)["continuation"].processor.tokenization == tokenization
    with pytest.raises(ValueError, match="name that too"):
        InfillScoringOptions(continue_revision="v1")


def test_a_corpus_is_prepared_for_a_processor_of_a_revision(commits, midi_folder, tmp_path):
    def begin(folder, tokenization=NAME, revision=None):
        return begin_preparation(
            midi_folder,
            tmp_path / folder,
            tokenization=tokenization,
            tokenization_revision=revision,
            cache_dir=tmp_path / "cache",
        )

    for revision, tokenization in (("v1", "REMI"), (None, "TSD")):
        assert begin(f"for {revision}", revision=revision).processor().tokenization == tokenization
    with pytest.raises(ValueError, match="tokenization_revision was 'v1' and is None"):
        begin("for v1")
    for here in ("REMI", str(tmp_path / "REMI")):
        with pytest.raises(ValueError, match="Revision 'v1' of .*REMI': only what is on the Hub"):
            begin("another", here, "v1")


def test_revisions_of_scores_belong_to_something():
    for options in ({"revision": "v1"}, {"harmony_revision": "v1"}):
        with pytest.raises(ValueError, match="name that too"):
            ScoringOptions(**options)


def test_a_revision_goes_with_what_is_on_the_hub(commits, tmp_path, midi_folder, call_script):
    for arguments, named in (
        ((tmp_path / "REMI", midi_folder, "--revision", "v1"), "REMI"),
        ((NAME, midi_folder, "--corpus_revision", "v1"), str(midi_folder)),
    ):
        with pytest.raises(ValueError, match=f"(?s)evision 'v1'.*{named}"):
            call_script("continue_midi", *arguments, *LENGTHS, "--output", tmp_path / "out")


def test_training_goes_on_from_a_bundle_of_the_hub_and_again_offline(
    hub, commits, offline, midi_folder, tmp_path, call_script
):
    def train(name, **said):
        options = said | {
            "model": NAME, "revision": "v1", "corpus": midi_folder, "context_length": 64,
            "max_steps": 1, "per_device_train_batch_size": 2, "max_eval_blocks": 2, "learning_rate": 0.0001,
            "output_dir": tmp_path / name, "disable_tqdm": True,
        }  # fmt: skip
        call_script("train", *(part for option, value in options.items() for part in (f"--{option}", value)))
        bundle = tmp_path / name / "bundle"
        assert MidiProcessor.from_pretrained(bundle).tokenization == "REMI"
        record = (bundle / "run.json").read_text()
        assert json.loads(record)["base_model"] == {"name": NAME, "revision": commits["v1"]}
        assert "hub_cache" not in record + (bundle / "recipe.yaml").read_text()
        return load_file(bundle / "model.safetensors")

    first = train("first", tokenization=NAME)
    offline()
    hub.requests.clear()
    second = train("second")
    assert not hub.requests and all(torch.equal(second[name], weight) for name, weight in first.items())


def test_pieces_of_the_hub_are_continued_by_revision(corpus):
    assert [len(find_pieces([corpus], revision=revision)) for revision in ("v1", None)] == [1, 3]
    (piece,) = find_pieces([corpus], revision="v1")
    assert piece.read()[:4] == b"MThd"
