"""Tokens behind miditok's, and other changes to a processor: what is saved loads, or is refused at the save."""

import json

import pytest
import torch
from tiny import ONE_LAYER
from tokenization.sample_scores import note_list, random_score
from transformers import AutoProcessor, AutoTokenizer, GPT2LMHeadModel

from neuromusic_hf import MidiContinuationPipeline, MidiProcessor, build_model
from neuromusic_hf.grammar import GrammarLogitsProcessor, TokenGrammar
from neuromusic_hf.metrics import count_token_errors


@pytest.fixture(params=["plain", "BPE"])
def mine(request, processors, trained_processors, tmp_path):
    """A processor of its own, to be changed."""
    processor = processors["REMI"] if request.param == "plain" else trained_processors("REMI", request.param)
    processor.save_pretrained(tmp_path / "untouched")
    return MidiProcessor.from_pretrained(tmp_path / "untouched")


def add_tokens(processor):
    before = processor.vocab_size
    processor.tokenizer.add_tokens(["Genre_Jazz", "Composer_Bach"])
    processor.tokenizer.add_special_tokens({"extra_special_tokens": ["MASK_None"]})
    assert processor.vocab_size == before + 3
    return [before, before + 1, before + 2]


@pytest.mark.parametrize("load", [MidiProcessor.from_pretrained, AutoProcessor.from_pretrained])
def test_added_tokens_are_saved_with_processor_and_model_and_stand_for_no_music(mine, load, tmp_path):
    score = random_score(2)
    model = build_model("gpt2", mine, context_length=512, **ONE_LAYER)
    jazz, bach, mask = add_tokens(mine)
    model.resize_token_embeddings(len(mine.tokenizer))
    model.save_pretrained(tmp_path)
    mine.save_pretrained(tmp_path)
    loaded = load(tmp_path)
    assert loaded.vocab_size == mine.vocab_size and loaded.vocabulary_hash == mine.vocabulary_hash
    ids = loaded.encode(score)
    assert ids == mine.encode(score) and max(ids) < jazz
    expected = note_list(loaded.decode(ids))
    assert note_list(loaded.decode([jazz, *ids, bach, mask])) == expected and len(expected) > 10
    assert count_token_errors(loaded, [[jazz, *ids[1:], mask]]) == count_token_errors(loaded, [ids[1:]])
    assert [loaded.base_words[index] for index in (jazz, bach, mask)] == [[], [], []]
    assert build_model(str(tmp_path), loaded).config.vocab_size == loaded.vocab_size


def test_the_text_of_added_tokens_comes_back(mine, tmp_path):
    jazz, bach, mask = add_tokens(mine)
    mine.save_pretrained(tmp_path)
    ids = [1, jazz, *mine.encode(random_score(2), add_bos=False), bach, mask, jazz, 2]
    for tokenizer in (mine.tokenizer, AutoTokenizer.from_pretrained(tmp_path)):
        text = tokenizer.decode(ids)
        assert text.startswith(" BOS_None Genre_Jazz Bar_None") and tokenizer(text).input_ids == ids
        assert "".join(tokenizer.decode([index]) for index in ids) == text


def test_the_pipeline_writes_none_of_them(mine):
    jazz, bach, mask = add_tokens(mine)
    model = build_model("gpt2", mine, context_length=512, **ONE_LAYER).eval()
    with torch.no_grad():
        model.transformer.wte.weight[jazz:] *= 1000  # the output layer's too: nothing is likelier
    pipe = MidiContinuationPipeline(model, mine, device="cpu")
    for arguments in ({}, {"pitch_range": (50, 70)}, {"max_new_bars": 1}, {"do_sample": False}):
        result = pipe(random_score(2), prompt_length=60, max_new_tokens=30, seed=1, **arguments)
        assert result["token_ids"] and max(result["token_ids"]) < jazz
    free = pipe(random_score(2), prompt_length=60, max_new_tokens=10, seed=1, constrained=False)
    assert max(free["token_ids"]) >= jazz and free["midi"].note_num() == free["prompt"].note_num()


def test_the_grammar_reads_over_them(mine):
    ids = mine.encode(random_score(2))[:50]
    expected = GrammarLogitsProcessor(mine)(torch.tensor([ids]), torch.zeros(1, mine.vocab_size))
    jazz, bach, mask = add_tokens(mine)
    holding = GrammarLogitsProcessor(TokenGrammar.from_processor(mine))
    prompt = torch.tensor([[jazz, *ids[:20], mask, *ids[20:], bach]])
    found = holding(prompt, torch.zeros(1, mine.vocab_size))
    assert torch.equal(found[:, :jazz], expected) and (found[:, jazz:] == -torch.inf).all()


def test_a_vocabulary_cannot_be_learned_under_added_tokens(mine):
    add_tokens(mine)
    with pytest.raises(ValueError, match="learn the vocabulary first"):
        mine.train_new_from_corpus(None, 900)


def replace_a_token(folder):
    path = folder / "tokenizer.json"
    path.write_text(path.read_text().replace("Pitch_60", "Pitch_6O"))


def drop_a_token(folder):
    path = folder / "tokenizer.json"
    saved = json.loads(path.read_text())
    saved["model"]["vocab"].popitem()
    path.write_text(json.dumps(saved))


def leave_a_gap(folder):
    path = folder / "tokenizer.json"
    saved = json.loads(path.read_text())
    saved["model"]["vocab"]["Genre_Jazz"] = 2000
    path.write_text(json.dumps(saved))


@pytest.mark.parametrize("damage", [replace_a_token, drop_a_token, leave_a_gap])
def test_a_tokenizer_that_is_not_miditok_s_is_refused_at_the_save_and_at_the_load(processors, damage, tmp_path):
    processors["REMI"].save_pretrained(tmp_path / "damaged")
    mine = MidiProcessor.from_pretrained(tmp_path / "damaged")
    damage(tmp_path / "damaged")
    message = "different bundles, or miditok's tokens were replaced|Ids of the tokenizer are missing"
    with pytest.raises(ValueError, match=message):
        MidiProcessor.from_pretrained(tmp_path / "damaged")
    mine.tokenizer = AutoTokenizer.from_pretrained(tmp_path / "damaged")
    with pytest.raises(ValueError, match=message):
        mine.save_pretrained(tmp_path / "saved")
    assert not (tmp_path / "saved").exists()


@pytest.mark.parametrize("role", ["bos_token", "eos_token"])
def test_other_tokens_for_the_ends_of_pieces_are_refused_at_the_save(mine, role, tmp_path):
    mine.tokenizer.add_special_tokens({role: "<end>"})
    with pytest.raises(ValueError, match=f"{role}='<end>' of the tokenizer must be miditok's"):
        mine.save_pretrained(tmp_path / "saved")


def test_padding_may_be_another_token(mine, tmp_path):
    for number, change in enumerate(({"pad_token": "EOS_None"}, {"pad_token": "<pad>"})):
        mine.tokenizer.add_special_tokens(change)
        folder = tmp_path / str(number)
        model = build_model("gpt2", mine, context_length=512, **ONE_LAYER)
        model.save_pretrained(folder)
        mine.save_pretrained(folder)
        pipe = MidiContinuationPipeline(GPT2LMHeadModel.from_pretrained(folder), device="cpu")
        pieces = [random_score(2), random_score(3, notes=20)]
        assert pipe.processor.tokenizer.pad_token == change["pad_token"]
        results = pipe(pieces, prompt_length=40, max_new_tokens=20, batch_size=2, seed=1)
        assert [result["prompt"].note_num() > 3 for result in results] == [True, True]


@pytest.mark.parametrize("change", ["train", "config", "add_to_vocab"])
def test_a_music_tokenizer_changed_under_the_processor_is_refused_at_the_save(change, processors, corpus, tmp_path):
    mine = MidiProcessor.from_music_tokenizer(MidiProcessor.from_tokenization("REMI").music_tokenizer)
    if change == "train":
        files = [tmp_path / f"{seed}.mid" for seed in range(3)]
        for seed, path in enumerate(files):
            random_score(seed).dump_midi(path)
        mine.music_tokenizer.train(vocab_size=1000, files_paths=files)
    elif change == "config":
        mine.music_tokenizer.config.use_chords = False
    else:
        mine.music_tokenizer.add_to_vocab("Mood_loud")
    with pytest.raises(ValueError, match="changed after this processor was made.*from_music_tokenizer"):
        mine.save_pretrained(tmp_path / "saved")


def test_other_changes_of_the_tokenizer_survive(mine, tmp_path):
    mine.tokenizer.padding_side = "left"
    mine.tokenizer.model_max_length = 1024
    mine.tokenizer.chat_template = "{{ messages }}"
    mine.save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(tmp_path).save_pretrained(tmp_path)
    loaded = MidiProcessor.from_pretrained(tmp_path)
    assert (loaded.tokenizer.padding_side, loaded.tokenizer.model_max_length) == ("left", 1024)
    assert loaded.tokenizer.chat_template == "{{ messages }}"
    loaded.save_pretrained(tmp_path)
    assert MidiProcessor.from_pretrained(tmp_path).encode(random_score(1)) == mine.encode(random_score(1))
