"""The examples keep what they promise; that they run is proved with the pages that show them."""

from pathlib import Path

import pytest
import torch
from music import make_score
from transformers import AutoModelForCausalLM

from neuromusic_hf import MidiContinuationPipeline, MidiProcessor, build_model, load_corpus
from neuromusic_hf.music import RefusedFile


@pytest.fixture(autouse=True)
def examples(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "examples")


@pytest.fixture
def gru(processor_of):
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2}
    return build_model("own_model.MusicGruForCausalLM", processor_of("REMI"), **sizes).eval()


def test_the_model_is_blind_to_padding_on_the_left(gru):
    ids = torch.randint(3, gru.config.vocab_size, (1, 12))
    padded = torch.cat([torch.full((1, 5), gru.config.pad_token_id), ids], dim=1)
    torch.testing.assert_close(gru(padded).logits[:, 5:], gru(ids).logits)


def test_the_model_comes_back_from_its_bundle(gru, processor_of, tmp_path):
    MidiContinuationPipeline(gru, processor_of("REMI"), device="cpu").save_pretrained(tmp_path)
    again = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert type(again) is type(gru) and (tmp_path / "own_model.py").exists()
    ids = torch.randint(3, gru.config.vocab_size, (2, 8))
    torch.testing.assert_close(again(ids).logits, gru(ids).logits)


def test_the_tokenizer_says_its_density_and_keeps_the_notes_that_tsd_keeps(processor_of):
    processor = MidiProcessor.from_tokenization("own_tokenizer.DensityTSD")
    score = make_score(1)
    ids = processor(score)["input_ids"]
    assert processor.tokenizer.convert_ids_to_tokens(ids[1]).startswith("Density_")
    theirs = processor_of("TSD")
    assert processor.decode(ids) == theirs.decode(theirs(score)["input_ids"])


def test_pieces_of_the_corpus_are_all_different(tmp_path):
    from own_corpus import Exercises

    corpus = load_corpus(Exercises, cache_dir=tmp_path)
    hashes = [content_hash for split in corpus.values() for content_hash in split["content_hash"]]
    assert len(set(hashes)) == len(hashes) == 48
    assert corpus.quarantine.refused == {} and corpus.quarantine.mended == {}


def test_density_is_in_notes_a_quarter_and_its_distance_in_doublings():
    from own_comparison import DENSITY

    sparse, dense = make_score(3), make_score(3)
    for track in dense.tracks:
        track.notes.extend(note.shift_time(1) for note in list(track.notes))
    features = [DENSITY.feature(score) for score in (sparse, dense)]
    assert features[1] == pytest.approx(2 * features[0], rel=0.01)
    assert DENSITY.distance(*features) == pytest.approx(1, abs=0.02) == DENSITY.distance(*features[::-1])
    sparse.tracks = []
    with pytest.raises(RefusedFile, match="no_density"):
        DENSITY.feature(sparse)
