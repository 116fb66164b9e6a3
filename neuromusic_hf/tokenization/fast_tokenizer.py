"""
A plain Hugging Face fast tokenizer with the ids of a miditok tokenizer, over token text (`Bar_None Pitch_60`).

It works where this package is not installed: every token of miditok's base vocabulary is a word, and in text a blank
stands before each, so that the texts of two sequences joined are the text of the sequences joined. A trained miditok
tokenizer runs its model over one character per base token; here the same model runs behind a normalizer that turns
words into such characters, and a decoder that turns them back.
"""

import hashlib
import json

import tokenizers
from miditok import MusicTokenizer
from miditok.constants import UNIGRAM_SPECIAL_TOKEN_SUFFIX
from tokenizers import AddedToken, Regex, decoders, normalizers, pre_tokenizers

from ..borders.miditok import base_token_of_character, learned_model, learned_model_name
from .text_tokenizer import MusicTextTokenizer

# Supplementary Private Use Area-A: no text, no white space, and room for 65,534 base tokens.
FIRST_PRIVATE_CHARACTER = 0xF0000
LAST_PRIVATE_CHARACTER = 0xFFFFD

NO_VALUE = "_None"
"""How miditok's special tokens end that say nothing of music. Others do, as Track_Start and Track_End of MMM: they
are not special to tools that leave special tokens out."""

NO_WORD = "(a word outside the vocabulary)"
"""The unknown token of trained models. There is none of that name, which makes an unknown word an error: without one
BPE leaves such words out, and miditok's WordPiece makes the whole text PAD."""


def to_fast_tokenizer(music_tokenizer: MusicTokenizer) -> MusicTextTokenizer:
    """
    Builds the fast tokenizer of `music_tokenizer`.

    Token text in, the ids miditok would give out, and back: `decode(ids)` gives miditok's base tokens, each after a
    blank. Text to ids equals miditok's own encoding for untrained tokenizers and for trained ones whose
    `encode_ids_split` is `"no"`; with another split (which depends on bar lines in ticks) the ids are valid and decode
    to the same text, but may be grouped differently.

    Returns:
        [`MusicTextTokenizer`] with `pad_token`, `bos_token` and `eos_token` set to miditok's.
    """
    backend = _trained_backend(music_tokenizer) if music_tokenizer.is_trained else _word_backend(music_tokenizer)
    special_tokens = [
        AddedToken(token, normalized=False, special=token.endswith(NO_VALUE))
        for token in _special_pieces(music_tokenizer).values()
    ]
    backend.add_tokens(special_tokens)
    roles = {f"{role}_token": f"{role.upper()}_None" for role in ("pad", "bos", "eos")}
    others = [token.content for token in special_tokens if token.special and token.content not in roles.values()]
    return MusicTextTokenizer(
        tokenizer_object=backend,
        **roles,
        **({"extra_special_tokens": others} if others else {}),
        clean_up_tokenization_spaces=False,
        model_input_names=["input_ids", "attention_mask"],
        padding_side="right",
    )


def vocabulary_hash(vocabulary: dict[str, int]) -> str:
    """SHA-256 (hex) of a `{token: id}` mapping, independent of its order."""
    text = json.dumps(sorted(vocabulary.items(), key=lambda item: (item[1], item[0])), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _word_backend(music_tokenizer: MusicTokenizer) -> tokenizers.Tokenizer:
    # No unk_token: a word outside the vocabulary raises in place of becoming silence.
    backend = tokenizers.Tokenizer(tokenizers.models.WordLevel(dict(music_tokenizer.vocab)))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.decoder = decoders.Replace(Regex("^"), " ")
    return backend


def _trained_backend(music_tokenizer: MusicTokenizer) -> tokenizers.Tokenizer:
    characters = _private_characters(music_tokenizer)
    saved = learned_model(music_tokenizer)
    saved["model"] = _translated_model(saved["model"], music_tokenizer, characters)
    saved["added_tokens"] = []
    backend = tokenizers.Tokenizer.from_str(json.dumps(saved))

    longest_first = sorted(characters, key=len, reverse=True)
    backend.normalizer = normalizers.Sequence(
        [normalizers.Replace(token, characters[token]) for token in longest_first]
        + [normalizers.Replace(Regex(r"\s+"), "")]
    )
    if saved["pre_tokenizer"] is not None:
        time_tokens = [text for token, text in characters.items() if token.startswith(("Bar_", "TimeShift_"))]
        split = pre_tokenizers.Split(Regex("|".join(time_tokens)), "merged_with_next")
        backend.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.Metaspace(prepend_scheme="always")])
    plain = f"[^{chr(FIRST_PRIVATE_CHARACTER)}-{chr(LAST_PRIVATE_CHARACTER)}]"  # special and added tokens
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", ""), decoders.Replace(Regex(f"^(?={plain})"), " "), decoders.Fuse()]
        + [decoders.Replace(character, f" {token}") for token, character in characters.items()]
    )
    return backend


def _special_pieces(music_tokenizer: MusicTokenizer) -> dict[str, str]:
    # miditok's name of the piece that carries a special token's id, to the token's text: with Unigram a special token
    # has a piece of its own beside its entry in the alphabet. With BPE and WordPiece those that say something of music
    # are in groups, as any other token.
    tokens = music_tokenizer.special_tokens
    kind = learned_model_name(music_tokenizer)
    if kind in ("BPE", "WordPiece"):
        tokens = [token for token in tokens if token.endswith(NO_VALUE)]
    suffix = UNIGRAM_SPECIAL_TOKEN_SUFFIX if kind == "Unigram" else ""
    return {token + suffix: token for token in tokens if not token.endswith(UNIGRAM_SPECIAL_TOKEN_SUFFIX)}


def _private_characters(music_tokenizer: MusicTokenizer) -> dict[str, str]:
    special = _special_pieces(music_tokenizer)
    return {
        token: chr(FIRST_PRIVATE_CHARACTER + index)
        for token, index in music_tokenizer.vocab.items()
        if token not in special
    }


def _translated_model(model: dict, music_tokenizer: MusicTokenizer, characters: dict[str, str]) -> dict:
    token_of_byte = base_token_of_character(music_tokenizer)
    special = _special_pieces(music_tokenizer)

    def translate(piece: str) -> str:
        if token_of_byte.get(piece) in special:
            return special[token_of_byte[piece]]
        return "".join(characters.get(token_of_byte.get(byte), byte) for byte in piece)

    translated = dict(model)
    if model["type"] == "Unigram":
        translated["vocab"] = [[translate(piece), score] for piece, score in model["vocab"]]
    else:
        translated["vocab"] = {translate(piece): index for piece, index in model["vocab"].items()}
    if "merges" in model:
        translated["merges"] = [[translate(left), translate(right)] for left, right in model["merges"]]
    if model["type"] != "Unigram":  # which raises an error of its own
        translated["unk_token"] = NO_WORD
    return translated
