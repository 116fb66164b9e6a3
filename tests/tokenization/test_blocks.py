import datasets
import numpy as np
import pytest
import torch
from datasets import Dataset, DatasetDict, Features, concatenate_datasets
from tokenization.sample_scores import random_score

from neuromusic_hf.tokenization import TOKEN_FEATURES, BlockCollator, make_blocks, tokenize_corpus
from neuromusic_hf.tokenization.blocks import IGNORED_LABEL

BOS, EOS = 1, 2


def token_split(pieces, num_notes=None):
    """A tokenised split of given ids; every piece has a note unless `num_notes` says otherwise."""
    rows = {"input_ids": pieces, "num_notes": num_notes or [1] * len(pieces)}
    return Dataset.from_dict(rows, features=Features({name: TOKEN_FEATURES[name] for name in rows}))


def random_pieces(count, longest, seed=0):
    rng = np.random.default_rng(seed)
    return [[BOS, *rng.integers(3, 500, rng.integers(1, longest)).tolist(), EOS] for _ in range(count)]


def joined(blocks):
    return [int(index) for block in blocks["input_ids"] for index in block]


def cut_at_bos(ids):
    """The pieces of a stream, found by their BOS."""
    starts = [index for index, token in enumerate(ids) if token == BOS]
    return [ids[start:end] for start, end in zip(starts, [*starts[1:], len(ids)], strict=True)]


@pytest.mark.parametrize("block_size", [1, 2, 7, 64, 100_000])
def test_blocks_are_whole_pieces_in_another_order_and_no_token_is_lost(block_size):
    pieces = random_pieces(40, 60)
    blocks = make_blocks(token_split(pieces), block_size)
    ids = joined(blocks)
    found = cut_at_bos(ids)
    assert sorted(found) == sorted(pieces) and found != pieces
    lengths = [len(block) for block in blocks["input_ids"]]
    assert lengths[:-1] == [block_size] * (len(lengths) - 1) and 1 <= lengths[-1] <= block_size
    assert len(lengths) == -(-sum(map(len, pieces)) // block_size)


def naive_blocks(tokens, block_size, seed):
    """One token after the other, in the order that is drawn for the seed."""
    order = np.random.default_rng(seed).permutation(len(tokens))
    pieces = [tokens[int(index)] for index in order]
    ids = [token for piece in pieces if piece["num_notes"] for token in piece["input_ids"]]
    return [ids[start : start + block_size] for start in range(0, len(ids), block_size)]


@pytest.mark.parametrize("block_size", [1, 7, 64, 5_000])
@pytest.mark.parametrize("selected", [False, True])
def test_blocks_are_those_of_one_token_after_the_other(block_size, selected, monkeypatch):
    monkeypatch.setattr("neuromusic_hf.tokenization.blocks.PIECES_AT_ONCE", 8)
    pieces = [*random_pieces(150, 90), *random_pieces(3, 3000), *[[BOS, EOS]] * 5]
    num_notes = [int(len(piece) > 2) for piece in pieces]
    tokens = concatenate_datasets([token_split(pieces[:70], num_notes[:70]), token_split(pieces[70:], num_notes[70:])])
    tokens = tokens.shuffle(seed=3).select(range(20, 130)) if selected else tokens
    for seed in (0, 1):
        found = make_blocks(tokens, block_size, seed=seed).with_format(None)["input_ids"][:]
        assert found == naive_blocks(tokens, block_size, seed)


def test_a_selection_without_notes_is_an_error_whatever_was_selected_from():
    tokens = token_split([[BOS, 5, EOS], [BOS, EOS]], [1, 0])
    with pytest.raises(ValueError, match="No piece of this split has a note"):
        make_blocks(tokens.select([1]), 16)


def test_blocks_that_fit_exactly_leave_no_short_one():
    blocks = make_blocks(token_split([[BOS, 3, EOS]] * 8), 6)
    assert [len(block) for block in blocks["input_ids"]] == [6] * 4


def test_the_order_depends_on_the_seed_alone(tmp_path, monkeypatch):
    tokens = token_split(random_pieces(40, 60))
    first, other = make_blocks(tokens, 32), make_blocks(tokens, 32, seed=1)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)  # so that the order is drawn again
    second = make_blocks(tokens, 32)
    assert joined(first) == joined(second) != joined(other)
    assert sorted(cut_at_bos(joined(first))) == sorted(cut_at_bos(joined(other)))


def test_size_seed_and_corpus_are_kept_apart_in_the_cache():
    pieces = random_pieces(10, 30)
    tokens = token_split(pieces)
    for block_size in (8, 16):
        assert len(make_blocks(tokens, block_size)[0]["input_ids"]) == block_size
    fewer = make_blocks(token_split(pieces[:5]), 8)
    assert sorted(cut_at_bos(joined(fewer))) == sorted(pieces[:5])


def test_pieces_without_notes_are_left_out():
    pieces = random_pieces(10, 30)
    blocks = make_blocks(token_split([*pieces, [BOS, EOS], [BOS, EOS]], [1] * 10 + [0, 0]), 16)
    assert sorted(cut_at_bos(joined(blocks))) == sorted(pieces)


@pytest.mark.parametrize("pieces", [[], [[BOS, EOS]]])
def test_a_split_without_notes_is_an_error(pieces):
    with pytest.raises(ValueError, match="No piece of this split has a note"):
        make_blocks(token_split(pieces, [0] * len(pieces)), 16)


def test_real_tokens_are_padded_by_less_than_two_percent(processor, corpus):
    tokens = tokenize_corpus(DatasetDict(train=corpus["train"]), processor)["train"]
    for block_size in (64, 128):
        blocks = make_blocks(tokens, block_size)
        batch = BlockCollator(0, block_size)(list(blocks))
        assert (batch["labels"] == IGNORED_LABEL).float().mean() < 0.02
        assert sorted(cut_at_bos(joined(blocks))) == sorted(tokens["input_ids"][:])
    score = processor.decode(cut_at_bos(joined(blocks))[3])
    assert score.note_num() > 10


def test_labels_are_the_ids_where_real_and_ignored_where_padded():
    rows = [{"input_ids": np.arange(3, 3 + length, dtype=np.int32)} for length in (8, 5, 1)]
    batch = BlockCollator(pad_token_id=0, block_size=8)(rows)
    assert batch["input_ids"].tolist() == [
        [3, 4, 5, 6, 7, 8, 9, 10],
        [3, 4, 5, 6, 7, 0, 0, 0],
        [3, 0, 0, 0, 0, 0, 0, 0],
    ]
    real = torch.arange(8) < torch.tensor([[8], [5], [1]])
    assert torch.equal(batch["attention_mask"], real.long())
    assert torch.equal(batch["labels"], torch.where(real, batch["input_ids"], IGNORED_LABEL))
    assert {tensor.dtype for tensor in batch.values()} == {torch.int64}


def test_a_token_that_is_pad_inside_a_piece_still_counts():
    batch = BlockCollator(pad_token_id=0, block_size=4)([{"input_ids": [0, 5]}])
    assert batch["labels"].tolist() == [[0, 5, -100, -100]] and batch["attention_mask"].tolist() == [[1, 1, 0, 0]]


def test_full_rows_need_no_mask():
    batch = BlockCollator(pad_token_id=0, block_size=4)([{"input_ids": [3, 4, 5, 6]}, {"input_ids": [7, 8, 9, 3]}])
    assert set(batch) == {"input_ids", "labels"} and torch.equal(batch["input_ids"], batch["labels"])


def test_a_long_piece_spans_blocks(processors):
    score = random_score(0, notes=200)
    ids = processors["REMI"].encode(score, add_eos=True)
    blocks = make_blocks(token_split([ids]), 100)
    assert len(blocks) > 5 and joined(blocks) == ids
