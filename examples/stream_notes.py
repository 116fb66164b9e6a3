"""
Notes handed out while the model is still writing, as a synthesiser or a web page would want them.

    python examples/stream_notes.py song.mid

Generation runs in a thread of its own; each note comes as soon as its tokens are complete.
"""

import argparse
from threading import Thread

from transformers import pipeline

from neuromusic_hf import NoteStreamer


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("song", help="MIDI file to continue")
    parser.add_argument("--model", help="folder or Hub id of a bundle; the one that comes along if not given")
    parser.add_argument("--max_new_bars", type=int, default=4)
    args = parser.parse_args()

    continue_midi = pipeline("midi-continuation", model=args.model, trust_remote_code=True)
    streamer = NoteStreamer(continue_midi.processor)
    wishes = {"prompt_bars": 4, "max_new_bars": args.max_new_bars, "seed": 1, "streamer": streamer}
    thread = Thread(target=continue_midi, args=(args.song,), kwargs=wishes)
    thread.start()
    for note in streamer:
        print(f"{note.start:7.2f} s  pitch {note.pitch:3d}  for {note.end - note.start:.2f} s")
    thread.join()
    if streamer.real_time_factor is not None:
        print(f"{streamer.real_time_factor:.1f} seconds of music a second")


if __name__ == "__main__":
    main()
