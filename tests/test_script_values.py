"""Every number and folder of a script's command line is checked before anything heavy starts, by its name."""

import pytest

from neuromusic_hf.corpora import MaestroCorpus, load_corpus
from neuromusic_hf.metrics.embedding_training import EmbeddingSettings
from neuromusic_hf.models.sampling import sampling_arguments
from neuromusic_hf.reports import ScoringOptions
from neuromusic_hf.runs import OutputSettings

HEAVY = (
    "neuromusic_hf.load_corpus",
    "transformers.pipeline",
    "neuromusic_hf.runs.read_run",
    "neuromusic_hf.runs.read_infill_run",
)
COMMANDS = {
    "continue_midi": ["model", "song.mid"],
    "infill_midi": ["model", "song.mid", "--span_bars", "4"],
    "score_continuations": ["manifest.json", "--train_corpus", "maestro"],
    "score_infills": ["infilled"],
    "train_harmony_embedding": ["maestro"],
}


@pytest.fixture
def refused(monkeypatch, call_script, tmp_path):
    """Runs a script with options, and returns what it raised; nothing heavy may start."""

    def heavy(*args, **kwargs):
        raise AssertionError("something heavy starts")

    def run(script, *options, output=tmp_path / "out"):
        for name in HEAVY:
            monkeypatch.setattr(name, heavy)
        with pytest.raises(ValueError) as error:
            call_script(script, *COMMANDS[script], *options, "--output", output)
        return str(error.value)

    return run


NUMBERS = {
    "continue_midi": {
        "max_items": (-1, 0), "prompt_length": (-1, 0), "continue_length": (-1, 0), "batch_size": (-1, 0),
        "seed": (-1, 2**32), "temperature": (-1, "nan", "inf"), "top_k": (-1,), "top_p": (-1, 0, "nan", 1.5),
        "save_audio": (-2,), "num_proc": (-1, 0),
    },
    "infill_midi": {
        "max_items": (0,), "span_bars": (-1, 0), "context_bars": (-1,), "num_return_sequences": (0,),
        "max_new_tokens": (0,), "batch_size": (0,), "seed": (-1, 2**32), "temperature": ("nan",), "top_k": (-1,),
        "top_p": (0,), "save_audio": (-2,), "num_proc": (0,),
    },
    "score_continuations": {"num_proc": (-1, 0)},
    "score_infills": {"batch_size": (-1, 0), "seed": (-1, 2**32)},
    "train_harmony_embedding": {
        "vector_size": (-1, 0), "window": (-1, 0), "min_count": (-1, 0), "epochs": (-1, 0),
        "sample": (-1, "nan", 2), "seed": (-1, 2**32),
    },
}  # fmt: skip
CASES = [(script, name, value) for script, names in NUMBERS.items() for name in names for value in names[name]]


@pytest.mark.parametrize(("script", "name", "value"), CASES)
def test_a_number_out_of_range_is_refused_by_name(refused, script, name, value):
    assert refused(script, f"--{name}={value}").startswith(f"{name.removeprefix('save_')}={value} must be")


@pytest.mark.parametrize("script", COMMANDS)
def test_a_folder_that_cannot_be_written_to_is_refused(refused, script, tmp_path):
    (tmp_path / "file").write_text("")
    assert "Cannot write to the folder" in refused(script, output=tmp_path / "file")
    assert "Cannot write to the folder" in refused(script, output=tmp_path / "file" / "below")


@pytest.mark.parametrize("script", ["continue_midi", "infill_midi", "score_continuations"])
def test_shares_are_checked(refused, script):
    assert "split_shares must be three numbers" in refused(script, "--split_shares", "1", "1", "1")


@pytest.mark.parametrize("num_proc", [-1, 0])
def test_processes_are_at_least_one_for_libraries_too(num_proc, midi_folder):
    with pytest.raises(ValueError, match=f"num_proc={num_proc} must be at least 1"):
        load_corpus(midi_folder, num_proc=num_proc)
    with pytest.raises(ValueError, match=f"num_proc={num_proc} must be at least 1"):
        ScoringOptions(num_proc=num_proc)


def test_a_corpus_of_several_is_refused_whole_before_one_is_read(midi_folder, monkeypatch):
    monkeypatch.setattr("neuromusic_hf.corpora.load._open", lambda *args: pytest.fail("a corpus is read"))
    with pytest.raises(ValueError, match="'nonsense' is no corpus"):
        load_corpus([str(midi_folder), "nonsense"])
    for name in ("maestro", MaestroCorpus):
        with pytest.raises(ValueError, match="has official splits, which split_shares do not change"):
            load_corpus(name, split_shares=(0.8, 0.1, 0.1))


def test_what_is_in_range_passes():
    OutputSettings(audio=None)
    EmbeddingSettings(sample=0, seed=2**32 - 1)
    assert sampling_arguments(0.9, 0, 1.0)["do_sample"]
