import pytest
from datasets import Dataset, Features
from tokenization.sample_scores import SCORES, clip_gaps, note_list, random_score

from neuromusic_hf.music import Midi
from neuromusic_hf.tokenization import vocabulary_training


def test_training_leaves_the_untrained_processor_as_it_was(processors, corpus):
    untrained = processors["TSD"]
    before = untrained.to_dict()
    trained = untrained.train_new_from_corpus(corpus["train"], untrained.vocab_size + 30)
    assert trained.music_tokenizer.is_trained and not untrained.music_tokenizer.is_trained
    assert untrained.to_dict() == before


def test_the_vocabulary_grows_to_the_size_asked_for_and_pieces_get_shorter(trained_processor, processors):
    base = processors[trained_processor.tokenization]
    assert base.vocab_size < trained_processor.vocab_size <= base.vocab_size + 60
    score = random_score(200)
    learned, plain = trained_processor.encode(score), base.encode(score)
    assert len(learned) < 0.95 * len(plain)
    assert max(learned) < trained_processor.vocab_size


def test_ids_are_those_of_miditok(trained_processor):
    score = random_score(201)
    expected = trained_processor.music_tokenizer(score).ids
    assert trained_processor.encode(score, add_eos=True) == [1, *expected, 2]


def test_the_round_trip_stays_exact(trained_processor, processors):
    """Also for tokens that no piece of the training corpus had: other meters, tempos, programs, pitches."""
    for name in SCORES:
        score = SCORES[name]()
        expected = note_list(trained_processor.quantise(score))
        if trained_processor.tokenization == "Structured":
            expected = clip_gaps(expected, 256)
        decoded = trained_processor.decode(trained_processor.encode(score, add_eos=True))
        assert note_list(decoded) == expected, name


def test_token_text_is_that_of_the_untrained_tokenizer(trained_processor, processors):
    base = processors[trained_processor.tokenization]
    for name in SCORES:
        score = SCORES[name]()
        text = base.tokenizer.decode(base.encode(score, add_bos=False))
        ids = trained_processor.encode(score, add_bos=False)
        assert trained_processor.tokenizer.decode(ids) == text, name
        again = trained_processor.tokenizer(text).input_ids
        assert trained_processor.tokenizer.decode(again) == text, name
        if trained_processor.music_tokenizer._model_name != "WordPiece":
            assert again == ids, name


def test_special_tokens_keep_their_ids(trained_processor):
    tokenizer = trained_processor.tokenizer
    assert [tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id] == [0, 1, 2]
    assert sorted(tokenizer.all_special_ids) == [0, 1, 2, *trained_processor.infill_ids]
    assert tokenizer.convert_ids_to_tokens([0, 1, 2]) == ["PAD_None", "BOS_None", "EOS_None"]
    assert tokenizer("BOS_None EOS_None PAD_None").input_ids == [1, 2, 0]
    assert tokenizer.decode([0, 1, 2]) == " PAD_None BOS_None EOS_None"
    vocabulary = tokenizer.get_vocab()
    assert sorted(vocabulary.values()) == list(range(trained_processor.vocab_size))
    score = random_score(202)
    ids = trained_processor.encode(score, add_bos=False)
    assert note_list(trained_processor.decode([1, *ids, 2, 0, 0])) == note_list(trained_processor.decode(ids))


def test_the_same_seed_learns_the_same_vocabulary_and_reads_in_the_same_order(processors, corpus):
    def learn(seed):
        return processors["TSD"].train_new_from_corpus(corpus["train"], 870, max_tokens=2000, seed=seed)

    assert learn(1).vocabulary_hash == learn(1).vocabulary_hash != learn(2).vocabulary_hash


def test_max_tokens_bounds_what_is_read(processors, corpus, monkeypatch):
    read = []
    load = vocabulary_training.load_score

    def counting_load(midi):
        score = load(midi)
        read.append(len(processors["TSD"].encode(score, add_bos=False)))
        return score

    monkeypatch.setattr(vocabulary_training, "load_score", counting_load)
    processors["TSD"].train_new_from_corpus(corpus["train"], 860, max_tokens=1500)
    assert sum(read) >= 1500 > sum(read[:-1])
    assert len(read) < len(corpus["train"]) / 3
    read.clear()
    processors["TSD"].train_new_from_corpus(corpus["train"], 860)
    assert len(read) == len(corpus["train"])


def test_a_vocabulary_without_room_to_learn_is_an_error(processors, corpus):
    base = processors["TSD"].vocab_size
    for size in (0, base):
        with pytest.raises(ValueError, match=f"vocab_size={size} leaves nothing to learn: TSD has {base}"):
            processors["TSD"].train_new_from_corpus(corpus["train"], size)


def test_an_unknown_model_is_an_error_that_names_the_choices(processors, corpus):
    with pytest.raises(ValueError, match="'bpe'.*BPE, Unigram, WordPiece"):
        processors["TSD"].train_new_from_corpus(corpus["train"], 900, "bpe")


def test_a_trained_processor_can_be_trained_anew(trained_processors, processors, corpus):
    trained = trained_processors("TSD", "BPE")
    again = trained.train_new_from_corpus(corpus["train"], trained.vocab_size + 20)
    assert again.vocab_size == trained.vocab_size + 20
    score = random_score(203)
    assert note_list(again.decode(again.encode(score))) == note_list(trained.decode(trained.encode(score)))


def test_pieces_without_notes_do_not_stop_training(processors):
    scores = [random_score(0), *[SCORES["drums_only"]()], random_score(1)]
    silent = random_score(2)
    silent.tracks = []
    rows = {"midi": [score.dumps_midi() for score in [silent, *scores, silent]]}
    corpus = Dataset.from_dict(rows, features=Features({"midi": Midi()}))
    assert processors["REMI"].train_new_from_corpus(corpus, 940).vocab_size == 940


def test_a_vocabulary_that_stays_smaller_than_asked_for_is_told(processors, caplog):
    rows = {"midi": [random_score(1).dumps_midi()]}
    corpus = Dataset.from_dict(rows, features=Features({"midi": Midi()}))
    trained = processors["TSD"].train_new_from_corpus(corpus, 20_000)
    assert f"TSD learned a vocabulary of {trained.vocab_size} ids, not the 20000 asked for" in caplog.text
    caplog.clear()
    exact = processors["TSD"].train_new_from_corpus(corpus, processors["TSD"].vocab_size + 3)
    assert exact.vocab_size == processors["TSD"].vocab_size + 3 and not caplog.text
