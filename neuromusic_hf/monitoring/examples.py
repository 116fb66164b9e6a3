"""A few fixed pieces as they go on, as the model expects each next token, and as it goes on by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from symusic.core import ScoreTick
from transformers import PreTrainedModel

from ..generation import PromptMaker, PromptSettings
from ..generation.prompts import Prompt
from ..generation.teacher_forcing import predict_each, predicted_music
from ..music import RefusedFile, new_music, read_midi
from ..rendering import plot_versions, render_audio, save_audio
from ..runs import ContinuationSettings, FinishedRun, PieceRecord, PieceSource
from ..tokenization import MidiProcessor
from .media import EXAMPLES_PREFIX, Media

EXAMPLES_FOLDER = "examples"
"""In that of a test of continuations."""

TARGET, FORCED, CONTINUATION = "target", "teacher-forced prediction", "continuation"
COLUMNS = ("piece", "version", "right tokens", "tokens")

SOUND_SECONDS = 30.0
SOUND_RATE = 22_050
"""Of what trackers keep of each evaluation, in one channel: 44 kB for each second."""

Watching = Callable[[], Any]
"""Gives a context that counts what fails in it, and goes on."""


@dataclass(frozen=True)
class Example:
    """
    A piece that is looked at in each evaluation.

    Args:
        index (`int`): of the piece in the tests of continuations.
        name (`str`): of the piece.
        prompt ([`Prompt`]): the beginning that the model is given, and how the piece goes on.
    """

    index: int
    name: str
    prompt: Prompt


@dataclass(frozen=True)
class Version:
    """
    One way in which an example goes on.

    Args:
        name (`str`): which it is.
        ids (`list[int]`): that it is made of.
        score ([`symusic.Score`]): its notes, at their times in the whole piece.
        right (`str`, *optional*): how many of the ids are those of the piece, where each stands for one of these.
    """

    name: str
    ids: list[int]
    score: ScoreTick
    right: str = ""


def choose_examples(
    pieces: Sequence[PieceSource], number: int, processor: MidiProcessor, settings: ContinuationSettings
) -> list[Example]:
    """
    The first pieces that are continued, cut as they are for that. One that cannot be is left out there, and here.

    Args:
        pieces (sequence of [`PieceSource`]): that are continued.
        number (`int`): of examples, at most.
        processor ([`MidiProcessor`]): encodes them.
        settings ([`ContinuationSettings`]): how they are continued.
    """
    cut = PromptSettings(
        prompt_length=settings.prompt_length, original_length=settings.continue_length, original_required=True
    )
    maker, examples = PromptMaker(processor, cut), []
    for index, piece in enumerate(pieces[:number]):
        try:
            examples.append(Example(index, piece.name, maker.make(piece.name, read_midi(piece.read()).score)))
        except RefusedFile:
            continue
    return examples


def predict_examples(model: PreTrainedModel, examples: Sequence[Example]) -> dict[int, list[int]]:
    """What a model expects at each place after the prompts, given what really precedes it: by index, one pass each."""
    return {
        example.index: predict_each(
            model, [*example.prompt.ids, *example.prompt.original_ids], len(example.prompt.ids)
        )
        for example in examples
    }


def show_examples(
    examples: Sequence[Example],
    predicted: dict[int, list[int]],
    run: FinishedRun,
    processor: MidiProcessor,
    watching: Watching,
    *,
    sounds: bool,
) -> Media:
    """
    Writes pictures and sounds of examples into the folder of a test of continuations.

    Args:
        examples (sequence of [`Example`]): from [`choose_examples`].
        predicted (`dict[int, list[int]]`): from [`predict_examples`].
        run ([`FinishedRun`]): that continued them; what it left out is not shown.
        processor ([`MidiProcessor`]): of the ids.
        watching (callable): gives the context in which each is made: one that fails is left out.
        sounds (`bool`): whether they are rendered to sound.

    Returns:
        [`Media`]: a picture of each, a sound of each version that has notes, and one table of all tokens.
    """
    folder = run.folder / EXAMPLES_FOLDER
    folder.mkdir(exist_ok=True)
    records = {record.index: record for record in run.records}
    media, rows = Media(), []
    for example in examples:
        if example.index not in predicted or (record := records.get(example.index)) is None:
            continue
        versions = versions_of(example, predicted[example.index], _generated(run, record), processor)
        name = f"{EXAMPLES_PREFIX}{record.stem}"
        with watching():
            path = folder / f"{record.stem}.png"
            scores = {version.name: version.score for version in versions}
            plot_versions(example.prompt.score, scores, title=example.name).savefig(path)
            media.pictures[name] = path
        for version in versions if sounds else ():
            with watching():
                path = folder / f"{record.stem}.{_word(version)}.wav"
                if _write_sound(version, example.prompt.score, path):
                    media.sounds[f"{name}/{_word(version)}"] = path
        rows += [
            (record.label, each.name, each.right, processor.tokenizer.decode(each.ids).strip()) for each in versions
        ]
    if rows:
        media.tables[f"{EXAMPLES_PREFIX}tokens"] = pd.DataFrame(rows, columns=list(COLUMNS))
    return media


def versions_of(
    example: Example, predicted: list[int], generated: list[int], processor: MidiProcessor
) -> tuple[Version, Version, Version]:
    """The piece itself, what the model expected in it, and how the model went on."""
    prompt = example.prompt
    target = prompt.original_ids
    right = sum(one == other for one, other in zip(predicted, target, strict=True))
    expected = predicted_music(processor, prompt.tempo, prompt.ids, target, predicted)

    def after_prompt(ids: list[int]) -> ScoreTick:
        return new_music(prompt.tempo.decode([*prompt.ids, *ids], processor), prompt.score, from_zero=False)

    return (
        Version(TARGET, target, after_prompt(target)),
        Version(FORCED, predicted, expected, f"{right} of {len(target)}"),
        Version(CONTINUATION, generated, after_prompt(generated)),
    )


def _generated(run: FinishedRun, record: PieceRecord) -> list[int]:
    path = run.path(record.files.tokens)
    return [] if path is None else [int(word) for word in path.read_text(encoding="utf-8").split()]


def _word(version: Version) -> str:
    """For names of files and sounds."""
    return version.name.split()[0].replace("-", "_")


def _write_sound(version: Version, prompt: ScoreTick, path: Path) -> bool:
    """Whether there is something to hear: from the bar on in which it begins."""
    if not version.score.note_num():
        return False
    heard = new_music(version.score, ScoreTick(prompt.tpq))
    stereo = render_audio(heard, sample_rate=SOUND_RATE, max_seconds=SOUND_SECONDS)
    save_audio(path, stereo.mean(axis=0), SOUND_RATE)
    return True
