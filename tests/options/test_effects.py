"""No option is void in silence: the later of two rivals holds, and what would do nothing is refused."""

import pytest
import torch
import yaml

from neuromusic_hf.options.trust import IMPORTED, ONLY_TYPED
from neuromusic_hf.training import parse_recipe, resolved_recipe


@pytest.fixture
def recipe(tmp_path):
    def write(**values):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.yaml"
        path.write_text(yaml.safe_dump(values))
        return str(path)

    return write


@pytest.fixture
def parse(tmp_path):
    return lambda *arguments: parse_recipe([*arguments, "--output_dir", str(tmp_path / "run")])


def length(args) -> tuple:
    return args.max_steps, args.num_train_epochs


def test_epochs_replace_the_steps_of_an_earlier_place_and_steps_the_epochs(recipe, parse):
    steps, epochs = recipe(max_steps=300), recipe(num_train_epochs=2)
    assert length(parse(steps, "--num_train_epochs", "3")[2]) == (-1, 3)
    assert length(parse(steps, epochs)[2]) == (-1, 2)
    assert length(parse(epochs, steps)[2]) == (300, 3)
    assert length(parse(epochs, "--max_steps", "5")[2]) == (5, 3)
    assert length(parse(steps, epochs, "--max_steps", "5")[2]) == (5, 3)
    assert length(parse(epochs, "--max_steps", "-1")[2]) == (-1, 2)


def test_the_resolved_recipe_has_the_one_that_held(recipe, parse):
    parsed = parse(recipe(max_steps=300), "--num_train_epochs", "2")
    resolved = resolved_recipe(*parsed)
    assert resolved["num_train_epochs"] == 2 and "max_steps" not in resolved
    assert length(parse(recipe(**resolved))[2]) == (-1, 2)


def test_rivals_in_one_place_are_refused(recipe, parse):
    with pytest.raises(ValueError, match=r"\.yaml: max_steps=3 and num_train_epochs=2.0 rule each other out"):
        parse(recipe(max_steps=3, num_train_epochs=2))
    with pytest.raises(ValueError, match="^max_steps=3 and num_train_epochs=2.0 rule each other out"):
        parse("--max_steps", "3", "--num_train_epochs", "2")
    with pytest.raises(ValueError, match="bf16=True and fp16=True"):
        parse("--bf16", "--fp16")


def test_the_later_precision_holds(recipe, parse, monkeypatch):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 1)
    args = parse(recipe(bf16=True), "--fp16")[2]
    assert (args.bf16, args.fp16) == (False, True)


def sampling(model_args) -> dict:
    return {name: value for name, value in model_args.sampling.items() if value is not None}


def test_the_likeliest_token_takes_the_place_of_shares_and_they_of_it(recipe, parse):
    share, greedy = recipe(top_p=0.95), recipe(temperature=0)
    assert sampling(parse(share)[0]) == {"top_p": 0.95}
    assert sampling(parse(share, "--temperature", "0.8")[0]) == {"temperature": 0.8, "top_p": 0.95}
    assert sampling(parse(recipe(temperature=0.8), share, "--top_k", "9")[0]) == {
        "temperature": 0.8, "top_p": 0.95, "top_k": 9
    }  # fmt: skip
    assert sampling(parse(share, "--temperature", "0")[0]) == {"temperature": 0}
    assert sampling(parse(greedy, "--top_k", "9")[0]) == {"top_k": 9}
    with pytest.raises(ValueError, match="temperature=0.0 and top_p=0.9 rule each other out"):
        parse("--temperature", "0", "--top_p", "0.9")
    with pytest.raises(ValueError, match="top_p=1.5 must be"):
        parse("--top_p", "1.5")
    parsed = parse(share, "--temperature", "0.8")
    assert resolved_recipe(*parsed)["temperature"] == 0.8 and resolved_recipe(*parsed)["top_p"] == 0.95
    assert not {"temperature", "top_k", "top_p"} & resolved_recipe(*parse()).keys()


def test_a_clean_test_is_part_of_a_test(recipe, parse):
    for arguments in (["--clean_test"], [recipe(clean_test=True, do_test=False)]):
        with pytest.raises(ValueError, match="clean_test=True has no effect with do_test=False: give do_test"):
            parse(*arguments)
    assert parse(recipe(clean_test=True), "--do_test")[2].clean_test


def test_an_old_name_of_an_option_is_not_void(recipe, parse):
    args = parse(recipe(activation_checkpointing=True), "--gradient_checkpointing", "false")[2]
    assert args.activation_checkpointing is False


def test_null_takes_back_what_an_earlier_recipe_says(recipe, parse):
    assert parse(recipe(max_eval_blocks=8), recipe(max_eval_blocks=None))[1].max_eval_blocks is None


@pytest.mark.parametrize("words", [["--max_eval_blocks", "null"], ["--max-eval-blocks=null"]])
def test_null_on_the_command_line_takes_back_what_a_recipe_says(recipe, parse, words):
    said = recipe(max_eval_blocks=8)
    assert parse(said, *words)[1].max_eval_blocks is None
    assert parse(said, *words, "--seed", "3")[1].max_eval_blocks is None
    assert parse(said, "--max_eval_blocks", "5", *words)[1].max_eval_blocks is None
    assert parse(said, *words, "--max_eval_blocks", "5")[1].max_eval_blocks == 5


def test_null_takes_back_lists_and_words_and_what_is_quoted_in_a_recipe_is_a_word(recipe, parse):
    said = recipe(split_shares=[0.6, 0.2, 0.2], run_name="a", learning_rate=1e-3)
    _, data_args, args = parse(said, "--split_shares", "null", "--run_name", "null", "--learning_rate", "null")
    assert (data_args.split_shares, args.learning_rate) == (None, 5e-5) and args.run_name not in ("a", "null")
    assert parse(recipe(run_name="null"))[2].run_name == "null"
    with pytest.raises(ValueError, match="Unknown option --nothing"):
        parse(said, "--seed", "null", "--nothing", "null")
    with pytest.raises(ValueError, match="split_shares.*'null'"):
        parse(said, "--split_shares", "null", "0.2", "0.2")


VOID = [
    ("eval_steps", 5, {"eval_strategy": "epoch"}),
    ("eval_steps", 5, {"eval_strategy": "no"}),
    ("eval_delay", 5, {"eval_strategy": "no"}),
    ("save_steps", 5, {"save_strategy": "epoch"}),
    ("save_total_limit", 5, {"save_strategy": "no"}),
    ("logging_steps", 5, {"logging_strategy": "epoch"}),
    ("vocabulary_model", "Unigram", {}),
    ("max_pitch_shift", 3, {}),
    ("max_velocity_shift", 3, {"augmentation_variants": 0}),
    ("max_tempo_change", 0.2, {}),
    ("eval_continuations", 3, {}),
    ("eval_shown_continuations", 3, {}),
    ("eval_prompt_length", 3, {}),
    ("eval_continue_length", 3, {}),
    ("eval_comparisons", "my_module.LOUDNESS", {}),
    ("eval_harmony_embedding", "folder", {}),
    ("eval_harmony_revision", "v1", {}),
    ("warmup_steps", 3, {"lr_scheduler_type": "constant"}),
    ("dataloader_persistent_workers", True, {}),
    ("hub_model_id", "me/model", {}),
    ("hub_strategy", "end", {}),
    ("project", "mine", {"report_to": "wandb"}),
    ("trackio_space_id", "me/space", {}),
    ("ignore_data_skip", True, {}),
]


@pytest.mark.parametrize(("name", "value", "others"), VOID, ids=lambda value: str(value))
def test_what_would_do_nothing_is_refused_where_it_is_asked_for(recipe, parse, name, value, others):
    with pytest.raises(ValueError, match=f"^{name}=.* has no effect with .*: give .*, or leave it out"):
        parse(recipe(**others), f"--{name}={value}")
    if others:
        with pytest.raises(ValueError, match=rf"\.yaml: {name}=.* has no effect with {next(iter(others))}="):
            parse(recipe(**{name: value}, **others))
    if name in (*ONLY_TYPED, *IMPORTED):
        return
    parsed = parse(recipe(**{name: value}))
    assert parse(recipe(**resolved_recipe(*parsed)))[:2], "the recipe that such a run leaves can be used"


def test_what_a_recipe_holds_ready_an_option_switches_on_or_off(recipe, parse):
    held = recipe(vocabulary_model="Unigram", max_pitch_shift=3, eval_steps=7)
    model_args, data_args, args = parse(held, "--vocab_size", "1100", "--augmentation_variants", "2")
    assert (model_args.vocabulary_model, data_args.max_pitch_shift, args.eval_steps) == ("Unigram", 3, 7)
    assert parse(held, "--eval_strategy", "no")[2].eval_strategy == "no"


def test_hub_and_tracker_options_pass_with_what_they_need(parse):
    assert parse("--report_to", "trackio", "--project", "mine")[2].project == "mine"
