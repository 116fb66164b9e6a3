"""Trains a language model of music from a recipe.

    accelerate launch --config_file accelerate_configs/cpu.yaml scripts/train.py recipes/small.yaml

Recipes can be combined, and options override them:

    accelerate launch --config_file accelerate_configs/single_gpu.yaml scripts/train.py \
        recipes/maestro.yaml recipes/models/llama.yaml --tokenization TSD --output_dir runs/maestro-llama-tsd
"""

from __future__ import annotations

import sys

import neuromusic_hf
from neuromusic_hf import command_line, disk, monitoring, threads, tokenization, training


def main():
    threads.wait_passively()
    model_args, data_args, args = training.parse_recipe(sys.argv[1:])
    command_line.show_log(args.process_index == 0)
    with training.begin_run(args, training.resolved_recipe(model_args, data_args, args)):
        training.check_run(model_args, data_args, args)
        monitoring.check_watching(args, data_args)
        training.settle_run_splits(model_args, data_args, args.resume_from_checkpoint)
        train(model_args, data_args, args)


def train(model_args: training.ModelArguments, data_args: training.DataArguments, args: training.RunArguments):
    from transformers import set_seed  # with PyTorch, once all options are right

    set_seed(args.seed)
    infill_asked = training.settle_infill_share(model_args, data_args, args)
    with disk.main_process_first():
        corpus = training.select_splits(neuromusic_hf.load_corpus(**data_args.corpus_arguments), args)
        processor = training.prepare_processor(
            model_args, corpus["train"], args.resume_from_checkpoint, args.seed, data_args.infill_share
        )
        augmentation = data_args.augmentation(args.seed)
        tokens = tokenization.tokenize_corpus(
            corpus, processor, augmentation=augmentation, num_proc=data_args.num_proc
        )
        blocks = training.TrainingBlocks.from_tokens(tokens, data_args, args.seed)
        blocks.add_infill(corpus, processor, data_args, args.seed, asked=infill_asked)
        if args.do_test and args.clean_test:
            blocks.add_clean_test(corpus, tokens["test"], data_args, args.seed)

    model = neuromusic_hf.build_model(
        model_args.model,
        processor,
        context_length=data_args.context_length,
        sampling=model_args.sampling,
        revision=model_args.revision,
        trust_remote_code=model_args.trust_remote_code,
        **model_args.sizes,
    )
    training.record_trained_programs(model, processor, blocks.splits["train"])
    training.record_infill_share(model, data_args.infill_share)
    model = training.add_lora(model, model_args)
    recipe = training.resolved_recipe(model_args, data_args, args)
    trainer = training.create_trainer(model, processor, blocks, data_args, args, recipe, corpus.provenance)
    validation = corpus["validation"], tokens["validation"]
    monitoring.watch_continuations(trainer, *validation, data_args, training=corpus["train"])
    with training.ended_run(trainer):
        metrics = trainer.train(resume_from_checkpoint=args.resume_from_checkpoint).metrics
        metrics |= trainer.evaluate_at_end()
        if args.do_test:
            metrics |= training.evaluate_test_split(trainer, blocks)
        training.save_run(trainer, blocks.facts, metrics)


if __name__ == "__main__":
    main()
