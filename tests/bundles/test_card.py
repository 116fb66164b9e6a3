"""The card of a bundle says what its files say, for the Hub and for people, and its snippets run."""

import copy
import json
import shutil

import pytest
import yaml
from datasets import Dataset, Features
from full_bundle import CITATION, RUN, SCORES, add_records
from huggingface_hub import ModelCard
from music import make_score
from tiny import ONE_LAYER

from neuromusic_hf import build_model, write_midi
from neuromusic_hf.bundles import bundle_card, push_bundle, save_bundle, write_card
from neuromusic_hf.bundles.facts import BundleFacts
from neuromusic_hf.bundles.licences import strictest
from neuromusic_hf.music import Midi, load_score

REPOSITORY = "alice/bach"
NASTY = "<script>alert(1)</script> | `x` *b* [l](javascript:a)\n\n# h\n<!-- /data -->\n```"


@pytest.fixture
def make_bundle(tmp_path, processor_of):
    """Writes a bundle into `tmp_path / "bundle"`."""

    def make(family="music_transformer", tokenization="REMI", infill_share=None, **records):
        folder = tmp_path / "bundle"
        model = build_model(
            family, processor_of(tokenization), context_length=256, sampling={"top_p": 0.9}, **ONE_LAYER
        )
        if infill_share:
            model.config.infill_share = infill_share
        save_bundle(model, processor_of(tokenization), folder)
        if records.pop("with_records", True):
            add_records(folder, **records)
        return folder

    return make


def text_of(folder, repo_id=REPOSITORY):
    return bundle_card(folder, repo_id).render()


def snippets(card: str) -> list[str]:
    return [block.split("```")[0] for block in card.split("```python\n")[1:]]


def test_a_card_says_what_the_files_say(make_bundle):
    text = text_of(make_bundle())
    said = (
        "# bach", "Music Transformer", "40,352", "256 tokens", "928 ids", "`top_p` 0.9", "maestro", "cc-by-nc-sa-4.0",
        "those of the corpus", "962", "5,659,329", "3,000 optimizer steps by 2 processes", "1.234", "seed: 42",
        "Pitch classes", "**0.123**", "0.100 to 0.150", "0.080", "6.2%", "31 notes", "1.25% of 400",
        "| clear |", "trained on maestro",
        "maestro (test split)",
        "(examples/1-prompt_and_continuation.png)", '<audio controls src="examples/1-prompt_and_continuation.wav">',
        "(examples/1-prompt_and_continuation.mid)", "Memorisation", "neuromusic\\_hf 0.1.0", CITATION, "1809.04281",
    )  # fmt: skip
    assert not [words for words in said if words not in text]
    assert "More Information Needed" not in text and "None" not in text.replace("BOS_None", "")


@pytest.mark.parametrize("model", ["BPE", "Unigram", "WordPiece"])
def test_ids_are_counted_whatever_learned_them(processor_of, midi_folder, tmp_path, model):
    rows = {"midi": [path.read_bytes() for path in sorted(midi_folder.iterdir())[:8]]}
    corpus = Dataset.from_dict(rows, features=Features({"midi": Midi()}))
    processor = processor_of("REMI").train_new_from_corpus(corpus, 1000, model=model)
    processor.save_pretrained(tmp_path)
    assert BundleFacts.read(tmp_path).vocab_size == processor.vocab_size


def test_the_hub_reads_what_its_filters_need(make_bundle):
    data = ModelCard(text_of(make_bundle())).data
    assert (data.library_name, data.pipeline_tag) == ("transformers", "text-generation")
    assert data.license == "cc-by-nc-sa-4.0"
    assert {"music", "midi", "symbolic-music", "midi-continuation", "neuromusic_hf", "REMI"} == {*data.tags}
    results = {(each.metric_type, each.dataset_split): each for each in data.eval_results}
    assert results.keys() == {
        ("pitch_kl", "test"),
        ("loss", "test"),
        ("loss", "validation"),
        ("nats_per_note", "validation"),
    }
    score = results["pitch_kl", "test"]
    assert score.metric_value == 0.123456 and score.dataset_name == "maestro"
    assert score.metric_args["interval"] == [0.1, 0.15] and score.metric_args["noise_floor_95"] == 0.08


def test_a_card_has_the_numbers_of_the_whole_and_of_the_clean_test(make_bundle):
    run, scores = copy.deepcopy(RUN), copy.deepcopy(SCORES)
    left_out = {"twin_in_train": {"pieces": 12, "first": [{"piece": "a", "twin": "b"}]}}
    run["splits"]["clean_test"] = {"pieces": 165, "notes": 700000, "tokens": 2400000, "left_out": left_out}
    run["metrics"] |= {"test_nats_per_note": 4.75, "clean_test_loss": 1.4, "clean_test_nats_per_note": 5.125}
    scores["settings"]["clean_test"] = True
    text = text_of(make_bundle(run=run, scores=scores))
    said = (
        "| clean test | 165 | 700,000 |", "have a twin in train, the same melody in whatever key and tempo: 12.",
        "| nats a note | test | 4.750 |", "| nats a note | clean test | 5.125 |",
        "177 pieces of maestro (clean test split), none of which has a twin in train, continued",
    )  # fmt: skip
    assert not [words for words in said if words not in text]
    results = {(each.metric_type, each.dataset_split): each.metric_value for each in ModelCard(text).data.eval_results}
    assert results["nats_per_note", "test"] == 4.75 and results["nats_per_note", "clean_test"] == 5.125
    assert ("pitch_kl", "clean_test") in results and ("pitch_kl", "test") not in results


def test_scores_of_a_run_of_clean_pieces_are_of_the_clean_test(make_bundle):
    scores = copy.deepcopy(SCORES)
    scores["settings"]["run"]["pieces"]["clean_test"] = True
    assert BundleFacts(make_bundle(scores=scores), scores=scores).tested_on[3] == "clean_test"


def test_data_sets_and_base_models_of_the_hub_are_named(make_bundle):
    run = copy.deepcopy(RUN) | {"base_model": {"name": "alice/base", "commit": "a" * 40}}
    run["corpora"][0] |= {"dataset": "alice/maestro", "revision": "b" * 40, "licence": None, "name": "alice/maestro"}
    scores = copy.deepcopy(SCORES)
    scores["settings"]["run"]["pieces"]["sources"] = ["alice/maestro"]
    text = text_of(make_bundle(run=run, scores=scores))
    data = ModelCard(text).data
    assert (data.datasets, data.base_model, data.license) == (["alice/maestro"], "alice/base", None)
    (score,) = (each for each in data.eval_results if each.metric_type == "pitch_kl")
    assert (score.dataset_type, score.dataset_revision) == ("alice/maestro", "b" * 40)
    assert "https://huggingface.co/datasets/alice/maestro" in text and "https://huggingface.co/alice/base" in text


def test_what_it_went_on_from_is_told_and_binds(make_bundle):
    """A chain: a run on one's own songs, of the bundle of the package, which went on from a narrowed one."""
    run = copy.deepcopy(RUN)
    (maestro,) = run["corpora"]
    run["corpora"] = [{"name": "my songs", "licence": "mit", "splits": "families-1"}]
    wide = {"optimizer_steps": 4300, "corpora": [maestro], "narrowed": {"from": 1280, "to": 848}}
    wide["lora"] = {"rank": 8, "trained_parameters": 1000, "base_parameters": 9000, "merged": True}
    narrow = {"name": "narrow", "revision": None, "trained": wide}
    shipped = {"optimizer_steps": 500, "hardware": {"cpu_cores": 2}, "corpora": [maestro], "base_model": narrow}
    run["base_model"] = {"name": "default", "revision": "c" * 64, "trained": shipped}
    text = text_of(make_bundle(run=run))
    told = (
        "the bundle that comes with neuromusic_hf (weights `cccccccccccc`), trained on maestro in 500 optimizer steps"
    )
    assert f"It went on from {told} on 2 CPU cores." in text
    assert (
        "It went on from narrow, trained on maestro in 4,300 optimizer steps. LoRA of rank 8 trained 1,000 of 9,000 "
        "parameters, and was merged into them. Then its feed-forward layers"
    ) in text
    assert "| my songs | mit |" in text and text.count("| maestro, before | cc-by-nc-sa-4.0 |") == 1
    assert "binds the model" in text and "It has learned from my songs + maestro" in text
    data = ModelCard(text).data
    assert data.license == "cc-by-nc-sa-4.0" and data.base_model is None


def test_what_its_base_had_in_other_splits_is_told(make_bundle):
    text = text_of(make_bundle(run=copy.deepcopy(RUN) | {"split_otherwise": ["folk", "a_b", 3]}))
    assert "was trained on folk + a\\_b in other splits" in text


def test_a_base_of_the_hub_is_named_once_with_what_it_was_trained_on(make_bundle):
    run = copy.deepcopy(RUN)
    run["base_model"] = {"name": "alice/base", "revision": "a" * 40, "trained": {"corpora": run["corpora"]}}
    text = text_of(make_bundle(run=run))
    assert text.count("It went on from") == 1 and ", trained on maestro." in text
    assert "[alice/base](https://huggingface.co/alice/base) (weights" in text


def test_joined_corpora_have_one_name_in_all_results(make_bundle):
    run, scores = copy.deepcopy(RUN), copy.deepcopy(SCORES)
    splits = {"splits": "families-1", "split_shares": [0.8, 0.1, 0.1]}
    run["corpora"] = [run["corpora"][0] | splits | {"name": name} for name in ("bach", "folk")]
    scores["settings"]["run"]["pieces"]["sources"] = ["bach+folk"]
    text = text_of(make_bundle(run=run, scores=scores))
    assert text.count("| families-1 (0.8 / 0.1 / 0.1) |") == 2
    results = ModelCard(text).data.eval_results
    assert {each.dataset_name for each in results} == {"bach + folk"} and len(results) == 4


def test_what_is_missing_is_left_out(make_bundle):
    text = text_of(make_bundle("gpt2", with_records=False))
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings == ["## Use", "## Limits", "## Versions", "## Citation"]
    assert "More Information Needed" not in text and "None" not in text.replace("BOS_None", "")
    data = ModelCard(text).data
    assert data.license is data.datasets is data.base_model is data.eval_results is None
    assert "not measured" in text and "1809.04281" not in text and "No code of this repository runs" in text


@pytest.mark.parametrize("damage", ["run", "scores", "recipe"])
@pytest.mark.parametrize(
    "nothing", [{}, {"corpora": 3, "splits": [], "metrics": None, "scores": {"a": 1}, "settings": "x"}]
)
def test_records_of_another_shape_are_not_told(make_bundle, damage, nothing):
    text = text_of(make_bundle(**{damage: nothing}))
    assert "## Use" in text and "## Limits" in text


def test_damaged_files_are_refused_by_name(make_bundle):
    folder = make_bundle()
    for name in ("run.json", "scores.json", "recipe.yaml", "config.json"):
        whole = (folder / name).read_text()
        (folder / name).write_text("{ [")
        with pytest.raises(ValueError, match=f"{name} .*damaged"):
            text_of(folder)
        (folder / name).write_text(whole)


def test_strings_of_strangers_stay_strings(make_bundle):
    markdown = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable("table")
    run = copy.deepcopy(RUN) | {"hardware": {"gpus": [NASTY]}, "versions": {NASTY: NASTY}}
    run["corpora"][0] |= dict.fromkeys(("name", "licence", "splits", "citation"), NASTY) | {"split_shares": [NASTY]}
    run["corpora"][0]["source"] = f"https://{NASTY}"
    scores = copy.deepcopy(SCORES)
    scores["settings"]["run"]["pieces"] = {"sources": [NASTY], "split": NASTY}
    scores["settings"]["comparisons"]["pitch_kl"]["title"] = NASTY
    folder = make_bundle(run=run, recipe={"corpus": NASTY}, scores=scores, examples=["a <b> [c](d)"])
    text = text_of(folder)
    shown = markdown.render(text.split("---\n", 2)[2])
    assert "<script" not in shown and "<b>" not in shown and 'href="javascript' not in shown
    assert text == bundle_card(folder, REPOSITORY).render(text)
    assert yaml.safe_load(text.split("---\n")[1])["model-index"]


def test_the_card_of_a_folder_is_that_of_its_repository_once_it_is_pushed(hub, make_bundle):
    folder = make_bundle()
    write_card(folder)
    (folder / "README.md").write_text((folder / "README.md").read_text() + "\nMy words.\n")
    write_card(folder)
    push_bundle(folder, REPOSITORY)
    pushed = hub.files(REPOSITORY)
    card = pushed.pop("README.md").decode()
    assert "My words." in card and card.replace("\nMy words.\n", "") == text_of(folder)
    here = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert pushed == {name: content for name, content in here.items() if name != "README.md"}


def test_the_snippets_of_cards_run(hub, make_bundle, tmp_path, monkeypatch):
    """Those without this package: test_without_package.py."""
    write_midi(make_score(1), tmp_path / "song.mid")
    monkeypatch.chdir(tmp_path)
    for family, infill_share in (("gpt2", None), ("music_transformer", 0.25)):
        push_bundle(make_bundle(family, infill_share=infill_share), f"alice/{family}")
        shutil.rmtree(tmp_path / "bundle")
        with_package, _ = snippets(hub.files(f"alice/{family}")["README.md"].decode())
        exec(with_package, {})
        assert load_score(tmp_path / "longer.mid").note_num()
        (tmp_path / "longer.mid").unlink()
        assert (tmp_path / "other_bars.mid").exists() == bool(infill_share)


def test_the_snippet_of_a_processor_runs(hub, processor_of, tmp_path, monkeypatch):
    processor_of("REMI").push_to_hub("alice/remi")
    write_midi(make_score(1), tmp_path / "song.mid")
    monkeypatch.chdir(tmp_path)
    (snippet,) = snippets(hub.files("alice/remi")["README.md"].decode())
    exec(snippet, {})
    assert (tmp_path / "back.mid").exists()


@pytest.mark.parametrize(
    ("licences", "binding"),
    [
        ([], None),
        ([None], None),
        (["cc0-1.0", None], None),
        (["cc-by-nc-sa-4.0", None], "cc-by-nc-sa-4.0"),
        (["cc-by-4.0", "cc-by-nc-sa-4.0", "cc0-1.0"], "cc-by-nc-sa-4.0"),
        (["cc0-1.0", "cc-by-4.0"], "cc-by-4.0"),
        (["cc0-1.0", "one of their own"], None),
        (["cc-by-sa-4.0", "mit"], "cc-by-sa-4.0"),
    ],
)
def test_the_strictest_licence_binds(licences, binding):
    assert strictest(licences) == binding


def test_a_model_that_fills_in_bars_says_so(make_bundle):
    without = text_of(make_bundle(with_records=False))
    assert "fills in" not in without and "to fill in" not in without
    folder = make_bundle(with_records=False, infill_share=0.25)
    text = text_of(folder)
    assert "that continues pieces and fills in bars of them:" in text
    assert 'pipeline("midi-infilling", model="alice/bach"' in snippets(text)[0]
    assert "spans of 1 to 8 bars" in text
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"infill_share": "much"}))
    assert "fills in" not in text_of(folder)
