"""What trackers were told already: told again only where a run begins anew."""

import json

import pytest

from neuromusic_hf.tracking.memory import MEMORY_NAME, TrackerMemory


@pytest.fixture
def memory(tmp_path):
    memory = TrackerMemory()
    memory.begin(tmp_path, goes_on=False)
    memory.note("board", 3, ["loss"])
    memory.note("board", 4, ["loss"])
    memory.note("board", 4, ["eval_loss", "epoch"])
    memory.note("other", 2, ["loss"])
    return memory


def again(folder, goes_on):
    memory = TrackerMemory()
    memory.begin(folder, goes_on=goes_on)
    return memory


def test_a_run_that_goes_on_tells_each_tracker_what_it_does_not_know(memory, tmp_path):
    later = again(tmp_path, goes_on=True)
    assert later.memory.id == memory.memory.id
    assert later.was_told("board", 3, ["loss", "anything"]) and later.was_told("board", 4, ["eval_loss"])
    assert not later.was_told("board", 4, ["loss", "media"]) and not later.was_told("board", 5, ["loss"])
    assert later.was_told("other", 2, ["loss"]) and not later.was_told("other", 3, ["loss"])
    assert not later.was_told("third", 1, ["loss"])
    assert (later.knows("board"), later.knows("third")) == (True, False)
    later.note("third", 5, ["loss"])
    assert later.knows("third"), "it may end with the training, and is told of a test after that"


def test_what_is_told_now_is_no_reason_to_keep_silent(memory):
    assert not memory.was_told("board", 4, ["loss"])


def test_a_run_that_begins_anew_is_another_one(memory, tmp_path):
    anew = again(tmp_path, goes_on=False)
    assert anew.memory.id != memory.memory.id and not anew.knows("board")
    anew.note("board", 1, ["loss"])
    assert again(tmp_path, goes_on=True).memory.told["board"].step == 1


def test_nothing_is_forgotten_where_an_earlier_step_is_told(memory, tmp_path):
    memory.note("board", 2, ["late"])
    assert again(tmp_path, goes_on=True).memory.told["board"].step == 4


def test_what_is_damaged_is_refused_with_what_to_do(memory, tmp_path):
    (tmp_path / MEMORY_NAME).write_text(json.dumps({"id": 3}))
    with pytest.raises(ValueError, match="trackers.json does not hold what trackers were told.*Delete it"):
        again(tmp_path, goes_on=True)
