"""How alike in harmony continuations are to their prompts, against originals."""

from neuromusic_hf.metrics.comparisons import HARMONY
from neuromusic_hf.metrics.evaluate_module import ComparisonMetric

_HOW = (
    "the harmony of prompt and continuation, one Roman numeral a bar, becomes the mean of its word vectors, "
    "and the cosine similarity of the two is taken."
)

_EXAMPLE = """
>>> import evaluate
>>> import numpy as np
>>> from neuromusic_hf.metrics import harmonic_reduction
>>> from neuromusic_hf.metrics import metric_path
>>> from neuromusic_hf.metrics.embedding_training import train_harmony_embedding
>>> from symusic import Note, Score, Track
>>> def chords(roots, third=4):
...     score = Score(480)
...     score.tracks.append(Track())
...     for bar, root in enumerate(roots.tolist()):
...         for pitch in (root, root + third, root + 7):
...             score.tracks[0].notes.append(Note(1920 * bar, 1920, pitch, 64))
...     return score
>>> random = np.random.default_rng(0)
>>> prompts, references = ([chords(random.choice([60, 65, 67], 8)) for _ in range(40)] for _ in range(2))
>>> predictions = [chords(random.choice([60, 63, 66, 69], 8), third=3) for _ in range(40)]
>>> embedding = train_harmony_embedding([harmonic_reduction(score) for score in prompts + predictions])
>>> harmony_kl = evaluate.load(metric_path("harmony_kl"), embedding=embedding)
>>> result = harmony_kl.compute(predictions=predictions, references=references, prompts=prompts)
>>> round(result["harmony_kl"], 1), result["num_pieces"], result["counts"]
(2.5, 40, {'words': 960, 'unknown_words': 0})
"""


class HarmonyKL(ComparisonMetric):
    """Scores by [`HARMONY`]."""

    comparison = HARMONY
    how = _HOW
    example = _EXAMPLE
