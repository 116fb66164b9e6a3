"""README is true: its commands run, its tree is the tree on disk, its Python works."""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[1]
README = (REPOSITORY / "README.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, flags=re.DOTALL)
COMMANDS = [line for language, block in BLOCKS if language == "bash" for line in block.strip().splitlines()]
TRAINING = [command for command in COMMANDS if "scripts/train.py" in command]
CONTINUING = [command for command in COMMANDS if "scripts/continue_midi.py" in command]
SCORES = r"scripts/(score_continuations|compare_runs|train_harmony_embedding)\.py"
SCORING = [command for command in COMMANDS if re.search(SCORES, command)]
SERVING = [command for command in COMMANDS if "transformers serve" in command or command.startswith("curl ")]
SNIPPETS = [block for language, block in BLOCKS if language == "python"]
MAKE_TARGETS = set(re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(), flags=re.MULTILINE))

SMALL_MODEL = "--hidden_size 32 --num_hidden_layers 1 --num_attention_heads 2 --intermediate_size 64"
SMALL_RUN = (
    f"{SMALL_MODEL} --max_steps 2 --eval_steps 2 --save_steps 1 --max_eval_blocks 2 --num_proc 1 "
    "--per_device_train_batch_size 2 --gradient_accumulation_steps 1 --augmentation_variants 0 --context_length 512 "
    "--split_shares 0.6 0.2 0.2 --eval_continuations_steps 2 --eval_continuations 2 --eval_shown_continuations 0"
).split()


def test_every_command_is_one_this_test_knows():
    other = [command for command in COMMANDS if command not in TRAINING + CONTINUING + SCORING + SERVING]
    assert {command.split()[0] for command in other} == {"make", "pip"}
    assert TRAINING and CONTINUING and SCORING and SNIPPETS


def test_make_targets_exist():
    named = {command.split()[1] for command in COMMANDS if command.startswith("make ")}
    assert named and named <= MAKE_TARGETS


def test_ci_calls_the_test_command_of_the_readme():
    assert "make test" in COMMANDS
    assert (REPOSITORY / ".ci" / "run").read_text().strip().splitlines()[-1] == "make test"


def test_the_extras_of_the_readme_are_those_of_setup_cfg():
    from configparser import ConfigParser

    setup = ConfigParser(interpolation=None)
    setup.read(REPOSITORY / "setup.cfg")
    extras = set(setup["options.extras_require"])
    named = re.search(r"^Extras: (.*)$", README, flags=re.MULTILINE).group(1)
    assert set(re.findall(r"`(\w+)`", named)) == extras
    assert set(re.findall(r"\[(\w+)\]\"", "\n".join(COMMANDS))) <= extras


@pytest.mark.parametrize("command", CONTINUING)
def test_prompt_and_continuation_fit_into_the_model_that_readme_trains(command):
    """The commands are run with shorter lengths below, which would hide this."""
    context = yaml.safe_load((REPOSITORY / "recipes" / "quickstart.yaml").read_text())["context_length"]
    lengths = [int(length) for length in re.findall(r"--(?:prompt|continue)_length (\d+)", command)]
    assert len(lengths) == 2
    assert sum(lengths) <= context


def test_the_scripts_of_the_tree_are_those_on_disk():
    (line,) = re.findall(r"^scripts/ +(.*)$", README, flags=re.MULTILINE)
    assert {f"{name}.py" for name in line.split(", ")} == {path.name for path in (REPOSITORY / "scripts").glob("*.py")}


def test_the_tree_is_the_tree_on_disk():
    (tree,) = [block for language, block in BLOCKS if not language]
    top = {line.split()[0] for line in tree.splitlines() if not line.startswith(" ")}
    rooms = {line.split()[0] for line in tree.splitlines() if line.startswith("  ")}
    hidden = (".", "runs", "wandb", "build")
    on_disk = {f"{path.name}/" for path in REPOSITORY.iterdir() if path.is_dir() and not path.name.startswith(hidden)}
    on_disk = {name for name in on_disk if not name.endswith(".egg-info/") and name != "__pycache__/"}
    assert top == on_disk
    packages = {f"{path.parent.name}/" for path in (REPOSITORY / "neuromusic_hf").glob("*/__init__.py")}
    assert rooms == packages


def test_the_readme_is_short():
    assert len(README.splitlines()) < 200


@pytest.fixture(scope="module")
def workplace(tmp_path_factory, midi_folder):
    """A folder that looks like the checkout, with a small corpus under the names README uses."""
    folder = tmp_path_factory.mktemp("workplace")
    for name in ("scripts", "recipes", "accelerate_configs"):
        (folder / name).symlink_to(REPOSITORY / name)
    shutil.copytree(midi_folder, folder / "my_midi")
    shutil.make_archive(str(folder / "my_midi"), "zip", midi_folder)
    shutil.copy(midi_folder / "piece_07.mid", folder / "my_song.mid")
    return folder


def run(command: list[str], folder: Path):
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    finished = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, timeout=900)
    assert finished.returncode == 0, f"{shlex.join(command)}\n{finished.stdout[-1500:]}\n{finished.stderr[-3000:]}"
    return finished.stdout


def small(command: str) -> list[str]:
    """The command with few steps, a small model, the small corpus, and a CPU in place of GPUs."""
    command = re.sub(r"accelerate_configs/\w+\.yaml", "accelerate_configs/cpu.yaml", command)
    command = re.sub(r"--vocab_size \d+", "--vocab_size 1100", command)
    corpus = [] if "--corpus" in command else ["--corpus", "my_midi"]
    return shlex.split(command) + SMALL_RUN + corpus


@pytest.mark.parametrize("index", range(len(TRAINING)))
def test_training_commands_run(workplace, index):
    if "--report_to wandb" in TRAINING[index]:
        pytest.importorskip("wandb", reason="wandb is not installed")
    if "--resume_from_checkpoint" in TRAINING[index] and not (workplace / "runs" / "quickstart").exists():
        run([*small("python scripts/train.py recipes/quickstart.yaml"), "--max_steps", "1"], workplace)
    run(small(TRAINING[index]), workplace)


def continue_pieces(workplace, index):
    if "runs/quickstart" in CONTINUING[index] and not (workplace / "runs" / "quickstart").exists():
        run(small("python scripts/train.py recipes/quickstart.yaml"), workplace)
    elif not (workplace / "runs" / "mine").exists():
        run(small(TRAINING[0]), workplace)
    command = CONTINUING[index].replace("bach+folk", "my_midi")
    run(shlex.split(command) + ["--prompt_length", "64", "--continue_length", "16"], workplace)


@pytest.mark.parametrize("index", range(len(CONTINUING)))
def test_continuation_commands_run(workplace, index):
    continue_pieces(workplace, index)


def test_scoring_commands_run(workplace):
    (scored,) = re.findall(r"score_continuations\.py (\S+)", "\n".join(SCORING))
    if not (workplace / scored / "manifest.json").exists():
        (index,) = [number for number, command in enumerate(CONTINUING) if f"--output {scored}" in command]
        continue_pieces(workplace, index)
    for command in SCORING:
        run(["bash", "-c", command.replace("bach+folk", "my_midi")], workplace)
    score = next(command for command in SCORING if "score_continuations" in command).replace("bach+folk", "my_midi")
    (embedding,) = re.findall(r"`(--harmony_embedding \S+)`", README)
    run(shlex.split(f"{score} {embedding}"), workplace)
    assert (workplace / "runs" / "quickstart" / "report" / "report.html").exists()
    assert "runs/quickstart" in (workplace / "runs" / "comparison" / "comparison.md").read_text()


@pytest.mark.parametrize("index", range(len(SNIPPETS)))
def test_python_snippets_run(workplace, index):
    if "runs/quickstart" in SNIPPETS[index] and not (workplace / "runs" / "quickstart").exists():
        run(small("python scripts/train.py recipes/quickstart.yaml"), workplace)
    assert run([sys.executable, "-c", SNIPPETS[index]], workplace).strip()


def test_a_served_bundle_answers(workplace):
    """The server is started as README says, and asked what README's curl asks."""
    serve, curl = SERVING
    (name,) = re.findall(r"transformers serve (\S+)", serve)
    assert any(f"--output_dir {name}" in command for command in TRAINING)
    make_bundle(workplace / name)
    port = free_port()
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    command = shlex.split(serve.replace("8000", str(port)))
    server = subprocess.Popen(command, cwd=workplace, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        body = shlex.split(curl)[-1].encode()
        url = f"http://localhost:{port}/v1/completions"
        answer = ask(urllib.request.Request(url, body, {"Content-Type": "application/json"}), server)
    finally:
        server.terminate()
        server.communicate(timeout=60)
    text = answer["choices"][0]["text"].split()
    assert 0 < len(text) <= 64
    assert all("_" in word for word in text)


def make_bundle(folder: Path):
    from neuromusic_hf import MidiProcessor, build_model

    processor = MidiProcessor.from_tokenization("REMI")
    model = build_model(
        "gpt2", processor, context_length=128, hidden_size=32, num_hidden_layers=1, num_attention_heads=2
    )
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def ask(request: urllib.request.Request, server: subprocess.Popen) -> dict:
    """The answer, once the server listens."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        assert server.poll() is None, server.stderr.read()[-3000:]
        try:
            with urllib.request.urlopen(request, timeout=120) as response:
                return json.load(response)
        except urllib.error.URLError as error:
            if not isinstance(error.reason, ConnectionRefusedError):
                raise
            time.sleep(0.5)
    raise TimeoutError("The server did not listen.")
