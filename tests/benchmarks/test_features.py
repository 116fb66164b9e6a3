"""benchmarks/features.py: both do the same work, and its figures agree with each other."""

import zipfile

import pytest
from music import make_score


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "pieces.zip"
    with zipfile.ZipFile(path, "w") as members:
        for seed in range(3):
            members.writestr(f"pieces/{seed}.mid", make_score(seed, num_notes=560).dumps_midi())
    return path


def test_figures(archive, run_benchmark):
    result = run_benchmark(
        "features", "--data_dir", str(archive), "--max_pieces", "1", "--max_whole", "1", "--repetitions", "1"
    )
    assert result["settings"]["compositions"] == 1 and result["settings"]["files_of_the_archive"] == 3
    ours, peer = result["runs"]["ours"], result["runs"]["music21"]
    assert ours["bars_of_whole_pieces"] == pytest.approx(peer["bars_of_whole_pieces"], abs=1)
    for part in ("excerpts", "whole"):
        medians = [run[part]["milliseconds"]["median"] for run in (peer, ours)]
        assert result["ratios"][f"{part}_music21_to_ours_milliseconds"] == pytest.approx(
            medians[0] / medians[1], rel=1e-3
        )
    assert len(result["targets"]) == 3


def test_a_piece_too_short_for_excerpts_is_named(load_benchmark, archive, tmp_path):
    with zipfile.ZipFile(archive, "a") as members:
        members.writestr("a/short.mid", make_score(0, num_notes=20).dumps_midi())
    with pytest.raises(ValueError, match="a/short.mid"):
        load_benchmark("features").write_pieces(archive, 1, tmp_path)
