"""A few fixed pieces as they go on, as the model expects them, and as it goes on: the same at every evaluation."""

import contextlib
import json
from pathlib import Path

import pytest
import torch
from matplotlib.image import imread

from neuromusic_hf.generation.teacher_forcing import predict_each
from neuromusic_hf.monitoring import examples as shown
from neuromusic_hf.monitoring import watch_continuations
from neuromusic_hf.monitoring.continuation_callback import ContinuationCallback
from neuromusic_hf.monitoring.examples import choose_examples, predict_examples, show_examples, versions_of
from neuromusic_hf.runs import ContinuationSettings, FilePiece, read_run, row_pieces
from neuromusic_hf.training import DataArguments

SETTINGS = ContinuationSettings(prompt_length=32, continue_length=32)


def callback_of(trainer):
    (callback,) = [each for each in trainer.callback_handler.callbacks if isinstance(each, ContinuationCallback)]
    return callback


DATA = DataArguments(context_length=64, max_eval_blocks=4)


@pytest.fixture(scope="module")
def trained(trainer_in, corpus, tokens, tmp_path_factory):
    """A run of two steps, tested once, of which two pieces are shown."""
    trainer = trainer_in(tmp_path_factory.mktemp("examples") / "run", DATA, max_steps=2, eval_shown_continuations=2)
    watch_continuations(trainer, corpus["validation"], tokens["validation"], DATA)
    trainer.train()
    return trainer


@pytest.fixture(scope="module")
def run(trained):
    return read_run(Path(trained.args.output_dir, "eval_continuations", "step-000002"))


def test_examples_are_the_first_pieces_that_are_continued_cut_as_they_are_for_that(trained, run):
    examples = callback_of(trained).examples
    assert [example.name for example in examples] == [record.name for record in run.records[:2]]
    for example, record in zip(examples, run.records, strict=False):
        assert len(example.prompt.ids) == record.prompt_tokens
        assert len(example.prompt.original_ids) == record.original_tokens
        assert example.prompt.original.note_num() == record.notes.original
    folder = run.folder / "examples"
    pictures = [imread(folder / f"{record.stem}.png") for record in run.records[:2]]
    assert all(picture.shape[1] == 1200 and picture.shape[0] > 600 for picture in pictures)
    assert not (folder / f"{run.records[2].stem}.png").exists()


def test_none_are_shown_where_none_are_asked_for(make_trainer, corpus, tokens, data_args, tiny_model):
    trainer = make_trainer(eval_shown_continuations=0)
    watch_continuations(trainer, corpus["validation"], tokens["validation"], data_args)
    assert callback_of(trainer).examples == [] and predict_examples(tiny_model("REMI"), []) == {}


def test_the_prediction_is_that_of_the_model_as_it_is_and_the_continuation_that_of_the_run(
    corpus, processor, tiny_model
):
    model, pieces = tiny_model("REMI"), row_pieces(corpus["validation"])
    (example,) = choose_examples(pieces, 1, processor, SETTINGS)
    ids = example.prompt.ids + example.prompt.original_ids
    predicted = predict_examples(model, [example])[example.index]
    assert predicted == predict_each(model, ids, 32) and len(predicted) == 32
    generated = [*example.prompt.original_ids[:10]]
    target, forced, continuation = versions_of(example, predicted, generated, processor)
    assert target.ids == example.prompt.original_ids and continuation.ids == generated
    right = sum(one == other for one, other in zip(predicted, target.ids, strict=True))
    assert (target.right, forced.right, continuation.right) == ("", f"{right} of 32", "")
    assert target.score.note_num() == example.prompt.original.note_num()
    assert 0 < continuation.score.note_num() < target.score.note_num()


def test_a_piece_that_cannot_be_continued_is_no_example(corpus, processor, tmp_path):
    pieces = [FilePiece(tmp_path / "gone.mid"), *row_pieces(corpus["validation"])]
    assert [example.index for example in choose_examples(pieces, 2, processor, SETTINGS)] == [1]


def test_what_fails_of_one_leaves_the_others(trained, run, processor, monkeypatch):
    examples, failed = callback_of(trained).examples, []

    @contextlib.contextmanager
    def watching():
        try:
            yield
        except ValueError as error:
            failed.append(str(error))

    draw = shown.plot_versions

    def broken(prompt, versions, title):
        if title == examples[0].name:
            raise ValueError("no ink")
        return draw(prompt, versions, title=title)

    monkeypatch.setattr(shown, "plot_versions", broken)
    with torch.no_grad():
        predicted = predict_examples(trained.model.eval(), examples)
    media = show_examples(examples, predicted, run, processor, watching, sounds=False)
    assert failed == ["no ink"] and list(media.pictures) == [f"eval/examples/{run.records[1].stem}"]
    assert len(media.tables["eval/examples/tokens"]) == 6 and not media.sounds


def test_lengths_are_those_of_continuations_and_of_pieces_that_ended(trained, run):
    (logged,) = [each for each in trained.state.log_history if "eval_continuations/pieces" in each]
    ended = [record for record in run.records if record.ended_with_eos]
    assert logged["eval_continuations/ended_share"] == len(ended) / 3
    assert logged["eval_continuations/tokens_generated"] == sum(each.generated_tokens for each in run.records) / 3
    assert logged["eval_continuations/seconds_generated"] > 0
    assert ("eval_continuations/ended_piece_tokens" in logged) == bool(ended)
    if ended:
        expected = sum(each.prompt_tokens + each.generated_tokens + 1 for each in ended) / len(ended)
        assert logged["eval_continuations/ended_piece_tokens"] == expected
    first = trained.state.log_history[0]
    facts = trained.split_facts["train"]
    assert first["step"] == 0 and first["piece_tokens"] == facts["tokens"] / facts["rows"]
    assert json.loads(json.dumps(first)) == first
