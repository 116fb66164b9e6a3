"""Splits as a model was trained with: read from what its run left, whoever says otherwise goes before."""

import json
import logging

import pytest
import yaml

from neuromusic_hf.bundles import settle_splits, settle_training_splits, splits_of_model
from neuromusic_hf.bundles.base import base_record
from neuromusic_hf.bundles.trained_splits import TrainedSplits, split_otherwise
from neuromusic_hf.corpora import SPLIT_VERSION, CorpusSplits, provenance_of
from neuromusic_hf.hub import PullError
from neuromusic_hf.models.origin import remember_origin

SHARES = (0.6, 0.2, 0.2)
OLD = "notes-hash-1"
OURS = {"name": "a", "splits": SPLIT_VERSION, "split_shares": list(SHARES)}
OFFICIAL = {"name": "b", "splits": "official", "split_shares": None}
BEFORE = {"name": "a", "splits": OLD}
"""As it was recorded before shares were."""


def files(run=None, recipe=None):
    named = {"run.json": (run, json.dumps), "recipe.yaml": (recipe, yaml.safe_dump)}
    return {name: dump(said).encode() for name, (said, dump) in named.items() if said is not None}


TOLD = {
    "of today": (files({"corpora": [OURS]}, {"split_shares": [0.8, 0.1, 0.1]}), CorpusSplits(SPLIT_VERSION, SHARES)),
    "joined": (files({"corpora": [OFFICIAL, OURS]}), CorpusSplits(SPLIT_VERSION, SHARES)),
    "official": (files({"corpora": [OFFICIAL]}), None),
    "of before": (files({"corpora": [BEFORE]}), CorpusSplits(OLD)),
    "before, with shares": (files({"corpora": [BEFORE]}, {"split_shares": list(SHARES)}), CorpusSplits(OLD, SHARES)),
    "of long before": (files({"model": "GPT2LMHeadModel"}, {"corpus": "bach"}), CorpusSplits(OLD)),
    "official, of before": (files({"corpora": [{"name": "b", "splits": "official"}]}), CorpusSplits(OLD)),
    "checkpoint": (files(None, {"split_version": SPLIT_VERSION}), CorpusSplits(SPLIT_VERSION)),
    "checkpoint of before": (files(None, {"split_shares": list(SHARES)}), CorpusSplits(OLD, SHARES)),
    "from elsewhere": ({"config.json": b"{}"}, None),
    "a stranger's": (
        files({"corpora": [3, OURS | {"split_shares": ["a", [], 1e999]}]}, {"split_shares": {}}),
        CorpusSplits(SPLIT_VERSION),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TOLD)
def test_a_run_tells_with_which_splits_it_was(case, tmp_path):
    content, expected = TOLD[case]
    for name, data in content.items():
        (tmp_path / name).write_bytes(data)
    found = splits_of_model(tmp_path)
    assert (found and CorpusSplits(found.version, found.shares)) == expected


def test_a_repository_tells_it_too_and_what_is_not_there_does_not(hub):
    hub.put("bob/model", TOLD["of today"][0])
    assert splits_of_model("bob/model") == TrainedSplits(SPLIT_VERSION, SHARES, ("a",))
    with pytest.raises(PullError, match="no model 'bob/others'"):
        splits_of_model("bob/others")


def test_what_is_asked_goes_before_what_was_trained_with_and_it_is_logged(caplog):
    trained, asked = TrainedSplits(OLD, SHARES), CorpusSplits(SPLIT_VERSION)
    with caplog.at_level(logging.INFO):
        assert settle_splits("bach", CorpusSplits(), trained) == CorpusSplits(OLD, SHARES)
        assert settle_splits("bach", asked, trained) == CorpusSplits(SPLIT_VERSION, SHARES)
        assert settle_splits("bach", CorpusSplits(), None) == CorpusSplits()
        assert settle_splits("maestro", CorpusSplits(), trained) == CorpusSplits()
        assert settle_splits("bach+maestro", CorpusSplits(), trained) == CorpusSplits(OLD, SHARES)
    shares = "in shares of 0.6 / 0.2 / 0.2"
    assert [record.getMessage() for record in caplog.records] == [
        f"Corpus 'bach': splits {OLD} {shares}, as the model was trained with.",
        f"Corpus 'bach': splits {SPLIT_VERSION} {shares}, as asked.",
        f"Corpus 'bach': splits {SPLIT_VERSION}, the newest, as nothing tells how the model was trained.",
        f"Corpus 'bach+maestro': splits {OLD} {shares}, as the model was trained with.",
    ]


def test_a_saved_corpus_that_says_its_splits_has_none_of_the_model(leaking_corpus, caplog):
    caplog.set_level(logging.INFO)
    for asked in (CorpusSplits(), CorpusSplits(OLD)):
        assert settle_splits(str(leaking_corpus), asked, TrainedSplits(OLD, SHARES)) == asked
    assert not caplog.records


def test_splits_that_this_version_does_not_know_have_to_be_chosen():
    trained = TrainedSplits("families-\u202e9")
    with pytest.raises(
        ValueError, match=r"'families-\\u202e9', which are none of families-2, families-1, notes-hash-1.*choose"
    ):
        settle_splits("bach", CorpusSplits(), trained)
    assert settle_splits("bach", CorpusSplits(OLD), trained) == CorpusSplits(OLD)


def test_other_corpora_beside_those_that_a_model_was_trained_on_are_warned_of(caplog):
    """Families reach from one to another: with fewer or more of them, a piece of train may be in test."""
    trained = TrainedSplits(SPLIT_VERSION, None, ("bach", "folk"))
    for corpora in ("bach+folk", "folk+bach", "lamd"):
        settle_splits(corpora, CorpusSplits(), trained)
    assert not caplog.records
    for corpora in ("bach", "folk+bach+lamd", "bach+lamd"):
        settle_splits(corpora, CorpusSplits(), trained)
        assert "was trained on 'bach+folk', whose families were found together" in caplog.text
        caplog.clear()
    settle_splits("bach+folk", CorpusSplits(), TrainedSplits(SPLIT_VERSION, None, ("bach",)))
    assert "was trained on 'bach': name" in caplog.text


MINE = {"name": "mine", "splits": SPLIT_VERSION, "split_shares": [0.7, 0.15, 0.15]}
OF_MINE = (0.7, 0.15, 0.15)


def fine_tuned(**base):
    return {"corpora": [MINE], "base_model": {"name": "base", "revision": None, "trained": base}}


def test_what_the_models_were_trained_on_that_it_went_on_from_is_told_too(tmp_path):
    first = {"name": "first", "trained": {"corpora": [OURS | {"name": "folk"}]}}
    said = fine_tuned(corpora=[OFFICIAL], base_model=first)
    (tmp_path / "run.json").write_text(json.dumps(said))
    folk = TrainedSplits(SPLIT_VERSION, SHARES, ("folk",))
    assert splits_of_model(tmp_path) == TrainedSplits(SPLIT_VERSION, OF_MINE, ("mine",), (folk,))
    (tmp_path / "run.json").write_text(json.dumps(said | {"corpora": [OFFICIAL | {"split_shares": None}]}))
    assert splits_of_model(tmp_path) == folk
    (tmp_path / "run.json").write_text(
        json.dumps({"corpora": [MINE], "base_model": {"trained": {"corpora": [3, []]}}})
    )
    assert splits_of_model(tmp_path).before == ()


def test_a_checkpoint_names_its_corpora(tmp_path):
    recipe = {"split_version": SPLIT_VERSION, "corpus": f"folk + {tmp_path} + owner/songs"}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    assert splits_of_model(tmp_path).corpora == ("folk", tmp_path.name, "owner/songs")


def test_shares_that_are_asked_are_said_to_be_asked_and_warned_of_where_they_differ(caplog):
    trained = TrainedSplits(SPLIT_VERSION, (0.8, 0.1, 0.1), ("folk",))
    caplog.set_level(logging.INFO)
    asked = CorpusSplits(shares=OF_MINE)
    assert settle_splits("bach", asked, trained) == CorpusSplits(SPLIT_VERSION, OF_MINE)
    settle_splits("bach", CorpusSplits(), trained)
    said = [record.getMessage().rpartition(", ")[2] for record in caplog.records]
    assert said == ["as asked.", "as those that the model was trained on."]
    caplog.clear()
    for asked in (CorpusSplits(shares=OF_MINE), CorpusSplits(OLD), CorpusSplits(shares=(0.8, 0.1, 0.1))):
        settle_splits("folk", asked, trained)
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warned) == 2
    assert all(f"trained on 'folk' by splits '{trained}', and these are others" in message for message in warned)


def test_a_corpus_of_the_base_is_split_as_it_was_for_the_base(caplog):
    base = TrainedSplits(SPLIT_VERSION, SHARES, ("folk",))
    model = TrainedSplits(SPLIT_VERSION, OF_MINE, ("mine",), (base,))
    assert settle_splits("folk", CorpusSplits(), model) == CorpusSplits(SPLIT_VERSION, SHARES)
    assert settle_training_splits("folk", CorpusSplits(), model) == CorpusSplits(SPLIT_VERSION, SHARES)
    assert settle_training_splits("bach", CorpusSplits(), model) == CorpusSplits(SPLIT_VERSION)
    assert settle_training_splits("maestro", CorpusSplits(), model) == CorpusSplits()
    assert not caplog.records
    for splits in (settle_splits, settle_training_splits):
        assert splits("folk", CorpusSplits(shares=OF_MINE), model).shares == OF_MINE
        assert "trained on 'folk'" in caplog.text and "these are others" in caplog.text
        caplog.clear()
        splits("folk+bach", CorpusSplits(), model)
        assert "trained on 'folk': name just that" in caplog.text
        caplog.clear()


def test_a_checkpoint_goes_before_the_base_of_its_run():
    base, checkpoint = TrainedSplits(SPLIT_VERSION, SHARES, ("folk",)), TrainedSplits(OLD, OF_MINE, ("folk",))
    assert settle_training_splits("folk", CorpusSplits(), base, checkpoint) == CorpusSplits(OLD, OF_MINE)


def test_music_that_a_base_does_not_know_is_trained_on_as_it_is_tested_on():
    """Else what it is before and what it is after could not be compared."""
    base = TrainedSplits(OLD, corpora=("folk",))
    before, training = (settle("bach", CorpusSplits(), base) for settle in (settle_splits, settle_training_splits))
    assert before.version == training.version == OLD


@pytest.mark.parametrize(
    "corpora, shares, otherwise",
    [
        ("folk", SHARES, []), ("folk", OF_MINE, ["folk"]), ("bach", OF_MINE, []), ("folk+bach", SHARES, ["folk"]),
        ("folk+maestro", SHARES, ["folk"]), ("maestro", None, []),
    ],
)  # fmt: skip
def test_a_run_records_what_its_base_had_in_other_splits(corpora, shares, otherwise):
    base = {"name": "base", "trained": {"corpora": [OURS | {"name": "folk"}]}}
    assert split_otherwise(provenance_of(corpora, split_shares=shares), base) == otherwise
    assert split_otherwise(provenance_of(corpora, split_shares=shares), None) == []


def test_of_a_base_of_the_hub_the_training_is_recorded_as_of_its_commit(hub, caplog):
    first = hub.put("alice/base", {"run.json": json.dumps({"optimizer_steps": 5, "corpora": [OURS]}).encode()})
    hub.put("alice/base", {"run.json": b"{}"})

    class Model:
        name_or_path = "alice/base"

    remember_origin(Model, first, trust_remote_code=True)
    record = {"name": "alice/base", "revision": first, "trained": {"optimizer_steps": 5, "corpora": [OURS]}}
    assert base_record(Model) == record
    assert split_otherwise(provenance_of("folk"), record | {"trained": {"corpora": [OURS | {"name": "folk"}]}}) == [
        "folk"
    ]
    Model.name_or_path = "alice/gone"
    assert base_record(Model) == {"name": "alice/gone", "revision": first}
    assert "What alice/gone was trained on is not recorded: " in caplog.text
