"""benchmarks/infilling.py: it fills the spans it says, in all ways, and its figures agree with each other."""

from collections import Counter
from types import SimpleNamespace

import pytest
import torch
from music import make_song
from tiny import ONE_LAYER

from neuromusic_hf import MidiProcessor, build_model
from neuromusic_hf.bundles import save_bundle
from neuromusic_hf.music import RefusedFile


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


def draw(infilling, kind, folder):
    arguments, left_out = SimpleNamespace(bars=3, seed=5), Counter()
    return list(infilling.draw_spans(kind, infilling.find_pieces([str(folder)]), arguments, left_out)), left_out


def test_spans_are_a_fixed_sample_of_bars_and_of_programs_among_others(infilling, folder):
    for kind, count in (("all_tracks", 3), ("one_program", 2)):
        (drawn, left_out), (again, _) = (draw(infilling, kind, folder) for _ in range(2))
        assert [(each.span.start, each.span.programs) for each in drawn] == [
            (each.span.start, each.span.programs) for each in again
        ]
        assert {each.span.num_bars for each in drawn} == {3} and len(drawn) == count
        assert left_out == ({"one_program_alone": 1} if kind == "one_program" else {})
        for each in drawn:
            assert 0 < each.span.removed.note_num()
            assert (each.span.programs is None) is (kind == "all_tracks")
            assert each.span.programs is None or each.piece["instruments"] == list(each.span.programs)


class Picky:
    """Refuses some spans by one of its answers or the other."""

    def __init__(self):
        self.asked = []

    def to(self, drawn):
        self.asked += drawn
        trained = [RefusedFile("prompt_too_long", "") if each in (1, 2) else f"trained {each}" for each in drawn]
        untrained = [RefusedFile("no_notes", "") if each == 4 else f"untrained {each}" for each in drawn]
        return {name: [(each, None) for each in row] for name, row in (("a", trained), ("b", untrained))}


def test_spans_are_drawn_until_so_many_could_be_filled_by_all(infilling):
    left_out, picky = Counter(), Picky()
    filled = infilling.fill_spans(map(Numbered, range(9)), picky, 4, left_out)
    assert filled.spans == [0, 3, 5, 6] and picky.asked == list(range(7))
    assert filled.infills == {
        name: [f"{of} {each}" for each in filled.spans] for name, of in (("a", "trained"), ("b", "untrained"))
    }
    assert left_out == {"prompt_too_long": 2, "no_notes": 1}
    few = infilling.fill_spans(iter([Numbered(1), Numbered(8)]), Picky(), 4, left_out)
    assert few.spans == [8] and left_out["prompt_too_long"] == 3


class Numbered(int):
    """A drawn span that is but a number."""

    @property
    def span(self):
        return int(self)
