"""Files of JSON that we read back: errors name the file, the place, the value and the remedy."""

import json
import math
import re
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from neuromusic_hf.disk import from_json, left_out_if_none, read_json, to_json, write_json


@dataclass
class Inner:
    number: float | None
    pair: tuple[int, int] = (0, 0)


@dataclass
class Outer:
    name: str
    index: int
    inner: list[Inner]
    files: dict[str, str] = field(default_factory=dict)
    flag: bool | None = None
    rest: Any = None


@dataclass
class Price:
    cents: int
    note: str | None = None

    def __post_init__(self):
        if self.cents < 0:
            raise ValueError(f"A price of {self.cents} is none.")

    def to_dict(self):
        return {"cents": self.cents}


@dataclass
class Shop:
    prices: list[Price]
    owner: str | None = left_out_if_none()
    street: str | None = None


GOOD = {"name": "a", "index": 3, "inner": [{"number": 1}, {"number": None, "pair": [1, 2]}], "files": {"a": "b"}}


def read(path, content):
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return read_json(path, Outer, "is no test", "Write it again.")


READ = Outer("a", 3, [Inner(1), Inner(None, (1, 2))], {"a": "b"})


def test_what_fits_is_read(tmp_path):
    path = tmp_path / "a.json"
    assert read(path, GOOD) == read(path, GOOD | {"flag": None, "more": 1}) == READ
    assert read(path, GOOD | {"flag": True, "rest": [[{}]]}) == replace(READ, flag=True, rest=[[{}]])
    assert read(path, b"\xef\xbb\xbf" + json.dumps(GOOD).encode()) == READ


def test_what_is_written_is_read_again(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, READ)
    assert read_json(path, Outer, "is no test", "Write it again.") == READ
    assert [each.name for each in tmp_path.iterdir()] == ["a.json"]
    text = path.read_bytes()
    write_json(path, json.loads(text))
    assert path.read_bytes() == text


def test_a_class_may_say_itself_what_is_written_of_it(tmp_path):
    path, shop = tmp_path / "a.json", Shop([Price(5, "shown by nobody"), Price(7)])
    write_json(path, {"corner": shop, "number": math.nan})
    assert json.loads(path.read_text()) == {
        "corner": {"prices": [{"cents": 5}, {"cents": 7}], "street": None},
        "number": None,
    }
    assert from_json(to_json(shop), Shop, "shop") == Shop([Price(5), Price(7)])
    assert to_json(Shop([], owner="Ada")) == {"prices": [], "owner": "Ada", "street": None}
    with pytest.raises(ValueError, match="A price of -1"):
        from_json({"prices": [{"cents": -1}]}, Shop, "shop")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ([], "its content is [], not an object"),
        (None, "its content is None, not an object"),
        ("text", "its content is 'text', not an object"),
        ({}, "its content lacks 'name'"),
        (GOOD | {"name": 3}, "name is 3, not text"),
        (GOOD | {"name": "\ud800"}, "not text"),
        (GOOD | {"index": "3"}, "index is '3', not a whole number"),
        (GOOD | {"index": True}, "index is True, not a whole number"),
        (GOOD | {"index": 3.0}, "index is 3.0, not a whole number"),
        (GOOD | {"index": 10**30}, "not a whole number"),
        pytest.param(GOOD | {"index": 10**3000}, "index is a huge number", id="huge"),
        (GOOD | {"inner": {"number": 1}}, "inner is {'number': 1}, not a list"),
        (GOOD | {"inner": [{"number": 1}, {"number": "x"}]}, "inner[1].number is 'x', not a number"),
        (GOOD | {"inner": [{"number": True}]}, "inner[0].number is True, not a number"),
        (GOOD | {"inner": [{}]}, "inner[0] lacks 'number'"),
        (GOOD | {"inner": [{"number": 1, "pair": [1]}]}, "inner[0].pair has 1 items instead of 2"),
        (GOOD | {"files": {"a": None}}, "files['a'] is None, not text"),
        (GOOD | {"flag": 1}, "flag is 1, not a bool"),
        (json.dumps(GOOD).replace("3", "NaN").encode(), "NaN is no JSON"),
        (json.dumps(GOOD).replace("1}", "1e999}").encode(), "inner[0].number is inf, not a number"),
        (b'{"name": "a", "name": "b"}', "'name' stands there twice"),
        pytest.param(b"[" * 100_000, "recursion", id="deep lists"),
        pytest.param(b'{"a":' * 100_000, "recursion", id="deep objects"),
        (b"", "line 1 column 1"),
        (b"\xff\xfe\x00", "utf-8"),
        (json.dumps(GOOD).encode()[:-5], "line 1"),
    ],
)
def test_what_does_not_fit_is_told(tmp_path, content, problem):
    path = tmp_path / "a.json"
    with pytest.raises(ValueError, match=f"{path} is no test: .*{re.escape(problem)}.*Write it again."):
        read(path, content)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    for path in (tmp_path, tmp_path / "absent.json"):
        with pytest.raises(OSError, match=re.escape(str(path))):
            read_json(path, Outer, "is no test", "Write it again.")
