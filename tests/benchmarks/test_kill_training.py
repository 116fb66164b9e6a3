"""A run that is killed, in short; tests of training fill a disk."""


def test_kill_training(run_benchmark, midi_folder):
    sizes = ("--hidden_size", "64", "--max_steps", "12", "--save_steps", "2", "--kills", "1", "--no-fill_disk")
    result = run_benchmark("kill_training", "--corpus", str(midi_folder), *sizes)
    killed = [launch["killed_in"] for launch in result["launches"]]
    assert killed[0] == "save" and killed[-1] is None and result["last_launch_ended_with"] == 0
    assert result["killed_run"] == {"every_logged_value_is_equal": True, "every_weight_is_equal": True}
