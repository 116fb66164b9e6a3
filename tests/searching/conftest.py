"""What the tests of searches share."""

import gc

import pytest


@pytest.fixture(autouse=True)
def nothing_old_is_collected():
    """
    Leaves what was imported out of the collection of garbage.

    Trainers collect it some times a trial, which takes a second each among all modules of a test run.
    """
    gc.freeze()
    yield
    gc.unfreeze()
