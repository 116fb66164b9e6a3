"""What a score may be, and in ticks."""

import pytest
from music import make_score
from symusic import Note, Score, TimeSignature, Track

from neuromusic_hf.music import AnyScore, RefusedFile, check_score, midi_bytes
from neuromusic_hf.music.scores import in_ticks


@pytest.mark.parametrize("unit", ["tick", "quarter", "second"])
def test_a_score_of_each_unit_is_one(unit):
    score = make_score(0).to(unit)
    assert isinstance(score, AnyScore) and in_ticks(score) == make_score(0)
    check_score(score)


@pytest.mark.parametrize("other", [None, b"MThd", {"bytes": b""}, Track(), 3])
def test_other_things_are_none(other):
    assert not isinstance(other, AnyScore)


def test_a_score_in_ticks_is_left_as_it_is():
    score = Score(480)
    score.tracks.append(Track(notes=[Note(10, -5, 60, 80)]))
    assert in_ticks(score) is score
    with pytest.raises(ValueError, match="-5"):
        midi_bytes(score)


def test_a_score_without_time_is_refused():
    with pytest.raises(RefusedFile, match="bad_time_division"):
        check_score(Score(0))
    score = make_score(0)
    score.time_signatures.append(TimeSignature(96, 0, 4))
    with pytest.raises(RefusedFile, match="bad_time_signature: 0/4 at tick 96"):
        check_score(score)
