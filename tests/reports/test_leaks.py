"""The leak report counts what was planted, tells where it is, and shows it without a path of this machine."""

import io
import json
import os
import random

import matplotlib.image
import numpy as np
import pytest
from datasets import Dataset, DatasetDict, Features, IterableDatasetDict, Value
from html_page import Page, decode
from symusic import Note, Score, Tempo, TimeSignature, Track

from neuromusic_hf import load_corpus
from neuromusic_hf.corpora import Corpus, Provenance, QuarantineReport, inspect_midi
from neuromusic_hf.music import Midi, load_score
from neuromusic_hf.rendering import read_audio
from neuromusic_hf.reports import leak_exhibits as exhibits_module
from neuromusic_hf.reports import report_leaks, write_leaks
from neuromusic_hf.reports.leak_exhibits import MOST_SECONDS, choose_pairs, make_leak_exhibit
from neuromusic_hf.reports.leak_records import SplitLeak
from neuromusic_hf.reports.sentences import describe_leak

STRINGS = dict.fromkeys(("content_hash", "title", "composer"), Value("string"))
FEATURES = Features({**STRINGS, "num_notes": Value("int32"), "midi": Midi()})
BAD_NAME = '<script>alert("1")</script> & so on'


def melody(seed, notes=64):
    """Onset in ticks and pitch of a tune like no other."""
    chance, onset, pitch, tune = random.Random(seed), 0, 72, []
    for _ in range(notes):
        tune.append((onset, pitch))
        onset += chance.choice((120, 240, 240, 480, 720))
        pitch = min(96, max(50, pitch + chance.choice((-7, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 7))))
    return np.array(tune)


def score_of(tune, semitones=0, bpm=120, later=0, bass=None):
    score = Score(480)
    score.tempos.append(Tempo(0, bpm))
    score.time_signatures.append(TimeSignature(0, 4, 4))
    for notes in (tune + (later, semitones), np.zeros((0, 2), int) if bass is None else bass):
        if len(notes):
            score.tracks.append(Track("", 0, False))
            score.tracks[-1].notes.extend([Note(onset, 120, pitch, 80) for onset, pitch in notes.tolist()])
    return score


def row_of(score, title=None, composer=None, path=None):
    data = score.dumps_midi()
    facts = inspect_midi(data)
    named = {"midi": {"bytes": data, "path": path}, "title": title, "composer": composer}
    return {**named, "content_hash": facts.content_hash, "num_notes": facts.num_notes}


def corpus_of(name="made", splits="official", **rows):
    """A corpus of scores, or of rows, by split."""
    tables = {
        split: Dataset.from_list([each if isinstance(each, dict) else row_of(each) for each in each_row], FEATURES)
        for split, each_row in rows.items()
    }
    return Corpus(DatasetDict(tables), QuarantineReport(name, 0), [Provenance(name, splits=splits)])


def part(tune, count):
    """The first notes of one tune, and then another."""
    rest = melody(1000 + int(tune.sum()))
    return np.concatenate([tune[:count], rest + (int(tune[count, 0]), 0)])


@pytest.fixture(scope="module")
def leaking():
    """
    Of five pieces of train, the first is in test in another key, half of the second in test too, later and slower, and
    the third in validation under a wild name with another bass.
    """
    tunes = [melody(seed) for seed in range(9)]
    bass = melody(50, 20) - (0, 24)
    train = [
        row_of(score_of(tune), f"Tune {number}", "Anon.", f"/home/secret/{number}.mid")
        for number, tune in enumerate(tunes[:5])
    ]
    return corpus_of(
        train=train,
        validation=[score_of(tunes[5]), row_of(score_of(tunes[2], bass=bass), BAD_NAME, None, "set/b.mid")],
        test=[score_of(tunes[0], 5), score_of(part(tunes[1], 32), bpm=60, later=1920), *map(score_of, tunes[6:])],
    )


@pytest.fixture(scope="module")
def report(leaking, tmp_path_factory):
    return report_leaks(leaking, cache_dir=tmp_path_factory.mktemp("cache"), num_proc=1)


@pytest.fixture(scope="module")
def written(report, leaking, tmp_path_factory):
    folder = tmp_path_factory.mktemp("leaks") / "report"
    write_leaks(report, folder, leaking, audio=True)
    return folder


def numbers(report):
    return {(leak.split, leak.against): (leak.pieces, leak.twins, leak.copies) for leak in report.leaks}


def test_twins_are_counted_by_split_and_copies_apart(report):
    assert numbers(report) == {
        ("test", "train"): (5, 2, 1),
        ("test", "validation"): (5, 0, 0),
        ("validation", "train"): (2, 1, 0),
        ("validation", "test"): (2, 0, 0),
    }
    assert report.corpus.pieces == {"train": 5, "validation": 2, "test": 5}
    assert (report.families.count, report.families.pieces, report.families.across) == (3, 6, 3)
    assert report.families.sizes == {"2": 3}
    assert all(family.groups.keys() > {"train"} for family in report.families.largest)


def test_the_interval_is_that_of_wilson(report):
    """Wilson 1927: the shares that a test would not tell from this one."""
    leak = report.leaks[0]
    found, n, z = leak.share, leak.pieces, 1.959964
    middle = (found + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * (found * (1 - found) / n + z**2 / (4 * n**2)) ** 0.5
    assert leak.interval == pytest.approx((middle - half, middle + half), abs=1e-6)


def test_pairs_say_where_in_both_pieces_the_shared_notes_are(report, leaking):
    assert [pair.notes for pair in report.pairs] == sorted((pair.notes for pair in report.pairs), reverse=True)
    by_row = {(pair.second.split, pair.second.row): pair for pair in report.pairs}
    assert by_row.keys() == {("test", 0), ("test", 1), ("validation", 1)}
    copy, half, other = by_row["test", 0], by_row["test", 1], by_row["validation", 1]
    assert (copy.transposition, copy.is_copy) == (5, True) and not half.is_copy and not other.is_copy
    assert all(pair.first.split == "train" for pair in report.pairs)
    assert [pair.first.name for pair in (copy, half, other)] == ["Tune 0", "Tune 1", "Tune 2"]
    assert other.second.name == BAD_NAME and half.first.composer == "Anon."
    for pair in report.pairs:
        for piece in (pair.first, pair.second):
            start, end = piece.ticks
            assert piece.bars == (start // 1920 + 1, end // 1920 + 1)  # in 4/4
            bpm = 60 if piece is half.second else 120
            assert piece.seconds == pytest.approx([tick / 480 * 60 / bpm for tick in piece.ticks], abs=0.01)
    assert half.second.ticks[0] - half.first.ticks[0] == 1920


def test_of_two_corpora_twins_within_one_are_no_leak(leaking, tmp_path):
    tunes, within = [melody(seed) for seed in (1, 6)], melody(70)
    train, test = (
        [score_of(tunes[0], 2), score_of(within)],
        [score_of(tunes[1]), score_of(within), score_of(within, 1)],
    )
    other = corpus_of("other", train=train, test=test)
    report = report_leaks(leaking, other, against_splits=["train", "test"], cache_dir=tmp_path, num_proc=1)
    found = numbers(report)
    assert found["train", "train"] == (5, 1, 1) and found["test", "test"] == (5, 1, 1)
    assert found["test", "train"][1] == 1  # half of it
    assert found["test", "any"][1] == 2 and found["validation", "any"][1] == 0
    assert report.families.sizes == {"2": 1, "3": 1} and report.families.across == 2
    assert {pair.second.corpus for pair in report.pairs} == {"other"}
    assert {pair.first.corpus for pair in report.pairs} == {"made"}
    page = Page(write_leaks(report, tmp_path / "out", leaking, other, max_pairs=0).read_text(encoding="utf-8"))
    assert "2 of the 5 pieces of test" in page.text and "a twin in any split of other." in page.text
    alone = report_leaks(leaking, other, splits=["train"], against_splits=["test"], cache_dir=tmp_path, num_proc=1)
    assert numbers(alone) == {("train", "test"): (5, 0, 0)}


def test_without_twins_the_report_says_so(tmp_path):
    corpus = corpus_of(
        **{split: [score_of(melody(seed))] for seed, split in enumerate(("train", "validation", "test"))}
    )
    report = report_leaks(corpus, cache_dir=tmp_path, num_proc=1)
    page = Page(write_leaks(report, tmp_path / "out", corpus).read_text(encoding="utf-8"))
    assert report.pairs == [] and not page.attributes("img")
    assert "None of the 1 pieces of test has a twin in train" in page.text and "No piece has a twin." in page.text
    assert "There is no pair on two sides." in page.text
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"leaks.json", "report.html"}


def test_the_file_holds_all_that_the_report_says(report, written):
    record = json.loads((written / "leaks.json").read_text(encoding="utf-8"))
    assert record.keys() == {"corpus", "against", "leaks", "families", "pairs", "versions"}
    assert record["corpus"]["corpora"][0]["splits"] == "official"
    assert record["leaks"][0]["share"] == 0.4 and len(record["leaks"][0]["interval"]) == 2
    assert len(record["pairs"]) == len(report.pairs)
    assert record["pairs"][0]["first"].keys() >= {"corpus", "split", "row", "name", "file", "bars", "ticks", "seconds"}


def test_the_page_says_it_in_words_shows_pictures_and_fetches_nothing(report, written):
    page = Page((written / "report.html").read_text(encoding="utf-8"))
    (policy,) = [meta["content"] for meta in page.attributes("meta") if "http-equiv" in meta]
    assert policy.startswith("default-src 'none'") and "script-src" not in policy
    assert not page.attributes("script") and not page.attributes("link") and not page.attributes("a")
    assert "2 of the 5 pieces of test (40.0%, 95% interval 11.8% to 76.9%) have a twin in train." in page.text
    assert "The splits of made are its own, and reported as they are." in page.text
    assert page.text.count(BAD_NAME) == 4  # in its family, over and under its picture, and in the table
    pictures = [decode(image["src"], "image/png") for image in page.attributes("img")]
    assert pictures[1:] == [(written / "pairs" / f"{number:02d}.png").read_bytes() for number in (1, 2, 3)]
    for picture in pictures:
        assert matplotlib.image.imread(io.BytesIO(picture))[..., :3].std() > 0.01
    sounds = [decode(sound["src"], "audio/wav") for sound in page.attributes("audio")]
    for number, sound in enumerate(sounds, 1):
        assert sound == (written / "pairs" / f"{number:02d}.wav").read_bytes()
        audio, rate = read_audio(io.BytesIO(sound))
        assert 4 < audio.shape[1] / rate <= 2 * MOST_SECONDS + 1
    assert len(sounds) == 3


def test_both_passages_are_heard_and_no_longer_than_there_is_room(report, written):
    for number, pair in enumerate(report.pairs, 1):
        scores = [load_score(written / "pairs" / f"{number:02d}-{which}.mid") for which in ("first", "second")]
        notes = [{(note.time, note.pitch) for track in score.tracks for note in track.notes} for score in scores]
        moved = {(time, pitch + pair.transposition) for time, pitch in notes[0]}
        assert len(moved & notes[1]) >= min(12, pair.notes // 2)
        for score in scores:
            assert score.to("second").end() <= MOST_SECONDS


def test_nothing_of_this_machine_is_written(written):
    texts = [path.read_text(encoding="utf-8") for path in (written / "leaks.json", written / "report.html")]
    assert all("secret" not in text and str(written.parent) not in text for text in texts)
    assert all("0.mid" in text for text in texts)


def test_pieces_of_the_same_notes_are_twins_however_short(tmp_path):
    short, tune = melody(3, 6), melody(4)
    train = [score_of(short), score_of(tune), score_of(short, bpm=90)]
    corpus = corpus_of(train=train, test=[score_of(short, later=480), score_of(short, 1), score_of(tune)])
    report = report_leaks(corpus, cache_dir=tmp_path, num_proc=1)
    assert numbers(report) == {("test", "train"): (3, 2, 2)}
    assert report.families.sizes == {"2": 1, "3": 1}
    assert [pair.notes for pair in report.pairs if pair.second.row == 0] == [6, 6]
    assert [pair.second.row for pair in choose_pairs(report.pairs, 12)] == [2]  # six notes share no passage


def test_of_a_family_one_pair_is_shown(tmp_path):
    """Four arrangements of one tune make six pairs, of which four lie on two sides."""
    tune, other = melody(1), melody(2)
    train = [score_of(tune, semitones) for semitones in (0, 2)] + [score_of(other)]
    corpus = corpus_of(train=train, validation=[score_of(tune, 3)], test=[score_of(tune, 4), score_of(other[:40])])
    report = report_leaks(corpus, cache_dir=tmp_path, num_proc=1)
    shown = choose_pairs(report.pairs, 12)
    assert len(shown) == len({pair.family for pair in report.pairs}) == 2
    assert shown[0].notes == max(pair.notes for pair in report.pairs)
    assert choose_pairs(report.pairs, 1) == shown[:1] and choose_pairs(report.pairs, 0) == []
    folder = tmp_path / "out"
    for count in (1, 0):
        write_leaks(report, folder, corpus, max_pairs=count)
        assert len(list((folder / "pairs").glob("*.png"))) == count  # none is left of an earlier report


def test_where_sound_fails_the_page_says_why_without_a_path(report, leaking, monkeypatch, tmp_path):
    def no_engine(*arguments, **settings):
        raise FileNotFoundError("No soundfont file at /home/secret/general.sf2.")

    monkeypatch.setattr(exhibits_module, "render_audio", no_engine)
    page = Page(write_leaks(report, tmp_path, leaking, audio=True, max_pairs=1).read_text(encoding="utf-8"))
    assert "No sound: No soundfont file at general.sf2." in page.text and not page.attributes("audio")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"against_splits": ["train"]}, "name that too"),
        ({"splits": ["dev"]}, "made has no split 'dev'; it has train, validation, test"),
    ],
)
def test_splits_that_are_not_there_are_refused(leaking, options, message):
    with pytest.raises(ValueError, match=message):
        report_leaks(leaking, **options)


def test_what_is_no_corpus_is_refused_by_its_type(leaking):
    for options in ({"corpus": IterableDatasetDict()}, {"corpus": leaking, "against": DatasetDict(leaking)}):
        name, kind = list(options)[-1], type(list(options.values())[-1]).__name__
        with pytest.raises(TypeError, match=f"{name} must be a Corpus, as load_corpus gives it .*, got {kind}"):
            report_leaks(**options)


def test_one_split_may_be_named_alone(leaking, tmp_path):
    report = report_leaks(
        leaking, leaking, splits="test", against_splits="validation", cache_dir=tmp_path / "twins", num_proc=1
    )
    assert (report.corpus.pieces, report.against.pieces) == ({"test": 5}, {"validation": 2})


def test_pairs_of_another_corpus_are_refused(report, leaking, tmp_path):
    strangers = [score_of(melody(seed)) for seed in range(30, 36)]
    with pytest.raises(ValueError, match="give the corpus of the report"):
        make_leak_exhibit(
            report.pairs[0], corpus_of(train=strangers[:3], validation=strangers[3:], test=strangers[3:])
        )
    with pytest.raises(ValueError, match="max_pairs=-1 must be at least 0"):
        write_leaks(report, tmp_path, leaking, max_pairs=-1)


def test_a_split_without_pieces_has_no_share():
    leak = SplitLeak("test", "train", 0, 0, 0, 0)
    assert leak.share is None and leak.interval is None and describe_leak(leak) == "There is no piece in test."


@pytest.mark.parametrize(
    "options",
    [
        ("--against_split_version", "notes-hash-1"),
        ("--against_split_shares", 0.6, 0.2, 0.2),
        ("--against_data_dir", "there"),
        ("--against_revision", "main"),
        ("--against_split", "test"),
    ],
)
def test_options_of_another_corpus_go_with_one(options, call_script, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("neuromusic_hf.load_corpus", lambda *args, **kwargs: pytest.fail("a corpus is loaded"))
    with pytest.raises(SystemExit):
        call_script("report_leaks", "folk", "--output", tmp_path / "out", *options)
    assert f"error: Name another corpus with --against, or leave out {options[0]}." in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_script_reports_the_splits_that_are_asked_for(call_script, tmp_path):
    folder, shares = tmp_path / "midi", (0.4, 0.3, 0.3)
    folder.mkdir()
    for seed in range(20):
        tune = melody(seed // 2)
        score_of(tune if seed % 2 else part(tune, 40), seed % 3).dump_midi(folder / f"{seed:02d}.mid")
    options = ("--split_version", "notes-hash-1", "--split_shares", *shares, "--num_proc", 1, "--max_pairs", 1)
    call_script("report_leaks", folder, "--output", tmp_path / "out", *options)
    record = json.loads((tmp_path / "out" / "leaks.json").read_text())
    assert record["corpus"]["corpora"][0]["splits"] == "notes-hash-1"
    assert record["pairs"] and record["families"]["across"] == len({pair["family"] for pair in record["pairs"]})
    assert len(os.listdir(tmp_path / "out" / "pairs")) == 3
    by_family = report_leaks(load_corpus(folder, split_shares=shares), num_proc=1)
    assert not by_family.pairs and by_family.families.count >= record["families"]["across"]
