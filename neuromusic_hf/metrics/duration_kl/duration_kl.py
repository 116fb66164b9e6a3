"""How far continuations move away from the note durations of their prompts, against originals."""

from neuromusic_hf.metrics.comparisons import DURATION
from neuromusic_hf.metrics.evaluate_module import ComparisonMetric

_HOW = "the distance from the prompt to what follows is KL(prompt || continuation) of their note durations."

_EXAMPLE = """
>>> import evaluate
>>> import numpy as np
>>> from neuromusic_hf.metrics import metric_path
>>> from symusic import Note, Score, Track
>>> def melody(lengths):
...     score, onset = Score(480), 0
...     score.tracks.append(Track())
...     for length in lengths.tolist():
...         score.tracks[0].notes.append(Note(onset, length, 60, 64))
...         onset += length
...     return score
>>> random = np.random.default_rng(0)
>>> even, dotted = np.array([240, 480, 480, 960]), np.array([240, 480, 480, 960, 720])
>>> prompts, references = ([melody(random.choice(even, 32)) for _ in range(40)] for _ in range(2))
>>> predictions = [melody(random.choice(dotted, 32)) for _ in range(40)]
>>> duration_kl = evaluate.load(metric_path("duration_kl"))
>>> result = duration_kl.compute(predictions=predictions, references=references, prompts=prompts)
>>> round(result["duration_kl"], 1), [round(bound, 1) for bound in result["interval"]]
(1.9, [1.6, 2.3])
>>> round(result["noise_floor_95"], 1), result["num_pieces"]
(0.7, 40)
"""


class DurationKL(ComparisonMetric):
    """Scores by [`DURATION`]."""

    comparison = DURATION
    how = _HOW
    example = _EXAMPLE
