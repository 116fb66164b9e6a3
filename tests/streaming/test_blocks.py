"""A stream of pieces as blocks: the same as without streaming, shared among workers, gone on with anywhere."""

import itertools
import pickle
from collections import Counter

import numpy as np
import pytest
from datasets import DatasetDict
from infilling.naive_samples import unpacked
from music import make_score

from neuromusic_hf import MidiProcessor, load_corpus
from neuromusic_hf.corpora import stretches
from neuromusic_hf.streaming import select_splits, window
from neuromusic_hf.streaming.blocks import POSITION, StreamedBlocks
from neuromusic_hf.streaming.counts import facts_of_stream
from neuromusic_hf.streaming.loader import StreamLoader, StreamState
from neuromusic_hf.streaming.pieces import PieceStream, Place, Share
from neuromusic_hf.streaming.window import WindowMaker
from neuromusic_hf.tokenization import BlockCollator, tokenize_corpus
from neuromusic_hf.training import DataArguments, RunArguments
from neuromusic_hf.training.split_blocks import split_facts

SIZE, WHOLE = 64, Share()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A corpus in three Parquet files of train, of eight row groups in all, and one of each other split."""
    folder = tmp_path_factory.mktemp("stream ed")
    source = tmp_path_factory.mktemp("source")
    for seed in range(30):
        make_score(seed, 40 + 4 * seed).dump_midi(source / f"{seed:02d}.mid")
    whole = load_corpus(source, split_shares=(0.75, 0.15, 0.1), cache_dir=folder / "cache")
    train = whole["train"]
    for number in range(3):
        rows = train.shard(3, number, contiguous=True)
        rows.to_parquet(folder / f"train-{number:05d}-of-00003.parquet", batch_size=3)
    for split in ("validation", "test"):
        whole[split].to_parquet(folder / f"{split}-00000-of-00001.parquet")
    return folder


@pytest.fixture(autouse=True)
def small_stretches(monkeypatch):
    monkeypatch.setattr(stretches, "FEWEST_ROWS", 1)


@pytest.fixture
def streamed(folder):
    return load_corpus(folder, streaming=True)


@pytest.fixture
def whole(folder):
    return load_corpus(folder, cache_dir=folder / "cache")


@pytest.fixture(scope="module")
def with_infilling():
    processor = MidiProcessor.from_tokenization("REMI")
    processor.add_infill_tokens()
    return processor


@pytest.fixture
def make_blocks(streamed, with_infilling):
    def make(process=0, processes=1, seed=0, processor=with_infilling, **changed):
        data_args = DataArguments(**({"context_length": SIZE, "infill_share": 0.0, "shuffle_buffer": 5} | changed))
        return StreamedBlocks(
            WindowMaker(PieceStream(streamed, "train", seed), processor, data_args, seed), process, processes
        )

    return make


def first(blocks, count, share=WHOLE):
    return list(itertools.islice(blocks.blocks(share), count))


def ids_of(rows):
    return [row["input_ids"].tolist() for row in rows]


def hashes_in(stream, passes, share=WHOLE):
    return [each.row["content_hash"] for each in stream.read(Place(passes), share) if each.is_piece]


@pytest.mark.parametrize("buffer", [1, 5, 100])
@pytest.mark.parametrize("tokenization", ["REMI", "REMI BPE"])
def test_in_the_same_order_blocks_are_those_without_streaming(
    buffer, tokenization, make_blocks, whole, processor_of, monkeypatch
):
    monkeypatch.setattr(window, "mixed", lambda count, random: np.arange(count))
    processor = processor_of(tokenization)
    blocks = make_blocks(processor=processor, shuffle_buffer=buffer)
    order = [each for passes in range(2) for each in hashes_in(blocks.maker.stream, passes)]
    tokens = {row["content_hash"]: row["input_ids"] for row in tokenize_corpus(whole, processor)["train"]}
    joined = [number for content_hash in order for number in tokens[content_hash]]
    expected = [joined[start : start + SIZE] for start in range(0, len(joined) - SIZE + 1, SIZE)]
    assert ids_of(first(blocks, len(expected))) == expected


def test_each_window_is_mixed_and_loses_nothing(make_blocks, monkeypatch):
    plain, mixed = make_blocks(shuffle_buffer=100), make_blocks(shuffle_buffer=100)
    count = len(hashes_in(plain.maker.stream, 0))
    texts = first(mixed, 160)
    monkeypatch.setattr(window, "mixed", lambda count, random: np.arange(count))
    unmixed = first(plain, 160)
    assert ids_of(texts) != ids_of(unmixed)
    of_window = texts[0][POSITION].counts
    assert of_window.pieces == count and of_window == unmixed[0][POSITION].counts
    of_blocks, of_unmixed = (Counter(itertools.chain(*ids_of(each[: of_window.blocks]))) for each in (texts, unmixed))
    rest = [each[0][POSITION].position for each in (texts, unmixed)]
    assert of_blocks.total() == of_unmixed.total() == of_window.blocks * SIZE and rest[0].digest != rest[1].digest


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("fewest", [1, 8])
def test_in_each_pass_every_piece_is_in_one_share_and_comes_once(count, fewest, streamed, whole, monkeypatch):
    monkeypatch.setattr("neuromusic_hf.streaming.pieces.FEWEST_STRETCHES", fewest)
    stream = PieceStream(streamed, "train", 0)
    assert stream.takes_rows(count) == (fewest == 8 and count > 1) and len(stream.stretches) == 8
    orders = []
    for passes in range(3):
        shares = [hashes_in(stream, passes, Share(number, count)) for number in range(count)]
        assert all(shares) and sorted(itertools.chain(*shares)) == sorted(whole["train"]["content_hash"])
        orders.append(shares)
    assert orders[0] != orders[1] != orders[2]
    assert hashes_in(PieceStream(streamed, "train", 1), 0) != hashes_in(stream, 0)


@pytest.mark.parametrize("share", [Share(), Share(1, 2)])
@pytest.mark.parametrize(
    ("count", "changed"), [(190, {}), (60, {"infill_share": 0.5, "augmentation_variants": 2, "shuffle_buffer": 2})]
)
def test_a_stream_goes_on_from_any_block(share, count, changed, make_blocks):
    rows = first(make_blocks(**changed), count, share)
    assert rows[-1][POSITION].counts.passes or changed
    for taken in (1, 27, count - 40, count - 1):
        blocks = make_blocks(**changed)
        blocks.begin_at = {share.number: rows[taken - 1][POSITION].position}
        again = first(blocks, count - taken, share)
        assert ids_of(again) == ids_of(rows[taken:])
        assert [row[POSITION] for row in again] == [row[POSITION] for row in rows[taken:]]


def test_workers_that_do_not_fork_are_given_the_stream(make_blocks):
    blocks = make_blocks(infill_share=0.2)
    assert ids_of(first(pickle.loads(pickle.dumps(blocks)), 9)) == ids_of(first(blocks, 9))


def test_other_pieces_than_then_are_refused(make_blocks):
    [row] = first(make_blocks(), 1)
    blocks = make_blocks(seed=1)
    blocks.begin_at = {0: row[POSITION].position}
    with pytest.raises(ValueError, match="are not those of then. Give the same corpus"):
        first(blocks, 1)


def test_a_share_without_pieces_is_told(make_blocks):
    with pytest.raises(ValueError, match="for each of 40 processes and workers"):
        for number in range(40):
            first(make_blocks(), 1, Share(number, 40))


def test_a_stream_without_a_note_to_train_on_is_told(make_blocks, folder, tmp_path):
    out_of_range = MidiProcessor.from_tokenization("REMI", pitch_range=(100, 109))
    with pytest.raises(ValueError, match="No piece of the train split has a note .*Take another tokenization"):
        first(make_blocks(processor=out_of_range), 1)
    for path in [*folder.glob("validation*"), *folder.glob("test*")]:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    args = RunArguments(output_dir=str(tmp_path / "run"), bf16=False, max_steps=1)
    with pytest.raises(ValueError, match="the train split of its stream is empty"):
        select_splits(load_corpus(tmp_path, streaming=True), args)


def test_a_stream_is_not_tokenised_as_a_whole(streamed, with_infilling):
    with pytest.raises(TypeError, match="the train split of this one is a stream: load it without streaming"):
        tokenize_corpus(streamed, with_infilling)


def test_workers_read_shares_of_their_own_and_a_state_goes_on_with_the_next(make_blocks, tmp_path):
    def batches(state, count):
        args = RunArguments(output_dir=str(tmp_path), dataloader_num_workers=2, bf16=False, max_steps=1)
        collate = BlockCollator(0, SIZE)
        loader = StreamLoader(make_blocks(process=1, processes=2), collate, 3, args, state)
        return [batch["input_ids"].tolist() for batch in itertools.islice(loader, count)]

    found = batches(StreamState(), 7)
    shares = [ids_of(first(make_blocks(), 12, Share(number, 4))) for number in (2, 3)]
    assert found == [shares[number % 2][number // 2 * 3 :][:3] for number in range(7)]
    for taken in (3, 4):
        state = StreamState()
        batches(state, taken)
        assert (state.batches, state.workers) == (taken, 2)
        assert batches(state, 7 - taken) == found[taken:]


def test_each_pass_reads_one_variant_of_each_piece(make_blocks, whole, with_infilling, monkeypatch):
    monkeypatch.setattr(window, "mixed", lambda count, random: np.arange(count))
    blocks = make_blocks(augmentation_variants=2, shuffle_buffer=100)
    augmentation = blocks.maker.augmentation
    rows = tokenize_corpus(whole, with_infilling, augmentation=augmentation)["train"]
    variants = {}
    for row in rows:
        variants.setdefault(row["content_hash"], []).append(row["input_ids"])
    stream = blocks.maker.stream
    order = [variants[each][passes % 3] for passes in range(4) for each in hashes_in(stream, passes)]
    joined = list(itertools.chain(*order))
    assert list(itertools.chain(*ids_of(first(blocks, len(joined) // SIZE)))) == joined[: len(joined) // SIZE * SIZE]


@pytest.mark.parametrize("share", [0.25, 0.7])
def test_so_many_of_the_tokens_are_samples_of_infilling(share, make_blocks, with_infilling):
    plain = first(make_blocks(context_length=128, shuffle_buffer=8), 1)[0][POSITION].counts
    blocks = make_blocks(context_length=128, infill_share=share, shuffle_buffer=8)
    counts = first(blocks, 1)[0][POSITION].counts
    rows = first(blocks, counts.blocks)
    packed = [row for row in rows if row["input_ids"][0] == with_infilling.infill_ids.suffix]
    samples = unpacked(packed, with_infilling)
    assert (counts.infill_samples, counts.infill_tokens) == (len(samples), sum(map(len, samples)))
    assert share <= counts.infill_tokens / (counts.infill_tokens + counts.tokens) < share + 0.05
    assert counts.tokens == plain.tokens and all(len(row["input_ids"]) <= 128 for row in rows)
    assert len(rows) - len(packed) == plain.blocks


def test_what_was_read_is_counted_as_without_streaming(make_blocks, whole, with_infilling):
    shares = [first(make_blocks(), 100, Share(number, 2))[-1][POSITION].counts for number in range(2)]
    facts = facts_of_stream(shares, "corpus", "vocabulary", 2)
    tokens = tokenize_corpus(DatasetDict(train=whole["train"]), with_infilling)["train"]
    expected = split_facts(tokens, 1, SIZE)
    assert facts["first_pass_is_finished"] and facts["read"]["passes_finished"] > 0
    for name in ("pieces", "notes", "tokens"):
        assert facts[name] == expected[name]
    changed, expected = facts["changed_by_tokenizer"], expected["changed_by_tokenizer"]
    assert changed["total"] == pytest.approx(expected["total"]) and changed["changed"] == expected["changed"]
    assert facts_of_stream(shares[:1], "corpus", "vocabulary", 2)["read"]["passes_finished"] == 0
    assert sum(shares[1:], shares[0]).programs == [0, 32]


def test_what_is_refused_mended_or_without_notes_is_counted_and_told_once(tmp_path, caplog):
    for seed in range(12):
        data = make_score(seed).dumps_midi()
        (tmp_path / f"{seed:02d}.mid").write_bytes(data + b"more" if seed == 3 else data)
    (tmp_path / "broken.mid").write_bytes(b"text")
    processor, low = MidiProcessor.from_tokenization("REMI", pitch_range=(21, 109)), make_score(50)
    for track in low.tracks:
        for note in track.notes:
            note.pitch = 3
    low.dump_midi(tmp_path / "low.mid")
    corpus = load_corpus(tmp_path, split_shares=(0.98, 0.01, 0.01), split_version="notes-hash-1", streaming=True)
    data_args = DataArguments(context_length=SIZE, infill_share=0.0)
    blocks = StreamedBlocks(WindowMaker(PieceStream(corpus, "train", 0), processor, data_args, 0))
    counts = first(blocks, 300)[-1][POSITION].counts
    train = list(corpus["train"])
    assert counts.passes > 1
    assert counts.first.refused == {"not_midi": 1} and counts.first.names_refused == ["broken.mid"]
    assert counts.first.mended == {"junk_after_tracks": 1}
    assert counts.first.pieces + counts.first.without_notes == len(train)
    assert counts.first.names_without_notes == ["low.mid"]
    assert caplog.text.count("refused broken.mid") == caplog.text.count("mended 03.mid") == 2  # and that of the list


def test_the_other_splits_are_kept_as_they_are_without_streaming(folder, whole, tmp_path, monkeypatch):
    """And read no file of another split."""
    moved = tmp_path / "moved"
    moved.mkdir()
    for path in folder.glob("*.parquet"):
        (moved / path.name).write_bytes(path.read_bytes())
    corpus = load_corpus(moved, streaming=True)
    for path in moved.glob("train*"):
        path.unlink()
    for split in ("validation", "test"):
        kept = corpus.kept(split, cache_dir=str(tmp_path / "cache"))
        assert kept.features == whole[split].features
        assert kept["content_hash"][:] == whole[split]["content_hash"][:]
    assert corpus.content == load_corpus(folder, streaming=True).content
