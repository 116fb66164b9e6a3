import hashlib
import random

import pytest

from neuromusic_hf.corpora import SPLIT_NAMES, SPLIT_VERSIONS, CorpusSplits, split_of
from neuromusic_hf.corpora.filling import fill_empty_splits
from neuromusic_hf.corpora.splits import Member, assign_split, check_not_empty, check_shares, splits_of_families

SHARES = (0.6, 0.2, 0.2)
HASHES = [hashlib.md5(str(index).encode()).hexdigest() for index in range(3000)]


def sides(members, families, shares=SHARES):
    """The split of each member, by families."""
    decided = splits_of_families(members, families, shares)
    return [assign_split(member, shares, decided) for member in members]


def random_families(most, **how):
    """All pieces, in families of up to so many."""
    draw, families = random.Random(most), []
    while len(families) < len(HASHES):
        families += [len(families)] * draw.randint(1, most)
    return [Member(each, **how) for each in HASHES], families[: len(HASHES)]


def shuffled(seed, *columns):
    rows = list(zip(*columns, strict=True))
    random.Random(seed).shuffle(rows)
    return [list(column) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize("shares", [(0.8, 0.1, 0.1), (0.6, 0.2, 0.2), (0.01, 0.01, 0.98)])
def test_splits_have_their_shares(shares):
    found = [split_of(content_hash, shares) for content_hash in HASHES]
    for name, share in zip(SPLIT_NAMES, shares, strict=True):
        assert found.count(name) / len(found) == pytest.approx(share, abs=0.03)


def test_the_ends_of_the_range_have_a_split():
    assert split_of("0" * 32) == "train"
    assert split_of("f" * 32) == "test"


def test_missing_splits_are_carved_out_of_train_only():
    carved = [assign_split(Member(one, "train", ("validation",)), (0.8, 0.1, 0.1)) for one in HASHES]
    assert carved.count("validation") / len(carved) == pytest.approx(1 / 9, abs=0.02)
    assert "test" not in carved
    assert {assign_split(Member(one, "test", ("validation",)), (0.8, 0.1, 0.1)) for one in HASHES} == {"test"}


PINNED = {
    "alone": (1, {}, "1806de0beb7df3f7"),
    "families": (4, {}, "e9ae157a5f0bbdbe"),
    "without validation and test": (4, {"official": "train", "carved": ("validation", "test")}, "540263afe5a052b6"),
    "without test": (1, {"official": "train", "carved": ("test",)}, "cc115393a15fa356"),
}


@pytest.mark.parametrize("case", PINNED)
def test_the_sides_of_families_1_are_what_they_were(case):
    """A version of splits never changes, as models are tested by it."""
    most, how, expected = PINNED[case]
    found = sides(*random_families(most, **how))
    assert hashlib.sha256(" ".join(found).encode()).hexdigest()[:16] == expected


@pytest.mark.parametrize("shares", [(0.8, 0.2), (0.8, 0.1, 0.2), (0.9, 0.1, 0.0), (1.2, -0.1, -0.1)])
def test_shares_that_make_no_sense_are_refused(shares):
    with pytest.raises(ValueError, match="split_shares"):
        check_shares(shares)


def test_an_empty_split_is_named():
    with pytest.raises(ValueError, match=r"'mine': the split validation would be empty. There are 9 accepted"):
        check_not_empty({"train": 8, "validation": 0, "test": 1}, "mine")


def test_versions_that_there_are_not_are_refused():
    for version in SPLIT_VERSIONS:
        assert CorpusSplits.asked(version, [0.6, 0.2, 0.2]) == CorpusSplits(version, SHARES)
    with pytest.raises(ValueError, match="must be one of families-2, families-1, notes-hash-1, got 'families-0'"):
        CorpusSplits.asked("families-0")
    with pytest.raises(ValueError, match="split_shares"):
        CorpusSplits.asked(shares=(1, 1, 1))


def test_what_is_not_said_is_taken_from_others():
    theirs = CorpusSplits("notes-hash-1", SHARES)
    assert (
        CorpusSplits() | theirs == theirs
        and not CorpusSplits()
        and str(theirs) == "notes-hash-1 in shares of " + ("0.6 / 0.2 / 0.2")
    )
    assert CorpusSplits("families-1") | theirs == CorpusSplits("families-1", SHARES)


@pytest.mark.parametrize("most", [2, 5, 60])
def test_a_family_is_on_one_side_and_sides_have_their_shares(most):
    members, families = random_families(most)
    found = sides(members, families)
    by_family = dict(zip(families, found, strict=True))
    assert found == [by_family[family] for family in families]
    several = [side for family, side in by_family.items() if families.count(family) > 1]
    for name, share in zip(SPLIT_NAMES, SHARES, strict=True):
        assert several.count(name) / len(several) == pytest.approx(share, abs=2.5 * (0.25 / len(several)) ** 0.5)


def test_a_piece_alone_and_copies_of_one_piece_go_by_their_own_hash():
    members = [Member(each) for each in HASHES for _ in range(2)]
    copies = [number // 2 for number in range(len(members))]
    alone = list(range(len(members)))
    for families in (copies, alone):
        assert splits_of_families(members, families, SHARES) == {}
    for carved in (("validation",), ("validation", "test")):
        assert (
            splits_of_families([Member(each, "train", carved) for each in HASHES for _ in "ab"], copies, SHARES) == {}
        )


def test_neither_the_order_of_pieces_nor_other_families_matter():
    members, families = random_families(5)
    before = dict(zip(members, sides(members, families), strict=True))
    for seed in range(3):
        rows, numbers = shuffled(seed, members, families)
        rows, numbers = rows[: 2000 + 500 * seed], numbers[: 2000 + 500 * seed]
        whole = {number for number in numbers if numbers.count(number) == families.count(number)}
        after = dict(zip(rows, sides(rows, numbers), strict=True))
        assert all(after[row] == before[row] for row, number in zip(rows, numbers, strict=True) if number in whole)
    assert sides(members, families) == sides(members, [7 * family + 1 for family in families])


@pytest.mark.parametrize(
    ("there", "side"),
    [({"train", "test"}, "train"), ({"validation", "test"}, "validation"), ({"test"}, "test"), ({"train"}, "train")],
)
def test_pieces_with_official_splits_stay_and_their_family_joins_them(there, side):
    for start in range(0, 300, 10):
        official = [Member(each, split) for each, split in zip(HASHES[start:], sorted(there), strict=False)]
        others = [Member(each) for each in HASHES[start + 5 : start + 8]]
        copy = Member(official[0].content_hash)  # of another corpus
        members = shuffled(start, [*official, *others, copy])[0]
        found = sides(members, [0] * len(members))
        assert all(split == (member.official or side) for member, split in zip(members, found, strict=True))


def test_missing_splits_are_carved_by_families():
    members, families = random_families(4, official="train", carved=("validation",))
    found = sides(members, families)
    by_family = dict(zip(families, found, strict=True))
    assert found == [by_family[family] for family in families] and "test" not in found
    assert found.count("validation") / len(found) == pytest.approx(0.25, abs=0.04)


def test_what_was_split_by_families_and_lacks_a_split_has_it_carved_out_of_families_too():
    members, families = random_families(4)
    of_train = [split == "train" for split in sides(members, families)]
    kept = [(each, number) for each, number, is_kept in zip(members, families, of_train, strict=True) if is_kept]
    members, families = [Member(each.content_hash, "train", ("validation",)) for each, _ in kept], [n for _, n in kept]
    several = [families.count(family) > 1 for family in families]
    found = [split for split, is_one in zip(sides(members, families), several, strict=True) if is_one]
    assert found.count("validation") / len(found) == pytest.approx(0.25, abs=0.05)


def test_carved_pieces_stay_in_train_where_their_family_has_to():
    for start in range(0, 300, 3):
        official, carved, free = HASHES[start : start + 3]
        family = [Member(official, "train"), Member(carved, "train", ("validation", "test")), Member(free)]
        assert set(sides(family, [0, 0, 0])) == {"train"}
        two = [Member(official, "train", ("test",)), Member(carved, "train", ("validation", "test")), Member(free)]
        assert set(sides(two, [0, 0, 0])) in ({"train"}, {"test"})
        tested = [Member(official, "test"), Member(carved, "train", ("validation",)), Member(free)]
        assert sides(tested, [0, 0, 0])[0] == "test" and len(set(sides(tested, [0, 0, 0])[1:])) == 1
        both = [Member(official, "train", ("validation",)), Member(carved, "train", ("validation",))]
        joined = sides([*both, Member(free)], [0, 0, 0])
        assert joined == [sides(both, [0, 0])[0]] * 3


def filled(members, families, shares=(0.8, 0.1, 0.1)):
    decided = splits_of_families(members, families, shares)
    decided |= fill_empty_splits(members, families, shares, decided)
    return [assign_split(member, shares, decided) for member in members]


@pytest.mark.parametrize("most", [1, 3])
def test_every_split_has_a_family_where_there_are_three(most):
    members, families = random_families(most)
    for start in range(0, 600, 7):
        some, numbers = members[start : start + 9], families[start : start + 9]
        before, after = sides(some, numbers, (0.8, 0.1, 0.1)), filled(some, numbers)
        assert len(set(after)) == min(3, len(set(numbers)))
        by_family = dict(zip(numbers, after, strict=True))
        assert after == [by_family[number] for number in numbers]
        if len(set(before)) == 3:
            assert after == before
        else:
            assert (
                len({number for number, *sides in zip(numbers, before, after, strict=True) if len(set(sides)) > 1}) < 3
            )
        rows, others = shuffled(start, some, numbers)
        assert dict(zip(rows, filled(rows, others), strict=True)) == dict(zip(some, after, strict=True))


def test_the_smallest_family_of_the_largest_split_fills_an_empty_one():
    in_train = [each for each in HASHES if split_of(each) == "train" and split_of(each[15:]) == "train"][:7]
    members = [Member(each) for each in (*in_train, *(each for each in HASHES if split_of(each) == "test"))][:9]
    found = filled(members, [0, 0, 0, 0, 1, 2, 3, 4, 5])
    alone = sorted(in_train[4:])[0]
    assert [member.content_hash for member, side in zip(members, found, strict=True) if side == "validation"] == [
        alone
    ]


def test_official_splits_stay_where_others_are_filled():
    official = [Member(each, "train", ("validation",)) for each in HASHES[:2]] + [Member(HASHES[5], "test")]
    found = filled(official, [0, 1, 2], (0.998, 0.001, 0.001))
    assert sorted(found[:2]) == ["train", "validation"] and found[2] == "test"
    fixed = [Member(each, "train") for each in HASHES[:5]]
    assert set(filled(fixed, range(5))) == {"train"}
