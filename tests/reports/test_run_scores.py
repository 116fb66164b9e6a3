"""Scores of a run are those of the metrics, and no piece is lost on the way."""

import hashlib
import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from datasets import Dataset, DatasetDict, Features
from music import make_score

from neuromusic_hf import load_corpus
from neuromusic_hf.disk import to_json
from neuromusic_hf.metrics import (
    COMPARISONS,
    count_token_errors,
    score_midi,
    score_novelty,
)
from neuromusic_hf.music import Midi
from neuromusic_hf.music.loading import load_score
from neuromusic_hf.reports import ScoringOptions, run_scores, score_run, write_report
from neuromusic_hf.reports.publishing import read_report
from neuromusic_hf.reports.showcase import choose_exhibits
from neuromusic_hf.runs import read_run

NAMES = [comparison.name for comparison in COMPARISONS]
ALONE = ScoringOptions(num_proc=1)


def files(run, part):
    return [run.folder / getattr(record.files, part) for record in run.records]


def test_scores_are_those_of_the_metrics(make_run, tmp_path):
    run = read_run(make_run(tmp_path, [make_score(100 + index) for index in range(5)]) / "manifest.json")
    scores = score_run(run, ScoringOptions(num_proc=2)).record["scores"]
    for comparison in COMPARISONS:
        by_hand = score_midi(comparison, files(run, "prompt"), files(run, "original"), files(run, "generated"))
        assert scores[comparison.score_name] == by_hand.to_dict() and by_hand.num_pieces == 5


def test_what_cannot_be_compared_is_counted_and_named(scored):
    assert scored.record["pieces"] == {"continued": 7, "left_out": {"too_short": ["007 <b>short</b>"]}}
    for name in NAMES:
        score = scored.record["scores"][f"{name}_kl"]
        assert (score["num_pieces"], score["num_dropped"]) == (6, 1)
        assert score["dropped"] == {"generated: no_notes": ["003 Über Café"]}
    table = scored.scores.table
    assert table["left_out"].dropna().tolist() == ["too_short: 12 tokens"]
    assert table["pitch_dropped"].dropna().tolist() == ["generated: no_notes"]
    assert table["novelty_generated"].dtype == "Int64" and table["novelty_generated"].isna().all()
    assert table["mean_rank"].isna().tolist() == [False] * 3 + [True] + [False] * 3 + [True]


def test_the_record_is_valid_json_with_settings_and_versions(scored):
    text = (scored.folder / "scores.json").read_text()
    record = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert record == scored.scores.record
    assert record["settings"]["run"] == to_json(scored.run.settings)
    assert record["versions"]["neuromusic_hf"] and record["settings"]["scores"]["num_bins"] == 10
    assert record["mean_entropy_nats"] == pytest.approx(4)


def test_the_table_reads_back_from_parquet_and_csv(scored):
    table = scored.scores.table
    pd.testing.assert_frame_equal(pd.read_parquet(scored.folder / "pieces.parquet"), table)
    csv = pd.read_csv(scored.folder / "pieces.csv")
    assert csv.columns.tolist() == table.columns.tolist() and len(csv) == 8
    np.testing.assert_allclose(csv["pitch_generated"], table["pitch_generated"])
    assert csv["name"].tolist() == table["name"].tolist()


def test_pieces_are_ranked_by_how_much_their_distances_differ(scored):
    table = scored.scores.table.dropna(subset="mean_rank")
    ranks = []
    for name in NAMES:
        difference = (table[f"{name}_generated"] - table[f"{name}_original"]).abs().tolist()
        ranks.append([1 + sum(other < own for other in difference) for own in difference])
    assert table["mean_rank"].tolist() == pytest.approx(np.mean(ranks, axis=0).tolist())


def test_token_errors_are_those_of_the_recorded_ids(make_run, processor, tmp_path):
    generated = [make_score(100), make_score(101)]
    rows = [processor.encode(score)[::-1] for score in generated]
    run = read_run(make_run(tmp_path, generated, token_ids=rows))
    record = score_run(run, ALONE).record
    assert record["token_errors"] == count_token_errors(processor, rows).to_dict()
    assert record["token_errors"]["errors"] > 0
    assert (record["model"]["model_type"], record["model"]["tokenization"]) == ("gpt2", "TSD")


def of_model(run, **change):
    return replace(run, settings=replace(run.settings, model=replace(run.model, **change)))


def change_weights(run):
    return of_model(run, revision="f" * 64)


def lose_model(run):
    return of_model(run, name="owner/model")


def lose_ids(run):
    first, last = run.records
    return replace(run, records=[first, replace(last, files=replace(last.files, tokens=None))])


@pytest.mark.parametrize(
    ("change", "reason"),
    [(change_weights, "other weights"), (lose_model, "no folder owner/model"), (lose_ids, "not recorded")],
)
def test_what_cannot_be_told_says_why(make_run, tmp_path, change, reason):
    run = change(read_run(make_run(tmp_path, [make_score(100), make_score(101)])))
    scores = score_run(run, ALONE)
    record = scores.record
    assert record["token_errors"] is None and record["novelty"] is None
    reasons = record["not_available"]
    assert reason in reasons.get("model", reasons["token_errors"])
    assert "--train_corpus" in reasons["novelty"]
    page = write_report(run, scores, tmp_path / "report").read_text(encoding="utf-8")
    assert all(f"Not available: {reasons[name]}." in page for name in ("token_errors", "novelty"))


def test_novelty_finds_what_was_copied_from_the_training_split(make_run, midi_folder, tmp_path):
    train = load_corpus(midi_folder)["train"]
    generated = [train[0]["midi"], make_score(101), make_score(102)]
    folder = make_run(tmp_path / "run", generated)
    run = read_run(folder)
    (folder / run.records[2].files.original).write_bytes(b"no MIDI")
    scores = score_run(run, ScoringOptions(train_corpus=str(midi_folder), num_proc=1))
    novelty = scores.record["novelty"]
    originals = [load_score(path) for path in files(run, "original")[:2]]
    by_hand = score_novelty(train["midi"], originals, generated[:2])
    refused = "original: not_midi: starts with b'no MIDI', not 'MThd': looks like text saved as MIDI"
    assert novelty["dropped"] == {refused: ["002 https://example.com/piece"]}
    assert {**novelty, "dropped": {}, "num_dropped": 0} == by_hand.to_dict()
    assert novelty["longest_generated"] > novelty["longest_original"]
    columns = scores.table[["novelty_original", "novelty_generated"]]
    assert (columns.dtypes == "Int64").all() and columns.isna().sum().tolist() == [1, 1]
    assert columns.dropna().to_numpy().tolist() == [list(pair) for pair in by_hand.runs]


def test_novelty_is_measured_against_the_split_that_the_shares_make(make_run, midi_folder, tmp_path):
    run = read_run(make_run(tmp_path, [make_score(100)]))
    options = ScoringOptions(train_corpus=str(midi_folder), split_shares=[0.4, 0.3, 0.3], num_proc=1)
    record = score_run(run, options).record
    train = load_corpus(midi_folder, split_shares=(0.4, 0.3, 0.3))["train"]
    assert record["novelty"]["num_training_pieces"] == len(train) < len(load_corpus(midi_folder)["train"])
    assert record["settings"]["split_shares"] == [0.4, 0.3, 0.3]


def test_novelty_is_measured_against_the_split_that_the_model_was_trained_on(
    make_run, midi_folder, bundle, tmp_path, twins
):
    run = read_run(make_run(tmp_path / "run", [make_score(100)]))
    shutil.copytree(bundle, tmp_path / "bundle")
    run = replace(run, settings=replace(run.settings, model=replace(run.model, name=str(tmp_path / "bundle"))))
    trained = {"splits": "notes-hash-1", "split_shares": [0.4, 0.3, 0.3]}
    (tmp_path / "bundle" / "run.json").write_text(json.dumps({"corpora": [trained]}))

    def scored(**asked):
        record = score_run(run, ScoringOptions(train_corpus=str(midi_folder), num_proc=1, **asked)).record
        return [record["settings"][name] for name in ("train_notes_sha256", "split_version", "split_shares")]

    def expected(version, shares):
        train = load_corpus(midi_folder, split_version=version, split_shares=shares)["train"]
        return [hashlib.sha256("\n".join(train["content_hash"]).encode()).hexdigest(), version, shares]

    of_model = scored()
    assert of_model == expected("notes-hash-1", [0.4, 0.3, 0.3])
    assert scored(split_version="families-1") == expected("families-1", [0.4, 0.3, 0.3]) != of_model
    both = {"split_version": "families-1", "split_shares": [0.6, 0.2, 0.2]}
    assert scored(**both) == expected(*both.values())


@pytest.fixture(scope="module")
def train_of_runs(tmp_path_factory):
    """A corpus in whose train are pieces 1 and 4 of the runs of this room, in another key."""
    rows = {"train": [make_score(seed).shift_pitch(2) for seed in (50, 1, 4, 51)]}
    rows |= {"validation": [make_score(52)], "test": [make_score(0)]}
    folder = tmp_path_factory.mktemp("train") / "corpus"
    splits = {}
    for split, scores in rows.items():
        midi = [{"bytes": score.dumps_midi(), "path": f"{split} {row}.mid"} for row, score in enumerate(scores)]
        splits[split] = Dataset.from_dict({"midi": midi}, features=Features({"midi": Midi()}))
    DatasetDict(splits).save_to_disk(folder)
    return str(folder)


def test_a_clean_test_scores_what_has_no_twin_in_train(make_run, train_of_runs, tmp_path):
    run = read_run(make_run(tmp_path / "run", [make_score(100 + index) for index in range(6)], ["short"]))
    clean = score_run(run, ScoringOptions(train_corpus=train_of_runs, clean_test=True, num_proc=1))
    twins = {1: "train 1", 4: "train 2"}
    left_out = {"twin_in_train": [run.records[index].label for index in twins], "too_short": ["006 short"]}
    assert clean.record["pieces"] == {"continued": 4, "left_out": left_out}
    reasons = {index: f"twin_in_train: {name}" for index, name in twins.items()} | {6: "too_short: 12 tokens"}
    assert clean.table["index"].tolist() == list(range(7))
    assert clean.table["left_out"].dropna().to_dict() == reasons

    alone = replace(run, records=[record for record in run.records if record.index not in twins])
    by_hand = score_run(alone, ScoringOptions(train_corpus=train_of_runs, num_proc=1))
    assert (clean.record["settings"]["clean_test"], by_hand.record["settings"]["clean_test"]) == (True, False)
    for name in ("scores", "novelty", "token_errors", "mean_entropy_nats"):
        assert clean.record[name] == by_hand.record[name]
    counted = clean.table.drop(index=[*reasons]).reset_index(drop=True)
    pd.testing.assert_frame_equal(counted, by_hand.table.iloc[:4])

    clean.save(tmp_path / "report")
    for _, number in choose_exhibits(read_report(tmp_path / "report", run).table):
        assert run.records[number].index not in twins


def test_without_a_piece_that_has_no_twin_there_is_no_score(make_run, train_of_runs, tmp_path):
    folder = make_run(tmp_path, [make_score(100), make_score(101)])
    run = read_run(folder)
    first, second = run.records
    (folder / first.files.original).write_bytes(b"no MIDI")
    options = ScoringOptions(train_corpus=train_of_runs, clean_test=True, num_proc=1)
    assert score_run(run, options).record["pieces"] == {"continued": 1, "left_out": {"twin_in_train": [second.label]}}
    record = score_run(replace(run, records=[second]), options).record
    assert record["pieces"]["continued"] == 0 and record["novelty"]["num_pieces"] == 0
    assert {score["score"] for score in record["scores"].values()} == {None}


def test_a_clean_test_names_the_corpus_of_the_twins():
    with pytest.raises(ValueError, match="clean_test.*train_corpus"):
        ScoringOptions(clean_test=True)


def test_a_training_corpus_that_cannot_be_loaded_is_refused_before_anything_is_compared(
    make_run, monkeypatch, tmp_path
):
    run = read_run(make_run(tmp_path, [make_score(100)]))
    monkeypatch.setattr(run_scores, "compare_pieces", lambda *_: pytest.fail("compared before the corpus was loaded"))
    with pytest.raises(ValueError, match="'nowhere' is no corpus"):
        score_run(run, ScoringOptions(train_corpus="nowhere"))
    with pytest.raises(ValueError, match="split_shares.*train_corpus"):
        ScoringOptions(split_shares=(0.8, 0.1, 0.1))


def test_a_run_without_pieces_has_no_scores(make_run, tmp_path):
    record = score_run(read_run(make_run(tmp_path, [], ["short"])), ALONE).record
    assert [record["scores"][f"{name}_kl"]["score"] for name in NAMES] == [None] * len(NAMES)
    assert record["mean_entropy_nats"] is None


@pytest.mark.parametrize("content", [b"1 2 x", b"1 999999", b"-1", b"\xff\xfe"])
def test_ids_that_are_none_are_told_and_the_rest_is_scored(make_run, tmp_path, content):
    folder = make_run(tmp_path / "run", [make_score(100)])
    (path,) = folder.glob("*.tokens.txt")
    path.write_bytes(content)
    record = score_run(read_run(folder), ALONE).record
    assert record["token_errors"] is None and path.name in record["not_available"]["token_errors"]
    assert record["scores"]["pitch_kl"]["num_pieces"] == 1
