"""Makes a smaller model of a trained one: narrower feed-forward layers, of which the neurons that matter most stay.

    python scripts/narrow_model.py runs/default bach+folk --intermediate_size 848 --output runs/narrow
    accelerate launch --config_file accelerate_configs/cpu.yaml scripts/train.py recipes/finetune.yaml \
        --model runs/narrow --corpus bach+folk --output_dir runs/narrow-trained

For Llama and its relatives. What it loses comes back when it is trained on.
"""

import argparse
import logging
import os

import neuromusic_hf
from neuromusic_hf import bundles, command_line, cores, corpora, disk, models, ranges

RANGES = {
    "intermediate_size": ranges.Range(1, "neurons"),
    "calibration_blocks": ranges.Range(1, "blocks"),
    "seed": ranges.SEEDS,
    "num_proc": ranges.PROCESSES,
}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="folder of a training run or of a bundle, or Hub id")
    parser.add_argument("corpus", help="what it was trained on: a sample says which neurons matter")
    parser.add_argument("--intermediate_size", type=int, required=True, help="neurons that each layer keeps")
    parser.add_argument("--output", type=os.path.expanduser, required=True, help="folder to write to")
    parser.add_argument("--revision", help="branch, tag or commit of a model on the Hub; main if not given")
    parser.add_argument("--data_dir", help="where the corpus lies, if it is here already")
    parser.add_argument(
        "--split_version",
        choices=corpora.SPLIT_VERSIONS,
        help="how it is split; as the model was trained if not given",
    )
    parser.add_argument(
        "--split_shares",
        type=float,
        nargs=3,
        help="shares of train, validation and test; as the model was trained with if not given",
    )
    parser.add_argument("--calibration_blocks", type=int, default=96, help="blocks of the train split to look at")
    parser.add_argument("--num_proc", type=int, default=cores.usable_cores(), help="processes that read the corpus")
    parser.add_argument("--seed", type=int, default=0, help="draws the blocks")
    return parser.parse_args()


def main():
    args = parse_arguments()
    ranges.check_ranges(args, RANGES)
    command_line.show_log()
    with disk.lock_folder(args.output):
        source = bundles.find_bundle(args.model)
        wide = neuromusic_hf.MidiContinuationPipeline.from_pretrained(source, revision=args.revision, device="cpu")
        splits = bundles.settle_splits(
            args.corpus,
            corpora.CorpusSplits.asked(args.split_version, args.split_shares),
            bundles.splits_of_model(source, revision=args.revision),
            args.data_dir,
        )
        corpus = neuromusic_hf.load_corpus(
            args.corpus,
            args.data_dir,
            split_version=splits.version,
            split_shares=splits.shares,
            num_proc=args.num_proc,
        )
        blocks = models.calibration_blocks(
            corpus["train"],
            wide.processor,
            models.longest_context(wide.model.config),
            args.calibration_blocks,
            args.seed,
            num_proc=args.num_proc,
        )
        narrowing = models.narrow_feed_forward(wide.model, args.intermediate_size, blocks)
        bundles.save_narrowed(
            wide.model, wide.processor, args.output, narrowing, source=source, revision=args.revision
        )
    logging.info(
        "%s has %d of %d neurons a layer: %.4f nats a token of the sample, %.4f before.",
        args.output,
        narrowing["to"],
        narrowing["from"],
        narrowing["loss_after"],
        narrowing["loss_before"],
    )


if __name__ == "__main__":
    main()
