"""The midi-continuation pipeline: what goes in, what comes out, and what is refused."""

import itertools

import numpy as np
import pytest
import torch
from datasets import Dataset, Features, IterableDataset
from midi_player import notes_of, play
from music import make_score
from symusic import Note, Score, Track
from tiny import TOKENIZATIONS
from tokenization.sample_scores import build_score, note_list
from transformers.pipelines.pt_utils import KeyDataset

from neuromusic_hf import MidiContinuationPipeline, NoteStreamer, save_continuation
from neuromusic_hf.music import Midi, bar_starts, new_music, onsets, seconds_at

SHORT = {"prompt_length": 50, "max_new_tokens": 24, "seed": 0}
GREEDY = {"prompt_length": 50, "max_new_tokens": 24, "do_sample": False}
KEYS = {
    "name", "midi", "continuation", "prompt", "original", "token_ids", "prompt_token_ids", "original_token_ids",
    "ended_with_eos", "stopped_by", "entropy", "changed", "seed", "seconds",
}  # fmt: skip


@pytest.fixture(params=["gpt2", "llama", "music_transformer"])
def family_pipe(request, pipeline_of):
    return pipeline_of("REMI", request.param)


def ids_of(results):
    return [result["token_ids"] for result in results]


def test_prompt_and_continuation_make_the_whole(pipe):
    piece = make_score(1)
    result = pipe(piece, **SHORT | {"max_new_tokens": 90})
    assert set(result) == KEYS
    assert result["prompt_token_ids"] == pipe.processor.encode(piece)[:50]
    assert note_list(result["prompt"]) == note_list(pipe.processor.decode(result["prompt_token_ids"]))
    new = new_music(result["midi"], result["prompt"], from_zero=False)
    assert sorted(note_list(result["prompt"]) + note_list(new)) == note_list(result["midi"])
    assert new.note_num() == result["continuation"].note_num() > 0
    assert onsets(new)[0] >= onsets(result["prompt"])[-1]
    shift = note_list(new)[0][0] - note_list(result["continuation"])[0][0]
    assert int(shift * new.tpq) in bar_starts(result["midi"])
    moved = [(note[0] + shift, *note[1:]) for note in note_list(result["continuation"])]
    assert moved == note_list(new)


def test_notes_that_sound_over_the_border_are_neither_cut_nor_doubled(pipe):
    long_notes = [(0, 12, 50, 80), (1, 9, 54, 80), (2, 12, 57, 80), (3, 10, 61, 80)]
    piece = build_score(480, [(0, long_notes + [(8, 1, 70, 80)])])
    result = pipe(piece, prompt_bars=1, max_new_tokens=60, seed=1)
    kept = [(*note[:3], note[4]) for note in note_list(result["midi"])]
    for onset, duration, pitch, _ in long_notes:
        assert kept.count((onset, duration, pitch, 0)) == 1


def test_every_kind_of_input_gives_the_same(remi_pipe, tmp_path):
    path = tmp_path / "a song.mid"
    make_score(3).dump_midi(path)
    rows = {"midi": [str(path)]}
    column = Dataset.from_dict(rows, features=Features({"midi": Midi()}))
    stored = column.cast_column("midi", Midi(decode=False))
    streamed = column.to_iterable_dataset()
    one = remi_pipe(str(path), **SHORT)
    assert one["name"] == "a song"
    row = {"bytes": path.read_bytes(), "path": "elsewhere/row.mid"}
    for piece, name in (
        (path, "a song"), (path.read_bytes(), "piece"), (Score(path), "piece"), (Score(path).to("quarter"), "piece"),
        (row, "row"), (row | {"name": "Row: 1"}, "Row: 1"),
    ):  # fmt: skip
        result = remi_pipe(piece, **SHORT)
        assert result["token_ids"] == one["token_ids"] and result["name"] == name
    for pieces in (
        [path], (path,), column["midi"], stored["midi"], KeyDataset(column, "midi"), streamed["midi"], iter([path]),
        (each for each in [path]),
    ):  # fmt: skip
        assert ids_of(remi_pipe(pieces, **SHORT)) == [one["token_ids"]]
    with pytest.raises(TypeError, match="int"):
        remi_pipe(3)


def test_rows_of_a_dataset_open_nothing_but_their_own_bytes(remi_pipe, tmp_path):
    path = tmp_path / "ours.mid"
    make_score(3).dump_midi(path)
    no_bytes = {"bytes": None, "path": str(path)}
    rows = Dataset.from_dict({"midi": [no_bytes, {"bytes": path.read_bytes(), "path": None}]})
    names, paths = Dataset.from_dict({"midi": [str(path)]}), Dataset.from_dict({"midi": [{"path": str(path)}]})
    for pieces in (
        [no_bytes], iter([no_bytes]), rows["midi"], rows.to_iterable_dataset()["midi"], KeyDataset(rows, "midi"),
        names["midi"], names.to_iterable_dataset()["midi"], KeyDataset(names, "midi"), paths["midi"],
    ):  # fmt: skip
        refused, *sound = list(remi_pipe(pieces, **SHORT))
        assert refused["skipped"]["reason"] == "missing" and "not opened" in refused["skipped"]["detail"]
        assert [result.get("skipped") for result in sound] == [None] * len(sound), pieces
    with pytest.raises(ValueError, match="ours.mid.*not opened"):
        remi_pipe(no_bytes)
    assert remi_pipe({"path": str(path)}, **SHORT)["token_ids"]


def test_streams_are_read_when_it_is_their_turn(remi_pipe):
    read = []

    def rows():
        for seed in itertools.count():
            read.append(seed)
            yield {"midi": {"bytes": make_score(seed).dumps_midi(), "path": f"{seed}.mid"}}

    column = IterableDataset.from_generator(rows)["midi"]
    results = remi_pipe(column, **SHORT, batch_size=2)
    assert [next(iter(results))["name"]] == ["0"]
    assert max(read) < 6
    assert isinstance(remi_pipe([], **SHORT), list) and list(remi_pipe(iter([]), **SHORT)) == []


@pytest.mark.parametrize(
    "settings",
    [
        GREEDY | {"prompt_length": 180},
        SHORT | {"prompt_length": 180},
        {"max_new_bars": 1, "seed": 3, "max_new_tokens": 60},
    ],
    ids=["greedy", "sampled", "bars"],
)
def test_a_batch_of_mixed_lengths_equals_each_alone(family_pipe, settings):
    pieces = [make_score(seed, num_notes=size) for seed, size in enumerate((8, 30, 20, 38, 14))]
    together = family_pipe(pieces, **settings, constrained=False, batch_size=3)
    for piece, result in zip(pieces, together, strict=True):
        alone = family_pipe(piece, **settings, constrained=False)
        assert result["token_ids"] == alone["token_ids"]
        assert result["entropy"] == pytest.approx(alone["entropy"], rel=1e-4)
    assert len({len(result["prompt_token_ids"]) for result in together}) > 3


def test_the_seed_decides_whatever_else_is_in_the_batch(remi_pipe):
    pieces = [make_score(seed) for seed in range(5)]
    first = ids_of(remi_pipe(pieces, **SHORT, batch_size=5))
    assert first == ids_of(remi_pipe(pieces, **SHORT))
    assert first[::-1] == ids_of(remi_pipe(pieces[::-1], **SHORT, batch_size=2))
    assert first[3:] == ids_of(remi_pipe(pieces[3:], **SHORT, batch_size=2))
    other = ids_of(remi_pipe(pieces, **SHORT | {"seed": 1}, batch_size=5))
    assert all(one != another for one, another in zip(first, other, strict=True))
    state = torch.get_rng_state()
    remi_pipe(pieces[0], **SHORT)
    assert torch.equal(state, torch.get_rng_state())


def test_a_drawn_seed_is_told_and_repeats(remi_pipe):
    drawn = remi_pipe([None, None], max_new_tokens=20)
    assert drawn[0]["seed"] != drawn[1]["seed"]
    for result in drawn:
        assert remi_pipe(max_new_tokens=20, seed=result["seed"])["token_ids"] == result["token_ids"]


def test_several_continuations_of_each_prompt(remi_pipe):
    pieces = [make_score(seed) for seed in range(3)]
    several = remi_pipe(pieces, **SHORT, num_return_sequences=3, batch_size=2)
    assert [len(results) for results in several] == [3, 3, 3]
    for piece, results in zip(pieces, several, strict=True):
        assert len({tuple(result["token_ids"]) for result in results}) == 3
        assert ids_of(remi_pipe(piece, **SHORT, num_return_sequences=3)) == ids_of(results)
        assert remi_pipe(piece, **SHORT)["token_ids"] == results[0]["token_ids"]


def test_greedy_equals_a_loop_without_cache(family_pipe):
    result = family_pipe(make_score(1), **GREEDY, constrained=False)
    ids, entropies, model = list(result["prompt_token_ids"]), [], family_pipe.model
    with torch.no_grad():
        while len(ids) < 74 and model.config.eos_token_id not in ids:
            logits = model(torch.tensor([ids]), use_cache=False).logits[0, -1]
            entropies.append(-(logits.softmax(-1) * logits.log_softmax(-1)).sum().item())
            ids.append(logits.argmax().item())
    assert result["token_ids"] == [index for index in ids[50:] if index != model.config.eos_token_id]
    assert result["entropy"] == pytest.approx(np.mean(entropies), rel=1e-3)


def test_every_argument_of_generate_passes_through(remi_pipe):
    piece = make_score(1)
    assert (
        remi_pipe(piece, **SHORT, top_k=1, constrained=False)["token_ids"]
        == (remi_pipe(piece, **GREEDY, constrained=False)["token_ids"])
    )
    beams = remi_pipe(piece, **GREEDY, num_beams=3, num_return_sequences=2)
    assert [set(result) for result in beams] == [KEYS, KEYS] and np.isnan(beams[0]["entropy"])
    assert len(remi_pipe(piece, prompt_length=50, max_length=60, seed=0)["token_ids"]) <= 10
    config = remi_pipe.model.generation_config
    try:
        config.max_new_tokens = 7
        assert len(remi_pipe(piece, prompt_length=50, seed=0, min_new_tokens=7)["token_ids"]) == 7
    finally:
        config.max_new_tokens = None


def test_by_default_the_rest_of_the_context_is_written_and_eos_respected(remi_pipe):
    long = remi_pipe(make_score(1), prompt_length=200, min_new_tokens=56, seed=0, constrained=False)
    assert len(long["token_ids"]) == 56 and long["stopped_by"] == "max_new_tokens" and not long["ended_with_eos"]
    ended = remi_pipe(make_score(1), **SHORT, forced_eos_token_id=remi_pipe.model.config.eos_token_id)
    assert ended["ended_with_eos"] and ended["stopped_by"] == "eos" and len(ended["token_ids"]) == 23
    assert not set(ended["token_ids"]) & set(remi_pipe.processor.tokenizer.all_special_ids)


def test_so_many_bars_or_seconds_are_added(pipe):
    piece, few_notes = make_score(1), {"instruments": [0], "pitch_range": (60, 61)}
    for settings in ({"max_new_bars": 2}, {"max_new_seconds": 3.0}):
        result = pipe(piece, prompt_bars=2, seed=1, min_new_tokens=100, **few_notes, **settings)
        assert result["stopped_by"] == next(iter(settings))
        whole = pipe.processor.decode(result["prompt_token_ids"] + result["token_ids"], default_tempo=120)
        whole.tempos = result["midi"].tempos
        last = onsets(result["prompt"])[-1]
        if "max_new_bars" in settings:
            bars = bar_starts(result["midi"])
            in_prompt = (bars <= last).sum()
            assert len(bars) <= in_prompt + 2
        else:
            allowed = seconds_at(whole, last) + 3.0
            kept = onsets(result["midi"])
            assert (seconds_at(whole, kept) < allowed).all()
            assert set(kept) == {tick for tick in onsets(whole) if seconds_at(whole, tick) < allowed}


def test_pieces_that_cannot_be_continued(remi_pipe, tmp_path):
    silent = make_score(1, num_notes=0)
    inputs = {
        "empty": (b"", "empty_file"),
        "text": (b"not music", "not_midi"),
        "silent": (silent.dumps_midi(), "no_notes"),
        "dense": (build_score(480, [(0, [(0, 1, pitch, 80) for pitch in range(90)])]).dumps_midi(), "prompt_too_long"),
    }
    paths = {name: tmp_path / f"{name}.mid" for name in inputs}
    for name, (content, _) in inputs.items():
        paths[name].write_bytes(content)
    paths["gone"], inputs["gone"] = tmp_path / "gone.mid", (None, "unreadable")
    sound = tmp_path / "sound.mid"
    make_score(1, num_notes=10).dump_midi(sound)
    for name, path in paths.items():
        with pytest.raises(FileNotFoundError if name == "gone" else ValueError, match=f"{name}.mid"):
            remi_pipe(path, max_new_tokens=20)
    results = remi_pipe([sound, *paths.values(), sound], max_new_tokens=20, seed=0, batch_size=3)
    for name, result in zip(paths, results[1:-1], strict=True):
        assert result["name"] == name and result["midi"] is None
        assert result["skipped"]["reason"] == inputs[name][1] and result["skipped"]["detail"]
    assert (
        results[0]["token_ids"] == results[-1]["token_ids"] == remi_pipe(sound, max_new_tokens=20, seed=0)["token_ids"]
    )
    with pytest.raises(ValueError, match="silent.*skipped"):
        save_continuation(results[3], tmp_path)


def test_a_prompt_too_long_for_the_model_is_told_what_to_do(remi_pipe):
    with pytest.raises(ValueError, match="the model reads 256.*prompt_length=156.*prompt_from='end'"):
        remi_pipe(make_score(1), max_new_tokens=100, prompt_length=157)
    result = remi_pipe(make_score(1), max_new_tokens=100, prompt_length=156, prompt_from="end")
    assert len(result["prompt_token_ids"]) + len(result["token_ids"]) <= 256


def test_files(remi_pipe, tmp_path):
    result = remi_pipe({"bytes": make_score(1).dumps_midi(), "name": "Prelude: no. 1/2"}, **SHORT)
    paths = save_continuation(result, tmp_path / "new")
    assert [path.name for path in paths] == [
        f"Prelude_no_1_2.{part}.mid" for part in ("full", "continuation", "prompt")
    ]
    assert note_list(Score(paths[0])) == note_list(result["midi"])
    several = remi_pipe(make_score(1), **SHORT, num_return_sequences=2)
    assert len(set(save_continuation(several, tmp_path, stem="x"))) == 6


def test_more_programs_than_channels_are_saved_as_they_are(remi_pipe, tmp_path):
    prompt = Score(480)
    for program in range(24):
        prompt.tracks.append(Track(program=program))
        prompt.tracks[-1].notes.append(Note(240 * (program // 4), 960, 40 + program, 100))
    result = remi_pipe(prompt, max_new_tokens=80, seed=0)
    assert len({track.program for track in result["midi"].tracks}) > 20
    paths = save_continuation(result, tmp_path)
    for path, part in zip(paths, ("midi", "continuation", "prompt"), strict=True):
        expected = notes_of(result[part])
        assert notes_of(Score(path)) == expected
        for knows_ports in (True, False):
            assert play(path.read_bytes(), knows_ports=knows_ports).notes == expected


def test_defaults_are_given_once_and_overridden_by_a_call(tiny_model, processor_of, remi_pipe):
    model, processor = tiny_model("REMI"), processor_of("REMI")
    pipe = MidiContinuationPipeline(model, processor, device="cpu", batch_size=2, **SHORT, instruments=[0])
    assert len(pipe(make_score(1))["token_ids"]) <= 24
    for settings in ({}, {"seed": 5}, {"prompt_length": None, "prompt_bars": 1}, {"instruments": None}):
        merged = SHORT | {"instruments": [0]} | settings
        assert pipe(make_score(1), **settings)["token_ids"] == remi_pipe(make_score(1), **merged)["token_ids"]
    with pytest.raises(ValueError, match="prompt_length=0"):
        MidiContinuationPipeline(model, processor, device="cpu", prompt_length=0)


@pytest.mark.parametrize("name", TOKENIZATIONS)
def test_music_from_nothing(pipeline_of, name):
    result = pipeline_of(name)(max_new_tokens=80, min_new_tokens=70, seed=2)
    assert result["prompt_token_ids"] == [pipeline_of(name).processor.tokenizer.bos_token_id]
    assert result["prompt"].note_num() == 0 < result["midi"].note_num()


def test_a_streamer_is_passed_on_for_one_piece(remi_pipe):
    streamer = NoteStreamer(remi_pipe.processor, timeout=10)
    remi_pipe(make_score(1), **SHORT, streamer=streamer)
    assert streamer.real_time_factor is not None


def test_results_tell_what_the_tokenizer_changed_in_the_whole_piece(remi_pipe):
    piece = make_score(1)
    piece.tracks[0].notes.append(Note(piece.end() + 480, 480 * 400, 60, 64))
    for prompt_from in ("start", "end"):
        result = remi_pipe(piece, prompt_length=40, prompt_from=prompt_from, max_new_tokens=4)
        assert result["changed"] == remi_pipe.processor.tally(piece)
        assert result["changed"].lengths_cut == 1
    assert not remi_pipe(max_new_tokens=4)["changed"]
