"""The instruments of General MIDI."""

from miditok.constants import MIDI_INSTRUMENTS

from neuromusic_hf.music.instruments import PROGRAM_NAMES


def test_they_are_called_as_miditok_calls_them():
    assert PROGRAM_NAMES == tuple(instrument["name"] for instrument in MIDI_INSTRUMENTS)
