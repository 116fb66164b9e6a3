"""What runs before a commit is what lint runs, and nothing is fetched for it."""

import re
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).parents[1]


def test_hooks_run_what_lint_runs_from_the_environment_of_the_project():
    repositories = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text())["repos"]
    assert [repository["repo"] for repository in repositories] == ["local"]
    hooks = repositories[0]["hooks"]
    assert {hook["language"] for hook in hooks} == {"system"}
    makefile = (REPOSITORY / "Makefile").read_text()
    lint = re.search(r"^lint:.*\n((?:\t.*\n)+)", makefile, flags=re.MULTILINE)[1]
    commands = re.findall(r"\$\(BIN\)/(\w+(?: [a-z]+)?)", lint)
    assert [re.match(r"\.venv/bin/(\w+(?: [a-z]+)?)", hook["entry"])[1] for hook in hooks] == commands
