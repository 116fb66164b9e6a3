"""Ids followed and drawn under a grammar, and what they say."""

import torch
from miditok import TokSequence

NAMES = ("REMI", "TSD", "Structured")
MODELS = ("", "BPE", "Unigram", "WordPiece")
PAD, BOS, EOS = 0, 1, 2

REMI_BEGIN = "Bar_None TimeSig_4/4 Position_0 Tempo_120.0"
TSD_BEGIN = "TimeSig_4/4 Tempo_120.0"
C4, NEXT_BAR = "Program_0 Pitch_60 Velocity_79 Duration_1.0.16", "Bar_None TimeSig_4/4"
KICK = "Program_-1 PitchDrum_36 Velocity_79 Duration_1.0.16"


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


def assert_next(processor, grammar, prompt, legal_words, refused_words):
    """After the words of a prompt some are legal, others not."""
    ids = processor.music_tokenizer.vocab
    legal = grammar.legal(follow(grammar, [ids[word] for word in prompt.split()]))[0]
    assert [word for word in legal_words.split() if not legal[ids[word]]] == []
    assert [word for word in refused_words.split() if legal[ids[word]]] == []
