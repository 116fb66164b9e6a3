"""How far continuations move away from the pitch classes of their prompts, against originals."""

from neuromusic_hf.metrics.comparisons import PITCH
from neuromusic_hf.metrics.evaluate_module import ComparisonMetric

_HOW = "the distance from the prompt to what follows is KL(prompt || continuation) of their pitch classes."

_EXAMPLE = """
>>> import evaluate
>>> import numpy as np
>>> from neuromusic_hf.metrics import metric_path
>>> from symusic import Note, Score, Track
>>> def melody(pitches):
...     score, onset = Score(480), 0
...     score.tracks.append(Track())
...     for pitch in pitches.tolist():
...         score.tracks[0].notes.append(Note(onset, 480, pitch, 64))
...         onset += 480
...     return score
>>> random = np.random.default_rng(0)
>>> c_major, c_minor = np.array([60, 62, 64, 65, 67, 69, 71]), np.array([60, 62, 63, 65, 67, 68, 70])
>>> prompts, references = ([melody(random.choice(c_major, 32)) for _ in range(40)] for _ in range(2))
>>> predictions = [melody(random.choice(c_minor, 32)) for _ in range(40)]
>>> pitch_kl = evaluate.load(metric_path("pitch_kl"))
>>> result = pitch_kl.compute(predictions=predictions, references=references, prompts=prompts)
>>> round(result["pitch_kl"], 1), [round(bound, 1) for bound in result["interval"]]
(2.5, [2.5, 2.6])
>>> round(result["noise_floor_95"], 1), result["num_pieces"]
(0.7, 40)
"""


class PitchKL(ComparisonMetric):
    """Scores by [`PITCH`]."""

    comparison = PITCH
    how = _HOW
    example = _EXAMPLE
