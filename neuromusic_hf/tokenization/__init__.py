"""Music as tokens: the processor, its vocabularies, and corpora of tokens ready to train on."""

from .augmentation import Augmentation, Variant
from .blocks import BlockCollator, make_blocks
from .corpus_tally import CorpusTally, PiecesTally
from .music_tokenizer import FIELD_SETTINGS, create_music_tokenizer
from .processing_midi import MidiProcessor
from .tally import Tally
from .token_dataset import TOKEN_FEATURES, tokenize_corpus

__all__ = [
    "FIELD_SETTINGS",
    "TOKEN_FEATURES",
    "Augmentation",
    "BlockCollator",
    "CorpusTally",
    "MidiProcessor",
    "PiecesTally",
    "Tally",
    "Variant",
    "create_music_tokenizer",
    "make_blocks",
    "tokenize_corpus",
]
