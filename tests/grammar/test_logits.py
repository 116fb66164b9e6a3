"""The logits processor: rows of a batch, beams, prompts with masks of their own, and `generate()`."""

import pytest
import torch
from grammar.following import BOS, EOS, NAMES, PAD, assert_legal, complete, words_of
from music import make_score
from tiny import ONE_LAYER
from transformers import LogitsProcessorList, set_seed

from neuromusic_hf import build_model
from neuromusic_hf.grammar import GrammarLogitsProcessor, TokenGrammar


@pytest.mark.parametrize("name", NAMES)
def test_rows_padded_on_the_left_are_as_alone(name, grammars):
    processor, grammar = grammars(name, "BPE")
    prompts = [processor.encode(make_score(seed))[: 5 + 9 * seed] for seed in range(4)] + [[BOS], [5, 300, 7]]
    longest = max(map(len, prompts))
    padded = torch.tensor([[PAD] * (longest - len(prompt)) + prompt for prompt in prompts])
    scores = torch.zeros(1, grammar.vocab_size)
    together = GrammarLogitsProcessor(grammar)(padded, scores.expand(len(prompts), -1))
    for row, prompt in zip(together, prompts, strict=True):
        assert torch.equal(row, GrammarLogitsProcessor(grammar)(torch.tensor([prompt]), scores)[0])


def test_known_rows_are_not_read_again(grammars, monkeypatch):
    """Rows that go on, change places, or come twice, as in beam search; and rows that are new."""
    _, grammar = grammars("REMI", "BPE")
    steps = []
    advance = TokenGrammar.advance
    monkeypatch.setattr(TokenGrammar, "advance", lambda self, *given: steps.append(1) or advance(self, *given))
    processor, scores = GrammarLogitsProcessor(grammar), torch.zeros(6, grammar.vocab_size)
    generator = torch.Generator().manual_seed(3)
    ids = torch.full((6, 1), BOS)
    for step in range(60):
        steps.clear()
        result = processor(ids, scores)
        assert len(steps) == 1
        assert torch.equal(result, GrammarLogitsProcessor(grammar)(ids, scores))
        drawn = torch.multinomial(result.exp(), 1, generator=generator)
        if step % 9 == 8:  # whatever was drawn is followed
            drawn = torch.randint(grammar.vocab_size, drawn.shape, generator=generator)
        parents = torch.randint(6, (6,), generator=generator) if step % 2 else torch.arange(6)
        ids = torch.cat([ids, drawn], dim=1)[parents]
    steps.clear()
    processor(ids.flip(1), scores)
    assert len(steps) == ids.shape[1]


@pytest.mark.parametrize(
    "options", [{"num_beams": 4, "do_sample": False}, {"do_sample": True}, {"do_sample": False}], ids=str
)
@pytest.mark.parametrize("name", NAMES)
def test_generate_writes_legal_rows(name, options, grammars, monkeypatch):
    processor, grammar = grammars(name, "BPE")
    set_seed(0)
    model = build_model("gpt2", processor, context_length=128, **ONE_LAYER).eval()
    prompts = [processor.encode(make_score(seed))[: 4 + 20 * seed] for seed in range(2)]
    batch = processor.pad({"input_ids": prompts}, padding=True, padding_side="left", return_tensors="pt")
    steps = []
    advance = TokenGrammar.advance
    monkeypatch.setattr(TokenGrammar, "advance", lambda self, *given: steps.append(1) or advance(self, *given))
    processors = LogitsProcessorList([GrammarLogitsProcessor(processor)])
    rows = model.generate(**batch, max_new_tokens=50, logits_processor=processors, **options)
    assert len(steps) < rows.shape[1]
    for row in rows.tolist():
        if EOS in row:  # with which beam search fills up where PAD is 0
            row = row[: row.index(EOS) + 1]
        assert_legal(processor, grammar, [[index for index in row if index not in (PAD, BOS)]])
        words = complete(processor, [index for index in row if index not in (PAD, BOS)])
        assert processor.music_tokenizer._tokens_errors(words) == 0


ROW_RESTRICTIONS = (
    {"allowed_programs": [0], "drums": False},
    {"drums": False, "pitch_range": (60, 62)},
    {"allowed_programs": [0], "drums": False},
    {"allowed_programs": [5, 33], "drums": True, "pitch_range": (40, 41)},
)


@pytest.mark.parametrize("repeats", [1, 3])
def test_rows_of_different_masks_are_as_alone(case, repeats):
    """Rows that go on and, where a prompt has several, change places among themselves."""
    _, grammar = case
    masks = torch.stack([grammar.vocabulary_mask(**restriction) for restriction in ROW_RESTRICTIONS])
    together = GrammarLogitsProcessor(grammar, masks)
    alone = [GrammarLogitsProcessor(grammar, mask) for mask in masks]
    scores, generator = torch.zeros(4 * repeats, grammar.vocab_size), torch.Generator().manual_seed(4)
    ids = torch.full((4 * repeats, 1), BOS)
    for _ in range(40):
        result = together(ids, scores)
        for each, found, rows in zip(alone, result.split(repeats), ids.split(repeats), strict=True):
            assert torch.equal(found, each(rows, scores[:repeats]))
        ids = torch.cat([ids, torch.multinomial(result.exp(), 1, generator=generator)], dim=1)
        parents = torch.randint(repeats, (4, repeats), generator=generator) + repeats * torch.arange(4)[:, None]
        ids = ids[parents.flatten()]


@pytest.mark.parametrize(
    "options", [{"num_beams": 3, "do_sample": False}, {"do_sample": True, "num_return_sequences": 2}], ids=str
)
def test_generate_with_a_mask_for_each_prompt(options, grammars):
    processor, grammar = grammars("REMI", "BPE")
    set_seed(0)
    model = build_model("gpt2", processor, context_length=64, **ONE_LAYER).eval()
    allowed = ({0}, {5, 33}, {-1})
    masks = torch.stack([grammar.vocabulary_mask(allowed_programs=programs) for programs in allowed])
    prompt, processors = torch.full((3, 1), BOS), [GrammarLogitsProcessor(grammar, masks)]
    rows = model.generate(prompt, max_new_tokens=50, logits_processor=processors, **options)
    for programs, mask, found in zip(allowed, masks, rows.view(3, -1, rows.shape[1]), strict=True):
        found = [[index for index in row if index not in (PAD, BOS)] for row in found.tolist()]
        assert_legal(processor, grammar.restricted(mask), found)
        words = {word for row in found for word in words_of(processor, row)}
        assert {word for word in words if word.startswith("Program")} <= {f"Program_{index}" for index in programs}


def test_rows_that_cannot_share_masks_are_refused(grammars):
    _, grammar = grammars("REMI")
    masks = torch.stack([grammar.vocabulary_mask(drums=drums) for drums in (False, True)])
    with pytest.raises(ValueError, match="3 rows cannot share 2 masks"):
        GrammarLogitsProcessor(grammar, masks)(torch.full((3, 1), BOS), torch.zeros(3, grammar.vocab_size))
    with pytest.raises(ValueError, match="2 masks: say which each row has"):
        grammar.restricted(masks).legal(grammar.begin(2))
    with pytest.raises(ValueError, match="no masks to choose among"):
        grammar.legal(grammar.begin(2), torch.tensor([0, 1]))


def test_scores_may_be_wider_than_the_vocabulary_but_not_narrower(grammars):
    _, grammar = grammars("REMI")
    scores = GrammarLogitsProcessor(grammar)(torch.tensor([[BOS]]), torch.zeros(1, grammar.vocab_size + 6))
    assert scores.isfinite().sum() == 1
    with pytest.raises(ValueError, match=f"for 500 ids, and the grammar has {grammar.vocab_size}"):
        GrammarLogitsProcessor(grammar)(torch.tensor([[BOS]]), torch.zeros(1, 500))
