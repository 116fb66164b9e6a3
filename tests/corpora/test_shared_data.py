"""Real archives of the workplace; each test skips, with the reason, where they are absent."""

import json
import zipfile

from neuromusic_hf.corpora import load_corpus


def test_each_malformed_file_is_accepted_or_named_with_its_reason(shared_data, cache_dir):
    archive = shared_data("malformed.zip")
    corpus = load_corpus(archive, cache_dir=cache_dir)
    report = corpus.quarantine
    with zipfile.ZipFile(archive) as members:
        manifest = json.loads(members.read("malformed/manifest.json"))
        wrapped = {name for name in members.namelist() if members.read(name).startswith(b"RIFF")}
    files = {f"malformed/{entry['file']}": entry for entry in manifest}
    refused = {file["path"]: file for file in report.files}
    assert len(files) == 457 == report.num_files
    assert report.ignored == {".json": 1}
    assert set(refused) <= set(files)
    assert report.accepted == 457 - len(refused) == sum(corpus.num_rows.values())
    assert all(file["reason"] and file["detail"] for file in refused.values())
    accepted = set(files) - set(refused)
    seen = {path: files[path]["symusic"] or "" for path in accepted}  # what symusic said when the set was made
    assert {path for path in accepted if "Error" in seen[path]} <= wrapped
    assert not [path for path in accepted if "notes=0" in seen[path]]


def test_maestro_is_complete_and_split_as_its_authors_did(shared_data, cache_dir):
    corpus = load_corpus("maestro", shared_data("maestro-v2.0.0-midi.zip"), cache_dir=cache_dir, num_proc=2)
    assert corpus.num_rows == {"train": 967, "validation": 137, "test": 178}
    assert corpus.quarantine.refused == {}
    notes = sum(sum(rows["num_notes"]) for rows in corpus.values())
    hours = sum(sum(rows["duration"]) for rows in corpus.values()) / 3600
    assert round(notes / 1e6, 2) == 7.13 and abs(hours - 201.6) < 1
    assert all(rows["composer"].count(None) == 0 for rows in corpus.with_format(None).values())


def test_lamd_splits_share_no_content(shared_data, cache_dir):
    corpus = load_corpus("lamd", shared_data("lamd-sample.zip"), cache_dir=cache_dir, num_proc=2)
    hashes = {name: set(rows["content_hash"]) for name, rows in corpus.items()}
    assert sum(corpus.num_rows.values()) == 1476
    assert sum(len(found) for found in hashes.values()) == len(set.union(*hashes.values()))
    assert abs(corpus.num_rows["train"] / 1476 - 0.6) < 0.05
    assert corpus.quarantine.ignored == {".tsv": 1}


def test_lieder_are_all_accepted(shared_data, cache_dir):
    corpus = load_corpus(shared_data("lieder-cc0.zip"), cache_dir=cache_dir)
    assert corpus.quarantine.accepted == 1460 and corpus.quarantine.refused == {}
