"""What the ids of a vocabulary say: miditok's base tokens, as pairs of type and value."""

from miditok import MusicTokenizer

from ..borders.miditok import learned_groups


def expand_ids(tokenizer: MusicTokenizer) -> list[list[tuple[str, str]]]:
    """
    Expands every id of a vocabulary, learned groups of tokens included.

    Args:
        tokenizer ([`miditok.MusicTokenizer`]): trained or not.

    Returns:
        `list[list[tuple[str, str]]]`: for each id its base tokens, such as `[("Pitch", "60"), ("Velocity", "79")]`,
        special ones left out.
    """
    special = {token.partition("_")[0] for token in tokenizer.special_tokens}
    pairs = {word: word.partition("_")[::2] for word in tokenizer.vocab}
    return [[pairs[word] for word in words if pairs[word][0] not in special] for words in base_tokens(tokenizer)]


def base_tokens(tokenizer: MusicTokenizer) -> list[list[str]]:
    """The base tokens of every id of a vocabulary, special ones included."""
    if tokenizer.is_trained:
        return learned_groups(tokenizer)
    return [[word] for word in sorted(tokenizer.vocab, key=tokenizer.vocab.__getitem__)]
