import pytest
from symusic import Note, Score, Tempo, Track
from tokenization.sample_scores import note_list, random_score, tempo_list

from neuromusic_hf.music import load_score


def riff(data, before=b""):
    size = len(data).to_bytes(4, "little")
    body = b"RMID" + before + b"data" + size + data + b"\0" * (len(data) % 2)
    return b"RIFF" + len(body).to_bytes(4, "little") + body


@pytest.fixture
def midi():
    return random_score(3, tempos=((0, 100), (4, 90))).dumps_midi()


def test_every_form_of_a_piece_gives_the_same_score(midi, tmp_path):
    path = tmp_path / "piece.mid"
    path.write_bytes(midi)
    expected = Score.from_midi(midi)
    forms = [
        path,
        str(path),
        midi,
        bytearray(midi),
        {"bytes": midi, "path": None},
        {"path": str(path)},
        expected,
        expected.to("quarter"),
        expected.to("second"),
    ]
    for form in forms:
        score = load_score(form)
        assert note_list(score) == note_list(expected) and tempo_list(score) == tempo_list(expected), form


def test_midi_in_a_riff_file_is_unwrapped(midi, tmp_path):
    expected = note_list(Score.from_midi(midi))
    assert note_list(load_score(riff(midi))) == expected
    assert note_list(load_score(riff(midi, before=b"LIST\x03\0\0\0abc\0"))) == expected
    path = tmp_path / "piece.rmi"
    path.write_bytes(riff(midi))
    assert note_list(load_score(path)) == expected


def test_a_score_in_any_order_reads_as_its_file_does(processor):
    score = Score(480)
    track = Track("", 0, False)
    for step in (4, 2, 7, 0, 1, 2, 2):
        track.notes.append(Note(step * 480, 240 - 10 * len(track.notes), 60 + len(track.notes), 80))
    score.tracks.append(track)
    score.tempos = [Tempo(960, 90), Tempo(0, 120)]
    before = [note.time for note in score.tracks[0].notes]
    assert processor.encode(score) == processor.encode(score.dumps_midi())
    assert [note.time for note in score.tracks[0].notes] == before, "the caller's score was changed"


@pytest.mark.parametrize(
    "content", [b"", b"no MIDI at all, but long enough for a header", b"RIFF\x04\0\0\0WAVE", b"RIFF\x04\0\0\0RMID"]
)
def test_unreadable_content_names_the_file(content, tmp_path):
    path = tmp_path / "broken.mid"
    path.write_bytes(content)
    for form in (path, {"bytes": content, "path": "broken.mid"}):
        with pytest.raises(RuntimeError, match="broken.mid"):
            load_score(form)
    with pytest.raises(RuntimeError, match="bytes without a path"):
        load_score(content)


def test_a_truncated_file_names_the_file(midi, tmp_path):
    path = tmp_path / "cut.mid"
    path.write_bytes(midi[:40])
    with pytest.raises(RuntimeError, match="cut.mid"):
        load_score(path)


def test_a_missing_file_and_a_wrong_type_are_errors_that_say_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent.mid"):
        load_score(tmp_path / "absent.mid")
    with pytest.raises(TypeError, match="int"):
        load_score(3)
    with pytest.raises(ValueError, match="bytes"):
        load_score({"bytes": None, "path": None})


def test_the_path_of_a_row_without_bytes_is_not_opened(midi, tmp_path, processor):
    path = tmp_path / "piece.mid"
    path.write_bytes(midi)
    for read in (load_score, processor, processor.encode):
        with pytest.raises(ValueError, match="piece.mid.*own bytes"):
            read({"bytes": None, "path": str(path)})
