"""Real archives of the workplace; each test skips, with the reason, where they are absent."""

import io
import json
import zipfile

import mido

from neuromusic_hf.corpora import load_corpus


def test_each_malformed_file_is_accepted_or_named_with_its_reason(shared_data, cache_dir):
    archive = shared_data("malformed.zip")
    corpus = load_corpus(archive, cache_dir=cache_dir)
    report = corpus.quarantine
    with zipfile.ZipFile(archive) as members:
        manifest = json.loads(members.read("malformed/manifest.json"))
    files = {f"malformed/{entry['file']}": entry for entry in manifest}
    refused = {file["path"]: file for file in report.files}
    assert len(files) == 457 == report.num_files
    assert report.ignored == {".json": 1}
    assert set(refused) <= set(files)
    assert report.accepted == 457 - len(refused) == sum(corpus.num_rows.values())
    assert all(file["reason"] and file["detail"] for file in refused.values())
    assert not [path for path in set(files) - set(refused) if "notes=0" in (files[path]["symusic"] or "")]
    assert all(file["count"] >= 1 and file["detail"] for file in report.mended_files)
    with zipfile.ZipFile(archive) as members:
        asked = [path for path in refused if "eol-mangled" not in path]  # damage, and long to read
        understood = {path: _notes_of_another_reader(members.read(path)) for path in asked}
    lost = {path: refused[path]["reason"] for path, notes in understood.items() if notes >= 4}
    assert set(lost.values()) <= {"independent_sequences", "too_long", "unreadable"}, lost
    assert list(lost.values()).count("unreadable") + list(lost.values()).count("too_long") <= 2, lost
    assert report.mended["data_byte"] >= 60 and report.mended["stuck_note"] >= 4


def _notes_of_another_reader(data):
    """Notes that mido reads, which clamps data bytes; 0 where it reads nothing."""
    try:
        file = mido.MidiFile(file=io.BytesIO(data), clip=True)
    except (OSError, EOFError, ValueError, IndexError, KeyError, mido.midifiles.meta.KeySignatureError):
        return 0
    return sum(message.type == "note_on" and message.velocity > 0 for track in file.tracks for message in track)


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
