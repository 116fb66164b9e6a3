"""Has a trained model fill in bars of pieces of music, and writes the pieces with the new notes in them.

    python scripts/infill_midi.py runs/quickstart song.mid --bars 8 12 --instruments "Cello" --output infilled
    accelerate launch --config_file accelerate_configs/multi_gpu.yaml scripts/infill_midi.py runs/lamd lamd \
        --max_items 100 --span_bars 4 --draw_program --save_audio --output runs/lamd/infills

Stopped at any moment and started again with the same arguments, it goes on where it was.
"""

import argparse

import neuromusic_hf
from neuromusic_hf import bundles, command_line, corpora, disk, models, ranges, runs


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    runs.add_run_options(parser, "infilled")
    spans = parser.add_argument_group("what is filled in", "Give --bars or --span_bars.")
    spans.add_argument(
        "--bars",
        type=int,
        nargs=2,
        action="append",
        metavar=("FIRST", "END"),
        help="from FIRST up to END, which stays, counted from 0: 8 12 are the ninth to the twelfth bar; "
        "may be given several times",
    )
    spans.add_argument("--span_bars", type=int, help="draw so many bars in each piece, by --seed")
    spans.add_argument(
        "--instruments",
        nargs="+",
        help="General MIDI names or programs (0 to 127, -1 for drums), or prompt for those that sound in the piece; "
        "the others stay. All tracks if neither this nor --draw_program is given",
    )
    spans.add_argument(
        "--draw_program",
        action="store_true",
        help="draw one instrument of those that sound there, in each piece, by --seed, in place of --instruments",
    )
    spans.add_argument("--drums", action=argparse.BooleanOptionalAction, help="with or without, whatever else is said")
    spans.add_argument("--pitch_range", type=int, nargs=2, help="lowest and highest MIDI pitch of what is not drums")
    spans.add_argument(
        "--context_bars", type=int, help="bars before and after that are read; as many as fit if not given"
    )
    spans.add_argument("--num_return_sequences", type=int, default=1, help="takes of each piece")
    spans.add_argument("--max_new_tokens", type=int, help="most tokens of a span; as many as fit if not given")
    return parser.parse_args()


def main():
    args = parse_arguments()
    ranges.check_ranges(args, runs.PIECE_RANGES)
    settings = runs.InfillSettings(
        bars=args.bars,
        span_bars=args.span_bars,
        draw_program=args.draw_program,
        instruments=runs.named_instruments(args.instruments),
        drums=args.drums,
        pitch_range=args.pitch_range,
        context_bars=args.context_bars,
        max_new_tokens=args.max_new_tokens,
        num_return_sequences=args.num_return_sequences,
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
        infiller = neuromusic_hf.MidiInfillingPipeline.from_pretrained(
            args.model,
            revision=args.revision,
            device=state.device,
            trust_remote_code=args.trust_remote_code,
            **settings.arguments,
        )
        settings.check(infiller)
        with disk.main_process_first():
            pieces = runs.find_pieces_asked(args)

        run = runs.InfillWriter(infiller, pieces, runs.RunFolder(args.output, runs.INFILLS), settings, output)
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
