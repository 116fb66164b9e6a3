"""Wishes about instruments, pitches and tempo: kept by every new note, or refused with a reason."""

import miditok
import pytest
import torch
from music import make_score
from tiny import TINY
from tokenization.sample_scores import DRUMS, build_score, random_score

from neuromusic_hf import MidiContinuationPipeline, MidiProcessor, build_model
from neuromusic_hf.generation import Control, NoteStreamer
from neuromusic_hf.metrics import count_token_errors

LENGTHS = {"prompt_length": 60, "max_new_tokens": 90, "min_new_tokens": 80, "seed": 0}


class OwnTokenizer(miditok.TSD):
    """A tokenizer of a user, for which there is no grammar."""


@pytest.fixture(scope="module")
def own_pipe():
    processor = MidiProcessor.from_tokenization(f"{__name__}.OwnTokenizer")
    torch.manual_seed(0)
    return MidiContinuationPipeline(
        build_model("gpt2", processor, context_length=256, **TINY), processor, device="cpu"
    )


def programs(score):
    return {DRUMS if track.is_drum else track.program for track in score.tracks if len(track.notes)}


def pitches(score):
    return {note.pitch for track in score.tracks if not track.is_drum for note in track.notes}


@pytest.mark.parametrize("name", ["REMI", "TSD", "Structured", "TSD BPE"])
def test_new_notes_are_of_the_instruments_and_pitches_wished_for(pipeline_of, name):
    wishes = {"instruments": [0, "Violin"], "pitch_range": (50, 62)}
    lengths = LENGTHS | {"max_new_tokens": 120, "min_new_tokens": 120, "seed": 3}
    result = pipeline_of(name)([random_score(1), None], **lengths, **wishes, batch_size=2)
    for each in result:
        assert programs(each["continuation"]) <= {0, 40} and programs(each["continuation"])
        assert pitches(each["continuation"]) <= set(range(50, 63))


def test_a_note_left_open_by_the_prompt_is_not_finished_against_the_wishes(remi_pipe):
    """Whatever token the prompt ends with."""
    for length in range(20, 32):
        prompt = {"prompt_length": length, "max_new_tokens": 40, "seed": 0}
        result = remi_pipe(random_score(1), instruments=["Flute"], **prompt)
        assert programs(result["continuation"]) <= {73}
        assert (
            result["prompt_token_ids"]
            == remi_pipe.processor.encode(random_score(1))[:length][: len(result["prompt_token_ids"])]
        )


def test_each_prompt_of_a_batch_keeps_its_own_instruments(pipe):
    pieces = [make_score(1), random_score(1), build_score(480, [(73, [(beat, 1, 70, 80) for beat in range(40)])])]
    for result in pipe(pieces, instruments="prompt", **LENGTHS, batch_size=3):
        assert programs(result["continuation"]) <= programs(result["prompt"])
    with_drums = pipe(pieces[1], instruments="prompt", drums=False, **LENGTHS)
    assert DRUMS in programs(with_drums["prompt"]) and DRUMS not in programs(with_drums["continuation"])


def test_drums_alone_and_no_drums(pipe):
    lengths = {"max_new_tokens": 160, "min_new_tokens": 160, "seed": 0}
    assert programs(pipe(drums=False, **lengths)["midi"]).isdisjoint({DRUMS})
    assert programs(pipe(instruments=["Drums"], **lengths)["midi"]) == {DRUMS}
    assert programs(pipe(instruments=[0], drums=True, **lengths)["midi"]) <= {0, DRUMS}


@pytest.mark.parametrize("tempo, written", [(123.5, "Tempo_125.0"), (90, "Tempo_90.0"), (71, "Tempo_70.0")])
def test_one_exact_tempo(pipe, tempo, written):
    for piece in (random_score(1, tempos=((0, 120), (3, 90), (5, 60))), None):
        result = pipe(piece, tempo=tempo, **LENGTHS)
        for part in ("midi", "prompt", "continuation"):
            assert [(each.time, round(each.qpm, 2)) for each in result[part].tempos] in ([(0, tempo)], [])
        assert result["midi"].tempos
        text = pipe.processor.tokenizer.decode(result["prompt_token_ids"] + result["token_ids"])
        tempos = {word for word in text.split() if word.startswith("Tempo")}
        assert tempos <= {written}


@pytest.mark.parametrize("name", ["REMI", "TSD", "Structured"])
def test_constrained_tokens_have_no_errors_and_unconstrained_ones_do(pipeline_of, name):
    pipe = pipeline_of(name)

    def errors(constrained):
        result = pipe(max_new_tokens=100, min_new_tokens=100, seed=0, constrained=constrained)
        return count_token_errors(pipe.processor, [result["token_ids"]]).errors

    assert errors(True) == 0 < errors(False)


def test_a_tokenizer_without_rules_is_masked_and_warned_of_once(own_pipe, caplog):
    wishes = {"instruments": [40], "pitch_range": (50, 60), "tempo": 90}
    results = own_pipe([random_score(1), None], **LENGTHS, **wishes)
    assert [record.levelname for record in caplog.records if "grammar" in record.message] == ["WARNING"]
    for result in results:
        text = own_pipe.processor.tokenizer.decode(result["token_ids"])
        words = [word.split("_") for word in text.split()]
        assert {value for kind, value in words if kind == "Program"} <= {"40"}
        assert {int(value) for kind, value in words if kind == "Pitch"} <= set(range(50, 61))
        assert {value for kind, value in words if kind == "Tempo"} <= {"90.0"}
    assert own_pipe(**LENGTHS)["token_ids"]


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"instruments": "piano"}, "must be a list"),
        ({"instruments": ["Kazoo"]}, "Kazoo"),
        ({"instruments": [128]}, "128"),
        ({"instruments": []}, "no instrument"),
        ({"instruments": ["Drums"], "drums": False}, "no instrument"),
        ({"pitch_range": (70, 60)}, r"\(70, 60\)"),
        ({"pitch_range": (128, 130)}, r"\(128, 130\).*0 to 127"),
        ({"tempo": 0}, "tempo=0"),
        ({"tempo": 3}, "tempo=3 must be 3.58 to 60,000,000"),
        ({"tempo": float("nan")}, "tempo=nan"),
        ({"tempo": 500}, "tempo=500.*20 to 300"),
        ({"max_new_tokens": 0}, "max_new_tokens=0"),
        ({"max_new_bars": 0}, "max_new_bars=0"),
        ({"prompt_length": 0}, "prompt_length=0"),
        ({"num_return_sequences": 2, "do_sample": False}, "num_return_sequences=2"),
        ({"num_return_sequences": 0}, "num_return_sequences=0"),
        ({"instruments": "prompt"}, "no_instruments"),
        ({"prompt_bar": 4}, "prompt_bar"),
    ],
)
def test_impossible_wishes_are_refused_before_any_compute(remi_pipe, monkeypatch, wrong, message):
    def forward(input_ids):
        raise AssertionError("the model was run")

    monkeypatch.setattr(remi_pipe.model, "forward", forward)
    with pytest.raises(ValueError, match=message):
        remi_pipe(None, **wrong)


def test_instruments_that_the_model_never_heard(tiny_model, processor_of):
    model = tiny_model("REMI")
    model.config.trained_programs = [0, 32]
    pipe = MidiContinuationPipeline(model, processor_of("REMI"), device="cpu")
    flute = build_score(480, [(73, [(beat, 1, 70, 80) for beat in range(8)])])
    duo = build_score(480, [(part, [(beat, 1, 70, 80) for beat in range(8)]) for part in (0, 73)])
    with pytest.raises(ValueError, match=r"unknown_instruments.*\[73\].*\[0, 32\]"):
        pipe(flute, max_new_tokens=5)
    skipped, continued = pipe([flute, duo], max_new_tokens=5)
    assert skipped["skipped"]["reason"] == "unknown_instruments" and continued["midi"].note_num() >= 16
    with pytest.raises(ValueError, match=r"never heard.*\[40, 41\].*\[0, 32\]"):
        pipe(duo, instruments=["Violin", "Viola"])
    assert pipe(duo, instruments=["Violin", 0], max_new_tokens=5)


def test_a_streamer_takes_one_piece(remi_pipe):
    streamer = NoteStreamer(remi_pipe.processor)
    for wrong in ({"midi": [make_score(1)]}, {"midi": make_score(1), "num_return_sequences": 2}):
        with pytest.raises(ValueError, match="streamer follows one"):
            remi_pipe(**wrong, streamer=streamer)


def test_names_of_instruments_are_those_of_general_midi_in_any_case():
    assert Control(instruments=["acoustic grand PIANO", "Drums", 5]).named_programs == {0, DRUMS, 5}
    assert Control(instruments=["violin"], drums=True).named_programs == {40, DRUMS}
