"""benchmarks/scoring.py: it scores what it says, and its figures agree with each other."""

import os

import pytest
from music import make_score

from neuromusic_hf.runs import read_run

CORES = os.cpu_count()
COMPOSITIONS = 8 * CORES


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three pieces, long enough for sixty compositions."""
    folder = tmp_path_factory.mktemp("pieces")
    for seed in range(3):
        make_score(seed, num_notes=300).dump_midi(folder / f"piece-{seed}.mid")
    return folder


def test_figures(run_benchmark, folder):
    options = ("--compositions", str(COMPOSITIONS), "--length", "16", "--repetitions", "1")
    result = run_benchmark("scoring", str(folder), *options)
    assert result["settings"]["distinct_compositions"] == COMPOSITIONS
    assert result["settings"]["distinct_files"] == 3 * COMPOSITIONS
    runs, ratios = result["runs"], result["ratios"]
    one = runs["one_process"]
    several = [run for run in runs.values() if run is not one]
    assert [run["pieces"] for run in several] == [COMPOSITIONS // share for share in (8, 4, 2, 1)]
    assert {run["processes"] for run in several} == {CORES} and one["processes"] == 1
    for run in runs.values():
        assert set(run["pieces_that_count"].values()) == {run["pieces"]}
        assert run["milliseconds_a_piece"]["median"] * run["pieces"] == pytest.approx(
            1e3 * run["seconds"]["median"], rel=1e-3
        )
        assert run["start_to_exit_seconds"]["median"] > run["seconds"]["median"]
    for figure in ("milliseconds_a_piece", "worker_memory_mib", "parent_memory_mib"):
        medians = [run[figure]["median"] for run in (several[-1], several[0])]
        assert ratios[f"{figure}_largest_to_smallest"] == pytest.approx(medians[0] / medians[1], rel=1e-3)
    same = runs[f"all_cores_{one['pieces']}"]
    speed_up = one["seconds"]["median"] / same["seconds"]["median"]
    assert ratios["milliseconds_a_piece_one_process_to_all_cores"] == pytest.approx(speed_up, rel=1e-3)
    assert one["scores"] == same["scores"]
    assert len(result["targets"]) == 5


@pytest.fixture
def scoring(load_benchmark):
    return load_benchmark("scoring")


@pytest.fixture
def pieces(folder, scoring):
    return scoring.find_pieces([str(folder)])


def test_passages_are_distinct_and_a_fixed_sample(scoring, pieces):
    all_of_them = scoring.cut_compositions(pieces, 32, 1000)
    assert len({ids.tobytes() for _, ids in all_of_them}) == len(all_of_them)
    assert {name for name, _ in all_of_them} == {piece.name for piece in pieces}
    assert {ids.shape for _, ids in all_of_them} == {(3, 32)}
    again = scoring.cut_compositions(pieces, 32, 1000)
    assert [ids.tolist() for _, ids in again] == [ids.tolist() for _, ids in all_of_them]


def test_files_are_used_again_where_the_corpus_runs_out(scoring, pieces, tmp_path):
    compositions = scoring.cut_compositions(pieces, 32, 3)
    scoring.write_run(compositions, 16, tmp_path / "run")
    assert len(list((tmp_path / "run").glob("*.prompt.mid"))) == 3
    for share in scoring.SHARES:
        run = read_run(scoring.manifest_path(tmp_path / "run", 16 // share))
        assert [record.index for record in run.records] == list(range(16 // share))
    assert {record.files.prompt for record in run.records} == {
        path.name for path in (tmp_path / "run").glob("*.prompt.mid")
    }


def test_pieces_that_are_all_too_short_are_refused(scoring, pieces):
    with pytest.raises(ValueError, match="--length"):
        scoring.cut_compositions(pieces, 100_000, 8)


def test_runs_with_other_scores_are_refused(scoring):
    runs = [
        scoring.FreshRun({"pieces": 8, "scores": {"pitch_kl": [score, 8]}}, seconds=1.0, peak_memory_mib=[1.0])
        for score in (0.1, 0.2)
    ]
    with pytest.raises(RuntimeError, match="0.2"):
        scoring.check_same_scores({"all_cores_8": runs[:1], "one_process": runs[1:]})
