"""The counting models of benchmarks/ngrams.py, and the one that continues pieces, are those of their definitions."""

from collections import Counter, defaultdict

import numpy as np
import pytest
import torch

VOCAB_SIZE, LONGEST, LONGEST_MATCH = 5, 4, 6
BOS = 0


@pytest.fixture
def ngrams(load_benchmark):
    return load_benchmark("ngrams")


def random_texts(seed: int, count: int) -> list[np.ndarray]:
    """Of lengths from 2 on. Tokens lean towards one that depends on the last, so that runs come again."""
    draw = np.random.default_rng(seed)
    texts = []
    for _ in range(count):
        ids = [BOS]
        for _ in range(draw.integers(1, 40)):
            ids.append(int(draw.integers(1, VOCAB_SIZE) if draw.random() < 0.4 else 1 + ids[-1] * 2 % 4))
        texts.append(np.array(ids))
    return texts


class NaiveKneserNey:
    """Interpolated modified Kneser-Ney smoothing by its formulas, in dicts."""

    def __init__(self, train, n):
        self.tables = []
        padded = [[BOS] * n + list(text[1:]) for text in train]
        for order in range(1, n + 1):
            runs = [tuple(text[end - order : end]) for text in padded for end in range(n + 1, len(text) + 1)]
            if order < n:
                longer = {tuple(text[end - order - 1 : end]) for text in padded for end in range(n + 1, len(text) + 1)}
                runs = [run[1:] for run in longer]
            counts = Counter(runs)
            times = Counter(counts.values())
            self.tables.append((counts, [self.discount(times, k) for k in (1, 2, 3)]))

    @staticmethod
    def discount(times, k):
        once = times[1] / (times[1] + 2 * times[2]) if times[1] else 0
        found = k - (k + 1) * once * times[k + 1] / times[k] if times[k] else k
        return found if 0 < found < k else k / 2

    def chance(self, context, token):
        order = len(context) + 1
        lower = self.chance(context[1:], token) if context else 1 / VOCAB_SIZE
        counts, discounts = self.tables[order - 1]
        following = {run[-1]: count for run, count in counts.items() if run[:-1] == context}
        if not following:
            return lower
        taken = {each: discounts[min(count, 3) - 1] for each, count in following.items()}
        kept = following.get(token, 0) - taken.get(token, 0)
        return (kept + sum(taken.values()) * lower) / sum(following.values())


def test_ngrams_are_those_of_the_formulas(ngrams):
    train, texts = random_texts(0, 20), random_texts(1, 6)
    found = ngrams.count_and_predict(train, texts, VOCAB_SIZE, longest=LONGEST, longest_match=LONGEST_MATCH)
    assert list(found.ngrams) == [1, 2, 3, 4]
    for n, chances in found.ngrams.items():
        naive = NaiveKneserNey(train, n)
        padded = [[BOS] * n + list(text[1:]) for text in texts]
        wanted = [
            naive.chance(tuple(text[end - n + 1 : end]), text[end]) for text in padded for end in range(n, len(text))
        ]
        np.testing.assert_allclose(chances, wanted, rtol=1e-9)


def test_chances_of_all_tokens_add_up_to_one(ngrams):
    train = random_texts(0, 20)
    for prompt in random_texts(2, 5):
        texts = [np.append(prompt, token) for token in range(VOCAB_SIZE)]
        found = ngrams.count_and_predict(train, texts, VOCAB_SIZE, longest=LONGEST, longest_match=LONGEST_MATCH)
        weights = np.linspace(0.1, 0.9, 1 + len(ngrams.MATCH_BANDS))
        lasts = np.cumsum([len(text) - 1 for text in texts]) - 1
        for chances in (*found.ngrams.values(), found.copied, ngrams.mix(found.ngrams[2], found, weights)):
            assert chances[lasts].sum() == pytest.approx(1)
            assert (chances >= 0).all()


def test_what_is_copied_followed_the_longest_match(ngrams):
    train, texts = random_texts(3, 8), random_texts(4, 6)
    found = ngrams.count_and_predict(train, texts, VOCAB_SIZE, longest=1, longest_match=LONGEST_MATCH)
    followed = defaultdict(Counter)
    padded = [[BOS] * LONGEST_MATCH + list(text[1:]) for text in train]
    for text in padded:
        for end in range(LONGEST_MATCH, len(text)):
            for length in range(LONGEST_MATCH + 1):
                followed[tuple(text[end - length : end])][text[end]] += 1
    wanted = []
    for text in ([BOS] * LONGEST_MATCH + list(text[1:]) for text in texts):
        for end in range(LONGEST_MATCH, len(text)):
            lengths = range(LONGEST_MATCH, -1, -1)
            length = next(each for each in lengths if tuple(text[end - each : end]) in followed)
            after = followed[tuple(text[end - length : end])]
            wanted.append((after[text[end]] / after.total(), length))
    np.testing.assert_allclose(np.column_stack([found.copied, found.matched]), wanted)


def test_weights_of_copying_are_the_likeliest(ngrams):
    draw = np.random.default_rng(0)
    copied, chances = draw.random(2000) ** 3, draw.random(2000) ** 2
    counted = ngrams.Counted({}, copied, draw.integers(0, 40, 2000))
    weights = ngrams.copying_weights(chances, counted, rounds=500)
    likeliest = np.log(ngrams.mix(chances, counted, weights)).sum()
    for band in range(len(weights)):
        for other in (weights[band] - 0.05, weights[band] + 0.05):
            changed = np.where(np.arange(len(weights)) == band, np.clip(other, 0, 1), weights)
            assert np.log(ngrams.mix(chances, counted, changed)).sum() < likeliest


@pytest.fixture
def ngram_model(load_benchmark):
    return load_benchmark("ngram_model")


@pytest.mark.parametrize("n", [1, 2, 4, 7])
def test_every_next_token_has_the_chance_that_the_counting_models_give_it(ngram_model, ngrams, n):
    train, prompts = random_texts(0, 20), random_texts(1, 8)
    model = ngram_model.NgramForCausalLM(ngram_model.Ngrams.count(train, VOCAB_SIZE, n), BOS)
    for prompt in prompts:
        texts = [np.append(prompt, token) for token in range(VOCAB_SIZE)]
        counted = ngrams.count_and_predict(train, texts, VOCAB_SIZE, longest=n)
        lasts = np.cumsum([len(text) - 1 for text in texts]) - 1
        logits = model(torch.from_numpy(prompt)[None]).logits
        assert logits.shape == (1, 1, VOCAB_SIZE)
        np.testing.assert_allclose(logits[0, 0].exp(), counted.ngrams[n][lasts], rtol=1e-5)


def test_rows_of_a_batch_do_not_depend_on_each_other(ngram_model):
    counted = ngram_model.Ngrams.count(random_texts(0, 20), VOCAB_SIZE, 5)
    model = ngram_model.NgramForCausalLM(counted, BOS)
    prompts = [torch.from_numpy(prompt) for prompt in random_texts(2, 6)]
    width = max(map(len, prompts))
    rows = torch.stack([torch.nn.functional.pad(prompt, (width - len(prompt), 0), value=3) for prompt in prompts])
    mask = torch.stack([torch.arange(width) >= width - len(prompt) for prompt in prompts]).long()
    together = model(rows, mask).logits
    for row, prompt in zip(together, prompts, strict=True):
        torch.testing.assert_close(row, model(prompt[None]).logits[0])
