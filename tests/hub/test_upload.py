"""A folder is pushed in one commit: what was asked for, with its card, and nothing that belongs to this machine."""

import json
from pathlib import Path

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError
from loopback_hub import Cut, Status

from neuromusic_hf.hub import Card, Section, escape, push_folder

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


def test_a_star_stands_for_part_of_one_name(hub, folder):
    theirs = {"model_old/w.safetensors": b"1", "sub/other.json": b"2", "x/y/z.safetensors": b"3"}
    hub.put("alice/model", theirs)
    (folder / "deep").mkdir()
    (folder / "deep" / "more.json").write_text("{}")
    push(folder, replaces=["model*.safetensors", "*.json", "x/*"])
    assert hub.files("alice/model").keys() == {*theirs, "config.json", "model.safetensors"}


def test_a_link_to_a_file_elsewhere_is_not_followed(hub, folder, tmp_path):
    (tmp_path / "id_rsa").write_text("secret")
    (folder / "link.json").symlink_to(tmp_path / "id_rsa")
    with pytest.raises(ValueError, match="link.json is a link to a file outside"):
        push(folder)
    assert not hub.requests


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


@pytest.mark.parametrize("revision", ["v1", "commit"])
def test_a_tag_or_a_commit_is_no_branch_to_push_to(hub, folder, revision):
    commit = push(folder, tag="v1")
    revision = commit.oid if revision == "commit" else revision
    with pytest.raises(ValueError, match=f"{revision}.*branch"):
        push(folder, revision=revision)
    assert [branch.name for branch in HfApi().list_repo_refs("alice/model").branches] == ["main"]


def test_a_refused_branch_makes_no_repository(hub, folder):
    with pytest.raises(ValueError, match="branch"):
        push(folder, revision="0" * 40)
    assert not hub.store.repositories


def told(caplog):
    return [record.getMessage() for record in caplog.records if record.name.startswith("neuromusic_hf.hub.upload")]


def test_words_here_that_are_not_there_are_told(hub, folder, caplog):
    path = folder / "README.md"
    path.write_text(card_of("user/name").render() + "\nMy words.\n")
    push(folder, card=card_of)
    assert not told(caplog)
    path.write_text(path.read_text().replace("Load user/name.", "Load it well.") + "\nMore words.\n")
    push(folder, card=card_of)
    (message,) = told(caplog)
    assert "README.md" in message and "Load it well." in message and "More words." in message
    assert "My words." not in message


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
        ("run.json", '{"corpus": "bach+/srv/data/x"}', "corpus: bach"),
        ("run.json", '{"corpus": "bach+../x"}', "corpus: bach"),
        ("run.json", '{"error": "see /srv/data/alice/x"}', "error: see"),
        ("run.json", '{"from": "alice@host:/srv/x"}', "from: alice"),
        ("run.json", '{"left_out": {"/srv/data/alice/x.mid": 1}}', "/srv/data/alice/x.mid"),
        ("run.json", "{", "damaged"),
        ("run.json", json.dumps({"a": "hf_oauth_" + "eyJ." * 10}), "token"),
        ("run.json", json.dumps({"a": "api_org_" + "a" * 34}), "token"),
        ("run.json", json.dumps({"a": "x_hf_" + "a" * 34}), "token"),
        ("run.json", '{"a": "\\u0068f_' + "a" * 34 + '"}', "token"),
        ("tokenizer.json", '{"a": "\\u0068f_' + "a" * 34 + '"}', "token"),
        ("report/index.html", f"<td>hf_{'a' * 34}</td>", "token"),
    ],
)
def test_what_belongs_to_this_machine_is_refused(hub, folder, name, content, reason):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    with pytest.raises(ValueError, match=f"{path}.*{reason}"):
        push(folder, files=["*", "*/*"])
    assert not hub.requests


PATHS = [
    "/u/alice/midi",
    "x=/u/alice",
    "~alice/midi",
    "[/home/alice]",
    "`/home/alice`",
    "|/home/alice",
    "{/home/alice}",
]
PATHS += [
    "/é/alice",
    "//srv/x",
    "FILE:/x",
    "a@/home/alice/x",
    "C:\\Users\\alice",
    "see file:///home/alice",
    "\\\\srv\\share",
]


@pytest.mark.parametrize("path", PATHS)
def test_a_path_is_known_in_any_form(hub, folder, path):
    (folder / "run.json").write_text(json.dumps({"a": [path]}))
    with pytest.raises(ValueError, match=r"run.json.*a\[0\]"):
        push(folder)
    assert not hub.requests


@pytest.mark.parametrize("name", ["README.md", "manifest.csv", "modeling.py", "report.html", "words.txt"])
@pytest.mark.parametrize(
    "text",
    [
        "my model in /home/alice/secret\n",
        "first\na,/data/alice/x\n",
        "P = '/u/alice/x'\n",
        "<td>/scratch/alice</td>",
        "see `C:\\Users\\alice`",
        "file:///x/y",
        "in ~alice/midi",
    ],
)
def test_texts_are_searched_as_settings_are(hub, folder, name, text):
    (folder / name).write_text(text)
    with pytest.raises(ValueError, match=f"{name} names a path of this machine"):
        push(folder, files=["*"])
    assert not hub.requests


@pytest.mark.parametrize("name", ["run.json", "README.md", "words.txt"])
def test_the_user_s_own_folder_is_known_wherever_it_stands(hub, folder, name, monkeypatch):
    monkeypatch.setattr("pathlib.Path.home", lambda: Path("/var/people/alice"))
    (folder / name).write_text(json.dumps({"a": "see/var/people/alice/x"}))
    with pytest.raises(ValueError, match=f"{name} names a path of this machine"):
        push(folder, files=["*"])


@pytest.mark.parametrize("words", ["alice", "made by alice, on 3 cores", "(alice)"])
def test_the_name_of_the_account_is_not_pushed(hub, folder, words, monkeypatch):
    monkeypatch.setattr("getpass.getuser", lambda: "alice")
    (folder / "run.json").write_text(json.dumps({"a": words}))
    with pytest.raises(ValueError, match="run.json names the account.*a: "):
        push(folder)
    assert not hub.requests


def test_the_name_of_a_repository_s_owner_is_that_of_no_account(hub, folder, monkeypatch):
    monkeypatch.setattr("getpass.getuser", lambda: "alice")
    harmless = [
        "alice/model",
        "https://huggingface.co/alice",
        "hf.co/alice",
        "malice",
        "Alice",
        "alice-music",
        "x@alice",
    ]
    (folder / "run.json").write_text(json.dumps({"alice/model": harmless}))
    (folder / "README.md").write_text("By alice.")
    push(folder)
    for name in ("root", "bob", "music"):
        monkeypatch.setattr("getpass.getuser", lambda name=name: name)
        (folder / "run.json").write_text(json.dumps({name: f"{name}, {name}"}))
        push(folder)


def test_no_account_has_no_name(hub, folder, monkeypatch):
    monkeypatch.setattr("getpass.getuser", lambda: {}["LOGNAME"])
    push(folder)
    assert "config.json" in hub.files("alice/model")


def test_what_only_looks_like_a_path_is_pushed(hub, folder):
    harmless = ["./my_midi", "https://example.com/a", "alice/model", "runs", "4/4", "/", "//", "~", "C:", "a /b"]
    harmless += [
        "see s3://bucket/a (https://example.com/a)",
        "and/or",
        "bach+./my_midi",
        "a ... b",
        "1:/2",
        "[/INST]",
        "</div>",
        "6/8 and 3/4, ~3/4 of them, 1 / 2",
        "Bach / Gounod / Liszt",
        "Bach /Gounod",
        "AC/DC (L/R) w/ strings",
        "Pitch_60/Velocity_64/Duration_1.0.8",
        r"$\\frac{3}{4}$, \\alpha/\\beta, a \\\\ b \\\\hline",
        "Chord: C/E/G",
        f"see **{escape('https://example.com/piece')}**",
        "a MIDI file: 3 tracks",
        "[bach](/datasets/alice/bach)",
        "data:image/jpeg;base64,/9j/4AAQ/x+/a/b==",
        "</td><td/></tr>",
        "V/V/ii",
        "10:30/11:30",
    ]
    (folder / "run.json").write_text(json.dumps({"alice/model": harmless}))
    (folder / "tokenizer.json").write_text(json.dumps({"/usr/lib": ["/usr/bin"]}))
    for name in ("README.md", "model.py", "page.html"):
        (folder / name).write_text(
            "\n".join([*harmless, "#!/usr/bin/env python", "x = a // b /c", "~/midi, /path/to/x"])
        )
    push(folder, files=["*"])
    assert {"run.json", "tokenizer.json"} <= hub.files("alice/model").keys()


def test_nothing_is_not_pushed(hub, tmp_path):
    with pytest.raises(ValueError, match="nothing to push"):
        push(tmp_path)
