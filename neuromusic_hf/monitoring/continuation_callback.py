"""A test of continuations every so many steps of a training run."""

import contextlib
import dataclasses
import functools
import logging
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import PreTrainedModel, Trainer, TrainerCallback

from ..borders.accelerate import without_autocast
from ..bundles import ModelIdentity
from ..disk import by_main_process
from ..generation import MidiContinuationPipeline
from ..generation.copy_guard import MAX_RUN
from ..metrics import all_comparisons
from ..models.fit import trained_infill_share
from ..reports import RunModel, RunScores, ScoringOptions, score_run, write_report
from ..runs import (
    ContinuationSettings,
    FinishedRun,
    OutputSettings,
    PieceRun,
    PieceSource,
    RunFolder,
    RunWriter,
    read_run,
)
from ..tokenization import MidiProcessor
from ..tracking.failures import TrackerFailures
from ..training.divided_weights import holds_parts, outside_zero3, plain_model, whole_model
from ..training.stopping import StopRequest
from .copying import FEWEST_PIECES, TIMES_LONGER, is_copying
from .examples import Example, choose_examples, predict_examples, show_examples
from .figures import COPYING, LOG_PREFIX, scalar_figures
from .infill_test import INFILLS_FOLDER, infill_figures, infill_media, infill_run
from .media import Media, distances_of
from .trackers import log_media

logger = logging.getLogger(__name__)

CONTINUATIONS_FOLDER = "eval_continuations"

RENDERER = "renderer"
"""What failures of pictures, sound and pages are counted as."""

MAX_AUDIO_SECONDS = 90.0
"""Models that have learned little may write minutes of silence."""


class ContinuationCallback(TrainerCallback):
    """
    Continues the same prompts every so many steps, scores them, and logs what comes of it.

    Scalars go through the Trainer; pictures, sound, histograms and tables to those of its trackers that show them.
    Each test is a test run in `output_dir/eval_continuations/step-...`, as scripts/continue_midi.py writes it, with a
    report. The first pieces are shown as they go on, as the model expects each next token of them, and as it goes on
    by itself. Bars of pieces are filled in, too, if that is asked for, in `output_dir/eval_infills/step-...`. It does
    not touch the random numbers of the training. A [`MusicTrainer`] that was asked to stop does not wait for the end
    of a test; the run that goes on from there makes up for it.

    Processes share the prompts. Where weights are divided among them (FSDP, ZeRO-3), the main process continues all
    prompts with a copy of all weights, and the others wait.

    Args:
        trainer ([`~transformers.Trainer`]): of a causal language model, whose `processing_class` is its
            [`MidiProcessor`].
        pieces (list of [`PieceSource`]): what to continue.
        settings ([`ContinuationSettings`]): how.
        steps (`float`): optimizer steps between two tests, or a share of the run.
        shown (`int`, *optional*, defaults to 4):
            Pieces, the first ones, that trackers get as pictures, sound and tokens. Each takes one more pass of the
            model over prompt and original.
        infills (`int`, *optional*, defaults to 0): pieces, the first ones, of which bars are filled in.
        scoring ([`ScoringOptions`], *optional*): how continuations are scored.
        training ([`~datasets.Dataset`], *optional*): pieces that the model trains on, with the columns `midi` and
            `content_hash`; continuations are compared with them ([`score_novelty`]), and it warns where they copy.

    Raises:
        `ValueError`: prompt and continuation are longer than the model reads, it was never taught to fill in bars that
            are to be filled in, or there is no such comparison.
        `OSError`: the harmony embedding cannot be read.

    Example:
    ```py
    >>> from neuromusic_hf.monitoring import ContinuationCallback
    >>> from neuromusic_hf.runs import ContinuationSettings, row_pieces
    >>> settings = ContinuationSettings(prompt_length=256, continue_length=256)
    >>> pieces = row_pieces(corpus["validation"])[:16]
    >>> trainer.add_callback(ContinuationCallback(trainer, pieces, settings, steps=500))
    ```
    """

    def __init__(
        self,
        trainer: Trainer,
        pieces: list[PieceSource],
        settings: ContinuationSettings,
        steps: float,
        shown: int = 4,
        scoring: ScoringOptions | None = None,
        training: Dataset | None = None,
        infills: int = 0,
    ):
        if infills and not trained_infill_share(trainer.model.config):
            raise ValueError(
                f"eval_infills={infills} cannot be, as the model does not learn to fill in bars: leave it out, or set "
                "infill_share."
            )
        settings.check(trainer.model)
        self.trainer = trainer
        self.stop: StopRequest | None = getattr(trainer, "stop", None)
        self.failures: TrackerFailures = getattr(trainer, "tracker_failures", None) or TrackerFailures()
        self.pieces = pieces
        self.settings = settings
        self.steps = steps
        self.shown = shown
        self.training = training
        self.infilled = pieces[:infills]
        self.examples: list[Example] = []
        with self.failures.watching(RENDERER):
            self.examples = choose_examples(pieces, shown, trainer.processing_class, settings)
        if training is not None and len(pieces) < FEWEST_PIECES:
            logger.warning(
                "%d validation pieces are continued, too few to tell copying from chance: it is told of a run of more "
                "than %d notes that is over %d times as long as any original's. From %d pieces on, of shorter ones.",
                *(len(pieces), MAX_RUN, TIMES_LONGER, FEWEST_PIECES),
            )
        self.output = OutputSettings(audio=0)
        with self.failures.watching(RENDERER):
            self.output = _heard_output(shown)
        scoring = scoring or ScoringOptions()
        embedding = scoring.load_embedding()
        all_comparisons(scoring.comparisons, embedding)  # refused now, not at the first test
        # One process: the pieces are few, and forking the process that trains is not safe.
        self.scoring = dataclasses.replace(scoring, harmony_embedding=embedding, harmony_revision=None, num_proc=1)

    def on_train_begin(self, args, state, control, **kwargs):
        """Called by the Trainer once it has read the checkpoint that it goes on from, if any."""
        if state.global_step == 0 and args.eval_on_start and not self._is_stopping():
            self.test()
        elif state.global_step > 0 and not self._was_tested(state):
            self.on_step_end(args, state, control)

    def on_step_end(self, args, state, control, **kwargs):
        """Called by the Trainer after each optimizer step."""
        steps = math.ceil(self.steps * state.max_steps) if self.steps < 1 else self.steps
        if state.global_step % steps == 0 and not self._is_stopping():
            self.test()

    def _was_tested(self, state) -> bool:
        now = (entry for entry in state.log_history if entry["step"] == state.global_step)
        return any(name.startswith(LOG_PREFIX) for entry in now for name in entry)

    def _is_stopping(self) -> bool:
        return self.stop is not None and self.stop.agreed(self.trainer.accelerator)

    def _was_asked_to_stop(self) -> bool:
        """Of this process; the others may not know yet."""
        return self.stop is not None and bool(self.stop.signal)

    def test(self):
        """Continues all prompts with the model as it is, scores and logs them."""
        args, state, accelerator = self.trainer.args, self.trainer.state, self.trainer.accelerator
        divided, processor = holds_parts(self.trainer), self.trainer.processing_class
        model = plain_model(self.trainer)
        whole = whole_model(self.trainer) if divided else model
        identity = ModelIdentity(f"{args.output_dir} at step {state.global_step}", "in training")
        predicted: dict[int, list[int]] = {}
        with outside_zero3(self.trainer) if divided else _as_for_generation(model):
            runs = self._runs(whole, processor)
            for run in runs:
                by_main_process(run.begin, overwrite=True, model=identity, sources=["validation"])
                if divided:
                    by_main_process(run.write_share, should_stop=self._was_asked_to_stop)
                else:
                    run.write_share(accelerator.process_index, accelerator.num_processes, self._was_asked_to_stop)
            if accelerator.is_main_process:
                with self.failures.watching(RENDERER):
                    predicted = predict_examples(whole, self.examples)
        accelerator.wait_for_everyone()
        if self._is_stopping():
            return
        read_by = RunModel(model.config.model_type, processor)
        figures = by_main_process(lambda: self._report(*runs, model=read_by, predicted=predicted))
        loss_is_due = self.trainer.control.should_log
        self.trainer.log(figures)
        self.trainer.control.should_log = loss_is_due  # which whatever is logged resets

    def _runs(self, model: PreTrainedModel | None, processor: MidiProcessor) -> list[PieceRun]:
        """That of continuations, and that of infills if they are asked for; a process without a model does none."""
        pipeline = model and MidiContinuationPipeline(model, processor, device=model.device)
        folder = RunFolder(self._folder(CONTINUATIONS_FOLDER))
        runs: list[PieceRun] = [RunWriter(pipeline, self.pieces, folder, self.settings, self.output)]
        if self.infilled:
            place = self._folder(INFILLS_FOLDER)
            runs.append(infill_run(model, processor, self.infilled, place, self.settings, self.output))
        return runs

    def _folder(self, kind: str) -> Path:
        return Path(self.trainer.args.output_dir, kind, f"step-{self.trainer.state.global_step:06d}")

    def _report(
        self, written: PieceRun, infills: PieceRun | None = None, *, model: RunModel, predicted: dict[int, list[int]]
    ) -> dict[str, float]:
        written.end()
        run = read_run(written.folder.path)
        scores = score_run(run, self.scoring, model, self.training)
        figures = scalar_figures(run, scores)
        self._count_not_rendered(run.records)
        if infills is not None:
            manifest = infills.end()
            self._count_not_rendered([*manifest.pieces, *(take for piece in manifest.pieces for take in piece.takes)])
            figures |= infill_figures(infills.folder.path, manifest)
        report = self._show(run, scores, predicted, infills)
        self._warn_of_copying(scores, figures, report)
        return figures

    def _show(
        self, run: FinishedRun, scores: RunScores, predicted: dict[int, list[int]], infills: PieceRun | None
    ) -> Path:
        """The page of the report, and what trackers show beside it; what fails of these is no reason to stop."""
        page = report = run.folder / "report"
        media = Media()
        with self.failures.watching(RENDERER):
            page = write_report(run, scores, report)
            media |= distances_of(scores, report)
        with self.failures.watching(RENDERER):
            watching, sounds = functools.partial(self.failures.watching, RENDERER), bool(self.output.audio)
            processor = self.trainer.processing_class
            media |= show_examples(self.examples, predicted, run, processor, watching, sounds=sounds)
        if infills is not None:
            with self.failures.watching(RENDERER):
                media |= infill_media(infills.folder.path, self.shown)
        trackers = log_media(self.trainer, media)
        logger.info("Continuations to look at: %s", ", ".join([str(page), *trackers]))
        return page

    def _count_not_rendered(self, records: Iterable[Any]):
        for record in records:
            for error in (record.not_rendered or {}).values():
                self.failures.count(RENDERER, error)

    def _warn_of_copying(self, scores: RunScores, figures: dict[str, float], page: Path):
        novelty = scores.record["novelty"] or {}
        longest = [novelty.get(f"longest_{part}") for part in ("original", "generated")]
        if is_copying(figures.get(f"{LOG_PREFIX}{COPYING}"), *longest):
            logger.warning(
                "After step %d the model copies: %.0f%% of its %d continuations share a longer run of notes with the "
                "train split than originals do, up to %d notes (originals: %d). See %s.",
                self.trainer.state.global_step,
                100 * novelty["share_beyond_originals"],
                novelty["num_pieces"],
                novelty["longest_generated"],
                novelty["longest_original"],
                page,
            )


def _heard_output(shown: int) -> OutputSettings:
    output = OutputSettings(audio=shown, max_audio_seconds=MAX_AUDIO_SECONDS)
    output.check()
    return output


@contextlib.contextmanager
def _as_for_generation(model: PreTrainedModel):
    """In evaluation mode, and without the autocast that Accelerate lays around `forward`."""
    modes = {module: module.training for module in model.modules()}
    try:
        model.eval()
        with without_autocast(model):
            yield
    finally:
        for module, training in modes.items():
            module.training = training
