"""What the copy guard costs and does, measured on a tiny bundle. No times are judged."""

from tiny import ONE_LAYER

from neuromusic_hf import MidiProcessor, build_model
from neuromusic_hf.bundles import save_bundle


def test_copy_guard(run_benchmark, midi_folder, tmp_path):
    processor = MidiProcessor.from_tokenization("TSD")
    model = build_model("llama", processor, context_length=512, **ONE_LAYER)
    save_bundle(model, processor, tmp_path / "tiny")
    corpus = ("--corpora", str(midi_folder), "--pieces", str(midi_folder), "--scored", str(midi_folder))
    sizes = ("--repetitions", "1", "--new_tokens", "24", "--max_pieces", "2", "--runs", "2")
    options = (*sizes, "--work", str(tmp_path / "work"))
    result = run_benchmark("copy_guard", "--model", str(tmp_path / "tiny"), *corpus, *options)
    (cost,) = result["cost"]
    assert cost["notes"] > 1000 and [batch["size"] for batch in cost["batches"]] == [1, 5]
    plain, guarded = result["scores"]
    assert plain["copy_guard"] is None and guarded["copy_guard"]["max_run"] == 2
    assert max(map(int, guarded["lengths"])) <= 2 and set(plain["lengths"]) != set()
    assert (tmp_path / "work" / "comparison" / "shared_runs.png").is_file()
