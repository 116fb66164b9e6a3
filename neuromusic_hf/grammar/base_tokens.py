"""The base tokens of a tokenizer, which the rules are about, and the ids that are paths through them."""

from collections.abc import Sequence

import numpy as np

from ..tokenization.processing_midi import MidiProcessor

NOTHING = "Nothing_None"
"""What an id without base tokens stands for: WordPiece and Unigram may write the mark of a word's beginning alone."""

FILL = ""
"""Behind the base tokens of an id, up to the longest."""


class BaseTokens:
    """
    The base tokens of a vocabulary, one a column, and the path of each id through them.

    Args:
        words (sequence of `str`): miditok's text of each base token, such as `"Pitch_60"`; special ones too.
        special_words (sequence of `str`): those that say nothing of music.
        special_ids (`dict[str, int]`): ids of `"PAD"`, `"BOS"` and `"EOS"`, of which the rules speak; kept.
        paths (sequence): for each id the words it stands for, none for one that stands for nothing; `None` for an id
            that is never written.

    Attributes:
        words (`np.ndarray` of shape `(columns,)`): the text of each column; then `NOTHING` and `FILL`.
        types (`np.ndarray` of shape `(columns,)`): the part of each word before its underscore.
        values (`np.ndarray` of shape `(columns,)`): the part after it.
        music (`np.ndarray` of shape `(columns,)`): which columns are music.
        expansions (`np.ndarray` of shape `(vocabulary, longest)`): the columns of each id, then those of `FILL`.
        usable (`np.ndarray` of shape `(vocabulary,)`): which ids are written in a piece.
    """

    def __init__(
        self,
        words: Sequence[str],
        special_words: Sequence[str],
        special_ids: dict[str, int],
        paths: Sequence[Sequence[str] | None],
    ):
        self.special_ids = special_ids
        self.words = np.array([*words, NOTHING, FILL])
        self.types, self.values = np.array([word.partition("_")[::2] for word in self.words.tolist()]).T
        self.music = ~self.of(*(word.partition("_")[0] for word in special_words), NOTHING, FILL)
        column = {word: index for index, word in enumerate(self.words.tolist())}
        self.usable = np.array([path is not None for path in paths])
        self.expansions = np.full((len(paths), max(len(path or [NOTHING]) for path in paths)), column[FILL])
        for index, path in enumerate(paths):
            if path is not None:
                columns = [column[word] for word in path or [NOTHING]]
                self.expansions[index, : len(columns)] = columns
        for name, index in special_ids.items():
            self.expansions[index, 0] = column[f"{name}_None"]

    @classmethod
    def from_processor(cls, processor: MidiProcessor) -> "BaseTokens":
        """Those of a processor's vocabulary, without tokens that were added behind miditok's."""
        music = processor.music_tokenizer
        special_ids = {
            name: processor.tokenizer.convert_tokens_to_ids(f"{name}_None") for name in ("PAD", "BOS", "EOS")
        }
        paths = [
            [f"{kind}_{value}" for kind, value in words] if words or _says_nothing(processor, index) else None
            for index, words in enumerate(processor.base_words[: len(music)])
        ]
        return cls(sorted(music.vocab, key=music.vocab.get), music.special_tokens, special_ids, paths)

    def of(self, *names: str) -> np.ndarray:
        """Which columns are one of these words, or of one of these types: `bool` of shape `(columns,)`."""
        return np.isin(self.types, names) | np.isin(self.words, names)

    def columns(self, *names: str) -> list[int]:
        """The columns of [`BaseTokens.of`] by their numbers, ascending."""
        return np.flatnonzero(self.of(*names)).tolist()

    def meters(self) -> dict[int, tuple[int, int]]:
        """Columns of time signatures, and what they say."""
        meters = {}
        for column in self.columns("TimeSig"):
            numerator, denominator = self.values[column].split("/")
            meters[column] = int(numerator), int(denominator)
        return meters

    def shifts(self, steps_per_beat: int) -> dict[int, int]:
        """Columns of time shifts, and their length in steps of the grid."""
        shifts = {}
        for column in self.columns("TimeShift"):
            beats, part, resolution = map(int, self.values[column].split("."))
            shifts[column] = (beats * resolution + part) * steps_per_beat // resolution
        return shifts


def _says_nothing(processor: MidiProcessor, index: int) -> bool:
    """Special tokens have a text."""
    return processor.tokenizer.decode([index]) == ""
