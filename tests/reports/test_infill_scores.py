"""What infills score: means against naive ones, a piece counted once, and what is said of copies."""

import json

import numpy as np
import pandas as pd
import pytest
from music import make_song
from symusic import Note, Score, Track

from neuromusic_hf.metrics import JudgedSpan, copy_before, note_f1
from neuromusic_hf.metrics.infills import NOTE_F1, REPETITION
from neuromusic_hf.metrics.scores import ScoreSettings
from neuromusic_hf.music import RefusedFile
from neuromusic_hf.reports.infill_pictures import plot_means, plot_values
from neuromusic_hf.reports.infill_scores import (
    CONTINUATION,
    COPY,
    ELSEWHERE,
    REAL,
    add_baselines,
    score_infills,
)
from neuromusic_hf.reports.infill_sentences import describe_measure, summarise, verdict

BAR = 1920
SETTINGS = ScoreSettings(resamples=200, splits=200)
GOOD, BAD = "good <model>", "bad"


def moved(score: Score, share: float, random: np.random.Generator) -> Score:
    """With some of its notes on other pitches."""
    other = score.copy()
    for track in other.tracks:
        for note in track.notes:
            note.pitch += 6 * int(random.random() < share)
    return other


@pytest.fixture(scope="module")
def spans():
    """Two spans of each of seven pieces, the last without bars before it, and one of drums."""
    songs = [make_song(seed) for seed in range(7)]
    found = [
        JudgedSpan(f"{number} song", song, first * BAR, (first + 3) * BAR)
        for number, song in enumerate(songs)
        for first in (4, 9)
    ]
    drums = make_song(8)
    drums.tracks.append(Track("", 0, True, [Note(480 * beat, 120, 36, 90) for beat in range(64)]))
    return [
        *found,
        JudgedSpan("begin", make_song(7), 0, 3 * BAR),
        JudgedSpan("drums", drums, 8 * BAR, 11 * BAR, frozenset({-1})),
    ]


@pytest.fixture(scope="module")
def infills(spans):
    random = np.random.default_rng(0)
    good = [moved(span.removed, 0.1, random) for span in spans]
    bad = [moved(span.removed, 1.0, random) for span in spans]
    bad[0] = RefusedFile("prompt_too_long", "it is")
    return add_baselines(spans, {GOOD: good, BAD: bad}, seed=0)


@pytest.fixture(scope="module")
def scores(spans, infills):
    return score_infills(spans, infills, settings=SETTINGS)


def naive_mean(scores, name, kind) -> float:
    """A piece is the mean of its spans."""
    by_piece: dict[str, list[float]] = {}
    for row in scores.table.to_dict("records"):
        if row["kind"] == kind and not pd.isna(row[name]):
            by_piece.setdefault(row["name"], []).append(row[name])
    return float(np.mean([np.mean(values) for values in by_piece.values()]))


def test_means_are_over_pieces(scores):
    for name, measure in scores.record["measures"].items():
        for kind in (REAL, GOOD, BAD, COPY, ELSEWHERE):
            found = measure["kinds"][kind]
            assert found["mean"] == pytest.approx(naive_mean(scores, name, kind))
            assert found["interval"][0] <= found["mean"] <= found["interval"][1]
    assert scores.record["pieces"] == 9 and scores.record["spans"] == 16
    assert scores.record["measures"][NOTE_F1.name]["kinds"][REAL]["mean"] == 1


def test_what_is_undefined_is_named_by_reason(scores):
    chroma = scores.record["measures"]["chroma"]["kinds"]
    assert chroma[REAL]["undefined"] == {"surroundings: drums_only": ["drums"]}
    assert chroma[BAD]["undefined"] == {"prompt_too_long": ["0 song"], "surroundings: drums_only": ["drums"]}
    assert chroma[REAL]["num_pieces"] == chroma[BAD]["num_pieces"] == 8  # the piece has another span
    repetition = scores.record["measures"][REPETITION.name]["kinds"]
    assert repetition[REAL]["undefined"] == {"no_bar_before": ["begin"]}
    assert repetition[ELSEWHERE]["undefined"].keys() == {"no_bar_before", "no_other_piece"}  # no other has drums
    assert scores.record["repeats"][COPY] == {
        "spans": 15, "repeats": 15, "share": 1.0, "silent": 0, "without": 1, "incomplete": None
    }  # fmt: skip
    assert scores.record["repeats"][BAD]["without"] == 1


def test_distances_from_the_real_bars_are_paired_by_piece(scores, spans, infills):
    found = scores.record["measures"][NOTE_F1.name]["kinds"][GOOD]
    differences: dict[str, list[float]] = {}
    for span, good, copy in zip(spans, infills[GOOD], infills[COPY], strict=True):
        if isinstance(copy, Score):
            values = (note_f1(span.removed, each) for each in (good, copy_before(span)))
            differences.setdefault(span.name, []).append(np.subtract(*values))
    assert found["to_copy"]["mean"] == pytest.approx(-np.mean([np.mean(each) for each in differences.values()]))
    assert found["to_copy"]["num_pieces"] == 8 and found["num_pieces"] == 9
    assert found["away"]["mean"] == pytest.approx(1 - found["mean"])


def test_it_says_who_wins_and_what_copies_lack(scores):
    record = scores.record
    measure = record["measures"][NOTE_F1.name]
    assert verdict(measure, GOOD) == "nearer" and verdict(measure, BAD) == "further"
    assert verdict(measure, REAL) is verdict(measure, COPY) is None
    said = describe_measure(measure, scores.models)
    assert f"{GOOD} comes nearer" in said and "Copying wins" in said and "than bad" in said
    first, second, last = summarise(record, scores.models)
    assert first.startswith(f"{GOOD} comes nearer") and "Note F1" in first.partition(";")[0]
    assert "copying wins by Note F1" in second
    assert f"the real bars: {1 / 15:.1%}; {GOOD}: {1 / 15:.1%}; bad: 0.0%" in last  # the drums


def test_few_pieces_tell_no_difference(spans, infills):
    one = {kind: each[:1] for kind, each in infills.items()}
    record = score_infills(spans[:1], one, settings=SETTINGS).record
    assert all(measure["noise_floor"] is None for measure in record["measures"].values())
    assert not any(describe_measure(measure, [GOOD, BAD]) for measure in record["measures"].values())
    assert record["measures"]["chroma"]["kinds"][BAD]["mean"] is None


def test_the_record_is_valid_json_and_the_table_has_a_row_for_each(scores, tmp_path):
    scores.save(tmp_path / "new")
    text = (tmp_path / "new" / "infill_scores.json").read_text(encoding="utf-8")
    read = json.loads(text, parse_constant=lambda constant: pytest.fail(constant))
    assert list(read["kinds"]) == [REAL, GOOD, BAD, COPY, ELSEWHERE]
    table = pd.read_parquet(tmp_path / "new" / "infill_spans.parquet")
    assert len(table) == 16 * 5 == len(pd.read_csv(tmp_path / "new" / "infill_spans.csv"))
    assert table[table["name"] == "drums"]["programs"].tolist() == ["-1"] * 5
    assert set(read["scores"][GOOD]) == {"chroma_kl", "groove_kl", "pitch_kl", "duration_kl", "harmony_kl"}
    assert read["scores"][GOOD]["chroma_kl"]["num_pieces"] == 8


def test_the_continuation_is_a_baseline_where_a_pipeline_is_given(spans, infills):
    def skip(prompts, **arguments):
        assert arguments["seed"] == 3 and arguments["batch_size"] == 2
        return [{"midi": None, "skipped": {"reason": "tired", "detail": "of it"}} for _ in prompts]

    found = add_baselines(spans, {GOOD: infills[GOOD]}, seed=3, continuation=skip, batch_size=2)
    assert {each.reason for each in found[CONTINUATION]} == {"tired", "no_notes"}
    table = score_infills(spans[-2:], {kind: each[-2:] for kind, each in found.items()}, settings=SETTINGS).table
    assert set(table.loc[table["kind"] == CONTINUATION, "chroma_undefined"]) == {"tired", "no_notes"}


def test_names_of_baselines_and_other_numbers_of_infills_are_refused(spans, infills):
    with pytest.raises(ValueError, match="'copy'"):
        add_baselines(spans, {COPY: infills[GOOD]}, seed=0)
    with pytest.raises(ValueError, match="15 infills for 16 spans"):
        add_baselines(spans, {GOOD: infills[GOOD][1:]}, seed=0)


def test_pictures_show_each_measure_and_who_filled_the_spans(scores):
    figure = plot_means(scores.record)
    assert [axes.get_title(loc="left") for axes in figure.axes] == [each.title for each in scores.measures]
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["the real bars", GOOD, BAD, "the bars before, copied", "bars of another piece"]
    (dot,) = [line for line in figure.axes[0].lines if line.get_ydata()[0] == 1]
    assert dot.get_xdata()[0] == scores.record["measures"]["note_f1"]["kinds"][GOOD]["mean"]
    assert "noise floor: round the real bars, or round copies where those are 1" in [
        text.get_text() for text in figure.legends[0].get_texts()
    ]
    histograms = plot_values(scores.table, scores.measures, GOOD)
    assert len(histograms.axes) == len(scores.measures)
    plot_values(scores.table[scores.table["kind"] == ELSEWHERE], scores.measures, GOOD)
