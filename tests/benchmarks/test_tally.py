"""The benchmark of the tally on a few pieces: its figures are those of the processor, and its picture is drawn."""

import pytest
from music import make_score
from symusic import Note

from neuromusic_hf.tokenization import PiecesTally


@pytest.mark.parametrize("settings", ["old", "new"])
def test_figures_are_those_of_the_processor(load_benchmark, tmp_path, settings):
    tally = load_benchmark("tally")
    for seed in range(40):
        score = make_score(seed, 40)
        score.tracks[0].notes.append(Note(score.end(), 480 * 40, 60, 64))
        score.dump_midi(tmp_path / f"{seed}.mid")
    pieces = tally.load_pieces("mine", str(tmp_path), tmp_path / "cache")
    processor = tally.make_processor("TSD", settings)
    figures = tally.measure(processor, pieces, "mine")
    expected = PiecesTally.of({str(index): processor.tally(score) for index, score in enumerate(pieces["midi"])})
    assert figures["pieces"] == 40 and figures["changed"] == expected.changed
    assert figures["total"] == expected.total.to_dict() and figures["time_share"] > 0
    assert figures["changed_by_kind"].get("lengths_cut", 0) == (40 if settings == "old" else 0)
    found = tally.judge({"mine": {"TSD": figures}})["mine_TSD_lost_share"]
    assert found["met"] == (expected.total.lost_share <= 0.0005) == (settings == "new")
    tally.plot({"mine": {"TSD": figures}}).savefig(tmp_path / "picture.png")
