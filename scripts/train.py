"""Trains a language model of music from a recipe.

    accelerate launch --config_file accelerate_configs/cpu.yaml scripts/train.py recipes/quickstart.yaml

Recipes can be combined, and options override them:

    accelerate launch --config_file accelerate_configs/single_gpu.yaml scripts/train.py \
        recipes/maestro.yaml recipes/models/llama.yaml --tokenization TSD --output_dir runs/maestro-llama-tsd
"""

import sys

from transformers import set_seed

from neuromusic_hf import build_model, load_corpus
from neuromusic_hf.disk import main_process_first
from neuromusic_hf.launch import show_log
from neuromusic_hf.monitoring import check_watching, watch_continuations
from neuromusic_hf.tokenization import tokenize_corpus
from neuromusic_hf.training import (
    DataArguments,
    ModelArguments,
    RunArguments,
    TrainingBlocks,
    begin_run,
    check_run,
    create_trainer,
    ended_run,
    evaluate_test_split,
    parse_recipe,
    prepare_processor,
    record_trained_programs,
    resolved_recipe,
    save_run,
    select_splits,
    settle_split_version,
)


def main():
    model_args, data_args, args = parse_recipe(sys.argv[1:])
    show_log(args.process_index == 0)
    with begin_run(args, resolved_recipe(model_args, data_args, args)):
        check_run(model_args, data_args, args)
        check_watching(args, data_args)
        settle_split_version(data_args, args.resume_from_checkpoint)
        train(model_args, data_args, args)


def train(model_args: ModelArguments, data_args: DataArguments, args: RunArguments):
    set_seed(args.seed)
    with main_process_first():
        corpus = select_splits(load_corpus(**data_args.corpus_arguments), args)
        processor = prepare_processor(model_args, corpus["train"], args.resume_from_checkpoint, args.seed)
        augmentation = data_args.augmentation(args.seed)
        tokens = tokenize_corpus(corpus, processor, augmentation=augmentation, num_proc=data_args.num_proc)
        blocks = TrainingBlocks.from_tokens(tokens, data_args, args.seed)
        if args.do_test and args.clean_test:
            blocks.add_clean_test(corpus, tokens["test"], data_args, args.seed)

    model = build_model(
        model_args.model,
        processor,
        context_length=data_args.context_length,
        sampling=model_args.sampling,
        revision=model_args.revision,
        trust_remote_code=model_args.trust_remote_code,
        **model_args.sizes,
    )
    record_trained_programs(model, processor, blocks.splits["train"])
    recipe = resolved_recipe(model_args, data_args, args)
    trainer = create_trainer(model, processor, blocks, data_args, args, recipe, corpus.provenance)
    watch_continuations(trainer, corpus["validation"], tokens["validation"], data_args)
    with ended_run(trainer):
        metrics = trainer.train(resume_from_checkpoint=args.resume_from_checkpoint).metrics
        metrics |= trainer.evaluate()
        if args.do_test:
            metrics |= evaluate_test_split(trainer, blocks)
        save_run(trainer, blocks.facts, metrics)


if __name__ == "__main__":
    main()
