"""
A model of your own: a recurrent network, which any `PreTrainedModel` with a causal loss could stand in for.

    python examples/own_model.py

Untrained, it continues a piece by what the tokenizer's grammar allows and chance decides.
"""

import torch
from symusic import Note, Score, Track
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, GenerationMixin, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutput

from neuromusic_hf import MidiContinuationPipeline, MidiProcessor, build_model


class MusicGruConfig(PreTrainedConfig):
    """Sizes by the names that `build_model` and recipes give them."""

    model_type = "music_gru"

    vocab_size: int = 512
    hidden_size: int = 256
    num_hidden_layers: int = 2
    use_cache: bool = False


class MusicGruForCausalLM(PreTrainedModel, GenerationMixin):
    """A GRU that reads tokens and says which comes next. It knows no end of its context."""

    config_class = MusicGruConfig

    def __init__(self, config: MusicGruConfig):
        super().__init__(config)
        size = config.hidden_size
        self.embed_tokens = nn.Embedding(config.vocab_size, size, padding_idx=config.pad_token_id)
        # Without biases, padding on the left, whose embedding is zero, leaves the state at zero.
        self.gru = nn.GRU(size, size, config.num_hidden_layers, bias=False, batch_first=True)
        self.lm_head = nn.Linear(size, config.vocab_size)
        self.post_init()

    def get_input_embeddings(self) -> nn.Embedding:
        return self.embed_tokens

    def forward(self, input_ids, attention_mask=None, labels=None, **kwargs) -> CausalLMOutput:
        states, _ = self.gru(self.embed_tokens(input_ids))
        logits = self.lm_head(states)
        loss = None
        if labels is not None:  # -100 where nothing is to be learned; `loss_function` shifts them
            loss = self.loss_function(logits=logits, labels=labels, vocab_size=self.config.vocab_size, **kwargs)
        return CausalLMOutput(loss=loss, logits=logits)

    def prepare_inputs_for_generation(self, input_ids, attention_mask=None, **kwargs) -> dict:
        """Each step reads the whole piece: there is no cache."""
        return {"input_ids": input_ids, "attention_mask": attention_mask}


# So that a saved bundle is found by its model type, and ships this file.
AutoConfig.register("music_gru", MusicGruConfig, exist_ok=True)
AutoModelForCausalLM.register(MusicGruConfig, MusicGruForCausalLM, exist_ok=True)
MusicGruConfig.register_for_auto_class()
MusicGruForCausalLM.register_for_auto_class("AutoModelForCausalLM")


def main():
    torch.manual_seed(0)
    score = Score(480)
    score.tracks.append(Track(notes=[Note(480 * beat, 480, 60 + beat % 5, 80) for beat in range(16)]))
    processor = MidiProcessor.from_tokenization("REMI")
    model = build_model("own_model.MusicGruForCausalLM", processor, hidden_size=64, num_hidden_layers=1).eval()
    batch = processor(score, add_eos=True, return_tensors="pt")
    loss = model(**batch, labels=batch["input_ids"]).loss
    print(f"{model.num_parameters():,} parameters; before training {loss.item():.1f} nats a token")
    result = MidiContinuationPipeline(model, processor)(score, max_new_tokens=32, seed=0)
    print(result["continuation"].note_num(), "new notes, by chance alone")


if __name__ == "__main__":
    main()
