"""Media go to whatever tracker is registered, by the nearest class."""

import numpy as np
import pytest
from transformers import TrainerCallback

from neuromusic_hf.monitoring import register_tracker, trackers, watch_continuations
from neuromusic_hf.monitoring.media import distances_of
from neuromusic_hf.reports import score_run
from neuromusic_hf.runs import read_run


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
    run = read_run(f"{trainer.args.output_dir}/eval_continuations/step-000002")
    scores = score_run(run)
    values = distances_of(scores, run.folder / "report").histograms["eval/continuations/pitch_distances_original"]
    np.testing.assert_array_equal(values, scores.table["pitch_original"].dropna())
    np.testing.assert_array_equal(values, media.histograms["eval/continuations/pitch_distances_original"])
    assert len(media.histograms["eval/continuations/loudness_distances_original"]) > 0
    assert {"eval_continuations/pieces", "eval_continuations/loudness_kl"} <= notebook.scalars.keys()


def test_the_nearest_class_that_is_registered_decides(make_trainer, forget_trackers):
    register_tracker(Notebook, lambda *_: pytest.fail("the log of the class it inherits from"))
    register_tracker(BoundNotebook, lambda notebook, media, step: notebook.media.append(media))
    trainer, notebook, media = make_trainer(), BoundNotebook(), trackers.Media()
    trainer.add_callback(notebook)
    assert trackers.log_media(trainer, media) == ["boundnotebook"]
    assert notebook.media == [media]


@pytest.mark.parametrize(("kind", "log"), [("wandb", print), (dict, print), (Notebook(), print), (Notebook, None)])
def test_what_is_no_tracker_is_not_registered(kind, log, forget_trackers):
    with pytest.raises(TypeError, match="TrainerCallback|cannot be called"):
        register_tracker(kind, log)
