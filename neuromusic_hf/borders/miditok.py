"""What a miditok tokenizer computes on its way, and how it writes a vocabulary it has learned."""

import json

import numpy as np
from miditok import MusicTokenizer
from symusic.core import ScoreTick, TimeSignatureTickList

BASE_TOKENS, CHARACTERS, LEARNED_MODEL = "_vocab_base", "_vocab_base_byte_to_token", "_model"
"""What the file of a trained tokenizer calls its base tokens and their ids, the character of each, and its model."""


def resample(tokenizer: MusicTokenizer, score: ScoreTick, ticks_per_quarter: int) -> ScoreTick:
    """A copy of a score in other ticks, rounded as miditok rounds."""
    return tokenizer._resample_score(score, ticks_per_quarter, TimeSignatureTickList())


def round_to_beats(tokenizer: MusicTokenizer, ticks: np.ndarray, score: ScoreTick) -> None:
    """Rounds ticks of a score where they are, to the steps that miditok has in the meters in force."""
    tokenizer._adjust_time_to_tpb(ticks, tokenizer._get_score_resampling_factor(score), sorted_times=False)


def time_shifts(tokenizer: MusicTokenizer, ticks_per_beat: int) -> np.ndarray:
    """Ticks of each time shift, ascending."""
    return tokenizer._tpb_to_time_array[ticks_per_beat]


def ticks_of_lengths(tokenizer: MusicTokenizer, ticks_per_beat: int) -> dict[str, int]:
    """Ticks of each length, by the value of its Duration or TimeShift token."""
    return tokenizer._tpb_tokens_to_ticks[ticks_per_beat]


def has_beat(tokenizer: MusicTokenizer, ticks: int) -> bool:
    """Whether it knows lengths for beats of so many ticks."""
    return ticks in tokenizer._tpb_tokens_to_ticks


def ticks_per_beat(tokenizer: MusicTokenizer, denominator: int) -> int:
    """Ticks of a beat in meters of this denominator."""
    return tokenizer._tpb_per_ts[denominator]


def read_meter(tokenizer: MusicTokenizer, value: str) -> tuple[int, int]:
    """Numerator and denominator of a meter, by the value of its TimeSig token."""
    return tokenizer._parse_token_time_signature(value)


def chord_resolution(tokenizer: MusicTokenizer) -> int:
    """Steps of a beat; notes of a chord are at most one apart."""
    return tokenizer._first_beat_res


def tempo_values(tokenizer: MusicTokenizer) -> np.ndarray:
    """Microseconds a quarter note of its tempos, ascending."""
    return tokenizer._tempos_mspq


def merges_tracks_of_a_program(tokenizer: MusicTokenizer) -> bool:
    """Whether tracks of one program become one."""
    return tokenizer._merge_same_program_tracks


def writes_note_offs(tokenizer: MusicTokenizer) -> bool:
    """Whether a token says where a note ends, and none how long it is."""
    return tokenizer._note_on_off


def learned_model(tokenizer: MusicTokenizer) -> dict:
    """The tokenizer of the library `tokenizers` inside a trained one, as its `tokenizer.json` holds it."""
    return json.loads(tokenizer._model.to_str())


def learned_model_name(tokenizer: MusicTokenizer) -> str:
    """The kind of model that a trained one learned: `"BPE"`, `"Unigram"` or `"WordPiece"`."""
    return tokenizer._model_name


def base_token_of_character(tokenizer: MusicTokenizer) -> dict[str, str]:
    """The base token that each character stands for in the learned model."""
    return tokenizer._vocab_base_byte_to_token


def learned_groups(tokenizer: MusicTokenizer) -> list[list[str]]:
    """The base tokens of each id of a trained one."""
    words = map(tokenizer._model.id_to_token, range(len(tokenizer)))
    return [tokenizer._vocab_learned_bytes_to_tokens[word] for word in words]


def character_of_id(tokenizer: MusicTokenizer) -> dict[int, str]:
    """What the learned model reads in place of each base token: a character, or a word of some special ones."""
    return tokenizer._vocab_base_id_to_byte


def learned_ids(tokenizer: MusicTokenizer, pieces: list[list[str]]) -> list[list[int]]:
    """Ids that the learned model has for pieces, each in words of one character a base token."""
    encoded = tokenizer._model.encode_batch_fast(pieces, is_pretokenized=True)
    return [each.ids for each in encoded]
