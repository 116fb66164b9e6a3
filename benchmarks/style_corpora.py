"""The corpora of styles.py: what a base model knows, the style it learns, and prompts of that style to continue."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from datasets import Dataset, DatasetDict, concatenate_datasets

from neuromusic_hf import load_corpus
from neuromusic_hf.bundles.trained_splits import splits_of_model
from neuromusic_hf.corpora import clean
from neuromusic_hf.music import Midi, bar_starts, excerpt, write_midi

DEFAULT = "default"
BACH, FOLK, SONGS = "bach", "folk", "songs"
SONG_IDS = Path(__file__).with_name("songs_by_holmes.txt")
MOST_TRAIN_PIECES = 120
PROMPT_BARS = 16
"""Of the excerpts that are continued: some 512 tokens of a song, the whole of a chorale."""


def read_parts(lieder: Path | None) -> dict[str, DatasetDict]:
    """
    The corpora that the default bundle was trained on, each with the splits that it was trained with.

    Families are found over all of them together, so that a test piece has no twin in the train split of any.

    Args:
        lieder (`Path`, *optional*): the archive of OpenScore Lieder; there are no songs if not given.
    """
    version = splits_of_model(DEFAULT).version
    known = load_corpus([BACH, FOLK, *([str(lieder)] if lieder else [])], split_version=version)
    hashes = {name: set(all_hashes(load_corpus(name))) for name in (BACH, FOLK)}
    parts = {name: chosen(known, lambda row, name=name: row["content_hash"] in hashes[name]) for name in hashes}
    if lieder:
        others = set().union(*hashes.values())
        parts[SONGS] = chosen(known, lambda row: row["content_hash"] not in others)
    return parts


def all_hashes(corpus: DatasetDict) -> Iterable[str]:
    """Content hashes of all splits."""
    return (each for rows in corpus.values() for each in rows["content_hash"])


def chosen(corpus: DatasetDict, is_wanted) -> DatasetDict:
    """The rows of each split that are wanted, their music not decoded."""
    plain = {split: rows.cast_column("midi", Midi(decode=False)) for split, rows in corpus.items()}
    wanted = {split: [index for index, row in enumerate(rows) if is_wanted(row)] for split, rows in plain.items()}
    return DatasetDict({split: corpus[split].select(wanted[split]) for split in corpus})


def songs_of_composer(songs: DatasetDict) -> DatasetDict:
    """Those of [`SONG_IDS`], each on the side where it is."""
    text = "".join(line for line in SONG_IDS.read_text(encoding="utf-8").splitlines(True) if line[0] != "#")
    ids = set(re.findall(r"lc\d+", text))
    return chosen(songs, lambda row: Path(row["midi"]["path"]).stem in ids)


def without_known(style: DatasetDict, read: Iterable[Dataset]) -> tuple[DatasetDict, int]:
    """
    A style without test pieces that have a twin in what was trained on, its own train split included.

    Args:
        style (`DatasetDict`): train, validation and test.
        read (iterable of `Dataset`): train splits of the base.

    Returns:
        The style, and how many test pieces were left out.
    """
    trained = concatenate_datasets([plain_columns(rows) for rows in (style["train"], *read)])
    twins = clean.twins_in_train(style["test"], trained)
    kept = [row for row in range(len(style["test"])) if row not in twins]
    return DatasetDict({**style, "test": style["test"].select(kept)}), len(twins)


def plain_columns(rows: Dataset) -> Dataset:
    """What corpora of any kind have in common."""
    return rows.select_columns(["midi", "content_hash"])


def some(rows: Dataset, most: int, seed: int) -> Dataset:
    """So many rows at most, chosen at random, in their order."""
    order = np.random.default_rng(seed).permutation(len(rows))[:most]
    return rows.select(sorted(order.tolist()))


def write_style(style: DatasetDict, folder: Path, read: list[Dataset], *, most_train: int, seed: int) -> dict:
    """
    Writes a style as a corpus with its own splits, `corpus`, and the prompts of its test split, `prompts`.

    Returns:
        `dict`: pieces and notes of each split, and pieces of it that the base was trained on; prompts; and how many
        test pieces were left out as twins of train ones.
    """
    style = DatasetDict({**style, "train": some(style["train"], most_train, seed)})
    style, left_out = without_known(style, read)
    save(style, folder / "corpus")
    known = {each for rows in read for each in rows["content_hash"]}
    splits = {
        split: {
            "pieces": len(rows),
            "notes": sum(rows["num_notes"]),
            "read_by_base": len(known.intersection(rows["content_hash"])),
        }
        for split, rows in style.items()
    }
    prompts = write_prompts(style["test"], folder / "prompts")
    return {"splits": splits, "prompts": prompts, "test_pieces_with_a_twin_in_train": left_out}


def save(corpus: DatasetDict, folder: Path) -> None:
    """Writes a corpus that [`load_corpus`] reads with the splits it has."""
    corpus = DatasetDict({split: rows.cast_column("midi", Midi(decode=False)) for split, rows in corpus.items()})
    corpus.save_to_disk(folder)


def write_prompts(rows: Dataset, folder: Path) -> int:
    """
    Writes excerpts of [`PROMPT_BARS`] bars, one after the other, as MIDI files, and says how many there are.

    The last one of a piece has what is left as well.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = 0
    for row in range(len(rows)):
        score = rows[row]["midi"]
        bars = bar_starts(score)
        starts = bars[: max(1, len(bars) // PROMPT_BARS) * PROMPT_BARS : PROMPT_BARS].tolist()
        for part, (start, end) in enumerate(zip(starts, [*starts[1:], None], strict=True)):
            music = excerpt(score, start, end)
            if music.note_num():
                write_midi(music, folder / f"{row:03d}-{part:02d}.mid")
                written += 1
    return written


def once(path: Path, make) -> dict:
    """What `make()` returns, from the file if it was made before."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(make(), indent=2) + "\n", encoding="utf-8")
    return json.loads(path.read_text(encoding="utf-8"))
