"""Samples of infilling taken apart by their four tokens, and what the parts decode to."""

from collections import Counter

import numpy as np

from neuromusic_hf import MidiProcessor
from neuromusic_hf.music.score_arrays import ScoreArrays


def parted(ids, processor: MidiProcessor) -> dict[str, list[int]]:
    """The parts of `SUF suffix MID given PRE prefix MID middle EOM`, by name."""
    ids, special = list(map(int, ids)), processor.infill_ids
    assert [index for index in ids if index in special] == [
        *(special.suffix, special.middle, special.prefix, special.middle, special.end)
    ]
    assert ids[0] == special.suffix and ids[-1] == special.end
    first, last = [place for place, index in enumerate(ids) if index == special.middle]
    before_prefix = ids.index(special.prefix)
    return {
        "suffix": ids[1:first],
        "given": ids[first + 1 : before_prefix],
        "prefix": ids[before_prefix + 1 : last],
        "middle": ids[last + 1 : -1],
    }


def unpacked(blocks, processor: MidiProcessor) -> list[list[int]]:
    """The samples of blocks, each of which begins with SUF and ends with EOM."""
    samples = []
    for block in blocks:
        ids, special = list(map(int, block["input_ids"])), processor.infill_ids
        starts = [place for place, index in enumerate(ids) if index == special.suffix]
        assert starts[0] == 0
        samples += [ids[start:end] for start, end in zip(starts, [*starts[1:], len(ids)], strict=True)]
    return samples


def notes_of(piece: ScoreArrays, ticks_per_quarter: int) -> Counter:
    """How often a piece has each note: onset and duration, program, pitch, velocity."""
    onset, duration = (time * ticks_per_quarter // piece.ticks_per_quarter for time in (piece.onset, piece.duration))
    columns = (onset, duration, piece.programs[piece.track], piece.pitch, piece.velocity)
    return Counter(zip(*(column.tolist() for column in columns), strict=True))


def decoded(processor: MidiProcessor, ids: list[int], ticks_per_quarter: int, shift: int = 0) -> Counter:
    """The notes that ids decode to, moved by some ticks."""
    piece = ScoreArrays.of(processor.decode(np.array(ids, np.int64)))
    notes = notes_of(piece, ticks_per_quarter)
    return Counter({(onset + shift, *rest): count for (onset, *rest), count in notes.items()})
