"""The proof that infilled files are as they were, on a few files; and that it finds whatever is not."""

import zipfile

import pytest
from corpora.conftest import shared_data  # noqa: F401
from music import make_song
from symusic import ControlChange, KeySignature, Note, Pedal, PitchBend, Tempo, TextMeta, TimeSignature

from neuromusic_hf.music import midi_bytes, read_midi


def full_song(seed):
    score = make_song(seed, bars=6)
    score.key_signatures.append(KeySignature(0, 2, 0))
    score.markers.append(TextMeta(480, "A"))
    track = score.tracks[1]
    track.controls.append(ControlChange(100, 7, 90))
    track.pitch_bends.append(PitchBend(200, 500))
    track.pedals.append(Pedal(300, 400))
    track.lyrics.append(TextMeta(960, "la"))
    return score


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "few.zip"
    with zipfile.ZipFile(path, "w") as opened:
        for seed in range(6):
            opened.writestr(f"{seed}.mid", midi_bytes(full_song(seed)))
        opened.writestr("broken.mid", b"no music")
    return path


def test_all_files_are_as_they_were(archive, run_benchmark):
    result = run_benchmark("infill_files", str(archive), "--files", "5")
    assert result["identical"] == 5 and result["differing"] == {}
    assert set(result["compared"].values()) == {5} and result["notes"]["added"] > 0
    assert {"broken.mid"} >= set(result["refused"])


def test_files_of_the_lamd_sample_are_as_they_were(shared_data, run_benchmark):  # noqa: F811
    result = run_benchmark("infill_files", str(shared_data("lamd-sample.zip")), "--files", "10", "--seed", "5")
    assert result["identical"] == 10


CHANGES = {
    "tempos": lambda score: score.tempos.append(Tempo(960, 99)),
    "time_signatures": lambda score: score.time_signatures.append(TimeSignature(1920, 3, 4)),
    "key_signatures": lambda score: score.key_signatures.append(KeySignature(480, 1, 0)),
    "markers": lambda score: score.markers.append(TextMeta(485, "B")),
    "controls": lambda score: score.tracks[1].controls.append(ControlChange(300, 7, 91)),
    "pitch_bends": lambda score: score.tracks[1].pitch_bends.append(PitchBend(300, 91)),
    "pedals": lambda score: score.tracks[1].pedals.append(Pedal(1000, 91)),
    "lyrics": lambda score: score.tracks[1].lyrics.append(TextMeta(1000, "le")),
    "tracks": lambda score: setattr(score.tracks[0], "name", "another"),
    "notes outside": lambda score: score.tracks[0].notes.append(Note(50, 50, 60, 60)),
}


@pytest.mark.parametrize("name", list(CHANGES))
def test_whatever_is_changed_outside_is_found(name, load_benchmark):
    identity = load_benchmark("file_identity")
    before, after = full_song(0), full_song(0)
    spans = [identity.ReplacedSpan(960, 1920, frozenset({73}))]
    assert all(identity.compare_scores(before, after, spans).values())
    after.tracks[0].notes.append(Note(1000, 50, 60, 60))
    assert all(identity.compare_scores(before, after, spans).values())
    CHANGES[name](after)
    found = identity.compare_scores(before, after, spans)
    assert [each for each, equal in found.items() if not equal] == [f"score: {name}"]
    if name != "tracks":
        assert not all(identity.compare_read(before, after).values())


def test_whatever_is_changed_in_the_bytes_is_found(load_benchmark):
    identity = load_benchmark("file_identity")
    score = full_song(0)
    data = midi_bytes(score)
    more = full_song(0)
    more.tracks[0].notes.append(Note(50, 50, 20, 60))
    added = midi_bytes(more.sort(inplace=False))
    assert all(identity.compare_files(data, added, 0, 1).values())
    assert not all(identity.compare_files(data, added, 0, 0).values())
    assert not all(identity.compare_files(added, data, 0, 0).values())
    assert all(identity.compare_files(added, data, 1, 0).values())
    for change in ("controls", "pitch_bends", "lyrics", "markers", "tempos"):
        changed = full_song(0)
        CHANGES[change](changed)
        other = midi_bytes(changed.sort(inplace=False))
        for first, second in ((data, other), (other, data)):
            assert not all(identity.compare_files(first, second, 0, 0).values()), change
    assert all(identity.compare_files(data, data, 0, 0).values()) and read_midi(data).data == data


def test_what_the_pipeline_writes_leaves_all_else_as_it_was(archive, run_benchmark):
    result = run_benchmark("infill_files", str(archive), "--files", "4", "--pipeline", "--batch_size", "3")
    assert result["identical"] == 4 and set(result["compared"].values()) == {4}
    assert result["notes"]["new_notes"] > 0
