"""Pieces while their spans are filled in, one after the other, and what comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from symusic.core import ScoreTick

from ..music import Replaced, TempoMap, replace_notes
from ..tokenization import MidiProcessor, Tally
from .infill_control import AskedPrograms
from .infill_prompts import SpanPrompt
from .infill_request import InfillRequest
from .piece_bars import Bars, PieceBars
from .pieces import PieceInput
from .request import Generated, Job, Row

LEFT_OUT = ("outside", "other_program", "sounding", "doubled")
"""Why a new note is not in the result: the names that [`replace_notes`] has for it."""


@dataclass(frozen=True, eq=False)
class InfilledSpan:
    """
    A span that has been filled in.

    Args:
        bars (`tuple[int, int]`): the first one, and that after the last.
        ticks (`tuple[int, int]`): of the file, where it begins and ends.
        prompt ([`SpanPrompt`]): what the model read.
        asked ([`AskedPrograms`]): whose notes were replaced, and which stayed.
        row ([`Row`]): what it wrote.
        stopped_by (`str`): why it wrote no more.
        replaced ([`Replaced`]): what became of the piece.
        outside (`int`): new notes before its beginning, which are left out.
    """

    bars: Bars
    ticks: Bars
    prompt: SpanPrompt
    asked: AskedPrograms
    row: Row
    stopped_by: str
    replaced: Replaced
    outside: int

    def as_dict(self) -> dict:
        """The facts of the span, as they stand in a result."""
        counts = self.replaced.counts
        seconds = TempoMap.of(self.replaced.score).to_seconds(self.ticks).tolist()
        left_out = {reason: counts[reason] for reason in LEFT_OUT}
        left_out["outside"] += self.outside
        return {
            "bars": self.bars,
            "ticks": self.ticks,
            "seconds": tuple(seconds),
            "programs": None if self.asked.replaced is None else sorted(self.asked.replaced),
            "kept": sorted(self.asked.kept),
            "new_notes": counts["added"],
            "removed_notes": counts["removed"],
            "shortened": counts["shortened"],
            "moved": counts["moved"],
            "left_out": left_out,
            "token_ids": self.row.ids,
            "prompt_token_ids": self.prompt.ids,
            "stopped_by": self.stopped_by,
            "entropy": self.row.entropy,
        }


@dataclass(frozen=True, eq=False)
class Take:
    """
    One of the ways in which a piece is filled in.

    Args:
        score ([`symusic.Score`]): the piece as it is by now, in ticks of its file.
        spans (`tuple[InfilledSpan, ...]`): those that are filled in.
        seconds (`float`): that took.
    """

    score: ScoreTick
    spans: tuple[InfilledSpan, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, eq=False, kw_only=True)
class SpanJob(Job):
    """
    A span on its way through the model.

    Args:
        bars (`tuple[int, int]`): of it.
        ticks (`tuple[int, int]`): of the file, where it begins and ends.
        asked ([`AskedPrograms`]): for it.
        take ([`Take`]): the piece until then.
        is_last (`bool`): whether no other span of the piece follows.
    """

    prompt: SpanPrompt
    bars: Bars
    ticks: Bars
    asked: AskedPrograms
    take: Take
    is_last: bool

    def takes(self, generated: Generated, processor: MidiProcessor) -> list[Take]:
        """The piece with what was generated for this span, once for each row."""
        tokenizer = processor.tokenizer
        ends = {processor.infill_ids.end, tokenizer.eos_token_id}
        rows = generated.rows(ends, tokenizer.pad_token_id)
        return [self._take(row, generated.seconds, processor) for row in rows]

    def _take(self, row: Row, seconds: float, processor: MidiProcessor) -> Take:
        new, outside = self.prompt.new_notes(row.ids, processor)
        if self.asked.solo is not None:
            for track in new.tracks:
                track.program = self.asked.solo
        replaced = replace_notes(self.take.score, *self.ticks, new, self.asked.replaced)
        span = InfilledSpan(
            self.bars,
            self.ticks,
            self.prompt,
            self.asked,
            row,
            self._stopped_by(row, processor),
            replaced,
            outside,
        )
        return Take(replaced.score, (*self.take.spans, span), self.take.seconds + seconds)

    def _stopped_by(self, row: Row, processor: MidiProcessor) -> str:
        if row.ended_by is not None:
            return "eom" if row.ended_by == processor.infill_ids.end else "eos"
        return "max_new_tokens" if len(row.ids) == self.max_new_tokens else "stopping_criteria"


@dataclass(frozen=True, eq=False)
class Infill:
    """
    A piece while it is filled in.

    Args:
        piece ([`PieceInput`]): where it comes from.
        request ([`InfillRequest`]): what is asked for.
        where ([`PieceBars`]): its bars.
        asked ([`AskedPrograms`]): for all spans.
        changed ([`Tally`]): what the tokenizer changed in it.
        seed (`int`): of the random numbers.
        takes (`tuple[Take, ...]`): the piece by now, one for each result.
        jobs (`tuple[SpanJob, ...]`): what is to be done next; none when all is done.
    """

    piece: PieceInput
    request: InfillRequest
    where: PieceBars
    asked: AskedPrograms
    changed: Tally
    seed: int
    takes: tuple[Take, ...] = ()
    jobs: tuple[SpanJob, ...] = ()

    def after(self, generated: Sequence[Generated], processor: MidiProcessor) -> Infill:
        """The piece after its jobs, with the next ones still to be found."""
        pairs = zip(self.jobs, generated, strict=True)
        takes = [take for job, each in pairs for take in job.takes(each, processor)]
        return replace(self, takes=tuple(takes), jobs=())

    @property
    def next_span(self) -> int | None:
        """The number of the span that is to be filled in next; `None` when all are."""
        done = len(self.takes[0].spans)
        return done if done < len(self.request.infill.spans) else None

    def results(self, processor: MidiProcessor) -> list[dict]:
        """The result of each take."""
        return [self._result(take) for take in self.takes]

    def _result(self, take: Take) -> dict:
        return {
            "name": self.piece.name,
            "midi": take.score,
            "infilled": _joined([span.replaced.added for span in take.spans]),
            "removed": _joined([span.replaced.removed for span in take.spans]),
            "spans": [span.as_dict() for span in take.spans],
            "changed": self.changed,
            "seed": self.seed,
            "seconds": take.seconds,
        }


def _joined(scores: Sequence[ScoreTick]) -> ScoreTick:
    """The notes of several scores in one, a track for each program."""
    joined = scores[0].copy()
    tracks = {(track.program, track.is_drum): track for track in joined.tracks}
    for track in (track for score in scores[1:] for track in score.tracks):
        key = (track.program, track.is_drum)
        if key in tracks:
            tracks[key].notes.extend(track.notes)
        else:
            joined.tracks.append(track)
            tracks[key] = joined.tracks[-1]
    return joined.sort(inplace=False)
