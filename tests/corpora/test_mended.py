"""What was mended stands in the report of a corpus, as what was refused does."""

import gzip
import logging

import pytest
from midi_bytes import melody, midi_file, off, on
from naive_hearing import heard_notes, read_notes

from neuromusic_hf.corpora import QuarantineReport, load_corpus
from neuromusic_hf.music import Midi, SanityLimits

ODD = {
    "a velocity of 200.mid": midi_file([(0, on(50, velocity=200)), (48, off(50)), *melody(96)]),
    "nothing ends it.mid": midi_file([(0, on(51)), (0, on(52)), *melody(96)]),
    "packed.mid": gzip.compress(midi_file([(0, on(53)), (48, off(53)), *melody(96)])),
}
KINDS = {"data_byte": 1, "note_never_off": 1, "compressed": 1}


@pytest.fixture
def odd_folder(midi_folder):
    for name, data in ODD.items():
        (midi_folder / name).write_bytes(data)
    return midi_folder


def test_the_report_names_what_was_mended(odd_folder, cache_dir, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        corpus = load_corpus(odd_folder, cache_dir=cache_dir, quarantine_path=tmp_path / "report.json")
    report = corpus.quarantine
    assert report == QuarantineReport.load(tmp_path / "report.json")
    assert (report.accepted, report.refused, report.mended) == (63, {}, KINDS)
    named = {file["path"]: (file["kind"], file["count"]) for file in report.mended_files}
    assert named == dict(zip(ODD, (("data_byte", 1), ("note_never_off", 2), ("compressed", 1)), strict=True))
    assert "mended: data_byte 1, note_never_off 1, compressed 1" in report.summary and report.summary in caplog.text


def test_rows_hold_what_any_reader_hears(odd_folder, cache_dir):
    corpus = load_corpus(odd_folder, cache_dir=cache_dir)
    rows = [row["midi"] for split in corpus.values() for row in split.cast_column("midi", Midi(decode=False))]
    mended = {row["path"]: row["bytes"] for row in rows if row["path"] in ODD}
    assert set(mended) == set(ODD)
    for data in mended.values():
        assert read_notes(Midi().decode_example({"bytes": data, "path": None})) == heard_notes(data)


def test_damage_is_refused_without_mending(odd_folder, cache_dir):
    report = load_corpus(odd_folder, cache_dir=cache_dir, limits=SanityLimits(mend=False)).quarantine
    assert report.refused == {"unreadable": 1, "not_midi": 1} and report.mended == {"note_never_off": 1}


def test_a_stream_says_what_was_mended(odd_folder, cache_dir, caplog):
    with caplog.at_level(logging.WARNING):
        list(load_corpus(odd_folder, cache_dir=cache_dir, streaming=True)["train"])
    assert "mended a velocity of 200.mid (data_byte: byte " in caplog.text


def test_what_the_limits_of_a_corpus_let_in_is_read_as_it_was_stored(midi_folder, cache_dir, caplog):
    (midi_folder / "long and fast.mid").write_bytes(
        midi_file([(0, b"\xff\x51\x03" + (40_000).to_bytes(3, "big")), (0, on(50)), *melody(96), (96 * 700, off(50))])
    )
    limits = SanityLimits(max_note_quarters=None, max_note_seconds=None, max_tempo=None)
    corpus = load_corpus(midi_folder, cache_dir=cache_dir, limits=limits)
    assert corpus.quarantine.accepted == 61 and corpus.quarantine.mended == {}
    scores = [row["midi"] for split in corpus.values() for row in split]
    assert max(note.duration for score in scores for track in score.tracks for note in track.notes) == 96 * 700
    assert max(tempo.qpm for score in scores for tempo in score.tempos) == 1500 and "Mended" not in caplog.text
