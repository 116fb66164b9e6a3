"""A prompt is read once, and every id goes through the clock once."""

import struct
from collections import Counter

import pytest
from midi_bytes import melody, meta, midi_file, on
from music import make_score

from neuromusic_hf.corpora import sanity
from neuromusic_hf.generation.clock import MusicClock
from neuromusic_hf.music import reading
from neuromusic_hf.music.limits import SanityLimits

SETTINGS = {"prompt_length": 60, "max_new_tokens": 190, "min_new_tokens": 190, "seed": 1}
FEW_NOTES = {"instruments": [0], "pitch_range": (60, 61)}


def counted(monkeypatch, place, name, calls):
    own = getattr(place, name)

    def count(*args, **kwargs):
        calls[name] += 1
        return own(*args, **kwargs)

    monkeypatch.setattr(place, name, count)


@pytest.fixture
def read(monkeypatch):
    """How often a file was read, unwrapped and parsed."""
    calls = Counter()
    for place, name in ((sanity, "read_midi"), (reading, "read_midi"), (reading, "unwrap"), (reading, "_parse")):
        counted(monkeypatch, place, name, calls)
    return calls


@pytest.fixture
def clocked(monkeypatch):
    """The ids that went through a clock."""
    ids, own = [], MusicClock.advance

    def advance(clock, index):
        ids.append(index)
        return own(clock, index)

    monkeypatch.setattr(MusicClock, "advance", advance)
    return ids


def in_riff(data: bytes) -> bytes:
    chunk = b"RMIDdata" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(chunk)) + chunk


@pytest.mark.parametrize("wrap", [bytes, in_riff])
def test_a_prompt_is_read_once(remi_pipe, read, tmp_path, wrap):
    path = tmp_path / "song.mid"
    path.write_bytes(wrap(make_score(1).dumps_midi()))
    few = SETTINGS | {"max_new_tokens": 12, "min_new_tokens": 12}
    expected = remi_pipe(make_score(1), **few)["token_ids"]
    assert not read
    for piece in (path, path.read_bytes(), [{"bytes": path.read_bytes(), "path": "row.mid"}]):
        read.clear()
        result = remi_pipe(piece, **few)
        assert (result[0] if isinstance(result, list) else result)["token_ids"] == expected
        assert read == {"read_midi": 1, "unwrap": 1, "_parse": 1}


def test_what_a_reading_gives_is_what_its_mended_file_holds():
    data, held = make_score(1).dumps_midi(), midi_file([(0, on(40)), *melody(), (9000, meta(6, b"late"))])
    for damaged in (held, b"garbage" + data, in_riff(data)):
        found = sanity.inspect_midi(damaged, SanityLimits(min_notes=None, min_seconds=None))
        again = reading.read_midi(found.data)
        assert found.score.dumps_midi() == again.score.dumps_midi() and not again.mends


@pytest.mark.parametrize("limit", [{"max_new_bars": 1}, {"max_new_seconds": 0.2}, {"max_new_seconds": 900.0}])
@pytest.mark.parametrize("rows", [{}, {"num_return_sequences": 3}])
def test_every_id_goes_through_the_clock_once(remi_pipe, clocked, limit, rows):
    results = remi_pipe([make_score(1), make_score(2)], **SETTINGS, **FEW_NOTES, **limit, **rows, batch_size=2)
    read = []
    for result in results:
        continued = result if isinstance(result, list) else [result]
        stops = {each["stopped_by"] for each in continued}
        assert stops == ({"max_new_tokens"} if limit == {"max_new_seconds": 900.0} else {*limit})
        read += continued[0]["prompt_token_ids"] + [index for each in continued for index in each["token_ids"]]
    assert Counter(clocked) == Counter(read)


def test_of_beams_each_is_followed_from_where_it_branches_off(remi_pipe, clocked):
    settings = SETTINGS | {"num_beams": 3, "do_sample": False, "max_new_bars": 2, "constrained": False}
    result = remi_pipe(make_score(1), **settings)
    steps, candidates = len(result["token_ids"]), 2 * 3
    assert result["stopped_by"] in ("max_new_bars", "max_new_tokens")
    assert len(clocked) <= len(result["prompt_token_ids"]) + candidates * SETTINGS["max_new_tokens"]
    assert steps > 10
