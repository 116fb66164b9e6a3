"""A tracker or a renderer that fails never stops training: it is told once, counted, and named in the record."""

import json
import logging
from pathlib import Path

import pytest
from transformers import TrainerCallback, TrainerState

from neuromusic_hf import rendering
from neuromusic_hf.monitoring import continuation_callback, register_tracker, trackers, watch_continuations
from neuromusic_hf.tracking.failures import MOST_IN_A_ROW, TrackerFailures, guard_tracker
from neuromusic_hf.tracking.memory import TrackerMemory
from neuromusic_hf.training import save_run


@pytest.fixture
def tensorboard(tmp_path, monkeypatch):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed (pip install neuromusic_hf[tracking])")
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "events"))
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter


class Broken:
    """Fails at the calls of these numbers, from 0; at every one if none is given."""

    def __init__(self, *calls):
        self.calls, self.count = calls, 0

    def __call__(self, *args, **kwargs):
        self.count += 1
        if not self.calls or self.count - 1 in self.calls:
            raise ConnectionError("no way to /home/alice")


def told(caplog, what):
    return [record.getMessage() for record in caplog.records if what in record.getMessage()]


def test_a_tracker_that_always_fails_is_left_out(make_trainer, tensorboard, monkeypatch, caplog):
    broken = Broken()
    monkeypatch.setattr(tensorboard, "add_scalar", broken)
    how = {"logging_steps": 1, "max_steps": 6, "save_strategy": "steps", "save_steps": 5}
    trainer = make_trainer(report_to=["tensorboard"], **how)
    trainer.train()
    assert trainer.state.global_step == 6
    assert broken.count == MOST_IN_A_ROW
    assert len(told(caplog, "tensorboard failed, and training goes on")) == 1
    assert len(told(caplog, "left out from here on")) == 1
    save_run(trainer, {}, {})
    record = json.loads((Path(trainer.args.output_dir) / "bundle" / "run.json").read_text())
    assert record["failed_trackers"] == {"tensorboard": {"times": MOST_IN_A_ROW, "first": "ConnectionError"}}
    later = make_trainer(**how)
    later.train(resume_from_checkpoint=str(Path(trainer.args.output_dir) / "checkpoint-5"))
    assert later.tracker_failures.record() == record["failed_trackers"], "of the same run"


def test_one_that_fails_now_and_then_is_called_on(make_trainer, tensorboard, monkeypatch):
    broken = Broken(0, 5, 9)
    monkeypatch.setattr(tensorboard, "flush", broken)
    trainer = make_trainer(report_to=["tensorboard"], logging_steps=1, max_steps=12)
    trainer.train()
    assert broken.count > 10 and trainer.tracker_failures.record()["tensorboard"]["times"] == 3


def test_one_that_cannot_begin_does_not_stop_the_run(make_trainer, tensorboard, monkeypatch, caplog):
    monkeypatch.setattr(tensorboard, "__init__", Broken())
    trainer = make_trainer(report_to=["tensorboard"])
    trainer.train()
    assert trainer.state.global_step == 4 and trainer.tracker_failures.record()


class Board(TrainerCallback):
    """A tracker of a user's own."""


class OtherBoard(TrainerCallback):
    """Another one."""


class Ledger(TrainerCallback):
    """One that takes no numbers, and looks on where checkpoints are saved."""

    def __init__(self):
        self.asked = 0

    def on_log(self, args, state, control, **kwargs):
        self.asked += 1
        raise ConnectionError

    def on_save(self, args, state, control, **kwargs):
        pass


def test_what_a_tracker_passes_by_is_no_sign_that_it_works():
    ledger, failures = Ledger(), TrackerFailures()
    guard_tracker(ledger, failures, TrackerMemory())
    for _ in range(5):
        ledger.on_log(None, TrainerState(), None, logs={"loss": 1.0})
        ledger.on_save(None, TrainerState(), None)
    assert ledger.asked == MOST_IN_A_ROW


def test_media_that_fail_leave_those_of_other_trackers(make_trainer, corpus, tokens, data_args, monkeypatch, caplog):
    monkeypatch.setattr(trackers, "_TRACKERS", dict(trackers._TRACKERS))
    shown = []
    register_tracker(Board, Broken())
    register_tracker(OtherBoard, lambda callback, media, step: shown.append(step))
    register_tracker(Ledger, lambda callback, media, step: None)
    trainer = make_trainer()
    watch_continuations(trainer, corpus["validation"], tokens["validation"], data_args)
    trainer.add_callback(Board())
    trainer.add_callback(OtherBoard())
    trainer.add_callback(Ledger())
    trainer.train()
    assert shown == [2, 4]
    assert trainer.tracker_failures.record() == {
        "board": {"times": 2, "first": "ConnectionError"},
        "ledger": {"times": 4, "first": "ConnectionError"},  # media come before numbers, and it took them
    }


@pytest.mark.parametrize("renderer", ["plot_piano_roll", "render_audio"])
def test_a_picture_or_a_sound_that_fails_is_left_out(
    make_trainer, corpus, tokens, data_args, monkeypatch, caplog, renderer
):
    pytest.importorskip("midirenderer", reason="midirenderer is not installed (pip install neuromusic_hf[audio])")
    monkeypatch.setattr(continuation_callback, "MAX_AUDIO_SECONDS", 5.0)
    trainer = make_trainer(max_steps=2, eval_shown_continuations=1)
    watch_continuations(trainer, corpus["validation"], tokens["validation"], data_args)
    monkeypatch.setattr(rendering, renderer, Broken(0))
    trainer.train()
    history = [entry for entry in trainer.state.log_history if "eval_continuations/pieces" in entry]
    assert [entry["eval_continuations/pieces"] for entry in history] == [3]
    assert trainer.tracker_failures.record()["renderer"]["first"] == "ConnectionError"


def test_a_page_that_fails_leaves_the_scores(make_trainer, corpus, tokens, data_args, monkeypatch):
    monkeypatch.setattr(continuation_callback, "write_report", Broken())
    trainer = make_trainer(max_steps=2)
    watch_continuations(trainer, corpus["validation"], tokens["validation"], data_args)
    trainer.train()
    assert any("eval_continuations/pieces" in entry for entry in trainer.state.log_history)
    assert trainer.tracker_failures.record() == {"renderer": {"times": 1, "first": "ConnectionError"}}


class PanicException(BaseException):
    """What libraries in Rust raise where they give up."""


@pytest.mark.parametrize("error", [SystemExit(1), PanicException("index out of bounds")])
def test_what_would_end_the_process_does_not(error):
    failures = TrackerFailures()
    with failures.watching("board"):
        raise error
    assert failures.record() == {"board": {"times": 1, "first": type(error).__name__}}


def test_what_is_called_all_the_same_is_not_said_to_be_left_out(caplog):
    failures = TrackerFailures()
    for _ in range(5):
        failures.count("renderer", "OSError")
    assert not told(caplog, "left out")
    assert failures.leaves_out("renderer") and failures.leaves_out("renderer")
    assert len(told(caplog, "renderer failed 3 times in a row: it is left out from here on")) == 1


def test_what_stops_a_run_still_does(caplog):
    failures = TrackerFailures()
    with pytest.raises(KeyboardInterrupt), failures.watching("board"):
        raise KeyboardInterrupt
    assert failures.record() == {}
    with caplog.at_level(logging.WARNING), failures.watching("board"):
        raise OSError
    assert told(caplog, "board failed, and training goes on: OSError")
