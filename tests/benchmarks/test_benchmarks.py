"""The benchmarks run end to end at tiny sizes, and their figures agree with each other. No times are judged."""

import random
import zipfile

import pytest
import symusic

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


def test_tokenize_corpus(maestro_zip, run_benchmark):
    result = run_benchmark("tokenize_corpus", "--data_dir", str(maestro_zip), "--repetitions", "1")
    assert result["settings"]["archive"] == "tiny-maestro.zip" and result["settings"]["pieces"] == len(SPLITS)
    runs, ratios = result["runs"], result["ratios"]
    assert list(runs) == ["miditok_loop", "one_process", "cached_start", "two_processes"]
    for run in runs.values():
        assert run["start_to_exit_seconds"]["min"] > 0
        assert run["peak_memory_mib_of_each_process"][0] == run["peak_memory_mib"]["max"]

    def median(run: str, part: str, unit: str) -> float:
        return runs[run][part][unit]["median"]

    rate, per_core = "files_per_second", "files_per_second_per_core"
    for part in ("tokenising", "together"):
        one, two = median("one_process", part, rate), median("two_processes", part, rate)
        assert median("two_processes", part, per_core) == pytest.approx(two / 2, rel=1e-3)
        assert ratios[f"{part}_two_to_one"] == pytest.approx(two / one, rel=1e-3)
        loop = median("miditok_loop", "loop", per_core)
        assert ratios[f"{part}_one_to_loop_per_core"] == pytest.approx(one / loop, rel=1e-3)
    blocks = 1000 * median("one_process", "blocks", "cpu_seconds") / len(SPLITS)
    assert result["targets"]["make_blocks, processor milliseconds a file"]["found"] == pytest.approx(blocks, rel=1e-3)
    assert len(result["targets"]) == 7
    for source, part in (("files", "together"), ("Arrow", "tokenising")):
        judged = result["targets"][f"{source} to tokens, processor time, miditok's loop to one process"]
        assert judged["found"] == ratios[f"{part}_one_to_loop_cpu"] and judged["at_least"] == 20


def test_training_step(run_benchmark):
    models = "gpt2,music_transformer"
    options = ("--sizes", "tiny", "--models", models, "--rows", "3", "--peak_tflops", "0.5", "--max_pieces", "60")
    result = run_benchmark("training_step", *options, "--steps", "2", "--repetitions", "1")
    ours = {}
    for model, peer, ratio in (
        ("gpt2", "transformers_defaults", "ours_to_defaults"),
        ("music_transformer", "naive", "ours_to_naive"),
    ):
        row = result["models"][f"{model}_tiny"]
        assert row["batch"] == [3, 64]
        runs = {name: row[name] for name in (peer, "ours", "trainer")}
        speeds = {name: run["tokens_per_second"]["median"] for name, run in runs.items()}
        assert runs[peer]["precision"] == "float32"
        assert row["ratios"][ratio] == pytest.approx(speeds["ours"] / speeds[peer], rel=1e-3)
        assert row["ratios"]["trainer_to_ours"] == pytest.approx(speeds["trainer"] / speeds["ours"], rel=1e-3)
        assert 0 < row["trainer"]["loader_share"]["median"] < 1
        for name, run in runs.items():
            used = speeds[name] * run["flops_per_token"] / 0.5e12
            assert run["model_flops_utilisation"] == pytest.approx(used, rel=1e-3)
        ours[model] = speeds["ours"]
    assert list(result["models"]) == ["gpt2_tiny", "music_transformer_tiny"]
    between = ours["music_transformer"] / ours["gpt2"]
    assert result["ratios"]["tiny"]["music_transformer_to_gpt2"] == pytest.approx(between, rel=1e-3)
