"""What of a report others get: scores, examples, runs; and nothing of the machine they were made on."""

import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import matplotlib.image
import pytest
from huggingface_hub import HfApi, snapshot_download
from jinja2 import Environment
from music import make_score

from neuromusic_hf.bundles import ModelIdentity
from neuromusic_hf.disk import whole
from neuromusic_hf.music import load_score
from neuromusic_hf.rendering import read_audio
from neuromusic_hf.reports import (
    ScoringOptions,
    add_report,
    compare_runs,
    publishing,
    push_continuations,
    score_run,
    write_report,
)
from neuromusic_hf.reports import showcase as showcase_module
from neuromusic_hf.reports.publishing import EXAMPLE_SECONDS
from neuromusic_hf.reports.shareable import PublicNames
from neuromusic_hf.runs import OutputSettings, read_run

PLACES = ["best", "median", "worst"]


@pytest.fixture(scope="session")
def published(make_run, bundle, midi_folder, tmp_path_factory):
    """A copy of a bundle with the report of its run, scored against a corpus in a folder."""
    folder = tmp_path_factory.mktemp("secret_home")
    generated = [make_score(100 + index) for index in range(4)]
    make_run(folder / "continuations", generated, ["short"])
    run = read_run(folder / "continuations")
    scores = score_run(run, ScoringOptions(train_corpus=str(midi_folder), num_proc=1))
    write_report(run, scores, folder / "report")
    shutil.copytree(bundle, folder / "bundle")
    add_report(folder / "bundle", folder / "report", folder / "continuations")
    return SimpleNamespace(bundle=folder / "bundle", report=folder / "report", run=run, scores=scores)


def texts(value) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    return [value] if isinstance(value, str) else []


def test_scores_keep_all_but_paths(published, midi_folder):
    record = json.loads((published.bundle / "scores.json").read_text())
    assert list(record["examples"]) == PLACES
    assert record["settings"]["train_corpus"] == midi_folder.name
    assert record["model"]["name"] == record["settings"]["run"]["model"]["name"] != ""
    for name in ("scores", "novelty", "token_errors", "pieces", "mean_entropy_nats", "versions"):
        assert record[name] == json.loads(json.dumps(published.scores.record))[name]
    for text in texts(record):
        assert not Path(text).is_absolute() and "secret_home" not in text and str(midi_folder) not in text
    table = compare_runs([published.bundle, published.bundle], published.bundle.parent / "comparison")
    assert table.read_text().count("TSD") == 2


def test_examples_are_to_see_and_to_hear(published):
    folder, run = published.bundle / "examples", published.run
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        f"{place}.{kind}" for place in PLACES for kind in ("mid", "png", "wav")
    )
    examples = json.loads((published.bundle / "scores.json").read_text())["examples"]
    for place in PLACES:
        pixels = matplotlib.image.imread(io.BytesIO((folder / f"{place}.png").read_bytes()))
        assert min(pixels.shape[:2]) > 100
        audio, rate = read_audio(folder / f"{place}.wav")
        assert 0 < audio.shape[1] <= EXAMPLE_SECONDS * rate and (folder / f"{place}.wav").stat().st_size < 2 * 2**20
        (record,) = [each for each in run.records if each.label == examples[place]["piece"]]
        assert load_score(folder / f"{place}.mid") == load_score(run.path(record.files.full))


def test_another_report_takes_its_place(published, make_run, tmp_path, monkeypatch, caplog):
    def no_engine(*arguments, **settings):
        raise ImportError("no synthesiser")

    monkeypatch.setattr(showcase_module, "render_audio", no_engine)
    bundle = shutil.copytree(published.bundle, tmp_path / "bundle")
    run = read_run(make_run(tmp_path / "run", [make_score(200)]))
    write_report(run, score_run(run, ScoringOptions(num_proc=1)), tmp_path / "report")
    add_report(bundle, tmp_path / "report", tmp_path / "run")
    assert sorted(path.name for path in (bundle / "examples").iterdir()) == ["best.mid", "best.png"]
    assert json.loads((bundle / "scores.json").read_text())["examples"]["best"]["place"] == "best, median, worst"
    assert "no synthesiser" in caplog.text
    assert not [path for path in bundle.iterdir() if "partial" in path.name]


def test_nothing_unfinished_lies_in_the_bundle_meanwhile(published, tmp_path, monkeypatch):
    def watching(work):
        def call(*arguments):
            seen.update(path.name for path in bundle.rglob("*"))
            return work(*arguments)

        return call

    bundle, seen = shutil.copytree(published.bundle, tmp_path / "bundle"), set()
    before = {path.name for path in bundle.rglob("*")}
    monkeypatch.setattr(publishing, "make_exhibit", watching(publishing.make_exhibit))
    monkeypatch.setattr(whole, "sync", watching(whole.sync))
    monkeypatch.chdir(bundle)
    add_report(".", published.report, published.run.folder)
    assert seen == before == {path.name for path in bundle.rglob("*")}


def test_scores_of_another_model_or_run_are_refused(published, make_run, tmp_path):
    bundle = shutil.copytree(published.bundle, tmp_path / "bundle")
    run, report = published.run, published.report
    other = make_run(tmp_path / "other", [make_score(300)], ["left out"], OutputSettings(pictures=True))
    with pytest.raises(ValueError, match="scores of another run"):
        add_report(bundle, report, other)
    with pytest.raises(FileNotFoundError, match="report"):
        add_report(bundle, tmp_path / "nowhere", run.folder)
    before = {path.name for path in bundle.rglob("*")}
    for name in ("config.json", "model.safetensors"):
        content = (bundle / name).read_bytes()
        (bundle / name).write_bytes(b"others")
        with pytest.raises(ValueError, match="another model"):
            add_report(bundle, report, run.folder)
        (bundle / name).write_bytes(content)
    shutil.copytree(run.folder, tmp_path / "of_hub")
    manifest = json.loads((run.folder / "manifest.json").read_text())
    manifest["settings"]["model"] = {"name": "alice/x", "revision": "a" * 40}
    (tmp_path / "of_hub" / "manifest.json").write_text(json.dumps(manifest))
    of_hub = read_run(tmp_path / "of_hub")
    write_report(of_hub, replace(published.scores, record=scored_as(published, of_hub)), tmp_path / "report")
    with pytest.raises(ValueError, match="alice/x of the Hub"):
        add_report(published.bundle, tmp_path / "report", of_hub.folder)
    assert {path.name for path in bundle.rglob("*")} == before


def scored_as(published, run) -> dict:
    record = json.loads(json.dumps(published.scores.record))
    record["settings"]["run"]["model"] = {"name": run.model.name, "revision": run.model.revision}
    return record


def python_of(card: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", card, re.DOTALL)


@pytest.mark.parametrize("home", ["/home/al", '/home/al\'s "music" & more', "/home/Über"])
def test_no_path_stays_in_a_page(published, home):
    settings = replace(published.run.settings, model=ModelIdentity(f"{home}/runs/x/bundle", "0" * 64))
    names = PublicNames(settings, [f"{home}/songs", "maestro+alice/songs"])
    record = {
        "model": {"name": settings.model.name},
        "why": f"no folder {home}/runs/x/bundle here",
        "of": f"{home}/songs",
    }
    text = "<p>{{ r.model.name }}: {{ r.why }}</p><pre>{{ as_json }}</pre>maestro+alice/songs"
    template = Environment(autoescape=True).from_string(text)
    page = names.replace_in_page(template.render(r=record, as_json=json.dumps(record, ensure_ascii=False)), record)
    public = {"model": {"name": "x"}, "why": "no folder x here", "of": "songs"}
    assert names.replace_in(record) == public
    assert page == template.render(r=public, as_json=json.dumps(public, ensure_ascii=False))
    assert names.replace("Permission denied: '/home/al/secret/a.mid' (at https://a.b/c/d), AC/DC") == (
        "Permission denied: 'a.mid' (at https://a.b/c/d), AC/DC"
    )


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("cannot open:/scratch/alice/a.mid", "cannot open:a.mid"),
        ("file:///scratch/alice/a.mid is damaged", "a.mid is damaged"),
        ("in ../alice/secret/x", "in x"),
        ("../alice/x", "x"),
        ("./alice/x: no", "x: no"),
        (r"\\srv\alice\x is gone", "x is gone"),
        ("'/scratch/alice smith/my music/a b.mid' is damaged", "'a b.mid' is damaged"),
        ("https://a.b/c/d and AC/DC, 3/4, and/or", "https://a.b/c/d and AC/DC, 3/4, and/or"),
    ],
)
def test_paths_of_any_form_are_their_last_part(published, text, public):
    assert PublicNames(published.run.settings).replace(text) == public


def test_continuations_are_pushed_and_pulled_again(hub, offline, published, midi_folder, call_script):
    run, report = published.run, published.report
    call_script("push_continuations", run.folder, "alice/x-test", "--report", report, "--private", "--tag", "v1")
    assert hub.is_private("alice/x-test", "dataset")
    files = hub.files("alice/x-test", "v1", "dataset")
    pieces = {name for record in run.records for name in vars(record.files).values() if name}
    kept = {"report.html", "scores.json", "pieces.parquet", "distances.png"}
    assert files.keys() == {
        "README.md",
        "manifest.json",
        *pieces,
        *(f"report/{name}" for name in kept),
    }
    for name, content in files.items():
        for secret in (b"secret_home", str(midi_folder).encode(), b"/tmp/", b"hf_alice"):
            assert secret not in content, name
    card = files["README.md"].decode()
    pulled, table = python_of(card)
    names: dict = {}
    exec(pulled, names)
    assert names["run"].labels == run.labels
    for name, score in names["scores"].items():
        assert score == published.scores.record["scores"][name]
    exec(table, names)
    offline()
    exec(f"{pulled}\n{table}", names)
    assert len(names["pieces"]) == len(run.records) + len(run.left_out)


def test_a_later_push_takes_its_place_and_keeps_words(hub, published, make_run, tmp_path):
    push_continuations(published.run.folder, "alice/x-test", published.report)
    card = hub.files("alice/x-test", kind="dataset")["README.md"].decode()
    hub.put("alice/x-test", {"README.md": f"{card}\nMy words.\n".encode(), "notes.txt": b"mine"}, kind="dataset")
    again = make_run(tmp_path / "run", [make_score(400)], output=OutputSettings(audio=1))
    push_continuations(again, "alice/x-test", revision="trial", commit_message="Mine")
    assert HfApi().list_repo_commits("alice/x-test", repo_type="dataset", revision="trial")[0].title == "Mine"
    files = hub.files("alice/x-test", "trial", "dataset")
    names = [name for name in files if name.endswith(".mid")]
    assert len(names) == 4 and "notes.txt" in files and not [name for name in files if name.startswith("report/")]
    card = files["README.md"].decode()
    assert "My words." in card and "## Scores" not in card
    for name in (name for name in files if name.endswith((".png", ".wav"))):
        assert f"]({name})" in card or f'src="{name}"' in card
    assert len(hub.files("alice/x-test", kind="dataset")) > len(files)


def test_a_model_of_the_hub_is_linked_and_asked_for_its_tokens(hub, bundle, make_run, tmp_path):
    commit = hub.put("alice/x", {path.name: path.read_bytes() for path in bundle.iterdir()})
    folder = make_run(tmp_path / "run", [make_score(600), make_score(601)])
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["settings"]["model"] = {"name": "alice/x", "revision": commit}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    push_continuations(folder, "alice/x-test")
    assert f"[alice/x](https://huggingface.co/alice/x) at `{commit[:12]}`" in (
        hub.files("alice/x-test", kind="dataset")["README.md"].decode()
    )
    pulled = read_run(snapshot_download("alice/x-test", repo_type="dataset"))
    record = score_run(pulled, ScoringOptions(num_proc=1)).record
    assert record["token_errors"]["tokens"] > 0 and record["model"]["tokenization"] == "TSD"


def test_a_push_of_continuations_without_their_report_says_so(published, make_run, tmp_path):
    other = make_run(tmp_path / "run", [make_score(500)])
    with pytest.raises(ValueError, match="scores of another run"):
        push_continuations(other, "alice/x", published.report)
    with pytest.raises(FileNotFoundError, match="finished run"):
        push_continuations(tmp_path, "alice/x")
