"""Pieces to continue: found without being read, chosen by a seed, known again."""

import json
import os
import shutil

import pytest
from datasets import Dataset
from music import make_score

from neuromusic_hf import load_corpus
from neuromusic_hf.corpora import CorpusSplits
from neuromusic_hf.music import RefusedFile
from neuromusic_hf.runs import choose_pieces, find_pieces
from neuromusic_hf.runs.piece_sources import fingerprint, row_pieces, splits_of


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "deep").mkdir()
    for name in ("b.mid", "a.MID", "deep/c.midi", "notes.txt"):
        (tmp_path / name).write_bytes(f"content of {name}".encode())
    return tmp_path


def names(pieces):
    return [piece.name for piece in pieces]


def test_files_of_folders_come_in_order_of_their_names(folder):
    assert names(find_pieces([str(folder)])) == ["a", "b", "c"]
    assert names(find_pieces([str(folder / "b.mid"), str(folder / "deep")])) == ["b", "c"]


def test_a_piece_is_read_when_it_is_its_turn(folder):
    pieces = find_pieces([str(folder)])
    (folder / "b.mid").unlink()
    assert pieces[0].read() == b"content of a.MID"
    with pytest.raises(RefusedFile) as refused:
        pieces[1].read()
    assert refused.value.reason == "missing"


def test_what_leads_nowhere_is_read_as_refused_and_folders_are_looked_into_by_any_name(tmp_path, folder):
    (tmp_path / "gone.mid").symlink_to(tmp_path / "nowhere.mid")
    (tmp_path / "folder.mid").mkdir()
    (tmp_path / "folder.mid" / "linked").symlink_to(tmp_path / "deep")
    pieces = find_pieces([str(tmp_path)])
    assert names(pieces) == ["a", "b", "c", "linked", "gone"] and fingerprint(pieces)
    for piece in pieces[3:]:
        with pytest.raises(RefusedFile, match="missing|already_listed"):
            piece.read()


def test_a_pipe_is_refused_and_nothing_waits_for_it(tmp_path):
    os.mkfifo(tmp_path / "pipe.mid")
    (piece,) = find_pieces([str(tmp_path)])
    with pytest.raises(RefusedFile, match="not a regular file"):
        piece.read()


def test_a_folder_that_cannot_be_listed_is_refused_in_its_turn(folder, monkeypatch):
    real = os.scandir

    def scandir(path):
        if os.path.basename(path) == "deep":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    pieces = find_pieces([str(folder)])
    assert "deep" in names(pieces)
    with pytest.raises(RefusedFile):
        pieces[names(pieces).index("deep")].read()


def test_a_row_without_bytes_is_refused(tmp_path):
    rows = Dataset.from_dict({"midi": [{"bytes": None, "path": "/etc/passwd"}], "content_hash": ["0" * 32]})
    (piece,) = row_pieces(rows)
    with pytest.raises(RefusedFile, match="missing.*not opened"):
        piece.read()


def test_sources_that_are_not_there_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere.mid"):
        find_pieces(["nowhere.mid"])
    with pytest.raises(ValueError, match="nowhere"):
        find_pieces(["nowhere"])
    with pytest.raises(ValueError, match=f"no MIDI file in '{tmp_path}'|'{tmp_path}' is no corpus"):
        find_pieces([str(tmp_path)])


def test_the_split_of_a_corpus(midi_folder, tmp_path):
    archive = shutil.make_archive(tmp_path / "corpus", "zip", midi_folder)
    rows = load_corpus(archive)["test"]
    pieces = find_pieces([archive])
    assert [piece.rows["content_hash"][piece.index] for piece in pieces] == rows["content_hash"][:]
    assert {piece.name for piece in pieces} <= {path.stem for path in midi_folder.iterdir()}
    for piece in pieces:
        assert piece.read() == (midi_folder / f"{piece.name}.mid").read_bytes()


def test_a_folder_is_a_corpus_where_a_split_is_asked_for(midi_folder):
    shares = (0.5, 0.25, 0.25)
    found = [
        find_pieces([str(midi_folder)], split=split, splits=CorpusSplits(shares=shares))
        for split in ("train", "validation", "test")
    ]
    corpus = load_corpus(midi_folder, split_shares=shares)
    assert [hashes(pieces) for pieces in found] == [rows["content_hash"][:] for rows in corpus.values()]
    assert len(find_pieces([str(midi_folder)])) == sum(map(len, found)) and all(found)


def hashes(pieces):
    return [piece.rows["content_hash"][piece.index] for piece in pieces]


def test_a_corpus_is_split_as_the_model_was_trained_unless_asked_otherwise(midi_folder, tmp_path, twins):
    archive, shares = shutil.make_archive(tmp_path / "corpus", "zip", midi_folder), (0.4, 0.3, 0.3)
    trained = {"splits": "notes-hash-1", "split_shares": shares}
    (tmp_path / "run.json").write_text(json.dumps({"corpora": [trained]}))
    how = {"split_version": "notes-hash-1", "split_shares": shares}
    old = {split: rows["content_hash"][:] for split, rows in load_corpus(archive, **how).items()}
    assert load_corpus(archive, **how | {"split_version": None})["test"]["content_hash"][:] != old["test"]
    model = str(tmp_path)
    pieces = find_pieces([archive], model=model)
    assert hashes(pieces) == old["test"] and splits_of(pieces) == CorpusSplits("notes-hash-1", shares)
    asked = CorpusSplits("families-1")
    pieces = find_pieces([archive], model=model, splits=asked)
    assert hashes(pieces) == load_corpus(archive, split_shares=shares)["test"]["content_hash"][:]
    assert splits_of(pieces) == CorpusSplits("families-1", shares)
    assert splits_of(find_pieces([archive])) == CorpusSplits("families-2", (0.8, 0.1, 0.1))


def test_splits_that_are_asked_of_no_corpus_are_refused(folder, leaking_corpus, tmp_path):
    (tmp_path / "run.json").write_text('{"corpora": [{"splits": "notes-hash-1"}]}')
    for source in (str(folder), str(leaking_corpus)):
        assert splits_of(find_pieces([source], model=str(tmp_path))) == CorpusSplits()
        with pytest.raises(ValueError, match="No corpus of .* is split by us, as notes-hash-1 would have it"):
            find_pieces([source], splits=CorpusSplits("notes-hash-1"))


def test_a_clean_test_refuses_in_their_turn_the_pieces_that_have_a_twin_in_train(leaking_corpus):
    whole, clean = (find_pieces([str(leaking_corpus)], clean_test=clean) for clean in (False, True))
    assert names(clean) == names(whole) and fingerprint(clean) != fingerprint(whole)
    refused = {}
    for index, piece in enumerate(clean):
        try:
            assert piece.read() == whole[index].read()
        except RefusedFile as error:
            refused[index] = str(error)
    assert refused == {1: "twin_in_train: train 3", 4: "twin_in_train: train 7"}
    validation = find_pieces([str(leaking_corpus)], split="validation", clean_test=True)
    assert [piece.twin for piece in validation] == [None] * 4


def test_a_clean_test_is_of_a_corpus_and_not_of_its_train(midi_folder, leaking_corpus):
    with pytest.raises(ValueError, match="clean_test .*piece_00.mid is a file"):
        find_pieces([str(midi_folder)], clean_test=True)
    with pytest.raises(ValueError, match="cannot be of train"):
        find_pieces([str(leaking_corpus)], split="train", clean_test=True)


def test_the_choice_is_the_seeds_and_keeps_the_order(midi_folder):
    pieces = find_pieces([str(midi_folder)])
    chosen = choose_pieces(pieces, 7, seed=1)
    assert len(chosen) == 7 and names(chosen) == sorted(names(chosen))
    assert chosen == choose_pieces(pieces, 7, seed=1) != choose_pieces(pieces, 7, seed=2)
    assert choose_pieces(pieces, 1000, seed=1) == choose_pieces(pieces, None, seed=1) == pieces
    with pytest.raises(ValueError, match="max_items=0"):
        choose_pieces(pieces, 0, seed=1)


def test_every_piece_is_chosen_as_often_as_the_others(midi_folder):
    pieces = find_pieces([str(midi_folder)])
    counts = dict.fromkeys(names(pieces), 0)
    for seed in range(400):
        for name in names(choose_pieces(pieces, 10, seed)):
            counts[name] += 1
    assert all(60 < count < 140 for count in counts.values())


def test_the_fingerprint_tells_pieces_apart(folder):
    before = fingerprint(find_pieces([str(folder)]))
    assert fingerprint(find_pieces([str(folder)])) == before
    make_score(0).dump_midi(folder / "b.mid")
    changed = fingerprint(find_pieces([str(folder)]))
    (folder / "d.mid").write_bytes(b"")
    assert len({before, changed, fingerprint(find_pieces([str(folder)]))}) == 3


@pytest.mark.parametrize("way", ["itself", "a link", "a linked folder"])
def test_a_prompt_of_the_same_size_and_date_is_known_by_its_bytes(folder, tmp_path, way):
    path, source = folder / "b.mid", folder / "b.mid"
    if way == "a link":
        (source := tmp_path / "link.mid").symlink_to(path)
    elif way == "a linked folder":
        (tmp_path / "links").mkdir()
        (tmp_path / "links" / "inner").symlink_to(folder / "deep")
        path, source = folder / "deep" / "c.midi", tmp_path / "links"
    before, status = fingerprint(find_pieces([str(source)])), path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert fingerprint(find_pieces([str(source)])) != before


def test_a_row_is_known_by_its_bytes_and_name_not_by_its_notes_alone():
    midi = [{"bytes": data, "path": path} for data, path in ((b"a", "x.mid"), (b"b", "x.mid"), (b"a", "y.mid"))]
    rows = Dataset.from_dict({"midi": midi, "content_hash": ["0" * 32] * 3})
    assert len({piece.identity for piece in row_pieces(rows)}) == 3


def test_a_prompt_too_large_for_any_piece_is_refused_unread(tmp_path):
    with open(tmp_path / "huge.mid", "wb") as file:
        file.truncate(2**40)
    (piece,) = find_pieces([str(tmp_path / "huge.mid")])
    with pytest.raises(RefusedFile, match="too_large"):
        piece.read()
    assert "too_large" in piece.identity
