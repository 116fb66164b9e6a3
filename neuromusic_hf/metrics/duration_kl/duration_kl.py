"""How far continuations move away from the note durations of their prompts, against originals."""

import datasets
import evaluate

from neuromusic_hf.metrics.distances import score_midi
from neuromusic_hf.metrics.measures import DURATION
from neuromusic_hf.metrics.scores import ScoreSettings
from neuromusic_hf.music import Midi

_DESCRIPTION = """
For each piece, the distance from the prompt to what follows is KL(prompt || continuation) of their note durations.
Over the pieces: are those distances spread as they are where the pieces really go on?
The score is KL(original || generated) of the two distributions of distances, in nats; 0 is best.
"""

_KWARGS_DESCRIPTION = """
Args:
    predictions (`list`): how a model goes on after each prompt, without the prompt: MIDI paths, bytes,
        `{"bytes", "path"}` or [`symusic.Score`].
    references (`list`): how each piece really goes on, likewise without the prompt.
    prompts (`list`): what was continued.
    num_bins (`int`, *optional*, defaults to 10): bins of the two histograms.
    resamples (`int`, *optional*, defaults to 1,000): bootstrap samples, and swaps.
    splits (`int`, *optional*, defaults to 1,000): random halves of the references.
    seed (`int`, *optional*, defaults to 0): of all of these.
    num_workers (`int`, *optional*, defaults to 1): processes.
Returns:
    `dict`: `duration_kl` (nats), `interval` (95%), `p_value`, `noise_floor` (mean, nats), `noise_floor_95` (nats),
    `overlap_area` (0 to 1), `mean_original` and `mean_generated` (nats), `num_pieces`, `num_dropped`,
    `dropped` (names by reason) and `counts`.
Raises:
    `OSError`: a path cannot be read.
    `ValueError`: the numbers of predictions, references and prompts differ.
Example:

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

_CITATION = """
@article{yang2020evaluation,
  title = {On the evaluation of generative models in music},
  author = {Yang, Li-Chia and Lerch, Alexander},
  journal = {Neural Computing and Applications},
  volume = {32},
  pages = {4773--4784},
  year = {2020},
  doi = {10.1007/s00521-018-3849-7},
}
"""


class DurationKL(evaluate.Metric):
    def _info(self):
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_KWARGS_DESCRIPTION,
            features=datasets.Features(
                {
                    "predictions": Midi(decode=False),
                    "references": Midi(decode=False),
                    "prompts": Midi(decode=False),
                }
            ),
            reference_urls=["https://doi.org/10.1007/s00521-018-3849-7"],
        )

    def _compute(self, predictions, references, prompts, num_workers=1, **settings):
        settings = ScoreSettings(**settings)
        score = score_midi(DURATION, prompts, references, predictions, settings, num_workers)
        return score.to_dict("duration_kl")
