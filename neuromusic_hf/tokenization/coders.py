"""What encodes and decodes for a tokenizer as it is: made once, and anew where the tokenizer was changed since."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from miditok import MusicTokenizer
from transformers import PreTrainedTokenizerFast

from .base_words import expand_ids
from .fast_tokenizer import NO_VALUE
from .music_decoding import MusicDecoder
from .music_encoding import MusicEncoder


class Coders:
    """
    The encoder, the decoder and the words of a tokenizer, which is given each time.

    It is compared with what it was, which takes about a twentieth of a millisecond: ask once for many pieces.
    """

    def __init__(self):
        self._held: tuple[Snapshot | None, dict[Any, Any]] = (None, {})

    def __reduce__(self):
        return Coders, ()  # made anew in another process

    def encoder(self, tokenizer: MusicTokenizer) -> MusicEncoder:
        """Scores to ids."""
        return self._of_now(tokenizer, "encoder", lambda: MusicEncoder(tokenizer))

    def decoder(self, tokenizer: MusicTokenizer, text: PreTrainedTokenizerFast) -> MusicDecoder:
        """Ids to scores; `text` is the plain tokenizer of the same ids."""
        silent = [token for token in tokenizer.special_tokens if token.endswith(NO_VALUE)]
        return self._of_now(tokenizer, "decoder", lambda: MusicDecoder(tokenizer, text.convert_tokens_to_ids(silent)))

    def base_words(self, tokenizer: MusicTokenizer, num_ids: int) -> list[list[tuple[str, str]]]:
        """The base tokens of each of so many ids; none of special ones, and of those added behind."""

        def expand():
            words = expand_ids(tokenizer)
            return words + [[] for _ in range(len(words), num_ids)]

        return self._of_now(tokenizer, num_ids, expand)

    def _of_now(self, tokenizer: MusicTokenizer, what: Any, make: Callable[[], Any]) -> Any:
        snapshot, made = self._held
        if snapshot is None or not snapshot.shows(tokenizer):
            snapshot, made = Snapshot(tokenizer), {}
            self._held = snapshot, made
        if what not in made:
            made[what] = make()
        return made[what]


class Snapshot:
    """
    All of a miditok tokenizer that decides about ids: its config and vocabulary, whatever else it has, its methods.

    Args:
        tokenizer ([`miditok.MusicTokenizer`]): of which nothing is kept that may change.
    """

    def __init__(self, tokenizer: MusicTokenizer):
        self._values = _values(tokenizer, copy.deepcopy(vars(tokenizer.config)))
        self._attributes = [dict(each) for each in _attributes(tokenizer)]

    def shows(self, tokenizer: MusicTokenizer) -> bool:
        """Whether a tokenizer still is what was one then."""
        attributes = _attributes(tokenizer)
        return self._values == _values(tokenizer, vars(tokenizer.config)) and all(
            map(_hold_the_same, self._attributes, attributes)
        )


def _values(tokenizer: MusicTokenizer, config: dict) -> tuple[Any, ...]:
    # miditok looks for chords in the order in which they are listed.
    return config, [*(config["chord_maps"] or ())], dict(tokenizer.vocab), [*tokenizer.attribute_controls]


def _attributes(tokenizer: MusicTokenizer) -> list[Mapping[str, Any]]:
    return [vars(each) for each in (tokenizer, type(tokenizer), MusicTokenizer)]


def _hold_the_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return len(one) == len(other) and all(name in one and one[name] is value for name, value in other.items())
