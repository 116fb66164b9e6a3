"""The Hub of the tests speaks the protocol to the real clients."""

import pytest
from huggingface_hub import HfApi, HfFileSystem, hf_hub_download, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError
from loopback_hub import Cut, Slow, Status, WrongEtag

CONTENT = {"config.json": b"{}", "model.safetensors": bytes(range(256)) * 1000, "folder/notes.txt": b"notes"}


@pytest.fixture
def folder(tmp_path):
    for name, content in CONTENT.items():
        path = tmp_path / "folder" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "folder"


def push(folder, name="alice/model", **kwargs):
    api = HfApi()
    api.create_repo(name, exist_ok=True, private=kwargs.pop("private", None))
    return api.upload_folder(repo_id=name, folder_path=folder, **kwargs)


def pulled(path) -> dict:
    return {str(each.relative_to(path)): each.read_bytes() for each in path.rglob("*") if each.is_file()}


def test_what_is_pushed_is_pulled(hub, folder, tmp_path):
    commit = push(folder)
    assert hub.files("alice/model") == CONTENT
    assert pulled(type(tmp_path)(snapshot_download("alice/model"))) == CONTENT
    assert hf_hub_download("alice/model", "config.json").split("/")[-2] == commit.oid
    with HfFileSystem().open("alice/model/model.safetensors") as file:
        file.seek(1000)
        assert file.read(10) == CONTENT["model.safetensors"][1000:1010]


def test_branches_tags_and_commits_are_revisions(hub, folder):
    api, first = HfApi(), push(folder).oid
    api.create_tag("alice/model", tag="v1")
    api.create_branch("alice/model", branch="trial")
    api.upload_file(path_or_fileobj=b"{1}", path_in_repo="config.json", repo_id="alice/model", revision="trial")
    read = {name: hub.files("alice/model", name)["config.json"] for name in ("main", "trial", "v1", first)}
    assert read == {"main": b"{}", "trial": b"{1}", "v1": b"{}", first: b"{}"}
    assert {ref.name for ref in api.list_repo_refs("alice/model").branches} == {"main", "trial"}
    assert [commit.commit_id for commit in api.list_repo_commits("alice/model")][0] == first


def test_private_repositories_are_their_owners(hub, folder):
    push(folder, private=True)
    assert hub.is_private("alice/model")
    with pytest.raises(RepositoryNotFoundError):
        hf_hub_download("alice/model", "config.json", token="hf_bob")
    with pytest.raises(HfHubHTTPError, match="403"):
        HfApi(token="hf_alice_read").upload_file(path_or_fileobj=b"", path_in_repo="a", repo_id="alice/model")
    hub.expired.add("hf_alice")
    with pytest.raises(HfHubHTTPError, match="401"):
        HfApi().model_info("alice/model")


def test_a_download_survives_faults(hub, folder):
    push(folder)
    hub.faults += [Status("resolve/main/config", "HEAD", 1), Cut("/lfs/", "GET", after=1000), Slow("/lfs/", "GET")]
    with open(hf_hub_download("alice/model", "model.safetensors"), "rb") as file:
        assert file.read() == CONTENT["model.safetensors"]


def test_content_of_another_length_is_refused(hub, folder):
    push(folder)
    hub.faults.append(WrongEtag("/lfs/", "GET", times=9))
    with pytest.raises(OSError, match="Consistency check failed"):
        hf_hub_download("alice/model", "model.safetensors")


def test_a_push_that_breaks_sends_no_large_file_twice(hub, folder):
    hub.faults.append(Status("/commit/", "POST", status=500))
    with pytest.raises(HfHubHTTPError):
        push(folder)
    push(folder)
    assert hub.files("alice/model") == CONTENT
    assert len([path for method, path, _ in hub.requests if method == "PUT" and "/lfs/" in path]) == 1


def test_offline_answers_come_from_the_cache(hub, folder, offline):
    push(folder)
    hf_hub_download("alice/model", "config.json")
    offline()
    hub.requests.clear()
    hf_hub_download("alice/model", "config.json")
    with pytest.raises(LocalEntryNotFoundError):
        hf_hub_download("alice/model", "model.safetensors")
    assert not hub.requests
