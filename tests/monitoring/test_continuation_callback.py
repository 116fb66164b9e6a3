"""Continuations tested while a model trains: what is written and logged, and that the training does not notice."""

import json
import logging
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import pipeline

from neuromusic_hf.monitoring import ContinuationCallback, watch_continuations
from neuromusic_hf.monitoring.continuation_callback import LOG_PREFIX, _as_for_generation
from neuromusic_hf.monitoring.watching import half_of_the_usual
from neuromusic_hf.music import Midi
from neuromusic_hf.reports import compare_runs, score_run
from neuromusic_hf.runs import RunWriter, read_run

RAW = Midi(decode=False)


@pytest.fixture
def watched(make_trainer, corpus, tokens, data_args):
    def make(name="run", **changed):
        trainer = make_trainer(name, **changed)
        watch_continuations(trainer, corpus["validation"], tokens["validation"], data_args)
        return trainer

    return make


def logged(trainer) -> dict[int, dict]:
    """What was logged of continuations, by step."""
    history = [entry for entry in trainer.state.log_history if f"{LOG_PREFIX}pieces" in entry]
    return {entry["step"]: {name: entry[name] for name in entry if name.startswith(LOG_PREFIX)} for entry in history}


def step_folder(trainer, step):
    return f"{trainer.args.output_dir}/eval_continuations/step-{step:06d}"


def test_every_so_many_steps_a_test_run_is_written_scored_and_logged(watched, tmp_path):
    trainer = watched()
    trainer.train()
    figures = logged(trainer)
    assert list(figures) == [2, 4]
    for step, scalars in figures.items():
        run = read_run(step_folder(trainer, step))
        assert len(run.records) == 3 and not run.left_out
        assert {record.prompt_tokens for record in run.records} == {32}
        record = json.loads((run.folder / "report" / "scores.json").read_text())
        assert (run.folder / "report" / "report.html").stat().st_size > 0
        for name in ("pitch_kl", "duration_kl", "harmony_kl"):
            assert scalars.get(f"{LOG_PREFIX}{name}") == record["scores"][name]["score"]
            assert scalars[f"{LOG_PREFIX}{name}_num_dropped"] == record["scores"][name]["num_dropped"]
        assert scalars[f"{LOG_PREFIX}token_error_rate"] == 0
        assert scalars[f"{LOG_PREFIX}pieces"] == 3 and scalars[f"{LOG_PREFIX}pieces_left_out"] == 0
        assert all(isinstance(value, (int, float)) for value in scalars.values())
    reports = [f"{step_folder(trainer, step)}/report" for step in figures]
    assert "REMI" in compare_runs(reports, tmp_path / "comparison").read_text()


def test_a_comparison_of_ones_own_has_its_curves(watched):
    trainer = watched(eval_comparisons=["own_comparisons.LOUDNESS"], max_steps=2)
    trainer.train()
    score = json.loads(Path(step_folder(trainer, 2), "report", "scores.json").read_text())["scores"]["loudness_kl"]
    assert score["num_pieces"] + score["num_dropped"] == 3
    for name in ("noise_floor_95", "mean_generated", "num_dropped"):
        assert logged(trainer)[2].get(f"{LOG_PREFIX}loudness_kl_{name}") == score[name]
    assert logged(trainer)[2].get(f"{LOG_PREFIX}loudness_kl") == score["score"]


def test_a_comparison_that_is_none_is_refused_before_training(watched):
    with pytest.raises(ValueError, match="own_comparisons.NUMBER"):
        watched(eval_comparisons=["own_comparisons.NUMBER"])


def test_a_run_that_is_to_stop_breaks_a_test_off_and_the_next_one_makes_up_for_it(watched, tmp_path, monkeypatch):
    whole = watched("whole", save_strategy="steps")
    whole.train()
    stopped = watched(save_strategy="steps", per_device_eval_batch_size=1)
    proceed = RunWriter._write_batch

    def signalled(self, batch, wanted):
        signal.raise_signal(signal.SIGTERM)
        proceed(self, batch, wanted)

    monkeypatch.setattr(RunWriter, "_write_batch", signalled)
    with pytest.raises(SystemExit):
        stopped.train()
    assert not logged(stopped) and len(list(Path(step_folder(stopped, 2)).glob("*.prompt.mid"))) == 1
    monkeypatch.undo()
    resumed = watched(save_strategy="steps")
    resumed.train(resume_from_checkpoint=str(tmp_path / "run" / "checkpoint-2"))
    assert logged(resumed) == logged(whole) and len(logged(whole)) == 2


def test_the_same_prompts_are_continued_by_what_the_model_has_become(watched):
    trainer = watched(learning_rate=3e-2)
    trainer.train()
    first, last = (read_run(step_folder(trainer, step)) for step in (2, 4))
    for before, after in zip(first.records, last.records, strict=True):
        assert before.name == after.name and before.seed == after.seed
        assert first.path(before.files.prompt).read_bytes() == last.path(after.files.prompt).read_bytes()
    tokens = [[run.path(record.files.tokens).read_text() for record in run.records] for run in (first, last)]
    assert tokens[0] != tokens[1]


@pytest.mark.parametrize("bf16", [False, True])
def test_the_training_is_the_same_with_and_without_it(watched, make_trainer, bf16):
    with_tests = watched("with", bf16=bf16, logging_steps=1)
    with_tests.train()
    without = make_trainer("without", bf16=bf16, logging_steps=1)
    without.train()
    expected = without.model.state_dict()
    for name, weight in with_tests.model.state_dict().items():
        torch.testing.assert_close(weight, expected[name], rtol=0, atol=0, msg=name)
    assert with_tests.model.training and len(logged(with_tests)) == 2
    expected = [(entry["step"], entry["loss"]) for entry in without.state.log_history if "loss" in entry]
    losses = [(entry["step"], entry["loss"]) for entry in with_tests.state.log_history if "loss" in entry]
    assert losses == expected and len(losses) == 4


def test_it_continues_as_the_saved_model_does(watched, corpus, tmp_path):
    """In float32: with training's autocast the notes would be others than those of the bundle."""
    trainer = watched(bf16=True)
    trainer.train()
    trainer.save_model(tmp_path / "bundle")
    continue_midi = pipeline("midi-continuation", model=str(tmp_path / "bundle"))
    run = read_run(step_folder(trainer, 4))
    pieces = {Path(row["midi"]["path"]).stem: row["midi"] for row in corpus["validation"].cast_column("midi", RAW)}
    for record in run.records:
        piece = pieces[record.name]
        result = continue_midi(piece, max_new_tokens=32, seed=record.seed, prompt_length=32)
        assert " ".join(map(str, result["token_ids"])) == run.path(record.files.tokens).read_text().strip()


def test_nothing_is_watched_unless_asked(make_trainer, corpus, tokens, data_args):
    trainer = make_trainer(eval_continuations_steps=None)
    watch_continuations(trainer, corpus["validation"], tokens["validation"], data_args)
    assert not [each for each in trainer.callback_handler.callbacks if isinstance(each, ContinuationCallback)]


def test_lengths_that_no_piece_has_are_refused_before_training(watched):
    with pytest.raises(ValueError, match="None of 5 validation pieces has 100032 tokens .*longest has.*shorter"):
        watched(eval_prompt_length=100_000)


@pytest.mark.parametrize(
    "pieces, context, expected",
    [([4000, 900, 30], 512, 256), ([301, 100, 900], 512, 150), ([2, 2], 512, 1), ([], 64, 32)],
)
def test_lengths_are_half_of_the_context_or_of_a_usual_piece(pieces, context, expected):
    assert half_of_the_usual(np.array(pieces), context) == expected


def test_lengths_that_the_model_cannot_read_are_refused_before_training(watched):
    with pytest.raises(ValueError, match="the model reads 64"):
        watched(eval_prompt_length=40)


def test_an_embedding_that_cannot_be_read_is_refused_before_training(watched):
    with pytest.raises(OSError, match="no harmony embedding './nowhere'"):
        watched(eval_harmony_embedding="./nowhere")


@pytest.mark.parametrize(
    "wrong",
    [
        {"eval_continuations_steps": 0},
        {"eval_continuations": 0},
        {"eval_shown_continuations": -1},
        {"eval_prompt_length": 0},
        {"eval_continue_length": 0},
    ],
)
def test_impossible_numbers_are_refused(make_trainer, wrong):
    with pytest.raises(ValueError, match="{}={}".format(*next(iter(wrong.items())))):
        make_trainer(**wrong)


def test_without_an_audio_engine_it_says_so_and_goes_on(watched, monkeypatch, caplog):
    monkeypatch.setattr("neuromusic_hf.rendering.audio.ENGINES", ())
    with caplog.at_level(logging.WARNING):
        trainer = watched(eval_shown_continuations=2, max_steps=2)
    assert (
        "renderer failed, and training goes on: ImportError" in caplog.text and "neuromusic_hf[audio]" in caplog.text
    )
    trainer.train()
    assert all(record.files.audio is None for record in read_run(step_folder(trainer, 2)).records)
    assert trainer.tracker_failures.record() == {"renderer": {"times": 1, "first": "ImportError"}}


def test_a_soundfont_that_is_none_does_not_stop_a_run(watched, tmp_path, monkeypatch, caplog):
    pytest.importorskip("midirenderer", reason="midirenderer is not installed (pip install neuromusic_hf[audio])")
    (tmp_path / "font.sf2").write_text("none")
    monkeypatch.setenv("NEUROMUSIC_SOUNDFONT", str(tmp_path / "font.sf2"))
    trainer = watched(eval_shown_continuations=2)
    assert "font.sf2 (named by the environment variable NEUROMUSIC_SOUNDFONT) is not a SoundFont 2 file" in caplog.text
    assert trainer.tracker_failures.record() == {"renderer": {"times": 1, "first": "ValueError"}}


def test_a_step_can_be_scored_again_by_the_script(watched):
    trainer = watched(max_steps=2)
    trainer.train()
    run = read_run(step_folder(trainer, 2))
    record = score_run(run).record
    logged_before = logged(trainer)[2]
    assert record["scores"]["pitch_kl"]["score"] == logged_before.get(f"{LOG_PREFIX}pitch_kl")
    assert "at step 2" in record["not_available"]["model"]


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_model_continues_by_its_own_forward_and_comes_back_as_it_was(wrapped):
    model = torch.nn.Sequential(torch.nn.Dropout(), torch.nn.Dropout().eval())
    model.forward = own = lambda inputs: inputs
    if wrapped:  # as Accelerate lays autocast around it
        model._original_forward, model.forward = own, lambda inputs: own(inputs).bfloat16()
    before = model.forward
    with pytest.raises(KeyboardInterrupt), _as_for_generation(model):
        assert model.forward is own and not any(module.training for module in model.modules())
        raise KeyboardInterrupt
    assert model.forward is before
    assert [module.training for module in model.modules()] == [True, True, False]
