"""The grammar of a tokenizer compiled to tensors: the ids that may come next, for a whole batch at once."""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..tokenization.processing_midi import MidiProcessor
from .automata import Automaton, write_rules
from .base_tokens import BaseTokens
from .note_rules import NoteLimits, NoteRules
from .onset_walk import CURRENT, OnsetWalk, Programs, walk_onsets

DRUMS = -1
"""miditok's program of drums."""


@dataclass(frozen=True)
class GrammarState:
    """
    Where each row of a batch is.

    Args:
        places (`torch.LongTensor` of shape `(batch, automata)`): the state of each automaton, as a row of the tables.
        floors (`torch.FloatTensor` of shape `(batch, programs + 1)`): what programs may still sound at the onset.
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
        walks (list of [`OnsetWalk`]): one an id.
        begin_places (`torch.LongTensor` of shape `(automata,)`):
            Where a piece begins. The last automaton keeps the program named last at the onset.
        next_places (`torch.ShortTensor` of shape `(places, vocabulary)`): where an id leads.
        allowed (`torch.ByteTensor` of shape `(places, vocabulary)`):
            1 where an automaton allows an id. Of the last automaton there is one for each mask.
        notes ([`NoteRules`]): rules of the notes of an onset.
        limits ([`NoteLimits`]): of those rules, by the ids that may be used.
        masks (`torch.BoolTensor` of shape `(masks, vocabulary)`, *optional*): ids that may be used.
    """

    tokens: BaseTokens
    programs: Programs
    walks: list[OnsetWalk]
    begin_places: torch.Tensor
    next_places: torch.Tensor
    allowed: torch.Tensor
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
        tokens = BaseTokens.from_processor(processor)
        programs = Programs(tokens)
        walks = walk_onsets(tokens, programs, ascending=ascending_programs)
        limits, later_checks = NoteLimits.compile(walks, programs, tokens.music[None])
        automata = [rule.over_vocabulary(tokens) for rule in write_rules(processor.music_tokenizer, tokens)]
        usable = tokens.usable.copy()
        usable[[tokens.special_ids["PAD"], tokens.special_ids["EOS"]]] = True
        automata[0].legal[:, ~usable] = False
        automata.append(Automaton(_program_named_last(walks, len(later_checks[0])), later_checks[0]))
        begin = np.cumsum([0, *(len(rule.next) for rule in automata)])
        begin_places = begin[:-1].copy()
        begin_places[-1] += programs.unnamed
        next_places = np.concatenate([rule.next + first for rule, first in zip(automata, begin, strict=False)])
        return cls(
            tokens=tokens,
            programs=programs,
            walks=walks,
            begin_places=torch.from_numpy(begin_places),
            next_places=torch.from_numpy(next_places.astype(np.int16 if begin[-1] < 2**15 else np.int32)),
            allowed=torch.from_numpy(np.concatenate([rule.legal for rule in automata]).astype(np.uint8)),
            notes=NoteRules.compile(walks, len(later_checks[0])),
            limits=limits,
        )

    @property
    def vocab_size(self) -> int:
        """Number of miditok's ids."""
        return self.allowed.shape[1]

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
        tokens = self.tokens
        columns = {kind: _by_value(tokens, kind) for kind in ("Program", "Pitch", "Tempo")}
        programs = set(columns["Program"] if allowed_programs is None else allowed_programs)
        if drums is not None:
            programs = programs | {DRUMS} if drums else programs - {DRUMS}
        if not programs <= set(columns["Program"]) or (columns["Program"] and not programs):
            raise ValueError(f"No music for the programs {sorted(programs)}: there are {sorted(columns['Program'])}.")
        low, high = (-np.inf, np.inf) if pitch_range is None else pitch_range
        pitches = {pitch for pitch in columns["Pitch"] if low <= pitch <= high}
        if not pitches and not (programs == {DRUMS} and tokens.of("PitchDrum").any()):
            raise ValueError(f"No pitch of the tokenizer lies in pitch_range={pitch_range}.")
        tempos = set(columns["Tempo"]) if tempo is None else {tempo}
        if not tempos <= set(columns["Tempo"]):
            raise ValueError(f"No token for tempo={tempo}: there are {sorted(columns['Tempo']) or 'none of tempos'}.")
        allowed = np.ones(len(tokens.words), dtype=bool)
        for kind, wanted in {"Program": programs, "Pitch": pitches, "Tempo": tempos}.items():
            allowed[[column for value, column in columns[kind].items() if value not in wanted]] = False
        return torch.from_numpy(allowed[tokens.expansions].all(axis=1)).to(self.allowed.device)

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
        rows, ids = np.nonzero(masks.cpu().numpy() & self.tokens.usable)
        columns = np.zeros((len(masks), len(self.tokens.words)), dtype=bool)
        columns[rows, self.tokens.expansions[ids, 0]] = True
        limits, later_checks = NoteLimits.compile(self.walks, self.programs, columns)
        device, automata = self.allowed.device, self.allowed[: self.begin_places[-1] - self.programs.unnamed]
        later_checks = torch.from_numpy(later_checks).flatten(0, 1).to(device, torch.uint8)
        return replace(
            self, allowed=torch.cat([automata, later_checks]), limits=limits.to(device), masks=masks.to(device)
        )

    def to(self, device: torch.device | str) -> "TokenGrammar":
        """The same grammar on another device."""
        names = ("begin_places", "next_places", "allowed", "notes", "limits", "masks")
        return replace(
            self, **{name: value.to(device) for name in names if (value := getattr(self, name)) is not None}
        )

    def begin(self, batch_size: int) -> GrammarState:
        """The state before the first id."""
        return GrammarState(self.begin_places.expand(batch_size, -1), self.notes.begin(batch_size))

    def program(self, state: GrammarState) -> torch.LongTensor:
        """The program that was named last at the onset: shape `(batch,)`, 0 for none."""
        return state.places[:, -1] - self.begin_places[-1] + self.programs.unnamed

    def advance(self, state: GrammarState, ids: torch.LongTensor) -> GrammarState:
        """
        The state after one more id a row, legal or not.

        PAD changes nothing and BOS begins a new piece. An id that is not legal leads to where decoding goes on.

        Args:
            state ([`GrammarState`]): of the rows.
            ids (`torch.LongTensor` of shape `(batch,)`): one a row.
        """
        places = self.next_places[state.places, ids[:, None]].long()
        return GrammarState(places, self.notes.advance(state.floors, self.program(state), ids))

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
            `ValueError`: there are several masks, and no `mask_of_row`.
        """
        if mask_of_row is None and len(self.limits.top) > 1:
            raise ValueError(f"The grammar has {len(self.limits.top)} masks: say which each row has (mask_of_row).")
        places, limits, masks = state.places, self.limits, self.masks
        if mask_of_row is not None:
            limits, masks = limits.select(mask_of_row), masks[mask_of_row]
            last = places[:, -1] + mask_of_row * self.notes.left.shape[0]
            places = torch.cat([places[:, :-1], last[:, None]], dim=1)
        possible = self.allowed.index_select(0, places.flatten()).view(*places.shape, -1).amin(dim=1).view(torch.bool)
        legal = possible & self.notes.legal(state.floors, self.program(state), limits)
        if masks is None:
            return _or_else(legal, possible)
        return _or_else(_or_else(legal & masks, possible & masks), possible)


def _program_named_last(walks: list[OnsetWalk], num_programs: int) -> np.ndarray:
    """The program that is current after an id, by the one before: shape `(programs + 1, vocabulary)`."""
    return np.array(
        [[program if walk.program == CURRENT else walk.program for walk in walks] for program in range(num_programs)]
    )


def _by_value(tokens: BaseTokens, kind: str) -> dict[int | float, int]:
    """Columns of a type of token, by the number that the token says."""
    number = float if kind == "Tempo" else int
    return {number(tokens.values[column]): column for column in np.flatnonzero(tokens.of(kind))}


def _or_else(legal: torch.BoolTensor, fallback: torch.BoolTensor) -> torch.BoolTensor:
    """`legal`, and in rows without a legal id `fallback`. As bytes, which torch reduces several times faster."""
    stuck = 1 - legal.view(torch.uint8).any(dim=1, keepdim=True)
    return legal | (fallback.view(torch.uint8) & stuck).view(torch.bool)
