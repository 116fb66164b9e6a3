"""Runs that push: bundles and nothing else, whatever happens on the way."""

import dataclasses
import json
import logging
import threading

import pytest
import yaml
from huggingface_hub import HfApi
from loopback_hub import Status
from tiny import ONE_LAYER
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback

from neuromusic_hf import MidiProcessor, load_corpus
from neuromusic_hf.bundles import bundle_files, push_bundle
from neuromusic_hf.checkpoints.saving import replace_bundle
from neuromusic_hf.training import pushing_trainer, saving_trainer

REPOSITORY = "alice/x"


@pytest.fixture
def push(train, options):
    """Runs scripts/train.py and has it push."""

    def run(name="run", **changed):
        train(options(name, **{"push_to_hub": True, "hub_model_id": REPOSITORY, **changed}))

    return run


class After(TrainerCallback):
    """Does something when a checkpoint of a step was saved."""

    def __init__(self, step, work):
        self.step, self.work = step, work

    def on_save(self, args, state, control, **kwargs):
        if state.global_step == self.step:
            self.work()


def names(hub, revision="main"):
    return {*hub.files(REPOSITORY, revision)} - {".gitattributes"}


def commits():
    return {commit.title: commit.commit_id for commit in HfApi().list_repo_commits(REPOSITORY)}


def assert_plays(revision):
    model = AutoModelForCausalLM.from_pretrained(REPOSITORY, revision=revision)
    processor = MidiProcessor.from_pretrained(REPOSITORY, revision=revision)
    assert model.config.vocab_size == processor.vocab_size
    assert AutoTokenizer.from_pretrained(REPOSITORY, revision=revision).get_vocab() == processor.tokenizer.get_vocab()


def everything(hub, folder):
    """All bytes that a run left in a folder or on the Hub, by place."""
    left = {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for commit in commits().values():
        left |= {f"{commit}:{path}": content for path, content in hub.files(REPOSITORY, commit).items()}
    return left


def test_a_run_pushes_each_checkpoint_as_a_bundle_and_its_own_at_the_end(hub, push, tmp_path):
    tests = {"eval_continuations_steps": 2, "eval_continuations": 2, "eval_shown_continuations": 0}
    push(model="music_transformer", max_steps=4, save_total_limit=1, hub_always_push=True, **tests)
    bundle = tmp_path / "run" / "bundle"
    assert names(hub) == {*bundle_files(bundle)} == {path.name for path in bundle.iterdir()}, "as hf upload pushes it"
    assert {"run.json", "recipe.yaml", "README.md", "modeling_music_transformer.py"} < names(hub)
    for path, content in hub.files(REPOSITORY).items():
        if path not in ("README.md", ".gitattributes"):
            assert content == (bundle / path).read_bytes(), path
    made = commits()
    assert {"Training in progress, step 2", "Training in progress, step 4"} < {*made}
    for title in ("Training in progress, step 2", "Training in progress, step 4"):
        assert names(hub, made[title]) == names(hub)
        assert json.loads(hub.files(REPOSITORY, made[title])["run.json"])["corpora"]
        assert_plays(made[title])
    assert_plays("main")
    assert not (tmp_path / "run" / "_pushing").exists()


def test_with_the_strategy_end_there_is_one_push(hub, push):
    push(hub_strategy="end", hub_private_repo=True, hub_revision="trial")
    assert hub.is_private(REPOSITORY)
    assert names(hub) <= {"README.md"} and "model.safetensors" in names(hub, "trial")
    pushes = [path for method, path, _ in hub.requests if method == "POST" and "/commit/" in path]
    assert len(pushes) == 1 and pushes[0].endswith("trial")


def test_a_run_leaves_no_token_anywhere_and_no_path_where_others_see_it(
    hub, push, tmp_path, tmp_path_factory, caplog, capfd
):
    with caplog.at_level(logging.DEBUG):
        push(hub_token="hf_alice", max_steps=2)
    shown = caplog.text + "".join(capfd.readouterr())
    left = everything(hub, tmp_path / "run")
    assert "hf_alice" not in shown
    assert [path for path, content in left.items() if b"hf_alice" in content] == []
    shared = {path: content for path, content in left.items() if "/bundle/" in path or ":" in path}
    place = str(tmp_path_factory.getbasetemp()).encode()
    assert [path for path, content in shared.items() if place in content] == []
    assert [path for path in left if path.endswith("training_args.bin")] == []


def test_a_refused_repository_ends_a_run_before_its_corpus_is_read(hub, push, tmp_path, monkeypatch):
    monkeypatch.setattr("neuromusic_hf.training.run_data.load_corpus", None)
    HfApi(token="hf_bob").create_repo("bob/x")
    for changed in ({"hub_model_id": "bob/x"}, {"hub_token": "hf_alice_read"}):
        with pytest.raises(ValueError, match=r"This run could not be pushed to .*/x: (?s:.*)HF_TOKEN"):
            push(**changed)
    hub.expired.add("hf_alice")
    with pytest.raises(ValueError, match="This run could not be pushed to alice/x"):
        push()
    assert not (tmp_path / "run").exists()


def test_without_a_network_a_run_that_is_to_push_does_not_begin(hub, push, offline):
    offline()
    with pytest.raises(ValueError, match="could not be pushed to alice/x"):
        push()


FAULTS = {
    "HfHubHTTPError 500": Status("/commit/", "POST", times=1, status=500),
    "HfHubHTTPError 403": Status("/lfs/", "PUT", times=1, status=403),
}


@pytest.mark.parametrize("reason", FAULTS)
def test_a_push_of_a_checkpoint_that_fails_is_told_and_counted(hub, push, tmp_path, caplog, reason):
    hub.faults.append(dataclasses.replace(FAULTS[reason]))
    with caplog.at_level(logging.WARNING):
        push(max_steps=4, hub_always_push=True)
    assert "checkpoint-2 could not be pushed, and training goes on" in caplog.text
    record = json.loads(hub.files(REPOSITORY)["run.json"])
    assert record["failed_pushes"] == [{"step": 2, "reason": reason}]
    assert "Training in progress, step 4" in commits()


def test_a_run_that_goes_on_knows_the_pushes_that_failed_before(hub, trainer_in, tmp_path):
    pushing = {"push_to_hub": True, "hub_model_id": REPOSITORY, "hub_always_push": True}
    hub.faults.append(Status("/commit/", "POST", times=1, status=500))
    begun = trainer_in(tmp_path / "run", max_steps=4, **pushing)
    begun.add_callback(After(2, begun.finish_pushes))
    begun.train()
    goes_on = trainer_in(tmp_path / "run", max_steps=6, **pushing)
    goes_on.train(resume_from_checkpoint=True)
    assert goes_on.failed_pushes == begun.failed_pushes == [{"step": 2, "reason": "HfHubHTTPError 500"}]


def test_a_token_that_expires_on_the_way_stops_no_training(hub, trainer_in, tmp_path):
    pushing = {"push_to_hub": True, "hub_model_id": REPOSITORY, "hub_always_push": True}
    trainer = trainer_in(tmp_path / "run", hub_token="hf_alice", **pushing)
    trainer.add_callback(After(2, lambda: hub.expired.add("hf_alice")))
    trainer.train()
    assert trainer.state.global_step == 6
    assert {failure["step"] for failure in trainer.failed_pushes} >= {4, 6}
    with pytest.raises(RuntimeError, match="The bundle is whole in .*401") as caught:
        trainer.save_model()
    assert "hf_alice" not in str(caught.value)


def test_a_last_push_that_fails_says_how_to_go_on(hub, push, tmp_path, call_script):
    hub.faults.append(Status("/commit/", "POST", times=1, status=500))
    with pytest.raises(RuntimeError, match="The bundle is whole in .*bundle, but was not pushed") as caught:
        push(hub_strategy="end")
    bundle = tmp_path / "run" / "bundle"
    assert (bundle / "run.json").exists()
    python, script, *arguments = str(caught.value).splitlines()[-1].removeprefix("Push it later: ").split()
    assert (python, script) == ("python", "scripts/push_bundle.py")
    call_script("push_bundle", *arguments)
    assert names(hub) == {*bundle_files(bundle)}


def test_a_checkpoint_may_be_deleted_while_its_push_is_on_the_way(hub, trainer_in, tmp_path, monkeypatch):
    pushing = {"push_to_hub": True, "hub_model_id": REPOSITORY, "hub_always_push": True}
    trainer, deleted = trainer_in(tmp_path / "run", save_total_limit=1, **pushing), threading.Event()

    def push_late(folder, *args, **kwargs):
        assert deleted.wait(timeout=60)
        return push_bundle(folder, *args, **kwargs)

    monkeypatch.setattr(pushing_trainer, "push_bundle", push_late)
    trainer.add_callback(After(4, lambda: (tmp_path / "run" / "checkpoint-2").exists() or deleted.set()))
    trainer.train()
    assert deleted.is_set() and trainer.failed_pushes == []
    assert {f"Training in progress, step {step}" for step in (2, 4, 6)} < {*commits()}
    assert not (tmp_path / "run" / "_pushing").exists()


def test_the_trainer_pushes_by_hand_what_scripts_push(hub, trainer_in, tmp_path):
    trainer = trainer_in(tmp_path / "run", max_steps=1, save_strategy="no")
    trainer.train()
    trainer.args.hub_model_id = REPOSITORY
    commit = trainer.push_to_hub("By hand", tags=["waltz"])
    assert commits()["By hand"] == commit.oid
    assert names(hub) == {*bundle_files(trainer.bundle_dir)}
    card = hub.files(REPOSITORY)["README.md"].decode()
    assert "waltz" in yaml.safe_load(card.split("---")[1])["tags"]
    trainer.create_model_card()
    assert REPOSITORY in (trainer.bundle_dir / "README.md").read_text()
    future = trainer.push_to_hub("Later", blocking=False, revision="later")
    assert future.result().oid and "model.safetensors" in names(hub, "later")


def test_a_bundle_is_not_replaced_while_it_is_pushed(hub, trainer_in, tmp_path, monkeypatch):
    trainer = trainer_in(tmp_path / "run", max_steps=1, save_strategy="no")
    trainer.args.hub_model_id = REPOSITORY
    replaced, was_pushed = threading.Event(), []

    def push_late(*args, **kwargs):
        replaced.wait(timeout=0.5)
        return push_bundle(*args, **kwargs)

    def replace(*args):
        was_pushed.append(future.done())
        replaced.set()
        replace_bundle(*args)

    monkeypatch.setattr(pushing_trainer, "push_bundle", push_late)
    future = trainer.push_to_hub(blocking=False)
    monkeypatch.setattr(saving_trainer, "replace_bundle", replace)
    trainer.save_model()
    assert was_pushed == [True] and future.result().oid


def test_a_push_beside_that_failed_is_told_and_keeps_nothing_from_being_saved(hub, trainer_in, tmp_path, caplog):
    trainer = trainer_in(tmp_path / "run", max_steps=1, save_strategy="no")
    trainer.args.hub_model_id = REPOSITORY
    hub.faults.append(Status("/commit/", "POST", times=1, status=500))
    future = trainer.push_to_hub(blocking=False)
    trainer.save_model()
    assert "was not pushed to alice/x" in str(future.exception()) and "was not pushed to alice/x" in caplog.text
    assert trainer.push_to_hub().oid


def test_a_corpus_of_the_hub_is_read_as_it_was_and_named_by_its_commit(hub, train, options, midi_folder, tmp_path):
    load_corpus(midi_folder, split_shares=(0.6, 0.2, 0.2)).push_to_hub("alice/corpus", revision="v1")
    train(options(corpus="alice/corpus", corpus_revision="v1", split_shares=None))
    record = json.loads((tmp_path / "run" / "bundle" / "run.json").read_text())
    commit = HfApi().list_repo_commits("alice/corpus", revision="v1", repo_type="dataset")[0].commit_id
    assert [(each["dataset"], each["revision"]) for each in record["corpora"]] == [("alice/corpus", commit)]


def test_words_of_the_user_survive_a_second_run(hub, push, tmp_path):
    push(hub_strategy="end")
    card = hub.files(REPOSITORY)["README.md"].decode()
    hub.put(REPOSITORY, {"README.md": (card + "\nMy own words.\n").encode()})
    push("again", hub_strategy="end")
    assert "My own words." in hub.files(REPOSITORY)["README.md"].decode()


def test_a_model_of_the_hub_is_trained_further_and_named_by_its_commit(hub, push, train, options, tmp_path):
    push(hub_strategy="end", hub_revision="v1")
    sizes = dict.fromkeys(ONE_LAYER)
    train(options("further", model=REPOSITORY, tokenization=REPOSITORY, revision="v1", max_steps=1, **sizes))
    record = json.loads((tmp_path / "further" / "bundle" / "run.json").read_text())
    commit = HfApi().list_repo_commits(REPOSITORY, revision="v1")[0].commit_id
    assert (record["base_model"]["name"], record["base_model"]["revision"]) == (REPOSITORY, commit)
    assert [corpus["name"] for corpus in record["base_model"]["trained"]["corpora"]] == ["midi0"]
    recipe = yaml.safe_load((tmp_path / "further" / "bundle" / "recipe.yaml").read_text())
    assert (recipe["model"], recipe["revision"]) == (REPOSITORY, "v1")
