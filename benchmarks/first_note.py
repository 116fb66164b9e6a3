"""Measures how soon an installed package plays: from the start of a process to the first note, without a network.

    python benchmarks/first_note.py

README.md says what each figure means.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from pathlib import Path

from measuring import RESULTS, alternating, print_targets, save_result, spread, target
from symusic import Note, Score, Track

REPOSITORY = Path(__file__).parents[1]
SOURCES = ("setup.py", "setup.cfg", "README.md", "LICENSE")
MOST_SECONDS = 10
MOST_BYTES = 16_000_000

BEGIN = """
import json, socket, time

def refuse(*arguments):
    raise AssertionError("the network was asked")

socket.socket.connect = socket.getaddrinfo = refuse
marks = {}

def mark(name):
    marks[name] = time.time()
"""

CONTINUE = """
from threading import Thread
import neuromusic_hf
from transformers import pipeline

mark("imported")
continue_midi = pipeline("midi-continuation")
streamer = neuromusic_hf.NoteStreamer(continue_midi.processor)
mark("loaded")
arguments = {"prompt_bars": 4, "max_new_bars": 4, "seed": 1, "streamer": streamer}
Thread(target=continue_midi, args=("song.mid",), kwargs=arguments).start()
for note in streamer:
    if "first note" not in marks:
        mark("first note")
mark("end")
assert "first note" in marks and streamer.error is None
print(json.dumps(marks))
"""

INFILL = """
import neuromusic_hf
from transformers import pipeline

mark("imported")
infill = pipeline("midi-infilling")
mark("loaded")
result = infill("song.mid", bars=(4, 6), seed=1)
mark("end")
assert result["infilled"].note_num()
print(json.dumps(marks))
"""

PEER = """
from pathlib import Path
from transformers import pipeline

mark("imported")
(bundle,) = Path(__import__("sys").prefix).glob("lib/python*/site-packages/neuromusic_hf/bundles/default")
generate = pipeline("text-generation", model=str(bundle))
mark("loaded")
generate("BOS_None", max_new_tokens=1)
mark("end")
print(json.dumps(marks))
"""

WAYS = {"continue": CONTINUE, "infill": INFILL, "transformers": PEER}
"""What each process does; the last is transformers' own pipeline with the same weights, and nothing of the package."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=5, help="processes of each kind, after the very first")
    parser.add_argument("--output", type=Path, default=RESULTS / "first_note.json", help="result file")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wheel = build_wheel(Path(folder))
        python = install(wheel, Path(folder) / "environment")
        runs = measure(python, Path(folder), args.repetitions)
        size = bundle_bytes()
        figures = {"repetitions": args.repetitions, "wheel_bytes": wheel.stat().st_size, "bundle_bytes": size, **runs}
    first_note = runs["seconds"]["continue"]["first note"]["median"]
    targets = {
        "seconds_to_first_note": target(first_note, at_most=MOST_SECONDS),
        "bundle_bytes": target(size, at_most=MOST_BYTES),
    }
    ratio = first_note / runs["seconds"]["transformers"]["end"]["median"]
    print(f"The first note comes after {first_note:.1f} s, {ratio:.2f} times transformers' first token.")
    print_targets(targets)
    figures |= {"first_note_to_first_token_of_transformers": ratio, "targets": targets}
    save_result(args.output, "first_note", figures)


def build_wheel(folder: Path) -> Path:
    """The wheel of this checkout, built from a copy of it."""
    sources = folder / "sources"
    sources.mkdir()
    for name in SOURCES:
        shutil.copy(REPOSITORY / name, sources)
    leave_out = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "neuromusic_hf", sources / "neuromusic_hf", ignore=leave_out)
    pip("wheel", str(sources), "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder / "wheels"))
    (wheel,) = (folder / "wheels").glob("*.whl")
    return wheel


def install(wheel: Path, environment: Path) -> Path:
    """The Python of a fresh environment with the wheel in it, which finds the libraries of this one."""
    venv.create(environment, with_pip=False)
    (packages,) = environment.glob("lib/python*/site-packages")
    pip("install", "--no-deps", "--target", str(packages), str(wheel))
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return environment / "bin" / "python"


def pip(*arguments: str):
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments, "--no-index"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def measure(python: Path, folder: Path, repetitions: int, ways: dict[str, str] = WAYS) -> dict:
    """
    Seconds from the start of processes to what they mark, and processor seconds of the whole of each.

    The first process of all, which also writes byte code and reads libraries from disk, is told alone.
    """
    write_song(folder / "song.mid")
    first = timed(python, folder, next(iter(ways.values())))
    found: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    for _, name in alternating(list(ways), repetitions):
        found[name].append(timed(python, folder, ways[name]))
    seconds = {name: {key: spread([run[key] for run in runs]) for key in runs[0]} for name, runs in found.items()}
    return {"very_first": first, "seconds": seconds}


def timed(python: Path, folder: Path, code: str) -> dict[str, float]:
    """Seconds to each mark of a process, and its processor seconds (`cpu`)."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"HF_HOME": str(folder / "empty"), "HF_HUB_OFFLINE": "0"}
    begin = time.time()
    process = subprocess.Popen(
        [python, "-c", BEGIN + code], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    )
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"A process ended with {process.returncode}.")
    marks = json.loads(output.splitlines()[-1])
    return {name: at - begin for name, at in marks.items()} | {"cpu": usage.ru_utime + usage.ru_stime}


def write_song(path: Path):
    """Twelve bars of a tune."""
    score = Score(480)
    score.tracks.append(Track(notes=[Note(480 * step, 480, 60 + step * 7 % 12, 80) for step in range(48)]))
    score.dump_midi(path)


def bundle_bytes() -> int:
    """Of all files of the bundle that comes with the package."""
    folder = REPOSITORY / "neuromusic_hf" / "bundles" / "default"
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())


if __name__ == "__main__":
    main()
