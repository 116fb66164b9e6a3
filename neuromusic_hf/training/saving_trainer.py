"""A Trainer whose saves are whole or not there."""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
import yaml
from transformers.trainer import TRAINING_ARGS_NAME
from transformers.utils import ADAPTER_CONFIG_NAME

from ..borders.trainer import last_logged_step, unlogged_loss
from ..bundles import BUNDLE_NAME, write_card
from ..bundles.files import RECIPE_NAME, RUN_NAME
from ..bundles.pipeline_file import add_pipeline_files
from ..bundles.shared_recipe import shareable_recipe
from ..checkpoints.folders import PROGRESS_NAME, TRAINER_STATE_NAME, newest_whole
from ..checkpoints.saving import PARTIAL_NAME, publish_checkpoint, replace_bundle, rotate
from ..corpora import Provenance
from ..disk import size_in_mib, staged_folder, write_json, write_whole
from ..hub import CARD_NAME
from ..models.adapter_files import complete_adapter
from .finite_trainer import FiniteTrainer

logger = logging.getLogger(__name__)


class SavingTrainer(FiniteTrainer):
    """
    [`~transformers.Trainer`] that writes a model to a folder beside its place, and moves it there in one step.

    Args:
        recipe (`dict`, *optional*): from [`resolved_recipe`], saved with every checkpoint, and with the bundle what
            others may see of it.
        split_facts (mapping of `str` to `dict`, *optional*): about the splits, from [`TrainingBlocks`]; those of the
            train split are saved with every checkpoint.
        provenance (sequence of [`Provenance`], *optional*): where the music comes from that it trains on.
        kwargs: of [`~transformers.Trainer`].

    Attributes:
        record (`dict`, *optional*): of the finished run, saved with the bundle.
    """

    def __init__(
        self,
        *args,
        recipe: dict | None = None,
        split_facts: Mapping[str, dict] | None = None,
        provenance: Sequence[Provenance] = (),
        **kwargs,
    ):
        super().__init__(*args, **kwargs)
        self.recipe = recipe
        self.shared_recipe = shareable_recipe(recipe) if recipe is not None else None
        self.split_facts = dict(split_facts or {})
        self.provenance = list(provenance)
        self.record: dict | None = None
        self._staging: Path | None = None

    def progress(self) -> dict:
        """What a checkpoint has to keep beside the state of the Trainer. All processes call this."""
        return {
            "processes": self.args.world_size,
            "optimizer": not self.args.save_only_model,
            "train": self.facts_of_train(),
            "unlogged_loss": self.accelerator.gather(unlogged_loss(self)[None]).mean().item(),
            "last_logged_step": last_logged_step(self),
        }

    def facts_of_train(self) -> dict | None:
        """About the blocks of the train split. All processes call this."""
        return self.split_facts.get("train")

    def _get_output_dir(self, trial) -> str:
        return str(self._staging) if self._staging else super()._get_output_dir(trial)

    @property
    def bundle_dir(self) -> Path:
        """The folder of the run's bundle."""
        return Path(self.args.output_dir, BUNDLE_NAME)

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False):
        """
        As [`~transformers.Trainer.save_model`], but a whole bundle, without a pickle, and in one step.

        Args:
            output_dir (`str`, *optional*): The folder of the bundle; `bundle` in that of the run if not given.
        """
        if self._staging is not None:
            self.save_weights(output_dir)
            self._complete(Path(output_dir), self.recipe)
            return
        self.refuse_lost_weights()
        folder = Path(output_dir or self.bundle_dir)
        remedy = "The checkpoints of the run are untouched: make room and go on with --resume_from_checkpoint last."
        beside = folder if output_dir else folder.parent
        with staged_folder(beside / PARTIAL_NAME / "bundle", folder, remedy) as staging:
            self.save_weights(str(staging))
            self._complete(staging, self.shared_recipe)
            self.accelerator.wait_for_everyone()
            if self.args.should_save:
                if self.record is not None:
                    write_json(staging / RUN_NAME, self.record)
                replace_bundle(staging, folder)
            self.accelerator.wait_for_everyone()
        if self.args.should_save:
            self._write_card(folder)

    def _write_card(self, folder: Path):
        try:
            write_card(folder, self.hub_model_id)
        except ValueError as error:  # what its owner wrote there; the bundle is saved
            logger.warning("The card in %s was not written anew: %s", folder, error)

    def _complete(self, folder: Path, recipe: dict | None):
        if not self.args.should_save:
            return
        if (folder / ADAPTER_CONFIG_NAME).exists():
            complete_adapter(self.model, folder)
        add_pipeline_files(folder)
        # A pickle of the arguments, which recipe.yaml holds in the open; and peft's card, over that of its owner.
        for name in (TRAINING_ARGS_NAME, CARD_NAME):
            (folder / name).unlink(missing_ok=True)
        if recipe is not None:
            write_whole(folder / RECIPE_NAME, yaml.safe_dump(recipe, sort_keys=False))

    def _save_checkpoint(self, model, trial):
        self.refuse_lost_weights()
        output_dir, run_dir = Path(self.args.output_dir), Path(super()._get_output_dir(trial))
        checkpoint = run_dir / f"checkpoint-{self.state.global_step}"
        last = newest_whole(run_dir)
        remedy = "Make room and go on with --resume_from_checkpoint last, which "
        remedy += f"is {last} of {size_in_mib(last):.1f} MiB." if last else "begins at the first step."
        with staged_folder(output_dir / PARTIAL_NAME / "saving", checkpoint, remedy) as staging:
            self._save_staged(staging, model, trial)
            self._remember_best(checkpoint)
            self._write_states(staging / checkpoint.name)
            if self.args.should_save:
                publish_checkpoint(staging / checkpoint.name, checkpoint, output_dir)
                rotate(run_dir, output_dir, self.args.save_total_limit, self.state.best_model_checkpoint)
            self.accelerator.wait_for_everyone()
        self._push_from_checkpoint(str(checkpoint))

    def _save_staged(self, staging: Path, model, trial):
        """A checkpoint to which one process could not write its part is none."""
        self._staging, failure = staging, None
        try:
            self._save_parts(staging, model, trial)
        except Exception as error:
            failure = error
        finally:
            self._staging = None
        failures = self.accelerator.gather(torch.tensor([int(failure is not None)], device=self.accelerator.device))
        if failure is not None:
            raise failure
        if failures.any():
            raise RuntimeError("another process could not write its part.")

    def _save_parts(self, staging: Path, model, trial):
        """What the Trainer saves, each process its part."""
        super()._save_checkpoint(model, trial)

    def _remember_best(self, checkpoint: Path):
        """The Trainer looked for the best checkpoint where this one was staged."""
        best_step = self.state.best_global_step
        best = checkpoint.with_name(f"checkpoint-{best_step}")
        if best_step and (best_step == self.state.global_step or best.exists()):
            self.state.best_model_checkpoint = str(best)

    def _write_states(self, staged: Path):
        progress = self.progress()
        if self.args.should_save:
            write_json(staged / PROGRESS_NAME, progress)
            write_json(staged / TRAINER_STATE_NAME, dataclasses.asdict(self.state))
