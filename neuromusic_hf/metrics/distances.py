"""From pieces to distances: prompt to original and prompt to generated, and which pieces have none."""

import multiprocessing
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from symusic.core import ScoreTick

from ..music import RefusedFile
from ..music.loading import load_score
from .features import NoFeature
from .measures import Measure
from .scores import DistanceScore, ScoreSettings, score_distances

PIECES_AT_A_TIME = 32
"""Sent to a process in one message: about 40 ms of work, since each message costs the parent about 2 ms."""


class Piece(NamedTuple):
    """
    What is compared: paths, bytes, `{"bytes", "path"}` or scores.

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
    Of one piece and one measure.

    Args:
        original (`float`, *optional*): distance from the prompt.
        generated (`float`, *optional*): distance from the prompt.
        reason (`str`, *optional*): why there are none, such as `"generated: no_notes"`.
        counts (`Counter`): of [`Measure`].
        readable (`bool`, *optional*, defaults to `True`): whether its files could be read.
    """

    original: float | None = None
    generated: float | None = None
    reason: str | None = None
    counts: Counter = field(default_factory=Counter)
    readable: bool = True


def measure_piece(piece: Piece, measures: Mapping[str, Measure]) -> dict[str, PieceDistances]:
    """
    The distances of one piece, by the name of the measure. Each of its three files is read once.

    Args:
        piece ([`Piece`]): what is compared.
        measures (`dict[str, Measure]`): by which names.

    Raises:
        `OSError`: a path cannot be read.
    """
    scores = {}
    for part in ("prompt", "original", "generated"):
        try:
            scores[part] = load_score(getattr(piece, part))
        except RefusedFile as refused:
            reason = f"{part}: {refused.reason}: {refused.detail}"
            return {name: PieceDistances(reason=reason, readable=False) for name in measures}
    return {name: _measure(scores, measure) for name, measure in measures.items()}


def _measure(scores: dict[str, ScoreTick], measure: Measure) -> PieceDistances:
    features = {}
    for part, score in scores.items():
        try:
            features[part] = measure.feature(score)
        except NoFeature as error:
            return PieceDistances(reason=f"{part}: {error.reason}")
    counts = Counter()
    if measure.count is not None:
        for feature in features.values():
            counts.update(measure.count(feature))
    prompt = features["prompt"]
    original, generated = (measure.distance(prompt, features[part]) for part in ("original", "generated"))
    return PieceDistances(original, generated, None, counts)


def measure_pieces(
    pieces: Iterable[Piece], measures: Mapping[str, Measure], num_workers: int = 1
) -> Iterator[dict[str, PieceDistances]]:
    """
    [`measure_piece`] of many, in their order, as they come.

    Args:
        pieces (`Iterable[Piece]`): drawn as they are needed, so that memory does not grow with their number.
        measures (`dict[str, Measure]`): by which names.
        num_workers (`int`, *optional*, defaults to 1): processes; with 1, this one.
    """
    measure = partial(measure_piece, measures=measures)
    if num_workers == 1:
        yield from map(measure, pieces)
    else:
        with multiprocessing.Pool(num_workers) as pool:
            yield from pool.imap(measure, pieces, PIECES_AT_A_TIME)


def gather_score(
    names: Iterable[str], found: Iterable[PieceDistances], settings: ScoreSettings | None = None
) -> DistanceScore:
    """
    The score of one measure over the pieces.

    Args:
        names (`Iterable[str]`): of the pieces.
        found (`Iterable[PieceDistances]`): theirs, in the same order.
        settings ([`ScoreSettings`], *optional*): `ScoreSettings()` if not given.
    """
    pairs, dropped, counts = [], {}, Counter()
    for name, piece in zip(names, found, strict=True):
        counts.update(piece.counts)
        if piece.reason is None:
            pairs.append((piece.original, piece.generated))
        else:
            dropped.setdefault(piece.reason, []).append(name)
    original, generated = zip(*pairs, strict=True) if pairs else ((), ())
    return score_distances(original, generated, settings, dropped, counts)


def score_midi(
    measure: Measure,
    prompts: list,
    references: list,
    predictions: list,
    settings: ScoreSettings | None = None,
    num_workers: int = 1,
) -> DistanceScore:
    """
    The score of continuations by one measure.

    Args:
        measure ([`Measure`]): what is compared.
        prompts (`list`): what was continued; paths, bytes, `{"bytes", "path"}` or scores.
        references (`list`): how each piece really goes on, without its prompt.
        predictions (`list`): how the model goes on, without its prompt.
        settings ([`ScoreSettings`], *optional*): `ScoreSettings()` if not given.
        num_workers (`int`, *optional*, defaults to 1): processes.

    Returns:
        [`DistanceScore`]; pieces are named by the path of their prediction, or by their index.

    Raises:
        `ValueError`: the lists differ in length.
        `OSError`: a path cannot be read.
    """
    if not len(prompts) == len(references) == len(predictions):
        raise ValueError(
            f"{len(prompts)} prompts, {len(references)} references and {len(predictions)} predictions: give one of "
            "each per piece."
        )
    names = [_name(prediction) or str(index) for index, prediction in enumerate(predictions)]
    pieces = map(Piece, names, prompts, references, predictions)
    found = (each["score"] for each in measure_pieces(pieces, {"score": measure}, num_workers))
    return gather_score(names, found, settings)


def _name(midi: Any) -> str | None:
    """The path of a MIDI input, if it has one."""
    if isinstance(midi, dict):
        midi = midi.get("path")
    return None if midi is None or isinstance(midi, bytes | bytearray | ScoreTick) else str(midi)
