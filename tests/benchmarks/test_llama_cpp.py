"""benchmarks/llama_cpp.py: llama.cpp reads our weights and writes our tokens."""

import pytest

pytest.importorskip("xllamacpp", reason="benchmarks/llama_cpp.py needs xllamacpp and gguf, which no extra installs")


def test_figures(run_benchmark):
    lengths = ("--prompt_length", "16", "--new_tokens", "12")
    result = run_benchmark("llama_cpp", "--size", "tiny", "--batches", "1,3", *lengths, "--repetitions", "1")
    for row in result["runs"].values():
        assert row["same_tokens"] == 1
        milliseconds = [row[way]["milliseconds"]["median"] for way in ("ours", "llama_cpp")]
        assert row["step_to_llama_cpp"] == pytest.approx(milliseconds[0] / milliseconds[1], rel=1e-3)
