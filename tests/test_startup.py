"""What a process of its own imports: nothing slow that it does not use, and all that libraries must be told."""

import json
import os
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
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
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


RUN = """if True:
    import contextlib, runpy, sys

    sys.argv = sys.argv[1:]
    with contextlib.suppress(SystemExit, ValueError):
        runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
@pytest.mark.parametrize("option", ["--help", "--no_such_option"])
def test_a_script_helps_and_complains_at_once(script, option):
    assert not imported(RUN, script, option) & SLOW


WRONG = {
    "continue_midi": ("m", "song.mid", "--output", "o", "--temperature", -1),
    "report_leaks": ("bach", "--output", "o", "--max_pairs", -1),
    "score_continuations": ("m", "--output", "o", "--num_proc", 0),
    "train": (REPOSITORY / "recipes" / "quickstart.yaml", "--learning_rate", -1),
    "train_harmony_embedding": ("bach", "--output", "o", "--window", 0),
}


@pytest.mark.parametrize("script", WRONG)
def test_a_number_out_of_range_is_refused_at_once(script):
    path = REPOSITORY / "scripts" / f"{script}.py"
    assert not imported(RUN, path, *WRONG[script]) & SLOW


ORDERS = {
    "this package first": "import neuromusic_hf\nimport transformers",
    "the class first": "import transformers\ntransformers.AutoModelForCausalLM\nimport neuromusic_hf",
    "a module of this package that imports transformers": "import neuromusic_hf.models.origin\nimport transformers",
}

LOAD = """
import sys

config = transformers.AutoConfig.from_pretrained(sys.argv[1])
assert type(config).__module__ == "neuromusic_hf.models.music_transformer.configuration_music_transformer"
model = transformers.AutoModelForCausalLM.from_pretrained(sys.argv[1])
assert model.hub_commit is None and "push_bundle" in transformers.utils.PushToHubMixin.push_to_hub.__globals__
assert type(transformers.AutoProcessor.from_pretrained(sys.argv[1])).__name__ == "MidiProcessor"
pipe = transformers.pipeline("midi-continuation", model=sys.argv[1], device="cpu")
print(pipe(sys.argv[2], prompt_length=40, max_new_tokens=8, seed=3)["token_ids"])
"""


@pytest.mark.parametrize("order", ORDERS)
def test_transformers_loads_bundles_in_any_order_of_imports(order, tiny_model, processor_of, pipeline_of, tmp_path):
    save_bundle(tiny_model("REMI", "music_transformer"), processor_of("REMI"), tmp_path / "bundle")
    make_score(1).dump_midi(tmp_path / "song.mid")
    ids = json.loads(run(ORDERS[order] + LOAD, tmp_path / "bundle", tmp_path / "song.mid").splitlines()[-1])
    pipe = pipeline_of("REMI", "music_transformer")
    assert ids == pipe(str(tmp_path / "song.mid"), prompt_length=40, max_new_tokens=8, seed=3)["token_ids"]


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
