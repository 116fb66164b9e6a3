"""A comparison of a user's own, by import path: scored, reported, compared and shown like those of the package."""

import json

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from music import make_score

from neuromusic_hf.metrics import COMPARISONS
from neuromusic_hf.reports import ScoringOptions, compare_runs, score_run, write_report
from neuromusic_hf.reports.pictures import plot_distances, plot_scores
from neuromusic_hf.runs import read_run

LOUDNESS, PATH = "loudness_kl", "own_comparisons.LOUDNESS"


@pytest.fixture(scope="module")
def run(make_run, tmp_path_factory):
    """Six pieces; one continuation has too few notes for its loudness, and enough for its pitches."""
    generated = [make_score(100 + index) for index in range(6)]
    generated[2].tracks = generated[2].tracks[:1]
    generated[2].tracks[0].notes = generated[2].tracks[0].notes[:2]
    return read_run(make_run(tmp_path_factory.mktemp("run"), generated))


@pytest.fixture(scope="module")
def report(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    scores = score_run(run, ScoringOptions(comparisons=[PATH], num_proc=2))
    write_report(run, scores, folder)
    return folder


def rows(text):
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines()[:4]]


def record(folder):
    return json.loads((folder / "scores.json").read_text())


def test_scores_name_it_its_path_and_the_pieces_that_it_refuses(report, run):
    scores = record(report)["scores"]
    assert list(scores) == [*(each.score_name for each in COMPARISONS), LOUDNESS]
    assert scores[LOUDNESS]["score"] > 0 and scores[LOUDNESS]["num_pieces"] == 5
    assert scores[LOUDNESS]["dropped"] == {"generated: few_notes": [run.labels[2]]}
    assert scores["pitch_kl"]["num_pieces"] == 6
    described = record(report)["settings"]["comparisons"][LOUDNESS]
    assert described["import_path"] == PATH and described["feature"] == "own_comparisons.mean_velocity"


def test_it_changes_no_score_of_ours(report, run):
    alone = score_run(run, ScoringOptions(num_proc=1)).record["scores"]
    assert alone == {name: score for name, score in record(report)["scores"].items() if name != LOUDNESS}


def test_the_table_has_its_columns(report):
    table = pd.read_csv(report / "pieces.csv")
    assert table["loudness_generated"].notna().sum() == 5
    assert table["loudness_dropped"].dropna().tolist() == ["generated: few_notes"]
    assert table["mean_rank"].notna().sum() == 5
    drawn = pd.read_parquet(report / "pieces.parquet")
    np.testing.assert_allclose(drawn["loudness_original"].dropna(), table["loudness_original"].dropna())


def test_the_page_shows_its_score_its_unit_and_what_is_left_out(report):
    page = (report / "report.html").read_text()
    score = record(report)["scores"][LOUDNESS]
    assert "<td>Loudness</td>" in page and f"{score['score']:.3f}</td>" in page
    assert f"<td>{score['mean_generated']:.1f}</td>" in page
    assert "steps of velocity" in page and "Not in the score of loudness" in page


def test_pictures_have_a_panel_for_it(run):
    scores = score_run(run, ScoringOptions(comparisons=[PATH], num_proc=1))
    titles = {each.score_name: each.title for each in scores.comparisons}
    distances = plot_distances(scores.table, scores.comparisons)
    for figure in (distances, plot_scores({"": scores.record["scores"]}, titles)):
        assert [axes.get_title(loc="left") for axes in figure.axes] == list(titles.values())
    assert distances.axes[-1].get_xlabel().startswith("distance from the prompt (steps of velocity)")


def test_runs_with_and_without_it_stand_side_by_side(report, scored, tmp_path):
    table = compare_runs([scored.folder, report], tmp_path / "comparison")
    heads, _, without, with_it = rows(table.read_text())
    column = heads.index("Loudness")
    assert heads[2 : column + 1] == [*(comparison.title for comparison in COMPARISONS), "Loudness"]
    assert without[column] == "–" and with_it[column].startswith(f"{record(report)['scores'][LOUDNESS]['score']:.3f}")
    assert "compares" not in table.read_text()
    assert matplotlib.image.imread(table.with_suffix(".png"))[..., :3].std() > 0.01


def test_two_that_share_a_name_and_nothing_else_are_not_compared_in_silence(report, run, tmp_path):
    other = tmp_path / "other"
    write_report(run, score_run(run, ScoringOptions(comparisons=["own_comparisons.OTHER"], num_proc=1)), other)
    text = compare_runs([report, other], tmp_path / "comparison").read_text()
    assert r"differ in what loudness\_kl compares: their scores" in text


def test_a_function_of_ours_that_was_moved_is_the_same_comparison(report, tmp_path):
    old = record(report)
    old["settings"]["comparisons"]["pitch_kl"]["feature"] = "neuromusic_hf.elsewhere.pitch_classes"
    (tmp_path / "scores.json").write_text(json.dumps(old))
    assert "cannot be compared" not in compare_runs([tmp_path, report], tmp_path / "comparison").read_text()


def test_scores_of_a_version_with_fewer_comparisons_are_still_read(report, tmp_path):
    old = record(report)
    del old["settings"]["comparisons"], old["scores"]["harmony_kl"], old["scores"][LOUDNESS]
    (tmp_path / "scores.json").write_text(json.dumps(old))
    text = compare_runs([tmp_path, report], tmp_path / "comparison").read_text()
    heads, _, first, second = rows(text)
    assert heads[2:-3] == [*(comparison.title for comparison in COMPARISONS), "Loudness"]
    missing = {heads[column] for column, cell in enumerate(first[:-3]) if cell == "–"}
    assert missing == {"Harmony", "Loudness"} and "–" not in second[:-3]
    assert "cannot be compared" not in text


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (["own_comparisons.NOWHERE"], "own_comparisons.NOWHERE"),
        (["own_comparisons.NUMBER"], "own_comparisons.NUMBER"),
        (["own_comparisons.LOUDNESS", "own_comparisons.OTHER"], "two comparisons.*'loudness'"),
        (["own_comparisons.PITCH_TOO"], "two comparisons.*'pitch'"),
        (["own_comparisons.ENDLESS"], "endless.*inf"),
    ],
)
def test_what_cannot_be_scored_is_refused_by_name(run, paths, message):
    with pytest.raises(ValueError, match=message):
        score_run(run, ScoringOptions(comparisons=paths, num_proc=1))


def test_the_script_takes_it_by_its_path(run, tmp_path, call_script):
    call_script("score_continuations", run.folder, "--comparison", PATH, "--num_proc", 1, "--output", tmp_path)
    assert record(tmp_path)["scores"][LOUDNESS]["num_pieces"] == 5
