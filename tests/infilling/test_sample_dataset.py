"""Samples of pieces: whole, within the context, of the notes of the piece, and the same whoever draws them."""

from collections import Counter
from pathlib import Path

import datasets
import numpy as np
import pytest
from infilling.naive_samples import decoded, notes_of, parted
from symusic import Score

from neuromusic_hf import MidiProcessor
from neuromusic_hf.infilling.drawing import lines_of_bars
from neuromusic_hf.infilling.sample_dataset import BAR_TOO_LONG, draw_samples, lengths_of
from neuromusic_hf.music.score_arrays import ScoreArrays
from neuromusic_hf.tokenization import Augmentation, token_dataset

OF_EARLIER = Path(__file__).parents[1] / "bundles" / "of_earlier" / "llama"


@pytest.fixture
def fresh_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)


@pytest.fixture(scope="module")
def few(pieces):
    return pieces.select(range(6))


def rows_of(samples):
    return samples.with_format(None).to_list()


def moved(notes, ticks):
    return Counter({(onset + ticks, *rest): count for (onset, *rest), count in notes.items()})


def last_onset(notes):
    return max((onset for onset, *_ in notes), default=0)


def test_samples_of_whole_pieces_hold_every_note_once(processor, pieces):
    """Prefix and middle begin at 0; suffix and what is given of the middle begin at bar lines."""
    whole, scores = 0, dict(zip(pieces["content_hash"], pieces["midi"], strict=True))
    for row in rows_of(draw_samples(pieces, processor, 8000)):
        parts, quantised = parted(row["input_ids"], processor), processor.quantise(scores[row["content_hash"]])
        assert row["left_out"] is None and row["asked"] == len(parts["middle"]) + 1
        first, last = processor.tokenizer.bos_token_id, processor.tokenizer.eos_token_id
        if parts["prefix"][:1] != [first] or parts["suffix"][-1:] != [last]:
            continue
        whole += 1
        piece, ticks = ScoreArrays.of(quantised), quantised.ticks_per_quarter
        notes = {name: decoded(processor, ids, ticks) for name, ids in parts.items() if name != "middle"}
        up_to_end = decoded(processor, parts["prefix"] + parts["middle"], ticks)
        assert sum((up_to_end - notes["prefix"]).values()) == row["num_notes"] and not notes["prefix"] - up_to_end
        expected = notes_of(piece, ticks)
        suffix = moved(notes["suffix"], last_onset(expected) - last_onset(notes["suffix"]))
        rest = expected - up_to_end - suffix
        assert expected == up_to_end + suffix + rest
        assert any(rest == moved(notes["given"], line) for line in lines_of_bars(piece).tolist())
    assert whole > len(scores) / 2


def test_programs_asked_for_are_told_and_counted(processor, pieces):
    """The rest of the piece may tell the programs of its notes too, behind a bar or before a pitch."""
    counted = Counter()
    for row in rows_of(draw_samples(pieces, processor, 8000)):
        parts = parted(row["input_ids"], processor)
        words = [word for index in parts["given"] for word in processor.base_words[index]]
        kinds = [kind for kind, _ in words]
        led_by = next((place for place, kind in enumerate(kinds) if kind != "Program"), len(kinds))
        told = led_by - (kinds[led_by : led_by + 1] in (["Pitch"], ["PitchDrum"]))
        assert told == row["num_programs"]
        counted[told] += 1
        played = {
            int(value) for index in parts["middle"] for kind, value in processor.base_words[index] if kind == "Program"
        }
        assert not told or played <= {int(value) for _, value in words[:told]}
    assert counted[0] > 0 and counted[1] > 0 and max(counted) > 1


@pytest.mark.parametrize("context_length", [64, 200])
def test_samples_fit_the_context_and_what_does_not_is_counted(processor, pieces, context_length):
    samples = draw_samples(pieces, processor, context_length)
    lengths = lengths_of(samples)
    assert lengths.max() <= context_length and (lengths > 0.7 * context_length).sum() > 10
    for row, length in zip(rows_of(samples), lengths, strict=True):
        assert length == len(row["input_ids"])
        assert (row["left_out"], row["asked"], row["num_notes"]) == (BAR_TOO_LONG, 0, 0) if not length else True
        if length:
            parted(row["input_ids"], processor)


def test_a_middle_without_context_is_all_that_a_short_context_holds(processor_of, pieces):
    """Bars at the far ends go first, then those of the middle; of a single bar nothing can."""
    processor = processor_of("TSD")
    rows = rows_of(draw_samples(pieces, processor, 40))
    assert {row["left_out"] for row in rows} == {None, BAR_TOO_LONG}
    assert any(len(parted(row["input_ids"], processor)["prefix"]) <= 2 for row in rows if row["input_ids"])


def test_draws_do_not_depend_on_order_or_processes(processor_of, few, fresh_cache, monkeypatch):
    processor, variants = processor_of("REMI"), Augmentation(variants=1)
    alone = rows_of(draw_samples(few, processor, 200, augmentation=variants))

    def by_piece(rows):
        found = {}
        for row in rows:
            found.setdefault(row["content_hash"], []).append(row["input_ids"])
        return found

    turned = few.select(range(len(few))[::-1])
    assert by_piece(rows_of(draw_samples(turned, processor, 200, augmentation=variants))) == by_piece(alone)
    monkeypatch.setattr(token_dataset, "FEWEST_OF_ARRAYS", 2)
    monkeypatch.setattr("neuromusic_hf.infilling.sample_dataset.code_of_rooms", lambda *rooms: "drawn again")
    assert rows_of(draw_samples(few, processor, 200, augmentation=variants, num_proc=2)) == alone


def test_seeds_and_covers_have_other_samples(processor_of, few):
    processor = processor_of("REMI")
    first, *others = (
        [row["input_ids"] for row in rows_of(draw_samples(few, processor, 200, **drawn))]
        for drawn in ({}, {"seed": 1}, {"cover": 1}, {"seed": 1, "cover": 1})
    )
    assert rows_of(draw_samples(few, processor, 200))[0]["input_ids"] == first[0]
    for index, other in enumerate(others):
        assert other != first and other not in others[:index]


def test_variants_are_samples_of_their_own(processor_of, few):
    processor = processor_of("REMI")
    plain, varied = (draw_samples(few, processor, 200, augmentation=Augmentation(variants=count)) for count in (0, 2))
    as_is = {tuple(row["input_ids"]) for row in rows_of(plain)}
    assert as_is < {tuple(row["input_ids"]) for row in rows_of(varied)}
    assert lengths_of(varied).sum() > 2.5 * lengths_of(plain).sum()


def test_a_vocabulary_without_the_tokens_is_refused(pieces):
    with pytest.raises(ValueError, match="no tokens of infilling"):
        draw_samples(pieces, MidiProcessor.from_pretrained(OF_EARLIER), 200)


def test_pieces_without_notes_have_no_samples(processor_of, pieces):
    silent = datasets.Dataset.from_dict(
        {"midi": [{"bytes": Score(480).dumps_midi(), "path": None}], "content_hash": ["a"]}
    )
    both = datasets.concatenate_datasets([silent.cast(pieces.features), pieces.select([0])])
    rows = rows_of(draw_samples(both, processor_of("REMI"), 200))
    assert {row["content_hash"] for row in rows} == set(pieces.select([0])["content_hash"])
    assert np.sum([row["num_notes"] for row in rows]) > 0


def test_a_part_of_a_cover_is_of_its_samples(processor_of, few):
    """Which, depends on the pieces alone; about as many as are asked for, over covers."""
    processor, found, whole = processor_of("REMI"), 0, 0

    def drawn(pieces, **changed):
        return Counter(tuple(row["input_ids"]) for row in rows_of(draw_samples(pieces, processor, 100, **changed)))

    for cover in range(6):
        part, of_all = drawn(few, cover=cover, part=0.4), drawn(few, cover=cover)
        assert part == drawn(few.select(range(len(few))[::-1]), cover=cover, part=0.4) and not part - of_all
        found, whole = found + part.total(), whole + of_all.total()
    assert 0.2 < found / whole < 0.6
