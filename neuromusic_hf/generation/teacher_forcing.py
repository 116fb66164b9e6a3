"""What a model takes to come next at each place of a piece, given what really came before: as ids, and as music."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from symusic.core import NoteTickList, ScoreTick, TrackTick
from transformers import PreTrainedModel

from ..music import gather_notes
from ..music.excerpts import are_among
from ..tokenization import MidiProcessor
from .prompts import PieceTempo

AFTER_PITCH = {"Velocity", "Duration", "MicroTiming"}
"""Kinds of base tokens that go on with a note."""

OF_PITCH = ("Pitch", "NoteOn")
"""How the kinds of those begin that say which note it is."""


@torch.no_grad()
def predict_each(model: PreTrainedModel, ids: Sequence[int], first: int) -> list[int]:
    """
    The likeliest id at each place, given those that really precede it: one pass of the model.

    Args:
        model ([`~transformers.PreTrainedModel`]): in evaluation mode.
        ids (sequence of `int`): of a piece, no more than the model reads.
        first (`int`): the first place that is asked for, at least 1.

    Returns:
        `list[int]` of length `len(ids) - first`.
    """
    inputs = torch.tensor([list(ids[:-1])], device=model.device)
    return model(input_ids=inputs, use_cache=False).logits[0, first - 1 :].argmax(-1).tolist()


def predicted_music(
    processor: MidiProcessor, tempo: PieceTempo, prompt: Sequence[int], target: Sequence[int], predicted: Sequence[int]
) -> ScoreTick:
    """
    Predictions as music: each note as it was expected, at the time that was expected, given all that really preceded.

    The predictions are no piece by themselves: where a bar was not expected, all after it would come a bar too early.
    So the tokens of each note, with those of time before it, are read after what really precedes them. Notes that
    really come and were not expected are missing; what a prediction leaves unfinished is no note.

    Args:
        processor ([`MidiProcessor`]): reads the ids.
        tempo ([`PieceTempo`]): of the piece.
        prompt (sequence of `int`): ids before.
        target (sequence of `int`): how the piece really goes on.
        predicted (sequence of `int`): from [`predict_each`], one for each of `target`.

    Returns:
        [`symusic.Score`]: the expected notes, at their times in the whole piece, with its tempos.
    """
    if len(predicted) != len(target):
        raise ValueError(f"{len(predicted)} predictions of {len(target)} ids: give one for each.")
    whole = tempo.decode([*prompt, *target], processor)
    tracks: dict[tuple[int, bool], list[tuple[int, int, int, int]]] = {}
    for start, end in note_groups(processor, target):
        known = [*prompt, *target[:start]]
        notes = gather_notes(tempo.decode([*known, *predicted[start:end]], processor))
        is_new = ~are_among(notes, gather_notes(tempo.decode(known, processor)))
        for index in np.flatnonzero(is_new).tolist():
            player = int(notes.program[index]), bool(notes.is_drum[index])
            columns = (notes.onset, notes.duration, notes.pitch, notes.velocity)
            tracks.setdefault(player, []).append(tuple(int(column[index]) for column in columns))
    expected = ScoreTick(whole.tpq)
    expected.tempos, expected.time_signatures = whole.tempos, whole.time_signatures
    for (program, is_drum), rows in sorted(tracks.items()):
        track = TrackTick("", program, is_drum)
        track.notes = NoteTickList.from_numpy(*np.array(rows, dtype=np.int32).T)
        expected.tracks.append(track)
    return expected


def note_groups(processor: MidiProcessor, ids: Sequence[int]) -> Iterator[tuple[int, int]]:
    """
    Where the tokens of each note begin and end, with those of time, program and the like before it.

    Notes that share tokens of a learned vocabulary are in one group. The last group may hold no note.

    Args:
        processor ([`MidiProcessor`]): whose ids they are.
        ids (sequence of `int`): how a piece goes on.
    """
    words, start, has_pitch = processor.base_words, 0, False
    for place, index in enumerate(ids):
        kinds = [kind for kind, _ in words[index]]
        if has_pitch and kinds and kinds[0] not in AFTER_PITCH:
            yield start, place
            start, has_pitch = place, False
        has_pitch = has_pitch or any(kind.startswith(OF_PITCH) for kind in kinds)
    if start < len(ids):
        yield start, len(ids)
