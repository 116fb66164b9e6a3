"""How often tokens break the rules of their tokenizer."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from miditok import MusicTokenizer, TokSequence

from ..tokenization import MidiProcessor


@dataclass(frozen=True)
class TokenErrors:
    """
    Errors of syntax, as miditok counts them.

    These are impossible successions of token types, steps back in time, and notes that sound already.

    Args:
        errors (`int`): at most one for each base token.
        tokens (`int`): ids that were checked, PAD, BOS and EOS not among them.
        rows (`int`): sequences that were checked.
        empty_rows (`int`): sequences that had nothing to check.
    """

    errors: int = 0
    tokens: int = 0
    rows: int = 0
    empty_rows: int = 0

    @property
    def rate(self) -> float | None:
        """Errors per id; 0 is best. `None` where there are no ids."""
        return self.errors / self.tokens if self.tokens else None

    def to_dict(self) -> dict:
        """Plain values that valid JSON can hold."""
        return {"token_error_rate": self.rate} | asdict(self)


def count_token_errors(processor: MidiProcessor, rows: Iterable[list[int]]) -> TokenErrors:
    """
    Counts errors of syntax in continuations, each by itself: what stands before it is not seen.

    Args:
        processor ([`MidiProcessor`]): whose grammar the ids should follow.
        rows (`Iterable[list[int]]`): ids of each continuation; PAD, BOS, EOS and added tokens are left out.

    Returns:
        [`TokenErrors`]
    """
    tokenizer = processor.music_tokenizer
    errors = tokens = checked = empty = 0
    for row in rows:
        ids = processor.music_ids(row)
        if not ids:
            empty += 1
            continue
        sequence = TokSequence(ids=ids, are_ids_encoded=tokenizer.is_trained)
        if tokenizer.is_trained:
            tokenizer.decode_token_ids(sequence)
        tokenizer.complete_sequence(sequence)
        # miditok does not read which program a first token names, but it reads all after a BOS.
        before = [processor.tokenizer.bos_token_id, *_program(tokenizer, sequence.tokens)]
        whole = before + sequence.ids
        errors += round(tokenizer.tokens_errors(TokSequence(ids=whole)) * len(whole))
        tokens += len(ids)
        checked += 1
    return TokenErrors(errors, tokens, checked, empty)


def _program(tokenizer: MusicTokenizer, tokens: list[str]) -> list[int]:
    """What stands for the program of a first note that is told before it: one that `tokens` do not name."""
    if tokens[0].split("_")[0] not in tokenizer.tokens_types_graph.get("Program", ()):
        return []
    programs = (index for token, index in tokenizer.vocab.items() if token.startswith("Program_"))
    told = {tokenizer.vocab[token] for token in tokens}
    return [next(program for program in programs if program not in told)]
