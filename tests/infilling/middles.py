"""Cuts of music, and middles followed, drawn and judged in the plainest way there is."""

from fractions import Fraction

import numpy as np
import torch

from neuromusic_hf import MidiProcessor
from neuromusic_hf.infilling import Cut
from neuromusic_hf.music.bars import bar_lines, meters_that_count
from neuromusic_hf.music.score_arrays import ScoreArrays

LONGEST = 6
"""Bars of a middle."""

TIME = ("Bar", "Tempo", "TimeShift")
"""What half of the ids that are drawn begin with, where some may come, so that middles get to their ends."""


def with_infill_tokens(processor):
    """A processor of the same vocabulary that has the four tokens; the other one stays as it is."""
    copy = MidiProcessor.from_music_tokenizer(processor.music_tokenizer)
    copy.add_infill_tokens()
    return copy


def quantised(processor, score):
    return ScoreArrays.of(processor.quantise(score))


def lines_of(piece):
    return bar_lines(meters_that_count(piece.meters), piece.ticks_per_quarter, int(piece.onset.max()) + 1).tolist()


def draw_cut(piece, random, programs=None):
    """A cut at bar lines of a piece that has some; the prefix may be empty, and the suffix the rest of the piece."""
    lines = lines_of(piece)
    start = int(random.integers(len(lines) - 1))
    end = int(random.integers(start + 1, min(len(lines), start + 1 + LONGEST)))
    begin = int(random.choice([0, max(0, start - int(random.integers(5)))]))
    finish = int(random.integers(end, len(lines))) if random.integers(2) else None
    return Cut(lines[begin], lines[start], lines[end], finish and lines[finish], programs)


def draw_cuts(pieces, count, seed):
    """Pairs of a piece and a cut, `count` a piece: half of them of all tracks, half of one program."""
    random, found = np.random.default_rng(seed), []
    for piece in pieces:
        if len(piece) and len(lines_of(piece)) > 1:
            programs = [
                None if index % 2 else frozenset({int(random.choice(piece.programs))}) for index in range(count)
            ]
            found += [(piece, draw_cut(piece, random, each)) for each in programs]
    return found


def words_of(processor, ids):
    """Base tokens; special ones and those of infilling are left out."""
    return ["_".join(word) for index in ids for word in processor.base_words[int(index)]]


def filled_after(processor, piece, cut, prefix, middle):
    """
    Whether a middle fills its span after none of its ids, one, and so on: it is as long, and nothing is unfinished.

    Bars that have begun count as a whole, shifts by their beat; an opening goes on to its tempo.
    """
    config, writes_bars = processor.music_tokenizer.config, "Bar_None" in processor.music_tokenizer.vocab
    span, now, meter, last = Fraction(cut.end - cut.begin, piece.ticks_per_quarter), Fraction(0), (4, 4), ""
    complete = {"Duration", "TimeSig", "Tempo", "TimeShift"} | (set() if config.use_time_signatures else {"Bar"})
    wants_tempo, found = config.use_tempos, []
    for index in [*prefix, None, *middle]:
        for kind, value in [] if index is None else processor.base_words[int(index)]:
            if kind == "TimeSig":
                meter = tuple(map(int, value.split("/")))
            if writes_bars and kind == ("TimeSig" if config.use_time_signatures else "Bar"):
                now += Fraction(4 * meter[0], meter[1])
            elif kind == "TimeShift":
                beats, part, resolution = map(int, value.split("."))
                now += Fraction(4, meter[1]) * (beats + Fraction(part, resolution))
            wants_tempo, last = wants_tempo and kind != "Tempo", kind
        found.append(now == span and last in complete and not wants_tempo)
    return found[len(prefix) :]


def padded(processor, samples):
    """Their prompts, of shape `(batch, length)`."""
    prompts = [sample.prompt(processor.infill_ids) for sample in samples]
    longest, pad = max(map(len, prompts)), processor.tokenizer.pad_token_id
    rows = [np.pad(prompt, (longest - len(prompt), 0), constant_values=pad) for prompt in prompts]
    return torch.from_numpy(np.stack(rows)).long()


def follow(middle, processor, cuts, samples):
    """For each sample and each id of its middle, and EOM: whether it may come, and whether EOM may."""
    held, end = middle.logits_processor([middle.frame(*cut) for cut in cuts]), processor.infill_ids.end
    ids, pad = padded(processor, samples), processor.tokenizer.pad_token_id
    lengths = [len(sample.middle) + 1 for sample in samples]
    middles = [[*sample.middle, end] + [pad] * (max(lengths) - len(sample.middle) - 1) for sample in samples]
    found = []
    for column in torch.tensor(middles).unbind(dim=1):
        legal = held(ids, torch.zeros(len(ids), processor.vocab_size)) == 0
        found.append(torch.stack([legal.gather(1, column[:, None])[:, 0], legal[:, end]]))
        ids = torch.cat([ids, column[:, None]], dim=1)
    rows = torch.stack(found, dim=-1).transpose(0, 1)
    return [row[:, :length].tolist() for row, length in zip(rows, lengths, strict=True)]


def draw(held, processor, prompts, length, seed=0):
    """Middles drawn after prompts of shape `(batch, length)`: ids without EOM, and whether it came."""
    generator = torch.Generator().manual_seed(seed)
    ids, end = prompts, processor.infill_ids.end
    first = [words[0][0] if words else "" for words in processor.base_words]
    passes = torch.tensor([index == end or kind in TIME for index, kind in enumerate(first)])
    for _ in range(length):
        legal = held(ids, torch.zeros(len(ids), processor.vocab_size)) == 0
        assert legal.any(dim=1).all()
        halves = torch.stack([legal & passes, legal & ~passes]).float()
        chance = (halves / halves.sum(dim=-1, keepdim=True).clamp(min=1)).sum(dim=0)
        ids = torch.cat([ids, torch.multinomial(chance, 1, generator=generator)], dim=1)
    rows = ids[:, prompts.shape[1] :].tolist()
    assert all(set(row[row.index(end) + 1 :]) <= {processor.tokenizer.pad_token_id} for row in rows if end in row)
    return [(row[: row.index(end)], True) if end in row else (row, False) for row in rows]
