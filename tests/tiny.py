"""The sizes of models that tests make, and the tokenizers they are made for."""

TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
ONE_LAYER = TINY | {"num_hidden_layers": 1}
"""For tests of what is around a model."""

ALL_DIFFERENT = TINY | {"num_attention_heads": 4, "intermediate_size": 48}
"""For tests of a model itself: no size stands for another, nor twice it."""

TOKENIZATIONS = ("REMI", "TSD", "Structured")
