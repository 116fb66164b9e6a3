"""The wheel holds the whole package, and works where there is no checkout. Built and installed without network."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
from safetensors import safe_open

REPOSITORY = Path(__file__).parents[1]
PACKAGE = REPOSITORY / "neuromusic_hf"
SOURCES = ("setup.py", "setup.cfg", "README.md", "LICENSE")

WALK = """
from importlib.metadata import version
from pathlib import Path

import torch
from symusic import Note, Score, Track

import neuromusic_hf
from neuromusic_hf import MidiContinuationPipeline, MidiProcessor, build_model, load_corpus, write_midi
from neuromusic_hf.metrics import load_harmony_embedding, load_metrics
from neuromusic_hf.reports import score_run, write_report
from neuromusic_hf.runs import ContinuationSettings, OutputSettings, RunFolder, RunWriter, find_pieces, read_run

print("from", Path(neuromusic_hf.__file__).parent, version("neuromusic_hf"))
score = Score(480)
score.tracks.append(Track(notes=[Note(240 * step, 240, 60 + step * 5 % 12, 80) for step in range(64)]))
for name in ("a.mid", "b.mid"):
    write_midi(score, name)

torch.manual_seed(0)
processor = MidiProcessor.from_tokenization("REMI")
sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
model = build_model("music_transformer", processor, context_length=128, **sizes)
MidiContinuationPipeline(model, processor, device="cpu").save_pretrained("bundle")
continue_midi = MidiContinuationPipeline(model.from_pretrained("bundle").eval(), processor, device="cpu")

settings = ContinuationSettings(prompt_length=64, continue_length=32)
pieces = find_pieces(["a.mid", "b.mid"])
run = RunWriter(continue_midi, pieces, RunFolder("test"), settings, OutputSettings())
run.begin(sources=["a.mid", "b.mid"])
run.write_share()
run.end()
finished = read_run("test")
print("report", write_report(finished, score_run(finished), "report").stat().st_size)
print("metrics", *(module.name for module in load_metrics().evaluation_modules))
print("harmony", len(load_harmony_embedding().words))
"""
"""A run from notes to report in a process that finds the package only where the wheel was installed."""

PLAY = """
import socket

def refuse(*arguments):
    raise AssertionError("the network was asked")

socket.socket.connect = socket.getaddrinfo = refuse

from symusic import Note, Score, Track

from neuromusic_hf import write_midi
from neuromusic_hf.bundles import ModelIdentity
from transformers import pipeline

score = Score(480)
score.tracks.append(Track(notes=[Note(480 * step, 480, 60 + step * 7 % 12, 80) for step in range(48)]))
write_midi(score, "song.mid")
continue_midi, infill = pipeline("midi-continuation"), pipeline("midi-infilling")
continued = continue_midi("song.mid", prompt_bars=4, max_new_tokens=64, seed=0)
infilled = infill("song.mid", bars=(4, 6), seed=0)
name = ModelIdentity.of(continue_midi.model).name
print(continued["continuation"].note_num(), infilled["infilled"].note_num(), name, continue_midi.model.dtype)
"""
"""Music out of the box: no model is named, and no network is there."""

BUNDLE = PACKAGE / "bundles" / "default"
MOST_BYTES_OF_BUNDLE = 16_000_000
OF_BUNDLE = (
    "model.safetensors", "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
    "processor_config.json", "midi_continuation.py", "midi_infilling.py", "processing_midi.py", "run.json",
    "recipe.yaml", "README.md", "LICENSE",
)  # fmt: skip
TEXTS = (".json", ".md", ".py", ".yaml", "")
PATH = r"(?<![\w/.:<])(?:~|[A-Z]:)?[/\\](?:home|root|tmp|work|mnt|data|Users|usr|var|opt)[/\\][^\s\"']*"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy: setuptools writes beside what it builds, and takes up what an earlier build left there."""
    sources, wheels = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("wheels")
    for name in SOURCES:
        shutil.copy(REPOSITORY / name, sources)
    # What must stay out of the wheel lies beside the package, as in the checkout.
    for name in ("tests", "benchmarks", "examples"):
        (sources / name).mkdir()
        (sources / name / "__init__.py").touch()
    shutil.copytree(PACKAGE, sources / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    pip("wheel", str(sources), "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels))
    (path,) = wheels.glob("*.whl")
    return path


def pip(*arguments: str):
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments, "--no-index"]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert finished.returncode == 0, finished.stdout[-2000:] + finished.stderr[-2000:]


def files_of(folder: Path) -> set[str]:
    files = (path.relative_to(folder.parent) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in files if "__pycache__" not in path.parts}


def test_the_wheel_holds_every_file_of_the_package_and_no_other(wheel):
    names = [name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name]
    assert set(names) == files_of(PACKAGE)
    assert len(names) == len(set(names))
    assert {Path(name).suffix for name in names} > {".py", ".html", ".npz", ".md", ".safetensors", ".typed"}


def test_its_description_is_the_readme(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = archive.read(name).decode()
    assert (REPOSITORY / "README.md").read_text().strip() in metadata


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """An environment of its own, which has the libraries of this one but not its editable install."""
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment, with_pip=False)
    (packages,) = environment.glob("lib/python*/site-packages")
    pip("install", "--no-deps", "--target", str(packages), str(wheel))  # whatever is installed here
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return environment


def run_in(environment: Path, code: str, folder: Path, **variables: str) -> subprocess.CompletedProcess:
    here = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | variables
    command = [environment / "bin" / "python", "-c", code]
    return subprocess.run(command, cwd=folder, env=here, capture_output=True, text=True, timeout=300)


def test_an_installed_wheel_trains_nothing_but_does_all_else_away_from_the_checkout(installed, tmp_path):
    walk = run_in(installed, WALK, tmp_path)
    assert walk.returncode == 0, walk.stderr[-3000:]
    said = dict(line.split(maxsplit=1) for line in walk.stdout.splitlines())
    (packages,) = installed.glob("lib/python*/site-packages")
    assert Path(said["from"].split()[0]) == packages / "neuromusic_hf"
    assert set(said["metrics"].split()) == {"pitch_kl", "duration_kl", "harmony_kl"}
    assert int(said["report"]) > 10_000 and int(said["harmony"]) > 100


def test_it_plays_where_there_is_no_network(installed, tmp_path):
    played = run_in(installed, PLAY, tmp_path, HF_HOME=str(tmp_path / "empty"), HF_HUB_OFFLINE="0")
    assert played.returncode == 0, played.stderr[-3000:]
    continued, infilled, name, dtype = played.stdout.split()
    assert int(continued) > 0 and int(infilled) > 0
    assert (name, dtype) == ("default", "torch.float32")
    assert played.stderr.count("the bundle that comes with neuromusic_hf") == 1
    assert "not recommended" not in played.stderr


def test_the_bundle_in_it_is_whole_small_and_safe(wheel):
    place = f"{PACKAGE.name}/bundles/default/"
    with zipfile.ZipFile(wheel) as archive:
        sizes = {
            each.filename.removeprefix(place): each.file_size for each in archive.infolist() if place in each.filename
        }
        config, card = (archive.read(place + name).decode() for name in ("config.json", "README.md"))
        archive.extract(f"{place}model.safetensors", wheel.parent)
    assert sum(sizes.values()) <= MOST_BYTES_OF_BUNDLE
    assert sizes.keys() >= {*OF_BUNDLE}
    assert {Path(name).suffix for name in sizes} <= {".json", ".md", ".py", ".safetensors", ".yaml", ""}
    with safe_open(wheel.parent / place / "model.safetensors", "pt") as weights:
        kinds = {weights.get_slice(name).get_dtype() for name in weights.keys()}
    assert kinds == {"F16"} and json.loads(config)["dtype"] == "float32"
    assert card.startswith("---\n") and "\nlicense: apache-2.0\n" in card


def test_the_bundle_names_no_path_of_a_machine():
    texts = {path.name: path.read_text(encoding="utf-8") for path in BUNDLE.iterdir() if path.suffix in TEXTS}
    assert texts
    assert not {name: found for name, text in texts.items() if (found := re.findall(PATH, text))}
