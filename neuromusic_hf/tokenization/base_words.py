"""What the ids of a vocabulary say: miditok's base tokens, as pairs of type and value."""

from miditok import MusicTokenizer, TokSequence


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
    pairs = {index: word.partition("_")[::2] for word, index in tokenizer.vocab.items()}
    return [[pairs[base] for base in ids if pairs[base][0] not in special] for ids in expand_to_base(tokenizer)]


def expand_to_base(tokenizer: MusicTokenizer) -> list[list[int]]:
    """As [`expand_ids`], to the ids of base tokens, special ones included."""
    if not tokenizer.is_trained:
        return [[index] for index in range(len(tokenizer))]
    sequences = [TokSequence(ids=[index], are_ids_encoded=True) for index in range(len(tokenizer))]
    tokenizer.decode_token_ids(sequences)
    return [sequence.ids for sequence in sequences]
