"""Continuations of clean test pieces by a bundle and by n-grams, and their scores."""

import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from judged_pieces import JudgedPieces
from ngram_model import NgramForCausalLM, Ngrams

from neuromusic_hf import MidiContinuationPipeline, MidiProcessor
from neuromusic_hf.bundles import ModelIdentity
from neuromusic_hf.metrics import COMPARISONS, score_distances
from neuromusic_hf.reports import RunModel, ScoringOptions, score_run
from neuromusic_hf.runs import (
    ContinuationSettings,
    OutputSettings,
    RowPiece,
    RunFolder,
    RunWriter,
    choose_pieces,
    find_pieces,
    read_run,
)  # fmt: skip

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Continuing:
    """
    What is continued, and how.

    Args:
        bundle (`str`): folder of the bundle.
        pieces ([`JudgedPieces`]): that are continued; those of test have no twin in train.
        work (`Path`): folder of the runs; a run that was stopped goes on.
        max_items (`int`): pieces, chosen by the seed.
        length (`int`): tokens of prompts, and most tokens of continuations and originals.
        batch_size (`int`): pieces continued together.
        seed (`int`): of the choice and the sampling.
        split (`str`, *optional*, defaults to `"test"`): or `"validation"`.
        sampling (`dict[str, float]`, *optional*): `temperature` and `top_p`; as the bundle says if not given.
    """

    bundle: str
    pieces: JudgedPieces
    work: Path
    max_items: int
    length: int
    batch_size: int
    seed: int
    split: str = "test"
    sampling: dict[str, float] = field(default_factory=dict)

    @property
    def is_clean(self) -> bool:
        """Whether pieces with a twin in train are left out."""
        return self.split == "test"

    def of_bundle(self) -> dict:
        """Figures of the bundle, through the scripts that anyone would call."""
        run, report = self.run_of("bundle"), self.report_of("bundle")
        lengths = ("--prompt_length", self.length, "--continue_length", self.length, "--batch_size", self.batch_size)
        choice = ("--split", self.split, "--max_items", self.max_items, "--seed", self.seed)
        choice += ("--clean_test",) if self.is_clean else ()
        sampling = [part for name, value in self.sampling.items() for part in (f"--{name}", value)]
        call("continue_midi", self.bundle, self.pieces.joined, *choice, *lengths, *sampling,
             "--num_proc", self.pieces.num_proc, "--no-save_pictures", "--output", run)  # fmt: skip
        call("score_continuations", run, "--train_corpus", self.pieces.joined, "--num_proc", self.pieces.num_proc,
             "--output", report)  # fmt: skip
        return self.figures(report)

    def of_ngrams(self, n: int) -> dict:
        """Figures of an n-gram, counted on the train split, held to the same grammar and sampled as it is."""
        name, processor = f"{n}-gram", MidiProcessor.from_pretrained(self.bundle)
        train = self.pieces.train(processor, 0)
        model = NgramForCausalLM(Ngrams.count(train, processor.vocab_size, n), processor.tokenizer.bos_token_id)
        settings = ContinuationSettings(self.length, self.length, self.batch_size, self.seed)
        continuer = MidiContinuationPipeline(model.eval(), processor)
        folder = RunFolder(self.run_of(name))
        run = RunWriter(continuer, self.chosen(), folder, settings, OutputSettings(pictures=False))
        counted = hashlib.sha256(b"".join(ids.tobytes() for ids in train)).hexdigest()
        run.begin(
            sources=[self.pieces.joined],
            split=self.split,
            max_items=self.max_items,
            clean_test=self.is_clean,
            model=ModelIdentity(name, counted),
        )
        run.write_share()
        run.end()
        options = ScoringOptions(train_corpus=self.pieces.joined, num_proc=self.pieces.num_proc)
        score_run(read_run(self.run_of(name)), options, RunModel(model.config.model_type, processor)).save(
            self.report_of(name)
        )
        return self.figures(self.report_of(name))

    def run_of(self, name: str) -> Path:
        """Folder of a run."""
        return self.work / name

    def report_of(self, name: str) -> Path:
        """Folder of its report."""
        return self.work / f"{name}-report"

    def chosen(self) -> list[RowPiece]:
        """The pieces that are continued, as scripts/continue_midi.py chooses them."""
        found = find_pieces(
            [self.pieces.joined],
            split=self.split,
            clean_test=self.is_clean,
            model=self.bundle,
            num_proc=self.pieces.num_proc,
        )
        return choose_pieces(found, self.max_items, self.seed)

    def figures(self, report: Path) -> dict:
        """What is told of a run: of all its pieces and of each corpus."""
        record = json.loads((report / "scores.json").read_text())
        table = pd.read_parquet(report / "pieces.parquet")
        table = table[table["left_out"].isna()]
        corpora = [self.pieces.corpus_of_piece(piece) for piece in self.chosen()]
        corpus = table["index"].map(lambda index: corpora[index])
        told = {name: {key: value for key, value in score.items() if key != "dropped"}
                for name, score in record["scores"].items()}  # fmt: skip
        novelty = {key: value for key, value in record["novelty"].items() if key != "dropped"}
        return {
            "pieces": {name: len(names) for name, names in record["pieces"]["left_out"].items()}
            | {"continued": record["pieces"]["continued"]},
            "scores": told,
            "token_errors": record["token_errors"],
            "novelty": novelty,
            "sampling": record["settings"]["run"]["continuation"]["sampling"],
            "lengths": {
                "generated_tokens": float(table["generated_tokens"].mean()),
                "original_tokens": float(table["original_tokens"].mean()),
                "ended": float(table["ended_with_eos"].mean()),
                "originals_shorter_than_asked": float((table["original_tokens"] < self.length).mean()),
            },
            "corpora": {name: _of_corpus(rows) for name, rows in table.groupby(corpus)},
        }


def _of_corpus(rows: pd.DataFrame) -> dict:
    """Scores and novelty of the pieces of one corpus."""
    found = {"pieces": len(rows)}
    for comparison in COMPARISONS:
        pairs = rows[[f"{comparison.name}_original", f"{comparison.name}_generated"]].dropna()
        score = score_distances(*pairs.to_numpy(np.float64).T)
        kept = ("score", "noise_floor_95", "p_value", "mean_original", "mean_generated")
        found[comparison.score_name] = {key: getattr(score, key) for key in kept}
    for part in ("original", "generated"):
        found[f"novelty_{part}"] = float(rows[f"novelty_{part}"].mean())
    return found


def call(script: str, *arguments):
    """Runs a script of the project."""
    subprocess.run([sys.executable, str(ROOT / "scripts" / f"{script}.py"), *map(str, arguments)], check=True)
