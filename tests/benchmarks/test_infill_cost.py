"""benchmarks/infill_cost.py trains with and without infilling, and says what that costs."""

import pytest

OF_TRAINING = (
    "--split_shares 0.6 0.2 0.2 --num_proc 1 --context_length 64 --max_eval_blocks 4 --per_device_train_batch_size 2 "
    "--hidden_size 16 --num_hidden_layers 1 --num_attention_heads 2 --intermediate_size 32 "
    "--eval_continuations_steps 1000"
)


def test_infill_cost(run_benchmark, midi_folder, tmp_path):
    options = ("--models llama --vocabularies base --shares 0,0.5 --steps 2 --corpus").split()
    places = (str(midi_folder), "--work", str(tmp_path / "runs"))
    result = run_benchmark("infill_cost", *options, *places, "--", *OF_TRAINING.split())
    without, with_it = result["runs"]
    assert (without["share"], with_it["share"]) == (0, 0.5)
    assert without["infill"] is None and without["eval_infill_nats_per_note"] is None
    assert with_it["infill"]["share"] == pytest.approx(0.5, abs=0.02) and with_it["test_infill_nats_per_note"] > 0
    cost = with_it["eval_nats_per_note"] - without["eval_nats_per_note"]
    assert result["cost_in_nats_per_note"] == {"llama, base, 0.5": pytest.approx(cost, abs=1e-3)}
    assert list(with_it["curve"].values())[-1] == pytest.approx(with_it["eval_nats_per_note"], rel=1e-4)
    assert (tmp_path / "result.png").read_bytes().startswith(b"\x89PNG")
