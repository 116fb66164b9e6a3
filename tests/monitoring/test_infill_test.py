"""Bars that are filled in while a model trains: judged as runs of infills are, and only where the model learns it."""

import json
from pathlib import Path

import pytest

from neuromusic_hf.monitoring import watch_continuations
from neuromusic_hf.monitoring.infill_test import infill_figures, infill_media
from neuromusic_hf.monitoring.watching import infills_asked
from neuromusic_hf.reports import score_infill_runs
from neuromusic_hf.runs import INFILLS, RunFolder
from neuromusic_hf.training import DataArguments, parse_recipe

DATA = DataArguments(context_length=256, max_eval_blocks=4, infill_share=0.25)


@pytest.fixture(scope="module")
def trained(trainer_in, corpus, tokens, tmp_path_factory):
    folder = tmp_path_factory.mktemp("infills")
    options = {"max_steps": 2, "eval_infills": 2, "eval_prompt_length": 32, "eval_continue_length": 8}
    trainer = trainer_in(folder / "run", DATA, corpus, **options)
    watch_continuations(trainer, corpus["validation"], tokens["validation"], DATA)
    trainer.train()
    return trainer


@pytest.fixture(scope="module")
def folder(trained):
    return Path(trained.args.output_dir, "eval_infills", "step-000002")


def test_figures_are_those_of_a_judged_run_of_infills(trained, folder):
    (logged,) = [each for each in trained.state.log_history if "eval_infills/pieces" in each]
    figures = {name.partition("/")[2]: value for name, value in logged.items() if name.startswith("eval_infills/")}
    assert figures["pieces"] == 2 and figures["pieces_left_out"] == 0
    assert {"complete_share", "note_f1_generated", "note_f1_copy", "repetition_original"} <= figures.keys()
    judged = score_infill_runs([folder]).record["measures"]
    (model,) = judged["note_f1"]["kinds"].keys() - {"real", "copy", "elsewhere"}
    for measure in ("note_f1", "note_f1_offsets", "repetition"):
        for kind, name in ((model, "generated"), ("copy", "copy"), ("real", "original")):
            if f"{measure}_{name}" in figures:
                assert figures[f"{measure}_{name}"] == pytest.approx(judged[measure]["kinds"][kind]["mean"])
    assert "note_f1_original" not in figures
    manifest = RunFolder(folder, INFILLS).write_manifest()
    assert infill_figures(folder, manifest) == {name: logged[name] for name in infill_figures(folder, manifest)}


def test_pictures_are_those_of_the_first_pieces(folder):
    assert len(infill_media(folder, 1).pictures) == 1 and len(infill_media(folder, 5).pictures) == 2
    assert infill_media(folder, 0).names == []
    record = json.loads(next(folder.glob("000_*.json")).read_text())
    assert len(record["takes"][0]["spans"]) == 1


def test_a_model_that_does_not_learn_it_is_not_tested_in_it(make_trainer, corpus, tokens, data_args, trained):
    trainer = make_trainer(eval_infills=1)
    with pytest.raises(ValueError, match="eval_infills=1 cannot be.*does not learn to fill in bars"):
        watch_continuations(trainer, corpus["validation"], tokens["validation"], data_args)
    assert infills_asked(make_trainer().args, trainer.model.config) == 0
    assert infills_asked(make_trainer().args, trained.model.config) == 4
    assert infills_asked(make_trainer(eval_infills=0).args, trained.model.config) == 0


def test_infills_without_tests_of_continuations_have_no_effect(tmp_path):
    with pytest.raises(ValueError, match="eval_infills=2 has no effect with eval_continuations_steps"):
        parse_recipe(["--output_dir", str(tmp_path), "--eval_infills", "2"])
