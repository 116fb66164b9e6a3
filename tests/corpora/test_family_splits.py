"""Splits of corpora by families of twins, however they are loaded; and the splits of before, exactly."""

import hashlib
import random

import numpy as np
import pytest
from datasets import Dataset, DatasetDict, Features, Value
from symusic import Note, Score, Tempo, TimeSignature, Track

from neuromusic_hf.corpora import SPLIT_VERSIONS, family_splits, inspect_midi, load_corpus
from neuromusic_hf.corpora.splits import Member, splits_of_families
from neuromusic_hf.music import Midi, SanityLimits
from neuromusic_hf.twins import Twin, families

SHARES = (0.6, 0.2, 0.2)
OLD = "notes-hash-1"


def digest(corpus):
    lines = [f"{split} {content_hash}" for split, rows in corpus.items() for content_hash in rows["content_hash"]]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def sides_of(corpus):
    """The split of each piece, by the name of its file."""
    rows = corpus.cast_column("midi", Midi(decode=False)).items()
    return {row["midi"]["path"].rpartition("/")[2]: split for split, each in rows for row in each}


def rows_of(corpus):
    rows = corpus.cast_column("midi", Midi(decode=False)).items()
    return {split: [(row["midi"], row["content_hash"]) for row in each] for split, each in rows}


def families_of(names):
    """Ten families of six, by the numbers in their names."""
    families = {}
    for name in names:
        families.setdefault(int(name.rpartition(".")[0][-2:]) % 10, []).append(name)
    return list(families.values())


@pytest.fixture
def twins(monkeypatch, make_midi):
    """Pieces whose seeds end alike are twins, as far as anybody can tell; counts how often they were looked for."""
    seeds = (*range(75), *range(100, 400, 100), *range(201, 204), *range(302, 304))
    endings = {inspect_midi(make_midi(seed), SanityLimits()).content_hash: seed % 10 for seed in seeds}
    calls = []

    def twins_of(parts, cache_dir=None, num_proc=None, **how):
        calls.append(cache_dir)
        first, found = {}, []
        for index, content_hash in enumerate(each for part in parts for each in part["content_hash"]):
            ending = endings.get(content_hash, index + 10)
            found += [Twin(first[ending], index, 30, 1.0, 0)] if ending in first else []
            first[ending] = index
        return found

    monkeypatch.setattr(family_splits, "twins_of", twins_of)
    return calls


@pytest.fixture
def folder(midi_folder):
    (midi_folder / "broken 99.mid").write_bytes(b"text")
    return midi_folder


def test_the_splits_of_before_are_what_they_were(midi_folder, tmp_path, cache_dir, twins):
    """As the last version without families gave them."""
    corpus = load_corpus(midi_folder, cache_dir=cache_dir, split_shares=SHARES, split_version=OLD)
    assert digest(corpus) == "56617a71eb3c9d59"
    assert rows_of(load_corpus(midi_folder, split_shares=SHARES, split_version=OLD, streaming=True)) == rows_of(corpus)
    DatasetDict(train=corpus["train"], test=corpus["test"]).save_to_disk(tmp_path / "saved")
    carved = load_corpus(tmp_path / "saved", cache_dir=cache_dir, split_shares=SHARES, split_version=OLD)
    assert digest(carved) == "98cbb395a08aef6e" and not twins


def folk_tune(number, copy):
    """Sixty notes in a major key like no others; copies are in other keys and tempi."""
    draw = random.Random(number)  # of which random() alone is promised to be the same in every version
    score, onset, step = Score(480), 0, 14
    score.tempos.append(Tempo(0, 90 + 20 * copy))
    score.time_signatures.append(TimeSignature(0, 4, 4))
    score.tracks.append(Track("", 73, False))
    for _ in range(60):
        length = (240, 240, 480, 720)[int(4 * draw.random())]
        pitch = 55 + 12 * (step // 7) + (0, 2, 4, 5, 7, 9, 11)[step % 7] + 3 * copy
        score.tracks[0].notes.append(Note(onset, length, pitch, 80))
        onset += length
        step = min(21, max(0, step + int(9 * draw.random()) - 4))
    return score


def test_the_splits_of_families_1_are_what_they_were(tmp_path, cache_dir):
    """Twelve tunes alone, eight with a copy and four with two; by the numbers of the tunes."""
    for number in range(24):
        for copy in range(1 + (number >= 12) + (number >= 20)):
            folk_tune(number, copy).dump_midi(tmp_path / f"{copy} {number:02d}.mid")
    how = {"cache_dir": cache_dir, "split_shares": (0.4, 0.3, 0.3)}
    sides = sides_of(load_corpus(tmp_path, split_version="families-1", **how))
    assert len(sides) == 40
    found = {split: {int(name[2:4]) for name in sides if sides[name] == split} for split in sides.values()}
    assert found == {
        "train": {0, 2, 5, 12, 15, 16, 18, 19, 21, 23},
        "validation": {1, 3, 6, 7, 8, 9, 10, 11, 13, 20},
        "test": {4, 14, 17, 22},
    }
    alone = sides_of(load_corpus(tmp_path, split_version=OLD, **how))
    assert all(alone[f"0 {number:02d}.mid"] == sides[f"0 {number:02d}.mid"] for number in range(12)) and alone != sides


@pytest.fixture
def pedalled_tunes(tmp_path):
    """Twenty tunes in eighths, and a copy of each whose notes are held to the bar line."""
    folder = tmp_path / "tunes"
    folder.mkdir()
    for number in range(20):
        for copy in range(2):
            score = folk_tune(number, copy)
            for index, note in enumerate(score.tracks[0].notes):
                note.time, note.duration = 240 * index, 1920 - 240 * index % 1920 if copy else 240
            score.dump_midi(folder / f"{copy} {number:02d}.mid")
    return folder


def test_each_version_finds_families_as_it_did(pedalled_tunes, tmp_path, cache_dir):
    """The first one knew no pedal, however the corpus is loaded; the newest does."""
    how = {"cache_dir": cache_dir, "split_shares": (0.4, 0.3, 0.3)}
    sides = {}
    for version in SPLIT_VERSIONS:
        sides[version] = sides_of(load_corpus(pedalled_tunes, split_version=version, **how))
        assert sides_of(load_corpus(pedalled_tunes, split_version=version, streaming=True, **how)) == sides[version]
    assert sides["families-1"] == sides[OLD] != sides["families-2"]
    newest = sides["families-2"]
    assert all(newest[f"0 {number:02d}.mid"] == newest[f"1 {number:02d}.mid"] for number in range(20))
    assert sides_of(load_corpus(pedalled_tunes, **how)) == newest


def test_families_are_on_one_side_in_the_order_of_rows(folder, cache_dir, twins):
    before = load_corpus(folder, cache_dir=cache_dir, split_shares=(0.98, 0.01, 0.01), split_version=OLD)
    corpus = load_corpus(folder, cache_dir=cache_dir, split_shares=SHARES)
    sides = sides_of(corpus)
    assert len(sides) == 60 and all(len({sides[name] for name in family}) == 1 for family in families_of(sides))
    order = list(sides_of(DatasetDict(train=before["train"])))
    for split, rows in corpus.items():
        names = [name for name in sides_of(DatasetDict({split: rows})) if name in order]
        assert names == [name for name in order if sides[name] == split]


def test_streamed_corpora_have_the_same_splits(folder, cache_dir, twins):
    whole = load_corpus(folder, cache_dir=cache_dir, split_shares=SHARES)
    stream = load_corpus(folder, cache_dir=cache_dir, split_shares=SHARES, streaming=True)
    assert len(twins) == 2 and rows_of(stream) == rows_of(whole) == rows_of(stream)
    assert len(twins) == 2


def test_families_reach_through_joined_corpora_in_any_order(folder, tmp_path, cache_dir, make_midi, twins):
    more = tmp_path / "more"
    more.mkdir()
    for seed in range(55, 75):  # the first five are in the other folder, too
        (more / f"other {seed}.mid").write_bytes(make_midi(seed))
    how = {"cache_dir": cache_dir, "split_shares": SHARES}
    joined = load_corpus([folder, more], **how)
    sides = sides_of(joined)
    assert len(sides) == 75 and all(len({sides[name] for name in family}) == 1 for family in families_of(sides))
    backwards = {
        row["content_hash"]: split for split, rows in load_corpus([more, folder], **how).items() for row in rows
    }
    assert backwards == {row["content_hash"]: split for split, rows in joined.items() for row in rows}


def test_pieces_join_the_official_split_of_their_family(folder, tmp_path, cache_dir, make_midi, twins):
    endings = {"train": (0,), "validation": (0, 1, 3), "test": (2, 3)}  # of the numbers in the names of its pieces
    (tmp_path / "saved").mkdir()
    for number, (split, found) in enumerate(endings.items(), 1):
        midi = [{"bytes": make_midi(100 * number + each), "path": f"{split} 7{each}.mid"} for each in found]
        Dataset.from_dict({"midi": midi}).to_parquet(tmp_path / "saved" / f"{split}.parquet")
    sides = sides_of(load_corpus([folder, tmp_path / "saved"], cache_dir=cache_dir, split_shares=SHARES))
    expected = {0: "train", 1: "validation", 2: "test", 3: "validation"}
    for family in families_of(sides):
        official = {name: sides[name] for name in family if not name.startswith("piece")}
        others = {sides[name] for name in family if name.startswith("piece")}
        assert all(name.startswith(split) for name, split in official.items()) and len(others) == 1
        assert not official or others == {expected[int(family[0].rpartition(".")[0][-1])]}


def test_a_saved_corpus_has_what_it_lacks_carved_out_of_families(folder, tmp_path, cache_dir, twins):
    whole = load_corpus(folder, cache_dir=cache_dir, split_shares=SHARES)
    DatasetDict(train=whole["train"], test=whole["test"]).save_to_disk(tmp_path / "saved")
    corpus = load_corpus(tmp_path / "saved", cache_dir=cache_dir, split_shares=(0.4, 0.5, 0.1))
    sides = sides_of(corpus)
    assert all(len({sides[name] for name in family}) == 1 for family in families_of(sides))
    assert rows_of(corpus)["test"] == rows_of(whole)["test"]


def test_no_twins_are_looked_for_where_all_is_said(folder, tmp_path, cache_dir, twins):
    load_corpus(folder, cache_dir=cache_dir, split_shares=SHARES).save_to_disk(tmp_path / "saved")
    twins.clear()
    for streaming in (False, True):
        load_corpus(tmp_path / "saved", cache_dir=cache_dir, streaming=streaming)
    assert not twins


@pytest.mark.parametrize("streaming", [False, True])
def test_splits_of_a_saved_corpus_that_says_them_all_are_not_to_be_chosen(midi_folder, tmp_path, cache_dir, streaming):
    whole = load_corpus(midi_folder, cache_dir=cache_dir, split_shares=SHARES, split_version=OLD)
    whole.save_to_disk(tmp_path / "saved")
    (tmp_path / "parquet").mkdir()
    for split, rows in whole.items():
        rows.to_parquet(tmp_path / "parquet" / f"{split}.parquet")
    for name in ("saved", "parquet"):
        how = {"cache_dir": cache_dir, "streaming": streaming}
        with pytest.raises(ValueError, match="has official splits, which split_version does not change: leave it out"):
            load_corpus(tmp_path / name, split_version=OLD, **how)
        with pytest.raises(ValueError, match="has official splits, which split_shares do not change: leave it out"):
            load_corpus(tmp_path / name, split_shares=SHARES, **how)
    DatasetDict(train=whole["train"], test=whole["test"]).save_to_disk(tmp_path / "part")
    load_corpus(tmp_path / "part", split_version=OLD, split_shares=SHARES, **how)


def test_a_wrong_version_is_refused(midi_folder, cache_dir):
    with pytest.raises(ValueError, match=f"one of {', '.join(SPLIT_VERSIONS)}, got 'families'"):
        load_corpus(midi_folder, cache_dir=cache_dir, split_version="families")
    with pytest.raises(ValueError, match="has official splits, which split_version does not change"):
        load_corpus("maestro", split_version="families-1")


def test_copies_in_another_key_and_tempo_are_on_the_side_of_their_piece(tmp_path, cache_dir, make_score):
    for seed in range(30):
        make_score(seed, notes=48).dump_midi(tmp_path / f"piece {seed:02d}.mid")
        slower = make_score(seed, notes=48, tpq=240, step=1.0, length=1.0, tempo=70.0, program=73)
        slower.shift_pitch(seed % 7 - 10).dump_midi(tmp_path / f"other {seed:02d}.mid")
    how = {"cache_dir": cache_dir, "split_shares": SHARES}
    sides = sides_of(load_corpus(tmp_path, **how))
    assert len(sides) == 60 and all(
        sides[f"piece {seed:02d}.mid"] == sides[f"other {seed:02d}.mid"] for seed in range(30)
    )
    before = sides_of(load_corpus(tmp_path, split_version=OLD, **how))
    assert not all(before[f"piece {seed:02d}.mid"] == before[f"other {seed:02d}.mid"] for seed in range(30))
    assert sides_of(load_corpus(tmp_path, streaming=True, **how)) == sides


def test_melodies_are_taken_while_files_are_inspected_and_not_again(folder, cache_dir, monkeypatch):
    monkeypatch.setattr(
        "neuromusic_hf.corpora.families.melody_of_row", lambda row: pytest.fail("a file is read again")
    )
    corpus = load_corpus(folder, cache_dir=cache_dir, split_shares=SHARES)
    assert corpus.quarantine.refused == {"not_midi": 1}


@pytest.mark.parametrize("count", [3, 4, 20])
def test_few_pieces_fill_every_split_however_they_are_loaded(tmp_path, cache_dir, make_midi, count):
    (tmp_path / "songs").mkdir()
    for seed in range(count):
        (tmp_path / "songs" / f"{seed}.mid").write_bytes(make_midi(seed))
    how = {"cache_dir": cache_dir, "split_shares": (0.998, 0.001, 0.001)}
    corpus = load_corpus(tmp_path / "songs", **how)
    assert {split: len(rows) for split, rows in corpus.items()} == {"train": count - 2, "validation": 1, "test": 1}
    assert rows_of(load_corpus(tmp_path / "songs", streaming=True, **how)) == rows_of(corpus)
    assert corpus.provenance[0].splits == "families-2"
    with pytest.raises(ValueError, match="the splits validation and test would be empty"):
        load_corpus(tmp_path / "songs", split_version=OLD, **how)
    DatasetDict(train=corpus["train"], test=corpus["test"]).save_to_disk(tmp_path / "saved")
    if count > 3:
        carved = load_corpus(tmp_path / "saved", **how)
        assert rows_of(carved)["test"] == rows_of(corpus)["test"] and len(carved["validation"]) == 1


def test_takes_of_one_song_fill_no_split(tmp_path, cache_dir):
    for copy in range(6):
        folk_tune(1, copy).dump_midi(tmp_path / f"{copy}.mid")
    with pytest.raises(ValueError, match="There are 6 accepted pieces.* three families"):
        load_corpus(tmp_path, cache_dir=cache_dir)


def test_families_that_are_looked_at_one_by_one_go_where_all_together_do(monkeypatch):
    drawn = np.random.default_rng(0)
    hashes = [hashlib.md5(str(number).encode()).hexdigest() for number in range(200)]
    rows = [hashes[index] if index else None for index in drawn.integers(0, 200, 300)]
    official = [str(drawn.choice(["train", "test"])) if drawn.random() < 0.2 else None for _ in rows]
    features = Features({"content_hash": Value("string"), "official_split": Value("string")})
    columns = {"content_hash": rows, "official_split": official}
    table = Dataset.from_dict(columns, features)
    parts, carved = [table.select(range(120)), table.select(range(120, 300))], [(), ("validation",)]
    pairs = [sorted(drawn.choice(300, 2, replace=False).tolist()) for _ in range(100)]
    twins = [Twin(first, second, 30, 1.0, 0) for first, second in pairs]
    shares = (0.5, 0.25, 0.25)
    members = [Member(*each, carved[index >= 120]) for index, each in enumerate(zip(rows, official, strict=True))]
    known = [index for index, member in enumerate(members) if member.content_hash is not None]
    found = families(len(members), twins).tolist()
    expected = splits_of_families([members[index] for index in known], [found[index] for index in known], shares)
    assert len(expected) > 10
    for held in (1, 7, 1000):
        monkeypatch.setattr(family_splits, "HELD_ROWS", held)
        assert family_splits.splits_by_twins(parts, carved, shares, twins) == expected
    assert family_splits.splits_by_twins(parts, carved, shares, []) == {}
