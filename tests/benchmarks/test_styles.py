"""benchmarks/styles.py fine-tunes on a style, and tells what was won, forgotten and copied."""

import argparse
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from preloaded import run_script
from safetensors.torch import load_file, save_file

from neuromusic_hf import MidiProcessor, build_model, load_corpus
from neuromusic_hf.music import Midi, load_score

ROOT = Path(__file__).parents[2]
TINY_BASE = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "context_length": 64,
    "augmentation_variants": 1,
    "max_steps": 2,
    "eval_steps": 1,
    "save_steps": 1,
    "warmup_steps": 1,
    "num_proc": 1,
}
TINY_TUNING = "--num_proc 1 --eval_steps 1 --save_steps 1 --augmentation_variants 1 --eval_continuations_steps 9"


@pytest.fixture
def parts(midi_folder, load_benchmark):
    """Two corpora of half of the pieces each, under names of the benchmark."""
    corpora, corpus = load_benchmark("style_corpora"), load_corpus(midi_folder, split_shares=(0.6, 0.2, 0.2))
    halves = [
        corpora.chosen(corpus, lambda row, half=half: int(Path(row["midi"]["path"]).stem[-2:]) % 2 == half)
        for half in (0, 1)
    ]
    return dict(zip((corpora.FOLK, corpora.BACH), halves, strict=True))


@pytest.fixture
def forked_scripts(load_benchmark, monkeypatch, tmp_path):
    """Scripts are forks, and what they are asked is remembered."""
    asked = []

    def run(name: str, arguments: list[str], log: Path) -> dict[str, float]:
        asked.append((name, arguments))
        script = ROOT / "scripts" / f"{name}.py"
        done = run_script(script, *arguments, folder=tmp_path, variables={"OMP_NUM_THREADS": "1"})
        assert done.returncode == 0, done.stderr
        return {"seconds": 0.0, "cpu_seconds": 0.0}

    monkeypatch.setattr(load_benchmark("style_runs"), "run_script", run)
    return asked


def test_what_a_style_wins_and_forgets(parts, forked_scripts, load_benchmark, tmp_path, capsys):
    styles = load_benchmark("styles")
    args = argparse.Namespace(work=tmp_path, base_options=TINY_BASE, more=[*TINY_TUNING.split()], seed=0)
    vars(args).update(max_pieces=8, max_steps=2, kept_pieces=3, max_prompts=3, prompt_length=16, continue_length=8)
    styles.train_base(parts[styles.FOLK], args)
    style = styles.Style("Odd pieces", styles.FOLK, (styles.FOLK,), lambda parts: parts[styles.BACH])
    figures = styles.show(style, parts, tmp_path / "odd", args)

    assert figures["corpus"]["splits"]["train"]["pieces"] == 8
    assert [each["read_by_base"] for each in figures["corpus"]["splits"].values()] == [0, 0, 0]
    trainings = figures["trainings"]
    assert [*trainings] == ["full", "lora", "scratch"]
    assert trainings["full"]["parameters"] == trainings["scratch"]["parameters"] > 0
    assert 0 < trainings["lora"]["trained_parameters"] < trainings["full"]["trained_parameters"]
    for training in trainings.values():
        assert training["optimizer_steps"] == 2
        trained = {step: value for step, value in training["validation"] if step}
        assert trained[training["kept_step"]] == min(trained.values())
    assert [*figures["test"]] == [*figures["continuations"]] == ["before", *trainings]
    for model, found in figures["test"].items():
        assert found["folk"]["pieces"] == 3 and found["style"]["notes"] > 0
        for which, each in found.items():
            change = each["nats_per_note"] - figures["test"]["before"][which]["nats_per_note"]
            assert each["change"] == pytest.approx(change)
            assert each["change_interval"][0] <= each["change"] <= each["change_interval"][1]
            assert (change == 0) == (model == "before")
    for played in figures["continuations"].values():
        assert played["novelty"]["num_training_pieces"] == 8
        assert {score["num_pieces"] for score in played["scores"].values()} <= {0, 1, 2, 3}
    picture = styles.plot_style({"title": style.title} | figures)
    assert [len(axes.get_lines()) + len(axes.patches) for axes in picture.axes] == [6, 8]

    styles.print_style("odd", figures)
    assert "| scratch |" in capsys.readouterr().out

    scripts = len(forked_scripts)
    assert styles.show(style, parts, tmp_path / "odd", args) == figures
    assert len(forked_scripts) == scripts


def test_nats_of_pieces_are_those_of_their_parts(load_benchmark):
    processor = MidiProcessor.from_tokenization("REMI")
    model = build_model(
        "llama", processor, context_length=8, hidden_size=16, num_hidden_layers=1, num_attention_heads=2
    ).eval()
    draw = np.random.default_rng(0)
    pieces = [draw.integers(4, processor.vocab_size, length).tolist() for length in (3, 8, 21, 16)]
    for found, ids in zip(load_benchmark("style_runs").piece_nats(model, pieces, 8), pieces, strict=True):
        expected = 0.0
        for start in range(0, len(ids), 8):
            part = torch.tensor([ids[start : start + 8]])
            if part.shape[1] > 1:
                expected += model(input_ids=part, labels=part).loss.item() * (part.shape[1] - 1)
        assert found == pytest.approx(expected, rel=1e-4)


def test_prompts_hold_every_note_of_a_piece_once(parts, load_benchmark, tmp_path):
    corpora = load_benchmark("style_corpora")
    rows = parts[corpora.FOLK]["test"]
    written = corpora.write_prompts(rows, tmp_path)
    files = sorted(tmp_path.glob("*.mid"))
    assert len(files) == written >= len(rows)
    for row in range(len(rows)):
        notes = [load_score(file).note_num() for file in files if file.name.startswith(f"{row:03d}-")]
        assert sum(notes) == rows[row]["midi"].note_num()


def test_songs_of_one_composer_stay_on_their_sides(parts, load_benchmark, monkeypatch, tmp_path):
    corpora = load_benchmark("style_corpora")
    ids = tmp_path / "ids.txt"
    ids.write_text("# lc2\nlc1 lc3\nlc4\n")
    monkeypatch.setattr(corpora, "SONG_IDS", ids)
    folk = parts[corpora.FOLK]
    named = {}
    for split, rows in folk.items():
        plain = rows.cast_column("midi", Midi(decode=False))
        first = len(named)
        paths = [f"songs/lc{first + row}.mid" for row in range(len(rows))]
        named |= dict.fromkeys(paths, split)
        midi = [row["midi"] | {"path": path} for row, path in zip(plain, paths, strict=True)]
        folk[split] = plain.remove_columns("midi").add_column("midi", midi).cast_column("midi", Midi())
    found = corpora.songs_of_composer(folk)
    kept = {row["midi"]["path"]: split for split in found for row in found[split].cast_column("midi", Midi(False))}
    assert kept == {path: named[path] for path in ("songs/lc1.mid", "songs/lc3.mid", "songs/lc4.mid")}


def test_what_the_base_has_read_is_no_test(parts, load_benchmark, tmp_path):
    corpora = load_benchmark("style_corpora")
    folk = parts[corpora.FOLK]
    leaking = type(folk)({**folk, "test": folk["train"]})
    facts = corpora.write_style(leaking, tmp_path, [folk["train"]], most_train=4, seed=0)
    assert facts["splits"]["train"]["read_by_base"] == facts["splits"]["train"]["pieces"] == 4
    assert facts["splits"]["validation"]["read_by_base"] == 0 == facts["splits"]["test"]["pieces"]
    _, left_out = corpora.without_known(parts[corpora.BACH], [])
    assert left_out == 0
    clean, left_out = corpora.without_known(leaking, [folk["train"]])
    assert left_out == len(folk["train"]) and len(clean["test"]) == 0


def test_what_cannot_be_shown_is_refused(load_benchmark, tmp_path, capsys, monkeypatch):
    styles, parser = load_benchmark("styles"), argparse.ArgumentParser()
    asked = {"lieder": None, "work": tmp_path, "output": tmp_path / "result.json", "seed": 0}
    for names, reason in (("folk_to_bach,jazz", "no styles jazz"), ("songs_of_holmes", "need --lieder")):
        with pytest.raises(SystemExit):
            styles.chosen_styles(argparse.Namespace(styles=names, **asked), parser)
        assert reason in capsys.readouterr().err
    styles.check_same_settings(argparse.Namespace(styles="folk_to_bach", **asked), parser)
    styles.check_same_settings(argparse.Namespace(styles="monteverdi", **asked), parser)
    with pytest.raises(SystemExit):
        styles.check_same_settings(argparse.Namespace(styles="folk_to_bach", **asked | {"seed": 1}), parser)
    assert "another seed" in capsys.readouterr().err
    trained_on = shutil.copytree(styles.find_bundle("default"), tmp_path / "trained_on")
    monkeypatch.setattr(styles, "find_bundle", lambda name: str(trained_on))
    styles.check_same_settings(argparse.Namespace(styles="monteverdi", **asked), parser)
    weights = load_file(trained_on / "model.safetensors")
    save_file({name: weight * 2 for name, weight in weights.items()}, trained_on / "model.safetensors")
    with pytest.raises(SystemExit):
        styles.check_same_settings(argparse.Namespace(styles="monteverdi", **asked), parser)
    assert "another default_bundle" in capsys.readouterr().err
