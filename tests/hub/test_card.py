"""A card is written anew with each push, and what its owner wrote survives."""

import html
import logging

import pytest
import yaml
from huggingface_hub import ModelCard, ModelCardData

from neuromusic_hf.hub import Card, Section, code_block, escape, read_card

SECTIONS = [
    Section("about", "A model of 3 layers."),
    Section("use", "## Use\n\nLoad it."),
    Section("scores", "## 0.1"),
]
NEWER = [Section("about", "A model of 4 layers."), SECTIONS[1], Section("scores", "## 0.2")]
METADATA = {"license": "mit", "tags": ["music", "midi"], "base_model": None}


def card(sections=SECTIONS, **metadata):
    return Card("My model", METADATA | metadata, sections)


def metadata_of(text):
    return yaml.safe_load(text.split("---")[1])


def test_a_new_card_has_title_metadata_and_sections():
    text = card().render()
    assert metadata_of(text) == {"license": "mit", "tags": ["music", "midi"]}
    places = [text.index(part) for part in ("# My model", "A model of 3", "Load it.", "## 0.1")]
    assert places == sorted(places)
    assert ModelCard(text).data.license == "mit"


def test_what_nobody_changed_is_written_anew():
    assert card(NEWER).render(card().render()) == card(NEWER).render()
    assert card(NEWER, license="apache-2.0").render(card().render()) == card(NEWER, license="apache-2.0").render()
    assert card(NEWER).render(card().render().replace("\n", "\r\n")) == card(NEWER).render()


def test_what_its_owner_wrote_stays(caplog):
    first = card().render()
    theirs = first.replace("# My model", "# Johann\n\nMy own words.").replace("Load it.", "Load it *slowly*.")
    theirs = theirs.replace("license: mit", "license: cc0-1.0\nlanguage: de") + "\nThe end.\n"
    with caplog.at_level(logging.INFO):
        second = card(NEWER, license="apache-2.0", tags=["music"]).render(theirs)
    assert metadata_of(second) == {"license": "cc0-1.0", "language": "de", "tags": ["music"]}
    assert "use" in caplog.text and "license" in caplog.text
    for words in ("# Johann", "My own words.", "Load it *slowly*.", "The end.", "4 layers", "## 0.2"):
        assert second.count(words) == 1, words
    assert "# My model" not in second and "3 layers" not in second and "## 0.1" not in second
    assert card(NEWER, license="apache-2.0", tags=["music"]).render(second) == second


def test_a_card_without_sections_gets_them_behind_its_own_words():
    theirs = "---\nlicense: cc0-1.0\n---\n# Johann\n\nMine.\n"
    text = card().render(theirs)
    assert metadata_of(text) == {"license": "cc0-1.0", "tags": ["music", "midi"]}
    assert text.index("Mine.") < text.index("A model of 3") < text.index("Load it.") < text.index("## 0.1")
    assert "# My model" not in text and card().render(text) == text


def test_sections_come_and_go():
    without = [SECTIONS[0], SECTIONS[2]]
    assert "Load it." not in card(without).render(card().render())
    again = card().render(card(without).render())
    assert again.index("A model of 3") < again.index("Load it.") < again.index("## 0.1")
    first = card(SECTIONS[1:]).render()
    assert card().render(first).index("A model of 3") < card().render(first).index("Load it.")
    changed = card().render().replace("Load it.", "Mine.")
    assert "Mine." in card(without).render(changed)


def test_metadata_that_were_taken_out_stay_out():
    theirs = card().render().replace("license: mit\n", "")
    second = card(license="apache-2.0").render(theirs)
    assert "license" not in metadata_of(second)
    assert "license" not in metadata_of(card(license="apache-2.0").render(second))
    assert metadata_of(card(license=None).render(card().render())) == {"tags": ["music", "midi"]}


def test_a_section_that_was_emptied_stays_empty():
    theirs = card().render().replace("## Use\n\nLoad it.\n", "")
    assert "Load it." not in card().render(theirs)
    assert card().render(theirs) == theirs


@pytest.mark.parametrize("word", ["", "My own words."])
def test_a_template_that_nobody_filled_in_is_nobodys_words(word):
    blank = str(ModelCard.from_template(ModelCardData(library_name="peft"), model_id="alice/model"))
    text = card().render(f"{blank}\n{word}")
    assert ("More Information Needed" in text) == bool(word)
    assert word in text and "A model of 3" in text


@pytest.mark.parametrize("mark", ["<!-- /about -->", "<!-- neuromusic_hf: use 0123456789ab -->"])
def test_a_section_cannot_hold_marks_of_sections(mark):
    with pytest.raises(ValueError, match="mark"):
        Section("about", f"A model.\n{mark}\nMore.")


def test_strings_of_strangers_are_shown_as_they_stand():
    markdown = pytest.importorskip("markdown_it").MarkdownIt("gfm-like", {"linkify": False})
    name = "a*b*_c_ `d` [e](f) <img src=x> | #1 ~~g~~ $h$ & i\\j\n\n# k\x00\u202e ![l](m) @n"
    shown = markdown.render(f"In {escape(name)}.")
    assert "<img" not in shown and shown.count("<") == 2
    kept = " ".join("".join(each if each.isprintable() else " " for each in name).split())
    assert html.unescape(shown) == f"<p>In {kept}.</p>\n"


def test_code_cannot_leave_its_block():
    markdown = pytest.importorskip("markdown_it").MarkdownIt()
    code = "a: '```'\n<b>\n````\nc"
    assert markdown.render(code_block(code, "yaml")).count("<code") == 1


def test_marks_of_anyone_are_read_in_one_go_and_keep_no_card_from_being_written():
    begin = "<!-- neuromusic_hf: a 000000000000 -->\n"
    for marks in (begin * 5_000, "<!-- /a -->\n" * 5_000, begin * 5_000 + "<!-- /a -->\n"):
        text = card().render(marks)
        assert text.count("A model of 3 layers.") == 1 and card().render(text) == text


def test_a_section_into_which_a_mark_was_written_is_its_owner_s():
    theirs = card().render().replace("Load it.", "Load it.\n<!-- /elsewhere -->")
    assert [section.name for section in read_card(theirs)[1]] == ["title", "about", "scores"]
    assert "<!-- /elsewhere -->" in card(NEWER).render(theirs)


@pytest.mark.parametrize(
    ("head", "problem"),
    [
        ("a: &a [1]\nb: *a", "stands for a list"),
        (f"a: {'[' * 30}{']' * 30}", "deeper than 20"),
        (f"a: {'b' * (1 << 18)}", "letters, limit"),
        ("- a", "'key: value'"),
        ("a: [", "no YAML"),
    ],
)
def test_metadata_that_are_damaged_or_too_much_are_refused(head, problem):
    for read in (card().render, read_card):
        with pytest.raises(ValueError, match=f"metadata of README.md cannot be read.*{problem}"):
            read(f"---\n{head}\n---\n")
