"""The harmony embedding: learned the same twice, kept without pickle, and no word is lost."""

import json
import re

import numpy as np
import pytest
from datasets import Dataset, Features
from huggingface_hub import HfApi
from music import make_score
from safetensors.numpy import save_file
from symusic import Note, Score, Track

from neuromusic_hf.metrics import HarmonyEmbedding, load_harmony_embedding
from neuromusic_hf.metrics.embedding import SHIPPED_EMBEDDING, UNKNOWN_WORD
from neuromusic_hf.metrics.embedding_training import EmbeddingSettings, reduce_corpus, train_harmony_embedding
from neuromusic_hf.music import Midi

SMALL = EmbeddingSettings(vector_size=8)


@pytest.fixture
def reductions():
    random = np.random.default_rng(0)
    return [[*random.choice(["I", "IV", "V", "vi6", "-"], 30).tolist(), f"rare{number}"] for number in range(20)]


@pytest.fixture
def embedding(reductions):
    return train_harmony_embedding(reductions, SMALL, source={"corpus": "bach"})


def test_what_was_trained_again_is_told_apart_by_its_words_and_vectors():
    first = HarmonyEmbedding(("<unknown>", "I"), np.eye(2))
    other = [HarmonyEmbedding(("<unknown>", "I"), 2 * np.eye(2)), HarmonyEmbedding(("<unknown>", "V"), np.eye(2))]
    assert len({first.sha256, *(each.sha256 for each in other)}) == 3
    assert HarmonyEmbedding(first.words, first.vectors, {"pieces": 1}).sha256 == first.sha256


def test_rare_words_become_the_one_unknown_word(embedding):
    assert embedding.words[0] == UNKNOWN_WORD and set(embedding.words[1:]) == {"I", "IV", "V", "vi6", "-"}
    assert embedding.vectors.shape == (6, 8)
    assert embedding.training["rare_words"] == 20 and embedding.training["bars"] == 620
    assert embedding.count_words(["I", "rare3", "never"]) == {"words": 3, "unknown_words": 2}
    assert np.array_equal(embedding.mean_vector(["rare3"]), embedding.mean_vector(["never"]))


def test_a_piece_is_the_mean_of_its_words(embedding):
    index = {word: number for number, word in enumerate(embedding.words)}
    words = ["I", "I", "V", "unheard"]
    expected = np.mean([embedding.vectors[index.get(word, 0)] for word in words], axis=0)
    assert np.allclose(embedding.mean_vector(words), expected)
    assert embedding.similarity(words, words[::-1]) == pytest.approx(1)


def test_the_same_pieces_and_seed_give_the_same_vectors(reductions, embedding):
    again = train_harmony_embedding(iter(reductions), SMALL)
    assert again.words == embedding.words and np.array_equal(again.vectors, embedding.vectors)
    other = train_harmony_embedding(reductions, EmbeddingSettings(vector_size=8, seed=1))
    assert not np.array_equal(other.vectors, embedding.vectors)


def test_without_rare_words_the_unknown_word_is_the_mean():
    embedding = train_harmony_embedding([["I", "V"] * 5], SMALL)
    assert np.allclose(embedding.vectors[0], embedding.vectors[1:].mean(axis=0))


def test_too_little_music_is_refused():
    with pytest.raises(ValueError, match="min_count"):
        train_harmony_embedding([["I", "V"]], SMALL)


def test_saved_and_loaded_it_is_the_same(embedding, tmp_path):
    embedding.save_pretrained(tmp_path / "harmony")
    assert {path.suffix for path in (tmp_path / "harmony").iterdir()} == {".json", ".safetensors"}
    for again in (
        HarmonyEmbedding.from_pretrained(tmp_path / "harmony"),
        load_harmony_embedding(tmp_path / "harmony"),
    ):
        assert again.words == embedding.words and again.training == embedding.training
        assert np.array_equal(again.vectors, embedding.vectors)
    assert load_harmony_embedding(embedding) is embedding


def test_files_that_do_not_fit_are_refused(embedding, tmp_path):
    embedding.save_pretrained(tmp_path)
    stored = json.loads((tmp_path / "harmony_embedding.json").read_text())
    (tmp_path / "harmony_embedding.json").write_text(json.dumps(stored | {"words": stored["words"][:-1]}))
    with pytest.raises(ValueError, match="5 words need as many vectors"):
        HarmonyEmbedding.from_pretrained(tmp_path)
    with pytest.raises(ValueError, match="begin with"):
        HarmonyEmbedding(("I", "V"), np.ones((2, 3)))
    with pytest.raises(ValueError, match="finite"):
        HarmonyEmbedding((UNKNOWN_WORD,), np.full((1, 3), np.nan))


@pytest.mark.parametrize(
    "content",
    ["[]", "{}", '{"words": "I", "training": {}}', '{"words": [1]}', "", pytest.param("[" * 100_000, id="deep")],
)
def test_words_of_another_shape_are_refused_by_name(embedding, tmp_path, content):
    embedding.save_pretrained(tmp_path)
    (tmp_path / "harmony_embedding.json").write_text(content)
    with pytest.raises(ValueError, match=f"{tmp_path}/harmony_embedding.json.*train_harmony_embedding.py"):
        HarmonyEmbedding.from_pretrained(tmp_path)


@pytest.mark.parametrize("content", [b"", b"garbage" * 9, "half", "another"])
def test_vectors_that_cannot_be_read_are_refused_by_name(embedding, tmp_path, content):
    embedding.save_pretrained(tmp_path)
    path = tmp_path / "harmony_embedding.safetensors"
    if content == "another":
        save_file({"weights": np.ones((6, 8))}, path)
    else:
        path.write_bytes(path.read_bytes()[:-9] if content == "half" else content)
    with pytest.raises(ValueError, match=f"{tmp_path} holds no harmony embedding.*train_harmony_embedding.py"):
        HarmonyEmbedding.from_pretrained(tmp_path)


@pytest.mark.parametrize("name", ["somebody/harmony", "runs/a/harmony"])
def test_an_embedding_that_is_nowhere_is_named(name):
    with pytest.raises(OSError, match=f"no harmony embedding '{name}'"):
        load_harmony_embedding(name)


def test_what_is_pushed_can_be_loaded(hub, embedding, capsys):
    embedding.push_to_hub("alice/harmony", private=True, revision="trial", tag="v1", commit_message="Mine")
    assert HfApi().list_repo_commits("alice/harmony", revision="trial")[0].title == "Mine"
    assert hub.is_private("alice/harmony") and not hub.files("alice/harmony")
    files = {"harmony_embedding.safetensors", "harmony_embedding.json", "README.md"}
    assert hub.files("alice/harmony", "trial").keys() == files
    again = load_harmony_embedding("alice/harmony", "v1")
    assert again.sha256 == embedding.sha256 and again.training == embedding.training


def test_its_card_tells_how_it_was_made_and_how_it_is_used(hub, reductions, capsys):
    corpus = {
        "name": "maestro",
        "licence": "cc-by-nc-sa-4.0",
        "splits": "official",
        "dataset": None,
        "citation": "@x{y}",
    }
    source = {"corpora": [corpus], "split": "train", "dropped": {"no_notes": 2}}
    embedding = train_harmony_embedding(reductions, SMALL, source)
    embedding.push_to_hub("alice/harmony")
    card = hub.files("alice/harmony")["README.md"].decode()
    for said in (
        "license: cc-by-nc-sa-4.0",
        "library_name: neuromusic_hf",
        "maestro",
        "no use for money",
        "2 no\\_notes",
    ):
        assert said in card
    for said in (embedding.sha256, "6 words, 8 numbers", "620 bars", "vector_size: 8", "gensim 4", "@x{y}"):
        assert said in card
    (code,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    exec(code, {})
    assert -1 <= float(capsys.readouterr().out) <= 1
    assert "--harmony_embedding alice/harmony " in card
    hub.put("alice/harmony", {"README.md": f"{card}\nMy words.".encode()})
    train_harmony_embedding(reductions, EmbeddingSettings(vector_size=4), source).push_to_hub("alice/harmony")
    card = hub.files("alice/harmony")["README.md"].decode()
    assert "6 words, 4 numbers" in card and "My words." in card and embedding.sha256 not in card


def test_no_path_is_pushed(hub, reductions):
    for corpus, name in (("/home/alice/my music+bach", "my music+bach"), ("alice/songs", "alice/songs")):
        training = train_harmony_embedding(reductions, SMALL, {"corpus": corpus})
        training.push_to_hub("alice/harmony")
        assert load_harmony_embedding("alice/harmony").training["source"] == {"corpus": name}
        assert name in hub.files("alice/harmony")["README.md"].decode()


def test_without_a_shipped_embedding_the_error_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr("neuromusic_hf.metrics.embedding.SHIPPED_EMBEDDING", tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="train_harmony_embedding.py"):
        load_harmony_embedding()


def test_the_shipped_embedding_loads_and_is_small():
    embedding = load_harmony_embedding()
    assert embedding.count_words(["I", "V", "-", "i", "iv"])["unknown_words"] == 0
    assert sum(path.stat().st_size for path in SHIPPED_EMBEDDING.iterdir()) < 2**20


def test_the_script_learns_from_a_folder_of_midi(hub, midi_folder, tmp_path, call_script):
    options = ("--vector_size", 8, "--output", tmp_path, "--push_to_hub", "alice/harmony", "--private")
    with pytest.raises(SystemExit):
        call_script("train_harmony_embedding", midi_folder, "--output", tmp_path, "--push_tag", "v1")
    call_script("train_harmony_embedding", midi_folder, *options, "--push_revision", "trial", "--push_tag", "v1")
    assert not hub.files("alice/harmony")
    embedding = load_harmony_embedding(tmp_path)
    assert embedding.vectors.shape[1] == 8 and embedding.training["pieces"] > 20
    source = embedding.training["source"]
    assert (source["split"], source["dropped"]) == ("train", {})
    assert [corpus["name"] for corpus in source["corpora"]] == [midi_folder.name]
    for revision in ("trial", "v1"):
        assert load_harmony_embedding("alice/harmony", revision).sha256 == embedding.sha256
    assert hub.is_private("alice/harmony")
    for content in hub.files("alice/harmony", "trial").values():
        assert str(midi_folder).encode() not in content and b"/tmp/" not in content


def test_pieces_without_harmony_are_counted():
    drums = Score(480)
    drums.tracks.append(Track(is_drum=True, notes=[Note(0, 480, 36, 90)]))
    pieces = Dataset.from_dict({"midi": [make_score(0), drums, Score(480)]}, features=Features({"midi": Midi()}))
    reductions, dropped = reduce_corpus(pieces)
    assert len(reductions) == 1 and dropped == {"drums_only": 1, "no_notes": 1}
