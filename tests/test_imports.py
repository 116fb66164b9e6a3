"""What a user names by its import path is found, or the error says what is wrong and what to do."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from neuromusic_hf.imports import import_by_path, import_class

TRAIN = Path(__file__).parents[1] / "scripts" / "train.py"

OWN_MODULE = """
class Mine(dict):
    pass

mine, other = Mine(), 3
"""


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    """Writes modules of a user; their folder is on Python's path."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name: str, text: str = OWN_MODULE) -> str:
        (tmp_path / f"{name}.py").write_text(text)
        return name

    return write


def refusal(path: str) -> str:
    with pytest.raises(ValueError, match=f"^No thing {re.escape(repr(path))}: ") as of_a_class:
        import_class(path, dict, "thing")
    with pytest.raises(ValueError, match=f"^No thing {re.escape(repr(path))}: "):
        import_by_path(path, dict, "thing")
    return str(of_a_class.value)


def test_a_class_and_an_object_are_found(own_module):
    module = own_module("found_by_path")
    cls = import_class(f"{module}.Mine", Mapping, "thing")
    assert cls.__name__ == "Mine" and issubclass(cls, dict)
    assert type(import_by_path(f"{module}.mine", dict, "thing")) is cls
    assert import_by_path(f"{module}.other", (dict, int), "thing") == 3


@pytest.mark.parametrize("path", ["", "REMI", ".", ".module.Mine", "module..Mine", "module.Mine ", "a/b.Mine", "3.x"])
def test_what_is_no_import_path_is_refused(path):
    assert "no import path, such as my_package.my_module.my_name" in refusal(path)


@pytest.mark.parametrize("path", ["no_such_module.Mine", "no_such_module.deeper.Mine", "json.no_such_module.Mine"])
def test_a_module_that_is_not_there_is_named(path):
    missing = re.search(r".*no_such_module", path).group()
    assert re.search(f"no module '{missing}'.*Install it.*PYTHONPATH=.", refusal(path))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import no_such_library", "raises ModuleNotFoundError: No module named 'no_such_library'"),
        ("from json import no_such_name", "raises ImportError: cannot import name 'no_such_name'"),
        ("1 / 0", "raises ZeroDivisionError: division by zero"),
        ("def", "raises SyntaxError"),
    ],
)
def test_an_error_in_the_module_is_shown(own_module, text, words):
    module = own_module("broken_module", text)
    with pytest.raises(ValueError, match=f"No thing 'broken_module.Mine'.*importing broken_module {words}") as error:
        import_class(f"{module}.Mine", dict, "thing")
    assert type(error.value.__cause__).__name__ == re.search(r"raises (\w+)", words).group(1)


def test_a_name_that_is_not_in_the_module_brings_the_nearest_that_fits(own_module):
    module = own_module("misspelt")
    assert refusal(f"{module}.Mime") == "No thing 'misspelt.Mime': the module misspelt has no 'Mime'. Give Mine."
    with pytest.raises(ValueError, match="has no 'mime'. Give mine."):
        import_by_path(f"{module}.mime", dict, "thing")


def test_what_is_of_another_kind_is_refused(own_module):
    module = own_module("other_kind")
    with pytest.raises(ValueError, match="other_kind.mine is not a subclass of builtins.dict. Give Mine."):
        import_class(f"{module}.mine", dict, "thing")
    with pytest.raises(ValueError, match="other_kind.Mine is not an instance of builtins.dict. Give mine."):
        import_by_path(f"{module}.Mine", dict, "thing")
    with pytest.raises(ValueError, match="not an instance of builtins.str or builtins.bytes. Give the path"):
        import_by_path(f"{module}.other", (str, bytes), "thing")


def test_a_script_imports_from_pythonpath_and_not_from_the_current_folder(tmp_path):
    """What lies in the current folder may have come with a download; it is imported only when its user says so."""
    (tmp_path / "my_tokenizer.py").write_text("from pathlib import Path\nPath('imported').touch()\nMine = 3")
    command = [sys.executable, str(TRAIN), "--tokenization", "my_tokenizer.Mine", "--output_dir", "run"]

    def run(**changed) -> str:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | changed
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True).stderr

    package = str(TRAIN.parents[1])
    assert re.search("No tokenization 'my_tokenizer.Mine'.*PYTHONPATH=. for", run(PYTHONPATH=package))
    assert not (tmp_path / "imported").exists()
    assert "my_tokenizer.Mine is not a subclass of miditok" in run(PYTHONPATH=os.pathsep.join((package, ".")))
    assert (tmp_path / "imported").exists()
