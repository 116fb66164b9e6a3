"""Positions that begin anew with every document of a block, against a walk from id to id."""

import pytest
import torch

from neuromusic_hf.tokenization import BlockCollator, Documents
from neuromusic_hf.tokenization.infill_tokens import InfillIds

PAD, BOS, EOS = 0, 1, 2
INFILL = InfillIds(suffix=20, prefix=21, middle=22, end=23)
SAMPLE = [20, 5, EOS, 22, 6, 21, BOS, 7, 8, 22, 9, 23]
"""Of a middle that is near both ends of its piece: its own EOS and BOS are in it."""


def walked(ids: list[int], infill: bool) -> list[int]:
    positions = []
    for index, token in enumerate(ids):
        begins = token == BOS and not (infill and index and ids[index - 1] == INFILL.prefix)
        begins = begins or (infill and token == INFILL.suffix) or index == 0
        positions.append(0 if begins else positions[-1] + 1)
    return positions


@pytest.mark.parametrize("infill", [False, True])
def test_positions_are_those_of_a_walk(infill):
    generator = torch.Generator().manual_seed(0)
    rows = [torch.randint(1, 24 if infill else 20, (length,), generator=generator) for length in (1, 2, 30, 64)]
    rows += [torch.tensor(ids) for ids in ([BOS, BOS, 5, BOS], [5, 6, EOS, BOS, 4, EOS], [EOS], [21, BOS, 3])]
    collate = BlockCollator(PAD, 64, Documents(BOS, INFILL if infill else None))
    batch = collate([{"input_ids": row.numpy()} for row in rows])
    assert set(batch) == {"input_ids", "labels", "position_ids"}
    for row, positions in zip(rows, batch["position_ids"].tolist(), strict=True):
        padding = list(range(64 - len(row)))
        assert positions == walked(row.tolist(), infill) + padding


def test_a_sample_is_one_document_whatever_of_its_piece_is_in_it():
    (positions,) = Documents(BOS, INFILL).position_ids(torch.tensor([SAMPLE + SAMPLE]), torch.tensor([24]))
    assert positions.tolist() == [*range(12), *range(12)]


def test_positions_alone_are_added_and_the_mask_is_left_out():
    rows = [{"input_ids": [BOS, 5, 6], "labels": [-100, 5, 6]}, {"input_ids": [7, EOS, BOS, 8]}]
    plain, apart = BlockCollator(PAD, 4)(rows), BlockCollator(PAD, 4, Documents(BOS))(rows)
    assert apart.pop("position_ids").tolist() == [[0, 1, 2, 0], [0, 1, 0, 1]]
    assert plain.pop("attention_mask").tolist() == [[1, 1, 1, 0], [1, 1, 1, 1]]
    assert all(torch.equal(apart[name], plain[name]) for name in ("input_ids", "labels")) and len(apart) == len(plain)
