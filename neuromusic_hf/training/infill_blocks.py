"""The samples of infilling of a training run: as many as its share asks for, in blocks, and the facts of them."""

import logging

import numpy as np
import pyarrow.compute
from datasets import Dataset, Features, concatenate_datasets
from datasets.fingerprint import Hasher
from transformers import PreTrainedModel

from ..borders.datasets import fingerprint_of
from ..corpora.cache import cached_map
from ..infilling.packing import pack_samples
from ..infilling.sample_dataset import FEWEST, draw_samples, lengths_of, part_for
from ..options.arguments import DataArguments
from ..tokenization import MidiProcessor
from ..tokenization.blocks import BLOCK_FEATURES, IGNORED_LABEL

logger = logging.getLogger(__name__)

LABELLED_FEATURES = Features({**BLOCK_FEATURES, "labels": BLOCK_FEATURES["input_ids"]})

EVALUATION_SEED = 0
"""Of the samples that runs are evaluated on, so that runs of any seed compare."""


def train_blocks(
    pieces: Dataset, processor: MidiProcessor, data_args: DataArguments, seed: int, ordinary: int
) -> tuple[Dataset | None, dict]:
    """
    Blocks of samples that are `data_args.infill_share` of the training tokens, and the facts about them.

    Of samples that cover all pieces, a part is made that is large enough; or all, and of others that cover them again.

    Args:
        pieces ([`~datasets.Dataset`]): the train split, with the columns `midi` and `content_hash`.
        processor ([`MidiProcessor`]): with the tokens of infilling.
        data_args ([`DataArguments`]): of the run.
        seed (`int`): of all that is drawn.
        ordinary (`int`): tokens of the ordinary blocks of the split.

    Returns:
        `tuple[Dataset | None, dict]`: no blocks where hardly a bar fits into the context.
    """
    share = data_args.infill_share
    wanted = share / (1 - share) * ordinary
    covers: list[Dataset] = []
    parts: list[float] = []
    tokens = 0
    while tokens < wanted:
        is_scant = bool(parts) and tokens < FEWEST * ordinary * sum(parts)
        if is_scant and parts[-1] == 1:
            return None, {"left_out": reasons(concatenate_datasets(covers))}
        parts.append(1.0 if is_scant else part_for((wanted - tokens) / ordinary, len(pieces)))
        cover = draw_samples(
            pieces,
            processor,
            data_args.context_length,
            cover=len(covers),
            part=parts[-1],
            seed=seed,
            augmentation=data_args.augmentation(seed),
            num_proc=data_args.num_proc,
        )
        covers.append(cover)
        tokens += int(lengths_of(cover).sum())
    samples = concatenate_datasets(covers)
    lengths = lengths_of(samples)
    order = np.random.default_rng(seed).permutation(np.flatnonzero(lengths))
    chosen = order[: int(np.searchsorted(lengths[order].cumsum(), wanted)) + 1]
    blocks = pack_samples(samples, chosen, data_args.context_length, seed=seed)
    taken = int(lengths[chosen].sum())
    facts = {
        "share": taken / (taken + ordinary),
        "covers": sum(parts),
        **sample_facts(samples, chosen),
        "samples_drawn": len(order),
        "blocks": len(blocks),
        "padding_share": 1 - taken / (len(blocks) * data_args.context_length),
        "left_out": reasons(samples),
    }
    logger.info(
        "%d samples of infilling in %d blocks are %.1f%% of the training tokens; "
        "%d ask for one program, %d for several.",
        len(chosen),
        len(blocks),
        100 * facts["share"],
        facts["samples_of_one_program"],
        facts["samples_of_several_programs"],
    )
    return blocks, facts


def evaluation_samples(
    pieces: Dataset, processor: MidiProcessor, data_args: DataArguments, ordinary: int
) -> tuple[Dataset | None, dict]:
    """
    Samples of a split that is evaluated on, `data_args.max_eval_blocks` at most, and the facts about them.

    Args:
        pieces ([`~datasets.Dataset`]): as of [`train_blocks`].
        processor ([`MidiProcessor`]): likewise.
        data_args ([`DataArguments`]): likewise.
        ordinary (`int`): tokens of the pieces, which a sample holds `data_args.context_length` of at most.

    Returns:
        `tuple[Dataset | None, dict]`: rows with the columns `input_ids` and `labels`, of which middle and EOM alone
            count; none if no bar fits.
    """
    most, context_length = data_args.max_eval_blocks, data_args.context_length
    part = 1.0 if most is None else part_for(most * context_length / ordinary, len(pieces))
    drawn = {"seed": EVALUATION_SEED, "num_proc": data_args.num_proc}
    samples = draw_samples(pieces, processor, context_length, part=part, **drawn)
    if part < 1 and np.count_nonzero(lengths_of(samples)) < most:
        samples = draw_samples(pieces, processor, context_length, **drawn)
    order = np.random.default_rng(EVALUATION_SEED).permutation(np.flatnonzero(lengths_of(samples)))
    chosen = order[:most]
    facts = {**sample_facts(samples, chosen), "left_out": reasons(samples)}
    if not facts["notes"]:
        return None, facts
    rows = cached_map(
        samples.select(chosen).select_columns(["input_ids", "asked"]),
        _labelled,
        Hasher.hash(["labels of what is asked for", fingerprint_of(samples), chosen.tobytes()]),
        remove_columns=["asked"],
        features=LABELLED_FEATURES,
    )
    return rows.with_format("numpy"), facts


def _labelled(row: dict) -> dict:
    ids, told = row["input_ids"], len(row["input_ids"]) - row["asked"]
    return {"input_ids": ids, "labels": [IGNORED_LABEL] * told + ids[told:]}


def sample_facts(samples: Dataset, chosen: np.ndarray) -> dict[str, int]:
    """
    Counts of some samples: themselves, their tokens, those that are asked for, and the notes of their middles.

    Those that ask for one program of a piece, or for several, are counted too: the others ask for all tracks.
    """
    names = ("num_notes", "asked", "num_programs")
    notes, asked, programs = (samples.data.column(name).to_numpy()[chosen] for name in names)
    return {
        "samples": len(chosen),
        "samples_of_one_program": int((programs == 1).sum()),
        "samples_of_several_programs": int((programs > 1).sum()),
        "tokens": int(lengths_of(samples)[chosen].sum()),
        "asked_tokens": int(asked.sum()),
        "notes": int(notes.sum()),
    }


def reasons(samples: Dataset) -> dict[str, int]:
    """How many samples could not be made, by reason."""
    counted = pyarrow.compute.value_counts(samples.data.column("left_out").drop_null()).to_pylist()
    return {each["values"]: each["counts"] for each in counted}


def record_infill_share(model: PreTrainedModel, share: float):
    """
    Notes in `model.config.infill_share` what share of its training tokens taught a model to fill in middles.

    What a model learned earlier stays noted where it learns no more of it.

    Args:
        model ([`~transformers.PreTrainedModel`]): that is about to be trained.
        share (`float`): that of the run.
    """
    if share:
        model.config.infill_share = share
