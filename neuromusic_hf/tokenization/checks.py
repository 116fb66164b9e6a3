"""What the parts of a processor must be, by themselves and to each other."""

from miditok import MusicTokenizer
from transformers import PreTrainedTokenizerFast

from .fast_tokenizer import vocabulary_hash

NEEDED_SPECIAL_TOKENS = ("PAD_None", "BOS_None", "EOS_None")


def check_usable(tokenizer: MusicTokenizer):
    """
    Checks a miditok tokenizer.

    Raises:
        `ValueError`: it does not write a piece as one sequence of single ids, or lacks PAD, BOS or EOS.
    """
    name = type(tokenizer).__name__
    if tokenizer.is_multi_voc:
        raise ValueError(
            f"{name} writes several ids at a time, each of a vocabulary of its own; a causal language model needs one "
            "sequence of ids. Use REMI, TSD, Structured, MIDILike, MMM or PerTok."
        )
    if not tokenizer.one_token_stream and tokenizer.config.use_programs:
        raise ValueError(
            f"This {name} writes a sequence for each track; a causal language model needs one sequence of ids. Set "
            "one_token_stream_for_programs=True, or use_programs=False for pieces of one instrument."
        )
    if missing := [token for token in NEEDED_SPECIAL_TOKENS if token not in tokenizer.vocab]:
        raise ValueError(
            f"This {name} has no {', '.join(missing)}, which mark the beginning, the end and the padding of pieces: "
            "create it with TokenizerConfig(special_tokens=['PAD', 'BOS', 'EOS', ...]). They take ids of their own, "
            "so what was trained on ids without them must be trained anew."
        )


def check_saved(saved: MusicTokenizer, tokenizer: MusicTokenizer):
    """
    Checks what is rebuilt from all that miditok saves of a tokenizer.

    Raises:
        `ValueError`: it has other ids.
    """
    if saved.vocab != tokenizer.vocab:
        raise ValueError(
            f"This {type(tokenizer).__name__} has other tokens than its config makes. Those of add_to_vocab are not "
            "saved by miditok: name them in TokenizerConfig(special_tokens=...), or write a subclass that makes them. "
            "And a config must not be changed once its tokenizer is made."
        )


def check_rebuilt(rebuilt: PreTrainedTokenizerFast, expected_hash: str | None, saved: dict) -> str:
    """
    Checks the vocabulary that the installed miditok builds.

    Args:
        rebuilt ([`~transformers.PreTrainedTokenizerFast`]): the plain tokenizer that is made here.
        expected_hash (`str`, *optional*): of the vocabulary that it had.
        saved (`dict`): what it was rebuilt from.

    Returns:
        `str`: the hash of what was built.

    Raises:
        `ValueError`: it is another one.
    """
    found = vocabulary_hash(rebuilt.get_vocab())
    if expected_hash not in (None, found):
        raise ValueError(
            f"The vocabulary that {saved['class']} builds here (hash {found[:12]}) is not the one this processor "
            f"was saved with (hash {str(expected_hash)[:12]}): its ids would mean other tokens. It was saved with "
            f"miditok {saved.get('miditok_version')}; install that version, or retrain."
        )
    return found


def check_plain(tokenizer: PreTrainedTokenizerFast, num_music_ids: int, expected_hash: str):
    """
    Checks the plain tokenizer of a processor.

    Args:
        tokenizer ([`~transformers.PreTrainedTokenizerFast`]): with miditok's ids, and maybe added ones behind them.
        num_music_ids (`int`): how many ids are miditok's.
        expected_hash (`str`): of their vocabulary.

    Raises:
        `ValueError`: it has other tokens for these ids, other roles for BOS and EOS, or ids that do not follow each
            other.
    """
    vocabulary = tokenizer.get_vocab()
    found = vocabulary_hash({token: index for token, index in vocabulary.items() if index < num_music_ids})
    if found != expected_hash:
        raise ValueError(
            f"tokenizer.json and processor_config.json hold different vocabularies (hashes {found[:12]} and "
            f"{expected_hash[:12]}): they come from different bundles, or miditok's tokens were replaced. Take both "
            "files from one save_pretrained, and add tokens behind miditok's."
        )
    if sorted(vocabulary.values()) != list(range(len(vocabulary))):
        raise ValueError("Ids of the tokenizer are missing, or two tokens share one: add tokens with add_tokens.")
    for role, token in (("bos_token", "BOS_None"), ("eos_token", "EOS_None")):
        if getattr(tokenizer, role) != token:
            raise ValueError(f"{role}={getattr(tokenizer, role)!r} of the tokenizer must be miditok's {token!r}.")
