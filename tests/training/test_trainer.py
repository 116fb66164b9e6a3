"""Saves that are whole or not there, stops on a signal, and stops where training is lost."""

import errno
import json
import os
import shutil
import signal
from pathlib import Path

import pytest
import safetensors.torch
import torch
from transformers import Trainer, TrainerCallback

from neuromusic_hf.checkpoints import saving
from neuromusic_hf.checkpoints.folders import find_checkpoints, last_checkpoint, missing_parts
from neuromusic_hf.checkpoints.saving import tidy
from neuromusic_hf.training import saving_trainer
from neuromusic_hf.training.finite_trainer import MAX_SKIPPED_STEPS


class At(TrainerCallback):
    """Does something at the end of a step."""

    def __init__(self, step, action):
        self.step, self.action = step, action

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == self.step:
            self.action()


def logged(trainer, name="loss") -> dict[int, float]:
    """What a Trainer logged under a name, by step."""
    return {entry["step"]: entry[name] for entry in trainer.state.log_history if name in entry}


def weights(trainer) -> list[torch.Tensor]:
    return [weight.detach().clone() for weight in trainer.model.parameters()]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def in_a_killed_process(work) -> bool:
    """Runs `work` in a fork of this process; whether it killed itself."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def assert_resumes_to(unbroken, make_trainer, name, **changed):
    """A run in the state that a kill left goes on to what an unbroken one gives: every loss, every weight."""
    folder = Path(make_trainer(name, **changed).args.output_dir)
    tidy(folder)
    checkpoint = last_checkpoint(folder)
    resumed = make_trainer(name, **changed)
    resumed.train(resume_from_checkpoint=checkpoint and str(checkpoint))
    assert logged(resumed) == logged(unbroken)
    assert all(map(torch.equal, weights(resumed), weights(unbroken)))
    return resumed


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """A fork of a process whose OpenMP threads have run waits for them for ever, as they are not in the fork."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def unbroken(trainer_in, tmp_path_factory):
    trainer = trainer_in(tmp_path_factory.mktemp("unbroken"))
    trainer.train()
    return trainer


def test_a_run_leaves_checkpoints_and_nothing_half_done(make_trainer, tmp_path):
    make_trainer(save_total_limit=2).train()
    assert names(tmp_path / "run") == {"checkpoint-4", "checkpoint-6"}
    for checkpoint in find_checkpoints(tmp_path / "run"):
        assert missing_parts(checkpoint) == []
        assert "recipe.yaml" in names(checkpoint) and "training_args.bin" not in names(checkpoint)


CALLS = ("os.replace", "os.fsync", "pathlib.Path.rename", "shutil.rmtree", "torch.save", "safetensors.torch.save_file")


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("moment", [0, 3])
def test_a_kill_anywhere_in_a_save_leaves_the_checkpoint_before(
    make_trainer, tmp_path, monkeypatch, unbroken, call, moment
):
    def work():
        trainer = make_trainer(save_total_limit=1)
        counted = {"calls": 0}
        module, name = call.rsplit(".", 1)
        owner = {"pathlib.Path": Path, "os": os, "shutil": shutil, "torch": torch}.get(module, safetensors.torch)
        function = getattr(owner, name)

        def killing(*args, **kwargs):
            if trainer.state.global_step >= 4:
                if counted["calls"] == moment:
                    kill()
                counted["calls"] += 1
            return function(*args, **kwargs)

        monkeypatch.setattr(owner, name, killing)
        trainer.train()

    in_a_killed_process(work)
    resumed = assert_resumes_to(unbroken, make_trainer, "run", save_total_limit=1)
    # Killed as it deletes the last but one, the finished run has nothing more to save, and nothing to delete for it.
    assert names(tmp_path / "run") - {"checkpoint-4"} == {"checkpoint-6"}
    assert resumed.state.global_step == 6


def test_a_checkpoint_that_is_there_already_is_replaced_or_kept(make_trainer, tmp_path, monkeypatch):
    make_trainer(max_steps=2).train()
    (tmp_path / "run" / "checkpoint-2" / "old").touch()

    def work():
        rename = Path.rename

        def killing(self, target):
            rename(self, target)
            if "_replaced" in str(target):
                kill()

        monkeypatch.setattr(Path, "rename", killing)
        make_trainer(max_steps=2).train()

    assert in_a_killed_process(work)
    assert last_checkpoint(tmp_path / "run") is None
    tidy(tmp_path / "run")
    assert "old" in names(last_checkpoint(tmp_path / "run"))
    make_trainer(max_steps=2).train()
    assert names(tmp_path / "run") == {"checkpoint-2"}
    assert "old" not in names(tmp_path / "run" / "checkpoint-2")


NO_SPACE = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("place", ["weights", "tokenizer", "optimizer", "state"])
def test_a_full_disk_in_a_save_ends_the_run_and_names_the_last_good_checkpoint(
    make_trainer, tmp_path, monkeypatch, unbroken, place
):
    trainer = make_trainer()

    def full(function):
        def write(*args, **kwargs):
            if trainer.state.global_step == 4:
                raise NO_SPACE
            return function(*args, **kwargs)

        return write

    if place == "weights":
        monkeypatch.setattr(trainer.model, "save_pretrained", full(trainer.model.save_pretrained))
    elif place == "tokenizer":
        cls = type(trainer.processing_class)
        monkeypatch.setattr(cls, "save_pretrained", full(cls.save_pretrained))
    elif place == "optimizer":
        monkeypatch.setattr(torch, "save", full(torch.save))
    else:
        monkeypatch.setattr(saving_trainer, "write_json", full(saving_trainer.write_json))
    with pytest.raises(OSError) as caught:
        trainer.train()
    message = str(caught.value)
    assert "checkpoint-4 could not be saved" in message and "No space left" in message
    assert "of the disk free" in message and "checkpoint-2" in message and "--resume_from_checkpoint last" in message
    assert names(tmp_path / "run") == {"checkpoint-2"}
    monkeypatch.undo()
    assert_resumes_to(unbroken, make_trainer, "run")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root mounts a file system")
def test_a_file_system_that_fills_up_in_a_save(trainer_in, trained, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    size = sum(path.stat().st_size for path in (trained / "checkpoint-4").iterdir())
    if os.system(f"mount -t tmpfs -o size={int(2.5 * size)} tmpfs {disk} 2>/dev/null"):
        pytest.skip("this machine does not let us mount")
    try:
        with pytest.raises(OSError, match="could not be saved"):
            trainer_in(disk / "run", save_steps=1).train()
        assert names(disk / "run") == {"checkpoint-1", "checkpoint-2"}
        assert last_checkpoint(disk / "run").name == "checkpoint-2"
    finally:
        os.system(f"umount {disk}")


def test_the_best_checkpoint_is_known_by_its_place_and_kept(make_trainer, tmp_path):
    changed = {"eval_strategy": "steps", "eval_steps": 2, "load_best_model_at_end": True, "save_total_limit": 1}
    trainer = make_trainer(metric_for_best_model="eval_loss", greater_is_better=False, **changed)
    trainer.train()
    losses = logged(trainer, "eval_loss")
    best = tmp_path / "run" / f"checkpoint-{min(losses, key=losses.get)}"
    assert trainer.state.best_model_checkpoint == str(best)
    state = json.loads((best / "trainer_state.json").read_text())
    assert state["best_model_checkpoint"] == str(best)
    assert best.is_dir()


# Logs of a run that goes on


def test_the_loss_of_steps_not_yet_logged_goes_into_the_checkpoint(make_trainer):
    whole = make_trainer("whole", logging_steps=3, save_total_limit=None)
    whole.train()
    resumed = make_trainer("resumed", logging_steps=3)
    resumed.train(resume_from_checkpoint=str(Path(whole.args.output_dir, "checkpoint-2")))
    assert logged(resumed) == logged(whole) and len(logged(whole)) == 2


def test_a_finished_run_trains_no_step_more(make_trainer, unbroken):
    make_trainer().train()
    again = make_trainer()
    again.train(resume_from_checkpoint=str(last_checkpoint(again.args.output_dir)))
    assert again.state.global_step == 6
    assert all(map(torch.equal, weights(again), weights(unbroken)))


# Signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_signal_saves_after_the_step_and_exits(make_trainer, tmp_path, unbroken, number):
    handler = signal.getsignal(number)
    trainer = make_trainer()
    trainer.add_callback(At(3, lambda: signal.raise_signal(number)))
    with pytest.raises(SystemExit) as stopped:
        trainer.train()
    assert stopped.value.code == 128 + number
    assert signal.getsignal(number) is handler
    assert last_checkpoint(tmp_path / "run").name == "checkpoint-3"
    assert_resumes_to(unbroken, make_trainer, "run")


@pytest.mark.parametrize("changed", [{"eval_strategy": "steps", "eval_steps": 3}, {"eval_strategy": "epoch"}])
@pytest.mark.parametrize("step", [3, 4])
def test_an_evaluation_that_was_due_is_made_up_for(make_trainer, tmp_path, changed, step):
    whole = make_trainer("whole", logging_steps=4, max_steps=8, **changed)
    whole.train()
    trainer = make_trainer(logging_steps=4, max_steps=8, **changed)
    trainer.add_callback(At(step, lambda: signal.raise_signal(signal.SIGTERM)))
    with pytest.raises(SystemExit):
        trainer.train()
    assert step not in logged(trainer, "eval_loss")
    resumed = make_trainer(logging_steps=4, max_steps=8, **changed)
    resumed.train(resume_from_checkpoint=str(last_checkpoint(tmp_path / "run")))
    assert logged(resumed, "eval_loss") == logged(whole, "eval_loss")
    assert logged(resumed) == logged(whole)
    assert all(map(torch.equal, weights(resumed), weights(whole)))


def test_an_evaluation_ends_soon_after_a_signal_and_is_repeated(make_trainer, tmp_path):
    changed = {"eval_strategy": "steps", "eval_steps": 3, "per_device_eval_batch_size": 1}
    whole = make_trainer("whole", **changed)
    whole.train()
    trainer = make_trainer(**changed)
    batches = []

    class InEvaluation(TrainerCallback):
        def on_prediction_step(self, args, state, control, **kwargs):
            batches.append(state.global_step)
            if len(batches) == 2:
                signal.raise_signal(signal.SIGTERM)

    trainer.add_callback(InEvaluation())
    with pytest.raises(SystemExit):
        trainer.train()
    assert batches == [3, 3]
    assert last_checkpoint(tmp_path / "run").name == "checkpoint-3"
    resumed = make_trainer(**changed)
    resumed.train(resume_from_checkpoint=str(last_checkpoint(tmp_path / "run")))
    assert logged(resumed, "eval_loss") == logged(whole, "eval_loss")
    assert logged(resumed) == logged(whole)


def test_a_signal_in_a_save_lets_it_finish(make_trainer, tmp_path, monkeypatch):
    trainer = make_trainer()
    save = torch.save

    def signalled(*args, **kwargs):
        signal.raise_signal(signal.SIGTERM)
        return save(*args, **kwargs)

    monkeypatch.setattr(torch, "save", signalled)
    with pytest.raises(SystemExit):
        trainer.train()
    assert missing_parts(tmp_path / "run" / "checkpoint-2") == []
    assert trainer.state.global_step <= 3


def test_a_second_signal_after_a_while_kills_at_once(make_trainer, monkeypatch):
    def work():
        monkeypatch.setattr("neuromusic_hf.training.stopping.ECHO_SECONDS", -1.0)
        signal.signal(signal.SIGTERM, lambda number, frame: kill())  # what a process would do without us
        trainer = make_trainer()
        trainer.add_callback(At(3, lambda: [signal.raise_signal(signal.SIGTERM) for _ in range(2)]))
        trainer.train()

    assert in_a_killed_process(work)


def test_a_signal_that_is_ignored_stays_ignored(make_trainer):
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        trainer = make_trainer(max_steps=2)
        trainer.add_callback(At(1, lambda: signal.raise_signal(signal.SIGTERM)))
        trainer.train()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert trainer.state.global_step == 2


def test_a_launcher_that_is_killed_and_hands_nothing_on_stops_the_run(make_trainer, monkeypatch):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")
    trainer = make_trainer()
    trainer.add_callback(At(3, lambda: monkeypatch.setattr(os, "getppid", lambda: 1)))
    with pytest.raises(SystemExit):
        trainer.train()
    assert trainer.state.global_step == 3


# Training that is lost


def poison(trainer, value, step, where):
    """From a step on, the loss, a gradient, or a weight after the step holds a value that is not finite."""
    [weight, *_] = [weight for name, weight in trainer.model.named_parameters() if "wte" in name]
    if where == "weight":
        trainer.add_callback(At(step, lambda: weight.data[0].fill_(value)))
        return
    forward = trainer.model.forward

    def poisoned(*args, **kwargs):
        output = forward(*args, **kwargs)
        if trainer.is_in_train and trainer.state.global_step >= step:
            output.loss = output.loss * value if where == "loss" else output.loss
        return output

    trainer.model.forward = poisoned
    if where == "gradient":
        weight.register_hook(lambda grad: grad * value if trainer.state.global_step >= step else grad)


@pytest.mark.parametrize("max_grad_norm", [0.0, 1.0])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("where", ["loss", "gradient", "weight"])
def test_what_is_not_finite_stops_the_run_before_it_is_saved(make_trainer, tmp_path, where, value, max_grad_norm):
    trainer = make_trainer(max_grad_norm=max_grad_norm, save_steps=3, save_total_limit=None)
    poison(trainer, value, 4, where)
    with pytest.raises(FloatingPointError) as caught:
        trainer.train()
    message = str(caught.value)
    assert "learning_rate" in message and "checkpoint-3 is the last good checkpoint" in message
    assert "step 5" in message or "step 6" in message
    assert names(tmp_path / "run") == {"checkpoint-3"}
    for weight in safetensors.torch.load_file(tmp_path / "run" / "checkpoint-3" / "model.safetensors").values():
        assert weight.isfinite().all()


def test_an_infinite_loss_with_finite_gradients_stops_the_run(make_trainer):
    trainer = make_trainer(gradient_accumulation_steps=2)
    forward = trainer.model.forward

    def poisoned(*args, **kwargs):
        output = forward(*args, **kwargs)
        output.loss = output.loss + float("inf")
        return output

    trainer.model.forward = poisoned
    with pytest.raises(FloatingPointError, match="In step 1 the loss is inf and the norm .*no checkpoint"):
        trainer.train()


def test_a_gradient_scaler_may_skip_steps_but_not_for_ever(make_trainer, monkeypatch):
    trainer = make_trainer()
    loss, infinite = torch.tensor(1.0), torch.tensor(float("inf"))
    monkeypatch.setattr(trainer.accelerator, "scaler", object())
    for _ in range(MAX_SKIPPED_STEPS):
        trainer._refuse_lost_step(loss, infinite)
    trainer._refuse_lost_step(loss, loss)
    with pytest.raises(FloatingPointError, match="the norm of the gradient inf"):
        for _ in range(MAX_SKIPPED_STEPS + 1):
            trainer._refuse_lost_step(loss, infinite)
    with pytest.raises(FloatingPointError, match="the loss is inf"):
        trainer._refuse_lost_step(infinite, loss)


def test_an_evaluation_that_is_not_finite_stops_the_run(make_trainer, tmp_path):
    trainer = make_trainer(eval_strategy="steps", eval_steps=4)
    weight = trainer.model.get_output_embeddings().weight
    trainer.add_callback(At(4, lambda: weight.data[1].fill_(float("nan"))))
    with pytest.raises(FloatingPointError, match="After step 4 eval_loss is nan"):
        trainer.train()
    assert names(tmp_path / "run") == {"checkpoint-2"}


def test_a_model_that_is_not_finite_is_not_saved_as_a_bundle(make_trainer, tmp_path):
    trainer = make_trainer(save_strategy="no", max_steps=1)
    trainer.train()
    trainer.model.get_input_embeddings().weight.data[0] = float("inf")
    with pytest.raises(FloatingPointError, match="weights are not finite"):
        trainer.save_model()
    assert not (tmp_path / "run" / "bundle").exists()


# The bundle


def test_a_bundle_that_cannot_be_written_leaves_the_old_one(make_trainer, tmp_path, monkeypatch):
    trainer = make_trainer(max_steps=1)
    trainer.save_model()
    bundle = tmp_path / "run" / "bundle"
    before = {path.name: path.read_bytes() for path in bundle.iterdir()}
    trainer.train()

    def full(*args, **kwargs):
        raise NO_SPACE

    monkeypatch.setattr(type(trainer.processing_class), "save_pretrained", full)
    with pytest.raises(OSError, match="The checkpoints of the run are untouched"):
        trainer.save_model()
    assert {path.name: path.read_bytes() for path in bundle.iterdir()} == before
    monkeypatch.undo()
    trainer.save_model()
    assert names(bundle) == set(before) and names(tmp_path / "run") == {"bundle", "checkpoint-1"}


def test_of_an_old_bundle_nothing_stays_but_what_its_user_added(make_trainer, tmp_path):
    bundle = tmp_path / "run" / "bundle"
    (bundle / "examples").mkdir(parents=True)
    old = ("model-00001-of-00001.safetensors", "model.safetensors.index.json", "modeling_old.py", "scores.json")
    for name in (*old, "run.json", "examples/1.mid", "notes.txt"):
        (bundle / name).write_text("{}")
    make_trainer().save_model()
    assert "notes.txt" in names(bundle) and not {*old, "examples", "run.json"} & names(bundle)
    assert not (tmp_path / "run" / saving.PARTIAL_NAME).exists()


# Models whose weights are saved otherwise


def test_an_adapter_is_saved_and_goes_on_as_a_whole_model_does(trainer_in, processor, tmp_path):
    peft = pytest.importorskip("peft")

    def make(name):
        model = trainer_in(tmp_path / "none").model
        torch.manual_seed(1)
        adapted = peft.get_peft_model(model, peft.LoraConfig(r=2, target_modules=["c_attn"], fan_in_fan_out=True))
        return trainer_in(tmp_path / name, model=adapted)

    whole = make("whole")
    whole.train()
    whole.save_model()
    card = whole.bundle_dir / "README.md"
    card.write_text(card.read_text() + "\nMy own words.\n")
    whole.save_model()
    assert "My own words." in card.read_text()
    checkpoint = tmp_path / "whole" / "checkpoint-4"
    assert missing_parts(checkpoint) == [] and (checkpoint / "adapter_model.safetensors").exists()
    resumed = make("resumed")
    resumed.train(resume_from_checkpoint=str(checkpoint))
    assert logged(resumed) == {step: loss for step, loss in logged(whole).items()}
    assert all(map(torch.equal, weights(resumed), weights(whole)))
    (checkpoint / "adapter_model.safetensors").unlink()
    assert missing_parts(checkpoint) == ["model.safetensors"]


def test_the_folder_of_a_trial_gets_its_checkpoints_whole(make_trainer, tmp_path, monkeypatch):
    trainer = make_trainer(max_steps=2)
    monkeypatch.setattr(Trainer, "_get_output_dir", lambda self, trial: str(tmp_path / "run" / "run-0"))
    trainer.train()
    assert names(tmp_path / "run") == {"run-0"}
    assert missing_parts(tmp_path / "run" / "run-0" / "checkpoint-2") == []


STEPS = {"eval_strategy": "steps", "eval_steps": 2, "max_steps": 4}


@pytest.mark.parametrize(
    ("changed", "evaluations"),
    [
        (STEPS, 2),
        (STEPS | {"eval_steps": 3}, 2),
        (STEPS | {"load_best_model_at_end": True, "save_steps": 2}, 3),
        ({"eval_strategy": "no", "max_steps": 2}, 1),
    ],
    ids=["after the last step", "before it", "another model", "never"],
)
def test_the_last_step_is_evaluated_once(changed, evaluations, make_trainer):
    trainer = make_trainer(**changed)
    trainer.train()
    metrics = trainer.evaluate_at_end()
    assert sum("eval_loss" in entry for entry in trainer.state.log_history) == evaluations
    again = trainer.evaluate()
    assert metrics.keys() == again.keys()
    assert metrics["eval_loss"] == again["eval_loss"] and metrics["eval_nats_per_note"] == again["eval_nats_per_note"]
    assert metrics["epoch"] == again["epoch"]
