"""Measures how long the features of music take, beside music21 doing the same.

    python benchmarks/features.py --data_dir maestro-v2.0.0-midi.zip

Every run is a fresh process. README.md says what each figure means.
"""

import argparse
import tempfile
import zipfile
from importlib.metadata import version
from pathlib import Path

from measuring import (
    RESULTS,
    FreshRun,
    Stopwatch,
    alternating,
    answer_task,
    print_targets,
    run_fresh,
    save_result,
    spread,
    target,
)
from symusic import Score

from neuromusic_hf.metrics import duration_distribution, harmonic_reduction, pitch_class_distribution
from neuromusic_hf.music import onsets, write_midi
from neuromusic_hf.music.excerpts import excerpt
from neuromusic_hf.music.loading import load_score

OURS, PEER = "ours", "music21"
SCRIPTS = {OURS: Path(__file__), PEER: Path(__file__).with_name("music21_features.py")}
PARTS = ("prompt", "original", "generated")
ONSETS = 100
OUR_PASSES = 20
ONE_THREAD = {"OMP_NUM_THREADS": "1"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", type=Path, help="zip of MIDI files, such as MAESTRO 2.0.0")
    parser.add_argument("--max_pieces", type=int, default=24, help="compositions to score, spread over the archive")
    parser.add_argument(
        "--max_whole", type=int, default=4, help="of these pieces, whole ones that music21 reduces too"
    )
    parser.add_argument("--repetitions", type=int, default=3, help="of every run; medians are compared")
    parser.add_argument("--output", type=Path, default=RESULTS / "features.json", help="result file")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.task:
        return answer_task(run_task, args.task)
    if args.data_dir is None:
        parser.error("--data_dir is needed: the path of a zip of MIDI files")
    if args.max_pieces < 1 or args.max_whole < 1:
        parser.error("--max_pieces and --max_whole must be at least 1")
    with tempfile.TemporaryDirectory(prefix="neuromusic-benchmark-") as folder:
        pieces = write_pieces(args.data_dir, args.max_pieces, Path(folder))
        whole = [str(piece / "whole.mid") for piece in pieces[: args.max_whole]]
        excerpts = [str(piece / f"{part}.mid") for piece in pieces for part in PARTS]
        runs = run_all({"excerpts": excerpts, "whole": whole}, str(args.data_dir.resolve()), args.repetitions)
        figures = compare(runs, len(pieces), len(whole))
    figures["settings"] |= {"archive": args.data_dir.resolve().name, "repetitions": args.repetitions}
    print_targets(figures["targets"])
    save_result(args.output, "features", figures)


def write_pieces(archive: Path, max_pieces: int, folder: Path) -> list[Path]:
    """A folder for each piece: the whole of it, and three excerpts of 100 onsets that stand for a composition."""
    folders = []
    with zipfile.ZipFile(archive) as members:
        names = midi_names(members)
        for name in names[:: max(1, len(names) // max_pieces)][:max_pieces]:
            data = members.read(name)
            score = load_score(data)
            piece = folder / f"{len(folders):04d}"
            piece.mkdir()
            (piece / "whole.mid").write_bytes(data)
            borders = onsets(score)[::ONSETS].tolist()
            if len(borders) <= len(PARTS):
                raise ValueError(f"{name} in {archive.name} is too short: give an archive of longer pieces.")
            for part, start, end in zip(PARTS, borders, borders[1:], strict=False):
                write_midi(excerpt(score, start, end), piece / f"{part}.mid")
            folders.append(piece)
    return folders


def midi_names(archive: zipfile.ZipFile) -> list[str]:
    return sorted(name for name in archive.namelist() if name.lower().endswith((".mid", ".midi")))


def run_all(task: dict, archive: str, repetitions: int) -> dict[str, list[FreshRun]]:
    """Runs both `repetitions` times, in alternating order."""
    runs = {OURS: [], PEER: []}
    for repetition, name in alternating([OURS, PEER], repetitions):
        more = {"archive": archive} if name == OURS else {}
        runs[name].append(run_fresh(SCRIPTS[name], {**task, **more}, ONE_THREAD))
        print(f"repetition {repetition + 1} of {repetitions}: {name} {runs[name][-1].seconds:.1f} s", flush=True)
    return runs


def run_task(excerpts: list[str], whole: list[str], archive: str) -> dict:
    """
    All features of excerpts, and harmony alone of whole pieces: of those of the peer, and of the whole archive.

    What the peer does once is done 20 times, as processor time is told in hundredths of a second.
    """
    watch = Stopwatch()
    for path in excerpts * OUR_PASSES:
        score = load_score(path)
        pitch_class_distribution(score)
        duration_distribution(score)
        harmonic_reduction(score)
    laps = {"excerpts": watch.lap()}
    bars = sum(len(harmonic_reduction(load_score(path))) for path in whole * OUR_PASSES) // OUR_PASSES
    laps["whole"] = watch.lap()
    laps = {part: {clock: seconds / OUR_PASSES for clock, seconds in lap.items()} for part, lap in laps.items()}
    with zipfile.ZipFile(archive) as members:
        names = midi_names(members)
        for name in names:
            harmonic_reduction(Score.from_midi(members.read(name)))
    return {**laps, "archive": watch.lap(), "bars": bars, "files": len(names)}


def compare(runs: dict[str, list[FreshRun]], pieces: int, whole: int) -> dict:
    """Milliseconds, and quotients of their medians: above 1, ours is faster."""
    files = runs[OURS][0].result["files"]
    figures = {name: {} for name in runs}
    for name, row in runs.items():
        for part, number in (("excerpts", len(PARTS) * pieces), ("whole", whole), ("archive", files)):
            if part in row[0].result:
                figures[name][part] = milliseconds([run.result[part] for run in row], number)
        figures[name]["peak_memory_mib"] = spread([run.peak_memory_mib[0] for run in row])
        figures[name]["bars_of_whole_pieces"] = row[0].result["bars"]
    ratios = {}
    for part in ("excerpts", "whole"):
        for clock, peer in figures[PEER][part].items():
            ratios[f"{part}_music21_to_ours_{clock}"] = peer["median"] / figures[OURS][part][clock]["median"]
    composition = len(PARTS) * figures[OURS]["excerpts"]["cpu_milliseconds"]["median"]
    reduction = figures[OURS]["archive"]["cpu_milliseconds"]["median"]
    targets = {
        "a composition (three excerpts, all features), processor ms": target(composition, at_most=12.0),
        "harmony of a file of the archive, processor ms": target(reduction, at_most=30.0),
        "an excerpt, music21 to ours": target(ratios["excerpts_music21_to_ours_cpu_milliseconds"], at_least=50.0),
    }
    settings = {"compositions": pieces, "whole_pieces": whole, "files_of_the_archive": files}
    settings["music21"] = version("music21")
    return {"settings": settings, "runs": figures, "ratios": ratios, "targets": targets}


def milliseconds(laps: list[dict[str, float]], files: int) -> dict[str, dict]:
    """Of one file, by wall clock and processor time, of repeated runs."""
    return {
        clock.replace("seconds", "milliseconds"): spread([lap[clock] * 1e3 / files for lap in laps])
        for clock in ("seconds", "cpu_seconds")
    }


if __name__ == "__main__":
    main()
