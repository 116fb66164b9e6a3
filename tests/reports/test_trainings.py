"""Training runs on one board: curves and a table of what each recorded of itself."""

import json

import pytest
from matplotlib.image import imread

from neuromusic_hf.reports import compare_trainings
from neuromusic_hf.reports.training_board import plot_board, styles_of
from neuromusic_hf.reports.trainings import HEADS, read_training, row_of

MODELS = {"gpt2": "GPT2LMHeadModel", "llama": "LlamaForCausalLM", "music": "MusicTransformerForCausalLM"}
TOKENIZATIONS = ("REMI", "TSD", "own.module.Structured")


def record(model="GPT2LMHeadModel", tokenization="REMI", values=(3.0, 2.0, 2.5), music="aa"):
    course = [{"step": 10 * number, "value": value} for number, value in enumerate(values)]
    return {
        "model": model,
        "parameters": 1234,
        "vocabulary": {"tokenization": tokenization, "ids": 500, "hash": "h"},
        "optimizer_steps": 20,
        "course": {"nats_per_note": course, "last_step": 20},
        "splits": {"validation": {"music": music, "pieces": 3}},
        "code": {"version": None, "revision": "0123456789abcdef", "changed": True},
        "anything": "else",
    }


@pytest.fixture
def make_run(tmp_path):
    def make(name, **told):
        bundle = tmp_path / name / "bundle"
        bundle.mkdir(parents=True)
        (bundle / "run.json").write_text(json.dumps(record(**told)))
        return bundle.parent

    return make


def test_nine_runs_make_a_board_best_first(make_run, tmp_path):
    runs = [
        make_run(f"{name} {tokenization[-4:]}", model=model, tokenization=tokenization, values=(20, 2 + place, 18))
        for place, (name, model, tokenization) in enumerate(
            (name, model, tokenization) for name, model in MODELS.items() for tokenization in TOKENIZATIONS
        )
    ]
    table = compare_trainings(runs[::-1], tmp_path / "board")
    lines = table.read_text().splitlines()
    assert lines[0] == f"| {' | '.join(HEADS)} |" and len(lines) == 13
    assert [line.split(" | ")[6] for line in lines[2:11]] == [f"{2 + place:.3f}" for place in range(9)]
    assert "not all" not in table.read_text().lower()
    assert imread(table.with_name("board.png")).shape[1] == 1690


def test_curves_stand_in_the_panel_of_their_tokenizer_with_their_best_marked(make_run):
    runs = [make_run("a"), make_run("b", tokenization="TSD"), make_run("c", model=MODELS["llama"], values=(4, 3))]
    trainings = [read_training(run) for run in runs]
    figure = plot_board(trainings, HEADS, [row_of(each) for each in trainings])
    *panels, table = figure.axes
    assert [axes.get_title(loc="left") for axes in panels] == ["REMI", "TSD"]
    curves = [[line.get_xydata().tolist() for line in axes.lines] for axes in panels]
    assert [[0, 3.0], [10, 2.0], [20, 2.5]] in curves[0] and [[10, 2.0]] in curves[0]
    assert [[0, 4.0], [10, 3.0]] in curves[0] and len(curves[1]) == 2
    texts = [cell.get_text().get_text() for cell in table.tables[0].get_celld().values()]
    assert {"a", "b", "c", "GPT2", "Llama", "2.000", "01234567+"} <= set(texts)


def test_runs_of_one_model_and_tokenizer_are_told_apart_in_curves_and_table(make_run):
    trainings = [read_training(make_run(f"{place}")) for place in range(28)]
    assert len(set(styles_of(trainings))) == 28
    figure = plot_board(trainings[:3], HEADS, [row_of(each) for each in trainings[:3]])
    panel, table = figure.axes
    curves = [(line.get_color(), line.get_linestyle()) for line in panel.lines if len(line.get_xdata()) > 1]
    assert curves == [(line.get_color(), line.get_linestyle()) for line in table.lines] and len(set(curves)) == 3
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["best of a run"]


def test_long_names_keep_the_end_in_which_they_differ(make_run):
    trainings = [read_training(make_run(f"{'maestro-' * 8}{rate}")) for rate in ("1e-3", "3e-4")]
    table = plot_board(trainings, HEADS, [row_of(each) for each in trainings]).axes[-1].tables[0]
    names = [table[row, 0].get_text().get_text() for row in (1, 2)]
    assert names[0].startswith("maestro-maestro") and [name[-4:] for name in names] == ["1e-3", "3e-4"]


def test_a_bundle_is_called_by_its_run_and_runs_of_one_name_are_numbered(make_run, tmp_path):
    first, second = make_run("one/same"), make_run("two/same")
    text = compare_trainings([first / "bundle", second], tmp_path / "board").read_text()
    assert "| 1. same |" in text and "| 2. same |" in text


def test_runs_of_other_music_are_told(make_run, tmp_path):
    runs = [make_run("a"), make_run("b", music="bb")]
    assert "**Not all were validated on the same music, or it is not known: a; b.**" in compare_trainings(
        runs, tmp_path / "board"
    ).read_text().replace("\\", "")


def test_names_of_strangers_are_shown_as_text(make_run, tmp_path):
    text = compare_trainings([make_run("$a|b$ <b>")], tmp_path / "board").read_text()
    assert "<b>" not in text and text.splitlines()[2].count(" | ") == len(HEADS) - 1


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"course": None}, "tells of no evaluation"),
        ({"course": {"nats_per_note": []}}, "tells of no evaluation"),
        ({"vocabulary": 3}, "is not the record of a training run"),
    ],
)
def test_a_record_without_curves_is_refused(make_run, tmp_path, change, error):
    path = make_run("a") / "bundle" / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ValueError, match=error):
        compare_trainings([path.parents[1]], tmp_path / "board")


def test_a_run_that_has_not_ended_is_refused(tmp_path):
    (tmp_path / "run").mkdir()
    with pytest.raises(FileNotFoundError, match="one that has not ended"):
        compare_trainings([tmp_path / "run"], tmp_path / "board")
    with pytest.raises(ValueError, match="no run to compare"):
        compare_trainings([], tmp_path / "board")
