"""Bundles of a stranger, and a watch over what happens while they are refused."""

import json
import os
import shutil
import sys
from contextlib import contextmanager

import pytest
from transformers import AutoModelForCausalLM

from neuromusic_hf.bundles import save_bundle

STRANGER = """
from pathlib import Path

from miditok import REMI
from transformers import GPT2LMHeadModel

from neuromusic_hf.corpora import MidiCorpusBuilder
from neuromusic_hf.metrics import COMPARISONS

Path(__file__).with_name("it_ran").touch()


class Tokenizer(REMI):
    pass


class Model(GPT2LMHeadModel):
    pass


class Corpus(MidiCorpusBuilder):
    pass


COMPARISON = COMPARISONS[0]
"""

EVENTS = []
"""Of the audit hook, which cannot be taken off: it writes while a watch is set."""

_WATCHES = []


_HEARD = {
    "import": lambda name, *_: name,
    "open": lambda path, *_: path if isinstance(path, int) else os.path.realpath(os.fsdecode(path)),
    "socket.connect": lambda _, address: tuple(address[:2]),
    "socket.getaddrinfo": lambda host, port, *_: (host, port),
    **dict.fromkeys(("subprocess.Popen", "os.system", "os.posix_spawn"), lambda command, *_: command),
}
"""By event: what is written of its arguments."""


def _hear(event, arguments):
    if _WATCHES and event in _HEARD:
        EVENTS.append((event, _HEARD[event](*arguments)))


sys.addaudithook(_hear)


@pytest.fixture(scope="session")
def honest(tmp_path_factory, tiny_model, processor_of):
    """A bundle, to be copied."""
    folder = tmp_path_factory.mktemp("honest") / "bundle"
    save_bundle(tiny_model("REMI"), processor_of("REMI"), folder)
    return folder


@pytest.fixture(scope="session")
def honest_adapter(honest, tmp_path_factory):
    peft = pytest.importorskip("peft", reason="peft is not installed (pip install neuromusic_hf[adapters])")
    folder = tmp_path_factory.mktemp("adapter") / "lora"
    model = AutoModelForCausalLM.from_pretrained(honest)
    lora = peft.LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=["c_attn"], fan_in_fan_out=True)
    peft.get_peft_model(model, lora).save_pretrained(folder)
    change(folder / "adapter_config.json", base_model_name_or_path=str(honest))
    return folder


@pytest.fixture
def evil(honest, tmp_path):
    """A bundle that a test makes evil."""
    return shutil.copytree(honest, tmp_path / "evil")


@pytest.fixture
def stranger(tmp_path, monkeypatch):
    """The name of a module that lies where Python finds modules, and leaves a file where it is imported."""
    (tmp_path / "stranger.py").write_text(STRANGER)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield "stranger"
    sys.modules.pop("stranger", None)


@pytest.fixture
def secret(tmp_path):
    """A file that no bundle has to know."""
    path = tmp_path / "secret.json"
    path.write_text('{"password": "swordfish"}')
    return path


@pytest.fixture
def refused(tmp_path, secret, monkeypatch, hub_server):
    """Expects a refusal that says all of `parts`; nothing is imported, opened, run or fetched on its way."""
    places = [(host, hub_server.server_port) for host in ("127.0.0.1", "localhost", "::1")]
    monkeypatch.setattr("builtins.input", lambda *args: pytest.fail("asked"))

    @contextmanager
    def refuse(*parts, kind=(ValueError, OSError)):
        EVENTS.clear()
        _WATCHES.append(None)
        try:
            with pytest.raises(kind) as caught:
                yield
        finally:
            _WATCHES.pop()
        message = str(caught.value)
        assert not [part for part in parts if part not in message], message
        assert "swordfish" not in message and len(message) < 16_000  # with a traceback of transformers at most
        imported = {name.partition(".")[0] for event, name in EVENTS if event == "import"}
        assert not imported & {"stranger", "this", "antigravity"}
        assert not (tmp_path / "it_ran").exists()
        opened = [path for event, path in EVENTS if event == "open" and path == os.path.realpath(secret)]
        assert not opened, opened
        ran = [each for each in EVENTS if each[0] in ("subprocess.Popen", "os.system", "os.posix_spawn")]
        assert not ran, ran
        fetched = [place for event, place in EVENTS if event.startswith("socket.") and place not in places]
        assert not fetched, fetched

    return refuse


def change(path, *keys, **values):
    """Changes an object in a JSON file, at the end of `keys`."""
    content = json.loads(path.read_text())
    place = content
    for key in keys:
        place = place[key]
    place.update(values)
    path.write_text(json.dumps(content))
