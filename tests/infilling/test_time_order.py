"""Every tokenizer of miditok that writes one stream: a middle is one part of it, or nothing is cut out."""

import pytest
from symusic import Note, Score, Track
from tokenization.test_one_stream import ONE_STREAM, WITHOUT_PROGRAMS, miditok_tokenizer

from neuromusic_hf import MidiProcessor
from neuromusic_hf.infilling import Cut, CutEncoder
from neuromusic_hf.infilling.time_order import writes_in_time_order
from neuromusic_hf.music.score_arrays import ScoreArrays

MIXES_TRACKS = [name for name in ONE_STREAM if name != "MMM"]
CASES = [(name, True) for name in MIXES_TRACKS] + [(name, False) for name in WITHOUT_PROGRAMS]


def scale(programs, bars=8):
    """Tracks that play at once, four notes a bar, no pitch twice."""
    score = Score(480)
    for index, program in enumerate(programs):
        track = Track(program=program)
        pitches = range(30 + 4 * bars * index, 30 + 4 * bars * (index + 1))
        track.notes.extend([Note(480 * beat, 240, pitch, 80) for beat, pitch in enumerate(pitches)])
        score.tracks.append(track)
    return score


def processor_of(name, **settings):
    processor = MidiProcessor.from_music_tokenizer(miditok_tokenizer(name, **settings))
    processor.add_infill_tokens()
    return processor


def pitches_in(processor, ids):
    said = [processor.base_words[index] for index in ids.tolist() if index < len(processor.base_words)]
    return {int(value) for words in said for kind, value in words if kind in ("Pitch", "NoteOn")}


@pytest.mark.parametrize(("name", "use_programs"), CASES)
@pytest.mark.parametrize("one_alone", [False, True])
def test_each_note_that_is_cut_out_is_in_the_middle_and_nowhere_else(name, use_programs, one_alone):
    processor = processor_of(name, use_programs=use_programs)
    score = scale((0, 32) if use_programs else (0,))
    piece = ScoreArrays.of(processor.quantise(score))
    bar, programs = 4 * piece.ticks_per_quarter, frozenset({0}) if one_alone and use_programs else None
    cut = Cut(0, 2 * bar, 4 * bar, None, programs)
    (sample,) = CutEncoder(processor).samples([(piece, cut)])
    removed = set(piece.pitch[cut.removed(piece)].tolist())
    assert len(removed) == 8 * len(programs or piece.programs) == sample.num_notes
    assert pitches_in(processor, sample.middle) == removed
    told = [pitches_in(processor, part) for part in (sample.prefix, sample.given, sample.suffix)]
    assert set().union(*told) == set(piece.pitch.tolist()) - removed


@pytest.mark.parametrize("base", ["REMI", "TSD", "MIDILike"])
def test_a_tokenizer_that_writes_track_after_track_is_refused(base):
    processor = processor_of("MMM", base_tokenizer=base)
    assert not writes_in_time_order(processor)
    with pytest.raises(ValueError, match="MMM writes one track after the other.*REMI, TSD and Structured"):
        CutEncoder(processor)


@pytest.mark.parametrize("programs", [[-1], [5], [-1, 5]])
def test_programs_of_a_tokenizer_may_be_few(programs):
    assert writes_in_time_order(processor_of("REMI", use_programs=True, programs=programs))
