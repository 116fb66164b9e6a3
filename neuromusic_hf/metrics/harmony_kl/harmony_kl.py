"""How alike in harmony continuations are to their prompts, against originals."""

import datasets
import evaluate

from neuromusic_hf.metrics.distances import score_midi
from neuromusic_hf.metrics.embedding import load_harmony_embedding
from neuromusic_hf.metrics.measures import harmony_measure
from neuromusic_hf.metrics.scores import ScoreSettings
from neuromusic_hf.music import Midi

_DESCRIPTION = """
For each piece, the harmony of prompt and continuation, one Roman numeral a bar, becomes the mean of its word vectors,
and the cosine similarity of the two is taken.
Over the pieces: are those similarities spread as they are where the pieces really go on?
The score is KL(original || generated) of the two distributions of similarities, in nats; 0 is best.
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
    `dict`: `harmony_kl` (nats), `interval` (95%), `p_value`, `noise_floor` (mean, nats), `noise_floor_95` (nats),
    `overlap_area` (0 to 1), `mean_original` and `mean_generated` (cosine similarity), `num_pieces`, `num_dropped`,
    `dropped` (names by reason) and `counts` (`words`, `unknown_words`).
Raises:
    `OSError`: a path cannot be read.
    `ValueError`: the numbers of predictions, references and prompts differ.
Example:

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


class HarmonyKL(evaluate.Metric):
    def __init__(self, *args, embedding=None, **kwargs):
        super().__init__(*args, **kwargs)
        self.measure = harmony_measure(load_harmony_embedding(embedding))

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
        score = score_midi(self.measure, prompts, references, predictions, settings, num_workers)
        return score.to_dict("harmony_kl")
