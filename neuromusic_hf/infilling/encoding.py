"""The parts of a cut piece as ids."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from miditok import MusicTokenizer, Structured

from ..borders.miditok import ticks_of_lengths, ticks_per_beat, time_shifts
from ..music.score_arrays import ScoreArrays
from ..tokenization import MidiProcessor
from ..tokenization.music_encoding import MusicEncoder, Part, TimedTokens
from .cuts import Cut
from .layout import InfillSample
from .time_order import check_time_order


@dataclass(frozen=True, eq=False)
class CutParts:
    """
    The parts of a piece with a middle cut out, before they are ids.

    Args:
        suffix ([`Part`]): base tokens, as are those that follow.
        given ([`Part`]): without the programs before it.
        prefix ([`Part`]): without BOS.
        middle ([`Part`]): without EOM.
        begins (`bool`): the prefix begins as the piece does.
        ends (`bool`): the suffix ends with it.
        programs ([`Part`]): that are cut out.
        num_notes (`int`): in the middle.
    """

    suffix: Part
    given: Part
    prefix: Part
    middle: Part
    begins: bool
    ends: bool
    programs: Part
    num_notes: int


class CutEncoder:
    """
    Encodes pieces with a middle cut out, for the processor as it is now.

    Args:
        processor ([`MidiProcessor`]): of any tokenizer that mixes tracks; its vocabulary may be learned.

    Raises:
        `ValueError`: it writes one track after the other (MMM).
    """

    def __init__(self, processor: MidiProcessor):
        check_time_order(processor)
        self.encoder: MusicEncoder = processor.encoder
        self.tokenizer: MusicTokenizer = processor.music_tokenizer
        self.bos, self.eos = processor.tokenizer.bos_token_id, processor.tokenizer.eos_token_id
        self.is_structured = type(self.tokenizer) is Structured
        self._nothing = Part(np.zeros(0, np.int32), [] if self.tokenizer.is_trained else None)
        vocabulary = self.tokenizer.vocab
        self._shift_values = {
            index: word.partition("_")[2] for word, index in vocabulary.items() if word.startswith("TimeShift_")
        }
        self._shift_ids = {value: index for index, value in self._shift_values.items()}

    def samples(self, pieces: Iterable[tuple[ScoreArrays, Cut]]) -> list[InfillSample]:
        """
        Samples of quantised pieces, their learned ids made together.

        Args:
            pieces (iterable of `tuple[ScoreArrays, Cut]`): what [`MidiProcessor.quantise`] gave, as arrays, and a cut.
        """
        return self.ids_of([self.parts(piece, cut) for piece, cut in pieces])

    def parts(self, piece: ScoreArrays, cut: Cut) -> CutParts:
        """The parts of one quantised piece, which has a note."""
        removed = cut.removed(piece)
        told = piece.taken(np.flatnonzero(~removed))
        before_end = piece.taken(np.flatnonzero(removed | (piece.onset < cut.start)))
        return CutParts(
            suffix=self._suffix(piece.between(cut.end, cut.finish)),
            given=self._told(told, cut.start, cut.end, piece),
            **self._prefix_and_middle(before_end, cut, piece),
            begins=cut.begin == 0,
            ends=cut.finish is None,
            programs=self._programs(cut),
            num_notes=int(removed.sum()),
        )

    def ids_of(self, cuts: Sequence[CutParts]) -> list[InfillSample]:
        """The samples of parts."""
        names = ("suffix", "given", "prefix", "middle")
        parts = [getattr(cut, name) for cut in cuts for name in names]
        ids = self.encoder.ids_of(parts)
        programs = self.encoder.ids_of([cut.programs for cut in cuts])
        samples = []
        for index, cut in enumerate(cuts):
            suffix, given, prefix, middle = ids[4 * index : 4 * index + 4]
            samples.append(
                InfillSample(
                    suffix=np.append(suffix, self.eos) if cut.ends else suffix,
                    given=np.concatenate([programs[index], given]),
                    prefix=np.append(self.bos, prefix) if cut.begins else prefix,
                    middle=middle,
                    num_notes=cut.num_notes,
                )
            )
        return samples

    def _suffix(self, suffix: ScoreArrays) -> Part:
        return self.encoder.part(self.encoder.timed_tokens(self._in_reach(suffix))) if len(suffix) else self._nothing

    def silent_middle(self, piece: ScoreArrays, cut: Cut) -> TimedTokens:
        """What a middle without notes has as a piece of its own, but for shifts to its end."""
        silent, end = piece.taken(np.zeros(0, np.int64)).between(cut.start, cut.end), cut.end - cut.start
        tokens = self.encoder.timed_tokens(_with_note_at(silent, end, piece, self.tokenizer))
        return tokens.taken(tokens.leads_to < end)

    def _told(self, piece: ScoreArrays, start: int, end: int, whole: ScoreArrays) -> Part:
        """What begins in a part of a piece, as a piece of its own that lasts as long."""
        tokens, count = self._up_to(piece.between(start, end), end - start, whole)
        return self.encoder.part(tokens.taken(slice(count)))

    def _prefix_and_middle(self, piece: ScoreArrays, cut: Cut, whole: ScoreArrays) -> dict[str, Part]:
        if self.is_structured:
            borders = {"prefix": (cut.begin, cut.start), "middle": (cut.start, cut.end)}
            return {name: self._told(piece, *border, whole) for name, border in borders.items()}
        part = piece.between(cut.begin, cut.end)
        start = cut.start - cut.begin
        tempos = part.tempos[:, part.tempos[0] <= start]
        tokens, end = self._up_to(replace(part, tempos=tempos), cut.end - cut.begin, whole)
        middle = int(np.searchsorted(tokens.leads_to, start))
        place = np.arange(len(tokens))
        return {
            "prefix": self.encoder.part(tokens.taken(place < middle)),
            "middle": self.encoder.part(tokens.taken((place >= middle) & (place < end))),
        }

    def _programs(self, cut: Cut) -> Part:
        vocabulary = self.tokenizer.vocab
        words = [f"Program_{program}" for program in sorted(cut.programs or ())]
        ids = np.array([vocabulary[word] for word in words if word in vocabulary], np.int32)
        at_all = np.arange(len(ids))
        return self.encoder.part(TimedTokens(ids, at_all, at_all, at_all))

    def _up_to(self, part: ScoreArrays, end: int, piece: ScoreArrays) -> tuple[TimedTokens, int]:
        """
        The tokens of a part with its time told up to a tick, and how many of them those are.

        A note that begins there has the tokenizer write silence up to it.
        """
        tokens = self.encoder.timed_tokens(_with_note_at(self._in_reach(part), end, piece, self.tokenizer))
        before = int(np.searchsorted(tokens.leads_to, end))
        if self.is_structured:
            return self._closed(tokens.taken(slice(before)), end)
        is_shift = np.isin(tokens.ids[before:], list(self._shift_values))
        return tokens, before + int(np.argmin(np.append(is_shift, False)))

    def _in_reach(self, part: ScoreArrays) -> ScoreArrays:
        """A part whose onsets one shift leads to, each from the one before, as Structured writes them: or sooner."""
        if not self.is_structured:
            return part
        shifts = time_shifts(self.tokenizer, part.ticks_per_quarter).tolist()
        onsets, onset_of = np.unique(part.onset, return_inverse=True)
        now, found = 0, []
        for onset in onsets.tolist():
            now += shifts[bisect_right(shifts, onset - now) - 1] if onset > now else 0
            found.append(now)
        return replace(part, onset=np.array(found, np.int64)[onset_of])

    def _closed(self, tokens: TimedTokens, end: int) -> tuple[TimedTokens, int]:
        """Of Structured: with shifts from where its own, which it rounds, have led to the end; the longest first."""
        beat = ticks_per_beat(self.tokenizer, 4) if self.tokenizer.config.use_time_signatures else None
        lengths = ticks_of_lengths(self.tokenizer, beat or self.tokenizer.time_division)
        ticks = {index: lengths[value] for index, value in self._shift_values.items() if value != "0.0.1"}
        left = end - sum(ticks.get(index, 0) for index in tokens.ids.tolist())
        closing = []
        for index, length in sorted(ticks.items(), key=lambda entry: -entry[1]):
            count, left = divmod(left, length) if left > 0 else (0, left)
            closing += [index] * count
        ids = np.concatenate([tokens.ids, np.array(closing, np.int32)])
        at_end = np.full(len(closing), end)
        written, leads_to = (np.concatenate([time, at_end]) for time in (tokens.written, tokens.leads_to))
        return TimedTokens(ids, written, leads_to, tokens.breaks), len(ids)


def _with_note_at(part: ScoreArrays, tick: int, piece: ScoreArrays, tokenizer: MusicTokenizer) -> ScoreArrays:
    """A part with one more note, of a track of its own, that begins at a tick and is a beat long."""
    denominators = part.meters[2] if tokenizer.config.use_time_signatures else np.array([4])
    beat = 4 * part.ticks_per_quarter // int(denominators[-1])
    return replace(
        part,
        programs=np.append(part.programs, piece.programs[piece.track[0]]),
        track=np.append(part.track, len(part.programs)),
        onset=np.append(part.onset, tick),
        duration=np.append(part.duration, beat),
        pitch=np.append(part.pitch, piece.pitch[0]),
        velocity=np.append(part.velocity, piece.velocity[0]),
    )
