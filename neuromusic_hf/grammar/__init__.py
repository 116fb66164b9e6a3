"""
What may follow what: the rules of a tokenizer, learned vocabularies included, and their enforcement.

docs/grammar.md explains it with one learned token worked through. In layers, each a step further from the music:

1. `base_tokens`: the words of miditok that the rules are about, and each id as a path of them.
2. `automaton`, and the rules written as such: `order_rules` (what follows what) and `time_rules` (bars, positions,
   shifts); `automata` says which of them a tokenizer has.
3. `onset_walk`: what an id does among the notes of one onset, which no automaton could count (`programs` has their
   numbers and pitches); `note_rules` and `note_limits` are these walks as tensors.

`token_grammar` compiles them over the ids of a vocabulary: a state for each row, a step for each id, and the ids that
are legal next. `vocabulary_mask` restricts these; `logits` is what `generate()` calls.
"""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .logits import GrammarLogitsProcessor as GrammarLogitsProcessor
    from .token_grammar import TokenGrammar as TokenGrammar
else:
    __getattr__, __dir__, __all__ = lazy_names(__name__)
