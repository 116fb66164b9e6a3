"""With the guard no continuation shares a longer run with the training pieces, however much the model wants to."""

import json

import numpy as np
import pytest
from datasets import Dataset, DatasetDict, Features
from music import make_score, make_song
from symusic import Note, Score, Track
from transformers import LogitsProcessor

from neuromusic_hf import MidiContinuationPipeline, MidiProcessor, load_corpus
from neuromusic_hf.copying import CopyIndex
from neuromusic_hf.generation import NoteStreamer
from neuromusic_hf.generation.clock import MusicClock
from neuromusic_hf.generation.copy_guard import guard_index
from neuromusic_hf.generation.guarded_row import CopyGuard, GuardedRow, NoteIds
from neuromusic_hf.hub import PullError
from neuromusic_hf.metrics import longest_runs
from neuromusic_hf.models.origin import remember_origin
from neuromusic_hf.music import Midi

PROMPT = 24
LENGTHS = {"prompt_length": PROMPT, "max_new_tokens": 90, "seed": 0}


class Copyist(LogitsProcessor):
    """Has a model go on with rows of ids, whatever it has written: one a prompt."""

    def __init__(self, rows):
        self.rows, self.width = rows, None

    def __call__(self, input_ids, scores):
        self.width = self.width or input_ids.shape[1]
        step, share = input_ids.shape[1] - self.width, len(input_ids) // len(self.rows)
        scores = scores.clone()
        for number, row in enumerate(row for row in self.rows for _ in range(share)):
            if step < len(row):
                scores[number, row[step]] += 30
        return scores


@pytest.fixture(scope="module")
def training():
    return [make_score(seed) for seed in range(4)] + [make_song(seed, 8) for seed in range(4)]


@pytest.fixture(scope="module")
def index(training):
    return CopyIndex.of(training)


@pytest.fixture(scope="module")
def copied(training):
    """Training pieces in another key."""
    return [training[1].shift_pitch(2), training[5].shift_pitch(-3), training[2]]


def copyist(processor, pieces):
    return [Copyist([processor.encode(piece)[PROMPT:] for piece in pieces])]


def runs(training, results):
    return longest_runs(training, [result["continuation"] for result in results]).tolist()


@pytest.mark.parametrize(
    "name, search",
    [
        ("REMI", {"do_sample": True}),
        ("TSD", {"num_beams": 2, "do_sample": False}),
        ("Structured", {"do_sample": False}),
        ("REMI BPE", {"num_beams": 2, "do_sample": False}),
        ("TSD BPE", {"do_sample": True}),
    ],
    ids=str,
)
def test_no_continuation_copies_more_than_allowed(pipeline_of, training, index, copied, name, search):
    pipe = pipeline_of(name)

    def go_on(**guard):
        wants = copyist(pipe.processor, copied)
        return pipe(copied, logits_processor=wants, batch_size=3, **LENGTHS, **search, **guard)

    assert max(runs(training, go_on())) > 12
    for max_run in (12, 3):
        results = go_on(copy_guard=index, max_run=max_run)
        assert max(runs(training, results)) <= max_run
        for found in (result["copy_guard"] for result in results):
            assert found["max_run"] == max_run and found["let_through"] == 0 <= found["likeliest"] <= found["masked"]
        assert sum(result["copy_guard"]["likeliest"] for result in results) > 0


def test_without_a_grammar_it_holds_too(pipeline_of, training, index, copied):
    pipe = pipeline_of("REMI")
    asked = LENGTHS | {"constrained": False, "logits_processor": copyist(pipe.processor, copied), "batch_size": 3}
    assert max(runs(training, pipe(copied, copy_guard=index, max_run=6, **asked))) <= 6


def few_notes(random, programs=(0, 40)) -> Score:
    """So few pitches and times that everything occurs again and again, on several tracks."""
    score = Score(480)
    for program in programs:
        times = np.sort(random.integers(0, 8, 12)) * 240
        pitches = random.integers(60, 64, 12)
        notes = [Note(time, 240, pitch, 80) for time, pitch in zip(times.tolist(), pitches.tolist(), strict=True)]
        score.tracks.append(Track(program=program, is_drum=program == 9, notes=notes))
    return score


@pytest.fixture(scope="module")
def greedy_vocabulary():
    """REMI with ids of many notes."""
    pieces = [few_notes(np.random.default_rng(seed)).dumps_midi() for seed in range(6)]
    corpus = Dataset.from_dict({"midi": pieces}, features=Features({"midi": Midi()}))
    return MidiProcessor.from_tokenization("REMI").train_new_from_corpus(corpus, 1100)


@pytest.mark.parametrize("name", ["REMI", "TSD", "Structured", "many notes"])
@pytest.mark.parametrize("max_run", [2, 4])
def test_what_is_ruled_out_is_what_would_copy(processor_of, greedy_vocabulary, name, max_run):
    """By decoding and measuring, id by id: chords, tracks, drums and doubled notes included."""
    processor = greedy_vocabulary if name == "many notes" else processor_of(name)
    random = np.random.default_rng(0)
    training = [few_notes(random) for _ in range(3)]
    guard = CopyGuard(CopyIndex.of(training), max_run, NoteIds(processor), time_rises=True)
    found = {False: 0, True: 0}
    for number in range(4):
        ids = processor.encode(few_notes(random, (0, 9) if number == 3 else (0, 40)))
        rows = [GuardedRow(MusicClock(processor))]
        for index in ids:
            rows.append(guard.advance(rows[-1], index))
        for place, index in enumerate(ids):
            end = next(end for end in range(place + 1, len(rows)) if rows[end].opened is None)
            if rows[place].opened is not None or any(each in guard.note_ids.ids for each in ids[place + 1 : end]):
                continue
            copies = longest_runs(training, [processor.decode(ids[:end])])[0] > max_run
            assert (index in guard.suspects(rows[place]) and guard.copies(rows[place], index)) == copies
            found[bool(copies)] += 1
            if copies:
                break  # whatever comes, it has a longer run by now
    assert min(found.values()) > 0
    assert max(guard.note_ids.counts) > 2 or name != "many notes"


def test_a_learned_vocabulary_that_may_go_back_in_time_needs_its_grammar(greedy_vocabulary, index):
    with pytest.raises(ValueError, match="learned vocabulary of bars and positions without its grammar"):
        CopyGuard(index, 4, NoteIds(greedy_vocabulary), time_rises=False)


def test_notes_are_the_same_in_any_batch_and_streamed(pipeline_of, index, copied):
    pipe, asked = pipeline_of("REMI"), LENGTHS | {"copy_guard": index, "max_run": 4}
    together = pipe(copied, batch_size=3, logits_processor=copyist(pipe.processor, copied), **asked)
    for piece, result in zip(copied, together, strict=True):
        streamer = NoteStreamer(pipe.processor)
        alone = pipe(piece, streamer=streamer, logits_processor=copyist(pipe.processor, [piece]), **asked)
        assert alone["token_ids"] == result["token_ids"] and alone["copy_guard"] == result["copy_guard"]
        assert len(list(streamer)) == alone["continuation"].note_num()


def test_it_changes_nothing_where_nothing_is_copied(pipeline_of, index):
    pipe, piece = pipeline_of("TSD"), make_score(100)
    plain = pipe(piece, **LENGTHS)
    guarded = pipe(piece, copy_guard=index, **LENGTHS)
    assert guarded["token_ids"] == plain["token_ids"] and "copy_guard" not in plain
    assert guarded["copy_guard"] == {"max_run": 12, "masked": 0, "likeliest": 0, "let_through": 0}


def test_where_nothing_else_may_follow_the_run_goes_on_and_is_counted(pipeline_of):
    repeated = Score(480)
    repeated.tracks.append(Track(notes=[Note(480 * number, 480, 60, 80) for number in range(40)]))
    pipe = pipeline_of("REMI")
    wishes = {"pitch_range": (60, 60), "instruments": [0], "logits_processor": copyist(pipe.processor, [repeated])}
    result = pipe(repeated, copy_guard=CopyIndex.of([repeated]), max_run=3, **wishes, **LENGTHS)
    assert longest_runs([repeated], [result["continuation"]])[0] > 3
    assert result["copy_guard"]["let_through"] > 0


def test_training_pieces_come_as_a_name_a_corpus_a_dataset_or_an_index(pipeline_of, midi_folder, copied):
    pieces = [make_score(seed).dumps_midi() for seed in range(3)]
    rows = Dataset.from_dict({"midi": pieces}, features=Features({"midi": Midi()}))
    pipe = MidiContinuationPipeline(pipeline_of("REMI").model, pipeline_of("REMI").processor, device="cpu")
    assert pipe.guard_in_force() is None
    other = Dataset.from_dict({"midi": pieces[:1]}, features=Features({"midi": Midi()}))
    for corpus, notes in (
        (DatasetDict({"train": rows, "test": other}), CopyIndex.of(rows["midi"])),
        (other, CopyIndex.of(other["midi"])),
        (str(midi_folder), None),
    ):
        asked = {"copy_guard": corpus, "max_run": 5}
        guarded = MidiContinuationPipeline(pipe.model, pipe.processor, device="cpu", **asked)
        found = guarded.guard_in_force()
        assert found["max_run"] == 5 and (notes is None or found["sha256"] == notes.sha256)
        assert guarded(copied[0], prompt_length=PROMPT, max_new_tokens=4)["copy_guard"]["max_run"] == 5
    assert found["corpus"] == str(midi_folder) and found["pieces"] == 32


def test_training_pieces_are_those_of_the_commit_that_was_loaded(hub, midi_folder):
    """And are found with the token that it was loaded with."""

    def put(shares):
        corpus = {"name": midi_folder.name, "splits": "families-1", "split_shares": shares}
        return hub.put("alice/model", {"run.json": json.dumps({"corpora": [corpus]}).encode()})

    first = put([0.4, 0.3, 0.3])
    put([0.8, 0.1, 0.1])
    hub.store.repositories["model", "alice/model"].private = True

    class Model:
        name_or_path = "alice/model"

    model = Model()
    remember_origin(model, first, token="hf_bob")
    with pytest.raises(PullError):
        guard_index(str(midi_folder), model)
    remember_origin(model, first, token="hf_alice", trust_remote_code=True)
    expected = load_corpus(str(midi_folder), split_shares=(0.4, 0.3, 0.3))["train"]["midi"]
    assert guard_index(str(midi_folder), model).sha256 == CopyIndex.of(expected).sha256


def test_a_call_may_be_without_the_guard_of_its_pipeline(pipeline_of, index):
    pipe = pipeline_of("REMI")
    guarded = MidiContinuationPipeline(pipe.model, pipe.processor, device="cpu", copy_guard=index, max_run=4)
    piece, asked = make_score(1), {"prompt_length": PROMPT, "max_new_tokens": 2}
    assert "copy_guard" in guarded(piece, **asked)
    for pieces in (piece, [piece]):
        assert "copy_guard" not in str(guarded(pieces, copy_guard=None, **asked))
    assert guarded(piece, max_run=6, **asked)["copy_guard"]["max_run"] == 6
    with pytest.raises(ValueError, match="max_run=6 goes with copy_guard"):
        guarded(piece, copy_guard=None, max_run=6, **asked)


def test_training_pieces_are_indexed_once(pipeline_of, midi_folder, monkeypatch):
    pipe = MidiContinuationPipeline(pipeline_of("REMI").model, pipeline_of("REMI").processor, device="cpu")
    made = []
    monkeypatch.setattr("neuromusic_hf.generation.pipeline.guard_index", lambda *given: made.append(given) or index)
    index = CopyIndex.of([make_score(0)])
    for _ in range(2):
        pipe(make_score(1), copy_guard=str(midi_folder), max_run=4, prompt_length=PROMPT, max_new_tokens=2)
    assert len(made) == 1


@pytest.mark.parametrize("max_run", [1, 0, 2.5, True, "12"])
def test_a_run_of_no_use_is_refused(pipeline_of, index, max_run):
    pipe = pipeline_of("TSD")
    with pytest.raises(ValueError, match=f"max_run={max_run!r} must be a whole number of notes, 2 or more"):
        pipe(make_score(0), copy_guard=index, max_run=max_run)


def test_a_guard_that_cannot_be_is_refused(pipeline_of):
    pipe = pipeline_of("TSD")
    with pytest.raises(ValueError, match="max_run=12 goes with copy_guard"):
        pipe(make_score(0), max_run=12)
    with pytest.raises(ValueError, match="holds no training pieces"):
        pipe(make_score(0), copy_guard=[make_score(0)])
    with pytest.raises(ValueError, match="no note that could be copied"):
        empty = Dataset.from_dict({"midi": [Score(480).dumps_midi()]}, features=Features({"midi": Midi()}))
        pipe(make_score(0), copy_guard=empty)
    with pytest.raises(ValueError, match="'no_such_corpus' is no corpus"):
        pipe(make_score(0), copy_guard="no_such_corpus")
