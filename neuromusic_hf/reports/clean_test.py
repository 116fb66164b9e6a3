"""A test run without the pieces that a model may know from its training corpus."""

from collections.abc import Iterator
from dataclasses import replace

from datasets import Dataset, Features

from ..corpora.clean import TWIN_IN_TRAIN, twins_in_train
from ..music import Midi, RefusedFile
from ..music.loading import load_score
from ..runs import FinishedRun, LeftOutRecord


def without_twins(run: FinishedRun, train: Dataset, num_proc: int | None = None) -> FinishedRun:
    """
    Leaves the pieces out of a run whose prompt or original has a twin in a training split, which their records name.

    Args:
        run ([`FinishedRun`]): a test run.
        train ([`~datasets.Dataset`]): the training split, with the columns of [`load_corpus`].
        num_proc (`int`, *optional*): processes.

    Raises:
        `OSError`: a file of the run cannot be read.
    """
    excerpts = list(_excerpts(run))
    rows = Dataset.from_dict({"midi": [midi for _, midi in excerpts]}, features=Features({"midi": Midi()}))
    twins = {excerpts[row][0]: twin for row, twin in twins_in_train(rows, train, num_proc=num_proc).items()}
    left_out = [
        LeftOutRecord(run.records[number].index, run.records[number].name, TWIN_IN_TRAIN, twin)
        for number, twin in twins.items()
    ]
    kept = [record for number, record in enumerate(run.records) if number not in twins]
    return replace(run, records=kept, left_out=sorted([*run.left_out, *left_out], key=lambda record: record.index))


def _excerpts(run: FinishedRun) -> Iterator[tuple[int, bytes]]:
    """Number of the record, and bytes, of each prompt and original that is music."""
    for number, record in enumerate(run.records):
        for name in (record.files.prompt, record.files.original):
            midi = (run.folder / name).read_bytes()
            try:
                load_score(midi)
            except RefusedFile:  # compared with nothing, and told by the scores
                continue
            yield number, midi
