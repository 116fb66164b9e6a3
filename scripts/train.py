"""Trains a language model of music from a recipe.

    accelerate launch --config_file accelerate_configs/cpu.yaml scripts/train.py recipes/small.yaml

Recipes can be combined, and options override them:

    accelerate launch --config_file accelerate_configs/single_gpu.yaml scripts/train.py \
        recipes/maestro.yaml recipes/models/llama.yaml --tokenization TSD --output_dir runs/maestro-llama-tsd
"""

from __future__ import annotations

import sys

from neuromusic_hf import command_line, monitoring, threads, training


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
    data = training.prepare_data(model_args, data_args, args, infill_asked=infill_asked)
    model = training.prepare_model(model_args, data_args, data)
    recipe = training.resolved_recipe(model_args, data_args, args)
    origin = data.corpus.provenance
    trainer = training.create_trainer(model, data.processor, data.blocks, data_args, args, recipe, origin)
    validation = data.corpus["validation"], data.tokens["validation"]
    monitoring.watch_continuations(trainer, *validation, data_args, training=data.corpus.get("train"))
    with training.ended_run(trainer):
        metrics = trainer.train(resume_from_checkpoint=args.resume_from_checkpoint).metrics
        metrics |= trainer.evaluate_at_end()
        if args.do_test:
            metrics |= training.evaluate_test_split(trainer, data.blocks)
        trainer.finish_trackers()
        training.save_run(trainer, data.blocks.facts, metrics)


if __name__ == "__main__":
    main()
