"""The share of infilling of a run: as asked, else of what it goes on from, else the default of a new model."""

import logging
from pathlib import Path

from ..checkpoints.resuming import recipe_of
from ..default_bundle import recorded_name
from ..infilling.time_order import check_time_order, writes_in_time_order
from ..models import saved_config
from ..models.fit import DEFAULT_INFILL_SHARE, trained_infill_share
from ..options.arguments import DataArguments, ModelArguments, RunArguments
from ..options.best_model import check_metric, is_of_infilling
from ..options.values import check_options
from ..tokenization import MidiProcessor
from .processor import load_processor

logger = logging.getLogger(__name__)


def settle_infill_share(model_args: ModelArguments, data_args: DataArguments, args: RunArguments) -> bool:
    """
    Settles what share of its training tokens teaches a run to fill in. Logs it, where it was not asked for.

    That of the checkpoint it goes on from; of saved weights what they were trained with; of a new model the default.
    Where a tokenizer that is saved has no tokens of infilling, it gets none that nobody asked for; one that writes
    track after track can learn nothing of it. Afterwards `data_args.infill_share` is that number.

    Args:
        model_args ([`ModelArguments`]): of the run.
        data_args ([`DataArguments`]): likewise.
        args ([`RunArguments`]): likewise, after [`begin_run`].

    Returns:
        `bool`: whether infilling was asked for, by a share or by a metric of it, so that the run is none without.

    Raises:
        `ValueError`: the best checkpoint is to be chosen by a metric of infilling, of which there is none; or a share
            is asked for, and the tokenizer does not write music in order of time.
    """
    metric, share = args.metric_for_best_model, data_args.infill_share
    if share:
        check_time_order(load_processor(model_args, args.resume_from_checkpoint))
    if share is None:
        data_args.infill_share, why = _share_of_origin(model_args, args.resume_from_checkpoint)
        logger.info("infill_share=%g, %s.", data_args.infill_share, why)
    check_metric(metric, data_args.infill_share)
    return bool(share) or is_of_infilling(metric)


def _share_of_origin(model_args: ModelArguments, checkpoint: str | None) -> tuple[float, str]:
    if checkpoint:
        share = recipe_of(Path(checkpoint)).get("infill_share", 0.0)  # earlier versions had no infilling
        check_options({"infill_share": share})
        return share, f"as of {checkpoint}"
    if model_args.is_saved_model:
        where = {"revision": model_args.revision, "trust_remote_code": model_args.trust_remote_code}
        share = trained_infill_share(saved_config(model_args.model, **where))
        why = f"as {recorded_name(model_args.model)} was trained with"
    else:
        share, why = DEFAULT_INFILL_SHARE, "the default of a new model"
    return _share_of_tokenizer(share, why, load_processor(model_args)) if share else (share, why)


def _share_of_tokenizer(share: float, why: str, processor: MidiProcessor) -> tuple[float, str]:
    if processor.infill_ids is None:
        return 0.0, "as the saved tokenizer has no tokens of infilling (a share that is asked for adds them)"
    if not writes_in_time_order(processor):
        return 0.0, f"as this {processor.tokenization} writes one track after the other, and nothing can be filled in"
    return share, why
