"""The instruments of General MIDI."""

from miditok.constants import MIDI_INSTRUMENTS

from neuromusic_hf.music.instruments import PROGRAM_NAMES, name_programs


def test_they_are_called_as_miditok_calls_them():
    assert PROGRAM_NAMES == tuple(instrument["name"] for instrument in MIDI_INSTRUMENTS)


def test_programs_are_named():
    assert name_programs(None) == "all tracks"
    assert name_programs({73, -1, 0}) == "Drums, Acoustic Grand Piano, Flute"
