"""Runs side by side: the table holds their numbers, and says where they cannot be compared."""

import json
import shutil

import matplotlib.image
import pytest
from html_page import Page

from neuromusic_hf.hub.markdown import escape
from neuromusic_hf.metrics import COMPARISONS
from neuromusic_hf.reports import compare_runs


@pytest.fixture
def other(scored, tmp_path):
    """Scores of another run: changed by the argument, in a folder of its own."""

    def write(name="other", change=lambda record: None):
        record = json.loads((scored.folder / "scores.json").read_text())
        change(record)
        folder = tmp_path / name
        folder.mkdir()
        (folder / "scores.json").write_text(json.dumps(record))
        return folder

    return write


def rows(table):
    """Cells by the head of their column."""
    lines = [line for line in table.read_text().splitlines() if line.startswith("|")]
    assert len({line.replace("\\|", "").count("|") for line in lines}) == 1
    heads, _, *others = ([cell.strip() for cell in line.strip("|").split(" | ")] for line in lines)
    return [dict(zip(heads, cells, strict=True)) for cells in others]


def test_the_table_and_the_picture_hold_all_runs_in_order(scored, other, tmp_path):
    def change(record):
        record["model"] = {"name": "runs/a|b"}
        record["scores"]["pitch_kl"] |= {"score": 0.125, "interval": [0.0, 0.25], "noise_floor_95": 0.5}
        record["scores"]["harmony_kl"] |= {"score": None, "interval": None}
        record["token_errors"] = None

    table = compare_runs([scored.folder, other(change=change) / "scores.json"], tmp_path / "comparison")
    first, second = rows(table)
    assert list(first)[2:-3] == [comparison.title for comparison in COMPARISONS]
    for comparison in COMPARISONS:
        score = scored.record["scores"][comparison.score_name]
        low, high = score["interval"]
        mark = " ≈" if score["score"] <= score["noise_floor_95"] else ""
        expected = f"{score['score']:.3f}{mark} [{low:.3f}, {high:.3f}], floor {score['noise_floor_95']:.3f}"
        assert first[comparison.title] == expected
    assert first["run"].endswith(", gpt2, TSD") and list(first.values())[-3:] == ["6", "0.0000", "–"]
    assert second["run"] == "runs/a\\|b" and second["Pitch classes"] == "0.125 ≈ [0.000, 0.250], floor 0.500"
    assert second["Harmony"] == "–" and second["token errors"] == "–"
    assert "cannot be compared" not in table.read_text()
    assert matplotlib.image.imread(table.with_suffix(".png"))[..., :3].std() > 0.01


def test_a_guarded_run_stands_beside_one_without_a_guard(scored, other, tmp_path):
    def write(name, lengths, guard):
        novelty = {"share_beyond_originals": 0.1, "lengths_original": {"7": 4}, "lengths_generated": lengths}
        return other(name, lambda record: record.update(novelty=novelty, copy_guard=guard))

    folders = [write("plain", {"9": 2, "13": 1, "60": 1}, None), write("guarded", {"9": 2, "12": 2}, {"max_run": 12})]
    table = compare_runs(folders, tmp_path / "comparison")
    assert [row["over 12 notes"] for row in rows(table)] == ["0.5000", "0.0000"]
    assert "Over 12 notes is the share" in table.read_text()
    picture = table.parent / "shared_runs.png"
    assert matplotlib.image.imread(picture)[..., :3].std() > 0.01
    compare_runs([scored.folder], table.parent)
    assert not picture.exists()


def test_names_of_strangers_are_text_in_the_table(scored, other, tmp_path):
    evil = "![x](https://mallory.example/x.png) <img src=x> `a` | b"

    def change(record):
        record["model"] = {"name": evil}
        record["scores"]["own_kl"] = record["scores"]["pitch_kl"]
        record["settings"]["comparisons"]["own_kl"] = {"title": evil, "feature": "a.b", "distance": "c.d"}

    text = compare_runs([scored.folder, other(change=change)], tmp_path / "comparison").read_text()
    assert text.count(escape(evil)) == 2 and "<img" not in text and "![x]" not in text


def page_of(table):
    return Page(table.with_suffix(".html").read_text())


def test_the_page_has_the_table_and_pieces_as_each_run_continued_them(scored, other, tmp_path):
    table = compare_runs([scored.folder, other()], tmp_path / "comparison")
    page, records = page_of(table), scored.run.records[:3]
    for row in rows(table):
        assert all(cell in page.text for cell in row.values())
    assert len(page.attributes("article")) == 3 and all(record.name in page.text for record in records)
    originals = page.text.count("How the piece goes on")
    assert originals == 3 and len(page.attributes("img")) == 1 + originals + 2 * 3
    assert all(item["src"].startswith("data:") for item in page.attributes("img") + page.attributes("audio"))


def test_names_of_strangers_are_text_on_the_page(scored, other, tmp_path):
    evil = "<script>alert(1)</script>"

    def change(record):
        record["model"]["name"] = evil
        record["settings"]["comparisons"]["own_kl"] = {"title": evil, "feature": "a.b", "distance": "c.d"}
        record["scores"]["own_kl"] = record["scores"]["pitch_kl"]

    page = page_of(compare_runs([scored.folder, other(change=change)], tmp_path / "comparison"))
    assert evil in page.text and not page.attributes("script") and "what own_kl compares" not in page.text


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record.update(run="gone"),
        lambda record: record.pop("run"),
        lambda record: record["model"].update(revision="1" * 64),
    ],
    ids=["gone", "not told", "of another model"],
)
def test_runs_that_are_no_longer_there_show_no_pieces(scored, other, tmp_path, change):
    page = page_of(compare_runs([scored.folder, other(change=change)], tmp_path / "comparison"))
    assert not page.attributes("article") and "None is shown" in page.text


@pytest.mark.parametrize("first_step", [0, 10])
def test_a_model_that_was_fine_tuned_has_a_before_and_an_after(scored, bundle, tmp_path, first_step):
    values = [{"step": first_step, "value": 4.5}, {"step": 20, "value": 3.25}]
    course = {"nats_per_note": values, "kept_step": 20, "last_step": 40}
    record = bundle / "run.json"
    record.write_text(json.dumps({"course": course}))
    try:
        table = compare_runs([scored.folder], tmp_path / "comparison")
    finally:
        record.unlink()
    sentence = "4.500 before training, 3.250 after step 20 of 40"
    assert [sentence in text for text in (table.read_text(), page_of(table).text)] == [first_step == 0] * 2


def test_runs_that_cannot_be_compared_are_named_as_such(scored, other, tmp_path):
    def change(record):
        record["settings"]["run"]["pieces"]["sha256"] = "1" * 64
        record["settings"]["scores"]["num_bins"] = 5
        record["settings"]["split_shares"] = [0.6, 0.2, 0.2]

    table = compare_runs([scored.folder, other(change=change)], tmp_path / "comparison")
    assert "differ in pieces, score settings, shares of the splits: their scores" in table.read_text()


def test_what_holds_no_scores_is_refused(scored, other, tmp_path):
    unscored = other("unscored", lambda record: record["scores"].clear())
    with pytest.raises(ValueError, match="unscored.*does not hold the scores"):
        compare_runs([scored.folder, unscored], tmp_path / "comparison")
    (unscored / "scores.json").write_text("{")
    with pytest.raises(ValueError, match="unscored.*does not hold the scores"):
        compare_runs([unscored], tmp_path / "comparison")
    shutil.rmtree(unscored)
    with pytest.raises(FileNotFoundError, match="score the run first"):
        compare_runs([unscored], tmp_path / "comparison")
    assert not (tmp_path / "comparison").exists()


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (["model"], "gpt2", "model is 'gpt2', not an object"),
        (["model", "tokenization"], 3, "model.tokenization is 3, not text"),
        (["scores", "pitch_kl"], [], r"scores\['pitch_kl'\] is \[\], not an object"),
        (["scores", "pitch_kl", "score"], "low", r"scores\['pitch_kl'\].score is 'low', not a number"),
        (["scores", "pitch_kl", "interval"], [1], "interval has 1 items instead of 2"),
        (["scores", "pitch_kl", "noise_floor_95"], None, "half of interval and floor of pitch_kl"),
        (["token_errors"], 3, "token_errors is 3, not an object"),
        (["novelty"], {"share_beyond_originals": "few"}, "novelty.share_beyond_originals is 'few', not a number"),
        (["novelty"], {"lengths_generated": {"x": 1}}, "'x': 1 is no number of pieces by the length"),
        (["novelty"], {"lengths_original": {"7": 0}}, "'7': 0 is no number of pieces by the length"),
        (["copy_guard"], {"max_run": "12"}, "copy_guard.max_run is '12', not a whole number"),
        (["settings"], None, "settings is None, not an object"),
        (["settings", "run"], "here", "settings.run is 'here', not an object"),
        (["settings", "run", "pieces"], [1], r"settings.run.pieces is \[1\], not an object"),
    ],
)
def test_scores_of_another_shape_name_the_place(other, tmp_path, keys, value, message):
    def change(record):
        for key in keys[:-1]:
            record = record[key]
        record[keys[-1]] = value

    with pytest.raises(ValueError, match=f"other/scores.json does not hold.*{message}.*Score the run again"):
        compare_runs([other(change=change)], tmp_path / "comparison")
