"""What a space may say, what it means to Optuna and to a run, and how it is refused."""

import optuna
import pytest

from neuromusic_hf.searching import DEFAULT_SPACE, Space
from neuromusic_hf.searching.searchable import check_comparable
from neuromusic_hf.training import parse_recipe

SPACE = """
learning_rate: {low: 1e-4, high: 1e-2, log: true}
num_hidden_layers: {low: 1, high: 5, step: 2}
warmup_steps: {low: 0, high: 0.3}
lr_scheduler_type: [cosine, linear]
gradient_accumulation_steps: [1, 2]
lora_dropout: [null, 0.1]
model_config.attention_dropout: {low: 0, high: 1e-1}
"""


@pytest.fixture
def read(tmp_path):
    def from_text(text):
        (tmp_path / "a space.yaml").write_text(text)
        return Space.read(str(tmp_path / "a space.yaml"))

    return from_text


def test_a_space_asks_optuna_for_what_it_says(read):
    space, study = read(SPACE), optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    tried = [space.suggest(study.ask()) for _ in range(40)]
    assert all(list(values) == list(space.options) for values in tried)
    assert {values["num_hidden_layers"] for values in tried} == {1, 3, 5}
    assert {values["lora_dropout"] for values in tried} == {None, 0.1}
    assert all(1e-4 <= values["learning_rate"] <= 1e-2 for values in tried)
    small = sum(values["learning_rate"] < 1e-3 for values in tried)
    assert 10 < small < 30, "each factor of ten is as likely as another"
    assert all(0 <= values["model_config.attention_dropout"] <= 0.1 for values in tried)
    for values in tried[:3]:
        assert space.values_of({**values, "model_config": {"attention_dropout": 0.05}}) == values | {
            "model_config.attention_dropout": 0.05
        }


def test_a_run_gets_the_values_and_keeps_the_rest_of_an_object(read, tmp_path):
    space = read(SPACE)
    base = {"model_config": {"attention_dropout": 0.5, "rope_theta": 7}}
    values = {"learning_rate": 1e-3 / 3, "lr_scheduler_type": "linear", "model_config.attention_dropout": 0.1}
    options = space.command_line(values, base)
    model_args, _, args = parse_recipe([*options, f"--output_dir={tmp_path}"])
    assert (args.learning_rate, args.lr_scheduler_type) == (1e-3 / 3, "linear")
    assert model_args.model_config == {"attention_dropout": 0.1, "rope_theta": 7}
    assert space.command_line({"lora_dropout": None, "use_cache": True}, {}) == [
        "--lora_dropout=null",
        "--use_cache=true",
    ]


def test_steps_are_whole_where_they_are_no_share(read):
    space, study = read("warmup_steps: {low: 10, high: 90}"), optuna.create_study()
    assert all(isinstance(space.suggest(study.ask())["warmup_steps"], int) for _ in range(5))


def test_there_is_a_space_for_those_who_name_none():
    assert Space.read(None).described() == DEFAULT_SPACE


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("learning_rat: [1, 2]", "unknown option 'learning_rat': did you mean 'learning_rate'"),
        ("learning_rate: 0.1", "learning_rate: 0.1 is one value"),
        ("learning_rate: []", "learning_rate has nothing to choose from"),
        ("learning_rate: {low: 0.1}", "high is missing"),
        ("learning_rate: {low: 0.1, high: 0.01}", "low=0.1 must be below high=0.01"),
        ("learning_rate: {low: 0, high: 0.01, log: true}", "low=0.0 must be above 0 where log is true"),
        ("learning_rate: {low: 0, high: 0.01, log: 5}", "log=5 must be true or false"),
        ("learning_rate: {low: 0, high: 1, step: 2}", "step=2.0 must be above 0, and at most"),
        ("learning_rate: {low: 0.1, high: 1, step: 0.1, log: true}", "log and step rule each other out"),
        ("learning_rate: {min: 0, max: 1}", "unknown key 'min'"),
        ("num_hidden_layers: {low: 1.5, high: 3}", "invalid int value: '1.5'"),
        ("num_hidden_layers: [2, 2]", "2 stands twice"),
        ("tokenization: {low: REMI, high: TSD}", "low='REMI' is no number"),
        ("warmup_steps: {low: 0.1, high: 100}", "low=0.1 is a share of the run, and high=100.0 is none"),
        ("seed: yes", "True is one value"),
        ("corpus: [bach, folk]", "corpus cannot be searched, as it says what trials are judged by"),
        ("output_dir: [a, b]", "output_dir cannot be searched, as it says where a run writes"),
        ("bf16: [true, false]", "bf16 cannot be searched, as it belongs to the process"),
        ("model_config: [a, b]", "search model_config.KEY"),
        ("hidden_size.x: [1, 2]", "hidden_size holds no object"),
        ("lora_target_modules: [q_proj]", "it is a list of values"),
        ("model_config.dropout: [[1]]", r"\[1\] is no single value"),
        ("{}", "nothing is there to try"),
        ("- learning_rate", "must be a list of 'key: value' lines"),
        ("learning_rate: [1, 2]\nlearning_rate: [1, 2]", "the key 'learning_rate' stands twice"),
    ],
)
def test_what_a_space_cannot_say_is_refused_with_its_place(read, text, words):
    with pytest.raises(ValueError, match=rf"a space\.yaml.*{words}"):
        read(text)


def test_a_space_that_is_not_there_is_told():
    with pytest.raises(ValueError, match="Cannot read the space nowhere.yaml: No such file"):
        Space.read("nowhere.yaml")


def test_trials_are_judged_by_figures_that_compare():
    check_comparable(["vocab_size", "context_length"], "nats_per_note", None)
    check_comparable(["context_length"], "loss", None)
    check_comparable(["learning_rate"], "infill_loss", 8)
    with pytest.raises(ValueError, match="vocab_size cannot be searched by loss, which compares no two tokenizers"):
        check_comparable(["learning_rate", "vocab_size"], "loss", None)
    with pytest.raises(ValueError, match="tokenization_config cannot be searched by eval_token_accuracy"):
        check_comparable(["tokenization_config.use_rests"], "eval_token_accuracy", None)
    with pytest.raises(ValueError, match="context_length cannot be searched by infill_nats_per_note"):
        check_comparable(["context_length"], "infill_nats_per_note", None)
    with pytest.raises(ValueError, match="context_length cannot be searched with max_eval_blocks=8"):
        check_comparable(["context_length"], "nats_per_note", 8)
