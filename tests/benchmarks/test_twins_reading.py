"""Pairs of twins are drawn, shown without names, and counted as the reader says."""

import json
from itertools import combinations
from pathlib import PurePath

import numpy as np
import pytest
from music import make_song

SONGS, KEYS = 3, (0, 2, 5)


@pytest.fixture
def reading(load_benchmark):
    return load_benchmark("twins_reading")


@pytest.fixture
def twins(reading, tmp_path):
    """Songs, each in three keys, of which one is there again."""
    for seed in range(SONGS):
        for by in KEYS:
            make_song(seed).shift_pitch(by).dump_midi(tmp_path / f"song-{seed}-{by}.mid")
    make_song(0).dump_midi(tmp_path / "again.mid")
    return reading.Twins("songs", str(tmp_path))


def names(twins, pairs):
    return [frozenset(PurePath(title).stem for title in twins.titles(pair)) for pair in pairs]


def draw(twins, count, known=frozenset()):
    return twins.draw(count, set(known), np.random.default_rng(0))


def test_pairs_are_drawn_once_for_the_same_music_and_not_again(reading, twins, tmp_path):
    pairs = [{f"song-{seed}-{by}" for by in chosen} for seed in range(SONGS) for chosen in combinations(KEYS, 2)]
    everything = draw(twins, 99)
    found = [frozenset(name.replace("again", "song-0-0") for name in pair) for pair in names(twins, everything)]
    assert {pair.stratum for pair in everything} == {reading.ALL}
    assert sorted(map(sorted, found)) == sorted([*map(sorted, pairs), ["song-0-0"]])

    first, second = twins.titles(everything[0])
    read = tmp_path / "read.json"
    read.write_text(json.dumps({"near_misses": [{"first_title": f"{second}.mid", "second_title": first}]}))
    rest = draw(twins, 99, reading.read_before([read]))
    assert names(twins, everything)[0] not in names(twins, rest)

    few = draw(twins, 4)
    assert [pair.stratum for pair in few[:2]] == [reading.UNIFORM] * 2
    assert len(set(names(twins, few))) == 4
    weakest = [pair.shared.telling for pair in few if pair.stratum == reading.WEAKEST]
    assert sorted(weakest) == sorted(weakest)[: len(weakest)]


def test_music_is_shown_in_one_key_and_without_names(twins):
    [pair] = [pair for pair in draw(twins, 99) if sorted(names(twins, [pair])[0]) == ["song-1-0", "song-1-5"]]
    shown = twins.shown(pair)
    assert "song" not in shown and f"notes {pair.shared.notes} " in shown
    assert "transposed +5" in shown or "transposed -5" in shown
    rows = [line.split(" | ") for line in shown.splitlines() if " | " in line]
    assert rows and all(first == second for _, first, second in rows)


def verdicts(*same):
    return [{"verdict": "same" if each else "strangers", "note": "why"} for each in same]


def test_verdicts_are_counted_by_corpus_and_stratum(reading, tmp_path):
    pairs = [{"corpus": corpus, "stratum": "uniform", "family": 0} for corpus in ("bach", "bach", "folk", "folk")]
    (tmp_path / "pairs.json").write_text(json.dumps({"settings": {"seed": 1}, "pairs": pairs}))
    (tmp_path / "verdicts.json").write_text(json.dumps(verdicts(True, True, True, False)))
    found = reading.counted(tmp_path)
    assert found["pairs"][3] == pairs[3] | {"verdict": "strangers", "note": "why"}
    assert {name: (part["same"], part["pairs"]) for name, part in found["precision"].items()} == {
        "all": (3, 4),
        "uniform": (3, 4),
        "bach": (2, 2),
        "folk": (1, 2),
    }
    z, share, count = 1.959964, 0.75, 4
    middle, half = share + z**2 / (2 * count), z * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    bounds = [(middle + sign * half) / (1 + z**2 / count) for sign in (-1, 1)]
    assert found["precision"]["all"]["interval"] == pytest.approx(bounds, rel=1e-5)
    (tmp_path / "verdicts.json").write_text(json.dumps([*verdicts(True, True, True), {"verdict": None, "note": ""}]))
    with pytest.raises(ValueError, match="Pair 3 has the verdict None"):
        reading.counted(tmp_path)


def test_verdicts_are_not_overwritten(reading, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["twins_reading.py", "draw", "bach=1", "--folder", str(tmp_path)])
    with pytest.raises(SystemExit):
        reading.main()
    assert "is there, maybe with verdicts" in capsys.readouterr().err
    assert reading.wanted("lieder:a=b/c.zip=5") == (["lieder", "a=b/c.zip"], 5)
