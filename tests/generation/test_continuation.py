"""Prompts and their continuation: what is cut, what is generated, what is recorded."""

import itertools

import numpy as np
import pytest
import torch
from music import make_score
from transformers import set_seed

from neuromusic_hf import MidiProcessor, build_model
from neuromusic_hf.corpora import RefusedFile
from neuromusic_hf.generation import (
    Continuation,
    ContinuationSettings,
    PieceSource,
    Prompt,
    continuation_scores,
    continue_prompts,
    make_prompt,
    make_prompts,
)

GREEDY = {"do_sample": False}


@pytest.fixture(scope="module", params=["REMI", "TSD", "Structured"])
def processor(request):
    return MidiProcessor.from_tokenization(request.param)


@pytest.fixture(scope="module")
def remi():
    return MidiProcessor.from_tokenization("REMI")


@pytest.fixture(scope="module", params=["gpt2", "llama"])
def model(request, remi):
    set_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    model = build_model(request.param, remi, context_length=96, **sizes).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)  # sharper than at initialisation: every step has a clear winner
    return model


def prompts_of(lengths, processor):
    random = np.random.default_rng(0)
    return [
        Prompt(str(length), [1, *random.integers(3, processor.vocab_size, length - 1).tolist()], [], 120.0)
        for length in lengths
    ]


def test_a_prompt_is_the_beginning_and_the_original_what_follows(processor):
    score = make_score(1)
    ids = processor.encode(score)
    prompt = make_prompt("x", score, processor, prompt_length=50, continue_length=30)
    assert prompt.prompt_ids == ids[:50]
    assert prompt.original_ids == ids[50:80]
    assert prompt.tempo == score.tempos[0].qpm


def test_a_short_piece_is_refused_with_its_length(processor):
    score = make_score(1, num_notes=10)
    length = len(processor.encode(score))
    make_prompt("x", score, processor, prompt_length=length - 1, continue_length=30)
    with pytest.raises(RefusedFile, match=f"{length} tokens") as refused:
        make_prompt("x", score, processor, prompt_length=length, continue_length=30)
    assert refused.value.reason == "too_short"


def test_pieces_left_out_are_named_with_their_reason(remi):
    sound = make_score(1).dumps_midi()
    empty = make_score(1, num_notes=0).dumps_midi()
    pieces = [
        PieceSource("sound", sound),
        PieceSource("text", b"not music"),
        PieceSource("empty", empty),
        PieceSource("short", make_score(1, num_notes=6).dumps_midi()),
        PieceSource("gone", RefusedFile("unreadable", "no such file")),
        PieceSource("sound too", sound),
    ]
    left_out = []
    settings = ContinuationSettings(prompt_length=100)
    prompts = list(make_prompts(pieces, remi, settings, left_out=left_out))
    assert [prompt.name for prompt in prompts] == ["sound", "sound too"]
    reasons = {piece["name"]: piece["reason"] for piece in left_out}
    assert reasons == {"text": "not_midi", "empty": "no_notes", "short": "too_short", "gone": "unreadable"}
    assert all(piece["detail"] for piece in left_out)


def test_the_limit_reads_no_further(remi):
    def endless():
        for index in itertools.count():
            assert index < 3, "read past the limit"
            yield PieceSource(str(index), make_score(index).dumps_midi())

    settings = ContinuationSettings(prompt_length=50)
    assert len(list(make_prompts(endless(), remi, settings, left_out=[], limit=3))) == 3


def test_prompts_of_different_lengths_continue_as_if_alone(model, remi):
    prompts = prompts_of([5, 40, 17, 28, 3], remi)
    together, alone = (
        [
            continuation.generated_ids
            for continuation in continue_prompts(
                model,
                remi,
                prompts,
                ContinuationSettings(prompt_length=40, continue_length=24, batch_size=size, generation=GREEDY),
            )
        ]
        for size in (3, 1)
    )
    assert together == alone
    assert len(set(map(tuple, together))) == len(prompts)


def test_greedy_continuation_equals_a_loop_without_cache(model, remi):
    prompt = prompts_of([20], remi)[0]
    settings = ContinuationSettings(prompt_length=20, continue_length=16, generation=GREEDY)
    (continuation,) = continue_prompts(model, remi, [prompt], settings)
    ids, entropies = list(prompt.prompt_ids), []
    with torch.no_grad():
        for _ in range(16):
            logits = model(torch.tensor([ids]), use_cache=False).logits[0, -1]
            entropies.append(-(logits.softmax(-1) * logits.log_softmax(-1)).sum().item())
            ids.append(logits.argmax().item())
            if ids[-1] == remi.tokenizer.eos_token_id:
                break
    generated = [index for index in ids[20:] if index != remi.tokenizer.eos_token_id]
    assert continuation.generated_ids == generated
    assert continuation.entropy == pytest.approx(np.mean(entropies), rel=1e-3)


def test_a_piece_that_ends_is_cut_at_its_end(model, remi):
    prompts = prompts_of([10, 12], remi)
    settings = ContinuationSettings(
        prompt_length=12, continue_length=8, generation={**GREEDY, "forced_eos_token_id": remi.tokenizer.eos_token_id}
    )
    for continuation in continue_prompts(model, remi, prompts, settings):
        assert continuation.ended_with_eos
        assert len(continuation.generated_ids) == 7
        assert not set(continuation.generated_ids) & set(remi.tokenizer.all_special_ids)


def test_the_seed_decides(model, remi):
    prompts = prompts_of([10, 12, 9], remi)

    def sample(seed):
        settings = ContinuationSettings(prompt_length=12, continue_length=20, batch_size=2, seed=seed)
        found = list(continue_prompts(model, remi, prompts, settings))
        assert [continuation.seed for continuation in found] == [seed, seed, seed + 1]
        return [continuation.generated_ids for continuation in found]

    assert sample(1) == sample(1)
    assert sample(1) != sample(2)


def test_more_tokens_than_the_model_reads_are_refused(model, remi):
    settings = ContinuationSettings(prompt_length=80, continue_length=17)
    with pytest.raises(ValueError, match="97 tokens.*96"):
        next(continue_prompts(model, remi, prompts_of([10], remi), settings))
    with pytest.raises(ValueError, match="continue_length=0"):
        next(continue_prompts(model, remi, [], ContinuationSettings(continue_length=0)))


def test_original_and_prompt_together_are_the_piece(processor):
    score = make_score(3)
    prompt = make_prompt("x", score, processor, prompt_length=101, continue_length=10_000)
    scores = continuation_scores(Continuation(prompt, prompt.original_ids, True, 0.0, 0, 0.0), processor)
    whole = processor.decode(processor.encode(score), default_tempo=prompt.tempo)
    assert scores["full"] == whole
    assert scores["prompt"].note_num() + scores["original"].note_num() == whole.note_num()
    assert scores["prompt"].note_num() > 0 and scores["original"].note_num() > 0
    assert scores["original"] == scores["generated"]
