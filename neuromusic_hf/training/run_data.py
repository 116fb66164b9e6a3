"""What a run trains on, and the model that it trains."""

from dataclasses import dataclass

from datasets import DatasetDict
from transformers import PreTrainedModel

from ..corpora import Corpus, StreamedCorpus, load_corpus
from ..disk import main_process_first
from ..models import build_model
from ..models.instruments import record_trained_programs
from ..options.arguments import DataArguments, ModelArguments, RunArguments
from ..streaming.train_split import pieces_to_learn_from, select_splits, stream_blocks
from ..tokenization import MidiProcessor, tokenize_corpus
from .infill_blocks import record_infill_share
from .lora import add_lora
from .processor import prepare_processor
from .split_blocks import TrainingBlocks


@dataclass(frozen=True)
class RunData:
    """
    A corpus, and what a model reads of it.

    Args:
        corpus ([`Corpus`]): the splits that the run reads.
        processor ([`MidiProcessor`]): of the run.
        tokens ([`~datasets.DatasetDict`]): the same splits as ids, from [`tokenize_corpus`].
        blocks ([`TrainingBlocks`]): cut from these.
    """

    corpus: Corpus
    processor: MidiProcessor
    tokens: DatasetDict
    blocks: TrainingBlocks


def prepare_data(
    model_args: ModelArguments, data_args: DataArguments, args: RunArguments, *, infill_asked: bool
) -> RunData:
    """
    Reads the corpus of a run, learns a vocabulary where one is asked for, tokenises, and cuts blocks.

    The main process does so first, and the others take what it left in the cache.

    Args:
        model_args ([`ModelArguments`]): of the run.
        data_args ([`DataArguments`]): likewise, with its share of infilling settled.
        args ([`RunArguments`]): likewise, after [`begin_run`].
        infill_asked (`bool`): from [`settle_infill_share`].

    Raises:
        `ValueError`: a split is empty, the vocabulary cannot be learned, or infilling was asked for and cannot be.
    """
    with main_process_first():
        loaded = load_corpus(**data_args.corpus_arguments)
        corpus = select_splits(loaded, args)
        learned_from = pieces_to_learn_from(loaded, model_args, args.seed)
        processor = prepare_processor(
            model_args, learned_from, args.resume_from_checkpoint, args.seed, data_args.infill_share
        )
        augmentation = data_args.augmentation(args.seed)
        tokens = tokenize_corpus(corpus, processor, augmentation=augmentation, num_proc=data_args.num_proc)
        blocks = TrainingBlocks.from_tokens(tokens, data_args, args.seed, corpus)
        blocks.add_infill(corpus, processor, data_args, args.seed, asked=infill_asked)
        if args.do_test and args.clean_test:
            blocks.add_clean_test(corpus, tokens["test"], data_args, args.seed)
        if isinstance(loaded, StreamedCorpus):
            blocks.add_stream(stream_blocks(loaded, processor, data_args, args), loaded.content)
    return RunData(corpus, processor, tokens, blocks)


def prepare_model(model_args: ModelArguments, data_args: DataArguments, data: RunData) -> PreTrainedModel:
    """
    Makes or loads the model of a run, which knows what it is taught, and adds an adapter where one is asked for.

    Args:
        model_args ([`ModelArguments`]): of the run.
        data_args ([`DataArguments`]): likewise, after [`prepare_data`].
        data ([`RunData`]): what it trains on.
    """
    model = build_model(
        model_args.model,
        data.processor,
        context_length=data_args.context_length,
        sampling=model_args.sampling,
        revision=model_args.revision,
        trust_remote_code=model_args.trust_remote_code,
        **model_args.sizes,
    )
    record_trained_programs(model, data.processor, data.blocks.splits["train"])
    record_infill_share(model, data_args.infill_share)
    return add_lora(model, model_args)
