"""What is continued: the beginning or the end of a piece as ids, and how the piece goes on."""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from symusic import Score, Tempo
from symusic.core import ScoreTick

from ..music import (
    DEFAULT_TEMPO,
    RefusedFile,
    TempoMap,
    bar_starts,
    excerpt,
    gather_notes,
    new_music,
    onsets,
    seconds_at,
)
from ..tokenization import MidiProcessor, Tally
from .unread import Unread

LENGTHS = ("prompt_length", "prompt_seconds", "prompt_bars")


@dataclass(frozen=True)
class PromptSettings:
    """
    How much of a piece is the prompt: the whole piece, as far as a model reads it, or so many tokens, seconds or bars.

    Args:
        prompt_length (`int`, *optional*):
            Tokens. From the start: the first ones, BOS counted. From the end: as many bars as fit, else onsets.
        prompt_seconds (`float`, *optional*):
            Seconds. From the start: notes that begin before. From the end, counted from the end of the last note: as
            many bars as fit, else onsets.
        prompt_bars (`int`, *optional*):
            Bars, the first ones or the last ones that hold an onset.
        prompt_from (`str`, *optional*, defaults to `"start"`):
            `"start"` or `"end"` of the piece. A prompt from the end begins without BOS, which marks a real beginning,
            unless it is the whole piece.
        original_length (`int`, *optional*):
            Tokens to keep, at most, of how the piece goes on after the prompt; all if not given.
        original_required (`bool`, *optional*, defaults to `False`):
            Refuse a piece that does not go on after the prompt (`too_short`): there is nothing to compare with.

    Notes are never shortened: those that sound on past the prompt's end are in it whole.

    Raises:
        `ValueError`: more than one length is given, one is not positive, or `prompt_from` is unknown.
    """

    prompt_length: int | None = None
    prompt_seconds: float | None = None
    prompt_bars: int | None = None
    prompt_from: str = "start"
    original_length: int | None = None
    original_required: bool = False

    def __post_init__(self):
        given = {name: value for name in LENGTHS if (value := getattr(self, name)) is not None}
        if len(given) > 1:
            raise ValueError(f"Give one of {' and '.join(given)}, not both.")
        for name, value in given.items():
            if not value > 0 or (name != "prompt_seconds" and value != int(value)):
                raise ValueError(
                    f"{name}={value} must be {'above 0' if name == 'prompt_seconds' else '1 or more'}; to begin "
                    "from nothing, give no piece."
                )
        if self.prompt_from not in ("start", "end"):
            raise ValueError(f"prompt_from={self.prompt_from!r} must be 'start' or 'end'.")
        if self.original_length is not None and self.original_length < 0:
            raise ValueError(f"original_length={self.original_length} must not be negative.")

    @property
    def is_whole_piece(self) -> bool:
        """Whether no length is asked for."""
        return all(getattr(self, name) is None for name in LENGTHS)


@dataclass(frozen=True)
class Prompt:
    """
    What is continued.

    Args:
        name (`str`): of the piece.
        ids (`list[int]`): BOS (at a real beginning) and the prompt.
        score ([`symusic.Score`]): what `ids` decode to.
        tempo ([`PieceTempo`]): of it and of what follows.
        original_ids (`list[int]`): how the piece goes on.
        original ([`symusic.Score`]): the notes of that, from the bar in which they begin.
        changed ([`Tally`]): what the tokenizer changed in the whole piece.
        unread ([`Unread`], *optional*): what precedes it, of a piece of which only the end could be read.
    """

    name: str
    ids: list[int]
    score: ScoreTick
    tempo: "PieceTempo"
    original_ids: list[int]
    original: ScoreTick
    changed: Tally = field(default_factory=Tally)
    unread: Unread | None = None

    @property
    def programs(self) -> set[int]:
        """MIDI programs that sound in it, -1 for drums."""
        return programs_of(self.score)


@dataclass(frozen=True)
class PieceTempo:
    """
    The tempo of a piece.

    Args:
        qpm (`float`, *optional*, defaults to 120): quarter notes a minute until tokens say otherwise.
        fixed (`bool`, *optional*, defaults to `False`): it stays so, whatever tokens say.
    """

    qpm: float = DEFAULT_TEMPO
    fixed: bool = False

    def decode(self, ids: list[int], processor: MidiProcessor) -> ScoreTick:
        """Decodes ids at this tempo."""
        score = processor.decode(ids, default_tempo=self.qpm)
        if self.fixed:
            score.tempos = [Tempo(0, self.qpm)]
        return score


def programs_of(score: ScoreTick) -> set[int]:
    """MIDI programs of the tracks that have notes, -1 for drums."""
    return {-1 if track.is_drum else track.program for track in score.tracks if len(track.notes)}


def empty_prompt(name: str, processor: MidiProcessor, tempo: float | None = None) -> Prompt:
    """The prompt of a piece that begins from nothing: BOS."""
    nothing = Score(processor.music_tokenizer.time_division)
    tempo = PieceTempo() if tempo is None else PieceTempo(tempo, fixed=True)
    return Prompt(name, [processor.tokenizer.bos_token_id], nothing, tempo, [], nothing)


class PromptMaker:
    """
    Cuts prompts from pieces.

    Args:
        processor ([`MidiProcessor`]): encodes them.
        settings ([`PromptSettings`]): where to cut.
        tempo (`float`, *optional*): write pieces at this one tempo, in quarter notes a minute.
        trim (callable, *optional*): what may take ids from the end of a prompt.
        most (`int`, *optional*):
            Tokens that a prompt may have of which no length is asked for, any number if not given. Of a longer
            piece the prompt is the end: as many bars as fit, else onsets; what precedes it is the prompt's `unread`.
    """

    def __init__(
        self,
        processor: MidiProcessor,
        settings: PromptSettings,
        *,
        tempo: float | None = None,
        trim: Callable[[list[int]], list[int]] | None = None,
        most: int | None = None,
    ):
        self.processor = processor
        self.is_fitted = most is not None and settings.is_whole_piece and not settings.original_required
        self.settings = replace(settings, prompt_length=most, prompt_from="end") if self.is_fitted else settings
        self.tempo = tempo
        self.trim = trim or list

    def make(self, name: str, score: ScoreTick) -> Prompt:
        """
        Makes the prompt of a piece.

        Raises:
            [`RefusedFile`]: the piece, or the part asked for, has no note that the tokenizer keeps (`no_notes`), or
                its last onset alone is longer than asked for (`prompt_too_long`).
        """
        if self.tempo is not None:
            score = score.copy()
            score.tempos = [Tempo(0, self.tempo)]
        piece = self.processor.quantise(score)
        if piece.note_num() == 0:
            raise RefusedFile("no_notes", f"{self.processor.tokenization} keeps no note of it")
        cut = self._from_end if self.settings.prompt_from == "end" else self._from_start
        return replace(cut(name, piece), changed=self.processor.tally_quantised(score, piece))

    def _from_start(self, name: str, piece: ScoreTick) -> Prompt:
        whole = [self.processor.tokenizer.bos_token_id, *self._encode(piece)]
        end = self._end(piece)
        if end is None:
            ids = self.trim(whole[: self.settings.prompt_length])
            shared = len(ids)
        else:
            beginning = excerpt(piece, 0, end)
            if beginning.note_num() == 0:
                raise RefusedFile("no_notes", f"no note begins in the first {self._wanted()}: make the prompt longer")
            ids = [whole[0], *self._encode(beginning)]
            shared = _shared_length(ids, whole)
        if self.settings.original_required and shared == len(whole):
            raise RefusedFile("too_short", f"{len(whole)} tokens, and the prompt alone takes them")
        length = self.settings.original_length
        original_ids = whole[shared:] if length is None else whole[shared : shared + length]
        return self._prompt(name, piece, ids, whole[:shared], original_ids)

    def _from_end(self, name: str, piece: ScoreTick) -> Prompt:
        start = self._start(piece)
        if start is None:
            ids = [self.processor.tokenizer.bos_token_id, *self._encode(piece)]
            return self._prompt(name, piece, ids, ids, [])
        end = excerpt(piece, start)
        ids = self._encode(end)
        prompt = self._prompt(name, end, ids, ids, [])
        return replace(prompt, unread=self._unread(piece, start)) if self.is_fitted else prompt

    def _unread(self, piece: ScoreTick, end: int) -> Unread:
        ticks_per_quarter = self.processor.music_tokenizer.time_division  # of all that is decoded
        before = excerpt(piece, 0, end).resample(ticks_per_quarter)
        if self.tempo is not None:
            before.tempos = [Tempo(0, self.tempo)]
        return Unread(before, end * ticks_per_quarter // piece.tpq)

    def _prompt(self, name, piece: ScoreTick, ids: list[int], before: list[int], original_ids: list[int]) -> Prompt:
        tempo = PieceTempo(piece.tempos[0].qpm) if piece.tempos else PieceTempo()
        if self.tempo is not None:
            tempo = PieceTempo(self.tempo, fixed=True)
        score, original = (tempo.decode(tokens, self.processor) for tokens in (ids, before + original_ids))
        return Prompt(name, ids, score, tempo, original_ids, new_music(original, score))

    def _encode(self, piece: ScoreTick) -> list[int]:
        return self.processor.encode_quantised(piece)

    def _wanted(self) -> str:
        settings = self.settings
        if settings.prompt_seconds is not None:
            return f"{settings.prompt_seconds:g} seconds"
        return f"{settings.prompt_bars} bars"

    def _end(self, piece: ScoreTick) -> int | None:
        """The tick where a prompt from the start ends; `None` where tokens decide, or nothing does."""
        if self.settings.prompt_bars is not None:
            bars = bar_starts(piece)
            return int(bars[self.settings.prompt_bars]) if self.settings.prompt_bars < len(bars) else None
        if self.settings.prompt_seconds is not None:
            ticks = onsets(piece)
            later = ticks[seconds_at(piece, ticks) >= self.settings.prompt_seconds]
            return int(later[0]) if len(later) else None
        return None

    def _start(self, piece: ScoreTick) -> int | None:
        """The tick where a prompt from the end begins; `None` where it is the whole piece."""
        settings, bars, notes = self.settings, bar_starts(piece), onsets(piece)
        if settings.prompt_bars is not None:
            start = bars[-settings.prompt_bars] if settings.prompt_bars < len(bars) else 0
            return int(start) if start > notes[0] else None
        if settings.prompt_length is not None:
            if 1 + len(self._encode(piece)) <= settings.prompt_length:
                return None
            return self._earliest(bars, notes, lambda tick: self._fits(excerpt(piece, tick)))
        if settings.prompt_seconds is not None:
            tempos = TempoMap.of(piece)
            end = tempos.to_seconds(gather_notes(piece).end.max())
            if end <= settings.prompt_seconds:
                return None
            return self._earliest(bars, notes, lambda tick: end - tempos.to_seconds(tick) <= settings.prompt_seconds)
        return None

    def _fits(self, part: ScoreTick) -> bool:
        return len(self._encode(part)) <= self.settings.prompt_length

    def _earliest(self, bars: np.ndarray, notes: np.ndarray, fits) -> int:
        """The first bar after the beginning that fits, else the first onset."""
        bars = bars[bars > notes[0]]
        starts = [*bars.tolist(), *notes[notes > max(notes[0], bars[-1] if len(bars) else 0)].tolist()]
        index = bisect_left(starts, True, key=fits)
        if index == len(starts):
            wanted = self.settings.prompt_length
            wanted = self._wanted() if wanted is None else f"{wanted} tokens"
            advice = "ask for fewer new ones (max_new_tokens)" if self.is_fitted else "allow more"
            raise RefusedFile("prompt_too_long", f"its last onset alone is longer than {wanted}: {advice}")
        return starts[index]


def _shared_length(ids: list[int], whole: list[int]) -> int:
    """How many ids two sequences begin with alike."""
    pairs = enumerate(zip(ids, whole, strict=False))
    return next((index for index, (one, other) in pairs if one != other), min(len(ids), len(whole)))
