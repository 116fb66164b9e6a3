"""The grammar of a tokenizer compiled to tensors: the ids that may come next, for a whole batch at once."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..tokenization.processing_midi import MidiProcessor
from .automata import check_supported, write_automata
from .automaton import Automaton, AutomatonTables
from .base_tokens import BaseTokens
from .note_limits import NoteLimits, later_checks
from .note_rules import NoteRules
from .onset_walk import OnsetWalk, walk_onsets
from .programs import CURRENT, Programs
from .vocabulary_mask import mask_vocabulary


@dataclass(frozen=True)
class GrammarState:
    """
    Where each row of a batch is.

    Args:
        places (`torch.LongTensor` of shape `(batch, automata)`): the state of each automaton, as a row of the tables.
        floors (`torch.FloatTensor` of shape `(batch, slots)`): what programs may still sound at the onset.
    """

    places: torch.Tensor
    floors: torch.Tensor

    def select(self, rows: torch.LongTensor) -> "GrammarState":
        """The state of other rows."""
        return GrammarState(self.places[rows], self.floors[rows])


@dataclass(frozen=True, eq=False, repr=False)
class TokenGrammar:
    """
    The language of a tokenizer's encoding, compiled to tensors. Make one with [`TokenGrammar.from_processor`].

    It is miditok's graph of token types, and what the graph cannot say:

    - a piece begins as every piece does (REMI: Bar, TimeSig, Position_0, Tempo), and ends, with EOS, after a complete
      note or a change of tempo or meter;
    - REMI: positions go up in a bar and stay inside it. TSD: meters change where a bar begins, and a gap is written
      with the longest time shift that fits, again and again;
    - tempos differ from the one before, and so do the meters of TSD;
    - at one onset each program comes once, with a chord at most and then its notes, pitches going up: no note comes
      twice, and drums have drum pitches.

    Everything that miditok encodes is legal. What is legal has no error by `tokens_errors`, never leads to where no
    token is legal, and encodes again, once decoded, to the same music in the same order of time. To the same tokens,
    but for two things that decoding does not keep: the order of programs at an onset, which is the order of a file's
    tracks (see `ascending_programs`), and Chord tokens, which are derived from notes that come later.

    An id of a trained vocabulary is legal where its whole expansion to base tokens is.

    Args:
        tokens ([`BaseTokens`]): of the tokenizer.
        programs ([`Programs`]): of the tokenizer.
        walks (sequence of [`OnsetWalk`]): one an id.
        automata ([`AutomatonTables`]):
            Over ids. The last one keeps the program named last at the onset; what it allows depends on the mask, and
            it has as many rows for each, all those of a mask together.
        notes ([`NoteRules`]): rules of the notes of an onset.
        limits ([`NoteLimits`]): of those rules, by the ids that may be used.
        masks (`torch.BoolTensor` of shape `(masks, vocabulary)`, *optional*): ids that may be used.
    """

    tokens: BaseTokens
    programs: Programs
    walks: Sequence[OnsetWalk]
    automata: AutomatonTables
    notes: NoteRules
    limits: NoteLimits
    masks: torch.Tensor | None = None

    @classmethod
    def from_processor(cls, processor: MidiProcessor, *, ascending_programs: bool = False) -> "TokenGrammar":
        """
        Compiles the grammar of a processor.

        Args:
            processor ([`MidiProcessor`]): of REMI, TSD or Structured, its vocabulary trained or not.
            ascending_programs (`bool`, *optional*, defaults to `False`):
                Programs come in ascending order at every onset, drums last, so that a decoded piece, its tracks in
                that order, encodes to the same tokens. Music from files whose tracks have another order breaks this.

        Raises:
            `ValueError`: there are no rules for this tokenizer, or for a setting of its config.
        """
        check_supported(processor.music_tokenizer)
        tokens = BaseTokens.from_processor(processor)
        programs = Programs(tokens)
        walks = walk_onsets(tokens, programs, ascending=ascending_programs)
        limits = NoteLimits.compile(walks, programs, tokens.music[None])
        automata = [rule.over_vocabulary(tokens) for rule in write_automata(processor.music_tokenizer, tokens)]
        automata[0].legal[:, ~_written(tokens)] = False
        naming = Automaton(_program_named_last(walks, programs), later_checks(walks, limits.top.numpy())[0])
        return cls(
            tokens=tokens,
            programs=programs,
            walks=walks,
            automata=AutomatonTables.stack([*automata, naming], begin=[*(0 for _ in automata), programs.unnamed]),
            notes=NoteRules.compile(walks, programs.slots),
            limits=limits,
        )

    @property
    def vocab_size(self) -> int:
        """Number of miditok's ids."""
        return self.automata.legal.shape[1]

    @property
    def device(self) -> torch.device:
        """Where its tensors are."""
        return self.automata.legal.device

    def vocabulary_mask(
        self,
        *,
        allowed_programs: Collection[int] | None = None,
        drums: bool | None = None,
        pitch_range: tuple[int, int] | None = None,
        tempo: float | None = None,
    ) -> torch.BoolTensor:
        """
        The ids that restrict a piece to some programs and pitches, or to one tempo: those that expand to no other.

        Args:
            allowed_programs (collection of `int`, *optional*): MIDI programs, 0 to 127, and -1 for drums.
            drums (`bool`, *optional*): with or without drums, whatever `allowed_programs` says.
            pitch_range (`tuple[int, int]`, *optional*):
                Lowest and highest pitch of what is not drums (of drums too where they have no PitchDrum tokens).
            tempo (`float`, *optional*): in quarter notes a minute, of a Tempo token.

        Returns:
            `torch.BoolTensor` of shape `(vocabulary,)`, on the grammar's device.

        Raises:
            `ValueError`: no program or no pitch is left, or there is no token for a program or the tempo.
        """
        mask = mask_vocabulary(self.tokens, allowed_programs, drums, pitch_range, tempo)
        return torch.from_numpy(mask).to(self.device)

    def restricted(self, masks: torch.BoolTensor) -> "TokenGrammar":
        """
        The same grammar without some ids, still without dead ends.

        Where only ids that the mask leaves out could go on, as after a prompt that ends amid a note of a program that
        is not allowed, they are allowed for that step.

        Args:
            masks (`torch.BoolTensor` of shape `(vocabulary,)` or `(masks, vocabulary)`):
                Ids that may be used, as from [`TokenGrammar.vocabulary_mask`], in one way or in several, among which
                [`TokenGrammar.legal`] chooses for each row. Each must leave some of every type of base token that the
                tokenizer cannot do without.
        """
        masks = torch.atleast_2d(masks) if self.masks is None else masks & self.masks
        limits = NoteLimits.compile(self.walks, self.programs, self._left_columns(masks.cpu().numpy()))
        checks = torch.from_numpy(later_checks(self.walks, limits.top.numpy())).flatten(0, 1)
        others = self.automata.legal[: self.automata.begin[-1] - self.programs.unnamed]
        automata = replace(self.automata, legal=torch.cat([others, checks.to(others)]))
        return replace(self, automata=automata, limits=limits.to(self.device), masks=masks.to(self.device))

    def _left_columns(self, masks: np.ndarray) -> np.ndarray:
        """The base tokens that ids of each mask begin with: `bool` of shape `(masks, columns)`."""
        rows, ids = np.nonzero(masks & self.tokens.usable)
        columns = np.zeros((len(masks), len(self.tokens.words)), dtype=bool)
        columns[rows, self.tokens.expansions[ids, 0]] = True
        return columns

    def to(self, device: torch.device | str) -> "TokenGrammar":
        """The same grammar on another device."""
        return replace(
            self,
            automata=self.automata.to(device),
            notes=self.notes.to(device),
            limits=self.limits.to(device),
            masks=None if self.masks is None else self.masks.to(device),
        )

    def begin(self, batch_size: int) -> GrammarState:
        """The state before the first id."""
        return GrammarState(self.automata.begin.expand(batch_size, -1), self.notes.begin(batch_size))

    def program(self, state: GrammarState) -> torch.LongTensor:
        """The program that was named last at the onset: shape `(batch,)`, 0 for none."""
        return state.places[:, -1] - self.automata.begin[-1] + self.programs.unnamed

    def advance(self, state: GrammarState, ids: torch.LongTensor) -> GrammarState:
        """
        The state after one more id a row, legal or not.

        PAD changes nothing and BOS begins a new piece. An id that is not legal leads to where decoding goes on.

        Args:
            state ([`GrammarState`]): of the rows.
            ids (`torch.LongTensor` of shape `(batch,)`): one a row.
        """
        floors = self.notes.advance(state.floors, self.program(state), ids)
        return GrammarState(self.automata.advance(state.places, ids), floors)

    def legal(self, state: GrammarState, mask_of_row: torch.LongTensor | None = None) -> torch.BoolTensor:
        """
        The ids that may come next, at least one a row: shape `(batch, vocabulary)`.

        Only a prompt that breaks the grammar (or a restriction) can leave nothing to sound at its last onset; there,
        the rules of the notes are suspended for one step.

        Args:
            state ([`GrammarState`]): of the rows.
            mask_of_row (`torch.LongTensor` of shape `(batch,)`, *optional*):
                The mask of each row, as an index; needed where the grammar has several.

        Raises:
            `ValueError`: there are several masks, and no `mask_of_row`; or the other way round.
        """
        places, limits, masks = state.places, self.limits, self.masks
        if masks is None and mask_of_row is not None:
            raise ValueError("The grammar has no masks to choose among by mask_of_row: make one that is restricted.")
        if masks is not None and mask_of_row is not None:
            limits, masks = limits.select(mask_of_row), masks[mask_of_row]
            last = places[:, -1] + mask_of_row * self.programs.slots
            places = torch.cat([places[:, :-1], last[:, None]], dim=1)
        elif masks is not None and len(masks) > 1:
            raise ValueError(f"The grammar has {len(masks)} masks: say which each row has (mask_of_row).")
        possible = self.automata.allowed(places)
        legal = possible & self.notes.legal(state.floors, self.program(state), limits)
        if masks is None:
            return _or_else(legal, possible)
        return _or_else(_or_else(legal & masks, possible & masks), possible)


def _written(tokens: BaseTokens) -> np.ndarray:
    """The ids that are ever written: `bool` of shape `(vocabulary,)`."""
    written = tokens.usable.copy()
    written[[tokens.special_ids["PAD"], tokens.special_ids["EOS"]]] = True
    return written


def _program_named_last(walks: Sequence[OnsetWalk], programs: Programs) -> np.ndarray:
    """The program that is current after an id, by the one before: shape `(slots, vocabulary)`."""
    after = np.array([walk.program for walk in walks])
    return np.where(after == CURRENT, np.arange(programs.slots)[:, None], after)


def _or_else(legal: torch.BoolTensor, fallback: torch.BoolTensor) -> torch.BoolTensor:
    """`legal`, and in rows without a legal id `fallback`. As bytes, which torch reduces several times faster."""
    stuck = 1 - legal.view(torch.uint8).any(dim=1, keepdim=True)
    return legal | (fallback.view(torch.uint8) & stuck).view(torch.bool)
