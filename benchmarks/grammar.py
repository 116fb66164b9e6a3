"""Draws tokens from models with random weights, with and without the grammar, and times the grammar's share of a step.

    python benchmarks/grammar.py

README.md says what each figure means.
"""

import argparse
import math
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import torch
from measuring import RESULTS, alternating, print_targets, save_result, spread, target
from miditok import TokSequence
from transformers import LogitsProcessor, PreTrainedModel, set_seed

from neuromusic_hf import MidiProcessor, build_model, load_corpus
from neuromusic_hf.grammar import GrammarLogitsProcessor, TokenGrammar
from neuromusic_hf.metrics import count_token_errors

FREE, GRAMMAR, ASCENDING, MASKED = "unconstrained", "grammar", "ascending_without_chords", "mask_for_each_row"
MODELS = ("gpt2", "llama", "music_transformer")
TINY = {"num_hidden_layers": 1, "hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64}
SMALL = {"num_hidden_layers": 4, "hidden_size": 256, "num_attention_heads": 4, "intermediate_size": 1024}
SETTINGS = {
    "proof": ("tokens", "length", "vocab_size", "max_pieces"),
    "cost": ("vocab_size", "max_pieces", "steps", "repetitions"),
}
"""Of the command line, what a part depends on."""
PROGRAMS = (0, 40, 42, 32, 73)
"""Of the tracks of a piece that vocabularies are learned from, so that ids of several programs are among them."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", default="proof,cost", help="joined by commas; each writes a file of its own")
    parser.add_argument("--tokenizations", default="REMI,TSD,Structured", help="joined by commas")
    parser.add_argument(
        "--tokens", type=int, default=200_000, help="drawn for every tokenizer, vocabulary and grammar"
    )
    parser.add_argument("--length", type=int, default=256, help="tokens of a row, at most")
    parser.add_argument("--vocab_size", type=int, default=2000, help="of the trained vocabularies (BPE)")
    parser.add_argument("--max_pieces", type=int, default=80, help="Bach's works that those are learned from")
    parser.add_argument("--steps", type=int, default=100, help="timed decoding steps in a run")
    parser.add_argument("--repetitions", type=int, default=5, help="of every timed run")
    parser.add_argument(
        "--output", type=Path, default=RESULTS / "grammar.json", help="result file, the part is added to its name"
    )
    args = parser.parse_args()
    set_seed(0)
    pieces = orchestrated_pieces(args.max_pieces)
    cases = [(name, vocabulary) for name in args.tokenizations.split(",") for vocabulary in ("plain", "BPE")]
    for part in args.parts.split(","):
        figures = {"proof": prove, "cost": time_all}[part](cases, pieces, args)
        print_targets(figures["targets"])
        settings = {name: getattr(args, name) for name in SETTINGS[part]}
        save_result(args.output.with_stem(f"{args.output.stem}_{part}"), "grammar", {"settings": settings} | figures)


def prove(cases: list[tuple[str, str]], pieces: list[dict], args: argparse.Namespace) -> dict:
    """Figures of what is drawn without a grammar, with it, and with ascending programs and no chords."""
    proof = {}
    for name, vocabulary in cases:
        processor = make_processor(name, vocabulary, args.vocab_size, pieces)
        without_chords = make_processor(name, vocabulary, args.vocab_size, pieces, use_chords=False)
        ascending = TokenGrammar.from_processor(without_chords, ascending_programs=True)
        proof[f"{name}_{vocabulary}"] = row = {
            "vocab_size": processor.vocab_size,
            FREE: draw(processor, None, args.tokens // 10, args.length),
            GRAMMAR: draw(processor, TokenGrammar.from_processor(processor), args.tokens, args.length),
            ASCENDING: draw(without_chords, ascending, args.tokens, args.length),
        }
        print_proof(f"{name}_{vocabulary}", row)
    constrained = [row[kind] for row in proof.values() for kind in (GRAMMAR, ASCENDING)]
    targets = {
        "errors": target(sum(row["errors"] for row in constrained), at_most=0),
        "same_music": target(min(row["same_music"] for row in constrained), at_least=1.0),
        "same_tokens": target(min(row[ASCENDING]["same_tokens"] for row in proof.values()), at_least=1.0),
    }
    return {"proof": proof, "targets": targets}


def time_all(cases: list[tuple[str, str]], pieces: list[dict], args: argparse.Namespace) -> dict:
    """Figures of decoding steps."""
    cost = {}
    for name, vocabulary in cases:
        processor = make_processor(name, vocabulary, args.vocab_size, pieces)
        for model in ("gpt2", "llama"):
            cost[f"{name}_{vocabulary}_{model}"] = row = time_steps(processor, model, pieces, args)
            print_cost(f"{name}_{vocabulary}_{model}", row)
    targets = {
        name: target(max(row[name]["median"] for row in cost.values()), at_most=0.1)
        for name in ("share_of_a_step", "share_with_masks")
    }
    return {"cost": cost, "targets": targets}


def orchestrated_pieces(max_pieces: int) -> list[dict]:
    """Works of Bach, every part for another program."""
    with tempfile.TemporaryDirectory(prefix="neuromusic-benchmark-") as cache:
        corpus = load_corpus("bach", max_pieces=max_pieces, cache_dir=cache, split_shares=(0.6, 0.2, 0.2))
        scores = [row["midi"] for row in corpus["train"]]
    for score in scores:
        for index, track in enumerate(score.tracks):
            track.program = PROGRAMS[index % len(PROGRAMS)]
    return [{"midi": score} for score in scores]


def make_processor(name: str, vocabulary: str, vocab_size: int, pieces: list[dict], **settings) -> MidiProcessor:
    """A processor with a plain vocabulary, or one learned from `pieces`."""
    processor = MidiProcessor.from_tokenization(name, **settings)
    return processor if vocabulary == "plain" else processor.train_new_from_corpus(pieces, vocab_size, vocabulary)


def draw(processor: MidiProcessor, grammar: TokenGrammar | None, tokens: int, length: int) -> dict:
    """Draws `tokens` tokens or somewhat more, as many from each model, in rows of at most `length`; judges them."""
    rows = []
    for name in MODELS:
        model = build_model(name, processor, context_length=length + 1, **TINY).eval()
        drawn = 0
        while drawn < tokens / len(MODELS):
            missing = math.ceil((tokens / len(MODELS) - drawn) / length)
            found = sample(model, processor, grammar, min(max(missing, 8), 128), length)
            drawn += sum(map(len, found))
            rows += found
    tokens = sum(map(len, rows))
    errors = count_token_errors(processor, rows).errors
    figures = {"tokens": tokens, "rows": len(rows), "errors": errors, "errors_per_token": errors / tokens}
    if grammar is not None:
        same_music, same_tokens = zip(*(encodes_again(processor, row) for row in rows), strict=True)
        figures["ended_with_eos"] = sum(row[-1] == processor.tokenizer.eos_token_id for row in rows) / len(rows)
        figures["same_music"] = sum(same_music) / len(rows)
        figures["same_tokens"] = sum(same_tokens) / len(rows)
    return figures


def sample(
    model: PreTrainedModel, processor: MidiProcessor, grammar: TokenGrammar | None, rows: int, length: int
) -> list[list[int]]:
    """Rows of ids after BOS, with EOS where they have one, and without padding."""
    bos, eos = processor.tokenizer.bos_token_id, processor.tokenizer.eos_token_id
    prompt = torch.full((rows, 1), bos)
    with torch.inference_mode():
        output = model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=length,
            do_sample=True,
            top_k=0,
            logits_processor=[] if grammar is None else [GrammarLogitsProcessor(grammar)],
        )
    rows = [row[1:] for row in output.tolist()]
    return [row[: row.index(eos) + 1] if eos in row else row for row in rows]


def encodes_again(processor: MidiProcessor, row: list[int]) -> tuple[bool, bool]:
    """
    Whether a row, cut back to its last complete note if it has no EOS, is decoded and encoded to the same music, in
    the same order of time, and to the same base tokens. Tracks are put in ascending order of programs between.
    """
    tokens = base_tokens(processor, row)
    if tokens[-1] == "EOS_None":
        tokens.pop()
    else:
        while tokens and not tokens[-1].startswith("Duration"):
            tokens.pop()
    vocabulary = processor.music_tokenizer.vocab
    score = processor.music_tokenizer.decode(TokSequence(tokens=tokens, ids=[vocabulary[token] for token in tokens]))
    score.tracks = sorted(score.tracks, key=lambda track: (track.is_drum, track.program))
    again = base_tokens(processor, processor.encode_score(score)[0])
    return music_of(again) == music_of(tokens), again == tokens


def base_tokens(processor: MidiProcessor, ids: list[int]) -> list[str]:
    """miditok's base tokens of ids."""
    sequence = TokSequence(ids=list(ids), are_ids_encoded=processor.music_tokenizer.is_trained)
    processor.music_tokenizer.decode_token_ids(sequence)
    processor.music_tokenizer.complete_sequence(sequence)
    return sequence.tokens


def music_of(tokens: list[str]) -> list:
    """Tempos, meters, time and notes in their order, the notes of an onset sorted, without chords."""
    found, notes = [], []
    for token in tokens:
        kind = token.partition("_")[0]
        if kind == "Program":
            notes.append([token])
        elif kind in ("Pitch", "PitchDrum", "Velocity", "Duration"):
            notes[-1].append(token)
        elif kind == "Chord":
            notes.pop()
        elif token != "TimeShift_0.0.1":
            found += [*sorted(notes), token]
            notes = []
    return found + sorted(notes)


class Clock(LogitsProcessor):
    """Notes when each step reaches it, and the seconds that the grammar takes there, if there is one."""

    def __init__(self, inner: GrammarLogitsProcessor | None):
        self.inner = inner
        self.reached, self.inside = [], []

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        self.reached.append(time.perf_counter())
        if self.inner is not None:
            scores = self.inner(input_ids, scores)
        self.inside.append(time.perf_counter() - self.reached[-1])
        return scores


def time_steps(processor: MidiProcessor, name: str, pieces: list[dict], args: argparse.Namespace) -> dict:
    """Decoding steps after prompts of 256 tokens, 16 rows, without the grammar and with it by turns."""
    model = build_model(name, processor, context_length=1024, **SMALL).eval()
    prompts = [processor.encode(piece["midi"])[:256] for piece in pieces]
    prompts = [prompts[row % len(prompts)] for row in range(16)]
    batch = processor.pad({"input_ids": prompts}, padding=True, padding_side="left", return_tensors="pt")
    lengths = {"max_new_tokens": args.steps + 2, "min_new_tokens": args.steps + 2}
    grammar = TokenGrammar.from_processor(processor)
    masks = torch.stack([grammar.vocabulary_mask(allowed_programs=[*PROGRAMS, 80 + row]) for row in range(16)])
    times = {FREE: [], GRAMMAR: [], MASKED: [], "in_grammar": [], "in_grammar_of_prompt": [], "in_grammar_masked": []}
    for _, kind in alternating([FREE, GRAMMAR, MASKED], args.repetitions):
        inner = None if kind == FREE else GrammarLogitsProcessor(grammar, masks if kind == MASKED else None)
        clock = Clock(inner)
        with torch.inference_mode():
            model.generate(**batch, **lengths, do_sample=True, top_k=0, logits_processor=[clock])
        times[kind] += [1000 * (after - before) for before, after in pairwise(clock.reached[1:])]
        if kind == GRAMMAR:
            times["in_grammar_of_prompt"].append(1000 * clock.inside[0])
        if kind != FREE:
            key = "in_grammar" if kind == GRAMMAR else "in_grammar_masked"
            times[key] += [1000 * seconds for seconds in clock.inside[1:-1]]
    milliseconds = {name: spread(values) for name, values in times.items()}
    return {
        "vocab_size": processor.vocab_size,
        "milliseconds": milliseconds,
        "share_of_a_step": spread(shares(times["in_grammar"], times[GRAMMAR])),
        "share_with_masks": spread(shares(times["in_grammar_masked"], times[MASKED])),
        "with_to_without": milliseconds[GRAMMAR]["median"] / milliseconds[FREE]["median"],
    }


def shares(parts: list[float], steps: list[float]) -> list[float]:
    """Of steps, the grammar's part to the rest."""
    return [part / (step - part) for part, step in zip(parts, steps, strict=True)]


def print_proof(name: str, row: dict):
    """Prints error rates, and shares of the rows that encode again to the same."""
    print(f"{name} ({row['vocab_size']} ids): {row[FREE]['errors_per_token']:.1%} errors a token unconstrained")
    for kind in (GRAMMAR, ASCENDING):
        found = row[kind]
        shares = f"same music {found['same_music']:.2%}, same tokens {found['same_tokens']:.2%}"
        print(
            f"  {kind}: {found['errors']} errors in {found['tokens']} tokens, {found['rows']} rows, {shares}",
            flush=True,
        )


def print_cost(name: str, row: dict):
    """Prints medians."""
    times = ", ".join(f"{key} {value['median']:.2f} ms" for key, value in row["milliseconds"].items())
    print(f"{name}: {times}; share of a step {row['share_of_a_step']['median']:.1%}", flush=True)


if __name__ == "__main__":
    main()
