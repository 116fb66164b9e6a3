"""README is short and true: its tree is the tree on disk, its extras and targets are there, its lengths fit."""

import re
from configparser import ConfigParser

import pytest
import yaml
from documents import README, REPOSITORY

from neuromusic_hf.metrics import COMPARISONS

COMMANDS = README.commands
CONTINUING = [command for command in COMMANDS if "scripts/continue_midi.py" in command]
MAKE_TARGETS = set(re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(), flags=re.MULTILINE))


def test_the_readme_is_read_in_five_minutes():
    """All of its words are counted, those of commands, code and the tree too."""
    assert 700 <= len(README.text.split()) <= 900
    assert len(README.text.splitlines()) < 200


def test_every_page_and_example_can_be_found_from_the_readme():
    linked = {target.partition("#")[0] for target in re.findall(r"\]\(([^)]+)\)", README.text)}
    pages = {path.relative_to(REPOSITORY).as_posix() for path in (REPOSITORY / "docs").rglob("*.md")}
    assert {*pages, "examples", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE"} <= linked


def test_what_is_compared_is_what_the_readme_says():
    (sentence,) = re.findall(r"\*\*Scores\*\* compare.*?\.\n", README.text, re.DOTALL)
    named = re.search(r"originals in (.*?),? in a report", sentence, re.DOTALL)[1]
    assert re.findall(r"\w+", named.replace(" and ", " ")) == [each.name for each in COMPARISONS] + ["novelty"]


def test_make_targets_exist():
    named = {command.split()[1] for command in COMMANDS if command.startswith("make ")}
    assert named and named <= MAKE_TARGETS


def test_ci_calls_the_test_command_of_the_readme():
    assert "make test" in COMMANDS
    assert (REPOSITORY / ".ci" / "run").read_text().strip().splitlines()[-1] == "make test"


def test_the_extras_of_the_readme_are_those_of_setup_cfg():
    setup = ConfigParser(interpolation=None)
    setup.read(REPOSITORY / "setup.cfg")
    extras = set(setup["options.extras_require"])
    named = re.search(r"^Extras: (.*)$", README.text, flags=re.MULTILINE).group(1)
    assert set(re.findall(r"`(\w+)`", named)) == extras
    assert set(re.findall(r"\[(\w+)\]\"", "\n".join(COMMANDS))) <= extras


@pytest.mark.parametrize("command", CONTINUING)
def test_prompt_and_continuation_fit_into_the_model_that_readme_fine_tunes(command):
    """The commands are run with shorter lengths by `test_documents.py`, which would hide this."""
    context = yaml.safe_load((REPOSITORY / "recipes" / "finetune.yaml").read_text())["context_length"]
    lengths = [int(length) for length in re.findall(r"--(?:prompt|continue)_length (\d+)", command)]
    assert len(lengths) == 2
    assert sum(lengths) <= context


def test_the_scripts_of_the_tree_are_those_on_disk():
    (line,) = re.findall(r"^scripts/ +(.*)$", README.text, flags=re.MULTILINE)
    assert {f"{name}.py" for name in line.split(", ")} == {path.name for path in (REPOSITORY / "scripts").glob("*.py")}


def test_the_tree_is_the_tree_on_disk():
    (tree,) = [block.code for block in README.blocks if not block.language]
    top = {line.split()[0] for line in tree.splitlines() if not line.startswith(" ")}
    rooms = {line.split()[0] for line in tree.splitlines() if line.startswith("  ")}
    hidden = (".", "runs", "wandb", "build")
    on_disk = {f"{path.name}/" for path in REPOSITORY.iterdir() if path.is_dir() and not path.name.startswith(hidden)}
    on_disk = {name for name in on_disk if not name.endswith(".egg-info/") and name != "__pycache__/"}
    assert top == on_disk
    packages = {f"{path.parent.name}/" for path in (REPOSITORY / "neuromusic_hf").glob("*/__init__.py")}
    assert rooms == packages
