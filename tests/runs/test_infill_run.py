"""A run of infills on disk: what it writes and records, that it goes on where it was stopped, and how it is read."""

import dataclasses
import json
import math
from types import SimpleNamespace

import matplotlib.image
import pytest
from music import make_score
from symusic import Note, Score, Track

from neuromusic_hf.disk import to_json
from neuromusic_hf.music import RefusedFile, bar_starts, gather_notes, load_score, replace_notes, seconds_at
from neuromusic_hf.rendering import read_audio
from neuromusic_hf.runs import (
    INFILLS,
    InfillSettings,
    InfillWriter,
    OutputSettings,
    RunFolder,
    find_pieces,
    named_instruments,
    read_infill_run,
    read_run,
)
from neuromusic_hf.tokenization import Tally


class Stopped(BaseException):
    """What no code catches, as SIGKILL."""


class FakeInfiller:
    """Infills a span by a scale of each of its programs; remembers what it was given."""

    def __init__(self, weights, trained_programs=None):
        self.kept = []
        self.stopped_by = {}  # by names of pieces, where the model did not end the span itself
        self.model = SimpleNamespace(name_or_path=str(weights), hub_commit=None)
        every = set(range(-1, 128))
        writable = every if trained_programs is None else set(trained_programs)
        self.controller = SimpleNamespace(programs=every, writable=writable)
        self.processor = SimpleNamespace(tokenization="REMI")
        self.batches, self.asked = [], []

    def sampling_in_force(self, **arguments):
        return {"do_sample": True} | arguments

    def __call__(self, pieces, *, batch_size, seed, num_return_sequences=1, **arguments):
        self.batches.append([piece["name"] for piece in pieces])
        self.asked += [
            arguments | {name: piece[name] for name in ("bars", "instruments") if name in piece} for piece in pieces
        ]
        takes = [
            [self.result(piece, seed + number, **asked) for number in range(num_return_sequences)]
            for piece, asked in zip(pieces, self.asked[-len(pieces) :], strict=True)
        ]
        return [each if len(each) > 1 and "skipped" not in each[0] else each[0] for each in takes]

    def result(self, piece, seed, *, bars, instruments=None, **_):
        try:
            score = load_score(piece["bytes"])
        except RefusedFile as refused:
            return {"skipped": {"reason": refused.reason, "detail": refused.detail}}
        lines, programs = bar_starts(score), None if instruments is None else set(instruments)
        if max(end for _, end in bars) >= len(lines):
            return {"skipped": {"reason": "no_such_bars", "detail": f"it has {len(lines)}"}}
        spans, whole = [], score
        for first, end in bars:
            ticks = (int(lines[first]), int(lines[end]))
            replaced = replace_notes(whole, *ticks, scale(seed, programs or {0}), programs)
            whole, counts = replaced.score, replaced.counts
            spans.append(
                {
                    "bars": (first, end),
                    "ticks": ticks,
                    "seconds": tuple(seconds_at(score, ticks).tolist()),
                    "programs": None if programs is None else sorted(programs),
                    "kept": self.kept,
                    "removed_notes": counts["removed"],
                    "new_notes": counts["added"],
                    "shortened": counts["shortened"],
                    "moved": counts["moved"],
                    "left_out": {"outside": counts["outside"]},
                    "prompt_token_ids": [1] * 7,
                    "token_ids": [2, 3 + seed],
                    "stopped_by": self.stopped_by.get(piece["name"], "eom"),
                    "entropy": math.nan,
                }
            )
        return {
            "name": piece["name"],
            "midi": whole,
            "infilled": only(whole, score),
            "removed": only(score, whole),
            "spans": spans,
            "changed": Tally(10, 9, 8.0, 0.5, dropped_duplicates=1),
            "seed": seed,
            "seconds": len(self.batches) / 7,
        }


def scale(seed, programs):
    new = Score(8)
    for program in sorted(programs):
        new.tracks.append(Track("", max(program, 0), program == -1))
        new.tracks[-1].notes.extend([Note(2 * step, 2, 60 + seed % 12 + step, 90) for step in range(6)])
    return new


def rows(score):
    """All notes, in order of time."""
    notes = gather_notes(score)
    columns = (notes.onset, notes.program - 200 * notes.is_drum, notes.pitch, notes.duration, notes.velocity)
    return sorted(zip(*(values.tolist() for values in columns), strict=True))


def only(score, other):
    """The notes of a score that another lacks, at their place."""
    lacking, rest = score.copy(), rows(other)
    for track in lacking.tracks:
        program = track.program - 200 * track.is_drum
        kept = [n for n in track.notes if (n.time, program, n.pitch, n.duration, n.velocity) not in rest]
        track.notes = type(track.notes)(kept)
    return lacking


@pytest.fixture
def weights(tmp_path):
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


@pytest.fixture
def pieces(tmp_path):
    folder = tmp_path / "pieces"
    folder.mkdir()
    for seed in range(4):
        make_score(seed, num_notes=60).dump_midi(folder / f"{seed} näme.mid")
    make_score(0, num_notes=4).dump_midi(folder / "1 short.mid")
    (folder / "2 broken.mid").write_bytes(b"MThd")
    return find_pieces([str(folder)])


@pytest.fixture
def new_run(tmp_path, weights, pieces):
    def build(folder="out", batch_size=2, output=None, trained_programs=None, **settings):
        settings = settings or {"bars": [[3, 5]]}
        return InfillWriter(
            FakeInfiller(weights, trained_programs),
            pieces,
            RunFolder(tmp_path / folder, INFILLS),
            InfillSettings(batch_size=batch_size, **settings),
            output or OutputSettings(pictures=False),
        )

    return build


def complete(run, num_processes=1):
    run.begin(sources=["pieces"])
    for process_index in range(num_processes):
        run.write_share(process_index, num_processes)
    return run.end()


def contents(run):
    """Bytes of every file; of JSON without the seconds that batches took."""
    found = {}
    for path in sorted(run.folder.path.iterdir()):
        found[path.name] = path.read_bytes()
        if path.suffix == ".json":
            found[path.name] = [
                line for line in found[path.name].splitlines() if not line.strip().startswith(b'"seconds": 0')
            ]
    return found


def test_every_piece_is_infilled_or_left_out_with_a_reason(new_run, pieces):
    run = new_run(output=OutputSettings())
    manifest = complete(run)
    written = json.loads((run.folder.path / "manifest.json").read_text())
    assert written == json.loads(json.dumps(to_json(manifest)))
    assert (written["infilled"], written["changed_by_tokenizer"]["changed"]) == (4, 4)
    assert written["left_out"] == {"no_such_bars": 1, "unreadable": 1}
    assert [piece.name for piece in manifest.pieces_left_out] == ["1 short", "2 broken"]
    for record in manifest.pieces:
        (take,) = record.takes
        (span,) = take.spans
        assert (span.bars, span.programs, span.stopped_by) == ((3, 5), None, "eom")
        assert (span.prompt_tokens, span.generated_tokens, span.entropy_nats) == (7, 2, None)
        files = {**to_json(record.files), **to_json(take.files)}
        assert all((run.folder.path / name).name.startswith(f"{record.stem}.") for name in files.values())
        assert (run.folder.path / files["original"]).read_bytes() == pieces[record.index].path.read_bytes()
        assert (run.folder.path / files["tokens"]).read_text() == "2 3\n"
        picture = matplotlib.image.imread(run.folder.path / files["picture"])
        assert min(picture.shape[:2]) > 100 and picture[..., :3].std() > 0.01
        assert "audio" not in files


def test_pictures_name_what_was_replaced(new_run, monkeypatch):
    titles = []

    def plot(*arguments, title):
        titles.append(title)
        return SimpleNamespace(savefig=lambda path: path.write_bytes(b""))

    monkeypatch.setattr("neuromusic_hf.rendering.plot_infill", plot)
    complete(new_run("one", output=OutputSettings(), bars=[(3, 5)], instruments=[40, -1]))
    complete(new_run("all", output=OutputSettings(), bars=[(3, 5)]))
    assert titles[0] == "Drums, Violin of 0 näme" and titles[4] == "all tracks of 0 näme"


def test_a_finished_run_is_read_with_its_music(new_run, pieces):
    run = new_run()
    complete(run)
    finished = read_infill_run(run.folder.path)
    assert finished.settings.infilling.bars == [(3, 5)] and finished.settings.infilling.sampling == {"do_sample": True}
    assert finished.model.name.endswith("bundle") and len(finished.left_out) == 2
    infills = list(finished.infills())
    assert [infill.label for infill in infills] == finished.labels and len(infills) == 4
    for infill in infills:
        start, end = infill.take.spans[0].ticks
        assert rows(infill.original) == rows(load_score(pieces[infill.record.index].path))
        before, after = rows(infill.original), rows(infill.infilled)
        assert rows(infill.removed) == [note for note in before if start <= note[0] < end]
        assert rows(infill.new) == [note for note in after if start <= note[0] < end]
        assert [note for note in before if note not in rows(infill.removed)] == [
            n for n in after if not start <= n[0] < end
        ]
        counted = infill.take.spans[0]
        assert (counted.removed_notes, counted.new_notes) == (infill.removed.note_num(), infill.new.note_num())


def test_takes_are_numbered_and_several_spans_told(new_run):
    run = new_run(bars=[(1, 2), (4, 6)], num_return_sequences=3, seed=5)
    complete(run)
    finished = read_infill_run(run.folder.path)
    record = finished.records[0]
    assert [take.files.infilled for take in record.takes] == [
        f"000_0_näme.{number}.infilled.mid" for number in range(3)
    ]
    assert [take.seed for take in record.takes] == [5, 6, 7]
    assert [span.bars for span in record.takes[1].spans] == [(1, 2), (4, 6)]
    assert finished.path(record.takes[1].files.tokens).read_text() == "2 9\n2 9\n"
    labels = [infill.label for infill in finished.infills()]
    assert labels[:3] == [f"000 0 näme, take {number}" for number in (1, 2, 3)] and len(labels) == 12


def test_a_picture_that_fails_is_left_out_and_the_notes_are_not(new_run, monkeypatch):
    def plot(*arguments, title):
        raise MemoryError

    monkeypatch.setattr("neuromusic_hf.rendering.plot_infill", plot)
    run = new_run(output=OutputSettings())
    complete(run)
    takes = [take for record in read_infill_run(run.folder.path).records for take in record.takes]
    assert takes and all(take.not_rendered == {"picture": "MemoryError"} for take in takes)
    assert not any(take.files.picture for take in takes) and not list(run.folder.path.glob("*.png"))
    assert all((run.folder.path / take.files.infilled).is_file() for take in takes)


def test_sound_of_what_is_around_the_spans(new_run):
    pytest.importorskip("midirenderer", reason="midirenderer is not installed (pip install neuromusic_hf[audio])")
    run = new_run(output=OutputSettings(pictures=False, audio=1))
    complete(run)
    finished = read_infill_run(run.folder.path)
    first, *others = finished.records
    assert not any(record.files.audio or record.takes[0].files.audio for record in others)
    sounds = [read_audio(finished.path(name)) for name in (first.files.audio, first.takes[0].files.audio)]
    start, end = first.takes[0].spans[0].seconds
    for sound, rate in sounds:
        assert 2 * (end - start) <= sound.shape[1] / rate <= 3 * (end - start) + 1
    assert sounds[0][0].shape == sounds[1][0].shape and (sounds[0][0] != sounds[1][0]).any()


def test_what_was_asked_reaches_the_pipeline(new_run):
    run = new_run(
        bars=[(3, 5)],
        instruments=[32, "Violin"],
        drums=False,
        pitch_range=(40, 60),
        context_bars=2,
        max_new_tokens=30,
        generation={"top_p": 0.9},
        constrained=False,
    )
    run.pipeline.result = lambda piece, seed, **asked: {"skipped": {"reason": "asked", "detail": ""}}
    complete(run)
    assert run.pipeline.asked[0] == {
        "bars": [(3, 5)],
        "instruments": [32, "Violin"],
        "drums": False,
        "pitch_range": (40, 60),
        "context_bars": 2,
        "max_new_tokens": 30,
        "top_p": 0.9,
        "constrained": False,
    }


def test_spans_and_programs_are_drawn_for_each_piece_by_the_seed(new_run):
    drawn = {}
    for seed in (1, 2):
        for batch_size in (2, 4):
            run = new_run(f"{seed} {batch_size}", batch_size, span_bars=2, draw_program=True, seed=seed)
            manifest = complete(run)
            drawn[seed, batch_size] = [
                (take.spans[0].bars, take.spans[0].programs) for piece in manifest.pieces for take in piece.takes
            ]
            assert [piece.reason for piece in manifest.pieces_left_out][0] == "no_span"
            assert all(span.removed_notes for piece in manifest.pieces for take in piece.takes for span in take.spans)
    assert drawn[1, 2] == drawn[1, 4] != drawn[2, 2]
    assert all(end - first == 2 and len(programs) == 1 for (first, end), programs in drawn[1, 2])
    known = complete(new_run("known", span_bars=2, draw_program=True, trained_programs=[32, 40]))
    assert [take.spans[0].programs for piece in known.pieces for take in piece.takes] == [[32]] * 4


@pytest.mark.parametrize("num_processes", [2, 3])
def test_processes_share_the_batches_and_leave_the_same_folder(new_run, num_processes):
    alone, together = new_run("alone", span_bars=2), new_run("together", span_bars=2)
    complete(alone)
    complete(together, num_processes)
    assert contents(alone) == contents(together)


def test_a_run_stopped_anywhere_ends_like_an_unbroken_one(new_run, monkeypatch):
    unbroken = new_run("unbroken", num_return_sequences=2, span_bars=2)
    complete(unbroken)
    written = []

    def stops_at(count):
        def write_file(path, content):
            if len(written) == count:
                raise Stopped
            written.append(path)
            path.write_bytes(content)

        return write_file

    for count in (0, 1, 4, 9, 17):
        written.clear()
        broken = new_run(f"broken {count}", num_return_sequences=2, span_bars=2)
        with monkeypatch.context() as patch:
            patch.setattr("neuromusic_hf.runs.infill_files.write_file", stops_at(count))
            with pytest.raises(Stopped):
                complete(broken)
        resumed = new_run(f"broken {count}", num_return_sequences=2, span_bars=2)
        complete(resumed)
        assert contents(resumed) == contents(unbroken)


def add_tracks(score, programs):
    for program in programs:
        score.tracks.append(Track(program=program))
        score.tracks[-1].notes.extend([Note(beat * 480, 480, 60, 100) for beat in range(32)])


def test_a_file_without_a_free_channel_is_left_out_and_the_reason_told(new_run, tmp_path):
    crowd = Score(480)
    add_tracks(crowd, [number % 3 for number in range(15)])
    crowd.dump_midi(tmp_path / "crowd.mid")
    run = new_run(bars=[(3, 5)], instruments=[40])
    manifest = complete(dataclasses.replace(run, pieces=find_pieces([str(tmp_path / "crowd.mid")])))
    (record,) = manifest.pieces_left_out
    assert record.reason == "unwritable" and "channel" in record.detail
    assert {path.name for path in run.folder.path.iterdir()} == {"settings.json", "manifest.json", "000_crowd.json"}


def test_spans_that_the_model_did_not_end_are_counted_and_told(new_run, caplog):
    run = new_run(bars=[(1, 2), (4, 6)], num_return_sequences=2)
    run.pipeline.stopped_by = {"1 näme": "max_new_tokens", "3 näme": "eos"}
    with caplog.at_level("INFO", logger="neuromusic_hf.runs"):
        manifest = complete(run)
    counted = {"complete": 8, "incomplete": {"max_new_tokens": 4, "eos": 4}, "kept_parts": 0}
    assert (manifest.complete, manifest.incomplete) == (counted["complete"], counted["incomplete"])
    assert json.loads((run.folder.path / "manifest.json").read_text())["spans"] == counted
    last = caplog.records[-1]
    assert last.levelname == "WARNING" and "8 of 16 spans" in last.message
    assert "max_new_tokens: 4" in last.message and "eos: 4" in last.message


def test_parts_that_the_model_never_heard_are_named_counted_and_told(new_run, caplog):
    run = new_run(bars=[(1, 2), (4, 6)])
    run.pipeline.kept = [-1, 33]
    manifest = complete(run)
    path = run.folder.path / "manifest.json"
    assert manifest.kept_parts == json.loads(path.read_text())["spans"]["kept_parts"] == 8
    assert "In 8 spans parts of instruments that the model never heard stayed" in caplog.text
    (span, _) = read_infill_run(run.folder.path).records[0].takes[0].spans
    assert span.kept == [-1, 33]
    written = json.loads(path.read_text())
    for each in (span for piece in written["pieces"] for take in piece["takes"] for span in take["spans"]):
        del each["kept"]  # as earlier versions wrote them
    path.write_text(json.dumps(written))
    assert read_infill_run(run.folder.path).records[0].takes[0].spans[0].kept == []


def test_a_run_whose_spans_are_complete_says_so(new_run, caplog):
    with caplog.at_level("INFO", logger="neuromusic_hf.runs"):
        manifest = complete(new_run())
    assert (manifest.complete, manifest.incomplete) == (4, {})
    assert caplog.records[-1].levelname == "INFO" and "All 4 spans are complete" in caplog.records[-1].message


def test_new_notes_beyond_the_limits_of_a_file_are_counted(new_run):
    run = new_run()
    result_of = run.pipeline.result

    def result(piece, seed, **asked):
        found = result_of(piece, seed, **asked)
        if piece["name"].startswith("3"):
            track = next(track for track in found["midi"].tracks if len(track.notes))
            track.notes.append(Note(found["spans"][0]["ticks"][0], 600 * found["midi"].tpq, 127, 90))
        return found

    run.pipeline.result = result
    cut = {record.name: record.takes[0].cut_when_read for record in complete(run).pieces}
    assert cut.pop("3 näme") == 1 and set(cut.values()) == {0}


def test_a_piece_that_no_midi_file_holds_is_left_out_without_files(new_run):
    run = new_run()
    result_of = run.pipeline.result

    def result(piece, seed, **asked):
        found = result_of(piece, seed, **asked)
        if piece["name"].startswith("3"):
            add_tracks(found["midi"], range(40, 60))
        return found

    run.pipeline.result = result
    manifest = complete(run)
    (record,) = [piece for piece in manifest.pieces_left_out if piece.reason == "unwritable"]
    assert record.name == "3 näme" and len(manifest.pieces) == 3
    assert [path.suffix for path in run.folder.path.glob("*3_n*")] == [".json"]


def test_each_kind_of_run_knows_its_own(new_run, tmp_path):
    run = new_run()
    complete(run)
    with pytest.raises(ValueError, match="not the manifest of a run of scripts/continue_midi.py"):
        read_run(run.folder.path)
    with pytest.raises(ValueError, match="infilling.seed: 0 there, 3 now"):
        complete(new_run(bars=[(3, 5)], seed=3))
    lost = next(run.folder.path.glob("*.new.mid"))
    lost.unlink()
    with pytest.raises(FileNotFoundError, match="lacks 1 files.*new.mid"):
        read_infill_run(run.folder.path)
    run.begin(sources=["pieces"], overwrite=True)
    assert [path.name for path in run.folder.path.iterdir()] == ["settings.json"]
    with pytest.raises(FileNotFoundError, match="finished run of scripts/infill_midi.py"):
        read_infill_run(run.folder.path)


@pytest.mark.parametrize("place", [("files", "removed"), ("takes", 0, "files", "picture")])
@pytest.mark.parametrize("name", ["../out/settings.json", "/etc/hostname", ".."])
def test_a_manifest_names_files_beside_it(new_run, place, name):
    run = new_run()
    complete(run)
    path = run.folder.path / "manifest.json"
    content = json.loads(path.read_text())
    inner = content["pieces"][0]
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = name
    path.write_text(json.dumps(content))
    with pytest.raises((ValueError, FileNotFoundError), match="its own folder|lacks 1 files"):
        read_infill_run(run.folder.path)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({}, "Say which bars"),
        ({"bars": []}, "Say which bars"),
        ({"bars": [(3, 5)], "span_bars": 2}, "give one"),
        ({"span_bars": 0}, "span_bars=0"),
        ({"span_bars": 2, "draw_program": True, "instruments": [32]}, "names it: give one"),
        ({"span_bars": 2, "context_bars": -1}, "context_bars=-1"),
        ({"span_bars": 2, "max_new_tokens": 0}, "max_new_tokens=0"),
        ({"span_bars": 2, "num_return_sequences": 0}, "num_return_sequences=0"),
        ({"span_bars": 2, "batch_size": 0}, "batch_size=0"),
        ({"span_bars": 2, "seed": -1}, "seed=-1"),
    ],
)
def test_impossible_wishes_are_refused(wrong, error):
    with pytest.raises(ValueError, match=error):
        InfillSettings(**wrong)


def test_a_tokenizer_without_programs_draws_none(weights):
    pipeline = FakeInfiller(weights)
    pipeline.controller.programs = set()
    InfillSettings(span_bars=2).check(pipeline)
    with pytest.raises(ValueError, match="draw_program.*REMI"):
        InfillSettings(span_bars=2, draw_program=True).check(pipeline)


def test_instruments_on_a_command_line():
    assert named_instruments(None) is None
    assert named_instruments(["prompt"]) == "prompt"
    assert named_instruments(["33", "-1", "Drums", "Lead 1 (square)"]) == [33, -1, "Drums", "Lead 1 (square)"]
