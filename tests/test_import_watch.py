"""What is to be done after an import is done after it, once, when all that was being imported is whole."""

import copy
import importlib
import importlib.util
import inspect
import pickle
import sys
import threading
from types import SimpleNamespace

import pytest

from neuromusic_hf import import_watch as module
from neuromusic_hf.import_watch import after_import

LIBRARY = {
    "__init__": "from .outer import late",
    "outer": "from . import inner\nlate = inner.early + 1",
    "inner": "early = 1",
    "broken": "from . import inner\n1 / 0",
    "slow": "import made_gate\nmade_gate.begun.set()\nassert made_gate.go.wait(10)\nlate = inner = 1",
    "other": "",
}
SLOW_LIBRARY = {
    "__init__": "from . import inner\nimport made_gate\nmade_gate.begun.set()\nassert made_gate.go.wait(10)\nlate = 1",
    "inner": "early = 1",
}
OWN = {"__init__": "", "first": "import made_library.inner\nmine = 1", "second": "from .first import mine"}


@pytest.fixture(autouse=True)
def packages(tmp_path, monkeypatch):
    """A library, and a package that plays this one."""
    for package, files in {"made_library": LIBRARY, "made_slow": SLOW_LIBRARY, "made_package": OWN}.items():
        (tmp_path / package).mkdir()
        for name, text in files.items():
            (tmp_path / package / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(module, "PACKAGE", "made_package")
    monkeypatch.setattr(sys, "meta_path", sys.meta_path.copy())
    monkeypatch.setattr(module, "_FINDER", module._Finder())
    yield
    for name in [name for name in sys.modules if name.startswith(("made_library", "made_slow", "made_package"))]:
        del sys.modules[name]


@pytest.fixture
def acted():
    """What was whole when `act` was called, a list for each time."""
    return []


@pytest.fixture
def act(acted):
    return lambda: acted.append([name for name in ("late", "inner") if hasattr(sys.modules["made_library"], name)])


def test_it_is_done_at_once_where_the_import_is_past(act, acted):
    importlib.import_module("made_library")
    after_import("made_library.inner", act)
    assert acted == [["late", "inner"]]


def test_it_is_done_once_when_the_outermost_import_ends(act, acted):
    after_import("made_library.inner", act)
    assert acted == []
    importlib.import_module("made_library")
    assert acted == [["late", "inner"]]
    importlib.reload(sys.modules["made_library.inner"])
    importlib.reload(sys.modules["made_library"])
    importlib.import_module("made_library.outer")
    assert len(acted) == 1


def test_it_is_not_done_for_other_modules_of_the_library(act, acted):
    after_import("made_library.later", act)
    importlib.import_module("made_library.outer")
    assert acted == []


def test_it_waits_for_the_modules_of_this_package(acted):
    def act():
        from made_package.second import mine

        acted.append(mine)

    after_import("made_library.inner", act)
    importlib.import_module("made_package.first")
    assert acted == [1]


def test_an_import_that_fails_leaves_it_for_the_next(act, acted):
    after_import("made_library.broken", act)
    with pytest.raises(ZeroDivisionError):
        importlib.import_module("made_library.broken")
    assert acted == []
    after_import("made_library.inner", act)
    assert len(acted) == 1


def test_what_it_raises_comes_out_of_the_import_and_it_is_tried_again(act, acted):
    def fail():
        act()
        if len(acted) == 1:
            raise OSError("not yet")

    after_import("made_library", fail)
    with pytest.raises(OSError, match="not yet"):
        importlib.import_module("made_library")
    importlib.import_module("made_library")
    assert len(acted) == 2


def test_modules_are_as_if_nobody_had_watched(act):
    after_import("made_library.inner", act)
    assert importlib.util.find_spec("made_library").loader.get_source("made_library") == LIBRARY["__init__"]
    library = importlib.import_module("made_library")
    plain = type(importlib.util.find_spec("music").loader)
    assert type(library.__loader__) is type(library.__spec__.loader) is plain
    assert inspect.getsource(library.inner).strip() == LIBRARY["inner"]


def test_other_finders_are_asked(act, acted, monkeypatch):
    asked = []

    class Other:
        def find_spec(self, name, path=None, target=None):
            asked.append(name)

    sys.meta_path.insert(0, Other())
    after_import("made_library.inner", act)
    sys.meta_path.insert(0, Other())
    importlib.import_module("made_library")
    assert len(acted) == 1 and set(asked) == {"made_library", "made_library.outer", "made_library.inner"}


def test_a_finder_that_cannot_be_asked_is_passed_over_as_python_does(act, acted):
    class Old:
        def find_module(self, name, path=None):
            return None

    sys.meta_path.insert(0, Old())
    after_import("made_library.inner", act)
    importlib.import_module("made_library")
    assert acted == [["late", "inner"]]


@pytest.fixture
def gate(monkeypatch):
    """Where the slow module waits: `begun` once it does, until `go`."""
    gate = SimpleNamespace(begun=threading.Event(), go=threading.Event())
    monkeypatch.setitem(sys.modules, "made_gate", gate)
    return gate


@pytest.fixture
def slowly(gate):
    """A thread that is in the midst of importing the slow module."""

    def start():
        importlib.import_module("made_library")
        thread = threading.Thread(target=importlib.import_module, args=["made_library.slow"])
        thread.start()
        assert gate.begun.wait(10)
        return thread

    return start


def test_what_another_thread_executes_is_left_to_it(slowly, gate):
    acted = []
    after_import("made_library.slow", lambda: acted.append(hasattr(sys.modules["made_library.slow"], "late")))
    thread = slowly()
    importlib.import_module("made_library.other")
    assert acted == []
    gate.go.set()
    thread.join()
    assert acted == [True]


@pytest.mark.parametrize("watched", [True, False])
def test_a_module_in_the_midst_of_its_import_is_waited_for(watched, slowly, gate):
    acted = []
    if watched:
        after_import("made_library.never", lambda: None)
    thread = slowly()
    threading.Timer(0.1, gate.go.set).start()
    after_import("made_library.slow", lambda: acted.append(hasattr(sys.modules["made_library.slow"], "late")))
    thread.join()
    assert acted == [True]


@pytest.mark.parametrize("known", ["while", "before", "only then"])
def test_a_package_in_the_midst_of_its_import_is_waited_for(known, gate):
    """Its modules are imported by then, and another thread may import more of them."""

    def act():
        acted.append(hasattr(sys.modules["made_slow"], "late"))

    acted = []
    if known != "only then":
        after_import("made_slow.inner" if known == "before" else "made_slow.never", act)
    thread = threading.Thread(target=importlib.import_module, args=["made_slow"])
    thread.start()
    assert gate.begun.wait(10)
    threading.Timer(0.1, gate.go.set).start()
    if known == "before":
        importlib.reload(sys.modules["made_slow.inner"])
    else:
        after_import("made_slow.inner", act)
    thread.join()
    assert acted == [True]


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda spec: pickle.loads(pickle.dumps(spec))])
def test_a_copy_of_what_is_watched_is_a_plain_one(copied, act):
    plain = importlib.util.find_spec("made_library")
    after_import("made_library.inner", act)
    spec = copied(importlib.util.find_spec("made_library"))
    loader = copied(spec.loader)
    assert type(loader) is type(plain.loader) and loader.path == plain.loader.path
    assert spec.origin == plain.origin and spec.loader.get_source("made_library") == LIBRARY["__init__"]


def test_two_threads_do_it_once(act, acted):
    after_import("made_library.inner", act)
    threads = [
        threading.Thread(target=importlib.import_module, args=[name])
        for name in ("made_library", "made_library.outer")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert acted == [["late", "inner"]]
