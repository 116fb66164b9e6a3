"""The ids of a vocabulary by what they say of time, which is all that the rule of a middle asks."""

from __future__ import annotations

import numpy as np

from ..grammar.base_tokens import FILL, NOTHING, BaseTokens

NEVER, NOTE, POSITION = "never", "note", "position"
"""What stands for base tokens that are not told apart: special ones, those of notes, positions after the first."""


class TimePaths:
    """
    Ids as paths of symbols. Many ids share a path: all that sound notes and let no time pass are one.

    A symbol is a bar, a meter, a tempo or a shift; a part of a note, several of which in a row are one; or, where bars
    are counted, the end of a note, and a position.

    Args:
        tokens ([`BaseTokens`]): of the tokenizer.

    Attributes:
        number (`dict[str, int]`): of each symbol; that of `FILL` is 0.
        symbols (`np.ndarray` of shape `(paths, longest)`): each path, filled up; the longest first.
        length (`np.ndarray` of shape `(paths,)`): symbols of each path.
        longer (`list[int]`): how many paths are longer than 0, than 1, and so on.
        path (`np.ndarray` of shape `(vocabulary,)`): of each id.
        columns (`np.ndarray` of shape `(columns,)`): the symbol of each base token.
    """

    def __init__(self, tokens: BaseTokens):
        has_bars = bool(tokens.of("Bar").any())
        words = zip(tokens.types.tolist(), tokens.words.tolist(), strict=True)
        said = [_symbol(kind, word, has_bars) for kind, word in words]
        for column in np.flatnonzero(~tokens.music).tolist():
            said[column] = tokens.words[column] if tokens.words[column] in (FILL, NOTHING) else NEVER
        self.number = {symbol: index for index, symbol in enumerate(dict.fromkeys([FILL, NEVER, NOTE, *said]))}
        self.columns = np.array([self.number[symbol] for symbol in said])
        note = self.number[NOTE]
        found = [_without_repetition(path, note) for path in self.columns[tokens.expansions].tolist()]
        paths = sorted(set(found), key=len, reverse=True)
        self.symbols = np.zeros((len(paths), len(paths[0])), np.int64)
        for index, path in enumerate(paths):
            self.symbols[index, : len(path)] = path
        self.length = np.array([len(path) for path in paths])
        self.longer = [int((self.length > length).sum()) for length in range(len(paths[0]))]
        number = {path: index for index, path in enumerate(paths)}
        self.path = np.array([number[path] for path in found])

    def of(self, *names: str) -> list[int]:
        """The symbols that are one of these words, or of one of these types, by number."""
        return [index for symbol, index in self.number.items() if symbol in names or symbol.partition("_")[0] in names]


def _symbol(kind: str, word: str, has_bars: bool) -> str:
    if kind in ("Bar", "TimeSig", "Tempo", "TimeShift") or word == "Position_0":
        return word
    if kind == "Position":
        return POSITION
    return "Duration" if has_bars and kind == "Duration" else NOTE


def _without_repetition(path: list[int], note: int) -> tuple[int, ...]:
    told = [symbol for symbol in path if symbol]
    return tuple(symbol for place, symbol in enumerate(told) if not (symbol == note and told[:place][-1:] == [note]))
