"""Continues pieces of music with a trained model, and writes what the field's test protocol asks for.

    python scripts/continue_midi.py runs/quickstart song.mid --prompt_length 256 --continue_length 256 \
        --output continued
    accelerate launch --config_file accelerate_configs/multi_gpu.yaml scripts/continue_midi.py runs/maestro maestro \
        --max_items 100 --prompt_length 512 --continue_length 512 --save_audio --output runs/maestro/continuations

Stopped at any moment and started again with the same arguments, it goes on where it was.
"""

import argparse
import os

import neuromusic_hf
from neuromusic_hf import bundles, command_line, corpora, disk, models, ranges, runs


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=os.path.expanduser, help="folder of a run or of a bundle, or Hub id")
    parser.add_argument("prompts", nargs="+", help="MIDI files, folders of them, or a corpus (its test split)")
    parser.add_argument("--revision", help="branch, tag or commit of the model on the Hub; main if not given")
    parser.add_argument("--output", type=os.path.expanduser, required=True, help="folder to write to")
    parser.add_argument("--overwrite", action="store_true", help="begin anew, whatever the folder holds of a run")
    parser.add_argument("--max_items", type=int, help="choose so many of the pieces, by --seed; all if not given")
    parser.add_argument("--prompt_length", type=int, default=512, help="tokens of a piece that are its prompt")
    parser.add_argument("--continue_length", type=int, default=512, help="most tokens to generate")
    parser.add_argument("--batch_size", type=int, default=8, help="pieces continued together, by one process")
    parser.add_argument("--seed", type=int, default=0)
    sampling = parser.add_argument_group("sampling", "What is not given is as the bundle says.")
    sampling.add_argument("--temperature", type=float, help="0 always takes the likeliest token")
    sampling.add_argument("--top_k", type=int, help="sample among the k likeliest tokens; 0 for all")
    sampling.add_argument("--top_p", type=float, help="sample among the likeliest of this total share")
    parser.add_argument(
        "--constrained",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="only tokens that the tokenizer's grammar allows",
    )
    parser.add_argument(
        "--save_audio", type=int, nargs="?", const=None, default=0, help="render to WAV, all or so many pieces"
    )
    parser.add_argument("--soundfont", type=os.path.expanduser, help="SoundFont 2 file for the audio")
    parser.add_argument(
        "--save_pictures", action=argparse.BooleanOptionalAction, default=True, help="draw piano rolls"
    )
    parser.add_argument("--split", default="test", choices=corpora.SPLIT_NAMES, help="which split of a corpus")
    parser.add_argument(
        "--split_version",
        choices=corpora.SPLIT_VERSIONS,
        help="how a corpus is split; as the model was trained if not given",
    )
    parser.add_argument(
        "--split_shares",
        type=float,
        nargs=3,
        help="shares of train, validation and test; as the model was trained with if not given",
    )
    parser.add_argument(
        "--clean_test", action="store_true", help="leave out, and name, the pieces that have a twin in the train split"
    )
    parser.add_argument("--data_dir", help="where a corpus lies, if it is here already")
    parser.add_argument("--corpus_revision", help="branch, tag or commit of a corpus on the Hub; main if not given")
    parser.add_argument("--num_proc", type=int, help="processes that read a corpus")
    parser.add_argument("--trust_remote_code", action="store_true", help="run code that a Hub repository ships")
    return parser.parse_args()


def main():
    args = parse_arguments()
    ranges.check_ranges(args, runs.PIECE_RANGES)
    settings = runs.ContinuationSettings(
        prompt_length=args.prompt_length,
        continue_length=args.continue_length,
        batch_size=args.batch_size,
        seed=args.seed,
        constrained=args.constrained,
        generation=models.sampling_arguments(args.temperature, args.top_k, args.top_p),
    )
    output = runs.OutputSettings(pictures=args.save_pictures, audio=args.save_audio, soundfont=args.soundfont)
    output.check()
    splits = corpora.CorpusSplits.asked(args.split_version, args.split_shares)
    state = neuromusic_hf.launch.join_processes()
    command_line.show_log(state.is_main_process)
    command_line.hush_transformers()

    with disk.lock_folder(args.output):
        args.model = bundles.find_bundle(args.model)
        models.check_base(args.model, args.revision)
        continuer = neuromusic_hf.MidiContinuationPipeline.from_pretrained(
            args.model, revision=args.revision, device=state.device, trust_remote_code=args.trust_remote_code
        )
        settings.check(continuer.model)
        with disk.main_process_first():
            pieces = runs.find_pieces(
                args.prompts,
                split=args.split,
                clean_test=args.clean_test,
                data_dir=args.data_dir,
                revision=args.corpus_revision,
                num_proc=args.num_proc,
                splits=splits,
                model=args.model,
                model_revision=args.revision,
            )
            pieces = runs.choose_pieces(pieces, args.max_items, args.seed)

        run = runs.RunWriter(continuer, pieces, runs.RunFolder(args.output), settings, output)
        disk.by_main_process(
            run.begin,
            sources=args.prompts,
            split=args.split,
            max_items=args.max_items,
            clean_test=args.clean_test,
            overwrite=args.overwrite,
        )
        run.continue_share(state.process_index, state.num_processes)
        state.wait_for_everyone()
        if state.is_main_process:
            run.end()
    state.destroy_process_group()


if __name__ == "__main__":
    main()
