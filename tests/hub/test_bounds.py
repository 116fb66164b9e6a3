"""Files of a stranger are read within bounds, and what a message shows of them is short."""

import pytest
import yaml

from neuromusic_hf.hub.bounds import read_content, read_object, shown
from neuromusic_hf.hub.plain_yaml import load_yaml
from neuromusic_hf.hub.shareable import check_shareable

LEVELS = 9


def bomb(line, reference):
    """A few lines that unfold into 10 ** LEVELS values."""
    items = [", ".join("x" * 10), *(", ".join([reference.format(level)] * 10) for level in range(LEVELS))]
    return "\n".join(line.format(level, each) for level, each in enumerate(items))


@pytest.mark.parametrize("line", ["a{0}: &a{0} [{1}]", "- &a{0} [{1}]", "- &a{0} {{k: [{1}]}}"])
@pytest.mark.parametrize("read", [read_content, read_object, check_shareable])
def test_references_that_unfold_are_refused_by_whoever_reads_them(line, read, tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(bomb(line, "*a{0}"))
    with pytest.raises(ValueError, match=r"recipe.yaml is no YAML.*\*a0 stands for a list"):
        read(path)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: &a {b: *a}", "stands for"),
        ("a: &a 1\nb: &a [1]\nc: *a", "stands for"),
        ("a: &a {b: 1}\nc: {<<: *a}", "stands for"),
        ("[" * 100 + "]" * 100, "deeper than 64"),
        ("a: " + "1:" * 5_000 + "1", "digits"),
        ("a: 0x" + "f" * 5_000, "digits"),
    ],
)
def test_what_costs_more_than_its_letters_is_refused(text, problem):
    with pytest.raises(yaml.YAMLError, match=problem):
        load_yaml(text)


def test_all_else_is_read_as_pyyaml_reads_it():
    text = "a: &a 1\nb: [*a, x, 1:30, {c: null}]\nd: '" + "1" * 5_000 + "'\ne: 2024-01-01\n"
    assert load_yaml(text) == load_yaml(text, yaml.SafeLoader) == yaml.safe_load(text)


def test_what_is_shown_is_a_line_whatever_it_is():
    for value in (1, -1.5, None, True, "words", ["a", {"b": [1, 2]}], {"a": "x" * 40, "b": 1}):
        assert shown(value) == repr(value)
    folded = ["x"] * 10
    for _ in range(LEVELS):
        folded = [folded] * 10
    for value in (folded, "x" * 10**6, list(range(10**5)), {str(each): each for each in range(10**5)}, 10**4000):
        assert len(shown(value)) < 70
