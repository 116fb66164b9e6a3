"""A room imports only from rooms to its left, as CONTRIBUTING says, and scripts hold no logic."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from package_code import code_files

REPOSITORY = Path(__file__).parents[1]
PACKAGE = REPOSITORY / "neuromusic_hf"

ROOMS = (
    "music", "twins", "copying", "corpora", "tokenization", "preparation", "grammar", "infilling", "models", "bundles",
    "evaluation", "tracking", "options", "checkpoints", "streaming", "training", "generation", "runs", "metrics",
    "reports", "monitoring", "searching",
)  # fmt: skip
HELPERS = {
    "borders": (),
    "command_line": (),
    "cores": (),
    "default_bundle": (),
    "disk": ("borders", "lazy"),
    "hub": ("borders", "disk", "lazy"),
    "import_watch": (),
    "imports": (),
    "launch": (),
    "lazy": (),
    "ranges": (),
    "rendering": ("music", "borders", "disk", "lazy", "ranges"),
    "threads": ("cores",),
}
"""What every room may import, and what these may import themselves."""


def room_of(path: Path, package: Path) -> str:
    return path.relative_to(package).parts[0].removesuffix(".py")


def imported_rooms(path: Path, package: Path) -> Iterator[tuple[int, str]]:
    """Line and room of each import of a file, wherever it stands; the package itself is the room `__init__`."""
    folder = (package.name, *path.relative_to(package).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            base = (*folder[: len(folder) - node.level + 1],) if node.level else ()
            base = (*base, *(node.module or "").split(".")) if node.module else base
            modules = [(*base, alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            modules = [tuple(alias.name.split(".")) for alias in node.names]
        else:
            continue
        for module in modules:
            if module[0] == package.name:
                place = package.joinpath(*module[1:2])
                yield node.lineno, module[1] if place.is_dir() or place.with_suffix(".py").is_file() else "__init__"


def wrong_imports(package: Path) -> list[str]:
    allowed = {room: {*ROOMS[: index + 1], *HELPERS} for index, room in enumerate(ROOMS)}
    allowed |= {helper: {helper, *others} for helper, others in HELPERS.items()}
    allowed["__init__"] = {*ROOMS, *HELPERS}
    wrong = []
    for path in code_files(package):
        room = room_of(path, package)
        if room not in allowed:
            wrong.append(f"{path.relative_to(package)} is in no room: give {room} its place among ROOMS or HELPERS")
            continue
        for line, other in imported_rooms(path, package):
            if other not in allowed[room]:
                wrong.append(f"{path.relative_to(package)}:{line} ({room}) imports from {other}")
    return wrong


def test_a_room_imports_only_from_rooms_to_its_left():
    assert not wrong_imports(PACKAGE), "\n".join(wrong_imports(PACKAGE))


def test_each_room_is_there():
    assert {room_of(path, PACKAGE) for path in code_files(PACKAGE)} == {*ROOMS, *HELPERS, "__init__"}


def test_contributing_names_the_rooms_in_this_order():
    text = " ".join((REPOSITORY / "CONTRIBUTING.md").read_text().split())
    assert ", ".join(ROOMS) in text


@pytest.fixture
def made_package(tmp_path):
    """A package with a room `music` and a room `corpora`, and a way to write a file into it."""
    package = tmp_path / "made"

    def write(name: str, text: str) -> Path:
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return package

    write("__init__.py", "from .corpora import load\nfrom . import music")
    write("ranges.py", "")
    write(
        "corpora/__init__.py", "import json\nfrom ..music import notes\nfrom ..ranges import Range\nfrom .a import b"
    )
    write("music/__init__.py", "from . import notes")
    return write


def test_a_tree_in_order_is_right(made_package):
    package = made_package("music/notes.py", "import numpy.music.corpora\nfrom ..music import other")
    assert wrong_imports(package) == []


@pytest.mark.parametrize(
    "text",
    [
        "from ..corpora import load",
        "from .. import corpora",
        "from ..corpora.load import x",
        "import made.corpora",
        "import json, made.corpora.load as x",
        "from made.corpora import load",
        "from made import corpora",
        "def late():\n    from ..corpora import load",
        "if TYPE_CHECKING:\n    from ..corpora import load",
    ],
)
def test_an_import_from_the_right_is_found(made_package, text):
    (found,) = wrong_imports(made_package("music/notes.py", text))
    assert found.startswith("music/notes.py:") and found.endswith("(music) imports from corpora")


def test_other_ways_to_break_the_rule_are_found(made_package):
    made_package("music/notes.py", "from .. import load_corpus")
    made_package("ranges.py", "from .music import x")
    made_package("music/deep/er.py", "from ... import corpora")
    made_package("bundles/default/code_of_a_bundle.py", "from made.corpora import load")
    assert wrong_imports(made_package("attic/old.py", "")) == [
        "attic/old.py is in no room: give attic its place among ROOMS or HELPERS",
        "music/deep/er.py:1 (music) imports from corpora",
        "music/notes.py:1 (music) imports from __init__",
        "ranges.py:1 (ranges) imports from music",
    ]


LOGIC = (
    ast.For, ast.While, ast.Try, ast.Match, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp,
    ast.ClassDef,
)  # fmt: skip


def logic_in(text: str) -> list[str]:
    """What has no place in a straight line of calls: a loop, a caught error, a class."""
    return [
        f"line {node.lineno}: {type(node).__name__}" for node in ast.walk(ast.parse(text)) if isinstance(node, LOGIC)
    ]


@pytest.mark.parametrize("script", sorted((REPOSITORY / "scripts").glob("*.py")), ids=lambda path: path.name)
def test_scripts_hold_no_logic(script):
    assert not logic_in(script.read_text()), f"Give it a room of {PACKAGE.name}, and a test there."


def test_logic_is_found():
    assert logic_in("def main():\n    with a() as b:\n        if b:\n            c(b)") == []
    assert logic_in("def main():\n    for a in b:\n        c(a)\n    d(e for e in f)") == [
        "line 2: For",
        "line 4: GeneratorExp",
    ]
