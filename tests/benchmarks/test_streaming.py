"""Training on a stream beside training without it, at a tiny size."""

import zipfile

from music import make_song


def test_streaming(run_benchmark, tmp_path):
    with zipfile.ZipFile(tmp_path / "sample.zip", "w") as archive:
        for seed in range(12):
            archive.writestr(f"{seed}.mid", make_song(seed, bars=6).dumps_midi())
    options = "--pieces 40 --kept 20 --size tiny --steps 3 --repetitions 1 --tasks 2 --workers 1".split()
    result = run_benchmark("streaming", str(tmp_path / "sample.zip"), "--work", str(tmp_path / "work"), *options)
    assert set(result["tokens_per_second"]) == {"streamed", "kept"} and result["streamed_to_kept"] > 0
    memory = result["memory"]
    assert len(memory["pieces"]) == len(memory["mib"]) > 20 and memory["pieces"][-1] >= 39 and min(memory["mib"]) > 0
    assert (tmp_path / "result.png").stat().st_size > 0 and not (tmp_path / "work").exists()
