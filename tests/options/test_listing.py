"""The list of options that is read without PyTorch is the one that the dataclasses of a run declare."""

import ast
import difflib
import json

import pytest
from transformers import HfArgumentParser

from neuromusic_hf.options import listing
from neuromusic_hf.options.arguments import GROUPS
from neuromusic_hf.options.listing import DECLARATIONS, LIBRARIES, LIST, PACKAGE, declared_options, list_options
from neuromusic_hf.options.parser import OptionParser


def test_the_file_holds_what_is_declared():
    made, now = json.loads(LIST.read_text()), declared_options()
    if others := [name for name in LIBRARIES if made["made_of"][name] != now["made_of"][name]]:
        pytest.skip(f"The file was made with another version of {' and '.join(others)}, that of constraints.txt.")
    assert made == now, "Make it anew: python -m neuromusic_hf.options.listing"


def test_the_parser_is_that_of_the_dataclasses():
    theirs, ours = HfArgumentParser(GROUPS, prog="train.py"), OptionParser()
    ours.prog, ours.usage = "train.py", None
    lines = difflib.ndiff(theirs.format_help().splitlines(), ours.format_help().splitlines())
    assert {line.split()[1] for line in lines if line[0] in "+-"} <= {"--debug", "[--debug"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--learning_rate", "3e-4", "--warmup-steps", "0.1", "--max_steps=3"],
        ["--bf16", "--fp16", "no", "--use_cache", "--no_dataloader_pin_memory", "--do_test", "yes"],
        ["--report_to", "wandb", "trackio", "--split_shares", "0.8", "0.1", "0.1"],
        ["--optim", "adafactor", "--fsdp", "--deepspeed", "{}", "--eval_strategy", "no"],
        ["--debug", "underflow_overflow", "--log_level", "info"],
    ],
)
def test_values_are_read_as_transformers_reads_them(arguments):
    parser = HfArgumentParser(GROUPS)
    theirs = vars(parser.parse_args(arguments))
    given = OptionParser().given(arguments)
    assert given and given == {name: theirs[name] for name in given}


@pytest.mark.parametrize("changed", [*LIBRARIES, *DECLARATIONS])
def test_a_file_of_other_code_or_libraries_is_not_read(monkeypatch, tmp_path, changed):
    made = json.loads(LIST.read_text())
    path = tmp_path / "options.json"
    path.write_text(json.dumps({"made_of": made["made_of"] | {changed: "another"}, "arguments": []}))
    monkeypatch.setattr(listing, "LIST", path)
    assert list_options() == declared_options()


def test_all_that_declares_options_is_listed():
    """Constants of other modules that fields are made with, and classes that have more fields."""
    tree = ast.parse((PACKAGE / "options" / "arguments.py").read_text())
    classes = [part for part in tree.body if isinstance(part, ast.ClassDef)]
    fields = [line for part in classes for line in part.body]
    used = {
        node.id
        for field in fields
        if isinstance(field, ast.AnnAssign)
        for node in ast.walk(field)
        if isinstance(node, ast.Name)
    }
    used |= {base.id for part in classes for base in part.bases if isinstance(base, ast.Name)}
    homes = {
        f"{each.module.replace('.', '/')}.py" if each.level == 2 else f"options/{each.module}.py"
        for each in tree.body
        if isinstance(each, ast.ImportFrom) and each.level and used & {alias.name for alias in each.names}
    }
    assert {"options/arguments.py", *homes} == set(DECLARATIONS)


def test_what_only_a_recipe_can_hold_is_refused():
    with pytest.raises(ValueError, match="--liger_kernel_config.*'x' is no mapping, which a recipe may hold"):
        OptionParser().given(["--liger_kernel_config", "x"])
    assert OptionParser().typed("liger_kernel_config", {"rope": True}) == {"rope": True}
    with pytest.raises(ValueError, match="--bf16: 'perhaps' is neither true nor false"):
        OptionParser().given(["--bf16", "perhaps"])
