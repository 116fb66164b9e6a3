"""What a prepared folder holds, who may write to it, and how it is shared."""

import json
import logging
from dataclasses import replace

import datasets
import pytest
import yaml
from datasets import Value
from music import make_song

from neuromusic_hf import MidiProcessor
from neuromusic_hf.corpora import MidiCorpusBuilder, Piece, load_corpus, provenance_of
from neuromusic_hf.music import Midi, SanityLimits
from neuromusic_hf.preparation import push_prepared
from neuromusic_hf.tokenization import tokenize_corpus


class Songs(MidiCorpusBuilder):
    """Of a licence, with a column and splits of its own."""

    METADATA = {"title": Value("string")}
    OFFICIAL_SPLITS = True
    LICENCE = "cc-by-4.0"

    def list_pieces(self):
        return list(range(12))

    def read_pieces(self, pieces):
        for seed in pieces:
            split = ("train", "validation", "test")[seed % 3]
            data = make_song(seed // 2, bars=4).dumps_midi()
            yield Piece(f"/home/me/{seed}.mid", data, split=split, metadata={"title": f"Song {seed}"})


def test_official_splits_stay_and_paths_of_this_machine_do_not(prepare, rows_of, tmp_path):
    folder = prepare(Songs, tmp_path / "songs", split_shares=None, max_pieces=11)
    rows = rows_of(load_corpus(folder, cache_dir=tmp_path / "cache"))
    expected = rows_of(load_corpus(Songs, max_pieces=11, cache_dir=tmp_path / "cache"))
    for split, each in expected.items():
        names = [midi.pop("path").rpartition("/")[2] for midi in each["midi"]]
        assert names == [midi.pop("path") for midi in rows[split]["midi"]]
    assert rows == expected and rows["test"]["title"] == ["Song 2", "Song 5", "Song 8"]
    assert json.loads((folder / "quarantine.json").read_text())["unread"] == 1
    [provenance] = provenance_of(folder)
    assert (provenance.licence, provenance.splits) == ("cc-by-4.0", "official")
    with pytest.raises(ValueError, match="has official splits, which split_shares do not change"):
        prepare(Songs, tmp_path / "others")


def test_the_hub_has_it_and_its_tokens(hub, source, one_process, prepare, rows_of, tmp_path):
    folder = prepare(source, tmp_path / "prepared", tokenization="REMI")
    push_prepared(folder, "alice/songs", private=True)
    assert hub.is_private("alice/songs", "dataset")
    assert rows_of(load_corpus("alice/songs")) == rows_of(one_process)
    plain = datasets.load_dataset("alice/songs", split="train").cast_column("midi", Midi(decode=False))
    assert plain[:] == rows_of(one_process)["train"]
    card = hub.files("alice/songs", kind="dataset")["README.md"].decode()
    assert [config["config_name"] for config in yaml.safe_load(card.split("---\n")[1])["configs"]] == [
        "default",
        "tokens",
    ]
    assert 'load_corpus("alice/songs")' in card and f"{one_process.quarantine.accepted} of" in card
    tokens = tokenize_corpus(one_process, MidiProcessor.from_pretrained(folder / "processor"))
    for split, found in datasets.load_dataset("alice/songs", "tokens").items():
        in_order = {row["content_hash"]: row for row in tokens[split]}
        assert found["content_hash"][:] == one_process[split]["content_hash"][:]
        for row in found:
            assert {**row, "piece": None} == {**in_order[row["content_hash"]], "piece": None}


def test_what_became_of_files_is_told_again(hub, source, one_process, prepare, tmp_path, caplog):
    folder = prepare(source, tmp_path / "prepared")
    cache = {"cache_dir": tmp_path / "cache"}
    assert load_corpus(folder, **cache).quarantine == one_process.quarantine
    with caplog.at_level(logging.INFO):
        load_corpus(folder, streaming=True)
    assert one_process.quarantine.summary in caplog.text
    push_prepared(folder, "alice/songs")
    for _ in range(2):
        assert load_corpus("alice/songs").quarantine == replace(one_process.quarantine, corpus="alice/songs")


def test_what_is_refused_of_a_prepared_corpus_is_told_beside_what_was(source, one_process, prepare, tmp_path):
    before, cache = one_process.quarantine, {"cache_dir": tmp_path / "cache"}
    folder = prepare(source, tmp_path / "prepared")
    most = max(max(rows["num_notes"]) for rows in one_process.values())
    strict = load_corpus(folder, limits=SanityLimits(max_notes=most - 1), **cache).quarantine
    refused = strict.refused.pop("too_many_notes")
    assert refused and strict.refused == before.refused and strict.accepted == before.accepted - refused
    mended = {file["path"] for file in strict.mended_files}
    assert not mended & {file["path"] for file in strict.files} and strict.ignored == before.ignored
    joined = load_corpus([folder, source], **cache).quarantine
    assert joined.num_files == 2 * before.num_files and joined.accepted == before.accepted
    assert len(joined.files) == sum(joined.refused.values())


@pytest.mark.parametrize(
    ("text", "told"), [("{", "is no quarantine report"), ('{"corpus": "x", "accepted": 3}', "tells of 3 rows")]
)
def test_a_report_that_is_not_of_these_rows_is_left_out_and_said(source, prepare, tmp_path, caplog, text, told):
    folder = prepare(source, tmp_path / "prepared")
    (folder / "quarantine.json").write_text(text)
    report = load_corpus(folder, cache_dir=tmp_path / "cache").quarantine
    assert report.refused == {} and told in caplog.text


def test_a_report_that_is_pushed_names_no_path_of_this_machine(hub, prepare, tmp_path):
    class Broken(Songs):
        def read_pieces(self, pieces):
            for piece in super().read_pieces(pieces):
                yield replace(piece, data=b"Dear all,") if piece.path.endswith("/11.mid") else piece

    folder = prepare(Broken, tmp_path / "songs", split_shares=None)
    push_prepared(folder, "alice/songs")
    report = hub.files("alice/songs", kind="dataset")["quarantine.json"].decode()
    assert '"11.mid"' in report and "/home" not in report and str(tmp_path) not in report


def test_a_folder_holds_one_answer(source, prepare, shares, midi_folder, tmp_path):
    folder = prepare(source, tmp_path / "prepared", tasks=2)
    prepare(source, folder, tasks=2)  # is done
    for change, told in {
        "tasks": (3, "tasks was 2 and is 3"),
        "max_pieces": (5, "max_pieces was None and is 5"),
        "split_version": ("notes-hash-1", "splits was 'families-2' and is 'notes-hash-1'"),
        "tokenization": ("REMI", "tokenization was None and is 'REMI'"),
    }.items():
        with pytest.raises(ValueError, match=f"from something else: .*{told[1]}"):
            prepare(source, folder, **{"tasks": 2, change: told[0]})
    with pytest.raises(ValueError, match="corpus was"):
        prepare(midi_folder, folder, tasks=2)
    other = tmp_path / "other"
    other.mkdir()
    (other / "README.md").write_text("mine")
    with pytest.raises(ValueError, match="holds a dataset that was not prepared here"):
        prepare(source, other)


def test_what_is_gone_is_told(source, prepare, tmp_path):
    folder = prepare(source, tmp_path / "prepared", tasks=2)
    (folder / "data").rename(tmp_path / "data")
    with pytest.raises(RuntimeError, match="Files of it are gone"):
        prepare(source, folder, tasks=2)
    with pytest.raises(ValueError, match="is not prepared, or not to its end"):
        push_prepared(folder, "alice/songs")


@pytest.mark.parametrize(
    ("name", "told"),
    [("{source}+bach", "is 2 corpora"), ("{prepared}", "is a dataset already"), ("nothing/there", "dataset already")],
)
def test_what_no_builder_reads_is_refused(source, prepare, tmp_path, name, told):
    prepared = prepare(source, tmp_path / "prepared", tasks=1)
    with pytest.raises(ValueError, match=told):
        prepare(name.format(source=source, prepared=prepared), tmp_path / "other", split_shares=None)


def test_an_address_is_no_folder(source, prepare, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="is an address: .* push that to the Hub"):
        prepare(source, "hf://datasets/alice/songs")
    assert not list(tmp_path.iterdir())


class Places(MidiCorpusBuilder):
    """Items that JSON does not hold as they are."""

    def list_pieces(self):
        return [("a", 1)]


def test_items_that_json_does_not_hold_are_told(prepare, tmp_path):
    with pytest.raises(ValueError, match=r"Places.list_pieces\(\) lists \('a', 1\), .* comes back as \['a', 1\]"):
        prepare(Places, tmp_path / "prepared", split_shares=None)


def test_a_split_that_would_be_empty_is_told(source, prepare, tmp_path):
    with pytest.raises(ValueError, match="the split.* would be empty"):
        prepare(source, tmp_path / "prepared", max_pieces=1)
