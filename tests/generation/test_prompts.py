"""Prompts from the start and the end of pieces, held against naive cuts of the notes."""

import pytest
from miditok.utils import get_bars_ticks
from music import make_score
from symusic import Tempo
from tiny import TOKENIZATIONS
from tokenization.sample_scores import SCORES, build_score, note_list

from neuromusic_hf.generation import PromptMaker, PromptSettings
from neuromusic_hf.music import RefusedFile, excerpt, seconds_at

PIECES = ("band", "many_meters", "triplets_tpq_384", "rubato")


@pytest.fixture(params=TOKENIZATIONS)
def processor(request, processor_of):
    return processor_of(request.param)


def quantised(score, processor):
    return processor.quantise(score)


def make(score, processor, **settings):
    return PromptMaker(processor, PromptSettings(**settings)).make("x", score)


def joined(*scores):
    return sorted(note for score in scores for note in note_list(score))


def test_the_first_tokens_and_what_follows(processor):
    score = make_score(1)
    ids = processor.encode(score)
    prompt = make(score, processor, prompt_length=50, original_length=30)
    assert prompt.ids == ids[:50] and prompt.original_ids == ids[50:80]
    assert note_list(prompt.score) == note_list(processor.decode(ids[:50]))
    assert prompt.score.note_num() + prompt.original.note_num() == processor.decode(ids[:80]).note_num()
    assert make(score, processor, prompt_length=50).original_ids == ids[50:]


def test_without_a_length_the_whole_piece_is_the_prompt(processor):
    score = make_score(1)
    for settings in ({}, {"prompt_length": 10_000}, {"prompt_bars": 1000}, {"prompt_seconds": 1e6}):
        for begin in ("start", "end"):
            prompt = make(score, processor, prompt_from=begin, **settings)
            assert prompt.ids == processor.encode(score)
            assert prompt.original_ids == [] and prompt.original.note_num() == 0


@pytest.mark.parametrize("piece", PIECES)
def test_bars_and_seconds_from_the_start(processor, piece):
    score = SCORES[piece]()
    whole = quantised(score, processor)
    bars = get_bars_ticks(whole)
    for settings, inside in (
        ({"prompt_bars": 2}, lambda tick: tick < bars[2]),
        ({"prompt_seconds": 3.3}, lambda tick: seconds_at(whole, tick) < 3.3),
    ):
        prompt = make(score, processor, **settings)
        assert prompt.ids[0] == processor.tokenizer.bos_token_id
        expected = [note for note in note_list(whole) if inside(int(note[0] * whole.tpq))]
        assert note_list(prompt.score) == expected and expected
        assert joined(prompt.score, shifted_back(prompt, whole)) == note_list(whole)


def shifted_back(prompt, whole):
    """The original continuation where it was in the piece."""
    notes = [note for note in note_list(whole) if note not in note_list(prompt.score)]
    bars = get_bars_ticks(whole)
    begin = max(bar for bar in bars if bar <= notes[0][0] * whole.tpq)
    assert note_list(prompt.original)[0][0] == notes[0][0] - begin / whole.tpq
    return prompt.original.shift_time(begin * prompt.original.tpq // whole.tpq)


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("length", [60, 150])
def test_the_last_tokens_begin_with_the_earliest_bar_that_fits(processor, piece, length):
    score = SCORES[piece]()
    whole = quantised(score, processor)
    prompt = make(score, processor, prompt_length=length, prompt_from="end")
    assert len(prompt.ids) <= length
    assert prompt.ids[0] != processor.tokenizer.bos_token_id
    first = note_list(whole)[0][0] * whole.tpq
    last = note_list(whole)[-1][0] * whole.tpq
    bars = [bar for bar in get_bars_ticks(whole) if first < bar <= last]
    onsets = sorted({int(note[0] * whole.tpq) for note in note_list(whole)})
    fitting = [
        tick for tick in [*bars, *(tick for tick in onsets if tick > bars[-1])] if fits(whole, tick, length, processor)
    ]
    assert note_list(prompt.score) == note_list(excerpt(whole, fitting[0]))


def fits(whole, tick, length, processor):
    return len(processor.encode(excerpt(whole, tick), add_bos=False)) <= length


def test_bars_and_seconds_from_the_end(processor):
    score = SCORES["band"]()
    whole = quantised(score, processor)
    bars = get_bars_ticks(whole, only_notes_onsets=True)
    prompt = make(score, processor, prompt_bars=2, prompt_from="end")
    assert note_list(prompt.score) == note_list(excerpt(whole, bars[-2]))
    end = max(float(onset + duration) for onset, duration, *_ in note_list(whole)) / 2  # at 120
    prompt = make(score, processor, prompt_seconds=5, prompt_from="end")
    begin = min(bar for bar in bars if end - seconds_at(whole, bar) <= 5)
    assert note_list(prompt.score) == note_list(excerpt(whole, begin))


def test_tempo_and_meter_in_force_stand_at_the_beginning_of_an_end(processor_of):
    score = SCORES["many_meters"]()
    prompt = make(score, processor_of("REMI"), prompt_bars=3, prompt_from="end")
    assert [(0, 5, 4)] == [(meter.time, meter.numerator, meter.denominator) for meter in prompt.score.time_signatures]
    assert [(0, 200)] == [(tempo.time, round(tempo.qpm)) for tempo in prompt.score.tempos]
    prompt = make(score, processor_of("Structured"), prompt_bars=3, prompt_from="end")
    assert round(prompt.tempo.qpm) == 200 == round(prompt.score.tempos[0].qpm)


def test_one_tempo_for_all(processor):
    prompt = PromptMaker(processor, PromptSettings(prompt_length=400), tempo=93).make("x", SCORES["rubato"]())
    assert [(tempo.time, round(tempo.qpm, 3)) for tempo in prompt.score.tempos] == [(0, 93)]
    text = processor.tokenizer.decode(prompt.ids)
    assert text.count("Tempo_") == (1 if processor.music_tokenizer.config.use_tempos else 0)


def test_notes_that_sound_over_the_end_of_the_prompt_are_whole(processor):
    score = build_score(480, [(0, [(0, 6, 60, 80), (3, 4, 64, 80), (8, 1, 67, 80)])])
    prompt = make(score, processor, prompt_bars=1)
    assert [note[:3] for note in note_list(prompt.score)] == [(0, 6, 60), (3, 4, 64)]


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"prompt_length": 10, "prompt_bars": 2}, "prompt_length and prompt_bars"),
        ({"prompt_length": 0}, "prompt_length=0"),
        ({"prompt_bars": -1}, "prompt_bars=-1"),
        ({"prompt_bars": 1.5}, "prompt_bars=1.5"),
        ({"prompt_seconds": 0.0}, "prompt_seconds=0.0"),
        ({"prompt_from": "middle"}, "middle"),
        ({"original_length": -1}, "original_length=-1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        PromptSettings(**wrong)


def test_pieces_without_a_prompt_are_refused(processor):
    late = build_score(480, [(0, [(40, 1, 60, 80)])])
    silent = build_score(480, [(0, [])])
    chord = build_score(480, [(0, [(0, 1, 50, 80), *((4, 1, pitch, 80) for pitch in range(50, 70))])])
    late.tempos = [Tempo(0, 120)]
    for score, settings, reason in (
        (silent, {}, "no_notes"),
        (late, {"prompt_bars": 2}, "no_notes"),
        (late, {"prompt_seconds": 3}, "no_notes"),
        (chord, {"prompt_length": 12, "prompt_from": "end"}, "prompt_too_long"),
    ):
        with pytest.raises(RefusedFile) as refused:
            make(score, processor, **settings)
        assert refused.value.reason == reason


@pytest.mark.parametrize(
    "meters, notes", [([(0, 3, 2)], 12), ([(0, 1, 4), (1, 4, 4)], 5), ([(0, 4, 4), (7, 3, 4)], 7)]
)
def test_two_bars_are_two_bars_of_the_meters_of_the_piece(processor_of, meters, notes):
    """Also of a pickup, and of a bar that a change of meter cuts short."""
    piece = build_score(480, [(0, [(beat, 1, 60 + beat % 12, 80) for beat in range(30)])], meters=meters)
    for name in ("REMI", "TSD"):
        assert make(piece, processor_of(name), prompt_bars=2).score.note_num() == notes
