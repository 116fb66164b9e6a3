"""The base tokens of a tokenizer, which the rules of a grammar are about, and the ids that expand to them."""

from collections.abc import Iterable

import numpy as np
from miditok import MusicTokenizer, TokSequence

NOTHING = "Nothing_None"
"""What an id without base tokens stands for: WordPiece and Unigram may write the mark of a word's beginning alone."""


class BaseTokens:
    """
    The base tokens of a miditok tokenizer, one a column, and what each id of its vocabulary expands to.

    Args:
        tokenizer ([`miditok.MusicTokenizer`]): trained or not.
        special_ids (`dict[str, int]`): ids of `"PAD"`, `"BOS"` and `"EOS"`; kept.

    Attributes:
        words (`np.ndarray` of shape `(columns,)`):
            miditok's text of each column; then `NOTHING`, and an empty word that fills up expansions.
        types (`np.ndarray` of shape `(columns,)`): the part of each word before its underscore.
        values (`np.ndarray` of shape `(columns,)`): the part after it.
        music (`np.ndarray` of shape `(columns,)`): which columns are music, not special tokens.
        expansions (`np.ndarray` of shape `(vocabulary, longest)`): columns.
        usable (`np.ndarray` of shape `(vocabulary,)`): ids that expand to music, or to `NOTHING`.
    """

    def __init__(self, tokenizer: MusicTokenizer, special_ids: dict[str, int]):
        self.special_ids = special_ids
        words = [*sorted(tokenizer.vocab, key=tokenizer.vocab.get), NOTHING, ""]
        self.words = np.array(words)
        self.types, self.values = np.array([word.partition("_")[::2] for word in words]).T
        special_types = [token.partition("_")[0] for token in tokenizer.special_tokens]
        self.music = ~self.of(*special_types, NOTHING, "")
        columns = {word: column for column, word in enumerate(words)}
        expansions = [[columns[word] for word in expansion or [NOTHING]] for expansion in _expansions(tokenizer)]
        self.usable = np.array([self.music[row].all() or row == [columns[NOTHING]] for row in expansions])
        self.expansions = np.full((len(expansions), max(map(len, expansions))), columns[""])
        for index in np.flatnonzero(self.usable):
            self.expansions[index, : len(expansions[index])] = expansions[index]
        for name, index in special_ids.items():
            self.expansions[index, 0] = columns[f"{name}_None"]

    def of(self, *names: str) -> np.ndarray:
        """Which columns are one of these words, or of one of these types: `bool` of shape `(columns,)`."""
        return np.isin(self.types, names) | np.isin(self.words, names)

    def meters(self) -> dict[int, tuple[int, int]]:
        """Columns of time signatures, and what they say."""
        return {
            column: tuple(map(int, self.values[column].split("/"))) for column in np.flatnonzero(self.of("TimeSig"))
        }

    def shifts(self, steps_per_beat: int) -> dict[int, int]:
        """Columns of time shifts, and their length in steps of the grid."""
        found = {}
        for column in np.flatnonzero(self.of("TimeShift")):
            beats, part, resolution = map(int, self.values[column].split("."))
            found[column] = (beats * resolution + part) * steps_per_beat // resolution
        return found


def _expansions(tokenizer: MusicTokenizer) -> Iterable[list[str]]:
    if not tokenizer.is_trained:
        return [[word] for word in sorted(tokenizer.vocab, key=tokenizer.vocab.get)]
    sequences = [TokSequence(ids=[index], are_ids_encoded=True) for index in range(len(tokenizer))]
    tokenizer.decode_token_ids(sequences)
    return [sequence.tokens for sequence in sequences]
