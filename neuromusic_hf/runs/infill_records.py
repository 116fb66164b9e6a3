"""What a run of infills records: its settings, its pieces and takes of them, its manifest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..bundles import ModelIdentity
from ..disk import left_out_if_none
from ..tokenization import Tally
from .infill_settings import InfillingRecord
from .records import Labelled, LeftOutRecord, PiecesRecord, RunSums
from .settings import OutputRecord

COMPLETE = "eom"
"""What stops a span that is complete."""


@dataclass(frozen=True)
class InfillRunSettings:
    """
    What a run of infills was asked to do: all that decides about its results, as `settings.json` holds it.

    Attributes:
        model ([`ModelIdentity`]): that infilled.
        pieces ([`PiecesRecord`]): that it was given.
        infilling ([`InfillingRecord`]): how.
        output ([`OutputRecord`]): pictures and sound.
    """

    model: ModelIdentity
    pieces: PiecesRecord
    infilling: InfillingRecord
    output: OutputRecord = field(default_factory=OutputRecord)


@dataclass(frozen=True)
class OriginalFiles:
    """
    Names of the files of a piece as it was given, in the folder of the run.

    Attributes:
        original (`str`): the file as it was given.
        removed (`str`): the notes that were taken out of it, at their place, MIDI.
        audio (`str`, *optional*): what is around the spans, WAV.
    """

    original: str
    removed: str
    audio: str | None = left_out_if_none()


@dataclass(frozen=True)
class TakeFiles:
    """
    Names of the files of a take, in the folder of the run.

    Attributes:
        infilled (`str`): the whole piece with the new notes, MIDI.
        new (`str`): the new notes alone, at their place, MIDI.
        tokens (`str`): the ids that were generated, a line for each span.
        picture (`str`, *optional*): a piano roll around the spans, PNG.
        audio (`str`, *optional*): what is around the spans, WAV.
    """

    infilled: str
    new: str
    tokens: str
    picture: str | None = left_out_if_none()
    audio: str | None = left_out_if_none()


@dataclass(frozen=True)
class SpanRecord:
    """
    A span that was infilled.

    Attributes:
        bars (`tuple[int, int]`): the first and the end (exclusive), from 0.
        ticks (`tuple[int, int]`): where they begin and end in the file.
        seconds (`tuple[float, float]`): likewise.
        programs (`list[int]`, *optional*): MIDI programs that were replaced, -1 for drums; all tracks if `None`.
        removed_notes (`int`): that were taken out.
        new_notes (`int`): that came in their place.
        shortened (`int`): new notes that end where another one of their pitch begins.
        moved (`int`): new notes that begin a tick before the end, to which they are nearest.
        left_out (`dict[str, int]`): notes that were generated and are not in the file, by reason.
        prompt_tokens (`int`): ids of what the model read.
        generated_tokens (`int`): ids that it wrote.
        stopped_by (`str`): what ended it: `"eom"` where the model ended it itself, or what was reached.
        entropy_nats (`float`, *optional*): mean over the steps, of the distribution that was sampled from.
        kept (`list[int]`): MIDI programs that sound in the piece and stayed, as the model never heard them.
    """

    bars: tuple[int, int]
    ticks: tuple[int, int]
    seconds: tuple[float, float]
    programs: list[int] | None
    removed_notes: int
    new_notes: int
    shortened: int
    moved: int
    left_out: dict[str, int]
    prompt_tokens: int
    generated_tokens: int
    stopped_by: str
    entropy_nats: float | None = None
    kept: list[int] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether the model came to its end."""
        return self.stopped_by == COMPLETE


@dataclass(frozen=True)
class TakeRecord:
    """
    One way in which a piece was infilled.

    Attributes:
        files ([`TakeFiles`]): its files.
        spans (list of [`SpanRecord`]): in order.
        seed (`int`): of the sampling.
        seconds (`float`): its batch took, divided by its pieces.
        cut_when_read (`int`):
            Notes that last longer than [`SanityLimits`] allow: the file holds them whole, and [`read_midi`] cuts them.
        not_rendered (`dict[str, str]`, *optional*): the class of the error, of each of its files (`picture`, `audio`)
            that could not be rendered.
    """

    files: TakeFiles
    spans: list[SpanRecord]
    seed: int
    seconds: float
    cut_when_read: int
    not_rendered: dict[str, str] | None = left_out_if_none()


@dataclass(frozen=True, kw_only=True)
class InfillRecord(Labelled):
    """
    An infilled piece.

    Attributes:
        index (`int`): in the run, from 0.
        name (`str`): of the piece; others may have it too.
        files ([`OriginalFiles`]): of the piece itself.
        takes (list of [`TakeRecord`]): at least one.
        changed ([`Tally`], *optional*): what the tokenizer changed in the piece that it told to the model.
        not_rendered (`dict[str, str]`, *optional*): the class of the error, of each of its files (`audio`)
            that could not be rendered.
    """

    index: int
    name: str
    files: OriginalFiles
    takes: list[TakeRecord]
    changed: Tally | None = None
    not_rendered: dict[str, str] | None = left_out_if_none()

    def groups_of_files(self) -> Iterator[OriginalFiles | TakeFiles]:
        """Names of all its files."""
        yield self.files
        yield from (take.files for take in self.takes)


@dataclass(frozen=True)
class InfillManifest(RunSums):
    """
    All that a finished run of infills recorded, as `manifest.json` holds it.

    Attributes:
        settings ([`InfillRunSettings`]): what it was asked to do.
        pieces (list of [`InfillRecord`]): that were infilled, in order.
        pieces_left_out (list of [`LeftOutRecord`]): that were not, in order.
    """

    verb: ClassVar[str] = "infilled"
    settings: InfillRunSettings
    pieces: list[InfillRecord]
    pieces_left_out: list[LeftOutRecord]

    @property
    def complete(self) -> int:
        """How many spans are complete, of all takes of all pieces."""
        return sum(span.is_complete for span in self._spans())

    @property
    def incomplete(self) -> dict[str, int]:
        """How many are not, by what ended them."""
        return dict(Counter(span.stopped_by for span in self._spans() if not span.is_complete))

    @property
    def kept_parts(self) -> int:
        """In how many parts stayed that the model never heard."""
        return sum(bool(span.kept) for span in self._spans())

    @property
    def sums(self) -> dict[str, Any]:
        """How many spans are complete, how many not, by what ended them, and in how many parts stayed."""
        spans = {"complete": self.complete, "incomplete": self.incomplete, "kept_parts": self.kept_parts}
        return {"spans": spans}

    def _spans(self) -> Iterator[SpanRecord]:
        return (span for piece in self.pieces for take in piece.takes for span in take.spans)
