"""The grammar: real music keeps it, what is drawn at random under it is sound, and each rule by itself."""

import numpy as np
import pytest
import torch
from datasets import Dataset, Features
from miditok import REMI, TokSequence
from music import make_score
from tokenization.sample_scores import SCORES, random_score
from transformers import LogitsProcessorList, set_seed

from neuromusic_hf import MidiProcessor, build_model, load_corpus
from neuromusic_hf.grammar import GrammarLogitsProcessor, TokenGrammar
from neuromusic_hf.grammar.base_tokens import BaseTokens
from neuromusic_hf.music import Midi

NAMES = ("REMI", "TSD", "Structured")
MODELS = ("", "BPE", "Unigram", "WordPiece")
TINY = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
PAD, BOS, EOS = 0, 1, 2


@pytest.fixture(scope="module")
def grammars(processors, trained_processors):
    """Processor and grammar of a tokenizer and its vocabulary model, if any."""
    made = {}

    def make(name, model=""):
        if (name, model) not in made:
            processor = trained_processors(name, model) if model else processors[name]
            made[name, model] = processor, TokenGrammar.from_processor(processor)
        return made[name, model]

    return make


@pytest.fixture(params=[(name, model) for name in NAMES for model in MODELS], ids="-".join)
def every_case(request, grammars):
    return grammars(*request.param)


@pytest.fixture(params=[(name, model) for name in NAMES for model in ("", "BPE")], ids="-".join)
def case(request, grammars):
    return grammars(*request.param)


@pytest.fixture(scope="module")
def music(corpus, tmp_path_factory):
    """Real and made pieces; their tracks are in all kinds of order."""
    pieces = [make_score(seed) for seed in range(6)] + [score() for score in SCORES.values()]
    pieces += [row["midi"] for row in corpus["test"]]
    for name in ("bach", "folk"):
        embedded = load_corpus(
            name, cache_dir=tmp_path_factory.mktemp(name), max_pieces=12, split_shares=(0.4, 0.3, 0.3)
        )
        pieces += [row["midi"] for split in embedded.values() for row in split]
    return pieces


def words_of(processor, ids):
    """miditok's base tokens of ids without special tokens."""
    sequence = TokSequence(ids=list(ids), are_ids_encoded=processor.music_tokenizer.is_trained)
    processor.music_tokenizer.decode_token_ids(sequence)
    processor.music_tokenizer.complete_sequence(sequence)
    return sequence.tokens


def follow(grammar, ids):
    """The state of one row after `ids`."""
    state = grammar.begin(1)
    for index in ids:
        state = grammar.advance(state, torch.tensor([index]))
    return state


def draw(grammar, rows, length, seed=0):
    """Draws ids, each legal one as likely as the other; rows end with EOS or where `length` cuts them."""
    generator = torch.Generator().manual_seed(seed)
    state, drawn = grammar.begin(rows), []
    for _ in range(length):
        legal = grammar.legal(state)
        assert legal.any(dim=1).all()
        drawn.append(torch.multinomial(legal.float(), 1, generator=generator)[:, 0])
        state = grammar.advance(state, drawn[-1])
    return torch.stack(drawn, dim=1).tolist()


def complete(processor, row):
    """Base tokens up to EOS, or to the last complete note."""
    if EOS in row:
        return words_of(processor, row[: row.index(EOS)])
    words = words_of(processor, row)
    return words[: max((end for end, word in enumerate(words, 1) if word.startswith("Duration")), default=0)]


def encode_again(processor, words, *, sort_tracks=False):
    tokenizer = processor.music_tokenizer
    sequence = TokSequence(tokens=words, ids=[tokenizer.vocab[word] for word in words])
    score = tokenizer.decode(sequence if tokenizer.one_token_stream else [sequence])
    if sort_tracks:
        score.tracks = sorted(score.tracks, key=lambda track: (track.is_drum, track.program))
    return words_of(processor, processor.encode_score(score)[0])


def events(words):
    """Tempos, meters and notes in order of time; the notes of an onset sorted, without chords."""
    found, notes = [], []
    for word in words:
        kind = word.partition("_")[0]
        if kind == "Program":
            notes.append([word])
        elif kind in ("Pitch", "PitchDrum", "Velocity", "Duration"):
            notes[-1].append(word)
        elif kind == "Chord":
            notes.pop()
        elif word != "TimeShift_0.0.1":
            found += [*sorted(notes), word]
            notes = []
    return found + sorted(notes)


def assert_legal(processor, grammar, pieces):
    """Every id of every piece is legal where it stands."""
    pieces = sorted(pieces, key=len, reverse=True)
    state = grammar.begin(len(pieces))
    for step in range(len(pieces[0])):
        rows = [piece for piece in pieces if len(piece) > step]
        state = state.select(torch.arange(len(rows)))
        ids = torch.tensor([piece[step] for piece in rows])
        refused = ~grammar.legal(state).gather(1, ids[:, None])[:, 0]
        assert not refused.any(), [words_of(processor, rows[row][: step + 1])[-12:] for row in refused.nonzero()]
        state = grammar.advance(state, ids)


def test_real_music_is_legal(every_case, music):
    processor, grammar = every_case
    assert_legal(processor, grammar, [processor.encode(score, add_bos=False, add_eos=True)[:700] for score in music])


def test_what_is_drawn_has_no_error_and_encodes_to_the_same_music(case):
    processor, grammar = case
    for row in draw(grammar, rows=12, length=250):
        words = complete(processor, row)
        assert processor.music_tokenizer._tokens_errors(words) == 0
        assert events(encode_again(processor, words)) == events(words)


@pytest.mark.parametrize("model", ["", "BPE"])
@pytest.mark.parametrize("name", NAMES)
def test_ascending_programs_encode_to_the_same_tokens(name, model, corpus):
    """Chords aside, which depend on notes to come."""
    processor = MidiProcessor.from_tokenization(name, use_chords=False)
    if model:
        processor = processor.train_new_from_corpus(corpus["train"], processor.vocab_size + 60, model)
    for row in draw(TokenGrammar.from_processor(processor, ascending_programs=True), rows=12, length=250):
        words = complete(processor, row)
        assert encode_again(processor, words, sort_tracks=True) == words


CROWDED = {"allowed_programs": [0, 33], "pitch_range": (59, 60)}


def assert_ids_are_as_their_expansions(grammar, base, steps, weights=1.0):
    """Legal where the base tokens are, one after the other, and leading to where those lead."""
    expansions = torch.from_numpy(grammar.tokens.expansions)
    assert (grammar.tokens.words[: base.vocab_size] == base.tokens.words[: base.vocab_size]).all()
    expansions = torch.where(expansions < base.vocab_size, expansions, PAD)
    state, base_state = grammar.begin(1), base.begin(1)
    generator = torch.Generator().manual_seed(1)
    usable = torch.from_numpy(grammar.tokens.usable)
    for _ in range(steps):
        legal = grammar.legal(state)[0]
        expected, ends = usable.clone(), base_state.select(torch.zeros(len(usable), dtype=torch.long))
        for ids in expansions.unbind(dim=1):
            expected &= (ids == PAD) | base.legal(ends).gather(1, ids[:, None])[:, 0]
            ends = base.advance(ends, ids)
        assert torch.equal(legal & usable, expected)
        chosen = torch.multinomial((legal & usable) * weights, 1, generator=generator)
        state, base_state = grammar.advance(state, chosen), ends.select(chosen)
        assert torch.equal(grammar.program(state), base.program(base_state))
        assert torch.equal(state.floors, base_state.floors)


@pytest.mark.parametrize("name, model", [(name, model) for name in NAMES for model in MODELS[1:]])
def test_an_id_is_legal_where_its_whole_expansion_is(name, model, grammars):
    assert_ids_are_as_their_expansions(grammars(name, model)[1], grammars(name)[1], steps=25)


def crowded_spans(name, count):
    """Words of up to three notes, cut anywhere, on an onset or two; many are not legal by themselves."""
    random = np.random.default_rng(0)
    move = ["Position_31"] if name == "REMI" else ["TimeShift_1.0.16"]
    stay = ["TimeShift_0.0.1"] if name == "Structured" else []
    for _ in range(count):
        span = []
        for _ in range(random.integers(1, 4)):
            note = [f"Program_{random.choice([0, 33])}", f"Pitch_{random.choice([59, 60])}"]
            span += [*note, "Velocity_79", "Duration_1.0.16", *(move if random.random() < 0.2 else stay)]
        yield span[random.integers(4) : len(span) - random.integers(6)]


@pytest.mark.parametrize("restriction", [{}, CROWDED], ids=str)
@pytest.mark.parametrize("ascending", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_an_id_may_be_any_span_of_music(name, ascending, restriction, processors, monkeypatch):
    """Also where programs run out of pitches: onsets of many notes, with few programs and pitches."""
    base = TokenGrammar.from_processor(processors[name], ascending_programs=ascending)
    words = base.tokens.words[: base.vocab_size].tolist()
    paths = [None, None, None] + [[word] for word in words[3:]] + list(crowded_spans(name, 200))
    spans = BaseTokens(words, words[:3], base.tokens.special_ids, paths)
    monkeypatch.setattr(BaseTokens, "from_processor", lambda processor: spans)
    grammar = TokenGrammar.from_processor(processors[name], ascending_programs=ascending)
    moves = grammar.tokens.of("Bar", "Position", "TimeShift") & ~grammar.tokens.of("TimeShift_0.0.1")
    weights = torch.from_numpy(np.where(moves, 0.03, 1.0)[grammar.tokens.expansions].min(axis=1))
    if restriction:
        grammar, base = (each.restricted(each.vocabulary_mask(**restriction)) for each in (grammar, base))
    assert_ids_are_as_their_expansions(grammar, base, 30, weights)


def test_a_step_leaves_something_legal_whatever_came_before(case):
    processor, grammar = case
    generator = torch.Generator().manual_seed(2)
    masks = [None, grammar.vocabulary_mask(allowed_programs=[0], drums=False, pitch_range=(60, 62))]
    for restricted in (grammar if mask is None else grammar.restricted(mask) for mask in masks):
        state = restricted.begin(32)
        for step in range(100):
            legal = restricted.legal(state)
            assert legal.any(dim=1).all()
            garbage = torch.randint(0, grammar.vocab_size, (32,), generator=generator)
            ids = torch.multinomial(legal.float(), 1, generator=generator)[:, 0]
            state = restricted.advance(state, garbage if step % 3 == 0 else ids)


REMI_BEGIN = "Bar_None TimeSig_4/4 Position_0 Tempo_120.0"
TSD_BEGIN = "TimeSig_4/4 Tempo_120.0"
C4, NEXT_BAR = "Program_0 Pitch_60 Velocity_79 Duration_1.0.16", "Bar_None TimeSig_4/4"
KICK = "Program_-1 PitchDrum_36 Velocity_79 Duration_1.0.16"

RULES = {
    "a piece begins with a bar": ("REMI", "", "Bar_None", "TimeSig_4/4 Position_0 Program_0 EOS_None PAD_None"),
    "and its meter": ("REMI", "Bar_None", "TimeSig_4/4 TimeSig_12/8", "Bar_None Position_0"),
    "and position 0": ("REMI", "Bar_None TimeSig_4/4", "Position_0", "Position_1 Bar_None Program_0"),
    "and a tempo": ("REMI", "Bar_None TimeSig_4/4 Position_0", "Tempo_20.0 Tempo_300.0", "Program_0"),
    "TSD begins with a meter": ("TSD", "", "TimeSig_3/4", "Tempo_120.0 TimeShift_1.0.16"),
    "Structured begins with a shift": ("Structured", "", "TimeShift_0.0.1 TimeShift_256.0.1", "Program_0 Pitch_60"),
    "positions go up": ("REMI", f"{REMI_BEGIN} Position_4 {C4}", "Position_5 Bar_None", "Position_4 Position_0"),
    "inside the bar": ("REMI", f"{REMI_BEGIN} Position_4 {C4}", "Position_63", "Position_64 Position_239"),
    "of its own meter": ("REMI", f"{REMI_BEGIN} Bar_None TimeSig_5/8", "Position_79 Bar_None", "Position_80"),
    "a position holds something": ("REMI", f"{REMI_BEGIN} Position_4", "Program_0 Tempo_60.0", "Position_5 Bar_None"),
    "a meter is followed by a position": ("REMI", f"{REMI_BEGIN} {NEXT_BAR}", "Position_0 Bar_None", "Program_0"),
    "tempos change": ("REMI", f"{REMI_BEGIN} Position_4", "Tempo_125.0", "Tempo_120.0"),
    "tempos change in TSD": ("TSD", f"{TSD_BEGIN} TimeShift_1.0.16", "Tempo_125.0", "Tempo_120.0"),
    "a pitch has a velocity": ("REMI", f"{REMI_BEGIN} Program_0 Pitch_60", "Velocity_7", "Duration_1.0.16 Program_0"),
    "and a duration": ("TSD", f"{TSD_BEGIN} Program_0 Pitch_60 Velocity_7", "Duration_1.0.16", "Program_0 Pitch_61"),
    "pitches go up": ("REMI", f"{REMI_BEGIN} {C4} Program_0", "Pitch_61", "Pitch_60 Pitch_59 Chord_maj"),
    "in Structured too": ("Structured", f"TimeShift_0.0.1 {C4} TimeShift_0.0.1 Program_0", "Pitch_61", "Pitch_60"),
    "until time moves": (
        "TSD", f"{TSD_BEGIN} {C4} TimeShift_0.1.16 Program_0", "Pitch_60 Pitch_0 Chord_maj", "TimeShift_1.0.16",
    ),
    "or a bar begins": ("REMI", f"{REMI_BEGIN} {C4} {NEXT_BAR} Position_0 Program_0", "Pitch_60", "Position_1"),
    "for every program": ("REMI", f"{REMI_BEGIN} {C4} Program_5", "Pitch_60 Pitch_0", "PitchDrum_60"),
    "programs come once": ("REMI", f"{REMI_BEGIN} {C4} {KICK}", "Program_-1 Program_5", "Program_0"),
    "what is at the top goes on no more": (
        "TSD", f"{TSD_BEGIN} Program_0 Pitch_127 Velocity_79 Duration_1.0.16",
        "Program_1 TimeShift_1.0.16", "Program_0",
    ),
    "drums have drum pitches": ("REMI", f"{REMI_BEGIN} Program_-1", "PitchDrum_0 PitchDrum_127", "Pitch_36 Chord_maj"),
    "others have not": ("REMI", f"{REMI_BEGIN} Program_9", "Pitch_36 Chord_maj", "PitchDrum_36"),
    "a chord goes before its program": ("REMI", f"{REMI_BEGIN} Program_9 Chord_maj", "Program_9", "Program_8"),
    "a chord comes once": ("REMI", f"{REMI_BEGIN} Program_9 Chord_maj Program_9", "Pitch_60", "Chord_min"),
    "a gap is written greedily": ("TSD", f"{TSD_BEGIN} {C4} TimeShift_1.0.16", "Program_0", "TimeShift_1.0.16"),
    "after the longest shift, any": ("TSD", f"{TSD_BEGIN} TimeShift_256.0.1", "TimeShift_256.0.1", "EOS_None"),
    "after a coarse one, what is between": (
        "TSD", f"{TSD_BEGIN} TimeShift_256.0.1 TimeShift_6.0.4",
        "TimeShift_0.3.16", "TimeShift_0.4.16 TimeShift_256.0.1",
    ),
    "and then no more": ("TSD", f"{TSD_BEGIN} TimeShift_6.0.4 TimeShift_0.3.16", "Program_0", "TimeShift_0.1.16"),
    "meters change at bars": ("TSD", f"{TSD_BEGIN} TimeShift_4.0.8", "TimeSig_3/4", "TimeSig_4/4"),
    "and nowhere else": ("TSD", f"{TSD_BEGIN} TimeShift_3.7.8", "Program_0", "TimeSig_3/4"),
    "bars are counted from the last change": (
        "TSD", f"{TSD_BEGIN} TimeShift_4.0.8 TimeSig_3/4 {C4} TimeShift_3.0.8", "TimeSig_4/4", "TimeSig_3/4",
    ),
    "a piece ends after a note": ("REMI", f"{REMI_BEGIN} {C4}", "EOS_None", "PAD_None BOS_None"),
    "not before one": ("REMI", REMI_BEGIN, "Bar_None", "EOS_None"),
    "nor amid one": ("REMI", f"{REMI_BEGIN} {C4} Program_0 Pitch_61 Velocity_79", "Duration_1.0.16", "EOS_None"),
    "nor after time that passed": ("TSD", f"{TSD_BEGIN} {C4} TimeShift_1.0.16", "Program_0", "EOS_None"),
    "nor with an empty bar": ("REMI", f"{REMI_BEGIN} {C4} {NEXT_BAR}", "Bar_None", "EOS_None"),
    "but with a change": ("REMI", f"{REMI_BEGIN} {C4} Bar_None TimeSig_3/4", "EOS_None", "Program_0"),
    "PAD follows EOS": ("REMI", f"{REMI_BEGIN} {C4} EOS_None", "PAD_None", "EOS_None Bar_None BOS_None"),
    "BOS begins anew": ("REMI", f"{REMI_BEGIN} {C4} EOS_None BOS_None", "Bar_None", "Position_1 EOS_None"),
    "a broken prompt is followed": ("REMI", f"Position_7 {C4} Position_3 Pitch_60", "Velocity_7", "Position_4"),
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_rule(rule, grammars):
    name, prompt, legal_words, refused_words = RULES[rule]
    processor, grammar = grammars(name)
    ids = processor.music_tokenizer.vocab
    legal = grammar.legal(follow(grammar, [ids[word] for word in prompt.split()]))[0]
    assert [word for word in legal_words.split() if not legal[ids[word]]] == []
    assert [word for word in refused_words.split() if legal[ids[word]]] == []


@pytest.mark.parametrize(
    "settings", [{"use_time_signatures": False}, {"use_tempos": False}, {"use_velocities": False}]
)
@pytest.mark.parametrize("name", NAMES)
def test_music_is_legal_with_other_settings(name, settings):
    settings = {"beat_res": {(0, 2): 12, (2, 8): 4}, "use_pitchdrum_tokens": False, "pitch_range": (0, 127)} | settings
    processor = MidiProcessor.from_tokenization(name, **settings)
    grammar = TokenGrammar.from_processor(processor)
    pieces = [processor.encode(random_score(seed), add_bos=False, add_eos=True) for seed in range(3)]
    assert_legal(processor, grammar, pieces)
    for row in draw(grammar, rows=8, length=150):
        words = complete(processor, row)
        assert processor.music_tokenizer._tokens_errors(words) == 0
        assert events(encode_again(processor, words)) == events(words)


@pytest.mark.parametrize("name", NAMES)
def test_rows_padded_on_the_left_are_as_alone(name, grammars):
    processor, grammar = grammars(name, "BPE")
    prompts = [processor.encode(make_score(seed))[: 5 + 9 * seed] for seed in range(4)] + [[BOS], [5, 300, 7]]
    longest = max(map(len, prompts))
    padded = torch.tensor([[PAD] * (longest - len(prompt)) + prompt for prompt in prompts])
    scores = torch.zeros(1, grammar.vocab_size)
    together = GrammarLogitsProcessor(grammar)(padded, scores.expand(len(prompts), -1))
    for row, prompt in zip(together, prompts, strict=True):
        assert torch.equal(row, GrammarLogitsProcessor(grammar)(torch.tensor([prompt]), scores)[0])


def test_bos_may_be_left_out(case):
    _, grammar = case
    assert torch.equal(grammar.legal(follow(grammar, [BOS])), grammar.legal(grammar.begin(1)))


def test_known_rows_are_not_read_again(grammars, monkeypatch):
    """Rows that go on, change places, or come twice, as in beam search; and rows that are new."""
    _, grammar = grammars("REMI", "BPE")
    steps = []
    advance = TokenGrammar.advance
    monkeypatch.setattr(TokenGrammar, "advance", lambda self, *given: steps.append(1) or advance(self, *given))
    processor, scores = GrammarLogitsProcessor(grammar), torch.zeros(6, grammar.vocab_size)
    generator = torch.Generator().manual_seed(3)
    ids = torch.full((6, 1), BOS)
    for step in range(60):
        steps.clear()
        result = processor(ids, scores)
        assert len(steps) == 1
        assert torch.equal(result, GrammarLogitsProcessor(grammar)(ids, scores))
        drawn = torch.multinomial(result.exp(), 1, generator=generator)
        if step % 9 == 8:  # whatever was drawn is followed
            drawn = torch.randint(grammar.vocab_size, drawn.shape, generator=generator)
        parents = torch.randint(6, (6,), generator=generator) if step % 2 else torch.arange(6)
        ids = torch.cat([ids, drawn], dim=1)[parents]
    steps.clear()
    processor(ids.flip(1), scores)
    assert len(steps) == ids.shape[1]


@pytest.mark.parametrize("options", [{"num_beams": 4}, {"do_sample": True, "top_k": 0}, {"do_sample": False}], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_generate_writes_legal_rows(name, options, grammars, monkeypatch):
    processor, grammar = grammars(name, "BPE")
    set_seed(0)
    model = build_model("gpt2", processor, context_length=128, **TINY).eval()
    prompts = [processor.encode(make_score(seed))[: 4 + 20 * seed] for seed in range(2)]
    batch = processor.pad({"input_ids": prompts}, padding=True, padding_side="left", return_tensors="pt")
    steps = []
    advance = TokenGrammar.advance
    monkeypatch.setattr(TokenGrammar, "advance", lambda self, *given: steps.append(1) or advance(self, *given))
    processors = LogitsProcessorList([GrammarLogitsProcessor(processor)])
    rows = model.generate(**batch, max_new_tokens=50, logits_processor=processors, **options)
    assert len(steps) < rows.shape[1]
    for row in rows.tolist():
        assert_legal(processor, grammar, [[index for index in row if index not in (PAD, BOS)]])
        words = complete(processor, [index for index in row if index not in (PAD, BOS)])
        assert processor.music_tokenizer._tokens_errors(words) == 0


def test_a_mask_restricts_programs_and_pitches(case):
    processor, grammar = case
    mask = grammar.vocabulary_mask(allowed_programs=[0, 33], drums=False, pitch_range=(60, 64))
    for row in draw(grammar.restricted(mask), rows=8, length=150):
        words = complete(processor, row)
        assert {word for word in words if word.startswith("Program")} <= {"Program_0", "Program_33"}
        assert {word for word in words if word.startswith("Pitch")} <= {f"Pitch_{pitch}" for pitch in range(60, 65)}
        assert processor.music_tokenizer._tokens_errors(words) == 0
        assert events(encode_again(processor, words)) == events(words)


def test_a_mask_with_drums_alone(grammars):
    processor, grammar = grammars("Structured")
    mask = grammar.vocabulary_mask(allowed_programs=[], drums=True)
    words = {word for row in draw(grammar.restricted(mask), rows=4, length=80) for word in complete(processor, row)}
    assert {word for word in words if word.startswith("Program")} == {"Program_-1"}


def test_a_mask_lets_the_prompt_finish_its_note(grammars):
    """Of a program that is not allowed, above the pitches that are."""
    processor, grammar = grammars("REMI")
    words = f"{REMI_BEGIN} Program_5 Pitch_80 Velocity_79 Duration_1.0.16 Program_5 Chord_maj".split()
    prompt = torch.tensor([[processor.music_tokenizer.vocab[word] for word in words]])
    mask = grammar.vocabulary_mask(allowed_programs=[0], pitch_range=(60, 64))
    scores = GrammarLogitsProcessor(grammar, mask)(prompt, torch.zeros(1, grammar.vocab_size))
    assert [processor.music_tokenizer[index] for index in scores[0].isfinite().nonzero()[:, 0].tolist()] == [
        "Program_5"
    ]


@pytest.mark.parametrize("tempo", [60.0, 300])
@pytest.mark.parametrize("model", ["", "BPE"])
@pytest.mark.parametrize("name", ["REMI", "TSD"])
def test_a_mask_with_a_tempo_leaves_that_at_the_beginning_alone(name, model, tempo, grammars):
    processor, grammar = grammars(name, model)
    for row in draw(grammar.restricted(grammar.vocabulary_mask(tempo=tempo)), rows=8, length=150):
        words = complete(processor, row)
        assert [word for word in words if word.startswith("Tempo")] == [f"Tempo_{tempo:.1f}"]
        assert processor.music_tokenizer._tokens_errors(words) == 0
        assert events(encode_again(processor, words)) == events(words)


def test_a_grammar_restricted_twice_keeps_both_restrictions(grammars):
    _, grammar = grammars("TSD", "BPE")
    first, second = grammar.vocabulary_mask(drums=False), grammar.vocabulary_mask(tempo=60)
    state = follow(grammar, [])
    twice = grammar.restricted(first).restricted(second)
    assert torch.equal(twice.legal(state), grammar.restricted(first & second).legal(state))


ROW_RESTRICTIONS = (
    {"allowed_programs": [0], "drums": False},
    {"drums": False, "pitch_range": (60, 62)},
    {"allowed_programs": [0], "drums": False},
    {"allowed_programs": [5, 33], "drums": True, "pitch_range": (40, 41)},
)


@pytest.mark.parametrize("repeats", [1, 3])
def test_rows_of_different_masks_are_as_alone(case, repeats):
    """Rows that go on and, where a prompt has several, change places among themselves."""
    _, grammar = case
    masks = torch.stack([grammar.vocabulary_mask(**restriction) for restriction in ROW_RESTRICTIONS])
    together = GrammarLogitsProcessor(grammar, masks)
    alone = [GrammarLogitsProcessor(grammar, mask) for mask in masks]
    scores, generator = torch.zeros(4 * repeats, grammar.vocab_size), torch.Generator().manual_seed(4)
    ids = torch.full((4 * repeats, 1), BOS)
    for _ in range(40):
        result = together(ids, scores)
        for each, found, rows in zip(alone, result.split(repeats), ids.split(repeats), strict=True):
            assert torch.equal(found, each(rows, scores[:repeats]))
        ids = torch.cat([ids, torch.multinomial(result.exp(), 1, generator=generator)], dim=1)
        parents = torch.randint(repeats, (4, repeats), generator=generator) + repeats * torch.arange(4)[:, None]
        ids = ids[parents.flatten()]


@pytest.mark.parametrize(
    "options", [{"num_beams": 3}, {"do_sample": True, "top_k": 0, "num_return_sequences": 2}], ids=str
)
def test_generate_with_a_mask_for_each_prompt(options, grammars):
    processor, grammar = grammars("REMI", "BPE")
    set_seed(0)
    model = build_model("gpt2", processor, context_length=64, **TINY).eval()
    allowed = ({0}, {5, 33}, {-1})
    masks = torch.stack([grammar.vocabulary_mask(allowed_programs=programs) for programs in allowed])
    prompt, processors = torch.full((3, 1), BOS), [GrammarLogitsProcessor(grammar, masks)]
    rows = model.generate(prompt, max_new_tokens=50, logits_processor=processors, **options)
    for programs, mask, found in zip(allowed, masks, rows.view(3, -1, rows.shape[1]), strict=True):
        found = [[index for index in row if index not in (PAD, BOS)] for row in found.tolist()]
        assert_legal(processor, grammar.restricted(mask), found)
        words = {word for row in found for word in words_of(processor, row)}
        assert {word for word in words if word.startswith("Program")} <= {f"Program_{index}" for index in programs}


def test_rows_that_cannot_share_masks_are_refused(grammars):
    _, grammar = grammars("REMI")
    masks = torch.stack([grammar.vocabulary_mask(drums=drums) for drums in (False, True)])
    with pytest.raises(ValueError, match="3 rows cannot share 2 masks"):
        GrammarLogitsProcessor(grammar, masks)(torch.full((3, 1), BOS), torch.zeros(3, grammar.vocab_size))
    with pytest.raises(ValueError, match="2 masks: say which each row has"):
        grammar.restricted(masks).legal(grammar.begin(2))


@pytest.mark.parametrize(
    "restriction, message",
    [
        ({"tempo": 121}, r"tempo=121: there are \[20.0, 25.0"),
        ({"allowed_programs": []}, r"programs \[\]"),
        ({"allowed_programs": [200]}, r"programs \[200\]"),
        ({"allowed_programs": [-1], "drums": False}, r"programs \[\]"),
        ({"pitch_range": (128, 130)}, r"pitch_range=\(128, 130\)"),
    ],
)
def test_a_mask_that_leaves_nothing_is_refused(restriction, message, grammars):
    with pytest.raises(ValueError, match=message):
        grammars("REMI")[1].vocabulary_mask(**restriction)


def test_a_tempo_needs_tempo_tokens(grammars):
    with pytest.raises(ValueError, match="tempo=120: there are none of tempos"):
        grammars("Structured")[1].vocabulary_mask(tempo=120)


class Dialect(REMI):
    """A tokenizer of a user's own."""


def test_a_tokenizer_without_rules_is_refused():
    processor = MidiProcessor.from_tokenization(f"{__name__}.Dialect")
    with pytest.raises(
        ValueError, match="no grammar rules for Dialect, only for REMI, TSD, Structured.*grammar/automata.py"
    ):
        GrammarLogitsProcessor(processor)


@pytest.mark.parametrize(
    "settings",
    [
        {"use_rests": True},
        {"remove_duplicated_notes": False},
        {"use_note_duration_programs": [0]},
        {"max_bar_embedding": 60},
    ],
    ids=str,
)
def test_settings_without_rules_are_refused(settings):
    with pytest.raises(ValueError, match=f"REMI has no rules for .*{next(iter(settings))}"):
        TokenGrammar.from_processor(MidiProcessor.from_tokenization("REMI", **settings))


BARE = {"use_chords": False, "use_tempos": False, "use_time_signatures": False}


@pytest.mark.parametrize("name", ["REMI", "TSD", "Structured"])
@pytest.mark.parametrize("settings", [{}, BARE, {"use_time_signatures": False}], ids=["all", "bare", "no meters"])
def test_without_programs_music_is_legal_and_what_is_legal_is_encoded_again(name, settings):
    processor = MidiProcessor.from_tokenization(name, use_programs=False, **settings)
    grammar = TokenGrammar.from_processor(processor)
    pieces = [SCORES[score]() for score in SCORES if score != "drums_only"]
    assert_legal(processor, grammar, [processor.encode(piece, add_bos=False) for piece in pieces])
    notes = 0
    for row in draw(grammar, rows=6, length=150):
        words = complete(processor, row)
        again = encode_again(processor, words)
        notes += sum(word.startswith("Pitch") for word in words)
        assert [word for word in again if word[:5] != "Chord"] == [word for word in words if word[:5] != "Chord"]
        assert processor.music_tokenizer.tokens_errors(TokSequence(tokens=words, ids=[0] * len(words))) == 0
    assert notes > 20


@pytest.mark.parametrize("model", ["BPE", "Unigram", "WordPiece"])
def test_without_programs_a_learned_vocabulary_keeps_to_it(model):
    rows = {"midi": [make_score(seed).dumps_midi() for seed in range(6)]}
    corpus = Dataset.from_dict(rows, features=Features({"midi": Midi()}))
    base = MidiProcessor.from_tokenization("REMI", use_programs=False)
    processor = base.train_new_from_corpus(corpus, base.vocab_size + 80, model=model)
    grammar = TokenGrammar.from_processor(processor)
    assert_legal(processor, grammar, [processor.encode(make_score(seed), add_bos=False) for seed in range(3)])
    low = grammar.restricted(grammar.vocabulary_mask(pitch_range=(40, 50)))
    for held in (grammar, low):
        for row in draw(held, rows=4, length=100):
            words = complete(processor, row)
            again = encode_again(base, words)
            assert [word for word in again if word[:5] != "Chord"] == [word for word in words if word[:5] != "Chord"]
            if held is low:
                assert {int(word[6:]) for word in words if word.startswith("Pitch_")} <= set(range(40, 51))


@pytest.mark.parametrize("use_programs", [True, False])
def test_a_bare_piece_begins_with_a_note_or_a_gap(use_programs):
    processor = MidiProcessor.from_tokenization("TSD", use_programs=use_programs, **BARE)
    grammar = TokenGrammar.from_processor(processor)
    (legal,) = grammar.legal(grammar.begin(1))
    words = processor.tokenizer.convert_ids_to_tokens(legal.nonzero()[:, 0].tolist())
    assert {word.partition("_")[0] for word in words} == {"TimeShift", "Program" if use_programs else "Pitch"}


def test_scores_may_be_wider_than_the_vocabulary_but_not_narrower(grammars):
    _, grammar = grammars("REMI")
    scores = GrammarLogitsProcessor(grammar)(torch.tensor([[BOS]]), torch.zeros(1, grammar.vocab_size + 6))
    assert scores.isfinite().sum() == 1
    with pytest.raises(ValueError, match=f"for 500 ids, and the grammar has {grammar.vocab_size}"):
        GrammarLogitsProcessor(grammar)(torch.tensor([[BOS]]), torch.zeros(1, 500))
