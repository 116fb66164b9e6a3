"""What W&B, Trackio and TensorBoard hold of one run, read back: all that is logged, and once, though it was killed."""

import json
import re
import shutil
from pathlib import Path

import pytest
import wandb_file
from documents import PAGES

from neuromusic_hf.disk import to_json
from neuromusic_hf.monitoring import continuation_callback, watch_continuations
from neuromusic_hf.training import DataArguments
from neuromusic_hf.training.run import ended_run
from neuromusic_hf.training.run_record import run_record

PROJECT, RUN_NAME, GROUP = "watched", "a-run", "a-group"
KILLED_AFTER, STEPS = 2, [2, 4]
EXAMPLE, INFILL = "eval/examples/000_", "eval/infills/000_"


def all_right(model, examples):
    """So that a model that has learned nothing has predictions that sound."""
    return {example.index: example.prompt.original_ids for example in examples}


@pytest.fixture(scope="module")
def told(tmp_path_factory, trainer_in, corpus, tokens):
    """The folder of a run of four steps that all three trackers were told of, of which the last two were run twice."""
    for name in ("wandb", "trackio", "tensorboard"):
        pytest.importorskip(name, reason=f"{name} is not installed (pip install neuromusic_hf[tracking])")
    pytest.importorskip("midirenderer", reason="midirenderer is not installed (pip install neuromusic_hf[audio])")
    import wandb

    folder = tmp_path_factory.mktemp("told")
    data_args = DataArguments(context_length=256, max_eval_blocks=4, infill_share=0.25)

    def train(**how):
        trainer = trainer_in(
            folder / "run",
            data_args,
            corpus,
            report_to=["wandb", "trackio", "tensorboard"],
            project=PROJECT,
            run_name=RUN_NAME,
            run_group=GROUP,
            logging_steps=1,
            eval_strategy="steps",
            eval_steps=2,
            save_strategy="steps",
            save_steps=2,
            eval_shown_continuations=1,
            eval_infills=1,
            eval_continuations=2,
            eval_continuations_novelty=True,
            eval_prompt_length=32,
            eval_continue_length=32,
        )
        watch_continuations(trainer, corpus["validation"], tokens["validation"], data_args, corpus["train"])
        with ended_run(trainer):
            trainer.train(**how)
            trainer.evaluate(metric_key_prefix="test")
        assert trainer.tracker_failures.record() == {}
        return trainer

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "offline")
        patch.setenv("WANDB_DIR", str(folder))
        patch.setenv("WANDB_PROJECT", PROJECT)
        patch.setattr(continuation_callback, "predict_examples", all_right)
        train()
        checkpoint = folder / "run" / f"checkpoint-{KILLED_AFTER}"
        shutil.rmtree(folder / "run" / "checkpoint-4")
        last = train(resume_from_checkpoint=str(checkpoint))
        yield folder, last
        wandb.teardown()


@pytest.fixture(scope="module")
def wandb_files(told):
    return sorted(told[0].glob("wandb/offline-run-*/*.wandb"))


@pytest.fixture(scope="module")
def wandb_rows(wandb_files):
    return [row for path in wandb_files for row in wandb_file.read_rows(path)]


@pytest.fixture(scope="module")
def trackio_run(told):
    import trackio

    (run,) = [run for run in trackio.Api().runs(PROJECT) if run.name == RUN_NAME]
    return run


@pytest.fixture(scope="module")
def trackio_rows(trackio_run):
    from trackio.sqlite_storage import SQLiteStorage

    return SQLiteStorage.get_logs(PROJECT, RUN_NAME, run_id=trackio_run.id)


@pytest.fixture(scope="module")
def events(told):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder, _ = told
    (place,) = (folder / "run" / "tensorboard").iterdir()
    accumulator = EventAccumulator(
        str(place), size_guidance=dict.fromkeys(("images", "audio", "scalars", "histograms"), 0)
    )
    return accumulator.Reload()


def steps_of_rows(rows) -> dict[str, list[int]]:
    """Of everything that rows hold, the steps at which they do."""
    steps = {}
    for row in rows:
        for name in row:
            steps.setdefault(name, []).append(row.get("train/global_step"))
    return steps


def history(trainer) -> dict[str, list[tuple[int, float]]]:
    """What the Trainer logged, by the names of trackers."""
    found = {}
    for entry in trainer.state.log_history:
        for name, value in entry.items():
            kind, _, rest = name.partition("_")
            shown = f"{kind}/{rest}" if kind in ("eval", "test") else f"train/{name}"
            found.setdefault(shown, []).append((entry["step"], value))
    for name in ("train/step", "train/epoch", "train/num_input_tokens_seen"):  # with every log
        found.pop(name)
    return {name: values for name, values in found.items() if "train_" not in name and "total_flos" not in name}


def compare(found: list[tuple[int, float]], expected: list[tuple[int, float]], name: str):
    """Steps and values; of the speed of the steps that were run twice trackers have the first."""
    assert [step for step, _ in found] == [step for step, _ in expected], name
    if not name.endswith(("per_second", "runtime")):
        assert [value for _, value in found] == pytest.approx([value for _, value in expected], rel=1e-5), name


@pytest.mark.parametrize("tracker", ["wandb_rows", "trackio_rows"])
def test_rows_hold_every_figure_at_its_step_and_once(told, tracker, request):
    rows, expected = request.getfixturevalue(tracker), history(told[1])
    for name, values in expected.items():
        compare([(row["train/global_step"], row[name]) for row in rows if name in row], values, name)
    assert {"train/loss", "train/grad_norm", "train/tokens_per_second", "eval/perplexity"} <= expected.keys()
    assert {
        "train/piece_tokens",
        "test/loss",
        "eval/pitch_token_accuracy",
        "eval/infill_nats_per_note",
    } <= expected.keys()


@pytest.mark.parametrize(
    ("tracker", "kinds"),
    [
        ("wandb_rows", ("image-file", "audio-file", "histogram", "table-file")),
        ("trackio_rows", ("trackio.image", "trackio.audio", "trackio.histogram", "trackio.table")),
    ],
)
def test_rows_hold_pictures_sounds_histograms_and_tokens_at_each_test_and_once(told, tracker, kinds, request):
    rows = request.getfixturevalue(tracker)
    picture, sound, histogram, table = kinds
    steps = steps_of_rows(rows)
    media = {name: value["_type"] for row in rows for name, value in row.items() if isinstance(value, dict)}
    media = {name: kind for name, kind in media.items() if kind in kinds}
    assert all(steps[name] == STEPS for name in media if "histogram" not in media[name]), steps

    def of(kind):
        return {name for name in media if media[name] == kind}

    (example,) = {name for name in of(picture) if name.startswith(EXAMPLE)}
    (infill,) = {name for name in of(picture) if name.startswith(INFILL)}
    assert of(picture) == {"eval/continuations/distances", example, infill}
    versions = {f"{example}/{version}.sound" for version in ("target", "teacher_forced", "continuation")}
    assert of(sound) == versions | {f"{infill}/{version}.sound" for version in ("infilled", "original")}
    assert of(table) == {"eval/examples/tokens"}
    assert "eval/continuations/pitch_distances_original" in of(histogram)


def test_tensorboard_holds_the_same(told, events):
    tags, expected = events.Tags(), history(told[1])
    for name, values in expected.items():
        compare([(event.step, event.value) for event in events.Scalars(name)], values, name)
    (example,) = {name for name in tags["images"] if name.startswith(EXAMPLE)}
    (infill,) = {name for name in tags["images"] if name.startswith(INFILL)}
    assert set(tags["images"]) == {"eval/continuations/distances", example, infill}
    assert {f"{example}/{version}" for version in ("target", "teacher_forced", "continuation")} <= set(tags["audio"])
    for kind, read in (("images", events.Images), ("audio", events.Audio)):
        assert all([event.step for event in read(name)] == STEPS for name in tags[kind]), kind
    steps = {name: [event.step for event in events.Histograms(name)] for name in tags["histograms"]}
    assert steps["eval/continuations/pitch_distances_original"] == STEPS
    assert all(found in (STEPS, STEPS[:1], STEPS[1:]) for found in steps.values()), "a piece may lack what is compared"
    assert all(events.Audio(name)[0].length_frames > 0 for name in tags["audio"])
    assert [event.step for event in events.Tensors("eval/examples/tokens/text_summary")] == STEPS
    for text in ("args", "model_config"):
        assert [event.step for event in events.Tensors(f"{text}/text_summary")] == [0]


def test_tokens_are_those_of_the_original_of_the_prediction_and_of_the_continuation(wandb_files, told, tokens):
    tables = sorted((path.stat().st_mtime, path) for path in told[0].glob("wandb/*/files/media/table/**/*.table.json"))
    first = json.loads(tables[0][1].read_text())
    assert first["columns"] == ["piece", "version", "right tokens", "tokens"]
    versions = {row[1]: row for row in first["data"]}
    assert list(versions) == ["target", "teacher-forced prediction", "continuation"]
    pieces = [
        told[1].processing_class.tokenizer.decode(ids[32:64]).strip() for ids in tokens["validation"]["input_ids"][:]
    ]
    assert versions["target"][3] in pieces
    assert versions["teacher-forced prediction"][2:] == ["32 of 32", versions["target"][3]]
    assert all(len(row[3].split()) in (31, 32) for row in versions.values())


def test_the_configuration_says_what_the_run_is_and_nothing_of_the_machine(told, wandb_files, trackio_run, events):
    folder, trainer = told
    (text,) = events.Tensors("args/text_summary")
    texts = [json.loads(text.tensor_proto.string_val[0]), trackio_run.config]
    texts += [wandb_file.read_config(path) for path in wandb_files]
    for config in texts:
        assert config["recipe"]["corpus"] == "./my_midi"
        assert config["code"].keys() == {"version", "revision", "changed"}
        assert config["data"]["train"]["content"] == trainer.split_facts["train"]["content"]
        assert config["data"].keys() == {"train", "validation"}
        assert config["versions"]["torch"] and config["learning_rate"] == 1e-2
        assert list(config["tags"]) == ["gpt2", "REMI"]
        assert str(folder) not in json.dumps(config)
        record = json.loads(json.dumps(to_json(run_record(trainer))))
        assert all(config[name] == record[name] for name in ("recipe", "code", "data", "versions"))


def test_a_run_that_goes_on_is_one_run_of_its_group(told, wandb_files, trackio_run):
    runs = [wandb_file.read_run(path) for path in wandb_files]
    assert len(runs) == 2 and len({run.run_id for run in runs}) == 1
    for run in runs:
        assert (run.display_name, run.run_group, run.project) == (RUN_NAME, GROUP, PROJECT)
        assert list(run.tags) == ["gpt2", "REMI"]
    assert trackio_run.config["_Group"] == GROUP
    memory = json.loads(Path(told[0], "run", "trackers.json").read_text())
    assert memory["id"] == runs[0].run_id and memory["told"].keys() == {"wandb", "trackio", "tensorboard"}


ONLY_ELSEWHERE = {
    "train/model_flops_utilisation": "needs a GPU",
    "train/clean_test_...": "needs a run that is tested on pieces without a twin",
    "train/piece_seconds": "needs a corpus that says how long its pieces are",
    "eval/turned_up_after_step": "needs a run that turns up",
    "eval/continuations/ended_piece_tokens": "needs a model that ends its pieces",
    "eval/continuations/ended_piece_seconds": "needs a model that ends its pieces",
}


def test_the_page_on_watching_lists_what_is_logged_and_nothing_else(events):
    (page,) = [page for page in PAGES if page.name == "docs/watching.md"]
    listed = set(re.findall(r"`((?:train|eval|test)/[^`]+)`", page.prose.partition("\n## Examples")[0]))
    tags = events.Tags()
    texts = {tag.removesuffix("/text_summary") for tag in tags["tensors"]} - {"args", "model_config"}
    logged = {*tags["scalars"], *tags["images"], *tags["audio"], *tags["histograms"], *texts}

    def covers(pattern: str, name: str) -> bool:
        return re.fullmatch(re.escape(pattern).replace(r"\.\.\.", ".+"), name) is not None

    assert {name for name in logged if not any(covers(pattern, name) for pattern in listed)} == set()
    silent = {pattern for pattern in listed if not any(covers(pattern, name) for name in logged)}
    assert silent <= ONLY_ELSEWHERE.keys() <= listed
