"""Which notes are cut out of a span, and what new ones may be."""

import functools
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from symusic.core import ScoreTick
from transformers import LogitsProcessor

from ..grammar import TokenGrammar
from ..infilling import MiddleGrammar
from ..music import RefusedFile
from ..music.instruments import name_programs
from ..tokenization.token_limits import DRUMS
from .control import Control, Controller, UnlessNothingIsLeft, VocabularyMaskLogitsProcessor
from .infill_prompts import SpanPrompt
from .prompts import programs_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class AskedPrograms:
    """
    The programs that a span is filled with, -1 for drums.

    Args:
        told (`frozenset[int]`, *optional*): that the model is told to write; all tracks if `None`.
        replaced (`frozenset[int]`, *optional*): whose notes are taken out of the file; all if `None`.
        allowed (`set[int]`, *optional*): that new notes may be of; any if `None`.
        kept (`frozenset[int]`): that sound in it and stay, as the model cannot write them.
        solo (`int`, *optional*): that new notes get from a tokenizer that tells no programs apart.
    """

    told: frozenset[int] | None = None
    replaced: frozenset[int] | None = None
    allowed: set[int] | None = None
    kept: frozenset[int] = frozenset()
    solo: int | None = None


class InfillController(Controller):
    """Holds a model to a span and to a [`Control`]."""

    @property
    def writable(self) -> set[int]:
        """The programs that the tokenizer has, as far as the model was trained on them."""
        trained = self.trained_programs
        return self.programs if trained is None else self.programs & set(trained)

    def check_heard(self, programs: set[int], trained: set[int]):
        """Raises `ValueError` where the model was not trained on each program that is wished for."""
        if unheard := programs - trained:
            raise ValueError(
                f"The model never heard the programs {sorted(unheard)}: wish for some of {sorted(trained)}."
            )

    def asked_programs(self, control: Control, score: ScoreTick) -> AskedPrograms:
        """
        What of a piece is asked for.

        Where that is all that sounds in it, the model is not told programs, as where whole bars are asked for. Drums
        without other `instruments` are asked for beside, or left out of, what sounds. What sounds and cannot be
        written is not asked for, and stays: the model is told the other programs, as if they were named.

        Raises:
            [`RefusedFile`]: it is nothing (`no_instruments`), or nothing that the model was trained on
                (`unknown_instruments`), or the tokenizer tells no programs apart, and the piece has several
                (`several_instruments`).
        """
        sounding = programs_of(score)
        if not self.programs:
            return self._solo(sounding - {DRUMS})
        if sounding <= self.writable:
            if control.instruments is None and control.drums is False and DRUMS not in sounding:
                return AskedPrograms(allowed=self.programs - {DRUMS})
            if control.instruments is None and control.drums is None:
                return AskedPrograms()
        named = control.named_programs
        wished = control.with_drums(sounding) if named is None else named
        asked, kept = wished & self.writable, frozenset(wished - self.writable)
        if not asked:
            self._refuse(control, kept)
        if kept:
            _tell_of_kept(kept)
        told = None if asked == sounding else frozenset(asked)
        return AskedPrograms(told, frozenset(asked), asked, kept)

    def _refuse(self, control: Control, unheard: Collection[int]):
        if not unheard:
            raise RefusedFile(
                "no_instruments",
                f"instruments={control.instruments!r} with drums={control.drums} leaves no instrument: name some, or "
                "allow drums",
            )
        raise RefusedFile(
            "unknown_instruments",
            f"of its programs {sorted(unheard)} are asked for, none of those that the model can write, "
            f"{sorted(self.writable)}: name some of these",
        )

    def _solo(self, programs: set[int]) -> AskedPrograms:
        if len(programs) > 1:
            raise RefusedFile(
                "several_instruments",
                f"its programs are {sorted(programs)}, and this {self.processor.tokenization} tells none apart: give "
                "a piece of one, or take a model whose tokenizer writes programs",
            )
        return AskedPrograms(replaced=frozenset(programs) or None, solo=min(programs, default=0))

    @cached_property
    def middles(self) -> MiddleGrammar | None:
        """The grammar of spans, if there are rules for the tokenizer."""
        try:
            return MiddleGrammar(self.processor)
        except ValueError as error:
            logger.warning("Filling in without a grammar: %s", error)
            return None

    @cached_property
    def grammar(self) -> TokenGrammar | None:
        """Of the tokenizer, if there are rules for it."""
        return None if self.middles is None else self.middles.grammar

    def span_processors(
        self,
        control: Control,
        prompts: Sequence[SpanPrompt],
        programs: list[set[int] | None],
        max_new_tokens: int | None = None,
    ) -> list[LogitsProcessor]:
        """What holds a batch to the ends of its spans and to `control`, each prompt to the programs of new notes."""
        restricts = control.pitch_range is not None or any(each is not None for each in programs)
        masks = self.masks(control, programs) if restricts else None
        if control.constrained and self.middles is not None:
            frames = [self.middles.frame(prompt.piece, prompt.cut) for prompt in prompts]
            return [UnlessNothingIsLeft(self.middles.logits_processor(frames, masks, max_new_tokens))]
        allowed = torch.ones(len(prompts), self.processor.vocab_size, dtype=torch.bool)
        if masks is not None:
            allowed[:, : masks.shape[1]] = masks
        return [UnlessNothingIsLeft(VocabularyMaskLogitsProcessor(allowed))]


@functools.cache
def _tell_of_kept(programs: frozenset[int]):
    logger.warning(
        "The model never heard %s (programs %s): these parts stay as they are, and the others are filled in. "
        "(Said once; spans name them as kept.)",
        name_programs(programs),
        sorted(programs),
    )
