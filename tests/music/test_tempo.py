"""Ticks and seconds, against a walk over the changes of tempo."""

import numpy as np
import pytest
from music import make_score
from symusic import Score, Tempo

from neuromusic_hf.music import TempoMap, seconds_at


def seconds_by_hand(score: Score, tick: int) -> float:
    """One tick after the other."""
    tempos = sorted((tempo.time, index, tempo.mspq) for index, tempo in enumerate(score.tempos))
    passed = 0
    for now in range(tick):
        passed += next((length for time, _, length in reversed(tempos) if time <= now), 500_000)
    return passed / (score.ticks_per_quarter * 1e6)


def with_tempos(changes) -> Score:
    score = make_score(0)
    score.tempos = [Tempo(time, qpm) for time, qpm in changes]
    return score


@pytest.mark.parametrize(
    "changes",
    [
        [],
        [(0, 60)],
        [(100, 60), (250, 240)],
        [(250, 33), (0, 90), (100, 211)],
        [(0, 90), (100, 60), (100, 240)],
    ],
)
def test_seconds_are_those_of_a_walk_and_ticks_lead_back(changes):
    score = with_tempos(changes)
    ticks = np.array([0, 1, 99, 100, 101, 250, 400])
    seconds = seconds_at(score, ticks)
    assert seconds == pytest.approx([seconds_by_hand(score, tick) for tick in ticks.tolist()], rel=1e-12)
    assert TempoMap.of(score).to_ticks(seconds + 1e-9).tolist() == ticks.tolist()


def test_a_time_between_two_ticks_is_the_earlier():
    assert TempoMap.of(with_tempos([(0, 60)])).to_ticks(np.array([1.9999 / make_score(0).tpq])).tolist() == [1]


def test_one_tick_gives_one_second():
    assert float(seconds_at(with_tempos([(0, 60)]), 2 * make_score(0).tpq)) == 2.0
