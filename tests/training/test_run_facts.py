"""What the record of a run says about its corpus and its vocabulary."""

import pytest
from datasets import DatasetDict, concatenate_datasets
from music import make_score
from symusic import Note, Score, Track

from neuromusic_hf import MidiProcessor, load_corpus
from neuromusic_hf.tokenization import Augmentation, Tally, tokenize_corpus
from neuromusic_hf.training import DataArguments, ModelArguments, TrainingBlocks, prepare_processor


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    """Twelve pieces, and one below the lowest key of a piano."""
    folder, cache = tmp_path_factory.mktemp("pieces"), tmp_path_factory.mktemp("cache")
    for seed in range(12):
        make_score(seed).dump_midi(folder / f"{seed}.mid")
    low = Score(480)
    low.tracks.append(Track(program=1))
    for beat in range(30):
        low.tracks[0].notes.append(Note(480 * beat, 480, beat % 3, 64))
    low.dump_midi(folder / "low.mid")
    return concatenate_datasets(load_corpus(folder, cache_dir=cache, split_shares=(0.8, 0.1, 0.1)).values())


def test_facts_count_pieces_and_not_their_variants(train):
    processor = MidiProcessor.from_tokenization("TSD", pitch_range=(21, 109))
    tokens = tokenize_corpus(DatasetDict(train=train), processor, augmentation=Augmentation(variants=2))
    facts = TrainingBlocks.from_tokens(tokens, DataArguments(context_length=64), seed=0).facts["train"]
    assert len(tokens["train"]) == 3 * len(train)
    assert facts["left_out"] == {"no_notes_in_vocabulary": ["low.mid"]}
    assert facts["pieces"] == len(train) - 1 and facts["rows"] == 3 * facts["pieces"]
    changed = facts["changed_by_tokenizer"]
    assert changed["pieces"] == len(train) and changed["worst"][0]["piece"] == "low.mid"
    assert changed["total"] == sum((processor.tally(score) for score in train["midi"]), Tally()).to_dict()


def test_a_split_of_which_no_note_is_kept_is_refused_by_name(train):
    processor = MidiProcessor.from_tokenization("TSD", pitch_range=(21, 109))
    low = [row for row, score in enumerate(train["midi"]) if score.tracks[0].notes[0].pitch < 21]
    tokens = tokenize_corpus(DatasetDict(train=train, validation=train.select(low)), processor)
    with pytest.raises(ValueError, match="The validation split would be empty: .* no note of its 1 rows"):
        TrainingBlocks.from_tokens(tokens, DataArguments(context_length=64), seed=0)


def test_a_vocabulary_smaller_than_asked_for_is_told_by_every_run_that_takes_it(train, caplog, monkeypatch):
    arguments = ModelArguments(tokenization="TSD", vocab_size=30_000)
    found = prepare_processor(arguments, train).vocab_size
    message = f"TSD learned a vocabulary of {found} ids, not the 30000 asked for"
    assert found < 30_000 and caplog.text.count(message) == 1
    monkeypatch.delattr(MidiProcessor, "train_new_from_corpus")
    prepare_processor(arguments, train)
    assert caplog.text.count(message) == 2
