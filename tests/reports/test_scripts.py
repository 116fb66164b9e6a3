"""scripts/score_continuations.py and scripts/compare_runs.py as a user runs them."""

import json

from music import make_score


def test_from_a_run_to_a_report_and_to_a_comparison(make_run, midi_folder, call_script, tmp_path, capsys):
    manifest = make_run(tmp_path / "run", [make_score(100), make_score(101)]) / "manifest.json"
    report, comparison = tmp_path / "report", tmp_path / "comparison"
    training = ("--train_corpus", midi_folder, "--split_shares", 0.4, 0.3, 0.3)
    call_script("score_continuations", manifest, "--output", report, *training, "--num_proc", 1)
    written = {path.name for path in report.iterdir()}
    assert written == {"scores.json", "pieces.parquet", "pieces.csv", "distances.png", "report.html"}
    record = json.loads((report / "scores.json").read_text())
    assert record["novelty"]["num_pieces"] == 2 and record["settings"]["split_shares"] == [0.4, 0.3, 0.3]
    call_script("compare_runs", report, report, "--output", comparison)
    compared = {"comparison.md", "comparison.png", "comparison.html", "shared_runs.png"}
    assert {path.name for path in comparison.iterdir()} == compared
    assert (comparison / "comparison.md").read_text() in capsys.readouterr().out
