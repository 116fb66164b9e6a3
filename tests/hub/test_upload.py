"""A folder is pushed in one commit: what was asked for, with its card, and nothing that belongs to this machine."""

import json

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError
from loopback_hub import Cut, Status

from neuromusic_hf.hub import Card, Section, push_folder

CONTENT = {"config.json": b"{}", "model.safetensors": bytes(range(256)) * 1000, "notes.txt": b"mine"}
FILES = ("*.json", "*.safetensors", "README.md")


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, content in CONTENT.items():
        (folder / name).write_bytes(content)
    return folder


def card_of(repo_id):
    return Card(repo_id.split("/")[1], {"license": "mit"}, [Section("use", f"Load {repo_id}.")])


def push(folder, repo_id="alice/model", files=FILES, **arguments):
    return push_folder(folder, repo_id, files, commit_message="a push", **arguments)


def test_only_what_was_asked_for_is_pushed_in_one_commit(hub, folder):
    push(folder)
    assert hub.files("alice/model").keys() == {"config.json", "model.safetensors"}
    assert [commit.title for commit in HfApi().list_repo_commits("alice/model")][:-1] == ["a push"]
    push(folder)
    assert len(HfApi().list_repo_commits("alice/model")) == 2  # nothing changed


def test_the_card_knows_its_repository_and_keeps_its_owners_words(hub, folder):
    push(folder, "model", card=card_of)
    first = hub.files("alice/model")["README.md"].decode()
    assert "Load alice/model." in first and not (folder / "README.md").exists()
    hub.put("alice/model", {"README.md": first.replace("# model", "# Mine").encode()})
    push(folder, card=card_of)
    assert hub.files("alice/model")["README.md"].decode() == first.replace("# model", "# Mine")


def test_a_new_repository_gets_the_words_of_the_folder(hub, folder):
    (folder / "README.md").write_text(card_of("user/name").render() + "\nMy words.\n")
    push(folder, card=card_of)
    text = hub.files("alice/model")["README.md"].decode()
    assert "My words." in text and "Load alice/model." in text and "# model" in text and "user/name" not in text


def test_files_of_an_earlier_push_go_and_others_stay(hub, folder):
    hub.put("alice/model", {"model-00001-of-2.safetensors": b"old", "data.csv": b"theirs", "config.json": b"old"})
    push(folder, replaces=["*.safetensors", "config.json"])
    assert hub.files("alice/model").keys() == {"config.json", "model.safetensors", "data.csv"}
    assert hub.files("alice/model")["config.json"] == b"{}"


def test_branches_are_made_and_tags_too(hub, folder):
    hub.put("alice/model", {"theirs.txt": b"1"})
    commit = push(folder, revision="trial", tag="v1", card=card_of)
    assert hub.files("alice/model").keys() == {"theirs.txt"}
    assert hub.files("alice/model", "trial").keys() == {"theirs.txt", "config.json", "model.safetensors", "README.md"}
    assert hub.files("alice/model", "v1") == hub.files("alice/model", commit.oid) == hub.files("alice/model", "trial")
    hub.requests.clear()
    (folder / "config.json").write_text("[]")
    with pytest.raises(ValueError, match="tag 'v1' already"):
        push(folder, tag="v1")
    assert not any("/commit/" in path for _, path, _ in hub.requests)


def test_private_stays_private(hub, folder):
    push(folder, private=True)
    assert hub.is_private("alice/model")
    push(folder, private=False)
    assert hub.is_private("alice/model")
    with pytest.raises(HfHubHTTPError):
        push(folder, token="hf_bob")


def test_a_pull_request_leaves_main_alone(hub, folder):
    hub.put("alice/model", {"theirs.txt": b"1"})
    commit = push(folder, create_pr=True, card=card_of)
    assert commit.pr_url and hub.files("alice/model").keys() == {"theirs.txt"}
    assert "config.json" in hub.files("alice/model", "refs/pr/1")


@pytest.mark.parametrize("request_", ["/commit/", "/tag/"])
def test_a_push_that_breaks_is_resumed_and_sends_no_large_file_twice(hub, folder, request_):
    hub.faults.append(Status(request_, "POST", status=500))
    with pytest.raises(HfHubHTTPError):
        push(folder, card=card_of, tag="v1")
    push(folder, card=card_of, tag="v1")
    assert hub.files("alice/model", "v1")["model.safetensors"] == CONTENT["model.safetensors"]
    assert len([path for method, path, _ in hub.requests if method == "PUT" and "/lfs/" in path]) == 1


def test_an_upload_that_is_cut_off_is_sent_again(hub, folder):
    hub.faults.append(Cut("/lfs/", "PUT"))
    push(folder)
    assert hub.files("alice/model")["model.safetensors"] == CONTENT["model.safetensors"]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("training_args.bin", "x", "pickle"),
        ("nested/optimizer.pt", "x", "pickle"),
        ("run.json", json.dumps({"a": [{"token": "hf_" + "a" * 34}]}), "token"),
        ("README.md", "Use hf_alice to log in.", "token"),
        ("run.json", '{"corpus": "/data/alice/music"}', r"corpus: /data/alice/music"),
        ("run.json", '{"a": {"b": ["C:\\\\Users\\\\alice"]}}', "path of this machine"),
        ("recipe.yaml", "output_dir: ~/runs", "output_dir"),
        ("run.json", "{", "damaged"),
    ],
)
def test_what_belongs_to_this_machine_is_refused(hub, folder, name, content, reason):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    with pytest.raises(ValueError, match=f"{path}.*{reason}"):
        push(folder, files=["*"])
    assert not hub.requests


def test_what_only_looks_like_a_path_is_pushed(hub, folder):
    harmless = ["https://example.com/a", "alice/model", "runs", "4/4", "TimeSig_4/4", "/", "//", "~", "C:", "a /b"]
    (folder / "run.json").write_text(json.dumps({"/some/key": harmless}))
    (folder / "tokenizer.json").write_text(json.dumps({"vocab": ["/usr/bin"]}))
    push(folder)
    assert {"run.json", "tokenizer.json"} <= hub.files("alice/model").keys()


def test_nothing_is_not_pushed(hub, tmp_path):
    with pytest.raises(ValueError, match="nothing to push"):
        push(tmp_path)
