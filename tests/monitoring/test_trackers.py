"""Continuations in the trackers of a Trainer: each gets scalars, pictures, histograms and sound."""

import json
import sqlite3

import numpy as np
import pytest
from transformers import TrainerCallback

from neuromusic_hf.monitoring import register_tracker, trackers, watch_continuations

SHOWN = 1


@pytest.fixture
def trained(make_trainer, corpus, tokens, data_args):
    """A run that was tested once, with the tracker that is asked for."""
    pytest.importorskip("midirenderer", reason="midirenderer is not installed (pip install neuromusic_hf[audio])")

    def train(tracker):
        trainer = make_trainer(max_steps=2, report_to=[tracker], eval_shown_continuations=SHOWN)
        watch_continuations(trainer, corpus["validation"], tokens["validation"], data_args)
        trainer.train()
        return trainer

    return train


def test_tensorboard_shows_all(trained, tmp_path, monkeypatch):
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "events"))
    trained("tensorboard")
    events = accumulators.EventAccumulator(str(tmp_path / "events"))
    events.Reload()
    tags = events.Tags()
    shown = {name for name in tags["images"] if not name.endswith("distances")}
    assert len(shown) == SHOWN and len(tags["images"]) == SHOWN + 1
    assert set(tags["audio"]) == shown
    assert {event.step for event in events.Images(next(iter(shown)))} == {2}
    assert events.Audio(next(iter(shown)))[0].length_frames > 0
    assert "eval/continuations/pieces" in tags["scalars"]
    for name in tags["histograms"]:
        assert events.Histograms(name)[0].histogram_value.num == 3
    assert len(tags["histograms"]) >= 2


def test_wandb_gets_all(trained, tmp_path, offline_wandb):
    trained("wandb")
    summary = offline_wandb.run.summary._as_dict()
    offline_wandb.finish()
    kinds = [value["_type"] for value in summary.values() if isinstance(value, dict) and "_type" in value]
    assert kinds.count("image-file") == SHOWN + 1
    assert kinds.count("audio-file") == SHOWN
    assert kinds.count("histogram") >= 2
    assert summary["eval/continuations/pieces"] == 3
    assert len(list(tmp_path.glob("wandb/offline-run-*/files/media/**/*.wav"))) == SHOWN


def test_trackio_gets_all(trained, tmp_path, monkeypatch):
    trackio = pytest.importorskip("trackio", reason="trackio is not installed (pip install neuromusic_hf[tracking])")
    for module in (trackio.utils, trackio.sqlite_storage):
        monkeypatch.setattr(module, "TRACKIO_DIR", tmp_path / "trackio", raising=True)
    trained("trackio")
    (path,) = (tmp_path / "trackio").glob("*.db")
    with sqlite3.connect(path) as database:
        rows = [json.loads(row) for (row,) in database.execute("select metrics from metrics")]
    (media,) = [row for row in rows if "eval/continuations/distances" in row]
    kinds = [value["_type"] for value in media.values() if isinstance(value, dict)]
    assert kinds.count("trackio.image") == SHOWN + 1 and kinds.count("trackio.audio") == SHOWN
    assert kinds.count("trackio.histogram") >= 2
    assert media["train/global_step"] == 2
    assert any(row.get("eval/continuations/pieces") == 3 for row in rows)


class Notebook(TrainerCallback):
    """A tracker of a user's own."""

    def __init__(self):
        self.scalars, self.media = {}, []

    def on_log(self, args, state, control, logs=None, **kwargs):
        self.scalars |= logs


class BoundNotebook(Notebook):
    pass


@pytest.fixture
def forget_trackers(monkeypatch):
    monkeypatch.setattr(trackers, "_TRACKERS", dict(trackers._TRACKERS))


def test_a_tracker_of_ones_own_gets_all(make_trainer, corpus, tokens, data_args, forget_trackers):
    register_tracker(Notebook, lambda notebook, media, step: notebook.media.append((media, step)))
    trainer = make_trainer(max_steps=2, eval_comparisons=["own_comparisons.LOUDNESS"])
    watch_continuations(trainer, corpus["validation"], tokens["validation"], data_args)
    notebook = BoundNotebook()
    trainer.add_callback(notebook)
    trainer.train()
    ((media, step),) = notebook.media
    assert step == 2 and media.pictures["eval/continuations/distances"].is_file()
    assert len(media.histograms["eval/continuations/loudness_distances_original"]) > 0
    assert {"eval_continuations/pieces", "eval_continuations/loudness_kl"} <= notebook.scalars.keys()


def test_the_nearest_class_that_is_registered_decides(make_trainer, forget_trackers):
    register_tracker(Notebook, lambda *_: pytest.fail("the log of the class it inherits from"))
    register_tracker(BoundNotebook, lambda notebook, media, step: notebook.media.append(media))
    trainer, notebook, media = make_trainer(), BoundNotebook(), trackers.Media({}, {}, {})
    trainer.add_callback(notebook)
    assert trackers.log_media(trainer, media) == ["boundnotebook"]
    assert notebook.media == [media]


@pytest.mark.parametrize(("kind", "log"), [("wandb", print), (dict, print), (Notebook(), print), (Notebook, None)])
def test_what_is_no_tracker_is_not_registered(kind, log, forget_trackers):
    with pytest.raises(TypeError, match="TrainerCallback|cannot be called"):
        register_tracker(kind, log)


def test_histograms_hold_the_distances_of_the_pieces(trained):
    from neuromusic_hf.monitoring.media import collect_media
    from neuromusic_hf.reports import score_run
    from neuromusic_hf.runs import read_run

    trainer = trained("none")
    run = read_run(f"{trainer.args.output_dir}/eval_continuations/step-000002")
    scores = score_run(run)
    media = collect_media(run, scores, run.folder / "report", shown=SHOWN)
    values = media.histograms["eval/continuations/pitch_distances_original"]
    np.testing.assert_array_equal(values, scores.table["pitch_original"].dropna())
    assert all(path.is_file() for path in (*media.pictures.values(), *media.sounds.values()))
