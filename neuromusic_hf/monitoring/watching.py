"""From the arguments of a training run to the callback that tests its continuations."""

import numpy as np
import pyarrow.compute
from datasets import Dataset
from transformers import PreTrainedConfig, Trainer

from ..metrics import all_comparisons
from ..models.fit import trained_infill_share
from ..options import DataArguments, RunArguments
from ..options.watching_arguments import DEFAULT_INFILLS
from ..reports import ScoringOptions
from ..runs import ContinuationSettings, PieceSource, choose_pieces, row_pieces
from .continuation_callback import ContinuationCallback


def check_watching(args: RunArguments, data_args: DataArguments):
    """
    Refuses tests of continuations that cannot be, before a corpus is read.

    Args:
        args ([`RunArguments`]): with `eval_continuations_steps` and what belongs to it.
        data_args ([`DataArguments`]): with the length of the context.

    Raises:
        `ValueError`: prompt and continuation are longer than the context, or there is no such comparison.
        `OSError`: the harmony embedding cannot be read.
    """
    if args.eval_continuations_steps is None:
        return
    lengths = [length or 1 for length in (args.eval_prompt_length, args.eval_continue_length)]
    if sum(lengths) > data_args.context_length:
        raise ValueError(
            f"eval_prompt_length {lengths[0]} + eval_continue_length {lengths[1]} is more than context_length "
            f"{data_args.context_length}: make either shorter."
        )
    scoring = _scoring(args)
    all_comparisons(scoring.comparisons, scoring.load_embedding())


def watch_continuations(
    trainer: Trainer,
    validation: Dataset,
    tokens: Dataset,
    data_args: DataArguments,
    training: Dataset | None = None,
):
    """
    Adds a [`ContinuationCallback`] as the arguments of the Trainer ask.

    None is added where `eval_continuations_steps` is not set.

    Args:
        trainer ([`~transformers.Trainer`]): with [`RunArguments`].
        validation ([`~datasets.Dataset`]): pieces to continue, with the columns `midi` and `content_hash`.
        tokens ([`~datasets.Dataset`]): the same pieces as tokens.
        data_args ([`DataArguments`]): with the length of the context.
        training ([`~datasets.Dataset`], *optional*): pieces that the model trains on, with these columns too, which
            `eval_continuations_novelty` needs.

    Raises:
        `ValueError`: no piece is as long as prompt and continuation, there are no pieces to measure novelty against,
            or the callback cannot work.
        `OSError`: the harmony embedding cannot be read.
    """
    args: RunArguments = trainer.args
    if args.eval_continuations_steps is None:
        return
    lengths = pyarrow.compute.list_value_length(tokens.data.column("input_ids")).to_numpy()
    usual = half_of_the_usual(lengths, data_args.context_length)
    settings = ContinuationSettings(
        prompt_length=args.eval_prompt_length or usual,
        continue_length=args.eval_continue_length or usual,
        batch_size=args.per_device_eval_batch_size,
        seed=args.seed,
    )
    wanted = settings.prompt_length + settings.continue_length
    hashes = set(tokens.select(np.flatnonzero(lengths > wanted))["content_hash"])
    if not hashes:
        raise ValueError(
            f"None of {len(lengths)} validation pieces has {wanted} tokens for a prompt and how it goes on. The "
            f"longest has {max(lengths, default=0)}: make eval_prompt_length and eval_continue_length shorter."
        )
    pieces = choose_pieces(_pieces(validation, hashes), args.eval_continuations, args.seed)
    if args.eval_continuations_novelty and training is None:
        raise ValueError("eval_continuations_novelty compares with the train split: give it, as training.")
    callback = ContinuationCallback(
        trainer,
        pieces,
        settings,
        steps=args.eval_continuations_steps,
        shown=args.eval_shown_continuations,
        scoring=_scoring(args),
        training=training if args.eval_continuations_novelty else None,
        infills=infills_asked(args, trainer.model.config),
    )
    trainer.add_callback(callback)


def infills_asked(args: RunArguments, config: PreTrainedConfig) -> int:
    """Of how many pieces bars are filled in: if nothing is said, of a few where the model learns it."""
    if args.eval_infills is not None:
        return args.eval_infills
    return DEFAULT_INFILLS if trained_infill_share(config) else 0


def _scoring(args: RunArguments) -> ScoringOptions:
    return ScoringOptions(
        comparisons=args.eval_comparisons,
        harmony_embedding=args.eval_harmony_embedding,
        harmony_revision=args.eval_harmony_revision,
    )


def half_of_the_usual(lengths: np.ndarray, context_length: int) -> int:
    """Half of the context, or of a piece where half of the pieces are shorter than that; in tokens, at least 1."""
    usual = min(context_length, int(np.median(lengths)) - 1) if len(lengths) else context_length
    return max(1, usual // 2)


def _pieces(validation: Dataset, hashes: set[str]) -> list[PieceSource]:
    rows = [row for row, content_hash in enumerate(validation["content_hash"]) if content_hash in hashes]
    return row_pieces(validation.select(rows))
