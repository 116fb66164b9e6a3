"""Holds the encoder over arrays against miditok, on every file of corpora and on drawn scores: the ids must be equal.

    python benchmarks/encoder_proof.py maestro-v2.0.0-midi.zip lamd-sample.zip lieder-cc0.zip malformed.zip bach folk \
        --drawn 20000

`--every 50` takes every 50th file, for trials. `--resume` keeps the corpora that the result file has, and goes on.
"""

import argparse
import json
import random
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from drawn_scores import draw_score
from measuring import RESULTS, print_targets, save_result, target
from symusic.core import ScoreTick
from tqdm import tqdm

from neuromusic_hf.corpora import load_corpus
from neuromusic_hf.music import RefusedFile, load_score
from neuromusic_hf.music.score_arrays import ScoreArrays
from neuromusic_hf.tokenization import create_music_tokenizer, one_stream
from neuromusic_hf.tokenization.arrays import ArrayEncoder

SHIPPED = ("bach", "folk")
DRAWN = "drawn"
FIELDS = ("programs", "track", "onset", "duration", "pitch", "velocity", "meters", "tempos")
MOST_NAMED = 20


class Comparison:
    """Both ways of one tokenizer, and the processor seconds that each has taken."""

    def __init__(self, tokenization: str):
        self.tokenizer = create_music_tokenizer(tokenization)
        self.encoder = ArrayEncoder(self.tokenizer)
        self.seconds = Counter()

    def compare(self, score: ScoreTick) -> str:
        """`equal`, `differs`, `left to miditok`, or `refused by miditok` where both refuse it."""
        start = time.process_time()
        found = self.by_arrays(score)
        between = time.process_time()
        try:
            expected = self.by_miditok(score)
        except (KeyError, IndexError, OverflowError) as error:
            return "refused by miditok" if found is None else f"differs: miditok raises {type(error).__name__}"
        self.seconds.update(arrays=between - start, miditok=time.process_time() - between)
        if found is None:
            return "left to miditok"
        unequal = [name for name in FIELDS if getattr(found[0], name).tolist() != getattr(expected[0], name).tolist()]
        unequal += ["ids"] if found[1] != expected[1] else []
        return f"differs: {', '.join(unequal)}" if unequal else "equal"

    def by_arrays(self, score: ScoreTick) -> tuple[ScoreArrays, list[int]] | None:
        """What is quantised, and the ids of base tokens; `None` where it is left to miditok."""
        quantised = self.encoder.quantise(ScoreArrays.of(score))
        if quantised is None or len(quantised) == 0:
            return None if quantised is None else (quantised, [])
        rows = self.encoder.encode(quantised)
        return None if rows is None else (quantised, rows.flat().tolist())

    def by_miditok(self, score: ScoreTick) -> tuple[ScoreArrays, list[int]]:
        """The same by miditok, of what this project prepares for it."""
        quantised = one_stream.quantise(self.tokenizer, score)
        encode = one_stream.encode_quantised
        ids = encode(self.tokenizer, quantised, encode_ids=False).ids if quantised.note_num() else []
        return ScoreArrays.of(quantised), ids


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", nargs="*", help="zips of MIDI files, bach, or folk")
    parser.add_argument("--tokenizations", default="REMI,TSD,Structured", help="classes of miditok")
    parser.add_argument("--every", type=int, default=1, help="take every so many-th file, for trials")
    parser.add_argument("--drawn", type=int, default=0, help="how many scores to draw")
    parser.add_argument("--resume", action="store_true", help="keep what the result file has of other corpora")
    parser.add_argument("--output", type=Path, default=RESULTS / "encoder_proof.json", help="result file")
    args = parser.parse_args()
    figures = json.loads(args.output.read_text())["corpora"] if args.resume and args.output.exists() else {}
    for given in [*args.corpora, *([DRAWN] if args.drawn else [])]:
        name = Path(given).name
        for tokenization in args.tokenizations.split(","):
            if tokenization in figures.setdefault(name, {}):
                continue
            scores = drawn(args.drawn) if given == DRAWN else scores_of(given, args.every)
            figures[name][tokenization] = measure(Comparison(tokenization), scores, f"{name}, {tokenization}")
            save(args, figures)
    print_targets(save(args, figures))


def scores_of(given: str, every: int) -> Iterator[tuple[str, ScoreTick | None]]:
    """Names and scores; `None` of a file that is refused."""
    if given in SHIPPED:
        rows = [row for split in load_corpus(given).values() for row in split.with_format(None)]
        yield from ((row["title"], row["midi"]) for row in rows[::every])
        return
    with zipfile.ZipFile(given) as archive:
        names = [info.filename for info in archive.infolist() if not info.is_dir()]
        for name in sorted(names)[::every]:
            try:
                yield name, load_score({"bytes": archive.read(name), "path": name})
            except RefusedFile:
                yield name, None


def drawn(count: int) -> Iterator[tuple[str, ScoreTick]]:
    """Scores by their seeds."""
    yield from ((str(seed), draw_score(random.Random(seed))) for seed in range(count))


def measure(comparison: Comparison, scores: Iterator[tuple[str, ScoreTick | None]], title: str) -> dict:
    """How many files are equal, refused or left to miditok; the names of those that are not equal."""
    counts, named = Counter(), []
    for name, score in tqdm(scores, desc=title, unit="file"):
        found = "refused" if score is None else comparison.compare(score)
        counts[found.partition(":")[0]] += 1
        if found not in ("equal", "refused"):
            named.append(f"{name}: {found}")
    seconds = comparison.seconds
    return {
        "files": counts.total(),
        **counts,
        "named": named[:MOST_NAMED],
        "ratio_of_processor_time": seconds["miditok"] / seconds["arrays"] if seconds["arrays"] else None,
    }


def save(args: argparse.Namespace, figures: dict) -> dict:
    """Writes what is known so far; returns the targets."""
    targets = {}
    for corpus, found in figures.items():
        for tokenization, row in found.items():
            targets[f"{corpus}_{tokenization}_differences"] = target(row.get("differs", 0), at_most=0)
    settings = {"every": args.every, "drawn": args.drawn}
    save_result(args.output, "encoder_proof", {"settings": settings, "corpora": figures, "targets": targets})
    return targets


if __name__ == "__main__":
    main()
