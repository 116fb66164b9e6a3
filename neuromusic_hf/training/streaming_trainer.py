"""A Trainer that trains on a stream, and goes on with it where a checkpoint left off."""

from __future__ import annotations

from pathlib import Path

from accelerate.utils import gather_object
from transformers import TrainerCallback

from ..checkpoints.folders import STREAM_NAME
from ..disk import write_json
from ..models.instruments import note_programs
from ..streaming.blocks import StreamedBlocks
from ..streaming.counts import StreamCounts, facts_of_stream
from ..streaming.loader import StreamLoader, StreamState, read_state
from .saving_trainer import SavingTrainer


class ShareOfRun(TrainerCallback):
    """Of a stream it is not known how long it is: what is told as epoch is the share of the run that is done."""

    def on_step_end(self, args, state, control, **kwargs):
        """Called by the Trainer after each optimizer step, of which it counts those since it went on."""
        state.epoch = state.global_step / state.max_steps


class StreamingTrainer(SavingTrainer):
    """
    [`~transformers.Trainer`] that trains on [`StreamedBlocks`], too.

    Each process reads its shares of the stream alone. A checkpoint keeps where they are, so that the run that goes on
    reads what this one would have read. What was read, refused and changed is in the facts of the train split.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.stream = self.train_dataset if isinstance(self.train_dataset, StreamedBlocks) else None
        self._stream_start = self._stream_state = StreamState()
        if self.stream is not None:
            self.add_callback(ShareOfRun())

    def train(self, resume_from_checkpoint: str | None = None, **kwargs):
        """As [`~transformers.Trainer.train`]; of a stream, no batch is read only to be skipped."""
        if self.stream is None:
            return super().train(resume_from_checkpoint=resume_from_checkpoint, **kwargs)
        self._stream_start = StreamState()
        if resume_from_checkpoint:
            self._stream_start = read_state(resume_from_checkpoint, self.args.process_index)
        asked, self.args.ignore_data_skip = self.args.ignore_data_skip, True
        try:
            return super().train(resume_from_checkpoint=resume_from_checkpoint, **kwargs)
        finally:
            self.args.ignore_data_skip = asked

    def get_train_dataloader(self):
        """As [`~transformers.Trainer.get_train_dataloader`]; that of a stream has no length."""
        if self.stream is None:
            return super().get_train_dataloader()
        self._stream_state = self._stream_start.copy()  # one that was too large for the memory begins anew
        return StreamLoader(self.stream, self.data_collator, self._train_batch_size, self.args, self._stream_state)

    def facts_of_train(self) -> dict | None:
        """As [`SavingTrainer.facts_of_train`]; of a stream, what all processes have read of it."""
        known = super().facts_of_train()
        if self.stream is None or known is None:
            return known
        shares = self.stream.processes * max(1, self.args.dataloader_num_workers)
        return facts_of_stream(self._all_counts(), known["content"], known["ids"], shares)

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False):
        """As [`SavingTrainer.save_model`]; of a stream it is known by now which instruments are in it."""
        if self.stream is not None:
            heard = sum(self._all_counts(), StreamCounts()).programs
            note_programs(getattr(self.model, "get_base_model", lambda: self.model)(), heard)
        super().save_model(output_dir, _internal_call)

    def _save_parts(self, staging: Path, model, trial):
        super()._save_parts(staging, model, trial)
        if self.stream is not None:
            name = STREAM_NAME.format(process=self.args.process_index)
            write_json(staging / f"checkpoint-{self.state.global_step}" / name, self._stream_state)

    def _all_counts(self) -> list[StreamCounts]:
        """Those of all shares that any process has read. All processes call this."""
        return gather_object(list(self._stream_state.counts.values()))
