"""Names of a package are there when they are used, all of them and no others, and importing it imports none."""

import ast
import compileall
import importlib
import inspect
import sys
from pathlib import Path
from types import ModuleType

import pytest

import neuromusic_hf
from neuromusic_hf.corpora import code_identity

PACKAGE = Path(neuromusic_hf.__file__).parent
PACKAGES = {path.parent.name: path for path in (PACKAGE / "__init__.py", *PACKAGE.glob("*/__init__.py"))}
PACKAGES = {name if name == PACKAGE.name else f"{PACKAGE.name}.{name}": path for name, path in PACKAGES.items()}
LAZY = sorted(set(PACKAGES) - {"neuromusic_hf.borders"})
"""The package and its rooms; borders offer no names."""


@pytest.mark.parametrize("name", LAZY)
def test_all_names_are_there_and_none_is_a_module(name):
    package = importlib.import_module(name)
    for each in package.__all__:
        assert not isinstance(getattr(package, each), ModuleType), f"{name} has a module of the name of {each}."
    assert package.__all__ == sorted(package.__all__) and set(package.__all__) <= set(dir(package))


@pytest.mark.parametrize("name", LAZY)
def test_no_name_is_that_of_a_module_beside_it(name):
    """Whoever imports the module first would find it in place of what it has."""
    modules = {path.stem for path in PACKAGES[name].parent.iterdir()}
    assert not modules & set(importlib.import_module(name).__all__), "Rename the module."


@pytest.mark.parametrize("name", LAZY)
def test_a_package_imports_what_is_light_and_type_checkers_the_rest(name):
    nodes = ast.parse(PACKAGES[name].read_text()).body
    imported = {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    assert imported <= {"typing", "lazy", "import_watch"} and not [n for n in nodes if isinstance(n, ast.Import)]


def test_a_star_imports_all_names():
    names = {}
    exec("from neuromusic_hf import *", names)
    assert set(neuromusic_hf.__all__) <= set(names) and names["load_corpus"] is neuromusic_hf.load_corpus


def test_rooms_are_attributes_and_what_is_not_there_is_named():
    assert inspect.ismodule(neuromusic_hf.corpora.load) and neuromusic_hf.corpora.load.load_corpus
    with pytest.raises(AttributeError, match="module 'neuromusic_hf' has no attribute 'load_corpse'"):
        neuromusic_hf.load_corpse  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'read_runes' from 'neuromusic_hf.runs'"):
        from neuromusic_hf.runs import read_runes  # noqa: F401
    assert not hasattr(neuromusic_hf, "__wrapped__") and not hasattr(neuromusic_hf, "a.b")


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Writes modules of a package whose names are lazy, and imports it."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(names: str, **modules: str) -> ModuleType:
        for name in [name for name in sys.modules if name.partition(".")[0] == "made_lazily"]:
            del sys.modules[name]
        folder = tmp_path / "made_lazily"
        folder.mkdir()
        begin = "from typing import TYPE_CHECKING\nfrom neuromusic_hf.lazy import lazy_names\nif TYPE_CHECKING:\n    "
        end = "\nelse:\n    __getattr__, __dir__, __all__ = lazy_names(__name__)\n"
        (folder / "__init__.py").write_text(begin + names + end)
        for name, text in modules.items():
            (folder / f"{name}.py").write_text(text)
        importlib.invalidate_caches()
        return importlib.import_module("made_lazily")

    return write


def test_a_module_is_imported_when_a_name_of_it_is_used(made):
    package = made(
        "from .one import first, second\n    from .two import third", one="first, second = 1, 2", two="1 / 0"
    )
    assert package.__all__ == ["first", "second", "third"]
    assert "made_lazily.one" not in sys.modules
    assert package.second == 2 and "made_lazily.one" in sys.modules and "made_lazily.two" not in sys.modules
    with pytest.raises(ZeroDivisionError):
        package.third  # noqa: B018


def test_a_package_offers_names_of_another_room(made):
    package = made("from .deep import name", one="name = 1")
    deep = Path(package.__file__).parent / "deep"
    deep.mkdir()
    (deep / "__init__.py").write_text(
        Path(package.__file__).read_text().replace("from .deep import name", "from ..one import name")
    )
    assert package.name == 1 and package.deep.__all__ == ["name"]


@pytest.mark.parametrize("text", ["import json\njson.no_such_name", "other = 1"])
def test_a_module_that_lacks_something_is_named_with_the_reason(made, text):
    made("from .broken import thing", broken=text)
    with pytest.raises(ImportError, match="'thing' from 'made_lazily.broken': module .* has no attribute"):
        from made_lazily import thing  # noqa: F401


def test_a_package_without_its_sources_has_its_names(made):
    package = made("from .one import first\n    from .two import second", one="first = 1", two="1 / 0")
    folder = Path(package.__file__).parent
    assert compileall.compile_dir(folder, quiet=1, legacy=True)
    for source in folder.glob("*.py"):
        source.unlink()
    for name in [name for name in sys.modules if name.partition(".")[0] == "made_lazily"]:
        del sys.modules[name]
    importlib.invalidate_caches()
    package = importlib.import_module("made_lazily")
    assert package.__file__.endswith(".pyc") and package.__all__ == ["first", "second"] and package.first == 1
    assert "made_lazily.two" not in sys.modules


def test_code_that_is_only_compiled_is_what_caches_are_known_by(monkeypatch, tmp_path):
    monkeypatch.setattr(code_identity, "PACKAGE", tmp_path)
    room = tmp_path / "room"
    room.mkdir()
    found = []
    for text in ("one = 1", "one = 2"):
        (room / "made.py").write_text(text)
        assert code_identity.code_of_rooms.__wrapped__("room") == (text,)
        assert compileall.compile_dir(room, quiet=1, legacy=True, force=True)
        (room / "made.py").unlink()
        found.append(code_identity.code_of_rooms.__wrapped__("room"))
        (room / "made.pyc").unlink()
    assert len(found[0]) == 1 and found[0] != found[1]
