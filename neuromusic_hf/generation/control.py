"""Wishes about the notes to come: instruments, drums, pitches, one tempo; and their enforcement token by token."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from symusic import Note, Score, Tempo, Track
from symusic.core import ScoreTick
from transformers import LogitsProcessor

from ..grammar import GrammarLogitsProcessor, TokenGrammar
from ..music import FASTEST_TEMPO, SLOWEST_TEMPO, RefusedFile
from ..music.instruments import PROGRAM_NAMES
from ..tokenization import MidiProcessor
from ..tokenization.token_limits import DRUMS
from .clock import MusicClock
from .guarded_row import NoteIds
from .prompts import Prompt, programs_of

logger = logging.getLogger(__name__)

AS_IN_PROMPT = "prompt"
PROGRAMS_BY_NAME = {name.lower(): program for program, name in enumerate(PROGRAM_NAMES)}
PROGRAMS_BY_NAME["drums"] = DRUMS
NOT_PITCHES = {"NoteOn", "NoteOnDrum", "PitchIntervalTime", "PitchIntervalChord"}
"""Types of tokens that say pitches in another way than Pitch does."""
UNFINISHED = ("Program", "Chord", "Pitch", "PitchDrum", "Velocity")
"""Types of the tokens of a note, but for the last one."""


@dataclass(frozen=True)
class Control:
    """
    What the new notes may be.

    Args:
        instruments (`str` or sequence of `int` or `str`, *optional*):
            Programs they may be of: numbers (0 to 127, -1 for drums) or General MIDI names in any case; `"prompt"` for
            those that sound in the prompt. Any if not given.
        drums (`bool`, *optional*): drums may or may not sound, whatever `instruments` says of them.
        pitch_range (`tuple[int, int]`, *optional*): lowest and highest MIDI pitch of what is not drums.
        tempo (`float`, *optional*): one tempo for prompt and continuation, in quarter notes a minute.
        constrained (`bool`, *optional*, defaults to `True`): allow only what the tokenizer could have written.

    Raises:
        `ValueError`: an instrument has no such name or number, or the wishes contradict each other.
    """

    instruments: str | Sequence[int | str] | None = None
    drums: bool | None = None
    pitch_range: tuple[int, int] | None = None
    tempo: float | None = None
    constrained: bool = True

    def __post_init__(self):
        is_list = not isinstance(self.instruments, str) and isinstance(self.instruments, Iterable | None)
        if not is_list and self.instruments != AS_IN_PROMPT:
            raise ValueError(f"instruments={self.instruments!r} must be a list, or {AS_IN_PROMPT!r}.")
        if self.named_programs == set():
            wish = f"instruments={self.instruments} with drums={self.drums}"
            raise ValueError(f"{wish} leaves no instrument: allow one.")
        if self.pitch_range is not None and (len(self.pitch_range) != 2 or self.pitch_range[0] > self.pitch_range[1]):
            raise ValueError(f"pitch_range={self.pitch_range} must be (lowest, highest).")
        if self.tempo is not None and not SLOWEST_TEMPO <= self.tempo <= FASTEST_TEMPO:
            raise ValueError(
                f"tempo={self.tempo} must be {SLOWEST_TEMPO:.2f} to {FASTEST_TEMPO:,.0f} quarter notes a minute: a "
                "MIDI file holds no other."
            )

    @property
    def restricts(self) -> bool:
        """Whether some tokens are ruled out."""
        wishes = (self.instruments, self.drums, self.pitch_range, self.tempo)
        return any(wish is not None for wish in wishes)

    @property
    def named_programs(self) -> set[int] | None:
        """The programs that `instruments` names, with or without drums; `None` where it names none."""
        if self.instruments is None or self.instruments == AS_IN_PROMPT:
            return None
        return self.with_drums({_program(instrument) for instrument in self.instruments})

    def with_drums(self, programs: set[int]) -> set[int]:
        """`programs`, and drums or no drums where that is said."""
        if self.drums is None:
            return programs
        return programs | {DRUMS} if self.drums else programs - {DRUMS}


def _program(instrument: int | str) -> int:
    if isinstance(instrument, str) and instrument.lower() in PROGRAMS_BY_NAME:
        return PROGRAMS_BY_NAME[instrument.lower()]
    if isinstance(instrument, int) and DRUMS <= instrument < len(PROGRAM_NAMES):
        return instrument
    raise ValueError(
        f"No instrument {instrument!r}: give programs (0 to 127, -1 for drums) or General MIDI names such as "
        f"{PROGRAM_NAMES[0]!r}, 'Violin' or 'Drums'."
    )


class Controller:
    """
    Holds a model to a [`Control`].

    Args:
        processor ([`MidiProcessor`]): of the model.
        trained_programs (sequence of `int`, *optional*): the programs that the model was trained on.
    """

    def __init__(self, processor: MidiProcessor, trained_programs: Sequence[int] | None = None):
        self.processor = processor
        self.trained_programs = trained_programs
        vocabulary = [word.partition("_") for word in processor.music_tokenizer.vocab]
        self.kinds = {kind for kind, _, _ in vocabulary}
        self.programs = {int(value) for kind, _, value in vocabulary if kind == "Program"}
        self.pitches = {int(value) for kind, _, value in vocabulary if kind == "Pitch"}
        self.tempos = sorted(float(value) for kind, _, value in vocabulary if kind == "Tempo")

    @cached_property
    def grammar(self) -> TokenGrammar | None:
        """Of the tokenizer, if there are rules for it."""
        try:
            return TokenGrammar.from_processor(self.processor)
        except ValueError as error:
            logger.warning("Continuing without a grammar: %s", error)
            return None

    @cached_property
    def clock(self) -> MusicClock:
        """
        Stands at the beginning of a piece.

        Raises:
            `ValueError`: it cannot follow the tokenizer.
        """
        return MusicClock(self.processor)

    @cached_property
    def note_ids(self) -> NoteIds:
        """The ids that sound notes."""
        return NoteIds(self.processor)

    def check_instruments(self, score: ScoreTick):
        """Raises [`RefusedFile`] (`unknown_instruments`) where the model was trained on none that sound in a piece."""
        known, programs = self.trained_programs, programs_of(score)
        if known is not None and programs and not programs & set(known):
            raise RefusedFile(
                "unknown_instruments",
                f"its programs {sorted(programs)} are none of those the model was trained on, {sorted(known)}: set "
                "the program of its tracks to one of them (-1 are drums)",
            )

    def check_heard(self, programs: set[int], trained: set[int]):
        """Raises `ValueError` where the model was trained on none of the programs that are wished for."""
        if programs and not programs & trained:
            raise ValueError(
                f"The model never heard the programs {sorted(programs)}: wish for some of {sorted(trained)}."
            )

    def check(self, control: Control):
        """Raises `ValueError` where tokenizer or model cannot do what is wished."""
        if control.instruments is not None and not self.programs:
            raise ValueError(
                f"instruments={control.instruments!r} cannot be held to: this {self.processor.tokenization} writes no "
                "programs, but music of one instrument."
            )
        programs = control.named_programs or control.with_drums(set())
        if unknown := programs - self.programs:
            raise ValueError(f"The tokenizer has no tokens for the programs {sorted(unknown)}: wish for others.")
        if self.trained_programs is not None:
            self.check_heard(programs, set(self.trained_programs))
        if control.pitch_range is not None:
            low, high = control.pitch_range
            if wrong := sorted(self.kinds & NOT_PITCHES):
                raise ValueError(
                    f"pitch_range={control.pitch_range} cannot be held to: this {self.processor.tokenization} writes "
                    f"pitches as {', '.join(wrong)}."
                )
            if not any(low <= pitch <= high for pitch in self.pitches):
                raise ValueError(
                    f"pitch_range={control.pitch_range} holds no pitch of the tokenizer, which has those from "
                    f"{min(self.pitches)} to {max(self.pitches)}."
                )
        if control.tempo is not None and self.tempos and not self.tempos[0] <= control.tempo <= self.tempos[-1]:
            raise ValueError(
                f"tempo={control.tempo} is not among the tempos of the tokenizer, {self.tempos[0]:g} to "
                f"{self.tempos[-1]:g} quarter notes a minute."
            )

    def allowed_programs(self, control: Control, prompt: Prompt) -> set[int] | None:
        """
        The programs that new notes may be of after `prompt`; `None` for any.

        Raises:
            [`RefusedFile`]: there is none (`no_instruments`).
        """
        if control.instruments == AS_IN_PROMPT:
            programs = control.with_drums(prompt.programs) & self.programs
            if not programs:
                raise RefusedFile(
                    "no_instruments",
                    f"instruments='prompt' with drums={control.drums} leaves no instrument: name some, or allow drums",
                )
            return programs
        if control.named_programs is None and control.drums is not None:
            return control.with_drums(self.programs)
        return control.named_programs

    def complete_notes(self, ids: list[int]) -> list[int]:
        """`ids` without a note at their end that still lacks tokens, which might become one that is not wished for."""
        ids, words = list(ids), self.processor.base_words
        while ids and words[ids[-1]] and words[ids[-1]][-1][0] in UNFINISHED:
            ids.pop()
        return ids

    def logits_processors(self, control: Control, programs: list[set[int] | None]) -> list[LogitsProcessor]:
        """What holds a batch to `control`, whose prompts each have their [`Controller.allowed_programs`]."""
        masks = self.masks(control, programs) if control.restricts else None
        if control.constrained and self.grammar is not None:
            return [UnlessNothingIsLeft(GrammarLogitsProcessor(self.grammar, masks))]
        if masks is None:
            masks = torch.ones(len(programs), self.processor.vocab_size, dtype=torch.bool)
        return [UnlessNothingIsLeft(VocabularyMaskLogitsProcessor(masks))]

    def masks(self, control: Control, programs: list[set[int] | None]) -> torch.BoolTensor:
        """The ids that `control` leaves to prompts, which each have programs: shape `(prompts, vocabulary)`."""
        return torch.stack([self._mask(control, each) for each in programs])

    def _mask(self, control: Control, programs: set[int] | None) -> torch.BoolTensor:
        tempo = self.written_tempo(control) if self.tempos else None
        if self.grammar is not None:
            return self.grammar.vocabulary_mask(
                allowed_programs=programs, pitch_range=control.pitch_range, tempo=tempo
            )
        low, high = control.pitch_range or (0, 127)
        allows = {
            "Program": lambda value: programs is None or int(value) in programs,
            "Pitch": lambda value: low <= int(value) <= high,
            "Tempo": lambda value: tempo is None or float(value) == tempo,
        }
        words = self.processor.base_words
        return torch.tensor([all(allows[kind](value) for kind, value in ws if kind in allows) for ws in words])

    def written_tempo(self, control: Control) -> float | None:
        """The tempo that stands for the one wished for in the tokens: the one that miditok chooses."""
        if control.tempo is None or not self.tempos:
            return control.tempo
        score = Score(480)
        score.tempos = [Tempo(0, control.tempo)]
        lowest = self.processor.music_tokenizer.config.pitch_range[0]
        score.tracks.append(Track(notes=[Note(0, 480, lowest, 80)]))
        chosen = self.processor.music_tokenizer.preprocess_score(score).tempos[0].qpm  # in whole microseconds a beat
        return min(self.tempos, key=lambda tempo: abs(tempo - chosen))


class VocabularyMaskLogitsProcessor(LogitsProcessor):
    """
    Rules out ids, whatever comes before, and those that a model has beyond the vocabulary.

    Args:
        masks (`torch.BoolTensor` of shape `(prompts, vocabulary)`): ids that may be used.
    """

    def __init__(self, masks: torch.BoolTensor):
        self.masks = masks

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Scores of shape `(rows, ids)`, -inf for the ids that are ruled out; as many rows for each prompt."""
        masks = self.masks.to(scores.device).repeat_interleave(len(scores) // len(self.masks), dim=0)
        allowed = torch.zeros_like(scores, dtype=torch.bool)
        allowed[:, : masks.shape[1]] = masks
        return scores.masked_fill(~allowed, -torch.inf)


class UnlessNothingIsLeft(LogitsProcessor):
    """
    Applies a processor, save to rows of which it would leave no id at all.

    So it is where an argument of `generate()` (such as `forced_eos_token_id`) demands an id that it rules out.

    Args:
        processor ([`~transformers.LogitsProcessor`]): rules out ids.
    """

    def __init__(self, processor: LogitsProcessor):
        self.processor = processor

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Scores of shape `(rows, ids)`, as the processor gives them, or as they were."""
        left = self.processor(input_ids, scores)
        return torch.where(left.amax(dim=1, keepdim=True) == -torch.inf, scores, left)
