"""What a tokenizer changed in a corpus: in sum, by piece, in the log, on disk, and from the cache."""

import json
import logging

import pytest
from tokenization.sample_scores import SCORES, random_score

from neuromusic_hf import MidiProcessor, load_corpus
from neuromusic_hf.tokenization import Augmentation, CorpusTally, PiecesTally, Tally, tokenize_corpus
from neuromusic_hf.tokenization.music_encoding import MusicEncoder

WORST, EXTREME = "long_notes_and_gaps.mid", "extreme_pitches.mid"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd pieces")
    for name, make in SCORES.items():
        make().dump_midi(folder / f"{name}.mid")
    for seed in range(6):
        random_score(seed, drums=False).dump_midi(folder / f"plain_{seed}.mid")
    return folder


@pytest.fixture(scope="module")
def odd_corpus(folder, tmp_path_factory):
    return load_corpus(folder, cache_dir=tmp_path_factory.mktemp("cache"), split_shares=(0.6, 0.2, 0.2))


def badness(piece):
    return piece.lost_share, sum(piece.changes.values())


def pieces_of(corpus, split):
    rows = corpus[split].with_format("arrow")[:]["midi"].to_pylist()
    return {row["path"]: row["bytes"] for row in rows}


def test_the_sum_is_that_of_the_pieces_and_variants_do_not_count(odd_corpus, processor):
    for augmentation in (None, Augmentation(variants=2)):
        tokens = tokenize_corpus(odd_corpus, processor, augmentation=augmentation)
        for split, found in tokens.tally.splits.items():
            tallies = {name: processor.tally(midi) for name, midi in pieces_of(odd_corpus, split).items()}
            assert found == PiecesTally.of_tokens(tokens[split])
            assert found.pieces == len(tallies) and found.changed == sum(map(bool, tallies.values()))
            total = sum(tallies.values(), Tally())
            assert found.total.to_dict() == pytest.approx(total.to_dict())
            again = PiecesTally.of(tallies)
            assert (again.pieces, again.changed, again.total) == (found.pieces, found.changed, total)
            assert list(map(badness, again.worst)) == list(map(badness, found.worst))
            for worst in found.worst:
                assert worst.changes == tallies[worst.piece].changes
            shares = [worst.lost_share for worst in found.worst]
            assert shares == sorted((tally.lost_share for tally in tallies.values() if tally), reverse=True)[:5]


def test_each_row_holds_the_tally_of_its_piece_and_variants_none(odd_corpus, processors):
    tokens = tokenize_corpus(odd_corpus, processors["TSD"], augmentation=Augmentation(variants=1))
    pieces = pieces_of(odd_corpus, "train")
    seen = set()
    for row in tokens["train"]:
        if (row["pitch_shift"], row["velocity_shift"], row["tempo_factor"]) == (0, 0, 1):
            assert Tally(**row["changed"]) == processors["TSD"].tally(pieces[row["piece"]])
            seen.add(row["piece"])
        else:
            assert row["changed"] is None or set(row["changed"].values()) == {None}
    assert seen == set(pieces)


def test_the_log_names_the_worst_pieces_and_the_file_all(odd_corpus, caplog):
    narrow = MidiProcessor.from_tokenization("REMI", beat_res={(0, 8): 8}, pitch_range=(21, 109))
    with caplog.at_level(logging.INFO):
        tokens = tokenize_corpus(odd_corpus, narrow)
    (told,) = [record for record in caplog.records if "sounding time" in record.message]
    assert told.levelno == logging.WARNING
    assert WORST in told.message and f"corpus '{odd_corpus.quarantine.corpus}'" in told.message
    path = told.message.split("Tally: ")[1]
    content = json.loads(open(path, encoding="utf-8").read())
    assert CorpusTally.load(path) == tokens.tally
    files = {file["piece"]: file for file in content["files"]}
    assert files[EXTREME]["changes"]["dropped_pitches"] == tokens.tally.total.dropped_pitches == 39
    assert len(files) == sum(split.changed for split in tokens.tally.splits.values())
    assert not any(name.startswith("plain") for name in files)
    assert content["total"] == tokens.tally.total.to_dict()


def test_where_nothing_is_changed_the_log_says_so_quietly(tmp_path, caplog):
    for seed in range(20):
        random_score(seed, drums=False).dump_midi(tmp_path / f"{seed}.mid")
    corpus = load_corpus(tmp_path, cache_dir=tmp_path / "cache", split_shares=(0.6, 0.2, 0.2))
    with caplog.at_level(logging.INFO):
        tokens = tokenize_corpus(corpus, MidiProcessor.from_tokenization("TSD"))
    (told,) = [record for record in caplog.records if "sounding time" in record.message]
    assert told.levelno == logging.INFO and "changes 0 of 20 pieces" in told.message
    assert not tokens.tally.total and tokens.tally.splits["train"].worst == []


def test_tokens_from_the_cache_have_the_same_tally(odd_corpus, processors, monkeypatch, tmp_path, caplog):
    first = tokenize_corpus(odd_corpus, processors["Structured"]).tally
    monkeypatch.setattr(MusicEncoder, "write", None)
    with caplog.at_level(logging.INFO):
        again = tokenize_corpus(odd_corpus, processors["Structured"], tally_path=tmp_path / "tally.json").tally
    assert again == first == CorpusTally.load(tmp_path / "tally.json")
    assert str(tmp_path / "tally.json") in caplog.text


def test_a_damaged_tally_is_refused_by_name(tmp_path):
    path = tmp_path / "tally.json"
    path.write_text('{"corpus": "mine", "tokenization": "REMI", "splits": {"train": {"total": {"notes": "many"}}}}')
    with pytest.raises(ValueError, match=r"tally.json is no tally of a corpus: .*notes is 'many'"):
        CorpusTally.load(path)
