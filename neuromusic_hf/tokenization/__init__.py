"""Music as tokens: the processor, its vocabularies, and corpora of tokens ready to train on."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .augmentation import Augmentation as Augmentation
    from .augmentation import Variant as Variant
    from .blocks import BlockCollator as BlockCollator
    from .blocks import make_blocks as make_blocks
    from .corpus_tally import CorpusTally as CorpusTally
    from .corpus_tally import PiecesTally as PiecesTally
    from .documents import Documents as Documents
    from .music_tokenizer import FIELD_SETTINGS as FIELD_SETTINGS
    from .music_tokenizer import create_music_tokenizer as create_music_tokenizer
    from .processing_midi import MidiProcessor as MidiProcessor
    from .tally import Tally as Tally
    from .token_dataset import TOKEN_FEATURES as TOKEN_FEATURES
    from .token_dataset import tokenize_corpus as tokenize_corpus
else:
    __getattr__, __dir__, __all__ = lazy_names(__name__)
