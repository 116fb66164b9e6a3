"""Holds decoding in arrays against miditok's: on music, on ids drawn at random, and in time.

    python benchmarks/decoder_proof.py maestro=maestro-v2.0.0-midi.zip lamd=lamd-sample.zip lieder=lieder-cc0.zip folk

Of every piece the ids of each tokenizer are decoded by both, in turns, and the scores compared field by field; then
the same is done with `--drawn` sequences of ids, most of which no music has.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from datasets import Dataset
from drawn_ids import DrawnIds, contents
from measuring import RESULTS, print_targets, save_result, target
from symusic.core import ScoreTick
from tally import load_pieces
from tqdm import tqdm

from neuromusic_hf.tokenization import MidiProcessor
from neuromusic_hf.tokenization.music_decoding import MusicDecoder
from neuromusic_hf.tokenization.one_stream import decode_ids

LEAST_RATIO = 5.0
"""Of miditok's time to ours, on whole pieces of MAESTRO."""
SAMPLED_PIECES = 20
"""Pieces that sequences are drawn from."""
LONGEST_DRAWN = 400
NAMED = 5
"""Of the sequences that differ."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", nargs="+", help="bach, folk, maestro=PATH, lamd=PATH, or any NAME=PATH")
    parser.add_argument("--tokenizations", default="REMI,TSD,Structured", help="classes of miditok")
    parser.add_argument("--learned", type=int, default=1000, help="groups of tokens of the learned vocabulary beside")
    parser.add_argument("--drawn", type=int, default=20_000, help="sequences of ids drawn for each tokenizer")
    parser.add_argument("--every", type=int, default=1, help="take every so many-th piece, for trials")
    parser.add_argument("--cache_dir", help="of the corpora")
    parser.add_argument("--output", type=Path, default=RESULTS / "decoder_proof.json", help="result file")
    args = parser.parse_args()
    corpora = {}
    for given in args.corpora:
        name, _, path = given.partition("=")
        pieces = load_pieces(name, path, args.cache_dir)
        corpora[name] = pieces.select(range(0, len(pieces), args.every))
    figures = {}
    for name, processor in make_processors(args.tokenizations.split(","), corpora, args.learned).items():
        figures[name] = {corpus: on_music(processor, rows, f"{name}, {corpus}") for corpus, rows in corpora.items()}
        figures[name]["drawn"] = on_drawn(processor, next(iter(corpora.values())), args.drawn, f"{name}, drawn")
    targets = judge(figures)
    print_targets(targets)
    settings = {"every": args.every, "drawn": args.drawn, "longest_drawn": LONGEST_DRAWN, "learned": args.learned}
    save_result(args.output, "decoder_proof", {"settings": settings, "decoded": figures, "targets": targets})


def make_processors(names: list[str], corpora: dict[str, Dataset], learned: int) -> dict[str, MidiProcessor]:
    """Each tokenizer with the field's settings: of base tokens, and with groups learned from the first corpus."""
    processors = {}
    for name in names:
        processors[name] = MidiProcessor.from_tokenization(name)
        processors[f"{name} BPE"] = processors[name].train_new_from_corpus(
            next(iter(corpora.values())), processors[name].vocab_size + learned, max_tokens=300_000
        )
    return processors


class BothDecoders:
    """
    Decodes by arrays and by miditok, and keeps account.

    Attributes:
        sequences, tokens (`int`): Decoded.
        differing (`list[list[int]]`): The ids of which the scores differ.
        seconds (`dict[str, float]`): Processor time of each.
    """

    def __init__(self, processor: MidiProcessor):
        self.tokenizer = processor.music_tokenizer
        self.arrays = MusicDecoder(self.tokenizer, [])
        assert self.arrays.arrays is not None
        self.sequences = self.tokens = 0
        self.differing: list[list[int]] = []
        self.seconds = {"arrays": 0.0, "miditok": 0.0}

    def decode(self, ids: np.ndarray):
        given = ids.tolist()
        found = self._timed("arrays", lambda: self.arrays.decode(ids))
        expected = self._timed("miditok", lambda: decode_ids(self.tokenizer, given))
        self.sequences, self.tokens = self.sequences + 1, self.tokens + len(ids)
        if contents(found) != contents(expected):
            self.differing.append(given)

    def _timed(self, name: str, decode) -> ScoreTick:
        start = time.process_time()
        score = decode()
        self.seconds[name] += time.process_time() - start
        return score

    def figures(self) -> dict:
        """All that was found."""
        each = {f"{name}_ms_each": 1000 * seconds / self.sequences for name, seconds in self.seconds.items()}
        return {
            "sequences": self.sequences,
            "tokens": self.tokens,
            **each,
            "ratio": self.seconds["miditok"] / self.seconds["arrays"],
            "differing": len(self.differing),
            "first_differing": self.differing[:NAMED],
        }


def on_music(processor: MidiProcessor, pieces: Dataset, title: str) -> dict:
    """Whole pieces, without BOS and EOS."""
    both = BothDecoders(processor)
    for row in tqdm(pieces, desc=title, unit="piece"):
        both.decode(np.array(processor.encode(row["midi"], add_bos=False), int))
    return both.figures()


def on_drawn(processor: MidiProcessor, pieces: Dataset, count: int, title: str) -> dict:
    """Ids as [`DrawnIds`] draws them from some of the pieces."""
    sample = pieces.shuffle(seed=0).select(range(min(SAMPLED_PIECES, len(pieces))))
    drawn = DrawnIds(processor, [processor.encode(row["midi"], add_eos=True) for row in sample], seed=0)
    both = BothDecoders(processor)
    for _ in tqdm(range(count), desc=title, unit="sequence"):
        both.decode(drawn.draw(LONGEST_DRAWN))
    return both.figures()


def judge(figures: dict[str, dict]) -> dict[str, dict]:
    """No sequence may differ; and MAESTRO has to be as many times as fast as asked for."""
    found = {f"{name}, {part}": entry for name, row in figures.items() for part, entry in row.items()}
    differing = sum(entry["differing"] for entry in found.values())
    targets = {"sequences decoded otherwise than by miditok": target(differing, at_most=0)}
    for title, entry in found.items():
        if title.endswith("maestro"):
            targets[f"{title}: miditok's time to ours"] = target(entry["ratio"], at_least=LEAST_RATIO)
    return targets


if __name__ == "__main__":
    main()
