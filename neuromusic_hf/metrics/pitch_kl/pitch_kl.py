"""How far continuations move away from the pitch classes of their prompts, against originals."""

import datasets
import evaluate

from neuromusic_hf.metrics.distances import score_midi
from neuromusic_hf.metrics.measures import PITCH
from neuromusic_hf.metrics.scores import ScoreSettings
from neuromusic_hf.music import Midi

_DESCRIPTION = """
For each piece, the distance from the prompt to what follows is KL(prompt || continuation) of their pitch classes.
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
    `dict`: `pitch_kl` (nats), `interval` (95%), `p_value`, `noise_floor` (mean, nats), `noise_floor_95` (nats),
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


class PitchKL(evaluate.Metric):
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
        score = score_midi(PITCH, prompts, references, predictions, settings, num_workers)
        return score.to_dict("pitch_kl")
