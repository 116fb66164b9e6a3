"""All of a run that can be refused before its corpus is read, which may take hours."""

import torch
from transformers import get_scheduler
from transformers.utils import is_liger_kernel_available

from ..disk import by_main_process
from ..models import check_model
from ..options.arguments import DataArguments, ModelArguments, RunArguments
from ..streaming.train_split import check_streaming
from ..tokenization.vocabulary_training import check_vocabulary
from .lora import check_lora
from .processor import load_processor
from .pushing_trainer import prepare_repository
from .trainer import MusicTrainer


def check_run(model_args: ModelArguments, data_args: DataArguments, args: RunArguments):
    """
    Refuses a run that would fail later.

    Its tokenization or its model does not exist or cannot be made, there is no such optimizer or schedule, or it may
    not push where it is to. The repository of a run that pushes is made.

    Raises:
        `ValueError`: a value cannot be, which the message names.
        `OSError`: a saved tokenizer or model cannot be read.
        `ImportError`: a package that was asked for is not installed.
    """
    _check_training(args)
    check_streaming(data_args, args)
    processor = load_processor(model_args, args.resume_from_checkpoint, data_args.infill_share or 0.0)
    if model_args.vocab_size is not None and not args.resume_from_checkpoint:
        check_vocabulary(processor.music_tokenizer, model_args.vocab_size, model_args.vocabulary_model)
    check_model(
        model_args.model,
        processor,
        context_length=data_args.context_length,
        revision=model_args.revision,
        trust_remote_code=model_args.trust_remote_code,
        **model_args.sizes,
    )
    check_lora(model_args, args, processor)
    if args.push_to_hub:
        by_main_process(lambda: prepare_repository(args))


def _check_training(args: RunArguments):
    if args.use_liger_kernel and not is_liger_kernel_available():
        raise ImportError("use_liger_kernel needs a package that is not installed: pip install liger-kernel.")
    backends = torch.compiler.list_backends(exclude_tags=())
    if args.torch_compile and args.torch_compile_backend not in backends:
        raise ValueError(f"torch_compile_backend={args.torch_compile_backend} is none of {', '.join(backends)}.")
    MusicTrainer.get_optimizer_cls_and_kwargs(args, torch.nn.Linear(1, 1))
    optimizer = torch.optim.SGD(torch.nn.Linear(1, 1).parameters(), lr=args.learning_rate)
    try:
        get_scheduler(args.lr_scheduler_type, optimizer, 0, 1, scheduler_specific_kwargs=args.lr_scheduler_kwargs)
    except TypeError as error:
        raise ValueError(f"lr_scheduler_kwargs={args.lr_scheduler_kwargs}: {error}.") from error
