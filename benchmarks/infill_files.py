"""Proves that infilled files are as they were outside their spans: events of the file, and all that is read from it.

    python benchmarks/infill_files.py lamd-sample.zip
    python benchmarks/infill_files.py lamd-sample.zip --pipeline --output benchmarks/results/infill_files_pipeline.json

Random spans and instruments of random files. The new notes are of another file, or with `--pipeline` those of a tiny
model of random weights, with the grammar on.
"""

import argparse
import itertools
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from file_identity import ReplacedSpan, compare_files, compare_read, compare_scores, notes_of, program_of
from measuring import RESULTS, Stopwatch, print_targets, save_result, target
from symusic.core import ScoreTick
from tqdm import tqdm

from neuromusic_hf import MidiInfillingPipeline, MidiProcessor, build_model
from neuromusic_hf.music import (
    AS_STORED,
    Reading,
    RefusedFile,
    bar_starts,
    edit_midi,
    excerpt,
    onsets,
    read_midi,
    replace_notes,
)
from neuromusic_hf.music.unwrapping import MIDI_EXTENSIONS

MOST_BARS = 8
"""Of a span."""
MOST_TOKENS = 256
"""Of a span, from the pipeline."""
MOST_NAMED = 20
TINY = {"num_hidden_layers": 1, "hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64}


@dataclass(frozen=True)
class Case:
    """
    A file, and what is asked of it.

    Args:
        name (`str`): of the file.
        data (`bytes`): the file.
        reading ([`Reading`]): what is read from it.
        bars (`tuple[int, int]`): the first of the span, and the one after its last.
        span ([`ReplacedSpan`]): the same in ticks, with the programs whose notes are replaced.
    """

    name: str
    data: bytes
    reading: Reading
    bars: tuple[int, int]
    span: ReplacedSpan


@dataclass(frozen=True)
class Infilled:
    """
    What came of a case.

    Args:
        case ([`Case`]): it.
        spans (`list` of [`ReplacedSpan`]): where notes were replaced.
        score ([`symusic.Score`]): the whole piece with the new notes.
        counts (`dict[str, int]`): of notes, as [`replace_notes`] has them.
    """

    case: Case
    spans: list[ReplacedSpan]
    score: ScoreTick
    counts: dict[str, int]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive", type=Path, help="a zip of MIDI files")
    parser.add_argument("--files", type=int, default=500, help="how many files are infilled")
    parser.add_argument("--seed", type=int, default=0, help="of files, spans and notes")
    parser.add_argument("--pipeline", action="store_true", help="have a tiny model write the notes")
    parser.add_argument("--tokenization", default="REMI", help="of the tiny model")
    parser.add_argument("--batch_size", type=int, default=16, help="of the pipeline")
    parser.add_argument("--output", type=Path, default=RESULTS / "infill_files.json", help="result file")
    args = parser.parse_args()
    refused: dict[str, str] = {}
    cases = draw_cases(args.archive, args.seed, refused)
    infilled = by_model(cases, args, refused) if args.pipeline else by_other_files(cases, args.seed)
    figures = prove(tqdm(itertools.islice(infilled, args.files), total=args.files, unit="file"))
    targets = {"identical": target(figures["identical"], at_least=args.files)}
    print_targets(targets)
    names = ("files", "seed", "pipeline", *(("tokenization", "batch_size") if args.pipeline else ()))
    settings = {name: getattr(args, name) for name in names}
    save_result(args.output, "infill_files", {"settings": settings, **figures, "refused": refused, "targets": targets})


def draw_cases(archive: Path, seed: int, refused: dict[str, str]) -> Iterator[Case]:
    """Files in random order with a span each; `refused` gets the reasons of those that are no music."""
    random = np.random.default_rng(seed)
    with zipfile.ZipFile(archive) as opened:
        names = sorted(info.filename for info in opened.infolist() if info.filename.lower().endswith(MIDI_EXTENSIONS))
        for name in random.permutation(names).tolist():
            data = opened.read(name)
            try:
                reading = read_midi(data)
                if not len(reading.notes):
                    raise RefusedFile("no_notes", "0 notes")
            except RefusedFile as error:
                refused[name] = str(error)
                continue
            yield Case(name, data, reading, *draw_span(random, reading.score))


def draw_span(random: np.random.Generator, score: ScoreTick) -> tuple[tuple[int, int], ReplacedSpan]:
    """Of 1 to 8 bars that have begun with the last note; of all tracks, one of its instruments, or any."""
    last = int(onsets(score)[-1])
    lines = np.unique(bar_starts(score, last + 1))
    first = int(random.integers(len(lines)))
    end = min(first + int(random.integers(1, MOST_BARS + 1)), len(lines))
    of_piece = sorted({program_of(track) for track in score.tracks if len(track.notes)})
    asked = [None, int(random.choice(of_piece)), int(random.integers(-1, 128))][random.choice(3, p=(0.4, 0.4, 0.2))]
    programs = None if asked is None else frozenset([asked])
    until = int(lines[end]) if end < len(lines) else last + 1
    return (first, end), ReplacedSpan(int(lines[first]), until, programs)


def by_other_files(cases: Iterator[Case], seed: int) -> Iterator[Infilled]:
    """With the notes of the file before, from anywhere in it; where one instrument is asked for, all play that."""
    random = np.random.default_rng(seed)
    other = next(cases)
    for case in cases:
        span = case.span
        new = excerpt(other.reading.score, int(random.choice(onsets(other.reading.score))))
        for track in new.tracks if span.programs is not None else ():
            (program,) = span.programs
            track.program, track.is_drum = max(program, 0), program < 0
        replaced = replace_notes(case.reading.score, span.start, span.end, new, span.programs)
        yield Infilled(case, [span], replaced.score, replaced.counts)
        other = case


def by_model(cases: Iterator[Case], args: argparse.Namespace, refused: dict[str, str]) -> Iterator[Infilled]:
    """With what a tiny model of random weights writes, all in the pipeline."""
    infill = make_pipeline(args.tokenization, args.seed)
    arguments = {"batch_size": args.batch_size, "seed": args.seed, "max_new_tokens": MOST_TOKENS}
    while batch := list(itertools.islice(cases, args.batch_size)):
        pieces = [
            {
                "name": case.name,
                "bytes": case.data,
                "bars": case.bars,
                "instruments": None if case.span.programs is None else sorted(case.span.programs),
            }
            for case in batch
        ]
        for case, result in zip(batch, infill(pieces, **arguments), strict=True):
            if result["midi"] is None:
                refused[case.name] = "{reason}: {detail}".format(**result["skipped"])
                continue
            (span,) = result["spans"]
            programs = None if span["programs"] is None else frozenset(span["programs"])
            counts = {name: span[name] for name in ("new_notes", "removed_notes", "shortened", "moved")}
            yield Infilled(case, [ReplacedSpan(*span["ticks"], programs)], result["midi"], counts | span["left_out"])


def make_pipeline(tokenization: str, seed: int) -> MidiInfillingPipeline:
    """Infilling with a model of random weights, which says that it was trained for it."""
    torch.manual_seed(seed)
    processor = MidiProcessor.from_tokenization(tokenization)
    processor.add_infill_tokens()
    model = build_model("llama", processor, context_length=2048, **TINY).eval()
    model.config.infill_share = 0.5
    return MidiInfillingPipeline(model, processor)


def prove(infilled: Iterable[Infilled]) -> dict:
    """How many files have each thing as it was, and which have not all."""
    compared, counts, differing, identical = Counter(), Counter(), {}, 0
    watch = Stopwatch()
    for each in infilled:
        found = compare(each)
        counts.update(each.counts)
        compared.update({name: int(equal) for name, equal in found.items()})
        if all(found.values()):
            identical += 1
        else:
            differing[each.case.name] = [name for name, equal in found.items() if not equal]
    return {
        "identical": identical,
        "compared": dict(compared),
        "notes": dict(counts),
        "differing": dict(itertools.islice(differing.items(), MOST_NAMED)),
        **watch.lap(),
    }


def compare(infilled: Infilled) -> dict[str, bool]:
    """Whether each thing is as it was, or as the score has it, once that is in the file."""
    reading, score = infilled.case.reading, infilled.score
    before, after = notes_of(reading.score), notes_of(score)
    data = edit_midi(infilled.case.data, score)
    return {
        **compare_scores(reading.score, score, infilled.spans),
        **compare_files(reading.data, data, (before - after).total(), (after - before).total()),
        **compare_read(score, read_midi(data, AS_STORED).score),
    }


if __name__ == "__main__":
    main()
