"""The peer of tokenize_corpus.py: miditok alone, in a loop over the same files; nothing of ours is imported."""

import argparse
import os
import zipfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import miditok
from measuring import Stopwatch, answer_task
from symusic import Score


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", required=True, help="arguments of run_task as a JSON object")
    answer_task(run_task, parser.parse_args().task)


def run_task(data_dir: str, max_pieces: int | None, tokenization: str, tokenizer_file: str) -> dict:
    """Reads, parses and encodes file by file, keeping nothing. Seconds do not count making the tokenizer."""
    tokenizer = getattr(miditok, tokenization)(params=tokenizer_file)
    pieces = tokens = unread = 0
    watch = Stopwatch()
    for data in islice(midi_files(data_dir), max_pieces):
        try:
            score = Score.from_midi(data)
        except (RuntimeError, ValueError):
            unread += 1
            continue
        tokens += len(tokenizer.encode(score).ids)
        pieces += 1
    return {"pieces": pieces, "tokens": tokens, "unread": unread, "loop": watch.lap()}


def midi_files(data_dir: str) -> Iterator[bytes]:
    """The MIDI files of a zip or folder, in the order in which the corpus builder takes them."""
    if os.path.isdir(data_dir):
        paths = sorted(path.relative_to(data_dir).as_posix() for path in Path(data_dir).rglob("*.mid*"))
        yield from (Path(data_dir, path).read_bytes() for path in paths)
        return
    with zipfile.ZipFile(data_dir) as archive:
        for name in archive.namelist():
            if name.lower().endswith((".mid", ".midi")):
                yield archive.read(name)


if __name__ == "__main__":
    main()
