"""What may follow what: the rules of a tokenizer, learned vocabularies included, and their enforcement."""

from .logits import GrammarLogitsProcessor
from .token_grammar import TokenGrammar

__all__ = ["GrammarLogitsProcessor", "TokenGrammar"]
