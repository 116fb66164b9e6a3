"""The four tokens of infilling: in every new vocabulary, behind ids of music that stay as they are."""

from pathlib import Path

import pytest
import torch
from tiny import TOKENIZATIONS
from tokenization.sample_scores import SCORES, note_list, random_score
from transformers import AutoProcessor, AutoTokenizer

from neuromusic_hf import MidiProcessor
from neuromusic_hf.grammar import GrammarLogitsProcessor
from neuromusic_hf.metrics import count_token_errors
from neuromusic_hf.tokenization.infill_tokens import INFILL_TOKENS

EARLIER = Path(__file__).parents[1] / "bundles" / "of_earlier"


@pytest.fixture(params=[(name, model) for name in TOKENIZATIONS for model in ("plain", "BPE")], ids="-".join)
def new(request, processors, trained_processors):
    """A processor as it is made today."""
    name, model = request.param
    return processors[name] if model == "plain" else trained_processors(name, model)


@pytest.fixture
def bare(new):
    """The same without the tokens."""
    return MidiProcessor.from_music_tokenizer(new.music_tokenizer)


def scattered(ids, infill_ids):
    """Ids of music with tokens of infilling at their beginning, in them, and at their end."""
    return [infill_ids.suffix, *ids[:9], infill_ids.middle, infill_ids.prefix, *ids[9:], infill_ids.end]


def test_they_stand_behind_the_ids_of_music_which_stay_as_they_are(new, bare):
    size = len(new.music_tokenizer)
    assert new.infill_ids == (size, size + 1, size + 2, size + 3) and new.vocab_size == size + 4
    assert bare.infill_ids is None and bare.vocab_size == size and bare.vocabulary_hash == new.vocabulary_hash
    for name in sorted(SCORES):
        ids = new.encode(SCORES[name](), add_eos=True)
        assert ids == bare.encode(SCORES[name](), add_eos=True)
        assert new.tokenizer.decode(ids) == bare.tokenizer.decode(ids)


@pytest.mark.parametrize("load", [MidiProcessor.from_pretrained, AutoProcessor.from_pretrained])
def test_a_saved_processor_comes_back_with_them(new, load, tmp_path):
    new.save_pretrained(tmp_path)
    loaded = load(tmp_path)
    assert loaded.infill_ids == new.infill_ids and loaded.to_dict() == new.to_dict()
    assert loaded.tokenizer.get_vocab() == new.tokenizer.get_vocab()
    loaded.add_infill_tokens()
    assert loaded.vocab_size == new.vocab_size


def test_their_text_comes_back_and_is_special(new, tmp_path):
    new.save_pretrained(tmp_path)
    ids = new.encode(random_score(2), add_bos=False)
    mixed = scattered(ids, new.infill_ids)
    for tokenizer in (new.tokenizer, AutoTokenizer.from_pretrained(tmp_path)):
        text = tokenizer.decode(mixed)
        assert text.startswith(" SUF_None ") and text.endswith(" EOM_None") and " MID_None PRE_None " in text
        assert tokenizer(text).input_ids == mixed
        assert "".join(tokenizer.decode([index]) for index in mixed) == text
        assert tokenizer.decode(mixed, skip_special_tokens=True) == tokenizer.decode(ids)


def test_they_stand_for_no_music(new):
    ids = new.encode(random_score(2), add_bos=False)
    mixed = scattered(ids, new.infill_ids)
    assert new.music_ids(mixed) == ids
    assert note_list(new.decode(mixed)) == note_list(new.decode(ids)) != []
    assert [new.base_words[index] for index in new.infill_ids] == [[]] * 4
    assert count_token_errors(new, [mixed]) == count_token_errors(new, [ids])
    rows = new.pad({"input_ids": [mixed, [1]]}, padding=True, padding_side="left", return_tensors="pt")
    assert [note_list(score) for score in new.decode(rows["input_ids"])] == [note_list(new.decode(ids)), []]


def test_no_continuation_may_have_them(new, bare):
    ids = new.encode(random_score(2))[:60]
    held, expected = GrammarLogitsProcessor(new), GrammarLogitsProcessor(bare)
    for length in range(1, len(ids)):
        found = held(torch.tensor([ids[:length]]), torch.zeros(1, new.vocab_size))
        assert torch.equal(found[:, :-4], expected(torch.tensor([ids[:length]]), torch.zeros(1, bare.vocab_size)))
        assert (found[:, -4:] == -torch.inf).all()


@pytest.mark.parametrize("model", ["BPE", "Unigram", "WordPiece"])
def test_they_are_among_the_ids_that_a_learned_vocabulary_is_asked_for(model, processors, corpus):
    base = processors["TSD"]
    learned = base.train_new_from_corpus(corpus["train"], base.vocab_size + 12, model, max_tokens=5000)
    assert learned.infill_ids == tuple(range(learned.vocab_size - 4, learned.vocab_size))
    assert learned.vocab_size == base.vocab_size + 12 == len(learned.music_tokenizer) + 4
    bare = MidiProcessor.from_music_tokenizer(base.music_tokenizer)
    of_bare = bare.train_new_from_corpus(corpus["train"], base.vocab_size + 12, model, max_tokens=5000)
    assert of_bare.infill_ids == learned.infill_ids
    if model == "BPE":  # which learns the same each time
        assert of_bare.tokenizer.get_vocab() == learned.tokenizer.get_vocab()


@pytest.mark.parametrize("name", ["llama", "music_transformer"])
def test_what_was_saved_without_them_stays_so_until_they_are_added(name, tmp_path):
    saved = MidiProcessor.from_pretrained(EARLIER / name)
    before = saved.vocab_size
    assert saved.infill_ids is None and before == len(saved.music_tokenizer)
    for _ in range(2):
        saved.add_infill_tokens()
        assert saved.infill_ids == tuple(range(before, before + 4)) and saved.vocab_size == before + 4
    saved.save_pretrained(tmp_path)
    assert MidiProcessor.from_pretrained(tmp_path).infill_ids == saved.infill_ids


def test_tokens_of_others_stay_beside_them(bare):
    bare.tokenizer.add_special_tokens({"extra_special_tokens": ["MASK_None"]})
    bare.add_infill_tokens()
    assert bare.tokenizer.convert_ids_to_tokens(range(bare.vocab_size - 5, bare.vocab_size)) == [
        "MASK_None",
        *INFILL_TOKENS,
    ]
    assert {"MASK_None", *INFILL_TOKENS} < set(bare.tokenizer.all_special_tokens)
    with pytest.raises(ValueError, match="MASK_None was added.*learn the vocabulary first"):
        bare.train_new_from_corpus(None, 2000)


def test_where_miditok_has_them_as_its_own_none_are_added(corpus):
    own = MidiProcessor.from_tokenization("TSD", special_tokens=["PAD", "BOS", "EOS", "SUF", "PRE", "MID", "EOM"])
    assert own.infill_ids == (3, 4, 5, 6) and own.vocab_size == len(own.music_tokenizer)
    ids = own.encode(random_score(2), add_bos=False)
    assert own.music_ids(scattered(ids, own.infill_ids)) == ids
    scores = GrammarLogitsProcessor(own)(torch.tensor([[1, *ids]]), torch.zeros(1, own.vocab_size))
    assert (scores[0, 3:7] == -torch.inf).all()
    learned = own.train_new_from_corpus(corpus["train"], own.vocab_size + 8, max_tokens=5000)
    assert learned.infill_ids == own.infill_ids and learned.vocab_size == own.vocab_size + 8
