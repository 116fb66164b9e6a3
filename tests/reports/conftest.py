"""Test runs on disk, made without a model that writes: pieces of music under the names of its files."""

import json
from types import SimpleNamespace

import pytest
import torch
from music import make_score
from tiny import ONE_LAYER

from neuromusic_hf import MidiProcessor, build_model
from neuromusic_hf.bundles import ModelIdentity, files_hash, save_bundle, weights_hash
from neuromusic_hf.music.excerpts import excerpt
from neuromusic_hf.reports import ScoringOptions, score_run, write_report
from neuromusic_hf.runs import (
    ContinuationSettings,
    LeftOutRecord,
    OutputSettings,
    PiecesRecord,
    RunFolder,
    RunSettings,
    read_run,
)
from neuromusic_hf.runs.piece_files import write_piece
from neuromusic_hf.tokenization import Tally

PROMPT_TICKS = 480 * 16
NAMES = ["<script>alert(1)</script>", '"quoted" & more', "https://example.com/piece", "Über Café", "- plain"]


@pytest.fixture(scope="session")
def bundle(tmp_path_factory):
    """A tiny model and its processor, saved."""
    folder = tmp_path_factory.mktemp("bundle")
    torch.manual_seed(0)
    processor = MidiProcessor.from_tokenization("TSD")
    save_bundle(build_model("gpt2", processor, context_length=64, **ONE_LAYER), processor, folder)
    return folder


@pytest.fixture(scope="session")
def processor(bundle):
    return MidiProcessor.from_pretrained(bundle)


@pytest.fixture(scope="session")
def make_run(bundle, processor):
    """Writes a run: `generated[i]` stands for what was generated after the first bars of piece i."""

    def write(folder, generated, left_out=(), output=None, token_ids=None):
        output = output or OutputSettings(pictures=False)
        run = RunFolder(folder)
        run.open(
            RunSettings(
                ModelIdentity(str(bundle), weights_hash(bundle), files_hash(bundle)),
                PiecesRecord(["made up"], number=len(generated), sha256="0" * 64),
                ContinuationSettings(prompt_length=64, continue_length=32).as_record(),
                output.as_record(),
            )
        )
        for index, new in enumerate(generated):
            name = NAMES[index % len(NAMES)]
            ids = processor.encode(new) if token_ids is None else token_ids[index]
            run.write_record(write_piece(result(index, new, ids), index, name, folder, output))
        for index, name in enumerate(left_out, len(generated)):
            run.write_record(LeftOutRecord(index, name, "too_short", "12 tokens"))
        run.write_manifest()
        return folder

    def result(index, new, ids):
        piece = make_score(index)
        prompt = excerpt(piece, 0, PROMPT_TICKS)
        full = prompt.copy()
        for track in new.tracks:
            full.tracks.append(track.shift_time(PROMPT_TICKS))
        return {
            "prompt": prompt,
            "original": excerpt(piece, PROMPT_TICKS),
            "continuation": new,
            "midi": full,
            "prompt_token_ids": [1] * 64,
            "token_ids": ids,
            "original_token_ids": [1] * 32,
            "ended_with_eos": index % 2 == 0,
            "entropy": 1.0 + index,
            "changed": Tally(100, 98, 60.0, 0.5 * index, dropped_drum_keys=index, meters_replaced=2 * (index == 4)),
            "seed": 0,
            "seconds": 0.1,
        }

    return write


@pytest.fixture(scope="session")
def scored(make_run, tmp_path_factory):
    """A run of seven pieces and its report; one continuation is empty, and one more piece was left out."""
    folder = tmp_path_factory.mktemp("run")
    generated = [make_score(100 + index) for index in range(7)]
    generated[3].tracks = []
    run = read_run(make_run(folder / "continuations", generated, ["<b>short</b>"], OutputSettings(pictures=False)))
    scores = score_run(run, ScoringOptions(num_proc=1))
    page = write_report(run, scores, folder / "report")
    record = json.loads((folder / "report" / "scores.json").read_text())
    return SimpleNamespace(run=run, scores=scores, page=page, record=record, folder=folder / "report")
