"""benchmarks/infilling.py: it fills the spans it says, in all ways, and its figures agree with each other."""

import pytest
import torch
from music import make_song
from tiny import ONE_LAYER

from neuromusic_hf import MidiProcessor, build_model
from neuromusic_hf.bundles import save_bundle


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three songs, one of them for one instrument."""
    folder = tmp_path_factory.mktemp("songs")
    for seed in range(3):
        song = make_song(seed, bars=10)
        if seed == 2:
            song.tracks = song.tracks[:1]
        song.dump_midi(folder / f"song-{seed}.mid")
    return folder


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A tiny model that says of itself that it was trained to infill."""
    torch.manual_seed(1)
    processor = MidiProcessor.from_tokenization("REMI")
    model = build_model("gpt2", processor, context_length=384, **ONE_LAYER)
    model.config.infill_share = 0.5
    folder = tmp_path_factory.mktemp("bundle")
    save_bundle(model, processor, folder)
    return folder


def test_figures(run_benchmark, folder, bundle, tmp_path):
    result = run_benchmark("infilling", str(folder), str(bundle), "--pieces", "4", "--bars", "1")
    assert result["left_out"] == {"all_tracks": {}, "one_program": {"one_program_alone": 1}}
    assert {kind: found["spans"] for kind, found in result["spans"].items()} == {"all_tracks": 3, "one_program": 2}
    for kind, found in result["spans"].items():
        f1 = found["measures"]["note_f1"]["kinds"]
        assert list(f1) == ["real", "trained", "untrained", "copy", "elsewhere", "continuation"]
        assert f1["real"]["mean"] == found["measures"]["repetition"]["kinds"]["copy"]["mean"] == 1
        assert f1["trained"]["num_pieces"] == found["pieces"] == found["spans"]
        assert f1["trained"]["away"]["mean"] == pytest.approx(1 - f1["trained"]["mean"])
        difference = result["targets"][f"{kind}: note F1, trained - untrained"]["found"]
        assert difference == pytest.approx(f1["trained"]["mean"] - f1["untrained"]["mean"], abs=1e-4)
        assert found["repeats"]["copy"]["share"] == 1 and found["repeats"]["copy"]["incomplete"] is None
        unfinished = sum(bool(found["repeats"][model]["incomplete"]) for model in ("trained", "untrained"))
        assert len(found["summary"]) == 3 + unfinished
        assert (tmp_path / f"result_{kind}.png").is_file()


def test_names_are_counted_in_a_copy(infilling):
    names = {"note_f1": {"title": "F1", "kinds": {"copy": {"mean": 0.5, "undefined": {"no_bar": ["a", "b"]}}}}}
    counted = infilling.counted(names)
    assert counted == {"note_f1": {"title": "F1", "kinds": {"copy": {"mean": 0.5, "undefined": {"no_bar": 2}}}}}
    assert names["note_f1"]["kinds"]["copy"]["undefined"] == {"no_bar": ["a", "b"]}


@pytest.fixture
def infilling(load_benchmark):
    return load_benchmark("infilling")


def test_spans_are_a_fixed_sample_of_bars_and_of_programs_among_others(infilling, folder):
    pieces = infilling.find_pieces([str(folder)])
    arguments = type("Arguments", (), {"pieces": 2, "bars": 3, "seed": 5})
    drawn, left_out = infilling.draw_spans(pieces, arguments)
    again, _ = infilling.draw_spans(pieces, arguments)
    for kind in ("all_tracks", "one_program"):
        assert [(each.span.start, each.span.programs) for each in drawn[kind]] == [
            (each.span.start, each.span.programs) for each in again[kind]
        ]
        assert {each.span.num_bars for each in drawn[kind]} == {3} and len(drawn[kind]) == 2
    assert all(each.span.programs is None for each in drawn["all_tracks"])
    for each in drawn["one_program"]:
        assert each.piece["instruments"] == list(each.span.programs)
        assert 0 < each.span.removed.note_num()
    assert left_out == {"all_tracks": {}, "one_program": {}}
