"""What a process of its own imports: nothing slow that it does not use, and all that libraries must be told."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from music import make_score

from neuromusic_hf.bundles import save_bundle

REPOSITORY = Path(__file__).parents[1]
SCRIPTS = sorted((REPOSITORY / "scripts").glob("*.py"))

OF_MODELS = {
    "accelerate",
    "evaluate",
    "gensim",
    "matplotlib",
    "miditok",
    "music21",
    "tokenizers",
    "torch",
    "transformers",
}
SLOW = {*OF_MODELS, "datasets", "huggingface_hub", "pandas", "pyarrow", "scipy"}

TELL = "\nimport json, sys\nprint(json.dumps([name for name in sys.modules if '.' not in name]))"


def run(code: str, *arguments) -> str:
    """What Python code prints in a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=REPOSITORY, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def imported(code: str, *arguments) -> set[str]:
    """The libraries that a process imports by this code."""
    return set(json.loads(run(code + TELL, *arguments).splitlines()[-1]))


def test_the_package_imports_nothing_slow():
    assert not imported("import neuromusic_hf") & {*SLOW, "numpy", "symusic"}


def test_a_corpus_is_built_and_read_without_what_models_need(midi_folder, tmp_path):
    code = """if True:
        import sys
        import neuromusic_hf

        corpus = neuromusic_hf.load_corpus(sys.argv[1], cache_dir=sys.argv[2], split_version="notes-hash-1")
        rows = [row for split in ("train", "validation", "test") for row in corpus[split]]
        assert len(rows) == 40 and all(row["midi"].note_num() for row in rows), len(rows)
    """
    names = imported(code, midi_folder, tmp_path)
    assert "datasets" in names and not names & OF_MODELS


SAID = """if True:
    import contextlib, io, json, runpy, sys

    (_, script, asked), said = sys.argv, []
    for options in json.loads(asked):
        sys.argv, output = [script, *options], io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            try:
                runpy.run_path(script, run_name="__main__")
            except (SystemExit, ValueError) as error:
                print(type(error).__name__, error, file=output)
        said.append(output.getvalue())
    print(json.dumps(said))
"""
WRONG = {
    "continue_midi": (["m", "song.mid", "--output", "o", "--temperature", "-1"], "temperature=-1 must be at least 0"),
    "infill_midi": (["m", "song.mid", "--output", "o", "--span_bars", "0"], "span_bars=0 must be at least 1"),
    "report_leaks": (["bach", "--output", "o", "--max_pairs", "-1"], "max_pairs=-1 must be at least 0"),
    "score_continuations": (["m", "--output", "o", "--num_proc", "0"], "num_proc=0 must be at least 1"),
    "search": (["recipes/small.yaml", "--trials", "0"], "trials=0 must be at least 1"),
    "train": (["recipes/small.yaml", "--learning_rate", "-1"], "learning_rate=-1 must be at least 0"),
    "train_harmony_embedding": (["bach", "--output", "o", "--window", "0"], "window=0 must be at least 1"),
}
"""A number out of range, and how it is refused."""
REFUSALS = re.compile("SystemExit 2$|ValueError Unknown option --no_such_option")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_helps_and_complains_at_once(script):
    wrong, refusal = WRONG.get(script.stem, (None, None))
    asked = [["--help"], ["--no_such_option"], *([wrong] if wrong else [])]
    *_, said, names = run(SAID + TELL, script, json.dumps(asked)).splitlines()
    assert not set(json.loads(names)) & SLOW
    helped, complained, *refused = json.loads(said)
    assert f"usage: {script.name}" in helped and helped.endswith("SystemExit 0\n")
    assert REFUSALS.search(complained)
    assert not wrong or refused[0].startswith(f"ValueError {refusal}")


CLASS_FIRST = "import transformers\ntransformers.AutoModelForCausalLM\nimport neuromusic_hf"
MODULE_FIRST = "import neuromusic_hf.models.origin\nimport transformers"
"""A module of this package that imports transformers. The package itself is first in the process of the tests."""

CONFIGURE = """
import sys

config = transformers.AutoConfig.from_pretrained(sys.argv[1])
assert type(config).__module__ == "neuromusic_hf.models.music_transformer.configuration_music_transformer"
"""
LOAD = """
model = transformers.AutoModelForCausalLM.from_pretrained(sys.argv[1])
assert model.hub_commit is None and "push_bundle" in transformers.utils.PushToHubMixin.push_to_hub.__globals__
assert type(transformers.AutoProcessor.from_pretrained(sys.argv[1])).__name__ == "MidiProcessor"
pipe = transformers.pipeline("midi-continuation", model=sys.argv[1], device="cpu")
print(pipe(sys.argv[2], prompt_length=40, max_new_tokens=8, seed=3)["token_ids"])
"""


def test_transformers_loads_bundles_in_any_order_of_imports(tiny_model, processor_of, pipeline_of, tmp_path):
    save_bundle(tiny_model("REMI", "music_transformer"), processor_of("REMI"), tmp_path / "bundle")
    make_score(1).dump_midi(tmp_path / "song.mid")
    run(MODULE_FIRST + CONFIGURE, tmp_path / "bundle")
    said = run(CLASS_FIRST + CONFIGURE + LOAD, tmp_path / "bundle", tmp_path / "song.mid")
    pipe = pipeline_of("REMI", "music_transformer")
    expected = pipe(str(tmp_path / "song.mid"), prompt_length=40, max_new_tokens=8, seed=3)["token_ids"]
    assert json.loads(said.splitlines()[-1]) == expected


READ = """
import sys
from pathlib import Path

features = datasets.Features.from_dict({"midi": {"_type": "Midi"}})
rows = datasets.Dataset.from_dict({"midi": [Path(sys.argv[1]).read_bytes()]}, features=features)
assert rows[0]["midi"].note_num() and rows.with_format("numpy")[0]["midi"].note_num()
"""


@pytest.mark.parametrize("imports", ["datasets, neuromusic_hf", "neuromusic_hf, datasets"])
def test_datasets_reads_scores_in_either_order_of_imports(imports, midi_folder):
    assert not imported(f"import {imports}{READ}", midi_folder / "piece_00.mid") & OF_MODELS


def test_a_spawned_process_reads_what_it_is_given(midi_folder):
    """It imports the modules of what it calls, and no more."""
    code = """if True:
        import multiprocessing, sys
        from pathlib import Path
        from neuromusic_hf.corpora import inspect_midi

        with multiprocessing.get_context("spawn").Pool(1) as pool:
            files = [path.read_bytes() for path in sorted(Path(sys.argv[1]).iterdir())[:2]]
            print(sum(facts.num_notes for facts in pool.map(inspect_midi, files)))
    """
    assert int(run(code, midi_folder)) > 0
