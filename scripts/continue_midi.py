"""Continues pieces of music with a trained model.

    python scripts/continue_midi.py runs/quickstart song.mid --output continued
    python scripts/continue_midi.py runs/quickstart bach+folk --limit 8 --prompt_length 256 --continue_length 256 \
        --output runs/quickstart/continuations
"""

import argparse
import logging

import torch
from tqdm import tqdm
from transformers import AutoModelForCausalLM
from transformers.utils import logging as transformers_logging

from neuromusic_hf import MidiProcessor
from neuromusic_hf.generation import (
    ContinuationSettings,
    OutputSettings,
    continue_prompts,
    find_pieces,
    make_prompts,
    write_continuations,
)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="folder or Hub id of a bundle")
    parser.add_argument("prompts", nargs="+", help="MIDI files, folders of them, or a corpus (its test split)")
    parser.add_argument("--output", required=True, help="folder to write to")
    parser.add_argument("--prompt_length", type=int, default=512, help="tokens of a piece that are its prompt")
    parser.add_argument("--continue_length", type=int, default=512, help="most tokens to generate")
    parser.add_argument("--limit", type=int, help="continue so many pieces at most")
    parser.add_argument("--batch_size", type=int, default=8, help="pieces continued together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--temperature", type=float, default=1.0, help="0 always takes the likeliest token")
    parser.add_argument("--top_k", type=int, default=0, help="sample among the k likeliest tokens; 0 for all")
    parser.add_argument("--top_p", type=float, default=1.0, help="sample among the likeliest of this total share")
    parser.add_argument("--audio", type=int, default=0, help="render so many pieces to WAV")
    parser.add_argument("--soundfont", help="SoundFont 2 file for the audio")
    parser.add_argument("--no_pictures", action="store_true", help="write no piano rolls")
    parser.add_argument("--split", default="test", help="which split of a corpus")
    parser.add_argument("--data_dir", help="where a corpus lies, if it is here already")
    parser.add_argument("--num_proc", type=int, help="processes that read a corpus")
    parser.add_argument("--trust_remote_code", action="store_true", help="run code that a Hub repository ships")
    return parser.parse_args()


def main():
    args = parse_arguments()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    transformers_logging.set_verbosity_error()
    processor = MidiProcessor.from_pretrained(args.model)
    model = AutoModelForCausalLM.from_pretrained(args.model, trust_remote_code=args.trust_remote_code).eval()
    if torch.accelerator.is_available():
        model = model.to(torch.accelerator.current_accelerator())
    sampling = {"temperature": args.temperature, "top_k": args.top_k, "top_p": args.top_p}
    settings = ContinuationSettings(
        prompt_length=args.prompt_length,
        continue_length=args.continue_length,
        batch_size=args.batch_size,
        seed=args.seed,
        generation={"do_sample": True, **sampling} if args.temperature else {"do_sample": False},
    )
    settings.check(model)

    left_out = []
    pieces = find_pieces(args.prompts, split=args.split, data_dir=args.data_dir, num_proc=args.num_proc)
    prompts = make_prompts(pieces, processor, settings, limit=args.limit, left_out=left_out)
    continuations = tqdm(
        continue_prompts(model, processor, prompts, settings), desc="Continuing", unit="piece", total=args.limit
    )
    output = OutputSettings(pictures=not args.no_pictures, audio=args.audio, soundfont=args.soundfont)
    manifest = write_continuations(
        continuations, processor, args.output, settings, output=output, left_out=left_out
    )
    print(f"{manifest['continued']} pieces continued, left out: {manifest['left_out'] or 'none'}.")
    print(f"Look at {args.output}: *.png to see, *.full.mid and *.wav to hear, manifest.json for the numbers.")


if __name__ == "__main__":
    main()
