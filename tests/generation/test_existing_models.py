"""Models and tokenizers that people have already: no processor_config.json, other architectures, other defaults."""

from pathlib import Path

import miditok
import pytest
import torch
from miditok import TokenizerConfig
from music import make_score
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    GenerationMixin,
    GPT2Config,
    GPT2LMHeadModel,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedConfig,
    PreTrainedModel,
    T5Config,
    T5ForConditionalGeneration,
    pipeline,
)
from transformers.modeling_outputs import CausalLMOutput

from neuromusic_hf import MidiContinuationPipeline, MidiProcessor, NoteStreamer, build_model
from neuromusic_hf.runs.settings import ContinuationSettings

SPECIAL = ["PAD", "BOS", "EOS"]
SETTINGS = {"use_tempos": True, "remove_duplicated_notes": True, "special_tokens": SPECIAL}
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
WIDE = {**SMALL, "intermediate_size": 64, "max_position_embeddings": 256}
ARCHITECTURES = {
    "mistral": {**WIDE, "num_key_value_heads": 2, "sliding_window": 24},
    "llama": WIDE,
    "qwen2": {**WIDE, "num_key_value_heads": 2},
    "gpt_neox": WIDE,
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256},
    "gptj": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256, "rotary_dim": 4},
    "opt": {**SMALL, "ffn_dim": 64, "max_position_embeddings": 256, "word_embed_proj_dim": 32},
    "falcon": SMALL,
    "bloom": SMALL,
    "mpt": {"d_model": 32, "n_layers": 2, "n_heads": 4, "max_seq_len": 256},
    "gemma3_text": {**WIDE, "head_dim": 8, "num_key_value_heads": 2, "sliding_window": 24},
    "mamba": {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 4},
}

PERTOK = {"use_microtiming": True, "ticks_per_quarter": 220, "max_microtiming_shift": 0.125, "num_microtiming_bins": 9}


def their_tokenizer(name="REMI", **settings):
    return getattr(miditok, name)(TokenizerConfig(**SETTINGS | settings))


def their_folder(folder, model_type, tokenizer, vocab_size=None, **config):
    """A model of another's making, miditok's own tokenizer.json beside it."""
    torch.manual_seed(0)
    config = ARCHITECTURES[model_type] | {"vocab_size": vocab_size or len(tokenizer)} | config
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(model_type, **config)).eval()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_a_model_of_any_architecture_with_miditok_s_file_is_continued(model_type, tmp_path):
    folder = their_folder(tmp_path, model_type, their_tokenizer(use_programs=True))
    pipe = pipeline("midi-continuation", model=folder, device="cpu")
    pieces = [make_score(1), make_score(2)]
    results = pipe(pieces, prompt_length=40, max_new_tokens=30, batch_size=2, seed=1)
    for result in results:
        assert result["continuation"].note_num() > 2 and len(result["token_ids"]) <= 30
    again = pipe(pieces[0], prompt_length=40, max_new_tokens=30, seed=1)
    assert again["token_ids"] == results[0]["token_ids"] or model_type in ("mamba", "opt", "bloom", "mpt")
    greedy = pipe(pieces[0], prompt_length=40, max_new_tokens=8, do_sample=False, constrained=False)
    ids = torch.tensor([greedy["prompt_token_ids"]])
    model = AutoModelForCausalLM.from_pretrained(folder)
    plain = model.generate(ids, max_new_tokens=8, do_sample=False, eos_token_id=2, pad_token_id=0)[0, 40:].tolist()
    assert greedy["token_ids"] == [index for index in plain if index != 2]


@pytest.mark.parametrize("name", ["REMI", "TSD", "Structured", "MIDILike", "PerTok", "MMM"])
@pytest.mark.parametrize("use_programs", [True, False])
def test_every_tokenizer_of_one_stream_is_continued(name, use_programs, tmp_path):
    settings = {"MMM": {"base_tokenizer": "TSD"}, "PerTok": PERTOK | {"use_tempos": False}}
    tokenizer = their_tokenizer(name, use_programs=use_programs, **settings.get(name, {}))
    folder = their_folder(tmp_path, "mistral", tokenizer)
    pipe = pipeline("midi-continuation", model=folder, device="cpu")
    (result,) = pipe([make_score(1)], prompt_length=60, max_new_tokens=60, seed=1)
    assert result["prompt"].note_num() > 5 and result["original"].note_num() > 5
    assert len(result["token_ids"]) == 60 or result["ended_with_eos"]
    assert max(result["token_ids"]) < len(tokenizer)
    if not use_programs and name != "MMM":
        assert {track.program for track in result["midi"].tracks} == {0}
        assert result["midi"].note_num() == result["prompt"].note_num() + result["continuation"].note_num()


def test_without_programs_bars_seconds_notes_and_pitches_are_held_to_and_instruments_refused(tmp_path):
    for name in ("REMI", "TSD"):
        folder = their_folder(tmp_path / name, "gpt2", their_tokenizer(name, use_programs=False))
        pipe = pipeline("midi-continuation", model=folder, device="cpu")
        score = make_score(1)
        result = pipe(score, prompt_bars=2, max_new_bars=2, pitch_range=(60, 62), tempo=90, seed=1)
        assert {note.pitch for track in result["continuation"].tracks for note in track.notes} <= {60, 61, 62}
        assert [round(tempo.qpm) for tempo in result["midi"].tempos] == [90]
        streamer = NoteStreamer(pipe.processor)
        streamed = pipe(score, prompt_length=50, max_new_tokens=50, seed=1, streamer=streamer)
        decided = sorted((note.tick, note.pitch, note.duration) for note in streamer)
        new = pipe.processor.decode(streamed["prompt_token_ids"] + streamed["token_ids"]).note_num()
        assert 0 < len(decided) == new - streamed["prompt"].note_num()
        for instruments in ("prompt", [0], ["Violin"]):
            with pytest.raises(ValueError, match="writes no programs|no tokens for the programs"):
                pipe(score, instruments=instruments)
        with pytest.raises(ValueError, match="no tokens for the programs"):
            pipe(score, drums=True)


def test_a_tokenizer_of_note_ons_says_what_it_cannot_hold_to(tmp_path):
    folder = their_folder(tmp_path, "gpt2", their_tokenizer("MIDILike", use_programs=True))
    pipe = pipeline("midi-continuation", model=folder, device="cpu")
    assert pipe(make_score(1), prompt_length=50, max_new_tokens=30, seed=1, tempo=100)["token_ids"]
    for arguments, message in (({"pitch_range": (60, 70)}, "NoteOn"), ({"max_new_bars": 1}, "NoteOn")):
        with pytest.raises(ValueError, match=message):
            pipe(make_score(1), **arguments)


@pytest.mark.parametrize("multiple", [8, 64, 128])
@pytest.mark.parametrize("arguments", [{}, {"constrained": False}, {"pitch_range": (50, 70)}], ids=str)
@pytest.mark.parametrize("use_programs", [True, False])
def test_ids_of_a_vocabulary_rounded_up_are_never_written(multiple, arguments, use_programs, tmp_path):
    tokenizer = their_tokenizer(use_programs=use_programs)
    size = -(-len(tokenizer) // multiple) * multiple
    folder = their_folder(tmp_path, "gpt2", tokenizer, vocab_size=size)
    model = GPT2LMHeadModel.from_pretrained(folder)
    with torch.no_grad():
        model.transformer.wte.weight[len(tokenizer) :] *= 1000
    model.save_pretrained(folder)
    pipe = pipeline("midi-continuation", model=folder, device="cpu")
    for rest in ({"seed": 1}, {"do_sample": False}, {"num_beams": 2, "do_sample": False}):
        result = pipe(make_score(1), prompt_length=50, max_new_tokens=20, **arguments, **rest)
        assert max(result["token_ids"]) < len(tokenizer)
    processor = MidiProcessor.from_pretrained(folder)
    assert build_model(folder, processor).config.vocab_size == size


@pytest.mark.parametrize("difference", [-1, -64, 33, 1000])
def test_a_model_of_another_vocabulary_is_refused_with_numbers(difference, tmp_path):
    tokenizer = their_tokenizer()
    size = len(tokenizer) + difference
    folder = their_folder(tmp_path, "gpt2", tokenizer, vocab_size=size)
    message = f"{size} ids and the processor {len(tokenizer)} ids.*resize_token_emb"
    with pytest.raises(ValueError, match=message):
        pipeline("midi-continuation", model=folder)
    with pytest.raises(ValueError, match=message):
        build_model(folder, MidiProcessor.from_pretrained(folder))


@pytest.mark.parametrize("eos_token_id", [None, 5, [5, 6, 7], 300])
def test_a_piece_ends_where_the_tokenizer_or_the_model_says(eos_token_id, tmp_path):
    tokenizer = their_tokenizer(special_tokens=["BOS", "MASK", "PAD", "EOS"])
    folder = their_folder(tmp_path, "gpt2", tokenizer)
    model = GPT2LMHeadModel.from_pretrained(folder)
    model.generation_config.eos_token_id = eos_token_id
    model.generation_config.bos_token_id = model.generation_config.pad_token_id = 50
    model.save_pretrained(folder)
    pipe = pipeline("midi-continuation", model=folder, device="cpu")
    eos = pipe.processor.tokenizer.eos_token_id
    assert eos == 3

    class Likeliest:
        def __init__(self, index, at):
            self.index, self.at = index, at

        def __call__(self, input_ids, scores):
            if input_ids.shape[1] == self.at:
                scores[0, self.index] = 1e9
            return scores

    lengths = {eos: 3, 5: 4 if eos_token_id in (5, [5, 6, 7]) else 8, 6: 4 if eos_token_id == [5, 6, 7] else 8, 50: 8}
    for index, length in lengths.items():
        arguments = {"logits_processor": [Likeliest(index, 43)], "constrained": False, "seed": 1}
        pieces = [make_score(1), make_score(2)]
        ended, other = pipe(pieces, prompt_length=40, max_new_tokens=8, batch_size=2, **arguments)
        assert ended["ended_with_eos"] == (index == eos) and len(ended["token_ids"]) == length
        assert len(other["token_ids"]) == 8


def test_a_model_that_does_not_continue_text_is_refused(tmp_path):
    tokenizer = their_tokenizer()
    config = T5Config(vocab_size=len(tokenizer), d_model=16, d_ff=16, num_layers=1, num_heads=2, d_kv=8)
    T5ForConditionalGeneration(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    model = T5ForConditionalGeneration.from_pretrained(tmp_path)
    with pytest.raises(ValueError, match="T5ForConditionalGeneration.*causal language model"):
        MidiContinuationPipeline(model, device="cpu")
    with pytest.raises(ValueError, match="T5"):
        pipeline("midi-continuation", model=str(tmp_path))
    with pytest.raises(ValueError, match="T5"):
        build_model(str(tmp_path), MidiProcessor.from_pretrained(tmp_path))


@pytest.mark.parametrize("model_type", ["mpt", "gptj", "opt"])
def test_the_longest_context_is_known_by_any_name(model_type, tmp_path):
    folder = their_folder(tmp_path, model_type, their_tokenizer())
    pipe = pipeline("midi-continuation", model=folder, device="cpu")
    with pytest.raises(ValueError, match="the model reads 256"):
        pipe(make_score(1), prompt_length=200, max_new_tokens=57)
    with pytest.raises(ValueError, match="reads 256 tokens at most"):
        build_model(folder, pipe.processor, context_length=257)
    with pytest.raises(ValueError, match="reads 256"):
        ContinuationSettings(prompt_length=200, continue_length=57).check(pipe.model)


def test_it_is_trained_further_and_saved_as_a_bundle(tmp_path):
    config = MistralConfig(vocab_size=len(their_tokenizer()), **ARCHITECTURES["mistral"])
    MistralForCausalLM(config).save_pretrained(tmp_path)
    their_tokenizer().save_pretrained(tmp_path)
    processor = MidiProcessor.from_pretrained(tmp_path)
    model = build_model(str(tmp_path), processor, context_length=256)
    model(torch.tensor([processor.encode(make_score(1))[:64]])).logits.sum().backward()
    model.save_pretrained(tmp_path / "ours")
    processor.save_pretrained(tmp_path / "ours")
    pipe = pipeline("midi-continuation", model=str(tmp_path / "ours"), device="cpu")
    assert pipe(make_score(1), prompt_length=40, max_new_tokens=20, seed=1)["token_ids"]
    assert pipe.model.generation_config.eos_token_id == processor.tokenizer.eos_token_id


def test_the_script_continues_it(tmp_path, call_script):
    folder = their_folder(tmp_path / "theirs", "mistral", their_tokenizer(use_programs=False))
    make_score(1).dump_midi(tmp_path / "song.mid")
    lengths = ["--prompt_length", "60", "--continue_length", "40", "--no-save_pictures"]
    call_script("continue_midi", folder, tmp_path / "song.mid", "--output", tmp_path / "out", *lengths)
    assert len(list(Path(tmp_path, "out").glob("*.full.mid"))) == 1


def test_a_model_without_any_tokenizer_is_refused_with_both_ways_to_add_one(tmp_path):
    GPT2LMHeadModel(GPT2Config(vocab_size=300, **ARCHITECTURES["gpt2"])).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="MidiProcessor.save_pretrained, or miditok's own tokenizer.json"):
        pipeline("midi-continuation", model=str(tmp_path))


class GruConfig(PreTrainedConfig):
    model_type = "gru_of_a_user"
    vocab_size: int = 512
    hidden_size: int = 16
    num_hidden_layers: int = 1
    use_cache: bool = False


class GruForCausalLM(PreTrainedModel, GenerationMixin):
    """A recurrent network, which names no cache anywhere."""

    config_class = GruConfig

    def __init__(self, config):
        super().__init__(config)
        self.embed_tokens = torch.nn.Embedding(config.vocab_size, config.hidden_size)
        self.gru = torch.nn.GRU(config.hidden_size, config.hidden_size, batch_first=True)
        self.lm_head = torch.nn.Linear(config.hidden_size, config.vocab_size)
        self.post_init()

    def get_input_embeddings(self):
        return self.embed_tokens

    def forward(self, input_ids, attention_mask=None, **kwargs):
        return CausalLMOutput(logits=self.lm_head(self.gru(self.embed_tokens(input_ids))[0]))

    def prepare_inputs_for_generation(self, input_ids, attention_mask=None, **kwargs):
        return {"input_ids": input_ids, "attention_mask": attention_mask}


def test_a_model_without_a_cache_is_given_none(processor_of):
    processor = processor_of("REMI")
    torch.manual_seed(0)
    model = GruForCausalLM(GruConfig(vocab_size=processor.vocab_size)).eval()
    prompt = processor.encode(make_score(1))[:40]
    arguments = {"max_new_tokens": 12, "do_sample": False, "constrained": False}
    result = MidiContinuationPipeline(model, processor)(make_score(1), prompt_length=40, **arguments)
    expected = model.generate(
        torch.tensor([prompt]), max_new_tokens=12, do_sample=False, eos_token_id=2, pad_token_id=0, use_cache=False
    )[0, 40:].tolist()
    assert result["token_ids"] == [index for index in expected if index not in (0, 2)]
