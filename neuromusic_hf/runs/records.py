"""What a test run records: its settings, its pieces, its manifest. The same classes are written and read back."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..bundles import ModelIdentity
from ..copying import GuardCounts
from ..disk import left_out_if_none
from ..generation.results import file_stem
from ..tokenization import PiecesTally, Tally
from .settings import ContinuationRecord, OutputRecord


@dataclass(frozen=True)
class PiecesRecord:
    """
    Which pieces a run was given.

    Attributes:
        sources (`list[str]`): files, folders and corpora.
        split (`str`, *optional*): of the corpora.
        max_items (`int`, *optional*): so many were chosen by the seed; all of them if `None`.
        number (`int`, *optional*): how many there are.
        sha256 (`str`, *optional*): over their places and bytes, in order.
        split_version (`str`, *optional*): by which corpora were split; `None` where there are none, or by themselves.
        split_shares (`tuple[float, float, float]`, *optional*): of train, validation and test, then.
        clean_test (`bool`, *optional*): whether those that have a twin in train were left out.
    """

    sources: list[str] = field(default_factory=list)
    split: str | None = None
    max_items: int | None = None
    number: int | None = None
    sha256: str | None = None
    split_version: str | None = left_out_if_none()
    split_shares: tuple[float, float, float] | None = left_out_if_none()
    clean_test: bool | None = left_out_if_none()


@dataclass(frozen=True)
class RunSettings:
    """
    What a test run was asked to do: all that decides about its results, as `settings.json` holds it.

    Attributes:
        model ([`ModelIdentity`]): that continued.
        pieces ([`PiecesRecord`]): that it was given.
        continuation ([`ContinuationRecord`], *optional*): how it continued.
        output ([`OutputRecord`]): pictures and sound.
    """

    model: ModelIdentity
    pieces: PiecesRecord = field(default_factory=PiecesRecord)
    continuation: ContinuationRecord | None = None
    output: OutputRecord = field(default_factory=OutputRecord)


@dataclass(frozen=True)
class PieceFiles:
    """
    Names of the files of a continued piece, in the folder of the run; those it does not have are `None`.

    Attributes:
        prompt (`str`): what was continued; MIDI, as the next three.
        generated (`str`): the continuation alone, from the bar it begins in.
        original (`str`): how the piece itself goes on, from there.
        full (`str`, *optional*): prompt and continuation.
        tokens (`str`, *optional*): the generated ids.
        picture (`str`, *optional*): a piano roll, PNG.
        audio (`str`, *optional*): prompt and continuation, WAV.
    """

    prompt: str
    generated: str
    original: str
    full: str | None = left_out_if_none()
    tokens: str | None = left_out_if_none()
    picture: str | None = left_out_if_none()
    audio: str | None = left_out_if_none()


@dataclass(frozen=True)
class NoteCounts:
    """How many notes the MIDI files of a continued piece hold, by the names of [`PieceFiles`]."""

    prompt: int
    generated: int
    original: int
    full: int | None = None


class Labelled:
    """What has an index in its run and a name: how it is called."""

    index: int
    name: str

    @property
    def label(self) -> str:
        """As of [`piece_label`]."""
        return piece_label(self.index, self.name)

    @property
    def stem(self) -> str:
        """As of [`piece_stem`]."""
        return piece_stem(self.index, self.name)


@dataclass(frozen=True, kw_only=True)
class PieceRecord(Labelled):
    """
    A continued piece.

    Attributes:
        index (`int`): in the run, from 0.
        name (`str`): of the piece; others may have it too.
        files ([`PieceFiles`]): its files.
        prompt_tokens (`int`, *optional*): ids of the prompt.
        generated_tokens (`int`, *optional*): ids that were generated.
        original_tokens (`int`, *optional*): ids of how the piece itself goes on.
        notes ([`NoteCounts`]): in its files.
        ended_with_eos (`bool`, *optional*): whether the model ended the piece itself.
        entropy_nats (`float`, *optional*): mean over the steps, of the distribution that was sampled from.
        changed ([`Tally`], *optional*): what the tokenizer changed in the whole piece.
        seed (`int`, *optional*): of the sampling.
        seconds (`float`, *optional*): its batch took, divided by its pieces.
        copy_guard ([`GuardCounts`], *optional*): what the copy guard did, if there was one.
        not_rendered (`dict[str, str]`, *optional*): the class of the error, of each of its files (`picture`, `audio`)
            that could not be rendered.
    """

    index: int
    name: str
    files: PieceFiles
    prompt_tokens: int | None = None
    generated_tokens: int | None = None
    original_tokens: int | None = None
    notes: NoteCounts
    ended_with_eos: bool | None = None
    entropy_nats: float | None = None
    changed: Tally | None = None
    seed: int | None = None
    seconds: float | None = None
    copy_guard: GuardCounts | None = left_out_if_none()
    not_rendered: dict[str, str] | None = left_out_if_none()

    def groups_of_files(self) -> Iterator[PieceFiles]:
        """Names of all its files."""
        yield self.files


@dataclass(frozen=True)
class LeftOutRecord(Labelled):
    """
    A piece that was left out.

    Attributes:
        index (`int`): in the run, from 0.
        name (`str`): of the piece.
        reason (`str`): in a word, as of [`RefusedFile`].
        detail (`str`): what is wrong with it.
    """

    index: int
    name: str
    reason: str
    detail: str


class RunSums:
    """What has all records of a finished run: what they come to."""

    verb: ClassVar[str]
    """What was done with the pieces, as a participle of the past."""
    settings: Any
    pieces: Sequence[Any]
    pieces_left_out: list[LeftOutRecord]

    @property
    def left_out(self) -> dict[str, int]:
        """How many pieces were left out, by reason."""
        return dict(Counter(piece.reason for piece in self.pieces_left_out))

    @property
    def changed_by_tokenizer(self) -> PiecesTally:
        """What the tokenizer changed in the pieces that were not left out."""
        return tally_of(self.pieces)

    @property
    def sums(self) -> dict[str, Any]:
        """More that the pieces come to, by name."""
        return {}

    def check_any(self) -> None:
        """
        Refuses a run in which every piece was left out: there is nothing to look at, or to score.

        Raises:
            `ValueError`: with a piece of each reason, and what it says of it.
        """
        if self.pieces:
            return
        first = {piece.reason: piece for piece in reversed(self.pieces_left_out)}
        reasons = [
            f"{reason} ({count}, as {first[reason].label}: {first[reason].detail})"
            for reason, count in sorted(self.left_out.items())
        ]
        raise ValueError(f"No piece was {self.verb}. Left out: {'; '.join(reasons)}.")

    def to_dict(self) -> dict[str, Any]:
        """What its file holds: the sums that people look for first, too."""
        return {
            "settings": self.settings,
            self.verb: len(self.pieces),
            "left_out": self.left_out,
            **self.sums,
            "changed_by_tokenizer": self.changed_by_tokenizer,
            "pieces": self.pieces,
            "pieces_left_out": self.pieces_left_out,
        }


@dataclass(frozen=True)
class Manifest(RunSums):
    """
    All that a finished test run recorded, as `manifest.json` holds it.

    Attributes:
        settings ([`RunSettings`]): what it was asked to do.
        pieces (list of [`PieceRecord`]): that were continued, in order.
        pieces_left_out (list of [`LeftOutRecord`]): that were not, in order.
    """

    verb: ClassVar[str] = "continued"
    settings: RunSettings
    pieces: list[PieceRecord]
    pieces_left_out: list[LeftOutRecord]

    @property
    def sums(self) -> dict[str, Any]:
        """What the copy guard did in all pieces, if there was one."""
        guarded = guarded_counts(self.pieces)
        return {} if guarded is None else {"copy_guard": guarded}


def guarded_counts(records: Iterable[PieceRecord]) -> GuardCounts | None:
    """What the copy guard did in the pieces of a run; `None` where there was none."""
    counts = [record.copy_guard for record in records if record.copy_guard is not None]
    return GuardCounts.sum(counts) if counts else None


def piece_label(index: int, name: str) -> str:
    """How a piece is reported, such as `003 Love For Love`: names may repeat, indices do not."""
    return f"{index:03d} {name}"


def piece_stem(index: int, name: str) -> str:
    """How the names of a piece's files begin: its index in the run, and what of its name every file system takes."""
    return f"{index:03d}_{file_stem(name)}"


def tally_of(records: Iterable[Any]) -> PiecesTally:
    """What the tokenizer changed in the pieces of a run; those whose record does not say it are left out."""
    return PiecesTally.of({record.label: record.changed for record in records if record.changed is not None})
