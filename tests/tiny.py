"""The sizes of models that tests make, and the tokenizers they are made for."""

TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
TOKENIZATIONS = ("REMI", "TSD", "Structured")
