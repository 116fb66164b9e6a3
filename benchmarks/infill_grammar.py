"""Draws middles from models with random weights under their grammar, and times its share of a decoding step.

    python benchmarks/infill_grammar.py

README.md says what each figure means.
"""

import argparse
import itertools
import math
import random
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from grammar import base_tokens, make_processor, music_of
from measuring import RESULTS, alternating, print_targets, save_result, spread, target
from symusic import Note, Score, Tempo, TimeSignature, Track
from transformers import LogitsProcessor, set_seed

from neuromusic_hf import MidiProcessor, build_model, load_corpus
from neuromusic_hf.generation.clock import MusicClock
from neuromusic_hf.grammar import GrammarLogitsProcessor
from neuromusic_hf.infilling import Cut, InfillSample, MiddleFrame, MiddleGrammar
from neuromusic_hf.infilling.middle_logits import RESERVE
from neuromusic_hf.infilling.span_rules import SpanRules
from neuromusic_hf.metrics import count_token_errors
from neuromusic_hf.music.bars import bar_lines, meters_that_count
from neuromusic_hf.music.score_arrays import ScoreArrays

TINY = {"num_hidden_layers": 1, "hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64}
SMALL = {"num_hidden_layers": 4, "hidden_size": 256, "num_attention_heads": 4, "intermediate_size": 1024}
SETTINGS = {
    "proof": ("tokens", "length", "vocab_size", "max_pieces"),
    "cost": ("vocab_size", "max_pieces", "steps", "repetitions"),
}
"""Of the command line, what a part depends on."""
PLAIN, MIDDLE = "grammar_of_pieces", "grammar_of_middles"
METERS = ((4, 4), (3, 4), (6, 8), (7, 8), (2, 2), (15, 16), (9, 8), (5, 4), (1, 4), (12, 8))
LONGEST, CONTEXT = 8, 4
"""Bars of a middle, and of what is told on each side of it, at most."""
TIME = ("Bar", "TimeShift")
"""What half of what is drawn begins with, where both may come: without, most middles would be cut short by length."""
PROMPTS, MIDDLES = 16, 16
"""Of a batch of the proof: prompts, and middles of each."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", default="proof,cost", help="joined by commas; each writes a file of its own")
    parser.add_argument("--tokenizations", default="REMI,TSD,Structured", help="joined by commas")
    parser.add_argument("--vocabularies", default="plain,BPE", help="joined by commas")
    parser.add_argument("--tokens", type=int, default=200_000, help="drawn for every tokenizer and vocabulary")
    parser.add_argument("--length", type=int, default=256, help="tokens of a middle, at most")
    parser.add_argument("--vocab_size", type=int, default=2000, help="of the trained vocabularies (BPE)")
    parser.add_argument("--max_pieces", type=int, default=80, help="folk tunes, and as many made pieces")
    parser.add_argument("--steps", type=int, default=100, help="timed decoding steps in a run")
    parser.add_argument("--repetitions", type=int, default=5, help="of every timed run")
    parser.add_argument(
        "--output",
        type=Path,
        default=RESULTS / "infill_grammar.json",
        help="result file, the part is added to its name",
    )
    args = parser.parse_args()
    set_seed(0)
    pieces = folk_tunes(args.max_pieces) + [made_piece(seed) for seed in range(args.max_pieces)]
    cases = list(itertools.product(args.tokenizations.split(","), args.vocabularies.split(",")))
    for part in args.parts.split(","):
        figures = {"proof": prove, "cost": time_all}[part](cases, pieces, args)
        print_targets(figures["targets"])
        settings = {name: getattr(args, name) for name in SETTINGS[part]}
        path = args.output.with_stem(f"{args.output.stem}_{part}")
        save_result(path, "infill_grammar", {"settings": settings} | figures)


def prove(cases: list[tuple[str, str]], pieces: list[dict], args: argparse.Namespace) -> dict:
    """Figures of what is drawn."""
    proof = {}
    for name, vocabulary in cases:
        processor = processor_of(name, vocabulary, args.vocab_size, pieces)
        proof[f"{name}_{vocabulary}"] = row = draw(processor, pieces, args.tokens, args.length)
        print(f"{name}_{vocabulary}: " + ", ".join(f"{key} {value}" for key, value in row.items()), flush=True)
    targets = {
        "errors": target(sum(row["errors"] for row in proof.values()), at_most=0),
        "middles_without_an_end": target(sum(row["middles"] - row["ended"] for row in proof.values()), at_most=0),
        "exact_middles": target(min(row["exact"] / row["ended"] for row in proof.values()), at_least=1.0),
        "notes_outside": target(sum(row["notes_outside"] for row in proof.values()), at_most=0),
        "real_ids_that_are_illegal": target(sum(row["real_illegal"] for row in proof.values()), at_most=0),
        "same_music": target(min(row["same_music"] / row["encoded_again"] for row in proof.values()), at_least=1.0),
    }
    return {"proof": proof, "targets": targets}


def time_all(cases: list[tuple[str, str]], pieces: list[dict], args: argparse.Namespace) -> dict:
    """Figures of decoding steps."""
    cost = {}
    for name, vocabulary in cases:
        processor = processor_of(name, vocabulary, args.vocab_size, pieces)
        cost[f"{name}_{vocabulary}"] = row = time_steps(processor, pieces, args)
        print(f"{name}_{vocabulary}: {row}", flush=True)
    found = max(row["step_to_step"] for row in cost.values())
    return {"cost": cost, "targets": {"step_to_step": target(found, at_most=1.15)}}


def folk_tunes(count: int) -> list[dict]:
    """Of the embedded corpus."""
    with tempfile.TemporaryDirectory(prefix="neuromusic-benchmark-") as cache:
        corpus = load_corpus("folk", max_pieces=2 * count, cache_dir=cache, split_shares=(0.6, 0.2, 0.2))
        return [{"midi": row["midi"]} for row in corpus["train"]][:count]


def made_piece(seed: int) -> dict:
    """Four programs and drums in changing meters and tempos; some bars are silent, some are cut short."""
    rng, score = random.Random(seed), Score(480)
    lines = [0]
    for _ in range(rng.randrange(2, 7)):
        numerator, denominator = rng.choice(METERS)
        score.time_signatures.append(TimeSignature(lines[-1], numerator, denominator))
        length = 4 * 480 * numerator // denominator
        lines += [lines[-1] + length * (bar + 1) for bar in range(rng.randrange(1, 6))]
        if rng.random() < 0.3 and length > 480:
            lines.append(lines[-1] + 480)  # a bar that the next meter cuts short
        score.tempos.append(Tempo(rng.choice(lines), rng.randrange(50, 200)))
    score.tempos.sort()
    for program in (*rng.sample(range(128), 4), -1):
        track = Track("", max(program, 0), program == -1)
        for begin, end in itertools.pairwise(lines):
            for _ in range(0 if rng.random() < 0.3 else rng.randrange(1, 8)):
                onset = begin + 30 * rng.randrange(max(1, (end - begin) // 30))
                pitch = rng.randrange(35, 60) if program == -1 else rng.randrange(36, 90)
                track.notes.append(Note(onset, 60 * rng.randrange(1, 20), pitch, rng.randrange(30, 120)))
        score.tracks.append(track)
    return {"midi": score.sort(inplace=False)}


def processor_of(name: str, vocabulary: str, vocab_size: int, pieces: list[dict]) -> MidiProcessor:
    """With infill tokens."""
    processor = make_processor(name, vocabulary, vocab_size, pieces)
    if processor.infill_ids is None:
        processor.add_infill_tokens()
    return processor


def draw_cut(piece: ScoreArrays, longest: int, rng: random.Random) -> Cut | None:
    """Of all tracks, or of one program; none of a piece of one bar."""
    end = int(piece.onset.max(initial=0)) + 1
    lines = bar_lines(meters_that_count(piece.meters), piece.ticks_per_quarter, end).tolist()
    if not len(piece) or len(lines) < 2:
        return None
    first = rng.randrange(len(lines) - 1)
    last = rng.randrange(first + 1, min(len(lines), first + 1 + longest))
    begin, finish = max(0, first - rng.randrange(CONTEXT + 1)), last + rng.randrange(CONTEXT + 1)
    programs = frozenset({rng.choice(piece.programs.tolist())}) if rng.random() < 0.5 else None
    return Cut(lines[begin], lines[first], lines[last], lines[finish] if finish < len(lines) else None, programs)


def draw(processor: MidiProcessor, pieces: list[dict], tokens: int, length: int) -> dict:
    """
    Draws `tokens` tokens of middles or somewhat more, and judges them; so are real middles of the same cuts.

    Cuts whose silence alone takes more ids than `length` are counted and left out.
    """
    middle, rng = MiddleGrammar(processor), random.Random(0)
    arrays = [ScoreArrays.of(processor.quantise(piece["midi"])) for piece in pieces]
    counted = dict.fromkeys(
        ("tokens", "middles", "ended", "exact", "errors", "notes", "notes_outside", "encoded_again", "same_music"), 0
    )
    counted["too_long_cuts"] = 0
    real = {"real_ids": 0, "real_illegal": 0}
    models = {}
    while counted["tokens"] < tokens:
        chosen = [(piece, draw_cut(piece, LONGEST, rng)) for piece in rng.choices(arrays, k=PROMPTS)]
        cuts = [(piece, cut) for piece, cut in chosen if cut is not None]
        frames, samples = [middle.frame(*cut) for cut in cuts], middle.encoder.samples(cuts)
        room = [has_room(middle, *each, length) for each in zip(frames, samples, strict=True)]
        cuts, frames, samples = (list(itertools.compress(each, room)) for each in (cuts, frames, samples))
        counted["too_long_cuts"] += len(room) - len(cuts)
        if not cuts:
            raise ValueError(f"None of {len(room)} cuts can be filled with {length} ids: take a larger --length.")
        prompts, mask = padded(processor, samples)
        context = 2 ** math.ceil(math.log2(prompts.shape[1] + length))
        if context not in models:
            models[context] = build_model("gpt2", processor, context_length=context, **TINY).eval()
        held = middle.logits_processor(frames, max_new_tokens=length)
        with torch.inference_mode():
            rows = models[context].generate(
                input_ids=prompts,
                attention_mask=mask,
                max_new_tokens=length,
                num_return_sequences=MIDDLES,
                do_sample=True,
                top_k=0,
                eos_token_id=processor.infill_ids.end,
                pad_token_id=processor.tokenizer.pad_token_id,
                logits_processor=[held, Hurry(processor)],
            )
        for place, row in enumerate(rows[:, prompts.shape[1] :].tolist()):
            prompt = place // MIDDLES
            for key, value in judge(processor, middle, *cuts[prompt], samples[prompt], row).items():
                counted[key] += value
        if real["real_ids"] < tokens / 4:
            for key, value in follow(processor, middle, cuts, samples).items():
                real[key] += value
    return {"vocab_size": processor.vocab_size} | counted | real


def has_room(middle: MiddleGrammar, frame: MiddleFrame, sample: InfillSample, length: int) -> bool:
    """Whether so many ids are enough to fill a span, at least with silence."""
    rules = SpanRules([middle.rule(frame, sample.prefix)], middle.paths)
    return int(rules.left(rules.begin)[0]) + RESERVE <= length


def padded(processor: MidiProcessor, samples: list[InfillSample]) -> tuple[torch.Tensor, torch.Tensor]:
    """Prompts of shape `(batch, length)`, padded on the left, and their attention mask."""
    prompts = [sample.prompt(processor.infill_ids).tolist() for sample in samples]
    batch = processor.pad({"input_ids": prompts}, padding=True, padding_side="left", return_tensors="pt")
    return batch["input_ids"], batch["attention_mask"]


def follow(processor: MidiProcessor, middle: MiddleGrammar, cuts: list[tuple], samples: list[InfillSample]) -> dict:
    """How many ids real middles have, with EOM, and how many of them may not come."""
    held, ids = middle.logits_processor([middle.frame(*cut) for cut in cuts]), padded(processor, samples)[0]
    pad, longest = processor.tokenizer.pad_token_id, max(len(sample.middle) for sample in samples) + 1
    real = torch.full((len(samples), longest), pad)
    for row, sample in zip(real, samples, strict=True):
        row[: len(sample.middle) + 1] = torch.tensor([*sample.middle.tolist(), processor.infill_ids.end])
    scores, illegal = torch.zeros(len(ids), processor.vocab_size), 0
    for column in real.unbind(dim=1):
        illegal += int(held(ids, scores).gather(1, column[:, None]).isinf().sum())
        ids = torch.cat([ids, column[:, None]], dim=1)
    return {"real_ids": sum(len(sample.middle) + 1 for sample in samples), "real_illegal": illegal}


def judge(
    processor: MidiProcessor,
    middle: MiddleGrammar,
    piece: ScoreArrays,
    cut: Cut,
    sample: InfillSample,
    row: list[int],
) -> dict:
    """What is counted of one middle, by decoding it behind its prefix."""
    end, pad = processor.infill_ids.end, processor.tokenizer.pad_token_id
    ended = end in row
    ids = row[: row.index(end)] if ended else [index for index in row if index != pad]
    prefix = sample.prefix.tolist()
    score = processor.decode(np.array(prefix + ids, np.int64))
    scale = score.ticks_per_quarter // piece.ticks_per_quarter
    before = processor.decode(np.array(prefix, np.int64)).note_num()
    onsets = np.sort(ScoreArrays.of(score).onset)[before:] + cut.begin * scale
    inside = (cut.start * scale <= onsets) & (onsets < cut.end * scale)
    found = {
        "tokens": len(ids) + ended,
        "middles": 1,
        "ended": int(ended),
        "exact": int(ended and lasts_as_long(processor, piece, cut, prefix + ids, scale)),
        "errors": errors(processor, middle, prefix, ids),
        "notes": len(onsets),
        "notes_outside": int((~inside).sum()),
    }
    if ended and len(onsets):
        found["encoded_again"] = 1
        found["same_music"] = int(encodes_again(processor, middle, score, cut, scale, ids))
    return found


def lasts_as_long(processor: MidiProcessor, piece: ScoreArrays, cut: Cut, ids: list[int], scale: int) -> bool:
    """Whether prefix and middle have exactly the bars that the piece has there."""
    clock, ticks = MusicClock(processor), scale * (cut.end - cut.begin)
    for index in ids:
        clock.advance(index)
    if "Bar_None" not in processor.music_tokenizer.vocab:
        lasts = clock.tick
    else:
        lasts = clock.bar_tick + clock.ticks_per_bar
    if lasts != ticks or not processor.music_tokenizer.config.use_time_signatures:
        return lasts == ticks
    decoded = ScoreArrays.of(processor.decode(np.array(ids, np.int64)))
    wanted = piece.between(cut.begin, cut.end).meters * np.array([[scale], [1], [1]])
    return np.array_equal(decoded.meters, wanted)


def errors(processor: MidiProcessor, middle: MiddleGrammar, prefix: list[int], ids: list[int]) -> int:
    """Errors of syntax. In Structured a middle stands alone, and silence at its end may be several shifts."""
    if not middle.begins_anew:
        return count_token_errors(processor, [prefix + ids]).errors
    while ids and all(kind == "TimeShift" for kind, _ in processor.base_words[ids[-1]]):
        ids = ids[:-1]
    return count_token_errors(processor, [ids]).errors


def encodes_again(
    processor: MidiProcessor, middle: MiddleGrammar, score: Score, cut: Cut, scale: int, ids: list[int]
) -> bool:
    """Whether prefix and middle, decoded, encode to the same music in the middle, in the same order of time."""
    # Structured would move onsets that no one shift leads to from the prefix.
    piece = ScoreArrays.of(score if middle.begins_anew else processor.quantise(score))
    to_ticks = piece.ticks_per_quarter / score.ticks_per_quarter
    start, end = (round(scale * (tick - cut.begin) * to_ticks) for tick in (cut.start, cut.end))
    (again,) = middle.encoder.samples([(piece, Cut(0, start, end))])
    return music_of(base_tokens(processor, again.middle.tolist())) == music_of(base_tokens(processor, ids))


class Hurry(LogitsProcessor):
    """Gives half of the chance to ids that begin with time, and to EOM, where such and others may come."""

    def __init__(self, processor: MidiProcessor):
        first = [words[0][0] if words else "" for words in processor.base_words]
        self.passes = torch.tensor(
            [kind in TIME or index == processor.infill_ids.end for index, kind in enumerate(first)]
        )

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Scores of shape `(rows, ids)`, moved."""
        passes, stays = (
            scores.masked_fill(~of, -torch.inf).logsumexp(dim=1, keepdim=True) for of in (self.passes, ~self.passes)
        )
        has_both = passes.isfinite() & stays.isfinite()
        return torch.where(has_both & self.passes, scores + stays - passes, scores)


class Clock(LogitsProcessor):
    """Notes the processor time when each step reaches it."""

    def __init__(self, inner: LogitsProcessor):
        self.inner = inner
        self.reached, self.inside = [], []

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        self.reached.append(time.process_time())
        scores = self.inner(input_ids, scores)
        self.inside.append(time.process_time() - self.reached[-1])
        return scores


def time_steps(processor: MidiProcessor, pieces: list[dict], args: argparse.Namespace) -> dict:
    """Decoding steps of 16 prompts under the grammar of pieces and that of middles, by turns; processor time."""
    middle, rng = MiddleGrammar(processor), random.Random(1)
    arrays = [ScoreArrays.of(processor.quantise(piece["midi"])) for piece in pieces]
    cuts = [(piece, cut) for piece in arrays if (cut := draw_cut(piece, LONGEST, rng)) is not None][-16:]
    prompts, mask = padded(processor, middle.encoder.samples(cuts))
    model = build_model("gpt2", processor, context_length=prompts.shape[1] + args.steps + 2, **SMALL).eval()
    times = {f"{what}_{kind}": [] for kind in (PLAIN, MIDDLE) for what in ("step", "in")}
    for _, kind in alternating([PLAIN, MIDDLE], args.repetitions):
        spans = [middle.frame(*cut) for cut in cuts]
        clock = Clock(GrammarLogitsProcessor(middle.grammar) if kind == PLAIN else middle.logits_processor(spans))
        with torch.inference_mode():
            model.generate(
                input_ids=prompts,
                attention_mask=mask,
                max_new_tokens=args.steps + 2,
                do_sample=True,
                top_k=0,
                eos_token_id=processor.infill_ids.end,
                pad_token_id=processor.tokenizer.pad_token_id,
                logits_processor=[clock],
            )
        steps = itertools.pairwise(clock.reached[1:])
        times[f"step_{kind}"] += [1000 * (after - before) for before, after in steps]
        times[f"in_{kind}"] += [1000 * seconds for seconds in clock.inside[1:]]
    milliseconds = {name: spread(values) for name, values in times.items()}
    in_model = milliseconds[f"step_{PLAIN}"]["median"] - milliseconds[f"in_{PLAIN}"]["median"]
    whole = [in_model + milliseconds[f"in_{kind}"]["median"] for kind in (MIDDLE, PLAIN)]
    return {"vocab_size": processor.vocab_size, "milliseconds": milliseconds, "step_to_step": whole[0] / whole[1]}


if __name__ == "__main__":
    main()
