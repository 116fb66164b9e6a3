"""Runs of infills are read side by side, judged by the script, and shown on a page that stands alone."""

import io
import json
from dataclasses import replace
from types import SimpleNamespace

import matplotlib.image
import numpy as np
import pytest
from html_page import Page, decode
from music import make_song
from symusic import Note, Score, Track

from neuromusic_hf.metrics import JudgedSpan
from neuromusic_hf.music import RefusedFile, bar_starts, load_score, replace_notes, seconds_at
from neuromusic_hf.rendering import read_audio, render_windows
from neuromusic_hf.rendering.windows import PAUSE_SECONDS
from neuromusic_hf.reports import InfillScoringOptions, score_infill_runs, write_infill_report
from neuromusic_hf.reports import infill_exhibits as exhibits_module
from neuromusic_hf.reports.infill_exhibits import choose_spans, make_infill_exhibit
from neuromusic_hf.reports.infill_runs import read_infill_runs
from neuromusic_hf.runs import INFILLS, InfillSettings, InfillWriter, OutputSettings, RunFolder, find_pieces
from neuromusic_hf.tokenization import Tally

NAMES = ["<script>alert(1)</script>", '"quoted" & more', "Über Café", "- plain", "drums"]


class Filler:
    """Puts the notes back that were taken out, on other pitches; skips pieces of some names."""

    def __init__(self, weights, semitones, skips=(), unended=()):
        config = SimpleNamespace(trained_programs=None)
        self.model = SimpleNamespace(name_or_path=str(weights), hub_commit=None, config=config)
        self.controller = SimpleNamespace(programs=set(range(-1, 128)))
        self.processor = SimpleNamespace(tokenization="REMI")
        self.semitones, self.skips, self.unended = semitones, skips, unended

    def sampling_in_force(self, **arguments):
        return arguments

    def __call__(self, pieces, *, batch_size, num_return_sequences=1, seed=0, **arguments):
        takes = [
            [self.result(piece, number, **arguments) for number in range(num_return_sequences)] for piece in pieces
        ]
        return [each if num_return_sequences > 1 else each[0] for each in takes]

    def result(self, piece, take, *, bars, instruments=None, **_):
        if piece["name"] in self.skips:
            return {"skipped": {"reason": "prompt_too_long", "detail": "too long"}}
        score, spans = load_score(piece["bytes"]), []
        programs = None if instruments is None else frozenset(instruments)
        whole, added, removed = score, Score(score.tpq), Score(score.tpq)
        for first, end in bars:
            ticks = tuple(bar_starts(score)[[first, end]].tolist())
            new = JudgedSpan(piece["name"], score, *ticks, programs).removed.shift_pitch(self.semitones + take)
            replaced = replace_notes(whole, *ticks, new, programs)
            whole = replaced.score
            added.tracks.extend(replaced.added.tracks)
            removed.tracks.extend(replaced.removed.tracks)
            spans.append(
                {
                    "bars": (first, end),
                    "ticks": ticks,
                    "seconds": (0.0, 1.0),
                    "token_ids": [1],
                    "prompt_token_ids": [1],
                }
                | {"programs": None if programs is None else sorted(programs), "entropy": 1.0}
                | {"kept": [33] if piece["name"] in self.unended else []}
                | {"stopped_by": "max_new_tokens" if piece["name"] in self.unended else "eom"}
                | {"removed_notes": 1, "new_notes": 1, "shortened": 0, "moved": 0, "left_out": {}}
            )
        result = {"name": piece["name"], "midi": whole, "infilled": added, "removed": removed, "spans": spans}
        return result | {"changed": Tally(), "seed": take, "seconds": 0.1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("infills")
    (folder / "bundle").mkdir()
    (folder / "bundle" / "model.safetensors").write_bytes(b"weights")
    (folder / "pieces").mkdir()
    for seed, _ in enumerate(NAMES):
        song = make_song(seed, bars=12)
        song.tracks.append(Track("", 0, True, [Note(480 * beat, 120, 36, 90) for beat in range(48)]))
        song.dump_midi(folder / "pieces" / f"{seed}.mid")
    return folder


@pytest.fixture(scope="module")
def make_run(folder):
    """Writes a run that fills the pieces, each by its notes so many semitones higher."""

    def write(name, semitones=0, skips=(), unended=(), pieces=None, **settings):
        found = find_pieces([str(folder / "pieces")])[slice(pieces)]
        run = InfillWriter(
            Filler(folder / "bundle", semitones, skips, unended),
            found,
            RunFolder(folder / name, INFILLS),
            InfillSettings(**{"bars": [[4, 7]]} | settings),
            OutputSettings(pictures=False),
        )
        run.begin(sources=["pieces"])
        run.write_share(0, 1)
        run.end()
        manifest = folder / name / "manifest.json"
        content = json.loads(manifest.read_text())
        for piece in content["pieces"]:  # names that no file system takes
            piece["name"] = NAMES[piece["index"]]
        manifest.write_text(json.dumps(content))
        return folder / name

    return write


@pytest.fixture(scope="module")
def runs(make_run):
    """One that is right, but does not end two spans; and one that is six semitones off and leaves a piece out."""
    return make_run("right", unended=("1", "2")), make_run("wrong", semitones=6, skips=("3",))


@pytest.fixture(scope="module")
def scored(runs, folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exhibits_module, "render_windows", lambda *_, **__: np.full((2, 16000), 0.25, np.float32))
        scores = score_infill_runs(runs, InfillScoringOptions(labels=["right", "<i>wrong</i>"]))
        page = write_infill_report(scores, folder / "report")
    return SimpleNamespace(scores=scores, page=Page(page.read_text(encoding="utf-8")), folder=page.parent)


def plain(score):
    return sorted((n.time, n.pitch, n.duration) for track in score.tracks for n in track.notes)


def test_spans_that_all_runs_filled_are_judged(runs):
    read = read_infill_runs(runs, ["right", "wrong"])
    spans, infills = read.spans, read.infills
    unended = "max_new_tokens"
    assert read.incomplete == {"right": [None, unended, unended, None], "wrong": [None] * 4}
    assert [span.name for span in spans] == [f"{index:03d} {NAMES[index]}" for index in (0, 1, 2, 4)]
    for span, right, wrong in zip(spans, infills["right"], infills["wrong"], strict=True):
        assert (span.start, span.end, span.programs) == (4 * 1920, 7 * 1920, None)
        assert plain(right) == plain(span.removed)
        assert plain(wrong) == plain(span.removed.shift_pitch(6))


def test_takes_and_spans_of_a_piece_are_each_a_span(make_run):
    run = make_run("takes", bars=[[2, 4], [6, 7]], num_return_sequences=2, instruments=[73, -1], pieces=2)
    read = read_infill_runs([run])
    spans, infills = read.spans, read.infills
    assert list(infills) == ["bundle"]
    assert [(span.name[:3], span.start // 1920) for span in spans] == [
        (name, bar) for name in ("000", "001") for _ in (1, 2) for bar in (2, 6)
    ]
    assert {span.programs for span in spans} == {frozenset({73, -1})}
    assert plain(infills["bundle"][2]) == plain(spans[2].removed.shift_pitch(1))  # the second take
    assert score_infill_runs([run]).record["pieces"] == 2


def test_runs_that_cannot_be_compared_are_refused(runs, make_run):
    with pytest.raises(ValueError, match="no filled span in common"):
        read_infill_runs([runs[0], make_run("elsewhere", bars=[[5, 8]])])
    with pytest.raises(ValueError, match="of other pieces"):
        read_infill_runs([runs[0], make_run("fewer", pieces=2)])
    with pytest.raises(ValueError, match="Labels"):
        read_infill_runs(runs, ["one"])
    with pytest.raises(ValueError, match="no two alike"):
        read_infill_runs(runs, ["one", "one"])
    assert list(read_infill_runs(runs).infills) == ["1. bundle", "2. bundle"]
    with pytest.raises(FileNotFoundError):
        read_infill_runs([runs[0].parent])


def test_nothing_is_fetched_and_names_are_text(scored):
    (policy,) = [meta["content"] for meta in scored.page.attributes("meta") if "http-equiv" in meta]
    assert policy.startswith("default-src 'none'; img-src data:; media-src data:;") and "script-src" not in policy
    for _, attributes in scored.page.tags:
        assert not attributes.keys() & {"href", "srcset", "onerror", "onload"}
        assert attributes.get("src", "data:").startswith("data:")
    assert not scored.page.attributes("script") and not scored.page.attributes("i")
    chosen = [scored.scores.spans[number].name for _, number in choose_spans(scored.scores)]
    titles = [words for tag, words in scored.page.words if tag == "h3"]
    assert titles[-len(chosen) :] == chosen and len(chosen) == 3
    assert "Infills by right , <i>wrong</i>" in scored.page.text


def test_means_and_what_is_left_out_are_on_the_page(scored):
    measures = scored.scores.record["measures"]
    for measure in measures.values():
        found = measure["kinds"]["<i>wrong</i>"]
        low, high = (f"{bound:.{measure['decimals']}f}" for bound in found["interval"])
        assert f"{found['mean']:.{measure['decimals']}f} {low} to {high}" in scored.page.text
    assert measures["note_f1"]["kinds"]["right"]["mean"] == 1
    assert measures["chroma"]["kinds"]["right"]["away"]["mean"] == 0
    assert "prompt_too_long (1): 003 3" in scored.page.text
    assert scored.scores.record["runs"][1]["left_out"] == {"prompt_too_long": ["003 3"]}
    assert "4 spans of 4 pieces" in scored.page.text and "3 bars each" in scored.page.text


def test_spans_in_which_parts_stayed_are_counted(scored):
    assert [run["kept_parts"] for run in scored.scores.record["runs"]] == [2, 0]
    assert scored.page.text.count("parts of instruments that it never heard stay") == 1
    assert "in 2 spans parts of instruments" in scored.page.text


def test_incomplete_spans_are_counted_and_told_where_one_is_shown(scored):
    record, table = scored.scores.record["repeats"], scored.scores.table
    unended = {"max_new_tokens": 2}
    assert {kind: each["incomplete"] for kind, each in record.items()} == {
        "real": None, "right": unended, "<i>wrong</i>": {}, "copy": None, "elsewhere": None
    }  # fmt: skip
    assert table.loc[table["kind"] == "right", "incomplete"].tolist() == [None, *unended, *unended, None]
    assert "right: 2 of 4 spans are incomplete (max_new_tokens: 2)" in scored.page.text
    exhibits = [make_infill_exhibit(scored.scores, "best", number) for number in (0, 1)]
    assert [[view.incomplete for view in exhibit.views] for exhibit in exhibits] == [
        [None] * 3, [None, "max_new_tokens", None]
    ]  # fmt: skip
    shown = [number for _, number in choose_spans(scored.scores)]
    assert scored.page.text.count("incomplete: ended by max_new_tokens") == len({1, 2} & set(shown)) > 0


def test_sound_that_is_cut_says_where(scored, monkeypatch, recwarn):
    monkeypatch.setattr(exhibits_module, "render_windows", render_windows)
    monkeypatch.setattr("neuromusic_hf.rendering.window_sound.render_audio", lambda *_, **__: np.zeros((2, 100)))
    assert [view.cut for view in make_infill_exhibit(scored.scores, "best", 0).views] == [None] * 3
    monkeypatch.setattr(exhibits_module, "MOST_SECONDS", 5.0)
    views = make_infill_exhibit(scored.scores, "best", 0).views
    begin, end = seconds_at(scored.scores.spans[0].piece, [2 * 1920, 9 * 1920])  # two bars on each side
    assert [view.cut for view in views] == [f"the first 5 s of {end - begin + PAUSE_SECONDS:.0f} s"] * 3
    samples, rate = read_audio(io.BytesIO(views[1].sound))
    assert samples.shape[1] == 5 * rate and not list(recwarn)


def test_pictures_and_sounds_decode(scored):
    pictures = [decode(image["src"], "image/png") for image in scored.page.attributes("img")]
    assert len(pictures) == 4 + 3 * 2  # means, scores, values of two runs; and of each exhibit the model and the copy
    assert pictures[0] == (scored.folder / "means.png").read_bytes()
    for picture in pictures:
        pixels = matplotlib.image.imread(io.BytesIO(picture))
        assert min(pixels.shape[:2]) > 100 and pixels[..., :3].std() > 0.01
    sounds = [decode(audio["src"], "audio/wav") for audio in scored.page.attributes("audio")]
    assert len(sounds) == 3 * 3
    samples, rate = read_audio(io.BytesIO(sounds[0]))
    assert rate == 16000 and abs(samples.mean() - 0.25) < 1e-3


def test_what_cannot_be_shown_says_why(scored, monkeypatch):
    def no_engine(*arguments, **settings):
        raise ImportError("No audio engine is installed.")

    monkeypatch.setattr(exhibits_module, "render_windows", no_engine)
    exhibit = make_infill_exhibit(scored.scores, "best", 0)
    assert [view.silence for view in exhibit.views] == ["No audio engine is installed."] * 3
    assert [view.picture is None for view in exhibit.views] == [True, False, False]
    assert (exhibit.bars, exhibit.instruments) == ((4, 7), "all tracks")
    refused = [RefusedFile("no_bar_before", "it begins here")]
    without = replace(scored.scores, infills={**scored.scores.infills, "copy": refused})
    assert make_infill_exhibit(without, "best", 0).views[2].silence == "no_bar_before: it begins here"


def test_the_script_judges_runs_beside_a_continuation(runs, bundle, call_script, tmp_path, monkeypatch):
    monkeypatch.setattr(exhibits_module, "choose_exhibits", lambda table: [])
    options = ("--labels", "right", "wrong", "--continue_with", bundle, "--batch_size", 4)
    call_script("score_infills", *runs, "--output", tmp_path, *options, "--comparison", "own_comparisons.LOUDNESS")
    names = {"infill_scores.json", "infill_spans.csv", "infill_spans.parquet", "means.png", "report.html"}
    assert {path.name for path in tmp_path.iterdir()} == names
    record = json.loads((tmp_path / "infill_scores.json").read_text(encoding="utf-8"))
    assert list(record["kinds"]) == ["real", "right", "wrong", "copy", "elsewhere", "continuation"]
    assert {"chroma", "groove", "harmony", "loudness"} <= set(record["measures"])
    assert record["measures"]["note_f1"]["kinds"]["continuation"]["num_pieces"]
    assert "no span has all measures" in (tmp_path / "report.html").read_text(encoding="utf-8").lower()


def test_numbers_out_of_range_are_refused():
    with pytest.raises(ValueError, match="batch_size=0"):
        InfillScoringOptions(batch_size=0)
    with pytest.raises(ValueError, match="harmony_revision"):
        InfillScoringOptions(harmony_revision="main")
