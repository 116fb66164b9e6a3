"""What a model expects at each place: as many ids as a loop gives, and music that is the piece where all is right."""

import numpy as np
import pytest
import torch
from music import make_score

from neuromusic_hf.generation.prompts import PieceTempo, PromptMaker, PromptSettings
from neuromusic_hf.generation.teacher_forcing import note_groups, predict_each, predicted_music
from neuromusic_hf.music import gather_notes, new_music

NAMES = ("REMI", "TSD", "Structured", "REMI BPE", "TSD BPE")


@pytest.fixture
def prompt_of(processor_of):
    def make(name, seed=5):
        settings = PromptSettings(prompt_length=40, original_length=90, original_required=True)
        return PromptMaker(processor_of(name), settings).make(name, make_score(seed))

    return make


def rows(score):
    """Notes of a score in order."""
    notes = gather_notes(score)
    columns = (notes.onset, notes.duration, notes.pitch, notes.velocity, notes.program, notes.is_drum)
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


@pytest.mark.parametrize("family", ["gpt2", "llama", "music_transformer"])
def test_each_id_is_the_likeliest_after_what_really_precedes_it(tiny_model, prompt_of, family):
    model, prompt = tiny_model("REMI", family), prompt_of("REMI")
    ids = (prompt.ids + prompt.original_ids)[:60]
    with torch.no_grad():
        expected = [int(model(torch.tensor([ids[:place]])).logits[0, -1].argmax()) for place in range(40, 60)]
    assert predict_each(model, ids, 40) == expected


@pytest.mark.parametrize("name", NAMES)
def test_right_predictions_are_the_piece_itself(processor_of, prompt_of, name):
    processor, prompt = processor_of(name), prompt_of(name)
    given = (processor, prompt.tempo, prompt.ids, prompt.original_ids)
    whole = prompt.tempo.decode(prompt.ids + prompt.original_ids, processor)
    expected = new_music(whole, prompt.score, from_zero=False)
    found = predicted_music(*given, prompt.original_ids)
    assert rows(found) == rows(expected) and len(rows(found)) > 15
    assert [tempo.qpm for tempo in found.tempos] == [tempo.qpm for tempo in whole.tempos]


@pytest.mark.parametrize("name", NAMES)
def test_groups_cover_all_ids_in_order(processor_of, prompt_of, name):
    ids = prompt_of(name).original_ids
    groups = list(note_groups(processor_of(name), ids))
    assert [0, *(end for _, end in groups)] == [*(start for start, _ in groups), len(ids)]
    assert len(groups) > 10


def test_a_wrong_prediction_changes_its_note_alone(processor_of, prompt_of):
    """A bar that was not expected moves the note that it stands before, and none after it."""
    processor, prompt = processor_of("REMI"), prompt_of("REMI")
    words = [word for index in prompt.original_ids for word in processor.base_words[index]]
    bar = next(place for place, (kind, _) in enumerate(words) if kind == "Bar" and place > 20)
    predicted = list(prompt.original_ids)
    predicted[bar] = predicted[bar + 2]
    given = (processor, prompt.tempo, prompt.ids, prompt.original_ids)
    right, found = (set(rows(predicted_music(*given, ids))) for ids in (prompt.original_ids, predicted))
    assert len(right - found) == 1 and len(found - right) <= 1
    pitch = next(place for place, (kind, _) in enumerate(words) if kind == "Pitch")
    higher = list(prompt.original_ids)
    higher[pitch] += 1
    found = set(rows(predicted_music(*given, higher)))
    ((old,), (new,)) = right - found, found - right
    assert np.subtract(new, old)[2] == 1 and new[:2] == old[:2]


def test_predictions_without_a_note_are_silence(processor_of, prompt_of):
    processor, prompt = processor_of("TSD"), prompt_of("TSD")
    silent = [processor.tokenizer.eos_token_id] * len(prompt.original_ids)
    assert predicted_music(processor, PieceTempo(), prompt.ids, prompt.original_ids, silent).note_num() == 0


def test_as_many_predictions_as_ids_are_asked_for(processor_of):
    with pytest.raises(ValueError, match="2 predictions of 3 ids"):
        predicted_music(processor_of("REMI"), PieceTempo(), [1], [5, 6, 7], [5, 6])
