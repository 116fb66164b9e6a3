"""Draws pairs that are called twins, prints them to be read note by note, and counts what the reader said.

    python benchmarks/twins_reading.py draw bach=25 folk=25 lieder:lieder-cc0.zip=5 --seed 1 --folder reading
    python benchmarks/twins_reading.py count --folder reading

The reader reads `music.txt`, in which are no names, and fills `verdicts.json`; the names are in `pairs.json`.
README.md says how pairs are drawn, and what is counted.
"""

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from datasets import Dataset, concatenate_datasets
from measuring import RESULTS, save_result
from scipy.stats import binomtest
from tqdm import tqdm
from twins import SHIPPED, SPLIT_VERSION
from twins_music import shown_pair

from neuromusic_hf.corpora import load_corpus
from neuromusic_hf.corpora.families import Melodies, melodies_of, twins_of
from neuromusic_hf.music import Midi, load_score
from neuromusic_hf.music.midi_feature import own_name
from neuromusic_hf.twins import SharedMelody, families, shared_melody

UNIFORM, WEAKEST, ALL = "uniform", "weakest quarter", "all that were left"
SAME, STRANGERS = "same", "strangers"
READ = RESULTS / "twins_by_hand.json"
READ_BEFORE = ("pairs", "near_misses")
MUSIC, VERDICTS, PAIRS = "music.txt", "verdicts.json", "pairs.json"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step", choices=("draw", "count"))
    parser.add_argument("corpora", nargs="*", type=wanted, help="NAME=PAIRS, or NAME:PATH=PAIRS where it needs a path")
    parser.add_argument("--seed", type=int, default=1, help="of the draw")
    parser.add_argument("--folder", type=Path, required=True, help=f"of {MUSIC}, {VERDICTS} and {PAIRS}")
    parser.add_argument("--read", type=Path, nargs="+", default=[READ], help="results whose pairs are not drawn again")
    parser.add_argument("--output", type=Path, default=RESULTS / "twins_reading.json", help="result file")
    args = parser.parse_args()
    if args.step == "count":
        return save_result(args.output, "twins_reading", counted(args.folder))
    if not args.corpora:
        parser.error("name at least one corpus")
    if args.folder.exists():
        parser.error(f"'{args.folder}' is there, maybe with verdicts: name another --folder")
    known, random = read_before(args.read), np.random.default_rng(args.seed)
    drawn: list[dict] = []
    music: list[str] = []
    for corpus, count in args.corpora:
        twins = Twins(*corpus)
        for pair in twins.draw(count, known, random):
            music.append(f"=== {len(music)}, {twins.name}\n{twins.shown(pair)}\n")
            drawn.append(twins.record(pair))
    args.folder.mkdir(parents=True)
    (args.folder / MUSIC).write_text("\n".join(music), encoding="utf-8")
    (args.folder / VERDICTS).write_text(json.dumps([{"verdict": None, "note": ""} for _ in drawn], indent=1))
    settings = {"seed": args.seed, "pairs": Counter(pair["corpus"] for pair in drawn)}
    (args.folder / PAIRS).write_text(json.dumps({"settings": settings, "pairs": drawn}, indent=1), encoding="utf-8")


def wanted(given: str) -> tuple[list[str], int]:
    """Name and path of a corpus, and how many pairs of it."""
    corpus, _, count = given.rpartition("=")
    return corpus.split(":", 1), int(count)


def read_before(paths: Sequence[Path]) -> set[frozenset[str]]:
    """The names of the pairs that were read already."""
    results = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    return {
        frozenset(plain(pair[f"{side}_title"]) for side in ("first", "second"))
        for result in results
        for kind in READ_BEFORE
        for pair in result.get(kind, [])
    }


def plain(title: str) -> str:
    return title.removesuffix(".mid")


@dataclass(frozen=True, eq=False)
class Pair:
    """Two pieces, by their rows, and what they share."""

    first: int
    second: int
    shared: SharedMelody
    stratum: str = UNIFORM


class Twins:
    """
    The twins of a corpus.

    Args:
        name (`str`): of the corpus.
        path (`str`, *optional*): where it lies.
    """

    def __init__(self, name: str, path: str | None = None):
        self.name = name
        known = name in (*SHIPPED, "lamd", "maestro")
        version = None if name == "maestro" else SPLIT_VERSION  # its splits are official
        corpus = load_corpus(name if known else path, path if known else None, split_version=version)
        parts = list(corpus.values())
        self.rows: Dataset = concatenate_datasets(parts).cast_column("midi", Midi(decode=False))
        self.melodies = Melodies([melodies_of(part) for part in parts])
        self.twins = twins_of(parts)
        self.family = families(len(self.rows), self.twins)

    def draw(self, count: int, known: set[frozenset[str]], random: np.random.Generator) -> list[Pair]:
        """
        Pairs that were not read before: half of all these, the rest of their quarter with the fewest telling runs.

        Copies that share too little melody to be aligned, and are known by the hash of their notes, are left out. Of
        pairs of the same music, note for note, one is drawn.
        """
        bar = tqdm(self.twins, desc=f"Twins of {self.name}", unit="pair")
        shared = [shared_melody(self.melodies[twin.first], self.melodies[twin.second]) for twin in bar]
        pairs = [
            Pair(twin.first, twin.second, each)
            for twin, each in zip(self.twins, shared, strict=True)
            if each is not None and each.makes_twins
        ]
        fresh = [pair for pair in pairs if frozenset(self.titles(pair)) not in known]
        fresh.sort(key=lambda pair: pair.shared.telling)
        weak = {id(pair) for pair in fresh[: len(fresh) // 4]}
        print(f"{self.name}: {len(pairs)} pairs, {len(fresh)} not read before", flush=True)
        shuffled = [fresh[index] for index in random.permutation(len(fresh))]
        distinct: dict[frozenset[str], Pair] = {}
        for pair in shuffled:
            distinct.setdefault(frozenset(self.hashes(pair)), pair)
        order = list(distinct.values())
        if len(order) <= count:
            return [replace(pair, stratum=ALL) for pair in order]
        uniform, rest = order[: (count + 1) // 2], order[(count + 1) // 2 :]
        weakest = [replace(pair, stratum=WEAKEST) for pair in rest if id(pair) in weak]
        others = [pair for pair in rest if id(pair) not in weak]
        return [*uniform, *[*weakest, *others][: count - len(uniform)]]

    def titles(self, pair: Pair) -> tuple[str, str]:
        """What the two are called, as where they were read before."""
        first, second = (self.rows[index] for index in (pair.first, pair.second))
        return self._title(first), self._title(second)

    def _title(self, row: dict) -> str:
        return plain(str(row.get("title") or own_name(row["midi"]["path"])))

    def hashes(self, pair: Pair) -> tuple[str, str]:
        """Of the notes of the two."""
        return self.rows[pair.first]["content_hash"], self.rows[pair.second]["content_hash"]

    def shown(self, pair: Pair) -> str:
        """Its music, without names."""
        scores = [load_score(self.rows[index]["midi"]) for index in (pair.first, pair.second)]
        return shown_pair(*scores, pair.shared)

    def record(self, pair: Pair) -> dict:
        """What the result tells of it."""
        first, second = self.titles(pair)
        first_hash, second_hash = self.hashes(pair)
        return {
            "corpus": self.name,
            "first_title": first,
            "second_title": second,
            "first_hash": first_hash,
            "second_hash": second_hash,
            "family": int(self.family[pair.first]),
            "stratum": pair.stratum,
            "telling": round(pair.shared.telling, 1),
            "share": round(pair.shared.share, 3),
            "notes": pair.shared.notes,
        }


def counted(folder: Path) -> dict:
    """
    The share of pairs that are the same music, with its interval of 95% after Wilson: of all, by corpus and stratum.

    Args:
        folder (`Path`): of the pairs that were drawn, and the verdicts on them.

    Raises:
        `ValueError`: a pair has no verdict, or one that is not known.
    """
    drawn = json.loads((folder / PAIRS).read_text(encoding="utf-8"))
    verdicts = json.loads((folder / VERDICTS).read_text(encoding="utf-8"))
    for number, given in enumerate(verdicts):
        if given["verdict"] not in (SAME, STRANGERS):
            raise ValueError(f"Pair {number} has the verdict {given['verdict']!r}: give {SAME!r} or {STRANGERS!r}.")
    pairs = [pair | given for pair, given in zip(drawn["pairs"], verdicts, strict=True)]
    parts = {"all": pairs}
    for field in ("stratum", "corpus"):
        for value in dict.fromkeys(pair[field] for pair in pairs):
            parts[value] = [pair for pair in pairs if pair[field] == value]
    found = {name: precision(part) for name, part in parts.items()}
    return {"settings": drawn["settings"], "precision": found, "pairs": pairs}


def precision(pairs: Sequence[dict]) -> dict:
    """Of pairs with verdicts."""
    same = sum(pair["verdict"] == SAME for pair in pairs)
    found = binomtest(same, len(pairs)).proportion_ci(method="wilson")
    families_read = len({(pair["corpus"], pair["family"]) for pair in pairs})
    return {
        "pairs": len(pairs),
        "families": families_read,
        "same": same,
        "share": same / len(pairs),
        "interval": [float(found.low), float(found.high)],
    }


if __name__ == "__main__":
    main()
