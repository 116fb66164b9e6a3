"""benchmarks/grammar.py end to end: what the grammar lets through is sound, and what it does not would not be."""


def test_grammar(run_benchmark):
    sizes = {"tokens": 600, "length": 64, "vocab_size": 560, "max_pieces": 5, "steps": 2, "repetitions": 1}
    options = [f"--{name}={value}" for name, value in sizes.items()]
    result = run_benchmark("grammar", "--tokenizations=TSD", *options)
    assert set(result["proof"]) == {"TSD_plain", "TSD_BPE"}
    for row in result["proof"].values():
        assert row["unconstrained"]["errors"] > 0
        for kind in ("grammar", "ascending_without_chords"):
            assert row[kind]["tokens"] >= sizes["tokens"]
            assert row[kind]["errors"] == 0 and row[kind]["same_music"] == 1
        assert row["ascending_without_chords"]["same_tokens"] == 1
    assert set(result["cost"]) == {f"{name}_{model}" for name in result["proof"] for model in ("gpt2", "llama")}
    assert all(row["share_of_a_step"]["min"] > 0 for row in result["cost"].values())
    assert [target["met"] for target in result["targets"].values()][:3] == [True, True, True]
