"""The fast tokenizer of token text, where this package is at hand to explain what it refuses."""

import difflib

from transformers import AutoTokenizer, PreTrainedTokenizerFast


class MusicTextTokenizer(PreTrainedTokenizerFast):
    """
    A plain fast tokenizer that names a word it does not know.

    It adds nothing else: where this package is not imported, `AutoTokenizer` loads its files as a
    `PreTrainedTokenizerFast`, which refuses the same words without naming them.

    Raises:
        `ValueError` (on call): a word is no token.
    """

    def _encode_plus(self, text, *args, **kwargs):
        try:
            return super()._encode_plus(text, *args, **kwargs)
        except Exception as error:  # tokenizers has no class for it
            known = self._words()
            unknown = [word for word in _words_of(text) if word not in known]
            if not unknown:
                raise
            raise ValueError(_explain(unknown[0], known)) from error

    def _words(self) -> list[str]:
        """Every word of the vocabulary, those of learned groups and added tokens included."""
        return list(dict.fromkeys(self.decode(list(range(len(self)))).split()))


def _words_of(text) -> list[str]:
    """Of a text, or of lists of texts however deep."""
    return text.split() if isinstance(text, str) else [word for part in text for word in _words_of(part)]


def _explain(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    suggestion = f"; did you mean {close[0]!r}?" if close else "."
    return (
        f"{word!r} is no token of this vocabulary{suggestion} Token text is miditok's own, blank separated, and case "
        "matters: 'Bar_None Position_0 Pitch_60'."
    )


# AutoTokenizer finds a class by its name among the registered ones; the key only has to be unique.
AutoTokenizer.register(MusicTextTokenizer, fast_tokenizer_class=MusicTextTokenizer, exist_ok=True)
