"""benchmarks/compare_models.py trains every model of a comparison once, and draws their curves."""

import pytest
import yaml

COMPARISON = {
    "title": "Tiny models",
    "recipe": "recipes/small.yaml",
    "options": {
        "corpus": "folk",
        "max_pieces": 60,
        "num_proc": 1,
        "context_length": 32,
        "max_eval_blocks": 4,
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "max_steps": 2,
        "eval_steps": 1,
        "save_steps": 2,
    },
    "seeds": [3],
    "models": {
        "gpt2": {"model": "gpt2"},
        "shared": {"model": "music_transformer", "model_config": {"shared_relative_embeddings": True}},
    },
}


@pytest.fixture
def compare(run_benchmark, tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(COMPARISON))
    return lambda: run_benchmark("compare_models", str(path), "--runs", str(tmp_path / "runs"))


def test_compare_models(compare, tmp_path):
    result = compare()
    assert result["comparison"] == COMPARISON
    assert list(result["models"]) == ["gpt2", "shared"]
    for row in result["models"].values():
        run = row["runs"]["3"]
        assert run["optimizer_steps"] == 2
        assert run["tokens"] == [8 * 32, 2 * 8 * 32]
        assert row["nats_per_note"] == run["nats_per_note"] == pytest.approx(run["curve"][-1], rel=1e-4)
        assert row["parameters"] > 0
    picture = tmp_path / "result.png"
    assert picture.read_bytes().startswith(b"\x89PNG")

    picture.unlink()
    records = [tmp_path / "runs/tiny" / run / "bundle/run.json" for run in ("gpt2-3", "shared-3")]
    written = [record.stat().st_mtime_ns for record in records]
    assert compare()["models"] == result["models"]
    assert [record.stat().st_mtime_ns for record in records] == written
    assert picture.exists()
