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
    sequences = [TokSequence(ids=[index], are_ids_encoded=tokenizer.is_trained) for index in range(len(tokenizer))]
    if tokenizer.is_trained:
        tokenizer.decode_token_ids(sequences)
    else:
        for word, index in tokenizer.vocab.items():
            sequences[index].tokens = [word]
    special = {token.partition("_")[0] for token in tokenizer.special_tokens}
    pairs = {word: word.partition("_")[::2] for word in tokenizer.vocab}
    return [[pairs[word] for word in sequence.tokens if pairs[word][0] not in special] for sequence in sequences]
