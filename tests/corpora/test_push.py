"""Corpora go to the Hub and come back: with our package and without, by revision, streamed, offline."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import datasets
import pytest
import yaml
from datasets import Dataset, Features
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError
from loopback_hub import Cut, Slow, Status, WrongEtag

from neuromusic_hf.corpora import (
    SPLIT_VERSION,
    Corpus,
    MidiCorpusBuilder,
    Piece,
    Provenance,
    load_corpus,
    provenance_of,
)
from neuromusic_hf.corpora.repository import open_hub
from neuromusic_hf.corpora.saved import official_splits
from neuromusic_hf.hub import PullError, read_card
from neuromusic_hf.music import Midi
from neuromusic_hf.tokenization import tokenize_corpus

SHARES = (0.6, 0.2, 0.2)


@pytest.fixture
def corpus(midi_folder, cache_dir):
    (midi_folder / "broken `name`.mid").write_bytes(b"text")
    return load_corpus(midi_folder, cache_dir=cache_dir, split_shares=SHARES)


@pytest.fixture
def other(tmp_path, cache_dir, make_midi):
    folder = tmp_path / "other"
    folder.mkdir()
    for seed in range(100, 130):
        (folder / f"{seed}.mid").write_bytes(make_midi(seed))
    return load_corpus(folder, cache_dir=cache_dir, split_shares=SHARES)


def rows_of(corpus):
    rows = corpus.cast_column("midi", Midi(decode=False)).items()
    return {split: [(row["content_hash"], row["midi"]["bytes"]) for row in each] for split, each in rows}


def card_of(hub, repository, revision="main"):
    text = hub.files(repository, revision, kind="dataset")["README.md"].decode()
    return yaml.safe_load(text.split("---\n")[1]), text


def lfs_puts(hub):
    return [path for method, path, _ in hub.requests if method == "PUT" and "/lfs/" in path]


def test_what_is_pushed_comes_back(hub, corpus, offline):
    corpus.push_to_hub("alice/songs")
    again = load_corpus("alice/songs")
    assert rows_of(again) == rows_of(corpus) and again["train"].features == corpus["train"].features
    assert again["train"][0]["midi"].note_num() == 24
    assert rows_of(load_corpus("alice/songs", streaming=True)) == rows_of(corpus)
    plain = datasets.load_dataset("alice/songs")
    assert plain["train"][0]["midi"].keys() == {"bytes", "path"}
    assert rows_of(plain.cast_column("midi", Midi())) == rows_of(corpus)
    offline()
    hub.requests.clear()
    assert rows_of(load_corpus("alice/songs")) == rows_of(corpus)
    assert not hub.requests


def test_caches_that_are_read_only_are_enough_the_second_time(hub, corpus, tmp_path, offline, make_read_only):
    corpus.push_to_hub("alice/songs")
    load_corpus("alice/songs")
    for cache in ("hub_cache", "datasets_cache"):
        make_read_only(tmp_path / cache)
    assert rows_of(load_corpus("alice/songs")) == rows_of(corpus)
    offline()
    assert rows_of(load_corpus("alice/songs")) == rows_of(corpus)


def test_two_configurations_live_in_one_repository(hub, corpus, other):
    corpus.push_to_hub("alice/both", "songs")
    other.push_to_hub("alice/both", "other")
    for name, pushed in {"songs": corpus, "other": other}.items():
        assert rows_of(load_corpus("alice/both", name=name)) == rows_of(pushed)
        assert datasets.load_dataset("alice/both", name).num_rows == pushed.num_rows
    with pytest.raises(ValueError, match="'alice/both' has several configurations: .* of other, songs"):
        load_corpus("alice/both")
    with pytest.raises(ValueError, match="'alice/both' has no configuration 'sogns'"):
        load_corpus("alice/both", name="sogns")
    metadata, text = card_of(hub, "alice/both")
    assert [config["config_name"] for config in metadata["configs"]] == ["other", "songs"]
    assert "## songs" in text and "## other" in text and 'name="other"' in text
    corpus.push_to_hub("alice/both", "songs")
    assert "## other" in card_of(hub, "alice/both")[1]


def test_the_card_tells_what_it_is_and_what_others_wrote_stays(hub, corpus, processor_of):
    tally = tokenize_corpus(corpus, processor_of("REMI")).tally
    corpus.push_to_hub("alice/songs", tally=tally)
    metadata, text = card_of(hub, "alice/songs")
    assert {"midi", "neuromusic_hf"} <= set(metadata["tags"]) and "license" not in metadata
    assert metadata["dataset_info"]["features"] and "licence not known" in text
    assert f"(`{SPLIT_VERSION}`)" in text and "shares of 0.6 / 0.2 / 0.2." in text
    assert "60 of 61 MIDI files were accepted" in text and "`broken 'name'.mid` (not\\_midi)" in text
    assert "REMI changes" in text and "trust_remote_code" in text
    mended = text.replace("## How to load it", "## Loading").replace("# songs", "# Songs\n\nOf my aunt.")
    mended = mended.replace("tags:\n", "pretty_name: Songs\ntags:\n")
    HfApi().upload_file(
        path_or_fileobj=mended.encode(), path_in_repo="README.md", repo_id="alice/songs", repo_type="dataset"
    )
    Corpus(corpus, corpus.quarantine, provenance_of("maestro")).push_to_hub("alice/songs")
    metadata, text = card_of(hub, "alice/songs")
    assert "## Loading" in text and "Of my aunt." in text and metadata["pretty_name"] == "Songs"
    assert metadata["license"] == "cc-by-nc-sa-4.0" and "hawthorne2018enabling" in text


@pytest.mark.parametrize("config", ["default", "songs"])
def test_the_code_of_the_card_runs(hub, corpus, other, tmp_path, monkeypatch, config, capsys):
    corpus.push_to_hub("alice/songs", config)
    if config != "default":
        other.push_to_hub("alice/songs", "other")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", card_of(hub, "alice/songs")[1], re.DOTALL)
    for block in blocks:
        exec(compile(block, "card", "exec"), {})
    assert len(blocks) == 2 and "Score(" in capsys.readouterr().out
    assert Path("piece.mid").read_bytes() == rows_of(corpus if config == "default" else other)["train"][0][1]


def test_a_process_without_the_package_reads_rows_and_streams_them(hub, corpus):
    corpus.push_to_hub("alice/songs")
    code = """
import json, sys
sys.modules["neuromusic_hf"] = None
from datasets import load_dataset
rows = load_dataset("alice/songs", split="train")
stream = load_dataset("alice/songs", split="train", streaming=True)
print(json.dumps([len(rows), rows[0]["midi"]["path"], rows[0]["midi"] == next(iter(stream))["midi"]]))
"""
    found = subprocess.run(
        [sys.executable, "-c", code], env=dict(os.environ), capture_output=True, text=True, check=True
    ).stdout
    assert json.loads(found) == [corpus.num_rows["train"], first_path(corpus), True]


def first_path(corpus):
    return corpus["train"].cast_column("midi", Midi(decode=False))[0]["midi"]["path"]


def test_branches_and_commits_are_revisions(hub, corpus, other):
    corpus.push_to_hub("alice/songs")
    other.push_to_hub("alice/songs", revision="trial")
    for revision, pushed in {None: corpus, "main": corpus, "trial": other}.items():
        again = load_corpus("alice/songs", revision=revision)
        assert rows_of(again) == rows_of(pushed)
        commit = HfApi().dataset_info("alice/songs", revision=revision).sha
        (told,) = again.provenance
        assert told == provenance_of("alice/songs", revision=revision)[0]
        assert (told.name, told.dataset, told.revision) == ("alice/songs", "alice/songs", commit)
        assert rows_of(load_corpus("alice/songs", revision=commit)) == rows_of(pushed)
    assert SPLIT_VERSION in card_of(hub, "alice/songs", "trial")[1]
    with pytest.raises(PullError, match=r"'alice/songs' has no revision 'nowhere' \(it has main, trial\)"):
        load_corpus("alice/songs", revision="nowhere")


def test_a_push_is_tagged_and_a_tag_stays_where_it_is(hub, corpus, other):
    corpus.push_to_hub("alice/songs", tag="v1")
    before = hub.files("alice/songs", kind="dataset")
    assert SPLIT_VERSION in before["README.md"].decode() and hub.files("alice/songs", "v1", "dataset") == before
    with pytest.raises(ValueError, match="alice/songs has a tag 'v1' already"):
        other.push_to_hub("alice/songs", tag="v1")
    assert hub.files("alice/songs", kind="dataset") == before
    other.push_to_hub("alice/songs")
    assert rows_of(load_corpus("alice/songs", revision="v1")) == rows_of(corpus)


def test_private_stays_private_and_a_token_opens_it(hub, corpus, monkeypatch):
    corpus.push_to_hub("alice/songs", private=True)
    corpus.push_to_hub("alice/songs")
    assert hub.is_private("alice/songs", "dataset")
    for environ in ({"HF_TOKEN": "hf_bob"}, {"HF_TOKEN": ""}):
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(PullError, match="no data set 'alice/songs'.*give token="):
            load_corpus("alice/songs")
        assert rows_of(load_corpus("alice/songs", token="hf_alice_read")) == rows_of(corpus)
        streamed = load_corpus("alice/songs", token="hf_alice_read", streaming=True)
        assert rows_of(streamed) == rows_of(corpus)
    with pytest.raises(HfHubHTTPError):
        corpus.push_to_hub("alice/songs", token="hf_alice_read")


def test_options_of_the_hub_are_refused_where_nothing_comes_from_there(midi_folder):
    for option in ("revision", "token", "name"):
        with pytest.raises(ValueError, match=f"{option} goes with a dataset on the Hub"):
            load_corpus([midi_folder, "bach"], **{option: "v1"})


@pytest.mark.parametrize("path", ["/lfs/", "/commit/"])
def test_a_push_that_broke_is_gone_on_with(hub, corpus, path):
    hub.faults.append(Status(path, "PUT" if path == "/lfs/" else "POST", times=1, status=400))
    with pytest.raises((HfHubHTTPError, RuntimeError)):
        corpus.push_to_hub("alice/songs")
    corpus.push_to_hub("alice/songs")
    assert rows_of(load_corpus("alice/songs")) == rows_of(corpus)
    sent = lfs_puts(hub)
    assert len(sent) - len(set(sent)) <= (path == "/lfs/")


def test_a_smaller_corpus_replaces_a_larger_one(hub, corpus, other):
    corpus.push_to_hub("alice/songs", num_shards={"train": 3, "validation": 1, "test": 1})
    assert rows_of(load_corpus("alice/songs")) == rows_of(corpus)
    other.push_to_hub("alice/songs")
    assert rows_of(load_corpus("alice/songs")) == rows_of(other)


def test_no_path_of_this_machine_is_pushed(hub, midi_folder, tmp_path, cache_dir):
    """Folders, rows that were made of paths, and several corpora joined."""
    paths = sorted(map(str, midi_folder.rglob("*.mid")))
    Dataset.from_dict({"midi": paths}, features=Features({"midi": Midi()})).to_parquet(tmp_path / "rows.parquet")
    (midi_folder / "broken.mid").write_bytes(b"")
    (midi_folder / "nowhere.mid").symlink_to(tmp_path / "secret" / "song.mid")
    corpus = load_corpus([tmp_path / "rows.parquet", midi_folder], cache_dir=cache_dir, split_shares=SHARES)
    assert corpus.quarantine.refused == {"in_earlier_corpus": 20, "empty_file": 1, "missing": 1}
    corpus.push_to_hub("alice/songs")
    for name, content in hub.files("alice/songs", kind="dataset").items():
        assert str(tmp_path).encode() not in content and b"secret" not in content, name
    names = {row["midi"]["path"] for rows in datasets.load_dataset("alice/songs").values() for row in rows}
    assert "piece 00.mid" in names and "composer 1/piece 01.MIDI" in names


def test_a_corpus_beside_the_one_on_the_hub_does_not_double_it(hub, corpus, midi_folder, cache_dir):
    corpus.push_to_hub("alice/songs")
    both = load_corpus([midi_folder, "alice/songs"], cache_dir=cache_dir, split_shares=SHARES)
    assert both.quarantine.accepted == 60 and both.quarantine.refused["in_earlier_corpus"] == 60


class Scales(MidiCorpusBuilder):
    LICENCE = "cc0-1.0"
    SPLIT_SHARES = SHARES
    midi: list = []

    def list_pieces(self):
        return list(range(len(self.midi)))

    def read_pieces(self, pieces):
        for index in pieces:
            yield Piece(f"{index}.mid", self.midi[index])


def test_a_builder_of_ones_own_is_pushed_with_its_licence(hub, make_midi, cache_dir):
    Scales.midi = [make_midi(seed) for seed in range(30)]
    corpus = load_corpus(Scales, cache_dir=cache_dir)
    corpus.push_to_hub("alice/scales")
    assert card_of(hub, "alice/scales")[0]["license"] == "cc0-1.0"
    assert load_corpus("alice/scales").provenance[0].licence == "cc0-1.0"


def test_the_script_pushes(hub, midi_folder, call_script):
    options = ["--split_shares", *SHARES, "--num_proc", 1, "--tokenization", "REMI"]
    call_script("push_corpus", midi_folder, "alice/songs", "--config_name", "songs", "--private", *options)
    call_script("push_corpus", midi_folder, "alice/songs", "--revision", "trial", "--tag", "v1", *options)
    before = hub.files("alice/songs", kind="dataset")
    call_script("push_corpus", midi_folder, "alice/songs", "--create_pr", "--commit_message", "Mine", *options)
    assert hub.files("alice/songs", kind="dataset") == before
    commits = HfApi().list_repo_commits("alice/songs", repo_type="dataset", revision="refs/pr/1")
    assert "Mine" in [commit.title for commit in commits]
    call_script("push_corpus", "alice/songs", "alice/copy", "--corpus_revision", "v1", "--num_proc", 1)
    assert rows_of(load_corpus("alice/copy")) == rows_of(load_corpus("alice/songs", revision="v1"))
    assert hub.is_private("alice/songs", "dataset")
    again = load_corpus("alice/songs", name="songs")
    assert sum(again.num_rows.values()) == 60 and "REMI changes" in card_of(hub, "alice/songs")[1]
    assert sum(load_corpus("alice/songs", name="default", revision="trial").num_rows.values()) == 60


def test_a_corpus_comes_whole_or_not_at_all(hub, corpus):
    corpus.push_to_hub("alice/songs")
    hub.faults.append(Status("/api/datasets/alice/songs", times=50, status=503))
    with pytest.raises(PullError, match=r"503|cannot be reached"):
        load_corpus("alice/songs")
    hub.faults[:] = [Cut("/lfs/", "GET", after=1000), Slow("/lfs/", "GET")]
    assert rows_of(load_corpus("alice/songs")) == rows_of(corpus)


def test_content_of_another_hash_is_no_corpus(hub, corpus):
    corpus.push_to_hub("alice/songs")
    hub.faults.append(WrongEtag("/lfs/", "GET", times=50))
    with pytest.raises((PullError, ValueError), match="alice/songs|not whole Parquet"):
        load_corpus("alice/songs")


def test_a_token_that_has_expired_is_told(hub, corpus):
    corpus.push_to_hub("alice/songs")
    hub.expired.add("hf_alice")
    with pytest.raises(PullError, match="refuses the token"):
        load_corpus("alice/songs")


def test_what_was_pulled_is_streamed_without_the_hub(hub, corpus, offline):
    corpus.push_to_hub("alice/songs")
    load_corpus("alice/songs")
    offline()
    assert rows_of(load_corpus("alice/songs", streaming=True)) == rows_of(corpus)
    with pytest.raises(PullError, match="not pulled before.*switched off"):
        load_corpus("alice/others")


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (["data/train-00000-of-00002-1a2b.parquet", "data/train-00001-of-00002-3c4d.parquet"], 1),
        (["default/train/0000.parquet", "default/test/0000.parquet"], 2),
        (["train.parquet", "Dev.parquet"], 2),
        (["songs.parquet", "more/songs.parquet"], 1),
        (["train/a.parquet", "training_test.parquet"], 2),
    ],
)
def test_files_of_others_are_understood_by_their_names(hub, make_midi, names, splits, tmp_path):
    files = {}
    for number, name in enumerate(names):
        rows = Dataset.from_dict({"midi": [make_midi(30 * number + seed) for seed in range(30)]})
        rows.to_parquet(tmp_path / "rows.parquet")
        files[name] = (tmp_path / "rows.parquet").read_bytes()
    hub.put("bob/songs", files, kind="dataset")
    corpus = load_corpus("bob/songs")
    assert sum(corpus.num_rows.values()) == 60
    assert corpus.provenance[0].splits == SPLIT_VERSION
    assert len(official_splits("bob/songs", open_hub("bob/songs"))) == (splits if splits > 1 else 0)


@pytest.mark.parametrize(
    ("said", "licence"),
    [
        ("mit", "mit"),
        (["mit"], "mit"),
        (["mit", "cc-by-nc-4.0"], "cc-by-nc-4.0"),
        (["mit", "other"], None),
        (3, None),
        ("<b>mit</b>", None),
        ("mit\n<!-- /corpus-default -->", None),
        (["mit", "-nc *"], None),
    ],  # fmt: skip
)
def test_the_licence_is_that_of_the_card(hub, said, licence):
    readme = f"---\n{json.dumps({'license': said})}\n---\n".encode()
    hub.put("bob/songs", {"train.parquet": b"", "README.md": readme}, kind="dataset")
    assert provenance_of("bob/songs")[0].licence == licence


NASTY = "<script>alert(1)</script> | `x` *b* [l](javascript:a)\n\n# h\n<!-- /corpus-default -->\n```"


def test_strings_of_strangers_stay_strings(hub, corpus):
    markdown = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable("table")
    said = dict.fromkeys(("name", "licence", "source", "citation", "splits", "dataset", "revision"), NASTY)
    sources = [Provenance(**said), Provenance(**said | {"source": f"https://{NASTY}"})]
    quarantine = replace(corpus.quarantine, refused={NASTY: 1}, files=[{"path": NASTY, "reason": NASTY}])
    nasty = Corpus(corpus, quarantine, sources)
    for _ in range(2):  # the second goes on with the card of the first
        nasty.push_to_hub("alice/songs")
        text = card_of(hub, "alice/songs")[1]
        shown = markdown.render(text.split("---\n", 2)[2])
        assert "<script" not in shown and "<b>" not in shown and 'href="javascript' not in shown
        assert "<h1>h" not in shown
        assert [section.name for section in read_card(text)[1]] == ["title", "about", "use", "corpus-default"]


def test_nothing_is_pushed_where_the_card_cannot_be_written(hub, corpus):
    broken = Corpus(corpus, replace(corpus.quarantine, files=[{"path": "a.mid"}]), corpus.provenance)
    with pytest.raises(KeyError):
        broken.push_to_hub("alice/songs")
    assert not hub.requests
