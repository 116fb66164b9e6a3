"""The logits processor of middles: rows of a batch, beams, prompts with spans and masks of their own, `generate()`."""

import numpy as np
import pytest
import torch
from grammar.following import NAMES
from infilling.middles import draw, draw_cuts, filled_after, padded, quantised, with_infill_tokens, words_of
from music import make_score
from tiny import ONE_LAYER
from transformers import set_seed

from neuromusic_hf import MidiProcessor, build_model
from neuromusic_hf.infilling import Cut, CutEncoder, MiddleGrammar
from neuromusic_hf.infilling.middle_logits import RESERVE
from neuromusic_hf.infilling.span_rules import SpanRules


def draw_batch(middle, processor, count, seed=0):
    """Cuts of short pieces, and their prompts padded on the left."""
    cuts = draw_cuts([quantised(processor, make_score(each, num_notes=40)) for each in range(count)], 1, seed)
    return cuts, padded(processor, middle.encoder.samples(cuts))


def test_rows_are_as_alone_whatever_stands_before_their_prefix(case):
    """Rows of other lengths and spans, that go on and, where a prompt has several, change places."""
    processor, middle = case
    cuts, ids = draw_batch(middle, processor, 4)
    spans, pad = [middle.frame(*cut) for cut in cuts], processor.tokenizer.pad_token_id
    together, generator = middle.logits_processor(spans), torch.Generator().manual_seed(1)
    alone = [middle.logits_processor([span]) for span in spans]
    ids, scores = ids.repeat_interleave(2, dim=0), torch.zeros(8, processor.vocab_size)
    for step in range(20):
        found = together(ids, scores)
        for each, expected, rows in zip(alone, found.split(2), ids.split(2), strict=True):
            begin = (rows[0] == processor.infill_ids.prefix).nonzero().max()
            assert torch.equal(expected, each(rows[:, begin:], scores[:2]))
        assert torch.equal(
            found, middle.logits_processor(spans)(torch.nn.functional.pad(ids, (3, 0), value=pad), scores)
        )
        ids = torch.cat([ids, torch.multinomial(found.exp(), 1, generator=generator)], dim=1)
        parents = torch.randint(2, (4, 2), generator=generator) + 2 * torch.arange(4)[:, None]
        ids = ids[parents.flatten()] if step % 3 else ids


def test_the_same_prompt_may_have_several_spans(middle_grammars):
    """As of TSD, which says in no prefix where the middle begins: rows that change places keep theirs."""
    processor, middle = middle_grammars("TSD")
    piece = quantised(processor, make_score(0))
    cut = Cut(0, 8 * 16, 12 * 16, None)
    (sample,) = middle.encoder.samples([(piece, cut)])
    short, long = middle.frame(piece, cut), middle.frame(piece, Cut(0, 8 * 16, 16 * 16, None))
    ids, scores = padded(processor, [sample, sample]), torch.zeros(2, processor.vocab_size)
    held = middle.logits_processor([short, long])
    first = held(ids, scores)
    assert not torch.equal(first[0], first[1])
    ids = torch.cat([ids, first.argmax(dim=1, keepdim=True)], dim=1)
    for span, found, row in zip((short, long), held(ids, scores), ids, strict=True):
        assert torch.equal(found, middle.logits_processor([span])(row[None], scores[:1])[0])


@pytest.mark.parametrize(
    "options", [{"num_beams": 3}, {"do_sample": True, "num_return_sequences": 2}, {"do_sample": False}], ids=str
)
@pytest.mark.parametrize("name", NAMES)
def test_generate_fills_spans(name, options, middle_grammars):
    processor, middle = middle_grammars(name, "BPE")
    set_seed(0)
    model = build_model("gpt2", processor, context_length=1024, **ONE_LAYER).eval()
    cuts, prompts = draw_batch(middle, processor, 3)
    masks = torch.stack([middle.grammar.vocabulary_mask(allowed_programs=[program]) for program in (0, 32, -1)])
    held = middle.logits_processor([middle.frame(*cut) for cut in cuts], masks)
    end = processor.infill_ids.end
    rows = model.generate(
        input_ids=prompts,
        attention_mask=(prompts != processor.tokenizer.pad_token_id).long(),
        max_new_tokens=120,
        logits_processor=[held],
        eos_token_id=end,
        pad_token_id=processor.tokenizer.pad_token_id,
        **options,
    )[:, prompts.shape[1] :]
    samples = middle.encoder.samples(cuts)
    groups = zip(cuts, samples, (0, 32, -1), rows.view(3, -1, rows.shape[1]), strict=True)
    for (piece, cut), sample, program, found in groups:
        for row in found.tolist():
            middle_ids = row[: row.index(end)] if end in row else row
            if end in row:
                assert filled_after(processor, piece, cut, sample.prefix, middle_ids)[-1]
            programs = {word for word in words_of(processor, middle_ids) if word.startswith("Program")}
            assert programs <= {f"Program_{program}"}


def test_what_is_no_prompt_of_the_span_is_refused(middle_grammars):
    processor, middle = middle_grammars("REMI")
    special, scores = processor.infill_ids, torch.zeros(1, processor.vocab_size)
    cuts, prompts = draw_batch(middle, processor, 2)
    held = middle.logits_processor([middle.frame(*cuts[0])])
    with pytest.raises(ValueError, match="no PRE with a MID"):
        held(torch.tensor([[special.suffix, special.middle, special.prefix, 5]]), scores)
    with pytest.raises(ValueError, match="3 rows cannot share 2 spans"):
        middle.logits_processor([middle.frame(*cut) for cut in cuts])(prompts[[0, 0, 1]], scores)
    with pytest.raises(ValueError, match=f"EOM is id {special.end}"):
        held(prompts[:1], scores[:, : special.end])
    with pytest.raises(ValueError, match="no span"):
        middle.logits_processor([])
    unfinished = processor.music_tokenizer.vocab["Program_0"]
    with pytest.raises(ValueError, match="where no middle can begin"):
        held(torch.cat([prompts[:1, :-1], torch.tensor([[unfinished, special.middle]])], dim=1), scores)


@pytest.mark.parametrize("name", ["TSD", "Structured"])
def test_a_prefix_that_leads_elsewhere_is_refused(name, middle_grammars):
    processor, middle = middle_grammars(name)
    piece = quantised(processor, make_score(0))
    (sample,) = middle.encoder.samples([(piece, Cut(0, 16 * 16, 20 * 16, None))])
    too_soon = middle.frame(piece, Cut(0, 4 * 16, 8 * 16, None))
    with pytest.raises(ValueError, match="prefix"):
        middle.logits_processor([too_soon])(padded(processor, [sample]), torch.zeros(1, processor.vocab_size))


def test_what_has_no_middles_is_refused(middle_grammars):
    plain = MidiProcessor.from_music_tokenizer(MidiProcessor.from_tokenization("REMI").music_tokenizer)
    with pytest.raises(ValueError, match="add_infill_tokens"):
        MiddleGrammar(plain)
    coarse = MidiProcessor.from_tokenization("TSD", beat_res={(0, 2): 4, (2, 4): 8})
    with pytest.raises(ValueError, match="no shift of one step"):
        MiddleGrammar(with_infill_tokens(coarse))
    processor, middle = middle_grammars("REMI")
    with pytest.raises(ValueError, match=r"ticks \[17\] are none"):
        middle.frame(quantised(processor, make_score(0)), Cut(0, 17, 12 * 16, None))


def test_a_middle_is_complete_where_ids_run_out(case, cut_scores):
    processor, middle = case
    pieces = [quantised(processor, score) for score in cut_scores[::2]]
    cuts = draw_cuts(pieces, 1, seed=5)
    samples, rows = CutEncoder(processor).samples(cuts), 4
    for cut, sample in zip(cuts, samples, strict=True):
        prompts, span = padded(processor, [sample]), middle.frame(*cut)
        least = int(SpanRules([middle.rule(span, sample.prefix)], middle.paths).left(np.array([1]))[0])
        for spare in (RESERVE, 3 * RESERVE):
            held = middle.logits_processor([span] * rows, max_new_tokens=least + spare)
            drawn = draw(held, processor, prompts.repeat(rows, 1), least + spare, seed=spare)
            assert all(is_complete for _, is_complete in drawn)
            assert all(filled_after(processor, *cut, sample.prefix, ids)[-1] for ids, _ in drawn)
