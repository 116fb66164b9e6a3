"""Ids in an order that a model may write and music never has, and all that a score holds: for proofs of decoders."""

import numpy as np
from symusic.core import ScoreTick

from neuromusic_hf.tokenization import MidiProcessor

EDITS = ("leave_out", "put_in", "replace", "swap", "repeat")


class DrawnIds:
    """
    Draws ids for a decoder.

    Args:
        processor ([`MidiProcessor`]): whose ids.
        pieces (`list[list[int]]`): ids of music.
        seed (`int`): of what is drawn.
    """

    def __init__(self, processor: MidiProcessor, pieces: list[list[int]], seed: int):
        self.pieces = [np.array(piece) for piece in pieces]
        self.num_ids = len(processor.music_tokenizer)
        self.rng = np.random.default_rng(seed)
        names: dict[str, list[int]] = {}
        for index, words in enumerate(processor.base_words[: self.num_ids]):
            names.setdefault(words[0][0] if words else "special", []).append(index)
        self.by_name = [np.array(ids) for ids in names.values()]

    def draw(self, longest: int) -> np.ndarray:
        """Any ids; or ids of which each name is as likely as another; or part of a piece, whole or with faults."""
        length = int(self.rng.integers(0, longest + 1))
        match self.rng.integers(5):
            case 0:
                return self.rng.integers(0, self.num_ids, length)
            case 1:
                return self._by_name(length)
            case 2:
                return self._part(length)
            case _:
                return self._edit(self._part(length), self.rng.choice([0.01, 0.05, 0.2]))

    def _by_name(self, length: int) -> np.ndarray:
        names = self.rng.integers(0, len(self.by_name), length)
        return np.array([self.rng.choice(self.by_name[name]) for name in names], int)

    def _part(self, length: int) -> np.ndarray:
        piece = self.pieces[self.rng.integers(len(self.pieces))]
        first = self.rng.integers(max(1, len(piece) - length // 2)) * self.rng.integers(2)
        return piece[first : first + length]

    def _edit(self, ids: np.ndarray, share: float) -> np.ndarray:
        edited = list(ids)
        for place in np.flatnonzero(self.rng.random(len(ids)) < share)[::-1].tolist():
            match self.rng.choice(EDITS):
                case "leave_out":
                    del edited[place]
                case "put_in":
                    edited[place:place] = self._by_name(1)
                case "replace":
                    edited[place : place + 1] = self._by_name(1)
                case "swap":
                    edited[place : place + 2] = edited[place : place + 2][::-1]
                case "repeat":
                    edited[place:place] = edited[place : place + int(self.rng.integers(1, 9))]
        return np.array(edited, int)


def contents(score: ScoreTick) -> dict:
    """Every field of a score, in plain values."""
    tracks = [
        (track.name, track.program, track.is_drum, _fields(track.notes), *_others(track)) for track in score.tracks
    ]
    meters = [(meter.time, meter.numerator, meter.denominator) for meter in score.time_signatures]
    return {
        "ticks_per_quarter": score.ticks_per_quarter,
        "tracks": tracks,
        "tempos": [(tempo.time, tempo.mspq) for tempo in score.tempos],
        "time_signatures": meters,
        "others": (len(score.key_signatures), len(score.markers)),
    }


def _fields(notes) -> list[tuple[int, ...]]:
    return [*zip(*(values.tolist() for values in notes.numpy().values()), strict=True)]


def _others(track) -> tuple[int, ...]:
    return tuple(len(events) for events in (track.controls, track.pitch_bends, track.pedals, track.lyrics))
