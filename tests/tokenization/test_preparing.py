"""What is done before miditok quantises: which note of several on one onset is kept, and where onsets go."""

import hashlib
import json
import random
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from symusic import TimeSignature
from tokenization.sample_scores import DRUMS, SCORES, build_score, meter_list, note_list

from neuromusic_hf import MidiProcessor
from neuromusic_hf.grammar import TokenGrammar
from neuromusic_hf.tokenization.fast_tokenizer import to_fast_tokenizer
from neuromusic_hf.tokenization.music_tokenizer import music_tokenizer_from_dict

SAVED_BEFORE = json.loads(Path(__file__).with_name("saved_before.json").read_text())
"""Processors of the settings before these, with hashes of their ids and of what their grammar allows."""
CHANGED_SINCE = {"duplicates", "drums_only", "many_meters", "neither_tempo_nor_meter", "meters_out_of_vocabulary"}
"""Scores with notes on one onset of a key, of which the longest is kept now; and with meters they do not know."""


def decoded(processor, score):
    return processor.decode(processor.encode(score))


def in_three_meters(parts):
    """On grids of a half, a quarter and an eighth note."""
    return build_score(480, parts, meters=((0, 2, 2), (40, 4, 4), (80, 6, 8)))


def test_of_notes_on_one_onset_the_longest_is_kept(processor):
    """Also of tracks that become one, and where the grid of the meter makes onsets one."""
    rng = random.Random(0)
    parts = [(program, []) for program in (0, 0, 40, DRUMS, DRUMS)]
    for onset in range(1, 119):
        for _, notes in parts:
            notes += [(onset + rng.uniform(-0.01, 0.01), rng.randint(1, 40) / 8, 60, 63) for _ in range(3)]
    score = in_three_meters(parts)
    longest = {}
    for onset, length, _, _, program in note_list(score):
        key = round(onset), program
        longest[key] = max(longest.get(key, 0), length)
    found = note_list(decoded(processor, score))
    assert len(found) == len(longest)
    for onset, length, pitch, _, program in found:
        assert abs(length - longest[onset, program]) <= Fraction(1, 8) and pitch == 60


def test_notes_that_are_no_duplicates_stay_as_they_are(processor):
    notes = [(step / 2, 1, 60 + step % 3, 63) for step in range(40)]
    assert len(note_list(decoded(processor, in_three_meters([(0, notes), (40, notes), (DRUMS, notes)])))) == 120


def test_tracks_that_stay_apart_keep_their_own_notes():
    """MMM writes a track after the other, of one program too."""
    processor = MidiProcessor.from_tokenization("MMM", base_tokenizer="TSD")
    twice = [(step, 1 + step % 2, 60, 63) for step in range(8)]
    assert processor.quantise(build_score(480, [(0, twice), (0, twice)])).note_num() == 16


@pytest.mark.parametrize("name", ["REMI", "TSD", "Structured"])
def test_every_key_and_every_pitch_comes_back(processors, name):
    keys = [(key / 2, 0.5, key, 63) for key in range(128)]
    score = build_score(480, [(0, keys), (DRUMS, keys)])
    assert note_list(decoded(processors[name], score)) == note_list(score)


@pytest.mark.parametrize("meter", [(2, 2), (4, 4), (6, 8), (7, 16)])
def test_lengths_of_64_quarters_are_kept_in_every_meter_to_a_share_of_them(processors, meter):
    lengths = [Fraction(step, 4) for step in range(1, 257)]
    notes = [(3 * step, length, 30 + step % 60, 63) for step, length in enumerate(lengths)]
    score = build_score(480, [(0, notes)], meters=[(0, *meter)])
    for name in ("REMI", "TSD", "Structured"):
        found = note_list(decoded(processors[name], score))
        assert [note[0] for note in found] == [note[0] for note in note_list(score)]
        for (_, length, *_), (_, wanted, *_) in zip(found, note_list(score), strict=True):
            assert abs(length - wanted) <= (0 if wanted <= 2 else wanted / 24)


def test_silences_are_kept_exactly_by_tokenizers_with_bars_or_several_shifts(processors):
    onsets = [0, 7, 70, 200, Fraction(1001, 4), Fraction(4003, 8)]
    score = build_score(480, [(0, [(onset, 1, 60, 63) for onset in onsets])])
    for name in ("REMI", "TSD"):
        assert note_list(decoded(processors[name], score)) == note_list(score)


def test_structured_moves_an_onset_by_half_a_step_of_its_shift_and_carries_nothing_on(processors):
    """But where the next onset comes sooner than what there is to make up for."""
    rng = random.Random(4)
    gaps = [rng.choice([0.5, 1, 3, rng.uniform(4, 12), rng.uniform(12, 60), rng.uniform(60, 250)]) for _ in range(400)]
    onsets = np.cumsum(gaps)
    score = build_score(480, [(0, [(onset, 0.25, 60, 63) for onset in onsets])])
    wanted = [note[0] for note in note_list(score)]
    found = [note[0] for note in note_list(decoded(processors["Structured"], score))]
    bounds = ((4, 1 / 32), (12, 1 / 16), (16, 1 / 8), (32, 1 / 4), (64, 1 / 2), (128, 1), (256, 2))
    error = 0
    for index, gap in enumerate(gaps):
        before, error = error, abs(found[index] - wanted[index])
        half_step = next(half for longest, half in bounds if gap + before <= longest)
        assert error <= max(half_step, before if gap < before + 1 / 16 else 0) + 1e-9


def test_structured_keeps_chords_together_and_onsets_in_order(processors):
    onsets = [0, 40.3, 40.375, 40.44, 80.9, 81]
    score = build_score(480, [(0, [(onset, 1, 60, 63) for onset in onsets]), (40, [(40.3, 1, 50, 63)])])
    found = note_list(decoded(processors["Structured"], score))
    melody = [note[0] for note in found if note[4] == 0]
    assert melody == sorted(set(melody)) and len(melody) == 6
    assert [note[0] for note in found if note[4] == 40] == [melody[1]]


def test_scores_are_not_changed_in_place(processor):
    score = SCORES["duplicates"]()
    score.time_signatures.append(TimeSignature(100, 7, 4))
    before = note_list(score), meter_list(score)
    processor.encode(score)
    assert (note_list(score), meter_list(score)) == before


@pytest.fixture(params=sorted(SAVED_BEFORE))
def saved(request):
    """A processor as its bundle holds it, and what was noted of it."""
    noted = SAVED_BEFORE[request.param]
    config = noted["processor_config"]
    tokenizer = to_fast_tokenizer(music_tokenizer_from_dict(config["miditok"]))
    return MidiProcessor(tokenizer, config["miditok"], config["vocabulary_hash"]), noted


def test_processors_saved_before_have_the_same_ids_and_grammar(saved):
    processor, noted = saved
    grammar = TokenGrammar.from_processor(processor)
    for name in set(noted["ids"]) - CHANGED_SINCE:
        ids = processor.encode(SCORES[name](), add_eos=True)
        assert hashlib.sha256(json.dumps(ids).encode()).hexdigest()[:16] == noted["ids"][name], name
        state, allowed = grammar.begin(1), hashlib.sha256()
        for index in ids[:200]:
            allowed.update(np.packbits(grammar.legal(state)[0].numpy()).tobytes())
            state = grammar.advance(state, torch.tensor([index]))
        assert allowed.hexdigest()[:16] == noted["legal"][name], name


def test_processors_saved_before_write_music_that_their_vocabulary_can_say(saved, tmp_path):
    processor, _ = saved
    processor.save_pretrained(tmp_path)
    loaded = MidiProcessor.from_pretrained(tmp_path)
    for name in CHANGED_SINCE:
        notes = note_list(loaded.quantise(SCORES[name]()))
        assert note_list(decoded(loaded, SCORES[name]())) == notes, name
