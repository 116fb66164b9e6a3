"""Every argument of generate() does in the pipeline what it does in generate(), or is refused by name."""

import pytest
import torch
from generation.test_changed_models import NEW, PIECES, PROMPT, plain, played
from miditok import TokSequence
from tiny import TINY
from transformers import (
    DynamicCache,
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    TextIteratorStreamer,
    WatermarkingConfig,
)

from neuromusic_hf import MidiContinuationPipeline, NoteStreamer, build_model
from neuromusic_hf.generation import decoding, generate_rows


@pytest.fixture(scope="module")
def pipe(processor_of):
    torch.manual_seed(0)
    processor = processor_of("REMI")
    model = build_model("gpt2", processor, context_length=96, initializer_range=0.3, **TINY).eval()
    model.generation_config.do_sample = False
    return MidiContinuationPipeline(model, processor, device="cpu")


@pytest.fixture(autouse=True)
def always_packed(monkeypatch):
    monkeypatch.setattr(decoding, "FEWEST_NEW_TOKENS", 1)


class Reversed(LogitsProcessor):
    def __call__(self, input_ids, scores):
        return -scores


class AfterFive(StoppingCriteria):
    def __call__(self, input_ids, scores, **kwargs):
        return torch.full((len(input_ids),), input_ids.shape[1] >= PROMPT + 5)


def own_loop(model, input_ids, logits_processor, stopping_criteria, generation_config, **model_kwargs):
    """A loop of a user: the least likely id at every step."""
    while not stopping_criteria(input_ids, None).all():
        scores = logits_processor(input_ids, model(input_ids).logits[:, -1])
        scores = scores.masked_fill(scores == -torch.inf, torch.inf)
        input_ids = torch.cat([input_ids, scores.argmin(dim=-1)[:, None]], dim=1)
    return input_ids


EVERY_FIFTH = list(range(3, 900, 5))
DONE_AS_GENERATE_DOES = [
    {},
    {"num_beams": 3},
    {"num_beams": 3, "return_dict_in_generate": True},
    {"num_beams": 2, "length_penalty": 2.0, "early_stopping": True},
    {"return_dict_in_generate": True},
    {"prompt_lookup_num_tokens": 2, "batch_size": 1},
    {"use_cache": False},
    {"cache_implementation": "dynamic"},
    {"cache_implementation": "static"},
    {"cache_implementation": "static", "disable_compile": True},
    {"prefill_chunk_size": 16},
    {"repetition_penalty": 3.0},
    {"encoder_repetition_penalty": 3.0},
    {"no_repeat_ngram_size": 2},
    {"encoder_no_repeat_ngram_size": 1},
    {"min_new_tokens": NEW},
    {"min_length": PROMPT + NEW},
    {"max_time": 100.0},
    {"max_new_tokens": 3},
    {"max_length": PROMPT + 7},
    {"forced_bos_token_id": 9},
    {"forced_eos_token_id": 9},
    {"eos_token_id": EVERY_FIFTH},
    {"suppress_tokens": EVERY_FIFTH},
    {"begin_suppress_tokens": EVERY_FIFTH},
    {"bad_words_ids": [[each] for each in EVERY_FIFTH]},
    {"sequence_bias": {(each,): -100.0 for each in EVERY_FIFTH}},
    {"exponential_decay_length_penalty": (2, 3.0)},
    {"guidance_scale": 3.0, "batch_size": 1},
    {"guidance_scale": 3.0, "negative_prompt_ids": torch.tensor([[5, 6, 7], [8, 9, 10]])},
    {"watermarking_config": WatermarkingConfig(bias=9.0)},
    {"renormalize_logits": True},
    {"remove_invalid_values": True},
    {"logits_processor": [Reversed()]},
    {"logits_processor": LogitsProcessorList([Reversed()]), "num_beams": 2},
    {"stopping_criteria": [AfterFive()]},
    {"prefix_allowed_tokens_fn": lambda row, ids: [7 + len(ids), 8 + len(ids)]},
    {"synced_gpus": False},
    {"low_memory": True},
    {"top_k": 1},
    {"temperature": 0.5},
    {"custom_generate": own_loop},
    {"custom_generate": own_loop, "logits_processor": [Reversed()]},
]


def named(arguments):
    return ", ".join(
        f"{name}={type(value).__name__ if callable(value) else value}"[:50] for name, value in arguments.items()
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("arguments", DONE_AS_GENERATE_DOES, ids=named)
def test_it_is_done_as_generate_does(pipe, arguments):
    without_batch = {name: value for name, value in arguments.items() if name != "batch_size"}
    alone = "batch_size" in arguments
    expected = [plain(pipe, [piece], **without_batch)[0] for piece in PIECES] if alone else None
    expected = expected or plain(pipe, **without_batch)
    assert played(pipe, **arguments) == expected


def test_an_assistant_is_asked(pipe, processor_of):
    assistant = build_model("gpt2", processor_of("REMI"), context_length=96, **TINY).eval()
    expected = plain(pipe, PIECES[:1])[0]
    made_with = MidiContinuationPipeline(pipe.model, pipe.processor, device="cpu", assistant_model=assistant)
    asked = []
    assistant.register_forward_hook(lambda *_: asked.append(1))
    settings = {"prompt_length": PROMPT, "max_new_tokens": NEW, "constrained": False}
    for played_with in (
        lambda: pipe(PIECES[0], **settings, assistant_model=assistant),
        lambda: made_with(PIECES[0], **settings),
    ):
        assert played_with()["token_ids"] == expected
        assert asked
        asked.clear()


@pytest.mark.parametrize("places", [(4,), (3, 4), (7, 2)])
def test_a_row_stops_with_the_token_that_completes_a_stop_string(pipe, places):
    free = plain(pipe, PIECES[:1])[0]
    words = pipe.tokenizer.convert_ids_to_tokens(free)
    text = " ".join(words[place] for place in places) if places[0] < places[-1] else [words[place] for place in places]
    wanted = [text] if isinstance(text, str) else text
    length = next(n for n in range(1, NEW) if any(each in " ".join(words[:n]) for each in wanted))
    result = pipe(PIECES[0], prompt_length=PROMPT, max_new_tokens=NEW, constrained=False, stop_strings=text)
    assert result["token_ids"] == free[:length]
    assert result["stopped_by"] == "stopping_criteria"


def test_stop_strings_need_a_tokenizer_and_letters(pipe):
    assert (
        len(pipe(PIECES[0], prompt_length=PROMPT, num_beams=2, stop_strings="Pitch", max_new_tokens=20)["token_ids"])
        < 20
    )
    ids = torch.ones(1, 3, dtype=torch.long)
    with pytest.raises(ValueError, match="give tokenizer="):
        generate_rows(pipe.model, ids, ids, seeds=[0], stop_strings=["a"])
    with pytest.raises(ValueError, match="none of them empty"):
        pipe(PIECES[0], prompt_length=PROMPT, max_new_tokens=4, stop_strings=["a", ""])


def sampling_loop(model, input_ids, logits_processor, stopping_criteria, generation_config, **model_kwargs):
    """A loop of a user that draws."""
    while not stopping_criteria(input_ids, None).all():
        scores = logits_processor(input_ids, model(input_ids).logits[:, -1])
        input_ids = torch.cat([input_ids, torch.multinomial(scores.softmax(dim=-1), 1)], dim=1)
    return input_ids


def test_a_loop_of_the_users_is_held_to_the_grammar_and_to_wishes(pipe):
    settings = {"prompt_length": PROMPT, "max_new_tokens": 50, "min_new_tokens": 50, "custom_generate": sampling_loop}
    result = pipe(PIECES[0], **settings, instruments=[40], pitch_range=(60, 64), seed=3)
    words = [word.split("_") for word in pipe.tokenizer.convert_ids_to_tokens(result["token_ids"])]
    assert {value for kind, value in words if kind == "Program"} <= {"40"}
    assert {int(value) for kind, value in words if kind == "Pitch"} <= set(range(60, 65))
    errors = pipe.processor.music_tokenizer.tokens_errors(TokSequence(ids=result["token_ids"]))
    assert len(words) == 50 and errors == 0


def test_a_loop_of_the_users_draws_by_the_seed_of_each_row(pipe):
    arguments = {"custom_generate": sampling_loop, "seed": 3}
    state = torch.get_rng_state()
    together = played(pipe, **arguments)
    assert played(pipe, **arguments, batch_size=1) == together
    assert torch.equal(torch.get_rng_state(), state)
    assert played(pipe, **arguments | {"seed": 4}) != together


def test_a_loop_in_a_folder(pipe, tmp_path):
    folder = tmp_path / "custom_generate"
    folder.mkdir()
    folder.joinpath("generate.py").write_text(
        "def generate(model, input_ids, logits_processor=None, **kwargs):\n"
        "    kept = {name: kwargs[name] for name in ('attention_mask', 'max_new_tokens')}\n"
        "    return model.generate(input_ids, logits_processor=logits_processor, do_sample=False, **kept)\n"
    )
    arguments = {"custom_generate": str(tmp_path), "trust_remote_code": True}
    assert played(pipe, **arguments) == plain(pipe)


@pytest.mark.parametrize("wrong", [lambda ids: None, lambda ids: ids[:, 1:], lambda ids: ids[:1], lambda ids: ids + 1])
def test_a_loop_that_gives_something_else_is_told(pipe, wrong):
    def loop(model, input_ids, logits_processor, stopping_criteria, generation_config, **kwargs):
        return wrong(input_ids)

    with pytest.raises(ValueError, match="custom_generate gave .* 2 rows"):
        played(pipe, custom_generate=loop)


REFUSED = [
    ({"output_scores": True}, "output_scores"),
    ({"output_logits": True, "return_dict_in_generate": True}, "output_logits"),
    ({"output_attentions": True}, "output_attentions"),
    ({"output_hidden_states": True}, "output_hidden_states"),
    ({"generation_config": GenerationConfig(output_scores=True, return_dict_in_generate=True)}, "output_scores"),
    ({"cache_implementation": "paged"}, "paged"),
    ({"token_healing": True}, "token_healing"),
    ({"past_key_values": DynamicCache()}, "past_key_values"),
    ({"input_ids": torch.ones(1, 2)}, "input_ids"),
    ({"attention_mask": torch.ones(1, 2)}, "attention_mask"),
    ({"inputs_embeds": torch.ones(1, 2, 3)}, "inputs_embeds"),
    ({"position_ids": torch.ones(1, 2)}, "position_ids"),
    ({"max_new_tokens": 2.5}, "max_new_tokens=2.5"),
    ({"max_new_tokens": "7"}, "max_new_tokens='7'"),
    ({"max_new_tokens": True}, "max_new_tokens=True"),
    ({"max_new_tokens": -1}, "max_new_tokens=-1"),
    ({"num_beams": 0}, "num_beams=0"),
    ({"num_return_sequences": -2}, "num_return_sequences=-2"),
    ({"seed": -1}, "seed=-1"),
    ({"seed": 2**70}, "seed=1180591620717411303424"),
    ({"seed": 1.5}, "seed=1.5"),
    ({"seed": True}, "seed=True"),
    ({"seed": "1"}, "seed='1'"),
    ({"num_beams": 2, "streamer": None}, "num_beams=2"),
    ({"custom_generate": own_loop, "streamer": None}, "custom_generate"),
    ({"penalty_alpha": 0.6, "top_k": 4}, "trust_remote_code"),
    ({"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 1.0}, "trust_remote_code"),
    ({"force_words_ids": [[5]], "num_beams": 2}, "trust_remote_code"),
    ({"dola_layers": "low"}, "trust_remote_code"),
    ({"beams": 3}, "beams"),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("arguments, message", REFUSED, ids=lambda each: each if isinstance(each, str) else "")
def test_it_is_refused_before_the_model_is_run(pipe, monkeypatch, arguments, message):
    def forward(input_ids, **kwargs):
        raise AssertionError("the model was run")

    monkeypatch.setattr(pipe.model, "forward", forward)
    streamer = NoteStreamer(pipe.processor, timeout=20) if "streamer" in arguments else None
    arguments = arguments | ({"streamer": streamer} if streamer else {})
    with pytest.raises(ValueError, match=message):
        pipe(PIECES[0], prompt_length=PROMPT, **{"max_new_tokens": 4} | arguments)
    assert streamer is None or (list(streamer) == [] and isinstance(streamer.error, ValueError))


def test_the_filler_of_rows_is_never_played(pipe):
    """Whatever id a user gives it."""
    arguments = {"eos_token_id": EVERY_FIFTH, "pad_token_id": 77, "max_new_tokens": 30}
    expected = plain(pipe, **{**arguments, "pad_token_id": pipe.tokenizer.pad_token_id})
    assert len({len(row) for row in expected}) > 1
    assert played(pipe, **arguments) == expected


def test_text_streamers_get_the_same_tokens(pipe):
    streamer = TextIteratorStreamer(pipe.tokenizer, skip_prompt=True, timeout=20)
    settings = {"prompt_length": PROMPT, "max_new_tokens": NEW}
    result = pipe(PIECES[0], **settings, streamer=streamer)
    assert "".join(streamer).split() == pipe.tokenizer.decode(result["token_ids"]).split()


def test_sampled_beams_are_the_same_whatever_else_is_in_the_batch(pipe):
    settings = {"prompt_length": PROMPT, "max_new_tokens": NEW, "do_sample": True, "constrained": False}
    settings |= {"num_beams": 3, "num_return_sequences": 2, "seed": 5, "eos_token_id": None}
    together = pipe(PIECES, **settings, batch_size=2)
    alone = [pipe(piece, **settings) for piece in PIECES]
    assert [[row["token_ids"] for row in rows] for rows in together] == [
        [row["token_ids"] for row in rows] for rows in alone
    ]
    assert pipe(PIECES[0], **settings | {"seed": 6})[0]["token_ids"] != alone[0][0]["token_ids"]
