"""The benchmarks run end to end at tiny sizes, and their figures agree with each other. No times are judged."""

import json
import os
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import symusic

ROOT = Path(__file__).parents[2]
SPLITS = ["train"] * 6 + ["validation"] * 2 + ["test"] * 2
HEADER = "canonical_composer,canonical_title,split,year,midi_filename,audio_filename,duration"


def melody(seed: int) -> bytes:
    draw = random.Random(seed)
    score = symusic.Score(480)
    score.tempos.append(symusic.Tempo(0, 120.0))
    track = symusic.Track("melody", 0, False)
    for index in range(60):
        track.notes.append(symusic.Note(index * 240, 240, draw.randrange(40, 90), 64))
    score.tracks.append(track)
    return score.dumps_midi()


@pytest.fixture
def maestro_zip(tmp_path):
    path = tmp_path / "tiny-maestro.zip"
    rows = [f"Composer,Piece {i},{split},2004,2004/{i}.midi,x.wav,1.0" for i, split in enumerate(SPLITS)]
    with zipfile.ZipFile(path, "w") as archive:
        for index in range(len(SPLITS)):
            archive.writestr(f"maestro-v2.0.0/2004/{index}.midi", melody(index))
        archive.writestr("maestro-v2.0.0/maestro-v2.0.0.csv", "\n".join([HEADER, *rows]))
    return path


def run_benchmark(name: str, output: Path, *options: str) -> dict:
    command = [sys.executable, f"benchmarks/{name}.py", "--output", str(output), *options]
    run = subprocess.run(command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    result = json.loads(output.read_text())
    assert result["benchmark"] == name
    assert {"date", "machine", "versions"} <= set(result)
    assert result["machine"]["cores"] and result["machine"]["memory_gib"]
    return result


def check_spread(figure: dict):
    assert 0 < figure["min"] <= figure["median"] <= figure["max"]


def test_tokenize_corpus(maestro_zip, tmp_path):
    result = run_benchmark(
        "tokenize_corpus", tmp_path / "result.json", "--data_dir", str(maestro_zip), "--repetitions", "1"
    )
    assert str(tmp_path) not in json.dumps(result)
    assert result["settings"]["archive"] == "tiny-maestro.zip" and result["settings"]["pieces"] == len(SPLITS)
    runs, ratios = result["runs"], result["ratios"]
    assert list(runs) == ["miditok_loop", "one_process", "cached_start", "two_processes"]
    for run in runs.values():
        check_spread(run["start_to_exit_seconds"])
        assert run["peak_memory_mib_of_each_process"][0] == run["peak_memory_mib"]["max"]

    def median(run: str, part: str, unit: str) -> float:
        check_spread(runs[run][part][unit])
        return runs[run][part][unit]["median"]

    rate, per_core = "files_per_second", "files_per_second_per_core"
    for part in ("tokenising", "together"):
        one, two = median("one_process", part, rate), median("two_processes", part, rate)
        assert median("two_processes", part, per_core) == pytest.approx(two / 2, rel=1e-3)
        assert ratios[f"{part}_two_to_one"] == pytest.approx(two / one, rel=1e-3)
        loop = median("miditok_loop", "loop", per_core)
        assert ratios[f"{part}_one_to_loop_per_core"] == pytest.approx(one / loop, rel=1e-3)
    for target in result["targets"].values():
        met = target["found"] >= target["at_least"] if "at_least" in target else target["found"] < target["below"]
        assert target["met"] == met


def test_training_step(tmp_path):
    options = ("--sizes", "tiny", "--models", "gpt2", "--steps", "2", "--repetitions", "1", "--max_pieces", "60")
    result = run_benchmark("training_step", tmp_path / "result.json", *options)
    assert set(result["models"]) == {"gpt2_tiny"}
    for row in result["models"].values():
        runs = {name: row[name] for name in ("transformers_defaults", "ours", "trainer")}
        speeds = {name: run["tokens_per_second"]["median"] for name, run in runs.items()}
        for run in runs.values():
            check_spread(run["tokens_per_second"])
            check_spread(run["peak_memory_mib"])
        assert runs["transformers_defaults"]["precision"] == "float32"
        assert len({run["parameters"] for run in runs.values()}) == 1
        assert row["ratios"]["ours_to_defaults"] == pytest.approx(
            speeds["ours"] / speeds["transformers_defaults"], rel=1e-3
        )
        assert row["ratios"]["trainer_to_ours"] == pytest.approx(speeds["trainer"] / speeds["ours"], rel=1e-3)
        assert 0 < row["trainer"]["loader_share"]["median"] < 1
