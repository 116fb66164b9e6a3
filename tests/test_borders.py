"""
Private names of other libraries: all that the package uses are in the lists of `neuromusic_hf.borders`, and are there.

Fails where a new private name is used, or where a library has one no more; the message says what to do.
"""

import ast
import inspect
import pkgutil
from pathlib import Path

import pytest
from package_code import code_files
from private_names import has, is_private, names_set, tree_of, uses_of_bases, uses_of_others

import neuromusic_hf
from neuromusic_hf.borders import EXTENDED, SHIPPED, USED

PACKAGE = Path(neuromusic_hf.__file__).parent
BORDERS = PACKAGE / "borders"
SHIPPED_FILES = PACKAGE / "models" / "music_transformer"
FILES = code_files(PACKAGE)

MOVE = (
    "Take what the library offers in public; or write a function in neuromusic_hf/borders whose name says what it "
    "gives, and add the private name to USED there."
)
LOST = (
    "{home} has no {name} any more. See in the library's history what took its place since the version of "
    "constraints.txt, and change what uses it: `grep -rn {name} neuromusic_hf`."
)
UNLISTED = "Do without it, or add it to EXTENDED (of the Music Transformer: SHIPPED) in neuromusic_hf/borders."
UNUSED = "Take it off the lists in neuromusic_hf/borders."

LISTED = [(home, name) for group in (USED, EXTENDED, SHIPPED) for home, names in group.items() for name in names]


def names_of(group: dict[str, tuple[str, ...]]) -> set[str]:
    return {name for names in group.values() for name in names}


def own_names() -> set[str]:
    """Private names of the package itself."""
    return {name for path in FILES for name in names_set(tree_of(path)) if is_private(name)} - names_of(USED)


def told(uses, remedy: str) -> str:
    return "\n".join([*(f"{use.file.relative_to(PACKAGE)}:{use.line} uses {use.name}" for use in uses), remedy])


@pytest.mark.parametrize(("home", "name"), LISTED, ids=[f"{home}.{name}" for home, name in LISTED])
def test_a_private_name_is_still_there(home, name):
    assert has(pkgutil.resolve_name(home), name), LOST.format(home=home, name=name)


def test_private_names_are_used_at_the_borders_alone():
    allowed = {BORDERS: names_of(USED), SHIPPED_FILES: names_of(SHIPPED)}
    arguments_of_methods = {name for home, name in LISTED if home in EXTENDED and home.rpartition(".")[2][0].islower()}
    own = own_names() | arguments_of_methods
    wrong = [
        use for path in FILES for use in uses_of_others(path, own) if use.name not in allowed.get(path.parent, ())
    ]
    assert not wrong, told(wrong, MOVE)


def test_what_classes_take_of_their_bases_is_listed():
    wrong = []
    for path in FILES:
        group = SHIPPED if path.parent == SHIPPED_FILES else EXTENDED
        for use in uses_of_bases(path, PACKAGE):
            homes = [pkgutil.resolve_name(home) for home, names in group.items() if use.name in names]
            if not any(use.is_mixed_in or home in use.kind.__mro__ for home in homes):
                wrong.append(use)
    assert not wrong, told(wrong, UNLISTED)


def test_the_lists_hold_nothing_that_is_not_used():
    used = {
        use.name for path in FILES for use in uses_of_others(path, set()) if path.parent in (BORDERS, SHIPPED_FILES)
    }
    taken = {use.name for path in FILES for use in uses_of_bases(path, PACKAGE)}
    keywords = {use.name for path in FILES for use in uses_of_others(path, set())}
    assert names_of(USED) <= used, f"{names_of(USED) - used} are not used. {UNUSED}"
    assert names_of(SHIPPED) <= used | taken, f"{names_of(SHIPPED) - used - taken} are not used. {UNUSED}"
    assert names_of(EXTENDED) <= keywords | taken, f"{names_of(EXTENDED) - keywords - taken} are not used. {UNUSED}"


def call_fits(function, arguments, keywords) -> str:
    """What is wrong with a call of a function, if anything."""
    try:
        inspect.signature(function).bind(*arguments, **dict.fromkeys(keywords))
    except TypeError as error:
        return f"{function.__qualname__}{inspect.signature(function)}: {error}"
    return ""


def test_private_functions_take_what_they_are_called_with():
    wrong = []
    for path in sorted(BORDERS.glob("*.py")):
        for node in ast.walk(tree_of(path)):
            if not (
                isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and is_private(node.func.attr)
            ):
                continue
            (home,) = [pkgutil.resolve_name(home) for home, names in USED.items() if node.func.attr in names]
            is_method = inspect.isclass(home) and inspect.isfunction(inspect.getattr_static(home, node.func.attr))
            arguments = [None] * is_method + node.args
            wrong.append(call_fits(getattr(home, node.func.attr), arguments, [key.arg for key in node.keywords]))
    assert wrong and not any(wrong), "\n".join(filter(None, wrong))


def test_methods_take_what_those_that_they_override_take():
    wrong, compared = [], 0
    for use in (use for path in FILES for use in uses_of_bases(path, PACKAGE)):
        method, base = vars(use.kind).get(use.name), getattr(super(use.kind, use.kind), use.name, None)
        if not (inspect.isfunction(method) and inspect.isfunction(base)) or hasattr(base, "__isabstractmethod__"):
            continue
        theirs, ours = (inspect.signature(function).parameters for function in (base, method))
        if not any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in ours.values()):
            wrong += [f"{method.__qualname__} does not take {name}" for name in theirs if name not in ours]
        compared += 1
    assert compared and not wrong, "\n".join(wrong)


MADE = """
import torch._dynamo
from library import _private
from .own import _of_ours
from library import Base, public


class Made(Base):
    _setting = 3

    def _method(self, rows):
        self._own, self._state, super()._method(rows)
        return rows._fingerprint, getattr(rows, "_read"), public(rows, _keyword=1), rows.public, rows.__len__


class Mixed:
    def _method(self):
        return super()._method(), self._own
"""

LIBRARY = """
class Base:
    _setting = 2

    def __init__(self):
        self._state = 1

    def _method(self, rows): ...


def public(rows, _keyword=0): ...


_private = 0
"""


def test_uses_are_found(tmp_path, monkeypatch):
    for name, text in {"made/__init__.py": "", "made/made.py": MADE, "made/own.py": "_of_ours = 1"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "library.py").write_text(LIBRARY)
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "made" / "made.py"
    of_others = [use.name for use in uses_of_others(file, own={"_read"})]
    assert sorted(of_others) == ["_dynamo", "_fingerprint", "_keyword", "_private"]
    of_bases = [(use.kind.__name__, use.name) for use in uses_of_bases(file, tmp_path / "made")]
    assert sorted(of_bases) == [
        ("Made", "_method"),
        ("Made", "_method"),
        ("Made", "_setting"),
        ("Made", "_state"),
        ("Mixed", "_method"),
    ]


def test_what_is_not_there_is_found():
    class Library:
        in_class = 1

        def __init__(self):
            self.in_instance = 1

    assert (
        has(Library, "in_class") and has(Library, "in_instance") and has(ast, "parse") and has(call_fits, "keywords")
    )
    assert not has(Library, "gone") and not has(ast, "gone") and not has(call_fits, "gone")
    assert call_fits(call_fits, [1, 2], ["keywords"]) == ""
    assert "missing a required argument" in call_fits(call_fits, [1], ["keywords"])
