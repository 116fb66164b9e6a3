"""Values out of range, of another kind, or unknown are refused where they enter, by the name they were given."""

import math
import typing
from dataclasses import fields

import pytest
import yaml

from neuromusic_hf.models import build_model, check_model
from neuromusic_hf.options.values import RANGES
from neuromusic_hf.ranges import Range, check_ranges
from neuromusic_hf.tokenization import create_music_tokenizer
from neuromusic_hf.training import DataArguments, ModelArguments, RunArguments, parse_recipe

GROUPS = (ModelArguments, DataArguments, RunArguments)
HINTS = {name: hint for group in GROUPS for name, hint in typing.get_type_hints(group).items()}
NUMBERS = {name for name, hint in HINTS.items() if {int, float} & {hint, *typing.get_args(hint)}}


@pytest.fixture
def recipe(tmp_path):
    def write(text):
        path = tmp_path / "recipe.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write


@pytest.fixture
def parse(tmp_path):
    return lambda *arguments: parse_recipe([*arguments, "--output_dir", str(tmp_path / "run")])


def test_every_number_has_a_range():
    assert set(RANGES) >= NUMBERS
    assert set(RANGES) <= {item.name for group in GROUPS for item in fields(group)}


@pytest.mark.parametrize("name", sorted(RANGES))
@pytest.mark.parametrize("value", ["-5", "1e20", "nan", "inf"])
def test_numbers_that_make_no_sense_are_refused_by_name(parse, name, value):
    with pytest.raises(ValueError, match=name):
        parse(f"--{name}={value}")


@pytest.mark.parametrize(
    "name", ["max_eval_blocks", "num_proc", "max_pieces", "per_device_train_batch_size", "per_device_eval_batch_size",
             "gradient_accumulation_steps", "eval_steps", "save_steps", "logging_steps", "save_total_limit",
             "num_train_epochs", "max_steps", "hidden_size", "vocab_size", "eval_continuations"]
)  # fmt: skip
def test_zero_is_refused_where_it_means_nothing(parse, name):
    with pytest.raises(ValueError, match=rf"{name}=0(\.0)? must be"):
        parse(f"--{name}", "0")


@pytest.mark.parametrize("seed", ["-1", str(2**32), "100000000000000000000"])
@pytest.mark.parametrize("name", ["seed", "data_seed"])
def test_seeds_are_those_that_numpy_takes(parse, name, seed):
    with pytest.raises(ValueError, match=f"{name}={seed} must be at least 0 and at most 4294967295"):
        parse(f"--{name}", seed)
    assert parse(f"--{name}", str(2**32 - 1))


@pytest.mark.parametrize("name", ["hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"])
@pytest.mark.parametrize("value", [10**6 * 20, 10**9])
def test_sizes_of_a_model_are_bounded(parse, name, value):
    with pytest.raises(ValueError, match=f"{name}={value} must be"):
        parse(f"--{name}", str(value))


@pytest.mark.parametrize(
    "sizes", [{"num_labels": 10**9}, {"n_layer": 10**9}, {"num_attention_heads": 10**9}], ids=list
)
def test_what_else_a_config_counts_is_bounded(processor_of, sizes):
    for build in (check_model, build_model):
        with pytest.raises(ValueError, match=next(iter(sizes))):
            build("gpt2", processor_of("REMI"), **sizes)


@pytest.mark.parametrize(
    "settings",
    [{"num_tempos": 2 * 10**8}, {"num_velocities": 10**9}, {"beat_res": {(0, 10**9): 8}}],
    ids=str,
)
def test_settings_of_a_tokenizer_are_bounded(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        create_music_tokenizer("REMI", **settings)


def test_the_dataclasses_check_too(tmp_path):
    with pytest.raises(ValueError, match="vocab_size=-5 must be at least 1"):
        ModelArguments(vocab_size=-5)
    with pytest.raises(ValueError, match=r"augmentation_variants=-3 must be at least 0 \(changed copies of a piece\)"):
        DataArguments(augmentation_variants=-3)
    with pytest.raises(
        ValueError, match=r"context_length=1000000000000 must be at least 2 and at most 2147483647 \(tok"
    ):
        DataArguments(context_length=10**12)
    with pytest.raises(ValueError, match="max_tempo_change=1 must be at least 0 and below 1"):
        DataArguments(max_tempo_change=1)
    with pytest.raises(ValueError, match="eval_steps=-5 must be at least 1"):
        RunArguments(output_dir=str(tmp_path), eval_steps=-5)
    with pytest.raises(ValueError, match="learning_rate=nan"):
        RunArguments(output_dir=str(tmp_path), learning_rate=math.nan)
    with pytest.raises(ValueError, match="per_device_train_batch_size=8 must be"):
        RunArguments(output_dir=str(tmp_path), per_device_train_batch_size="8")


def test_steps_may_be_a_share_of_the_run(parse):
    assert parse("--logging_steps", "0.1")[2].logging_steps == 0.1
    assert parse("--max_steps", "-1")[2].max_steps == -1, "transformers' word for: as many as the epochs have"
    with pytest.raises(ValueError, match="logging_steps=2.5 must be at least 1 .*, or a share of the run"):
        parse("--logging_steps", "2.5")


@pytest.mark.parametrize(
    ("name", "value", "choice"),
    [("lr_scheduler_type", "foo", "cosine"), ("eval_strategy", "sometimes", "epoch"), ("save_strategy", "x", "best"),
     ("optim", "foo", "adamw_torch"), ("vocabulary_model", "Foo", "Unigram"), ("report_to", "nonsense", "trackio"),
     ("include_num_input_tokens_seen", "some", "non_padding"), ("dataloader_multiprocessing_context", "x", "spawn")],
)  # fmt: skip
def test_an_unknown_word_is_refused_with_the_words_there_are(parse, name, value, choice):
    with pytest.raises(ValueError, match=f"{name}.*{choice}"):
        parse(f"--{name}", value)


def test_a_tracker_that_is_not_installed_is_refused_at_the_start(parse):
    with pytest.raises(ValueError, match="report_to=neptune: neptune is not installed"):
        parse("--report_to", "neptune")


@pytest.mark.parametrize(
    ("name", "value"),
    [("batch_eval_metrics", "false"), ("prediction_loss_only", "true"), ("dataloader_drop_last", "true"),
     ("do_predict", "true"), ("do_train", "false"), ("do_eval", "false"), ("bf16_full_eval", "true"),
     ("fp16_full_eval", "true")],
)  # fmt: skip
def test_what_a_run_cannot_do_without_is_refused_with_the_reason(parse, name, value):
    with pytest.raises(ValueError, match=f"{name}={value.capitalize()} cannot be: "):
        parse(f"--{name}", value)


def test_layers_and_sequences_are_not_parted(tmp_path):
    with pytest.raises(ValueError, match="parallelism_config=.* cannot be: a run parts no layers"):
        RunArguments(str(tmp_path), parallelism_config={"tp_size": 2})


@pytest.mark.parametrize("shares", [["0.8"], ["0.5", "0.5", "0.5"], ["1", "0", "0"], ["nan", "0.1", "0.1"]])
def test_shares_are_checked_before_a_corpus_is_read(parse, shares):
    with pytest.raises(ValueError, match="split_shares must be three numbers above 0"):
        parse("--split_shares", *shares)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("max_steps: [1, 2]", r"max_steps is a single value, got \[1, 2\]"),
        ("learning_rate: {a: 1}", "learning_rate is a single value"),
        ("split_shares: [[1, 2], 0.1]", r"split_shares is a single value, got \[1, 2\]"),
        ("max_steps: many", "max_steps.*'many'"),
        ("max_steps: true", "max_steps.*switch"),
        ("max_steps: 1.5", "max_steps.*'1.5'"),
        ("eval_strategy: no", "eval_strategy.*quotes"),
        ("run_name: 2024-01-01", "run_name.*date.*quotes"),
        ("model: !!binary aGk=", "model.*bytes.*quotes"),
        ("do_test: perhaps", "do_test.*perhaps"),
        ("eval_steps: -5", "eval_steps=-5 must be at least 1"),
        ("learning_rate: .nan", "learning_rate=nan"),
        ("model_config: {a: .inf}", "model_config"),
        ("model_config: '{\"a\": NaN}'", "model_config.*NaN"),
        ("1: 2", "Unknown key 1"),
        ("seed: 1\nseed: 2", "'seed' stands twice"),
        ("model_config: {a: 1, a: 2}", "'a' stands twice"),
        ("? {a: b}\n: c", "not valid YAML"),
        ("seed:\t1\n\tmodel: gpt2", "not valid YAML"),
        ("model: !!python/object:os.system x", "not valid YAML"),
        ("a: &a [1]\nb: [*a, *a]", r"\*a stands for a list"),
        ("model_config: &a {x: *a}", "not valid YAML"),
        ("seed: 1\n---\nseed: 2", "not valid YAML"),
        ("", "key: value"),
        ("[" * 1_000, "not valid YAML"),
        (b"\xff\xfe\x00\x01", "no text in UTF-8"),
        (b"MThd\x00\x00\x00\x06", "not valid YAML"),
        ("#" * (2**20 + 1), "no recipe"),
    ],
)  # fmt: skip
def test_a_recipe_that_says_something_odd_is_refused_by_its_name(recipe, parse, line, words):
    with pytest.raises(ValueError, match=rf"(?s)(recipe\.yaml.*{words}|{words}.*recipe\.yaml)"):
        parse(recipe(line))


def test_a_folder_is_no_recipe(tmp_path, parse):
    with pytest.raises(ValueError, match="Cannot read the recipe"):
        parse(str(tmp_path))


def test_a_single_value_may_be_referred_to(recipe, parse):
    model_args, _, _ = parse(recipe("hidden_size: &width 64\nintermediate_size: *width"))
    assert model_args.sizes == {"hidden_size": 64, "intermediate_size": 64}


def test_a_value_for_a_list_is_a_list_of_one(recipe, parse):
    assert parse(recipe("report_to: none\nfsdp: false"))[2].report_to == []


def test_an_option_without_its_value_is_refused_by_name(parse):
    with pytest.raises(ValueError, match="max_steps.*expected one argument"):
        parse("--max_steps")
    with pytest.raises(ValueError, match="recipe.yaml"):
        parse("--seed", "1", "recipe.yaml")


def test_precision_and_switches_need_no_value(parse):
    assert parse("--bf16", "--do_test")[2].bf16 is True


def test_numbers_in_a_dictionary_are_plain_json(parse):
    with pytest.raises(ValueError, match="lr_scheduler_kwargs must be a JSON object"):
        parse("--lr_scheduler_kwargs", '{"num_cycles": NaN}')
    with pytest.raises(ValueError, match="lr_scheduler_kwargs must be a JSON object"):
        parse("--lr_scheduler_kwargs", '{"num_cycles"')


def test_options_beside_the_script_are_not_read(parse, tmp_path, monkeypatch):
    """HfArgumentParser would read train.args beside train.py."""
    (tmp_path / "train.args").write_text("--seed 7")
    monkeypatch.setattr("sys.argv", [str(tmp_path / "train.py")])
    assert parse()[2].seed == 42


def test_a_range_says_what_it_takes():
    assert str(Range(1, "blocks")) == "at least 1 (blocks)"
    assert str(Range(0, most=1, open=True, below=True)) == "above 0 and below 1"
    check_ranges({"a": None, "b": -3}, {"a": Range(1)})
    with pytest.raises(ValueError, match="a=x must be at least 1"):
        check_ranges({"a": "x"}, {"a": Range(1)})


def test_yaml_switches_are_what_the_loader_says():
    assert yaml.safe_load("eval_strategy: no") == {"eval_strategy": False}, "the trap of the test above"
