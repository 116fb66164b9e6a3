"""Continues pieces of music with a trained model, and writes what the field's test protocol asks for.

    python scripts/continue_midi.py runs/quickstart song.mid --prompt_length 256 --continue_length 256 \
        --output continued
    accelerate launch --config_file accelerate_configs/multi_gpu.yaml scripts/continue_midi.py runs/maestro maestro \
        --max_items 100 --prompt_length 512 --continue_length 512 --save_audio --output runs/maestro/continuations

Stopped at any moment and started again with the same arguments, it goes on where it was.
"""

import argparse

import neuromusic_hf
from neuromusic_hf import bundles, command_line, corpora, disk, models, ranges, runs


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    runs.add_run_options(parser, "continued")
    lengths = parser.add_argument_group("lengths")
    lengths.add_argument("--prompt_length", type=int, default=512, help="tokens of a piece that are its prompt")
    lengths.add_argument("--continue_length", type=int, default=512, help="most tokens to generate")
    runs.add_guard_options(parser)
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
    corpora.CorpusSplits.asked(args.split_version, args.split_shares)  # refused now, if they cannot be
    state = neuromusic_hf.launch.join_processes()
    command_line.show_log(state.is_main_process)
    command_line.hush_transformers()

    with disk.lock_folder(args.output):
        args.model = bundles.find_bundle(args.model)
        models.check_base(args.model, args.revision)
        with disk.main_process_first():
            guard = runs.guard_asked(args)
        continuer = neuromusic_hf.MidiContinuationPipeline.from_pretrained(
            args.model,
            revision=args.revision,
            device=state.device,
            trust_remote_code=args.trust_remote_code,
            **guard,
        )
        settings.check(continuer.model)
        with disk.main_process_first():
            pieces = runs.find_pieces_asked(args)

        run = runs.RunWriter(continuer, pieces, runs.RunFolder(args.output), settings, output)
        disk.by_main_process(
            run.begin,
            sources=args.pieces,
            split=args.split or runs.DEFAULT_SPLIT,
            max_items=args.max_items,
            clean_test=args.clean_test,
            overwrite=args.overwrite,
        )
        run.write_share(state.process_index, state.num_processes)
        state.wait_for_everyone()
        if state.is_main_process:
            run.end().check_any()
    state.destroy_process_group()


if __name__ == "__main__":
    main()
