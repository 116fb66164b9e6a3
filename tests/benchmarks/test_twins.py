"""The benchmark of twins on a few songs: its figures are those of the detector, and its picture is drawn."""

import numpy as np
import pytest
from music import make_song
from plantings import PLANTINGS

from neuromusic_hf.twins import find_twins, melody_of

SONGS = 6


@pytest.fixture
def benchmark(load_benchmark):
    return load_benchmark("twins")


@pytest.fixture
def pieces(benchmark, tmp_path):
    for seed in range(SONGS):
        make_song(seed).dump_midi(tmp_path / f"{seed}.mid")
    return benchmark.Pieces(f"songs={tmp_path}", tmp_path / "cache")


def test_copies_are_counted(benchmark, pieces, monkeypatch):
    kinds = ["transposed", "first half"]
    monkeypatch.setattr(benchmark, "PLANTINGS", {kind: PLANTINGS[kind] for kind in kinds})
    figures = benchmark.measure_recall(pieces, 3)
    assert figures["pieces"] == SONGS and figures["largest_family"] == 1 and list(figures["kinds"]) == kinds
    for row in figures["kinds"].values():
        assert (row["copies"], row["candidates"], row["found"], row["strangers"], row["recall"]) == (3, 3, 3, 0, 1)


def test_the_peer_finds_what_is_the_same(benchmark, pieces):
    pytest.importorskip("datasketch", reason="datasketch is not installed (pip install neuromusic_hf[dev])")
    peer = benchmark.make_peer(pieces.melodies)
    assert all(peer.finds(index, melody) for index, melody in enumerate(pieces.melodies))
    assert peer.pairs == 0 and not peer.finds(0, melody_of(make_song(SONGS)))


def test_a_grown_corpus_has_the_pieces_and_twins_of_them(benchmark, pieces, monkeypatch):
    monkeypatch.setattr(benchmark, "TWIN_SHARE", 1.0)
    grown = benchmark.Grown(pieces.melodies, 2 * SONGS)
    assert all(grown[index].pitch.tolist() == pieces.melodies[index].pitch.tolist() for index in range(SONGS))
    assert grown[SONGS].pitch.tolist() == grown[SONGS].pitch.tolist() != grown[0].pitch.tolist()
    assert len(find_twins(grown)) >= SONGS - 1


def test_growth_is_projected_and_all_is_drawn(benchmark, pieces, monkeypatch, tmp_path):
    monkeypatch.setattr(benchmark, "PLANTINGS", {"transposed": PLANTINGS["transposed"]})
    cost = benchmark.measure_cost(pieces, 1)
    assert cost["all"]["median"] == pytest.approx(
        sum(cost[stage]["median"] for stage in ("melody", "sketch", "candidates", "alignment"))
    )
    growth = [
        {"pieces": 1000 * size, "candidate_pairs": 0, "twins": 0, "disk_mib": size, "peak_memory_mib": 300.0 + size}
        | {"seconds": {"candidates": 36.0 * size, "alignment": 36.0 * size**1.5}}
        for size in (1, 2, 4)
    ]
    projection = benchmark.project(growth, {"melody": {"median": 0.9}})
    assert projection["exponents"] == pytest.approx({"candidates": 1, "alignment": 1.5})
    assert projection["hours"] == pytest.approx(0.1 + 4 + 0.01 * 400**1.5)
    assert projection["disk_gib"] == pytest.approx(400 / 1024)
    assert projection["memory_gib"] == pytest.approx(700 / 1024)
    figures = {"recall": {"songs": benchmark.measure_recall(pieces, 2)}, "cost": cost, "growth": growth}
    figures["projection"] = projection
    assert benchmark.judge(figures)["recall, songs, transposed"]["met"]
    benchmark.plot(figures).savefig(tmp_path / "picture.png")


def test_so_many_pieces_are_measured(benchmark, pieces, tmp_path):
    path = benchmark.save_melodies(pieces.melodies, tmp_path / "melodies.npz")
    result = benchmark.run_task(str(path), 3 * SONGS)
    assert result["pieces"] == 3 * SONGS and result["peak_memory_mib"] > 0
    assert result["disk_mib"] * 2**20 >= 12 * sum(len(np.unique(melody.pitch)) for melody in pieces.melodies)
