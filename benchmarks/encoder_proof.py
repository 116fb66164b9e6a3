"""Holds the encoder over arrays against miditok, on every file of corpora and on drawn scores: the ids must be equal.

    python benchmarks/encoder_proof.py maestro-v2.0.0-midi.zip lamd-sample.zip lieder-cc0.zip malformed.zip bach folk \
        monteverdi --drawn 20000

All files are compared by base tokens, and shares of them once more: of one drawn variant each, and by a vocabulary
that was learned from some of the first corpus. `--every 50` takes every 50th file, for trials. `--resume` goes on
where the result file ends, if the code and the settings are the same.
"""

import argparse
import functools
import hashlib
import itertools
import json
import random
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

from datasets import Dataset, Features
from drawn_scores import draw_score
from measuring import RESULTS, print_targets, save_result, target
from symusic.core import ScoreTick
from tqdm import tqdm

from neuromusic_hf.corpora import load_corpus
from neuromusic_hf.corpora.code_identity import code_of_rooms
from neuromusic_hf.music import Midi, RefusedFile, load_score
from neuromusic_hf.music.score_arrays import ScoreArrays
from neuromusic_hf.tokenization import Augmentation, MidiProcessor, Variant, one_stream
from neuromusic_hf.tokenization.arrays import BeyondArrays

SHIPPED = ("bach", "folk", "monteverdi")
DRAWN = "drawn"
FIELDS = ("programs", "track", "onset", "duration", "pitch", "velocity", "meters", "tempos")
MOST_NAMED = 20
LEARNED_FROM, LEARNED_GROUPS = 40, 1000
"""Files that the vocabulary is learned from, and ids beside those of base tokens."""


class Comparison:
    """
    Both ways of one tokenizer, and the processor seconds that each has taken.

    Args:
        processor ([`MidiProcessor`]): whose tokenizer it is, trained or not.
        augmentation ([`Augmentation`], *optional*): of which the last variant of each score is taken.
    """

    def __init__(self, processor: MidiProcessor, augmentation: Augmentation | None = None):
        self.tokenizer, self.encoder = processor.music_tokenizer, processor.encoder
        self.augmentation = augmentation or Augmentation()
        self.seconds = Counter()

    def compare(self, name: str, score: ScoreTick) -> str:
        """`equal`, `differs: ...`, `left to miditok: ...`, or `refused by miditok` where both refuse it."""
        *_, variant = self.augmentation.draw(score, name, self.tokenizer.config.pitch_range)
        reason = self.why_left(score, variant)
        start = time.process_time()
        if reason is None:
            (written,) = self.encoder.write(score, [variant])
            found = written.quantised, self.encoder.ids_of([written])[0].tolist()
        between = time.process_time()
        try:
            expected = self.by_miditok(variant.apply(score))
        except (KeyError, IndexError, OverflowError) as error:
            return "refused by miditok" if reason else f"differs: miditok raises {type(error).__name__}"
        if reason is not None:
            return f"left to miditok: {reason}"
        self.seconds.update(arrays=between - start, miditok=time.process_time() - between)
        unequal = [name for name in FIELDS if getattr(found[0], name).tolist() != getattr(expected[0], name).tolist()]
        unequal += ["ids"] if found[1] != expected[1] else []
        return f"differs: {', '.join(unequal)}" if unequal else "equal"

    def why_left(self, score: ScoreTick, variant: Variant) -> str | None:
        """Why arrays leave a score to miditok; `None` if they do not."""
        try:
            quantised = self.encoder.arrays.quantise(variant.apply_to_arrays(ScoreArrays.of(score)))
            if len(quantised):
                self.encoder.arrays.encode(quantised)
        except BeyondArrays as beyond:
            return str(beyond)
        return None

    def by_miditok(self, score: ScoreTick) -> tuple[ScoreArrays, list[int]]:
        """What is quantised and the ids, of what this project prepares for miditok."""
        quantised = one_stream.quantise(self.tokenizer, score)
        ids = one_stream.encode_quantised(self.tokenizer, quantised).ids if quantised.note_num() else []
        return ScoreArrays.of(quantised), ids


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", nargs="*", help="zips of MIDI files, bach, folk, or monteverdi")
    parser.add_argument("--tokenizations", default="REMI,TSD,Structured", help="classes of miditok")
    parser.add_argument("--every", type=int, default=1, help="take every so many-th file, for trials")
    parser.add_argument(
        "--variants_every", type=int, default=10, help="of these, a variant of every so many-th as well"
    )
    parser.add_argument(
        "--learned_every", type=int, default=10, help="of these, every so many-th by a learned vocabulary"
    )
    parser.add_argument("--drawn", type=int, default=0, help="how many scores to draw")
    parser.add_argument("--resume", action="store_true", help="keep what the result file has, by the same code")
    parser.add_argument("--output", type=Path, default=RESULTS / "encoder_proof.json", help="result file")
    args = parser.parse_args()
    figures = found_before(parser, args) if args.resume and args.output.exists() else {}
    sources = [*args.corpora, *([DRAWN] if args.drawn else [])]
    for tokenization in args.tokenizations.split(","):
        for check, (comparison, share) in comparisons(tokenization, sources[0], args).items():
            for given in sources:
                name = Path(given).name
                if check in figures.setdefault(name, {}):
                    continue
                step = args.every * share
                scores = drawn(args.drawn, share) if given == DRAWN else scores_of(given, step)
                figures[name][check] = measure(comparison(), scores, f"{name}, {check}")
                save(args, figures)
    print_targets(save(args, figures))


def comparisons(
    tokenization: str, source: str, args: argparse.Namespace
) -> dict[str, tuple[Callable[[], Comparison], int]]:
    """What is compared of a tokenizer, made when it is asked for, and of every so many-th file."""
    processor = MidiProcessor.from_tokenization(tokenization)

    @functools.cache
    def learned() -> MidiProcessor:
        scores = (score for _, score in scores_of(source, args.every * args.learned_every) if score is not None)
        if source == DRAWN:
            scores = (score for _, score in drawn(LEARNED_FROM))
        rows = {"midi": [score.dumps_midi() for score in itertools.islice(scores, LEARNED_FROM)]}
        corpus = Dataset.from_dict(rows, features=Features({"midi": Midi()}))
        return processor.train_new_from_corpus(corpus, processor.vocab_size + LEARNED_GROUPS)

    return {
        tokenization: (lambda: Comparison(processor), 1),
        f"{tokenization}, variants": (lambda: Comparison(processor, Augmentation(1)), args.variants_every),
        f"{tokenization}, BPE": (lambda: Comparison(learned()), args.learned_every),
    }


def settings_of(args: argparse.Namespace) -> dict:
    """What figures of one file have in common."""
    code = code_of_rooms("borders", "music", "tokenization")
    return {
        **{name: getattr(args, name) for name in ("every", "variants_every", "learned_every", "drawn")},
        "learned_from": f"{LEARNED_FROM} files of {Path([*args.corpora, DRAWN][0]).name}",
        "code": hashlib.sha256("".join(code).encode()).hexdigest(),
        "libraries": {name: version(name) for name in ("miditok", "symusic", "tokenizers", "numpy")},
    }


def found_before(parser: argparse.ArgumentParser, args: argparse.Namespace) -> dict:
    """The figures of the result file, if they are of the same code and settings."""
    result, settings = json.loads(args.output.read_text()), settings_of(args)
    if others := [name for name in settings if result["settings"].get(name) != settings[name]]:
        parser.error(f"{args.output} was made with other {', '.join(others)}: go without --resume, or change --output")
    return result["corpora"]


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


def drawn(count: int, share: int = 1) -> Iterator[tuple[str, ScoreTick]]:
    """Scores by their seeds, of which every so many-th is taken."""
    yield from ((str(seed), draw_score(random.Random(seed))) for seed in range(0, count, share))


def measure(comparison: Comparison, scores: Iterator[tuple[str, ScoreTick | None]], title: str) -> dict:
    """How many files are equal, refused or left to miditok; the names of those that are not equal."""
    counts, left, named = Counter(), Counter(), []
    for name, score in tqdm(scores, desc=title, unit="file"):
        found = "refused" if score is None else comparison.compare(name, score)
        outcome, _, reason = found.partition(": ")
        counts[outcome] += 1
        if outcome == "left to miditok":
            left[reason] += 1
        if found not in ("equal", "refused"):
            named.append(f"{name}: {found}")
    seconds = comparison.seconds
    return {
        "files": counts.total(),
        **counts,
        "left": dict(left),
        "named": named[:MOST_NAMED],
        "ratio_of_processor_time": seconds["miditok"] / seconds["arrays"] if seconds["arrays"] else None,
    }


def save(args: argparse.Namespace, figures: dict) -> dict:
    """Writes what is known so far; returns the targets."""
    targets = {}
    for corpus, found in figures.items():
        for tokenization, row in found.items():
            targets[f"{corpus}, {tokenization}: differences"] = target(row.get("differs", 0), at_most=0)
            targets[f"{corpus}, {tokenization}: left to miditok"] = target(sum(row["left"].values()), at_most=0)
    save_result(args.output, "encoder_proof", {"settings": settings_of(args), "corpora": figures, "targets": targets})
    return targets


if __name__ == "__main__":
    main()
