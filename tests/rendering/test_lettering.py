"""Titles of any script are drawn without boxes and without a warning."""

import logging
import warnings

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.ttLib.tables._g_l_y_f import Glyph
from matplotlib.figure import Figure
from matplotlib.font_manager import FontEntry, fontManager

from neuromusic_hf.rendering import lettering
from neuromusic_hf.rendering.lettering import letter, shorten, shorten_middle


@pytest.fixture(autouse=True)
def fonts_of_matplotlib(monkeypatch):
    """The machine has no other fonts than matplotlib's; what was found before is forgotten."""
    monkeypatch.setattr(lettering, "_family_of", {})
    own = [font for font in fontManager.ttflist if "mpl-data" in str(font.fname)]
    monkeypatch.setattr(fontManager, "ttflist", own)
    return own


@pytest.fixture
def transliteration():
    pytest.importorskip("anyascii", reason="anyascii is not installed")


def draw(text):
    """Draws a text as our pictures do; a missing glyph is an error."""
    shown = letter(text)
    figure = Figure(figsize=(4, 1))
    figure.text(0, 0.5, shown.text, fontfamily=shown.families, parse_math=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.canvas.draw()
    return shown.text


@pytest.mark.parametrize(
    "text", ["Études", "Чайка", "Ελλάς", "ქართული", "♪ Việt Nam", "$x_1^^2$ _a_ \\alpha {", "e\u0301 x̃"]
)
def test_what_the_font_of_matplotlib_has_stays_as_it_is(text):
    assert draw(text).replace("é", "e\u0301") == text


@pytest.mark.skipif(not lettering.SHAPES, reason="this matplotlib does not write from right to left")
@pytest.mark.parametrize("text", ["السلام عليكم (no. 3)", "שלום עולם"])
def test_what_is_written_from_right_to_left_stays_as_it_is(text):
    assert draw(text) == text


@pytest.mark.parametrize(
    "text, shown",
    [
        ("さくら 1", "sakura 1"),
        ("月光", "YueGuang"),
        ("राग", "rag"),
        ("🎵 Song 👩\u200d🎤", ":musical_note: Song :woman:\u200d:microphone:"),
        ("\u0f8a\u0a72", "U+0F8A U+0A72"),
    ],
)
def test_what_no_font_has_is_written_in_latin_letters(transliteration, text, shown):
    assert draw(text) == shown


def test_without_shaping_scripts_from_right_to_left_are_written_in_latin_letters(transliteration, monkeypatch):
    monkeypatch.setattr(lettering, "SHAPES", False)
    assert draw("שלום 3").isascii()


def test_controls_and_what_is_no_character_break_no_line():
    assert draw(" a\x00b\tc\r\nd\u202eevil\u202c\ufeff \ue000\ud800 ") == "a b c devil \ufffd\ufffd"
    assert draw("") == draw("\n\u200b") == ""


def test_a_font_of_the_machine_is_taken_for_what_it_has(transliteration, fonts_of_matplotlib, tmp_path, caplog):
    path = tmp_path / "kana.ttf"
    font = FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder([".notdef", "sa"])
    font.setupCharacterMap({ord("さ"): "sa"})
    font.setupGlyf({".notdef": Glyph(), "sa": Glyph()})
    font.setupHorizontalMetrics({".notdef": (500, 0), "sa": (900, 0)})
    font.setupHorizontalHeader(ascent=800, descent=-200)
    font.setupNameTable({"familyName": "Kana of Ours", "styleName": "Regular"})
    font.setupOS2()
    font.setupPost()
    font.save(path)
    damaged = tmp_path / "damaged.ttf"
    damaged.write_bytes(b"no font")
    fonts_of_matplotlib += [FontEntry(str(damaged), name="Damaged", weight=400)]
    fonts_of_matplotlib += [FontEntry(str(path), name="Kana of Ours", weight=400)]
    with caplog.at_level(logging.WARNING):
        assert draw("さく") == "さku"
    assert letter("さ").families == ("DejaVu Sans", "Kana of Ours") and not caplog.records


def test_a_long_text_is_cut_between_letters():
    assert shorten("abc", 3) == "abc" and shorten("abcd", 3) == "ab…" and shorten("ab cd", 4) == "ab…"
    assert shorten("ax\u0303y", 3) == "a…"
    assert shorten("x\u0303y", 2) == "…" == shorten("abc", 0)


def test_a_name_that_is_shortened_in_its_middle_keeps_both_ends():
    assert shorten_middle("abc", 3) == "abc" and shorten_middle("abcdefgh", 6) == "ab…fgh"
    assert shorten_middle("abcdex\u0303gh", 6) == "abc…gh", "no mark without its letter"
