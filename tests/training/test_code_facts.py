"""Which code a run was made with: the commit of its own checkout, whether it was changed; of no other repository."""

import subprocess

import pytest

from neuromusic_hf.training import code_facts
from neuromusic_hf.training.code_facts import checkout_facts


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A repository with a package and a script, as committed."""
    root = tmp_path / "a checkout"
    for name in ("neuromusic_hf", "scripts", "docs"):
        (root / name).mkdir(parents=True)
        (root / name / "file.py").write_text("1\n")
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "first")
    return root


def git(folder, *arguments):
    return subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True).stdout


def test_the_commit_and_whether_code_was_changed_since(checkout, monkeypatch):
    commit = git(checkout, "rev-parse", "HEAD").strip()
    assert checkout_facts(checkout) == (commit, False)
    (checkout / "docs" / "file.py").write_text("2\n")
    assert checkout_facts(checkout) == (commit, False), "no code"
    (checkout / "scripts" / "new.py").write_text("1\n")
    assert checkout_facts(checkout) == (commit, True)
    monkeypatch.setenv("GIT_DIR", str(checkout / "elsewhere"))
    assert checkout_facts(checkout) == (commit, True), "as in a hook of git"


def test_a_folder_inside_another_repository_is_no_checkout(checkout, tmp_path):
    assert checkout_facts(checkout / "neuromusic_hf") == (None, None)
    assert checkout_facts(tmp_path) == (None, None)


def test_without_git_nothing_is_known_and_nothing_fails(checkout, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert checkout_facts(checkout) == (None, None)


def test_facts_hold_nothing_of_this_machine():
    facts = code_facts.code_facts()
    assert facts.keys() == {"version", "revision", "changed"}
    assert str(code_facts.ROOT) not in str(facts)
