"""setup.cfg names what the package imports, in ranges that end; constraints.txt pins a version in each of them."""

import ast
import sys
from configparser import ConfigParser
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[1]
PYTHONS = ("3.10", "3.11")
"""Of whose pins constraints.txt has one or the other."""


def requirements(lines: str) -> list[Requirement]:
    return [Requirement(line) for line in lines.splitlines() if line and not line.startswith(("%", "#"))]


def setup() -> ConfigParser:
    parser = ConfigParser(interpolation=None)
    parser.read(REPOSITORY / "setup.cfg")
    return parser


NEEDED = requirements(setup()["options"]["install_requires"])
EXTRAS = [extra for lines in setup()["options.extras_require"].values() for extra in requirements(lines)]
RANGES = [requirement for requirement in NEEDED + EXTRAS if not requirement.extras]  # transformers[serving]
PINS = requirements((REPOSITORY / "constraints.txt").read_text())


@pytest.mark.parametrize("requirement", RANGES, ids=str)
def test_a_range_has_both_ends(requirement):
    assert {specifier.operator for specifier in requirement.specifier} == {">=", "<"}


@pytest.mark.parametrize("python", PYTHONS)
def test_the_pinned_versions_lie_in_the_ranges(python):
    environment = {"python_version": python}
    pins = [pin for pin in PINS if pin.marker is None or pin.marker.evaluate(environment)]
    pinned = {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in pins}
    assert len(pinned) == len(pins)
    for requirement in RANGES:
        version = pinned[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version, prereleases=True), f"{requirement} is pinned to {version}"


def test_what_the_package_imports_is_required():
    imported = set()
    for path in (REPOSITORY / "neuromusic_hf").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(node.module.split(".")[0])
    distributions = packages_distributions()
    others = imported - sys.stdlib_module_names - {"neuromusic_hf"}
    names = {canonicalize_name(distributions.get(name, [name])[0]) for name in others}
    needed, optional = ({canonicalize_name(one.name) for one in group} for group in (NEEDED, EXTRAS))
    assert names - optional == needed - optional
