"""A corpus that is prepared in tasks, killed and started again, at a tiny size."""

import zipfile

from music import make_song


def test_distributed(run_benchmark, tmp_path):
    with zipfile.ZipFile(tmp_path / "sample.zip", "w") as archive:
        for seed in range(12):
            archive.writestr(f"{seed}.mid", make_song(seed, bars=6).dumps_midi())
        archive.writestr("13.mid", b"no music")
    options = "--files 70 --part 35 --compared 1 --tasks 4 --workers 1".split()
    result = run_benchmark("distributed", str(tmp_path / "sample.zip"), "--work", str(tmp_path / "work"), *options)
    equality, whole = result["equality"], result["whole"]
    assert equality["equal"] and equality["same_quarantine"] and sum(equality["rows"].values()) < 70
    assert equality["refused"]["not_midi"] >= 5
    assert whole["tasks_done_again"] == 0 and not any(kill["data"] for kill in whole["killed"])
    assert list(whole["stages"]) == ["list", "read", "candidates", "align", "split", "write", "tokenize", "finish"]
    assert all(equality["same_tokens"].values())
    assert set(result["projection"]["stages"]) == set(whole["stages"]) and not (tmp_path / "work").exists()
