"""The clock, held against the scores that miditok decodes."""

import itertools

import numpy as np
import pytest
import torch
from miditok.utils import get_bars_ticks
from music import make_score
from tiny import TOKENIZATIONS
from tokenization.sample_scores import SCORES

from neuromusic_hf import MidiProcessor
from neuromusic_hf.generation.clock import MusicClock
from neuromusic_hf.generation.limits import MusicEnd, MusicEndCriteria, MusicFollower, MusicLimit
from neuromusic_hf.generation.prompts import PieceTempo
from neuromusic_hf.music import onsets, seconds_at

VOCABULARIES = [*TOKENIZATIONS, *(f"{name} BPE" for name in TOKENIZATIONS)]
PIECES = ("band", "many_meters", "rubato", "jig_tpq_96", "long_notes_and_gaps")


@pytest.fixture(params=VOCABULARIES)
def processor(request, processor_of):
    return processor_of(request.param)


def read(clock, ids):
    return [note for index in ids for note in clock.advance(index)]


def decoded_notes(score):
    return sorted(
        (note.time, note.duration, note.pitch, note.velocity, track.program, track.is_drum)
        for track in score.tracks
        for note in track.notes
    )


@pytest.mark.parametrize("piece", PIECES)
def test_the_notes_and_their_times_are_those_of_the_decoded_score(processor, piece):
    ids = processor.encode(SCORES[piece]())
    score = processor.decode(ids)
    clock = MusicClock(processor)
    notes = read(clock, ids)
    found = [(n.tick, n.duration, n.pitch, n.velocity, n.program, n.is_drum) for n in notes]
    assert sorted(found) == decoded_notes(score)
    ticks = np.array([note.tick for note in notes])
    np.testing.assert_allclose([note.start for note in notes], seconds_at(score, ticks), rtol=1e-4)
    assert clock.last_onset == onsets(score)[-1]
    assert clock.bars_to_last_onset == np.searchsorted(get_bars_ticks(score), clock.last_onset, side="right")
    if not score.tempos or len(score.tempos) == 1:
        ends = seconds_at(score, ticks + np.array([note.duration for note in notes]))
        np.testing.assert_allclose([note.end for note in notes], ends, rtol=1e-4)


def test_the_beginning_of_a_piece_is_read_like_the_whole(processor):
    ids = processor.encode(SCORES["many_meters"]())
    for end in (1, 2, 7, 40, 111, 200):
        clock = MusicClock(processor)
        read(clock, ids[:end])
        last = onsets(processor.decode(ids[:end]))[-1:].tolist()
        assert ([] if clock.last_onset is None else [clock.last_onset]) == last


def test_a_copy_goes_on_alone(processor):
    ids = processor.encode(make_score(1))
    clock = MusicClock(processor)
    read(clock, ids[:50])
    before = vars(clock) | {"note": list(clock.note)}
    twin = clock.copy()
    assert read(twin, ids[50:]) == read(MusicClock(processor), ids)[-len(read(clock.copy(), ids[50:])) :]
    assert vars(clock) == before


def test_a_fixed_tempo_stays(processor_of):
    processor = processor_of("TSD")
    ids = processor.encode(SCORES["rubato"]())
    clock = MusicClock(processor, PieceTempo(90, fixed=True))
    read(clock, ids)
    assert clock.seconds == pytest.approx(clock.tick / processor.music_tokenizer.time_division * 60 / 90)


def test_the_end_is_counted_from_the_bar_or_the_onset_of_the_last_note(processor):
    ids = processor.encode(SCORES["many_meters"]())
    clock = MusicClock(processor)
    read(clock, ids[: len(ids) // 2])
    assert MusicLimit(max_new_bars=3).after(clock) == MusicEnd(clock.bars_to_last_onset + 3, None)
    assert MusicLimit(max_new_seconds=2.5).after(clock) == MusicEnd(None, clock.last_onset_seconds + 2.5)
    assert MusicLimit(max_new_bars=1).after(MusicClock(processor)) == MusicEnd(1, None)


@pytest.mark.parametrize("end", [MusicEnd(3, None), MusicEnd(None, 4.0), MusicEnd(3, 4.0)])
def test_rows_stop_where_the_decoded_music_reaches_the_end(processor, end):
    ids = processor.encode(SCORES["band"]())
    score = processor.decode(ids)
    criteria = MusicEndCriteria([MusicFollower(end, MusicClock(processor))], prompt_width=0, pad_token_id=0)
    stop = next(count for count in itertools.count(1) if criteria(torch.tensor([ids[:count]]), None).item())
    ticks = onsets(score)
    bars = get_bars_ticks(score)
    beyond = min([*ticks[seconds_at(score, ticks) >= (end.seconds or 1e9)], *bars[(end.bars or 999) :]])
    assert end.tick(score) == beyond
    before = onsets(processor.decode(ids[: stop - 1]))
    assert (before < beyond).all()
    assert set(ticks[ticks < beyond]) == set(before[before < beyond])


def test_rows_that_change_places_are_read_anew(processor_of):
    processor = processor_of("REMI")
    pieces = [processor.encode(make_score(seed))[:120] for seed in range(4)]

    def criteria():
        ends = MusicEnd(5, None), MusicEnd(8, None)
        followers = [MusicFollower(end, MusicClock(processor)) for end in ends]
        return MusicEndCriteria(followers, prompt_width=0, pad_token_id=0)

    shuffled = criteria()
    random = np.random.default_rng(0)
    for length in range(1, 120):
        order = np.concatenate([random.permutation([0, 1]), random.permutation([2, 3])])
        rows = torch.tensor([pieces[index][:length] for index in order])
        assert shuffled(rows, None).tolist() == criteria()(rows, None).tolist()


def test_tokenizers_whose_time_is_written_otherwise_are_refused():
    with pytest.raises(ValueError, match="MIDILike.*NoteOn.*max_new_tokens"):
        MusicClock(MidiProcessor.from_tokenization("MIDILike"))


@pytest.mark.parametrize("wrong", [{"max_new_bars": 0}, {"max_new_bars": 1.5}, {"max_new_seconds": 0}])
def test_limits_that_add_nothing_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        MusicLimit(**wrong)
