"""What the ids of a vocabulary say: their base tokens, as pairs of type and value."""

from .base_tokens import BaseTokens
from .processing_midi import MidiProcessor


def base_words(processor: MidiProcessor) -> list[list[tuple[str, str]]]:
    """
    Expands every id of a vocabulary, learned groups of tokens included.

    Args:
        processor ([`MidiProcessor`]): of any tokenizer.

    Returns:
        `list[list[tuple[str, str]]]`: for each id its base tokens, such as `[("Pitch", "60"), ("Velocity", "79")]`;
        none for special and added tokens.
    """
    tokens = BaseTokens(processor.music_tokenizer, {})
    music = tokens.music.tolist()
    pairs = list(zip(tokens.types.tolist(), tokens.values.tolist(), strict=True))
    words = [[pairs[column] for column in row if music[column]] for row in tokens.expansions.tolist()]
    return words + [[] for _ in range(len(words), processor.vocab_size)]
