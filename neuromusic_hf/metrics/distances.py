"""From pieces to distances: prompt to original and prompt to generated, and which pieces have none."""

import math
import multiprocessing
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.reduction import ForkingPickler
from pickle import PicklingError
from typing import Any, NamedTuple

import numpy as np
from symusic.core import ScoreTick

from ..music import RefusedFile
from ..music.loading import load_score
from .comparison import Comparison
from .scores import DistanceScore, ScoreSettings, score_distances

PARTS = ("prompt", "original", "generated")

PIECES_AT_A_TIME = 32
"""Sent to a process in one message: about 40 ms of work, since each message costs the parent about 2 ms."""


class ComparedPiece(NamedTuple):
    """
    The three parts of a piece that are compared: paths, bytes, `{"bytes", "path"}` or scores.

    Args:
        name (`str`): to report it by.
        prompt: what was continued.
        original: how the piece goes on, without the prompt.
        generated: how the model goes on, without the prompt.
    """

    name: str
    prompt: Any
    original: Any
    generated: Any


@dataclass(frozen=True)
class PieceDistances:
    """
    Of one piece and one comparison.

    Args:
        original (`float`, *optional*): distance from the prompt.
        generated (`float`, *optional*): distance from the prompt.
        reason (`str`, *optional*): why there are none, such as `"generated: no_notes"`.
        counts (`Counter`): what the comparison counts in the three parts.
        readable (`bool`, *optional*, defaults to `True`): whether its files could be read.
    """

    original: float | None = None
    generated: float | None = None
    reason: str | None = None
    counts: Counter[str] = field(default_factory=Counter)
    readable: bool = True


def compare_piece(piece: ComparedPiece, comparisons: Sequence[Comparison]) -> dict[str, PieceDistances]:
    """
    The distances of one piece, by the name of the comparison. Each of its three files is read once.

    Args:
        piece ([`ComparedPiece`]): what is compared.
        comparisons (sequence of [`Comparison`]): how, one entry of the result for each.

    Raises:
        `OSError`: a path cannot be read.
        `ValueError`: a comparison gives a distance that is no finite number.
    """
    scores = {}
    for part in PARTS:
        try:
            scores[part] = load_score(getattr(piece, part))
        except RefusedFile as refused:
            reason = f"{part}: {refused.reason}: {refused.detail}"
            return {comparison.name: PieceDistances(reason=reason, readable=False) for comparison in comparisons}
    return {comparison.name: _compare(piece.name, scores, comparison.bind()) for comparison in comparisons}


def _compare(name: str, scores: dict[str, ScoreTick], comparison: Comparison) -> PieceDistances:
    features = {}
    for part, score in scores.items():
        try:
            features[part] = comparison.feature(score)
        except RefusedFile as refused:
            return PieceDistances(reason=f"{part}: {refused.reason}")
    counts: Counter[str] = Counter()
    if comparison.count is not None:
        for feature in features.values():
            counts.update(comparison.count(feature))
    prompt = features["prompt"]
    original, generated = (comparison.distance(prompt, features[part]) for part in ("original", "generated"))
    for part, distance in (("original", original), ("generated", generated)):
        if not math.isfinite(distance):
            raise ValueError(
                f"The comparison {comparison.name} gives {distance} for prompt and {part} of {name}: distances must "
                "be finite. Let its feature raise RefusedFile where a piece has none."
            )
    return PieceDistances(float(original), float(generated), None, counts)


def compare_pieces(
    pieces: Iterable[ComparedPiece], comparisons: Sequence[Comparison], num_workers: int = 1
) -> Iterator[dict[str, PieceDistances]]:
    """
    [`compare_piece`] of many, in their order, as they come.

    Args:
        pieces (`Iterable[ComparedPiece]`): drawn as they are needed, so that memory does not grow with their number.
        comparisons (sequence of [`Comparison`]): how, one entry of the result for each.
        num_workers (`int`, *optional*, defaults to 1): processes; with 1, this one.

    Raises:
        `ValueError`: a comparison cannot be sent to other processes, or gives a distance that is no finite number.
    """
    ready = [comparison.bind() for comparison in comparisons]
    compare = partial(compare_piece, comparisons=ready)
    if num_workers == 1:
        yield from map(compare, pieces)
    else:
        _check_sendable(ready)
        with multiprocessing.Pool(num_workers) as pool:
            yield from pool.imap(compare, pieces, PIECES_AT_A_TIME)


def _check_sendable(comparisons: Sequence[Comparison]) -> None:
    for comparison in comparisons:
        try:
            ForkingPickler.dumps(comparison)
        except (PicklingError, AttributeError, TypeError) as error:
            raise ValueError(
                f"The comparison {comparison.name} cannot be sent to other processes ({error}): make it of functions "
                "of a module, not of lambdas or inner functions, or compare in one process."
            ) from error


def gather_score(
    names: Iterable[str], found: Iterable[PieceDistances], settings: ScoreSettings | None = None
) -> DistanceScore:
    """
    The score of one comparison over the pieces.

    Args:
        names (`Iterable[str]`): what to call the pieces that are dropped.
        found (`Iterable[PieceDistances]`): what [`compare_pieces`] found in each, in the same order.
        settings ([`ScoreSettings`], *optional*): `ScoreSettings()` if not given.
    """
    original, generated = [], []
    dropped: dict[str, list[str]] = {}
    counts: Counter[str] = Counter()
    for name, piece in zip(names, found, strict=True):
        counts.update(piece.counts)
        if piece.reason is None:
            original.append(piece.original)
            generated.append(piece.generated)
        else:
            dropped.setdefault(piece.reason, []).append(name)
    return score_distances(np.array(original), np.array(generated), settings, dropped, counts)


def score_midi(
    comparison: Comparison,
    prompts: list,
    references: list,
    predictions: list,
    settings: ScoreSettings | None = None,
    num_workers: int = 1,
) -> DistanceScore:
    """
    The score of continuations by one comparison.

    Args:
        comparison ([`Comparison`]):
            What is compared. One that needs an embedding and is bound to none gets the one of the package.
        prompts (`list`): what was continued; paths, bytes, `{"bytes", "path"}` or scores.
        references (`list`): how each piece really goes on, without its prompt.
        predictions (`list`): how the model goes on, without its prompt.
        settings ([`ScoreSettings`], *optional*): `ScoreSettings()` if not given.
        num_workers (`int`, *optional*, defaults to 1): processes.

    Returns:
        [`DistanceScore`]; pieces are named by the path of their prediction, or by their index.

    Raises:
        `ValueError`: the lists differ in length, or a distance is no finite number.
        `OSError`: a path cannot be read.
    """
    if not len(prompts) == len(references) == len(predictions):
        raise ValueError(
            f"{len(prompts)} prompts, {len(references)} references and {len(predictions)} predictions: give one of "
            "each per piece."
        )
    names = [_name(prediction) or str(index) for index, prediction in enumerate(predictions)]
    pieces = map(ComparedPiece, names, prompts, references, predictions)
    found = (each[comparison.name] for each in compare_pieces(pieces, [comparison], num_workers))
    return gather_score(names, found, settings)


def _name(midi: Any) -> str | None:
    """The path of a MIDI input, if it has one."""
    if isinstance(midi, dict):
        midi = midi.get("path")
    return None if midi is None or isinstance(midi, bytes | bytearray | ScoreTick) else str(midi)
