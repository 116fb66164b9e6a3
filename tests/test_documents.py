"""README and docs are true: their commands run, their Python runs, and both print what the page says."""

import glob
import json
import os
import pkgutil
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
from documents import CONTRIBUTING, PAGES, README, REPOSITORY, Page
from preloaded import run_script
from symusic import Score

from neuromusic_hf.default_bundle import DEFAULT_BUNDLE
from neuromusic_hf.infilling.drawing import LONGEST_MIDDLE
from neuromusic_hf.models.fit import DEFAULT_INFILL_SHARE
from neuromusic_hf.music.instruments import PROGRAM_NAMES

COMMANDS = list(dict.fromkeys(command for page in PAGES for command in page.commands))
SERVING = [command for command in COMMANDS if re.match("cp |transformers serve|curl ", command)]
NOT_RUN = ("make ", "pip ", "cp ", "transformers serve ", "curl ", "wandb ")
"""How commands begin that are proved in other ways."""
LAUNCH = re.compile(r"accelerate launch --config_file accelerate_configs/\w+\.yaml ")
SMALL_SIZES = "--hidden_size 32 --num_hidden_layers 1 --num_attention_heads 2 --intermediate_size 64".split()
SMALL_RUN = (
    "--max_steps 2 --eval_steps 1 --save_steps 1 --max_eval_blocks 2 "
    "--num_proc 1 --per_device_train_batch_size 2 --gradient_accumulation_steps 1 --augmentation_variants 0 "
    "--context_length 512"
).split()
SMALL_SHARES = "--split_shares 0.6 0.2 0.2".split()
SMALL_TEST = "--eval_continuations_steps 2 --eval_continuations 2 --eval_shown_continuations 0".split()
HUB_PAGE = "docs/hub.md"
"""Its commands and its Python meet a Hub; those of other pages need none."""
TRAINING = ("scripts/train.py", "scripts/search.py", "examples/own_tracker.py")
ROOMS = "|".join(path.parent.name for path in (REPOSITORY / "neuromusic_hf").glob("*/__init__.py"))
INSTRUMENTS = re.compile(r"""instruments(?:=|": |\s)(\[[^\]]*\]|"[^"]*"|\d+)""")
SHARE = re.compile(r"--infill_share ([\d.]+)|A new model \| ([\d.]+)", re.IGNORECASE)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[\w-]+)?\)")
IN_BACKTICKS = re.compile(r"`([^`\n]+)`")


def of_each(pages: list[Page]):
    return pytest.mark.parametrize("page", pages, ids=lambda page: page.name)


def test_every_command_is_one_this_test_knows():
    known = (*NOT_RUN, "hf ", "python examples/", "python scripts/")
    assert [command for command in COMMANDS if not without_launch(command)[1].startswith(known)] == []


def test_every_example_is_run_by_a_page():
    used = {word for command in COMMANDS for word in command.split() if word.startswith("examples/")}
    files = (REPOSITORY / "examples").iterdir()
    assert used == {f"examples/{path.name}" for path in files if path.suffix in (".py", ".yaml")}


@of_each([*PAGES, CONTRIBUTING])
def test_links_lead_to_what_is_there(page):
    targets = [target for target in LINK.findall(page.prose) if not re.match("https?:", target)]
    assert [target for target in targets if not (page.path.parent / target).exists()] == []


@of_each([*PAGES, CONTRIBUTING])
def test_files_and_names_of_the_package_exist(page):
    words = [word for quoted in IN_BACKTICKS.findall(page.prose) for word in re.split(r"[\s(=:,]", quoted)]
    homes = "neuromusic_hf|scripts|recipes|tests|docs|examples|benchmarks|accelerate_configs"
    paths = [word for word in words if re.fullmatch(rf"(?:{homes}|{ROOMS})/[\w./]*", word) and word[:5] != "runs/"]
    places = (REPOSITORY, REPOSITORY / "neuromusic_hf")
    assert [path for path in paths if not any((place / path).exists() for place in places)] == []
    names = [word for word in words if re.fullmatch(rf"(?:neuromusic_hf|{ROOMS})(?:\.\w+)+", word)]
    assert [name for name in names if not name.endswith(".py") and not exists(name)] == []


def exists(name: str) -> bool:
    """Whether the package has it; a name may begin with its room."""
    try:
        pkgutil.resolve_name(name if name.startswith("neuromusic_hf.") else f"neuromusic_hf.{name}")
    except (ImportError, AttributeError):
        return False
    return True


def test_instruments_that_pages_ask_for_are_known_to_the_bundle_that_comes_along():
    """The pages are run with another model, which would hide this; one that is fine-tuned knows what its base knew."""
    known = set(json.loads((DEFAULT_BUNDLE / "config.json").read_text())["trained_programs"])
    asked = {page.name: asked for page in PAGES if (asked := instruments_of(page.text))}
    assert {"README.md", "docs/infilling.md"} <= asked.keys()
    unknown = {name: programs - known for name, programs in asked.items() if programs - known}
    assert unknown == {"docs/continuing.md": {PROGRAM_NAMES.index("Banjo")}}  # which it says is refused


def test_the_page_on_filling_in_lists_the_instruments_of_the_bundle_that_comes_along():
    known = json.loads((DEFAULT_BUNDLE / "config.json").read_text())["trained_programs"]
    (page,) = [page for page in PAGES if page.name == "docs/infilling.md"]
    (table,) = re.findall(r"writes these, and no drums.*?\n\n(.*?)\n\n", page.text, re.DOTALL)
    told = re.findall(r"(\d+) ([^,|]+?)(?=,| \|)", table)
    assert sorted((int(program), name) for program, name in told) == [(each, PROGRAM_NAMES[each]) for each in known]


def test_instruments_are_found_however_they_are_asked_for():
    calls = 'instruments=["Cello", 33] instruments="prompt" "instruments": ["Flute"]'
    text = f'{calls} --instruments "Oboe" --instruments 5'
    assert instruments_of(text) == {42, 33, 73, 68, 5}


def instruments_of(text: str) -> set[int]:
    """Programs that a page asks for, by number or name."""
    words = [word for said in INSTRUMENTS.findall(text) for word in re.findall(r'"([^"]+)"|(\d+)', said)]
    return {
        int(number) if number else PROGRAM_NAMES.index(name) for name, number in words if number or name != "prompt"
    }


def test_pages_tell_the_share_of_infilling_that_the_code_has():
    told = {
        (page.name, float(share)) for page in PAGES for found in SHARE.findall(page.text) for share in found if share
    }
    told_elsewhere = {(name, share) for name, share in told if share not in (0, DEFAULT_INFILL_SHARE)}
    assert told_elsewhere == set()
    assert {(name, DEFAULT_INFILL_SHARE) for name in ("docs/infilling.md", "docs/training.md")} <= told


@pytest.mark.parametrize("name", ["docs/infilling.md", "docs/training.md"])
def test_pages_tell_how_many_bars_a_middle_has_at_most(name):
    (page,) = [page for page in PAGES if page.name == name]
    assert set(re.findall(r"1 to (\d+) bars", page.text)) == {str(LONGEST_MIDDLE)}


@of_each(PAGES)
def test_code_that_is_quoted_is_the_code_of_the_file(page):
    for block in page.blocks:
        if block.quoted:
            assert block.code == (REPOSITORY / block.quoted).read_text(), block.quoted


@pytest.fixture(scope="module")
def workplace(tmp_path_factory, midi_folder):
    """
    A folder that looks like the checkout, with a small corpus and a small model under the names the pages use.

    Ten pieces of the corpus have a cello for their bass.
    """
    folder = tmp_path_factory.mktemp("workplace")
    for name in ("scripts", "recipes", "accelerate_configs", "examples"):
        (folder / name).symlink_to(REPOSITORY / name)
    shutil.copytree(midi_folder, folder / "my_midi")
    for path in sorted((folder / "my_midi").iterdir())[-10:]:
        with_cello = Score(path)
        with_cello.tracks[-1].program = PROGRAM_NAMES.index("Cello")
        with_cello.dump_midi(path)
    shutil.make_archive(str(folder / "my_midi"), "zip", midi_folder)
    shutil.copy(midi_folder / "piece_07.mid", folder / "my_song.mid")
    run("python scripts/train.py recipes/small.yaml", folder)
    for name in ("quickstart", "old"):
        shutil.copytree(folder / "runs/small", folder / "runs" / name)
    shutil.copytree(folder / "runs/small/bundle", folder / "default")  # goes before the one that comes along
    return folder


@pytest.fixture(scope="module")
def hub_of_pages(hub_server):
    """An empty Hub, as its user alice meets it: variables of the environment."""
    hub_server.reset()
    return {**hub_server.environ("alice"), "HF_HUB_OFFLINE": "0"}


@pytest.fixture(scope="module")
def printed():
    """What commands printed that were run already."""
    return {}


@of_each(PAGES)
def test_a_page_runs_and_prints_what_it_shows(workplace, hub_of_pages, printed, page: Page):
    variables = hub_of_pages if page.name == HUB_PAGE else {}
    for command in page.commands:
        if command not in printed and not without_launch(command)[1].startswith(NOT_RUN):
            printed[command] = run(command, workplace, variables)
    for block, shown in page.printed("bash"):
        check_output(shown, printed[block.code.strip().splitlines()[-1]])
    if page.script.strip():
        path = workplace / f"{page.path.stem}.py"
        path.write_text(page.script)
        said = finished(run_script(path, folder=workplace, variables=variables), page.name)
        check_output("...".join(shown for _, shown in page.printed("python")), said)


def check_output(shown: str, said: str):
    """What is shown is a part of what was said, `...` standing for anything."""
    pattern = ".*".join(re.escape(" ".join(part.split())) for part in shown.split("..."))
    assert re.search(pattern.replace(" .*", ".*"), " ".join(said.split())), f"Shown:\n{shown}\nPrinted:\n{said}"


def without_launch(command: str) -> tuple[dict[str, str], str]:
    """Variables that a command sets, and the command without them and without its launcher."""
    variables = dict(re.findall(r"(\w+)=(\S+) ", re.match(r"(?:\w+=\S+ )*", command)[0]))
    command = re.sub(r"^(?:\w+=\S+ )*", "", command)
    if LAUNCH.match(command):
        variables["ACCELERATE_USE_CPU"] = "true"
    return variables, LAUNCH.sub("python ", command)


def run(command: str, folder: Path, variables: dict[str, str] | None = None) -> str:
    """What a command of a page prints, made small: a small corpus and model, few steps and tokens, a CPU."""
    own_variables, python = without_launch(command)
    variables = {**(variables or {}), **own_variables}
    program, script, *arguments = shlex.split(re.sub(r"bach\+folk|monteverdi", "my_midi", python))
    if program == "hf":
        said = [Path(sys.executable).parent / program, script, *arguments]
        environment = {**os.environ, **variables}
        return finished(subprocess.run(said, cwd=folder, env=environment, capture_output=True, text=True), command)
    arguments = [path for argument in arguments for path in expanded(argument, folder)]
    arguments += smaller(script, arguments)
    return finished(run_script(Path(script), *arguments, folder=folder, variables=variables), command)


def expanded(argument: str, folder: Path) -> list[str]:
    return sorted(glob.glob(argument, root_dir=folder)) if "*" in argument else [argument]


def smaller(script: str, arguments: list[str]) -> list[str]:
    """Options that override those of a command."""
    if script == "scripts/continue_midi.py":
        return ["--prompt_length", "64", "--continue_length", "16"]
    if script not in TRAINING:
        return []
    if script == "scripts/search.py":
        searched = SMALL_SIZES.index("--num_hidden_layers")
        sizes = SMALL_SIZES[:searched] + SMALL_SIZES[searched + 2 :]
        return [*SMALL_RUN, *sizes, "--corpus", "my_midi", "--trials", "1"]
    is_own_model = any(argument.startswith("own_model.") for argument in arguments)
    is_saved = any("finetune" in argument for argument in arguments)
    sizes = [] if is_saved else SMALL_SIZES[:4] if is_own_model else SMALL_SIZES
    vocabulary = ["--vocab_size", "1100"] if "--vocab_size" in arguments else []
    corpus = [] if "--corpus" in arguments else ["--corpus", "my_midi"]
    shares = [] if any(argument.startswith("prepared/") for argument in arguments) else SMALL_SHARES
    tests = [*SMALL_TEST, "--eval_continue_length", "16"] if is_saved or script != "scripts/train.py" else []
    return [*SMALL_RUN, *shares, *sizes, *vocabulary, *corpus, *tests]


def finished(ended, what: str) -> str:
    assert ended.returncode == 0, f"{what}\n{ended.stdout[-1500:]}\n{ended.stderr[-3000:]}"
    return ended.stdout


def test_the_first_command_for_an_own_corpus_runs_as_it_stands(workplace):
    """Launched as a user launches it, and tested while it trains; the others are run without a launcher."""
    command = next(command for command in README.commands if LAUNCH.match(command))
    _, python = without_launch(command)
    _, script, *arguments = shlex.split(python)
    small = [*smaller(script, arguments), *SMALL_TEST]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    whole = [*shlex.split(command), *small]
    environment = {**os.environ, "PATH": path}
    ended = subprocess.run(whole, cwd=workplace, capture_output=True, text=True, env=environment, timeout=900)
    finished(ended, command)
    assert (workplace / "runs/mine/eval_continuations/step-000002/report/report.html").exists()


def test_a_served_bundle_answers(workplace):
    """The server is started as the page says, and asked what its curl asks."""
    copy, serve, curl = SERVING
    name = shlex.split(copy)[2]
    assert any(f"--output_dir {Path(name).parent}" in command for command in COMMANDS)
    make_bundle(workplace / "server" / name)
    subprocess.run(copy, shell=True, check=True, cwd=workplace / "server")
    port = free_port()
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    command = shlex.split(serve.replace("8000", str(port)))
    server = subprocess.Popen(command, cwd=workplace / "server", env=environment, stderr=subprocess.PIPE, text=True)
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
